//! Arguments of `serve`, `proxy` and `bench`.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::ProxyCommand;

/// Address of the proxy, if none is named.
pub(crate) const PROXY: &str = "127.0.0.1:4319";

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
    /// Also forward calls to model services, see `tokmeter proxy`
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = PROXY)]
    pub proxy: Option<SocketAddr>,
    /// With --proxy: the model service, as URL or /prefix=URL; several with prefixes
    #[arg(long, value_name = "URL", requires = "proxy")]
    pub upstream: Vec<String>,
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

#[derive(Clone, Debug, clap::Args)]
pub struct ProxyArgs {
    /// Subcommand; without one, forward
    #[command(subcommand)]
    pub command: Option<ProxyCommand>,
    /// The model service, as URL or /prefix=URL; several with prefixes. Without any, those of the config
    #[arg(long, value_name = "URL")]
    pub upstream: Vec<String>,
    /// Where to listen; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = PROXY)]
    pub listen: SocketAddr,
    /// File whose first line is the token that clients must present as x-tokmeter-key
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Stop when standard input ends; the starting process holds it open
    #[arg(long, hide = true)]
    pub end_with_input: bool,
}

#[derive(Clone, Debug, clap::Subcommand)]
pub enum BenchCommand {
    /// Time that the proxy adds to a call, compared with a bare pass-through
    #[command(after_help = "Examples:\n  tokmeter bench proxy\n  tokmeter bench proxy --limits --calls 600")]
    Proxy(BenchProxyArgs),
    /// A pass-through without counting, with which `bench proxy` compares
    #[command(hide = true)]
    PassThrough {
        /// Address of the service
        #[arg(long, value_name = "ADDR")]
        upstream: SocketAddr,
    },
}

#[derive(Clone, Debug, clap::Args)]
pub struct BenchProxyArgs {
    /// Calls of each connection
    #[arg(long, value_name = "N", default_value = "150", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub calls: u32,
    /// Also measure a proxy that has limits to check
    #[arg(long)]
    pub limits: bool,
    /// Address of the test service; by default a free port on this machine
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub service: SocketAddr,
    /// Also measure another proxy, which forwards to the service, as NAME=ADDR
    #[arg(long, value_name = "NAME=ADDR")]
    pub compare: Vec<String>,
}
