//! `--plain`: one line per change, for terminals without a full screen and for log files.

mod printer;

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::live::{Started, no_runtime, quiet};
use super::{Context, Exit, Failure};
use crate::app::StopSignals;
use crate::domain::{Call, Instant, Label, Zone};
use crate::engine::{Feed, Note, Request, process};
use crate::ledger::{Change, Row, Sums};
use crate::meter::{Alerts, LimitState, Meter, Summary, Verdict};
use crate::text;
use printer::Printer;

/// Longest sleep, within which a clock change or suspend is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// How long a call is held after it has grown, so that a streamed answer is one line.
const HELD: chrono::Duration = chrono::Duration::seconds(1);

/// How long a blocked output may delay a requested shutdown.
const PATIENCE: Duration = Duration::from_millis(300);

/// Writes until the feed ends, the reader goes away, or a signal arrives.
pub(super) fn run(context: &mut Context<'_>, started: Started, mut ending: StopSignals) -> Result<Exit, Failure> {
    context.out.flush()?;
    let alerts = Alerts::new(quiet(context), context.settings.alerts.hysteresis);
    let Started { engine, mut events, meter, server, .. } = started;
    let requests = engine.requests();
    let no_thread = |error: io::Error| Failure::new(Exit::Code(71), format!("no thread could be started: {error}"));
    let mut printer = Printer::start().map_err(no_thread)?;
    let mut lines = Lines { meter, alerts, requests, asked: false, standing: None, held: Vec::new(), out: Vec::new() };
    let runtime = process::runtime(false).map_err(|error| no_runtime(&error))?;
    let left: Result<Exit, io::Error> = runtime.block_on(async {
        loop {
            let sleep = lines.sleep(context.now());
            tokio::select! {
                biased;
                code = ending.signal() => return Ok(Exit::Code(code)),
                error = printer.ended() => return Err(error),
                news = events.recv() => {
                    let Some(news) = news else { return Ok(Exit::Fine) };
                    let ended = matches!(news, Feed::Ended);
                    lines.tell(context, news, &printer)?;
                    printer.print(std::mem::take(&mut lines.out));
                    if ended {
                        return Ok(Exit::Fine);
                    }
                }
                () = tokio::time::sleep(sleep) => {
                    lines.look(context)?;
                    printer.print(std::mem::take(&mut lines.out));
                }
            }
        }
    });
    ending.begins();
    drop(server);
    engine.stop(events);
    let exit = left?;
    lines.write_held(context, None)?;
    let summary = lines.meter.summary(context.now());
    if let Some(session) = super::summary::of_followed(&summary) {
        let log = super::summary::own_log(&session, &summary);
        super::summary::write_text(&session, &summary.limits, log, &mut lines.out)?;
        printer.print(std::mem::take(&mut lines.out));
    }
    let written = printer.written();
    runtime.block_on(async {
        let read_limits = async {
            // After the end of input everything is written, however slow the reader.
            if exit == Exit::Fine {
                ending.signal().await;
            }
            tokio::time::sleep(PATIENCE).await;
        };
        tokio::select! {
            biased;
            error = printer.ended() => Err(Failure::from(error)),
            () = written => Ok(exit),
            () = read_limits => Ok(exit),
        }
    })
}

/// State of the line output.
struct Lines {
    meter: Meter,
    alerts: Alerts,
    requests: mpsc::Sender<Request>,
    /// A snapshot was requested and has not arrived.
    asked: bool,
    /// Text of the worst limit in the last line.
    standing: Option<String>,
    /// Calls that may still grow, with the time they last did.
    held: Vec<(Instant, Arc<Row>)>,
    /// Lines to print.
    out: Vec<u8>,
}

impl Lines {
    fn tell(&mut self, context: &Context<'_>, news: Feed, printer: &Printer) -> io::Result<()> {
        let now = context.now();
        match news {
            Feed::Snapshot(snapshot) => {
                self.meter.reopen(*snapshot);
                self.asked = false;
                self.counter(context)
            }
            Feed::Changes(posted) => {
                for posted in &posted {
                    self.meter.apply(posted, now);
                }
                let changed = posted.iter().filter_map(|posted| match posted {
                    Change::New(change) | Change::Grown(change) => Some(&change.after),
                    Change::Repeat | Change::Moved(_) | Change::Gone(_) => None,
                });
                for row in changed {
                    self.hold(context, row, now)?;
                }
                self.counter(context)
            }
            Feed::Statuses(statuses) => {
                self.meter.state(statuses);
                self.look(context)
            }
            Feed::Note(note) => {
                printer.note(note_line(context, &note));
                Ok(())
            }
            Feed::Settings(settings) => {
                self.meter.rule(settings.rules);
                self.look(context)
            }
            Feed::Progress(_)
            | Feed::Health(_)
            | Feed::Answer(_)
            | Feed::Models(_)
            | Feed::Explained(_)
            | Feed::Ended => Ok(()),
        }
    }

    /// Writes the counters, with the worst limit if it is near or over.
    fn counter(&mut self, context: &Context<'_>) -> io::Result<()> {
        let summary = self.count(context.now());
        self.write(&summary)
    }

    /// Holds a call until it grows no more: an earlier call of its thread is complete.
    fn hold(&mut self, context: &Context<'_>, row: &Arc<Row>, now: Instant) -> io::Result<()> {
        let thread =
            |row: &Row| (row.call.from.source.clone(), row.call.from.session.clone(), row.call.from.agent.clone());
        self.held.retain(|(_, held)| held.call.key != row.call.key);
        let (done, held): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.held).into_iter().partition(|(_, held)| thread(held) == thread(row));
        self.held = held;
        for (_, row) in done {
            writeln!(self.out, "{}", call_line(&row, context.settings.zone))?;
        }
        self.held.push((now, Arc::clone(row)));
        Ok(())
    }

    /// Writes the calls that have not grown since then; all without a time.
    fn write_held(&mut self, context: &Context<'_>, since: Option<Instant>) -> io::Result<()> {
        let is_done = |grew: &Instant| since.is_none_or(|since| *grew <= since);
        let (done, held): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.held).into_iter().partition(|(grew, _)| is_done(grew));
        self.held = held;
        for (_, row) in done {
            writeln!(self.out, "{}", call_line(&row, context.settings.zone))?;
        }
        Ok(())
    }

    /// Writes the counters again if the state of the limits has changed without a call.
    fn look(&mut self, context: &Context<'_>) -> io::Result<()> {
        let now = context.now();
        self.write_held(context, now.checked_sub_signed(HELD))?;
        let summary = self.count(now);
        if standing(&summary) == self.standing { Ok(()) } else { self.write(&summary) }
    }

    fn write(&mut self, summary: &Summary) -> io::Result<()> {
        self.standing = standing(summary);
        let limit = self.standing.as_ref().map(|words| format!("   {words}")).unwrap_or_default();
        writeln!(self.out, "{}{limit}", text::counter(&summary.followed, summary.growing))
    }

    /// Current summary. Requests due alerts, and a snapshot when the meter is stale.
    fn count(&mut self, now: Instant) -> Summary {
        let stale = self.meter.stale(now);
        let summary = self.meter.summary(now);
        if stale && !self.asked {
            let rules = Box::new(self.meter.rules().clone());
            // If the queue is full the next count asks again.
            self.asked = self.requests.try_send(Request::Snapshot { rules, follow: summary.follow.clone() }).is_ok();
        }
        for alert in self.alerts.due(&summary.limits, &summary.quotas, now) {
            // A thread empties the queue; if it stays full the ledger thread is gone.
            let _ = self.requests.try_send(Request::Alert(Box::new(alert)));
        }
        summary
    }

    /// Time until the next change without a call: a new period, or the end of quiet hours.
    fn sleep(&self, now: Instant) -> Duration {
        let held = self.held.iter().filter_map(|(grew, _)| grew.checked_add_signed(HELD)).min();
        let next = [self.meter.changes_at(now), self.alerts.changes_at(now), held].into_iter().flatten().min();
        let next = next.map_or(LONGEST_SLEEP, |next| (next - now).to_std().unwrap_or(Duration::ZERO));
        next.clamp(Duration::from_secs(1), LONGEST_SLEEP)
    }
}

/// Text of the worst limit, if near or over.
fn standing(summary: &Summary) -> Option<String> {
    let near = |limit: &&LimitState| limit.verdict != Verdict::Under;
    summary
        .worst_limit()
        .filter(near)
        .map(|limit| format!("{}   {}", text::banner_title(limit), text::banner_amounts(limit)))
}

/// Formats a note, with bell or notification if standard error is a terminal.
fn note_line(context: &Context<'_>, note: &Note) -> Vec<u8> {
    let mut bytes = Vec::new();
    if context.env.terminal[2] {
        bytes.extend(note.bell.then_some(7));
        bytes.extend_from_slice(note.popup.as_deref().unwrap_or_default());
    }
    bytes.extend_from_slice(format!("tokmeter: {}\n", note.text).as_bytes());
    bytes
}

/// The session of a call: `api-server 3f2a91c0`.
fn session_name(call: &Call) -> String {
    let project = call.from.project.as_deref().map(text::project_short);
    let session = call.from.session.as_deref().map(text::session_short);
    let words: Vec<&str> = project.into_iter().chain(session).collect();
    if words.is_empty() { "no session".to_owned() } else { words.join(" ") }
}

/// Formats one call.
fn call_line(row: &Row, zone: Zone) -> String {
    let (call, tokens) = (&row.call, &row.call.tokens);
    format!(
        "{}  {}  {}  in {} cache {} out {}  {}{}",
        text::clock_seconds(call.at(), zone),
        session_name(call),
        call.model.as_ref().map_or("?", Label::as_str),
        text::count(tokens.input),
        text::count(tokens.cache_read.saturating_add(tokens.cache_write())),
        text::count(tokens.output),
        text::cost_fine(&Sums::from_row(row)),
        call.from.agent.as_ref().map(|agent| format!("  agent {agent}")).unwrap_or_default(),
    )
}
