//! `--plain`: one line per change, for terminals without a full screen, and for logs of logs.

use std::io;

use super::live::Machine;
use super::{Desk, Exit, Failure};
use crate::domain::{Label, Zone};
use crate::ledger::{Posted, Row, Sums};
use crate::meter::{Meter, Verdict};
use crate::text;
use crate::tui::Feed;

/// Writes until the feed ends, the reader goes away, or a signal comes.
pub(super) fn run(desk: &mut Desk<'_>, mut machine: Machine) -> Result<Exit, Failure> {
    let (mut feed, _requests, mut meter) = machine.faces();
    let zone = desk.settings.zone;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
    let mut exit = Exit::Fine;
    let outcome: io::Result<()> = runtime.block_on(async {
        #[cfg(unix)]
        let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        loop {
            #[cfg(unix)]
            let end = terminated.recv();
            #[cfg(not(unix))]
            let end = std::future::pending::<Option<()>>();
            tokio::select! {
                news = feed.recv() => {
                    let Some(news) = news else { return Ok(()) };
                    tell(&mut *desk, &mut meter, news, zone)?;
                    desk.out.flush()?;
                }
                _ = tokio::signal::ctrl_c() => { exit = Exit::Code(130); return Ok(()) }
                _ = end => { exit = Exit::Code(143); return Ok(()) }
            }
        }
    });
    machine.stop();
    outcome?;
    let summary = meter.summary(desk.now());
    if let Some(session) = super::summary::of_followed(&summary) {
        super::summary::write_text(&session, &summary.limits, None, desk.out)?;
    }
    Ok(exit)
}

fn tell(desk: &mut Desk<'_>, meter: &mut Meter, news: Feed, zone: Zone) -> io::Result<()> {
    let now = desk.now();
    match news {
        Feed::Opening(opening) => {
            meter.reopen(*opening);
            counter(meter, desk)
        }
        Feed::Changes(posted) => {
            for posted in &posted {
                meter.apply(posted, now);
            }
            let changed = posted.iter().filter_map(|posted| match posted {
                Posted::New(change) | Posted::Grown(change) => Some(&change.after),
                Posted::Repeat | Posted::Moved(_) | Posted::Gone(_) => None,
            });
            for row in changed {
                writeln!(desk.out, "{}", call_line(row, zone))?;
            }
            counter(meter, desk)
        }
        Feed::Note(note) => writeln!(desk.err, "tokmeter: {}", note.text),
        Feed::Settings(settings) => {
            meter.rule(settings.rules);
            Ok(())
        }
        Feed::Progress(_) | Feed::Health(_) | Feed::Answer(_) | Feed::Models(_) | Feed::Ended => Ok(()),
    }
}

/// The counter, and the worst limit if it is worth a word.
fn counter(meter: &mut Meter, desk: &mut Desk<'_>) -> io::Result<()> {
    let summary = meter.summary(desk.now());
    write!(desk.out, "{}", text::counter(&summary.followed, summary.growing))?;
    if let Some(limit) = summary.worst_limit().filter(|limit| limit.verdict != Verdict::Under) {
        write!(desk.out, "   {}   {}", text::banner_title(limit), text::banner_amounts(limit))?;
    }
    writeln!(desk.out)
}

/// One call.
fn call_line(row: &Row, zone: Zone) -> String {
    let (call, tokens) = (&row.call, &row.call.tokens);
    format!(
        "{}  {}  in {} cache {} out {}  {}{}",
        text::clock_seconds(call.at(), zone),
        call.model.as_ref().map_or("?", Label::as_str),
        text::count(tokens.input),
        text::count(tokens.cache_read.saturating_add(tokens.cache_write())),
        text::count(tokens.output),
        text::cost_fine(&Sums::of(row)),
        call.from.agent.as_ref().map(|agent| format!("  agent {agent}")).unwrap_or_default(),
    )
}
