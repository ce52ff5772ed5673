//! `serve`: a meter without a screen that receives telemetry and answers over HTTP.

mod headless;
pub(super) mod proxy;

use super::http_server::{self, proxy as forwarding};
use super::{Context, Exit, Failure};
use crate::app::catch_up::LogSelection;
use crate::app::mistyped::{Slot, mistyped};
use crate::cli::{LiveArgs, ServeArgs};
use crate::config::Loaded;

/// Serves until a signal arrives. Everything received by then is booked.
pub(super) fn run(context: &mut Context<'_>, args: ServeArgs, loaded: &Loaded) -> Result<Exit, Failure> {
    let slot = Slot { before: "tokmeter serve", kind: "command", otherwise: Exit::Usage };
    mistyped(context, &args.paths, slot, Vec::new)?;
    let bound = http_server::listen(context, args.listen, args.token_file.as_deref())?;
    let proxy = match args.proxy {
        Some(address) => {
            Some(forwarding::listen(context, loaded, address, args.token_file.as_deref(), &args.upstream)?)
        }
        None => None,
    };
    let selection = LogSelection::from_args(context, &args.paths, args.no_ledger);
    // An empty name means the default socket.
    let socket = args.socket.or_else(|| context.settings.server.socket.then(std::ffi::OsString::new));
    let live =
        LiveArgs { paths: args.paths, socket, no_ledger: args.no_ledger, book: args.book, ..LiveArgs::default() };
    headless::until_signal(context, &live, selection, Some(bound), proxy)
}
