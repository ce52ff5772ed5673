//! The live screen: starts and stops the log reader, the ledger thread, the socket and the screen.

use std::sync::Arc;
use std::time::Duration;

use super::{Context, Exit, Failure, snapshot, stream, summary, tui_options};
use crate::app::StopSignals;
use crate::app::catch_up::{self, LogSelection};
use crate::cli::LiveArgs;
use crate::config::Loaded;
use crate::domain::{Dimension, Filter, Matcher};
use crate::engine::{Engine, Events, Faces, Setup, StartError, Stdin, playback, process};
use crate::ingest::Roots;
use crate::ledger::{self, Ledger};
use crate::meter::{Alerts, Follow, LimitState, Meter, QuietHours, Rules, SessionId};
use crate::server::http::Server;
use crate::tui::{self, App};

/// Time for the screen to act on a signal before the main thread does.
const MISSED: Duration = Duration::from_secs(1);

/// Source of the calls shown.
pub(super) enum Source {
    /// All logs, or the given paths.
    Logs(LogSelection),
    /// Calls played `speed` times faster than they happened.
    Played {
        /// Calls before the start of the playback.
        before: Vec<crate::domain::Call>,
        /// Calls to play.
        after: playback::Steps,
        /// Acceleration factor.
        speed: u32,
    },
}

/// Runs the live screen on the selected logs.
pub(super) fn run(context: &mut Context<'_>, loaded: &Loaded, args: &LiveArgs) -> Result<Exit, Failure> {
    super::mistyped(context, &args.paths, "tokmeter", crate::cli::commands)?;
    let selection = LogSelection::from_args(context, &args.paths, args.no_ledger);
    show(context, loaded, args, Source::Logs(selection))
}

/// Shows a source: full screen, line by line, or once.
pub(super) fn show(
    context: &mut Context<'_>,
    loaded: &Loaded,
    args: &LiveArgs,
    source: Source,
) -> Result<Exit, Failure> {
    if args.once || (!context.env.terminal[1] && !args.plain) {
        return snapshot::run(context, loaded, args, source);
    }
    let dumb = matches!(context.env.var("TERM"), None | Some("dumb"));
    if dumb && !args.plain {
        context.note("TERM is dumb or not set, so there is no full screen; one line per change instead");
    }
    let zone = context.settings.zone;
    let rules = context.rules(args.filters.filter(context.now(), zone));
    // Installed before the socket is reachable: calls received there are written whatever signal comes.
    let mut ending = StopSignals::watch();
    let bound = args.listen.map(|address| super::http_server::listen(context, address, None)).transpose()?;
    let started = start(context, args, rules, source, bound)?;
    if args.plain || dumb {
        return stream::run(context, started, ending);
    }
    let options = tui_options::options(context, loaded, args, &started.roots)?;
    let app = App::new(options, context.now()).map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    let alerts = Alerts::new(quiet(context), context.settings.alerts.hysteresis);
    let clock = Arc::clone(&context.env.clock);
    let runtime = process::runtime(true).map_err(|error| no_runtime(&error))?;
    let Started { engine, mut events, meter, server, .. } = started;
    let requests = engine.requests();
    let left = runtime.block_on(async {
        tokio::select! {
            biased;
            left = tui::run(app, meter, alerts, clock, &mut events, requests) => Ok(left),
            // The screen handles signals itself, except one that came before it opened.
            code = missed(&mut ending) => Err(code),
        }
    });
    ending.begins();
    drop(server);
    engine.stop(events);
    let left = match left {
        Ok(left) => left,
        Err(code) => return Ok(Exit::Code(code)),
    };
    let (exit, mut meter) = left.map_err(|error| Failure::new(Exit::Io, format!("the terminal: {error}")))?;
    goodbye(context, &mut meter, exit)?;
    Ok(if exit == tui::Exit::Quit { Exit::Fine } else { Exit::Code(exit.code()) })
}

/// Waits for a signal that nothing else handles; returns its exit code.
async fn missed(ending: &mut StopSignals) -> u8 {
    let code = ending.signal().await;
    tokio::time::sleep(MISSED).await;
    code
}

/// Prints the summary of the followed session on the normal screen.
fn goodbye(context: &mut Context<'_>, meter: &mut Meter, exit: tui::Exit) -> Result<(), Failure> {
    if exit == tui::Exit::HungUp {
        return Ok(());
    }
    let summary = meter.summary(context.now());
    if let Some(session) = summary::of_followed(&summary) {
        let limits: Vec<LimitState> = summary.limits_followed().cloned().collect();
        summary::write_text(&session, &limits, summary::own_log(&session, &summary), context.out)?;
    }
    Ok(())
}

/// The running engine, and all that a face needs of it.
pub(super) struct Started {
    /// The engine.
    pub(super) engine: Engine,
    /// Its events.
    pub(super) events: Events,
    /// The meter, as the books say now.
    pub(super) meter: Meter,
    /// The HTTP server, if one was asked for. It ends before the engine stops: first no more calls come in, then
    /// everything that came is booked.
    pub(super) server: Option<Server>,
    roots: Roots,
}

/// Opens the books, starts the engine, and serves HTTP on the bound address.
pub(super) fn start(
    context: &mut Context<'_>,
    args: &LiveArgs,
    rules: Rules,
    source: Source,
    bound: Option<super::http_server::Bound>,
) -> Result<Started, Failure> {
    let prices = context.prices();
    let (selection, before, played) = match source {
        Source::Logs(selection) => (selection, Vec::new(), None),
        Source::Played { before, after, speed } => (LogSelection::Paths(Vec::new()), before, Some((after, speed))),
    };
    let roots = catch_up::roots(context, &selection)?;
    #[cfg(unix)]
    let socket = bind(context, args)?;
    // A short lock timeout, because a user is watching; calls that cannot be written are held meanwhile.
    let options = ledger::Options { busy: Duration::from_secs(1), ..catch_up::options(context, &selection) };
    let (mut books, _) = catch_up::open(context, &selection, &prices, args.book, options);
    if let Some(why) = books.why_only_read() {
        context.note(why);
    }
    let records = before.into_iter().map(crate::domain::Record::Call).collect();
    books.absorb(&crate::ledger::Batch { records, files: Vec::new() })?;
    let is_stdin = |path: &std::path::PathBuf| catch_up::is_stdin(path);
    let stdin = match &selection {
        LogSelection::Paths(paths) if paths.iter().any(is_stdin) => {
            if args.socket.is_none() && args.paths.iter().all(is_stdin) { Stdin::Alone } else { Stdin::Read }
        }
        LogSelection::Everything | LogSelection::Unbooked | LogSelection::Paths(_) | LogSelection::Session(_) => {
            Stdin::Unread
        }
    };
    let follow = follow(&books, args, &rules.view)?;
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
        is_served: bound.is_some(),
        faces: Faces {
            answer: super::gate::query::query_with,
            explain: super::explain::text_of,
            problem: tui_options::problem,
        },
    })
    .map_err(|error| match error {
        StartError::Books(error) => error.into(),
        error @ StartError::Thread(_) => Failure::new(Exit::Code(71), error.to_string()),
        error @ StartError::Socket(_) => Failure::new(Exit::Unavailable, error.to_string()),
    })?;
    let server = bound.map(|bound| super::http_server::start(context, bound, engine.doors())).transpose()?;
    Ok(Started { engine, events, meter, server, roots })
}

/// The failure when the system grants nothing to wait with.
pub(super) fn no_runtime(error: &std::io::Error) -> Failure {
    Failure::new(Exit::Code(71), format!("the system has no resources left for the event loop: {error}"))
}

/// Binds the socket, when it is asked for.
#[cfg(unix)]
fn bind(context: &mut Context<'_>, args: &LiveArgs) -> Result<Option<crate::ingest::socket::Bound>, Failure> {
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

/// The session followed at start.
pub(super) fn follow(ledger: &dyn Ledger, args: &LiveArgs, view: &Filter) -> Result<Follow, Failure> {
    match args.session.as_deref() {
        // Who names paths or a time asks about all that is in them; else it is the day that counts.
        None if !args.paths.is_empty() || view.since.is_some() || view.until.is_some() => Ok(Follow::Everything),
        None => Ok(Follow::Today),
        // Before a first call there is no session to stay with.
        Some("latest") => {
            let newest = ledger.calls(view, 1)?;
            Ok(newest.first().map_or(Follow::Today, |row| Follow::Session(SessionId::from_call(&row.call))))
        }
        Some(wanted) => {
            let name = super::report::only_session(ledger, wanted, view)?;
            let filter =
                Filter { only: vec![(Dimension::Session, Matcher::exact(name.as_str()))], ..Filter::default() };
            let row = ledger.calls(&filter, 1)?;
            Ok(row.first().map_or(Follow::Today, |row| Follow::Session(SessionId::from_call(&row.call))))
        }
    }
}

/// The hours in which no alert is sounded.
pub(super) fn quiet(context: &Context<'_>) -> Option<QuietHours> {
    let quiet = context.settings.alerts.quiet?;
    Some(QuietHours { from: quiet.from, until: quiet.until, zone: context.settings.zone })
}
