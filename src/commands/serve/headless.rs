//! A meter without a screen, for `serve` and `proxy`. It runs until a signal arrives.

use crate::app::StopSignals;
use crate::app::catch_up::LogSelection;
use crate::cli::LiveArgs;
use crate::commands::http_server::{self, proxy as forwarding};
use crate::commands::start::{Source, Started, no_runtime, start};
use crate::commands::{Context, Exit, Failure};
use crate::config;
use crate::domain::Filter;
use crate::engine::{Driver, EngineEvent, process};

/// Shortest sleep, so that a limit at the edge of a period is not evaluated over and over.
const SHORTEST_SLEEP: std::time::Duration = std::time::Duration::from_secs(1);
/// How often to check whether the proxy has ended.
const LOOK: std::time::Duration = std::time::Duration::from_millis(2);

/// Runs a meter without a screen, with everything that was bound, until a signal arrives.
pub(super) fn until_signal(
    context: &mut Context<'_>,
    live: &LiveArgs,
    selection: LogSelection,
    bound: Option<http_server::Bound>,
    proxy: Option<forwarding::Bound>,
) -> Result<Exit, Failure> {
    let is_booked = match &selection {
        LogSelection::Everything | LogSelection::Session(_) => true,
        LogSelection::Unbooked => false,
        LogSelection::Paths(_) => live.book,
    };
    let rules = context.rules(Filter::default());
    let mut ending = StopSignals::watch();
    let started = start(context, live, rules, Source::Logs(selection), bound)?;
    let Started { engine, mut events, meter, server, .. } = started;
    if let Some(server) = &server {
        context.note(&format!("listening on http://{}", server.server.address));
    }
    let proxy = match proxy {
        Some(bound) => Some(forwarding::start(context, bound, engine.client(), is_booked)?),
        None => None,
    };
    let requests = engine.requests();
    let mut driver = Driver::new(meter, config::meter_alerts(&context.settings), context.now());
    let runtime = process::runtime(false).map_err(|error| no_runtime(&error))?;
    let code = runtime.block_on(async {
        loop {
            // Nothing is shown here, but computing the summary raises the alerts.
            driver.summary(context.now());
            driver.send(&requests);
            let sleep = driver.sleep(context.now(), None).max(SHORTEST_SLEEP);
            tokio::select! {
                biased;
                code = ending.signal() => return Some(code),
                news = events.recv() => match news {
                    None | Some(EngineEvent::Ended) => return None,
                    Some(EngineEvent::Note(note)) => context.note(&note.text),
                    Some(news) => _ = driver.take(&news, context.now()),
                },
                () = tokio::time::sleep(sleep) => {}
            }
        }
    });
    ending.begins();
    drop(server);
    if let Some(proxy) = proxy {
        // The engine is taking the last calls, and its events must not wait for anything meanwhile.
        let ending = std::thread::spawn(move || proxy.end());
        while !ending.is_finished() {
            while events.try_recv().is_ok() {}
            std::thread::sleep(LOOK);
        }
        forwarding::report(context, ending.join().unwrap_or_default());
    }
    engine.stop(events);
    // A supervisor's SIGTERM is a normal exit.
    Ok(match code {
        None => Exit::Fine,
        Some(code) if code == 128 + 15 => Exit::Fine,
        Some(code) => Exit::Code(code),
    })
}
