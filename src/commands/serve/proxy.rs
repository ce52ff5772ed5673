//! `proxy`: forwards calls to model services and counts them.

use super::headless;
use crate::app::catch_up::LogSelection;
use crate::app::stdin::end_with_input;
use crate::cli::{Listen, LiveArgs, ProxyArgs};
use crate::commands::http_server::proxy as forwarding;
use crate::commands::{Context, Exit, Failure};
use crate::config::Loaded;

/// Forwards until a signal arrives. Every call made by then is booked.
pub(in crate::commands) fn run(context: &mut Context<'_>, args: &ProxyArgs, loaded: &Loaded) -> Result<Exit, Failure> {
    if args.end_with_input {
        let failed =
            |error: std::io::Error| Failure::new(Exit::Code(71), format!("no thread could be started: {error}"));
        end_with_input().map_err(failed)?;
    }
    let bound = forwarding::listen(context, loaded, args.listen, args.token_file.as_deref(), &args.upstream)?;
    // Limits also count the calls in the logs.
    let live = LiveArgs { listen: Some(Listen::At(args.listen)), ..LiveArgs::default() };
    headless::until_signal(context, &live, LogSelection::Everything, None, Some(bound))
}
