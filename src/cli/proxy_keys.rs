//! Arguments of `proxy key`.

#[derive(Clone, Debug, clap::Subcommand)]
#[command(defer = true)]
pub enum ProxyCommand {
    /// Make, list and revoke the keys of those who may call
    #[command(after_help = "Example:\n  tokmeter proxy key add --user alice --team web")]
    Key {
        /// Subcommand
        #[command(subcommand)]
        command: KeyCommand,
    },
}

#[derive(Clone, Debug, clap::Subcommand)]
#[command(defer = true)]
pub enum KeyCommand {
    /// Make a key and print it, once; after the first, every call needs one
    #[command(after_help = "Example:\n  tokmeter proxy key add --user alice --team web")]
    Add {
        /// Whose calls these are; limits such as user:alice:day count them
        #[arg(long, value_name = "NAME")]
        user: String,
        /// The user's team
        #[arg(long, value_name = "NAME")]
        team: Option<String>,
        /// Name by which the key is listed and revoked; by default its user's
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    /// Every key, without its secret
    #[command(after_help = "Example:\n  tokmeter proxy key list")]
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Refuse a key from now on
    #[command(after_help = "Example:\n  tokmeter proxy key revoke alice")]
    Revoke {
        /// The key's name
        #[arg(value_name = "NAME")]
        name: String,
    },
}
