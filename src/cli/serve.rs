//! Arguments of `serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Clone, Debug, clap::Args)]
pub struct ServeArgs {
    /// Where to listen, by default as the config says or on 127.0.0.1:4318; port 0 takes any free one
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Also listen on a Unix socket; without a name, on the default one
    #[arg(long, value_name = "SOCK", num_args = 0..=1, default_missing_value = "")]
    pub socket: Option<std::ffi::OsString>,
    /// File whose first line is the token that clients must present
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Count in memory only, without the ledger
    #[arg(long)]
    pub no_ledger: bool,
    /// Files and folders to follow; without any, every agent log on this machine
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Also book the calls in these paths
    #[arg(long)]
    pub book: bool,
}
