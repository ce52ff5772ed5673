//! Opens the ledger and starts the engine for an interface.

use std::time::Duration;

use super::follow::{catch_up_to_follow, follow};
use super::http_server::{self, Bound, Serving};
use super::{Context, Exit, Failure, tui_options};
use crate::app::catch_up::{self, LogSelection};
use crate::app::names::complete_ahead;
use crate::cli::LiveArgs;
use crate::domain::Call;
use crate::engine::playback::Steps;
use crate::engine::{Callbacks, Engine, Events, Setup, StartError, Stdin};
use crate::ingest::Roots;
use crate::ledger::{self, Ledger};
use crate::meter::{Meter, Rules};

/// Source of the calls shown.
pub(super) enum Source {
    /// All logs, or the given paths.
    Logs(LogSelection),
    /// Calls that are played `speed` times as fast as they happened.
    Played {
        /// The command that plays them.
        command: &'static str,
        /// Calls before the start of the playback.
        before: Vec<Call>,
        /// Calls to play.
        after: Steps,
        /// Speed factor.
        speed: u32,
    },
}

/// The running engine, and everything that an interface needs from it.
pub(super) struct Started {
    pub(super) engine: Engine,
    pub(super) events: Events,
    /// The meter with the ledger's current numbers.
    pub(super) meter: Meter,
    /// The HTTP server, if requested. It is stopped before the engine, so that no call arrives after the last one is
    /// booked.
    pub(super) server: Option<Serving>,
    pub(super) roots: Roots,
    /// Sentences about names in the filter that no call has so far.
    pub(super) unknown_names: Vec<String>,
}

/// Opens the ledger, starts the engine, and serves HTTP on the bound address.
pub(super) fn start(
    context: &mut Context<'_>,
    args: &LiveArgs,
    mut rules: Rules,
    source: Source,
    bound: Option<Bound>,
) -> Result<Started, Failure> {
    let prices = context.prices();
    let (selection, before, played) = match source {
        Source::Logs(selection) => (selection, Vec::new(), None),
        Source::Played { before, after, speed, .. } => (LogSelection::Paths(Vec::new()), before, Some((after, speed))),
    };
    let roots = catch_up::roots(context, &selection)?;
    let destination = if bound.is_some() { http_server::destination(context)? } else { None };
    #[cfg(unix)]
    let socket = bind(context, args)?;
    // The session to follow may have been logged since the ledger was last written.
    let caught_up = if played.is_none() { catch_up_to_follow(context, args, &selection)? } else { None };
    // Use a short lock timeout because a user is watching. Calls that cannot be written are buffered meanwhile.
    let options = ledger::Options { busy: Duration::from_secs(1), ..catch_up::options(context, &selection) };
    let (mut books, _) = catch_up::open(context, &selection, &prices, args.book, options);
    if let Some(why) = books.why_only_read() {
        context.note(why);
    }
    if !before.is_empty() {
        let records = before.into_iter().map(crate::domain::Record::Call).collect();
        books.post(&crate::ledger::Batch { records, files: Vec::new() })?;
    }
    let is_stdin = |path: &std::path::PathBuf| catch_up::is_stdin(path);
    let stdin = match &selection {
        LogSelection::Paths(paths) if paths.iter().any(is_stdin) => {
            if args.socket.is_none() && args.paths.iter().all(is_stdin) { Stdin::Alone } else { Stdin::Read }
        }
        LogSelection::Everything | LogSelection::Unbooked | LogSelection::Paths(_) | LogSelection::Session(_) => {
            Stdin::Unread
        }
    };
    let unknown_names = complete_ahead(&books, &mut rules.view)?;
    let follow = follow(caught_up.as_ref().unwrap_or(&books), args, &rules.view)?;
    drop(caught_up);
    let (engine, events, meter) = Engine::start(Setup {
        env: context.env.clone(),
        overrides: context.overrides.clone(),
        paths: context.paths.clone(),
        settings: context.settings.clone(),
        prices,
        books,
        rules,
        follow,
        roots: roots.clone(),
        reading: catch_up::tail_options(context),
        played,
        stdin,
        #[cfg(unix)]
        socket,
        is_served: bound.is_some() || args.listen.is_some(),
        callbacks: Callbacks {
            answer: super::gate::query::query_with,
            explain: super::explain::text_of,
            digest: super::daily_digest::of_day,
            problem: tui_options::problem,
            in_full: crate::app::names::limit_in_full,
        },
    })
    .map_err(|error| match error {
        StartError::Books(error) => error.into(),
        error @ StartError::Thread(_) => Failure::new(Exit::Code(71), error.to_string()),
        // Refused a thread.
        StartError::Socket(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            Failure::new(Exit::Code(71), format!("no thread could be started: {error}"))
        }
        error @ StartError::Socket(_) => Failure::new(Exit::Unavailable, error.to_string()),
    })?;
    let server = bound.map(|bound| http_server::start(context, bound, destination, engine.client())).transpose()?;
    Ok(Started { engine, events, meter, server, roots, unknown_names })
}

/// The failure when the system cannot provide a runtime.
pub(super) fn no_runtime(error: &std::io::Error) -> Failure {
    Failure::new(Exit::Code(71), format!("the system has no resources left for the event loop: {error}"))
}

/// Binds the socket, if requested.
#[cfg(unix)]
pub(super) fn bind(
    context: &mut Context<'_>,
    args: &LiveArgs,
) -> Result<Option<crate::ingest::socket::Bound>, Failure> {
    if args.socket.is_none() {
        return Ok(None);
    }
    let unavailable = |message: String| Failure::new(Exit::Unavailable, message);
    let place = crate::config::SocketPath::resolve(&context.env, &context.overrides).map_err(unavailable)?;
    place.prepare().map_err(unavailable)?;
    if let Some(note) = &place.note {
        context.note(note);
    }
    let bound = crate::ingest::socket::bind(&place.path, context.env.uid);
    bound.map(Some).map_err(|error| unavailable(error.to_string()))
}
