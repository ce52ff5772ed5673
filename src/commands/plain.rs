//! `--plain`: one line per change, for terminals without a full screen, and for logs of logs.

use std::io;
use std::time::Duration;

use tokio::sync::mpsc;

use super::live::Machine;
use super::{Desk, Exit, Failure};
use crate::domain::{Instant, Label, Zone};
use crate::ledger::{Posted, Row, Sums};
use crate::meter::{Alerts, LimitState, Meter, Summary, Verdict};
use crate::text;
use crate::tui::{Feed, Note, Request};

/// The longest sleep: a clock that was set, or a machine that slept, is noticed within this.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Writes until the feed ends, the reader goes away, or a signal comes.
pub(super) fn run(desk: &mut Desk<'_>, mut machine: Machine) -> Result<Exit, Failure> {
    let alerts = Alerts::new(machine.quiet(), desk.settings.alerts.hysteresis);
    let (mut feed, requests, meter) = machine.faces();
    let mut lines = Lines { meter, alerts, requests, asked: false, standing: None };
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
            let sleep = lines.sleep(desk.now());
            tokio::select! {
                news = feed.recv() => {
                    let Some(news) = news else { return Ok(()) };
                    lines.tell(&mut *desk, news)?;
                    desk.out.flush()?;
                }
                () = tokio::time::sleep(sleep) => {
                    lines.look(&mut *desk)?;
                    desk.out.flush()?;
                }
                _ = tokio::signal::ctrl_c() => { exit = Exit::Code(130); return Ok(()) }
                _ = end => { exit = Exit::Code(143); return Ok(()) }
            }
        }
    });
    machine.stop();
    outcome?;
    let summary = lines.meter.summary(desk.now());
    if let Some(session) = super::summary::of_followed(&summary) {
        super::summary::write_text(&session, &summary.limits, None, desk.out)?;
    }
    Ok(exit)
}

/// What is written, and what it is written from.
struct Lines {
    meter: Meter,
    alerts: Alerts,
    requests: mpsc::Sender<Request>,
    /// The books were asked and have not answered.
    asked: bool,
    /// What the last line said of the worst limit.
    standing: Option<String>,
}

impl Lines {
    fn tell(&mut self, desk: &mut Desk<'_>, news: Feed) -> io::Result<()> {
        let (now, zone) = (desk.now(), desk.settings.zone);
        match news {
            Feed::Opening(opening) => {
                self.meter.reopen(*opening);
                self.asked = false;
                self.counter(desk)
            }
            Feed::Changes(posted) => {
                for posted in &posted {
                    self.meter.apply(posted, now);
                }
                let changed = posted.iter().filter_map(|posted| match posted {
                    Posted::New(change) | Posted::Grown(change) => Some(&change.after),
                    Posted::Repeat | Posted::Moved(_) | Posted::Gone(_) => None,
                });
                for row in changed {
                    writeln!(desk.out, "{}", call_line(row, zone))?;
                }
                self.counter(desk)
            }
            Feed::Note(note) => say(desk, &note),
            Feed::Settings(settings) => {
                self.meter.rule(settings.rules);
                self.look(desk)
            }
            Feed::Progress(_) | Feed::Health(_) | Feed::Answer(_) | Feed::Models(_) | Feed::Ended => Ok(()),
        }
    }

    /// The counter, and the worst limit if it is worth a word.
    fn counter(&mut self, desk: &mut Desk<'_>) -> io::Result<()> {
        let summary = self.count(desk.now());
        self.write(&summary, desk)
    }

    /// The counter once more, if how the limits stand has changed with nothing being counted.
    fn look(&mut self, desk: &mut Desk<'_>) -> io::Result<()> {
        let summary = self.count(desk.now());
        if standing(&summary) == self.standing { Ok(()) } else { self.write(&summary, desk) }
    }

    fn write(&mut self, summary: &Summary, desk: &mut Desk<'_>) -> io::Result<()> {
        self.standing = standing(summary);
        let limit = self.standing.as_ref().map(|words| format!("   {words}")).unwrap_or_default();
        writeln!(desk.out, "{}{limit}", text::counter(&summary.followed, summary.growing))
    }

    /// The numbers now. What has to be said aloud, and what only the books know, is asked for.
    fn count(&mut self, now: Instant) -> Summary {
        let stale = self.meter.stale(now);
        let summary = self.meter.summary(now);
        if stale && !self.asked {
            let rules = Box::new(self.meter.rules().clone());
            // When the keeper is busy, the next count asks again.
            self.asked = self.requests.try_send(Request::Opening { rules, follow: summary.follow.clone() }).is_ok();
        }
        for alert in self.alerts.due(&summary.limits, now) {
            // A thread of its own empties the queue; one that is full for long has lost its keeper.
            let _ = self.requests.try_send(Request::Alert(Box::new(alert)));
        }
        summary
    }

    /// How long nothing changes by itself that is worth a line: a period that begins, quiet hours that end.
    fn sleep(&self, now: Instant) -> Duration {
        let next = [self.meter.changes_at(now), self.alerts.changes_at(now)].into_iter().flatten().min();
        let next = next.map_or(LONGEST_SLEEP, |next| (next - now).to_std().unwrap_or(Duration::ZERO));
        next.clamp(Duration::from_secs(1), LONGEST_SLEEP)
    }
}

/// What there is to say of the worst limit, if it is worth a word.
fn standing(summary: &Summary) -> Option<String> {
    let near = |limit: &&LimitState| limit.verdict != Verdict::Under;
    summary
        .worst_limit()
        .filter(near)
        .map(|limit| format!("{}   {}", text::banner_title(limit), text::banner_amounts(limit)))
}

/// A note; with the bell or a notification where standard error is a terminal.
fn say(desk: &mut Desk<'_>, note: &Note) -> io::Result<()> {
    if desk.world.terminal[2] {
        if note.bell {
            desk.err.write_all(b"\x07")?;
        }
        desk.err.write_all(note.popup.as_deref().unwrap_or_default())?;
    }
    writeln!(desk.err, "tokmeter: {}", note.text)
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
