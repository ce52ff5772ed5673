//! `--plain`: one line per change, for terminals without a full screen and for log files.

mod printer;

use std::io::{self, Write as _};
use std::time::Duration;

use tokio::sync::mpsc;

use super::live::{Started, no_runtime};
use super::{Context, Exit, Failure};
use crate::app::StopSignals;
use crate::config;
use crate::domain::{Instant, Label, Zone};
use crate::engine::{Driver, Feed, Note, Request, process};
use crate::ledger::{Change, Row, Sums};
use crate::meter::{LimitState, Summary, Verdict};
use crate::text;
use printer::Printer;

/// Shortest sleep, so that a limit at the edge of a period does not print line after line.
const SHORTEST_SLEEP: Duration = Duration::from_secs(1);

/// How long a blocked output may delay a requested shutdown.
const PATIENCE: Duration = Duration::from_millis(300);

/// Writes until the feed ends, the reader goes away, or a signal arrives.
pub(super) fn run(context: &mut Context<'_>, started: Started, mut ending: StopSignals) -> Result<Exit, Failure> {
    context.out.flush()?;
    let alerts = config::meter_alerts(&context.settings);
    let Started { engine, mut events, meter, .. } = started;
    let requests = engine.requests();
    let no_thread = |error: io::Error| Failure::new(Exit::Code(71), format!("no thread could be started: {error}"));
    let mut printer = Printer::start().map_err(no_thread)?;
    let driver = Driver::new(meter, alerts, context.now());
    let mut lines = Lines { driver, requests, standing: None, out: Vec::new() };
    let runtime = process::runtime(false).map_err(|error| no_runtime(&error))?;
    let left: Result<Exit, io::Error> = runtime.block_on(async {
        loop {
            let sleep = lines.driver.sleep(context.now(), None).max(SHORTEST_SLEEP);
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
    engine.stop(events);
    let exit = left?;
    let summary = lines.driver.summary(context.now());
    if let Some(session) = super::summary::of_followed(&summary) {
        super::summary::write_text(&session, &summary.limits, None, &mut lines.out)?;
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
    driver: Driver,
    requests: mpsc::Sender<Request>,
    /// Text of the worst limit in the last line.
    standing: Option<String>,
    /// Lines to print.
    out: Vec<u8>,
}

impl Lines {
    fn tell(&mut self, context: &Context<'_>, news: Feed, printer: &Printer) -> io::Result<()> {
        let zone = context.settings.zone;
        self.driver.take(&news, context.now());
        match news {
            Feed::Snapshot(_) => self.counter(context),
            Feed::Changes(posted) => {
                let changed = posted.iter().filter_map(|posted| match posted {
                    Change::New(change) | Change::Grown(change) => Some(&change.after),
                    Change::Repeat | Change::Moved(_) | Change::Gone(_) => None,
                });
                for row in changed {
                    writeln!(self.out, "{}", call_line(row, zone))?;
                }
                self.counter(context)
            }
            Feed::Note(note) => {
                printer.note(note_line(context, &note));
                Ok(())
            }
            Feed::Settings(_) => self.look(context),
            Feed::Progress(_) | Feed::Health(_) | Feed::Answer(_) | Feed::Models(_) | Feed::Ended => Ok(()),
        }
    }

    /// Writes the counters, with the worst limit if it is near or over.
    fn counter(&mut self, context: &Context<'_>) -> io::Result<()> {
        let summary = self.count(context.now());
        self.write(&summary)
    }

    /// Writes the counters again if the state of the limits has changed without a call.
    fn look(&mut self, context: &Context<'_>) -> io::Result<()> {
        let summary = self.count(context.now());
        if standing(&summary) == self.standing { Ok(()) } else { self.write(&summary) }
    }

    fn write(&mut self, summary: &Summary) -> io::Result<()> {
        self.standing = standing(summary);
        let limit = self.standing.as_ref().map(|words| format!("   {words}")).unwrap_or_default();
        writeln!(self.out, "{}{limit}", text::counter(&summary.followed, summary.growing))
    }

    /// Current summary; sends what it asks of the engine.
    fn count(&mut self, now: Instant) -> Summary {
        let summary = self.driver.summary(now);
        self.driver.send(&self.requests);
        summary
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

/// Formats one call.
fn call_line(row: &Row, zone: Zone) -> String {
    let (call, tokens) = (&row.call, &row.call.tokens);
    format!(
        "{}  {}  in {} cache {} out {}  {}{}",
        text::clock_seconds(call.at(), zone),
        call.model.as_ref().map_or("?", Label::as_str),
        text::count(tokens.input),
        text::count(tokens.cache_read.saturating_add(tokens.cache_write())),
        text::count(tokens.output),
        text::cost_fine(&Sums::from_row(row)),
        call.from.agent.as_ref().map(|agent| format!("  agent {agent}")).unwrap_or_default(),
    )
}
