//! `serve`: a meter without a screen, which listens for telemetry and answers over HTTP.

use super::http_server;
use super::live::{self, Started, no_runtime, quiet};
use super::{Context, Exit, Failure};
use crate::app::StopSignals;
use crate::app::catch_up::LogSelection;
use crate::cli::{LiveArgs, ServeArgs};
use crate::domain::Filter;
use crate::engine::{Feed, Request, process};
use crate::meter::Alerts;

/// Longest sleep, within which a clock change or suspend is noticed.
const LONGEST_SLEEP: std::time::Duration = std::time::Duration::from_secs(60);

/// Serves until a signal comes; everything received is booked by then.
pub(super) fn run(context: &mut Context<'_>, args: ServeArgs) -> Result<Exit, Failure> {
    super::mistyped(context, &args.paths, "tokmeter serve", Vec::new)?;
    let bound = http_server::listen(context, args.listen, args.token_file.as_deref())?;
    let selection = LogSelection::from_args(context, &args.paths, args.no_ledger);
    let rules = context.rules(Filter::default());
    let mut ending = StopSignals::watch();
    let live = LiveArgs {
        paths: args.paths,
        socket: args.socket,
        listen: Some(args.listen),
        no_ledger: args.no_ledger,
        book: args.book,
        ..LiveArgs::default()
    };
    let started = live::start(context, &live, rules, live::Source::Logs(selection), Some(bound))?;
    let Started { engine, mut events, mut meter, server, .. } = started;
    if let Some(server) = &server {
        context.note(&format!("listening on http://{}", server.address));
    }
    let requests = engine.requests();
    let mut alerts = Alerts::new(quiet(context), context.settings.alerts.hysteresis);
    let runtime = process::runtime(false).map_err(|error| no_runtime(&error))?;
    let mut asked = false;
    let code = runtime.block_on(async {
        loop {
            let now = context.now();
            let stale = meter.stale(now);
            let summary = meter.summary(now);
            if stale && !asked {
                let rules = Box::new(meter.rules().clone());
                asked = requests.try_send(Request::Snapshot { rules, follow: summary.follow.clone() }).is_ok();
            }
            for alert in alerts.due(&summary.limits, &summary.quotas, now) {
                let _ = requests.try_send(Request::Alert(Box::new(alert)));
            }
            let next = [meter.changes_at(now), alerts.changes_at(now)].into_iter().flatten().min();
            let sleep = next.map_or(LONGEST_SLEEP, |next| (next - now).to_std().unwrap_or_default());
            let sleep = sleep.clamp(std::time::Duration::from_secs(1), LONGEST_SLEEP);
            tokio::select! {
                biased;
                code = ending.signal() => return Some(code),
                news = events.recv() => match news {
                    None | Some(Feed::Ended) => return None,
                    Some(Feed::Changes(changes)) => changes.iter().for_each(|change| meter.apply(change, now)),
                    Some(Feed::Snapshot(snapshot)) => {
                        meter.reopen(*snapshot);
                        asked = false;
                    }
                    Some(Feed::Statuses(statuses)) => meter.state(statuses),
                    Some(Feed::Settings(settings)) => meter.rule(settings.rules),
                    Some(Feed::Note(note)) => context.note(&note.text),
                    Some(Feed::Progress(_) | Feed::Health(_) | Feed::Answer(_) | Feed::Models(_) | Feed::Explained(_)) => {}
                },
                () = tokio::time::sleep(sleep) => {}
            }
        }
    });
    ending.begins();
    drop(server);
    engine.stop(events);
    // A supervisor's SIGTERM is the normal end.
    Ok(match code {
        None => Exit::Fine,
        Some(code) if code == 128 + 15 => Exit::Fine,
        Some(code) => Exit::Code(code),
    })
}
