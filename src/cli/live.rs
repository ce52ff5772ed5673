//! Arguments of the live screen.

use std::path::PathBuf;

use super::Filters;

#[derive(Clone, Debug, Default, clap::Args)]
pub struct LiveArgs {
    /// Files, folders, or - for standard input; without any, every agent log on this machine
    ///
    /// Any known format, recognised by content. Calls in these paths are not booked unless --book is given, and
    /// everything shown, limits included, is about these paths only.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Also listen on a Unix socket; without a name, on the default one
    ///
    /// The next argument is taken as its name: put --socket after the paths, or write --socket=SOCK.
    // A path cannot be empty, so that an empty value represents the default socket.
    #[arg(long, value_name = "SOCK", num_args = 0..=1, default_missing_value = "")]
    pub socket: Option<std::ffi::OsString>,
    /// Also serve HTTP: telemetry, metrics, the API and a page; without an address, as the config says or on
    /// 127.0.0.1:4318
    ///
    /// Put --listen after the paths, or write --listen=ADDR. Addresses beyond this machine need a token, see
    /// `tokmeter serve --help`.
    // An address cannot be empty, so that an empty value represents the one in the config.
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = "", value_parser = parse_listen)]
    pub listen: Option<Listen>,
    /// Open on one session
    #[arg(long, value_name = "ID|latest")]
    pub session: Option<String>,
    /// One to four lines, for a narrow pane
    #[arg(long)]
    pub compact: bool,
    /// No full screen: one line per change
    #[arg(long, conflicts_with = "compact")]
    pub plain: bool,
    /// Print one screen as text and exit
    #[arg(long, conflicts_with = "plain")]
    pub once: bool,
    /// With --once: draw the screen as an SVG picture instead of text
    #[arg(long, requires = "once", conflicts_with = "plain")]
    pub svg: bool,
    /// With --once: the size of the screen, such as 120x36
    #[arg(long, value_name = "COLSxROWS", requires = "once", conflicts_with = "plain", value_parser = parse_size)]
    pub size: Option<(u16, u16)>,
    /// Count in memory only, without the ledger
    #[arg(long)]
    pub no_ledger: bool,
    /// Book the calls in the given paths
    #[arg(long)]
    pub book: bool,
    /// Which calls count
    #[command(flatten)]
    pub filters: Filters,
}

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Where the config says.
    Configured,
    /// At this address.
    At(std::net::SocketAddr),
}

impl Listen {
    /// The address, if one was given.
    pub(crate) fn address(self) -> Option<std::net::SocketAddr> {
        match self {
            Self::Configured => None,
            Self::At(address) => Some(address),
        }
    }
}

fn parse_listen(text: &str) -> Result<Listen, String> {
    if text.is_empty() {
        return Ok(Listen::Configured);
    }
    text.parse().map(Listen::At).map_err(|_| format!("'{text}' is not an address; write 127.0.0.1:4318"))
}

/// The largest screen.
const LARGEST: (u16, u16) = (4_000, 2_000);

fn parse_size(text: &str) -> Result<(u16, u16), String> {
    let wrong = || format!("'{text}' is not a size; write 120x36");
    let (columns, rows) = text.split_once(['x', 'X']).ok_or_else(wrong)?;
    let (columns, rows) = (columns.parse().map_err(|_| wrong())?, rows.parse().map_err(|_| wrong())?);
    if columns > LARGEST.0 || rows > LARGEST.1 {
        return Err(format!("'{text}' is more than {}x{}; write 120x36", LARGEST.0, LARGEST.1));
    }
    Ok((columns, rows))
}
