//! `--plain`: one line per change, for terminals without a full screen, and for log files.

mod call_line;
mod held;
mod lines;
mod printer;
mod stdout;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use super::start::{Started, no_runtime};
use super::{Context, Exit, Failure, tui_options};
use crate::app::StopSignals;
use crate::config;
use crate::engine::{Driver, EngineEvent, process};
use crate::meter::closing;
use crate::text;
use held::Held;
use lines::Lines;
use printer::Printer;

/// Shortest sleep, so that a limit at the edge of a period does not print line after line.
const SHORTEST_SLEEP: Duration = Duration::from_secs(1);

/// How long a blocked output may delay a requested shutdown.
const TIMEOUT: Duration = Duration::from_millis(300);

/// Writes until the feed ends, the reader goes away, or a signal arrives.
pub(super) fn run(context: &mut Context<'_>, started: Started, mut ending: StopSignals) -> Result<Exit, Failure> {
    context.out.flush()?;
    let alerts = config::meter_alerts(&context.settings);
    let Started { engine, mut events, meter, server, .. } = started;
    let requests = engine.requests();
    let no_thread = |error: io::Error| Failure::new(Exit::Code(71), format!("no thread could be started: {error}"));
    let mut printer = Printer::start(tui_options::ascii(context)).map_err(no_thread)?;
    let driver = Driver::new(meter, alerts, context.now());
    let mut lines = Lines {
        driver,
        requests,
        standing: None,
        held: Held::default(),
        since: context.now(),
        listed: BTreeMap::new(),
        counters: String::new(),
        out: Vec::new(),
    };
    let runtime = process::runtime(false).map_err(|error| no_runtime(&error))?;
    let left: Result<Exit, io::Error> = runtime.block_on(async {
        loop {
            let sleep = lines.driver.sleep(context.now(), lines.held.changes_at()).max(SHORTEST_SLEEP);
            tokio::select! {
                biased;
                code = ending.signal() => return Ok(Exit::Code(code)),
                error = printer.ended() => return Err(error),
                news = events.recv() => {
                    let Some(news) = news else { return Ok(Exit::Fine) };
                    let ended = matches!(news, EngineEvent::Ended);
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
    let summary = lines.driver.summary(context.now());
    if let Some(session) = closing::of_followed(&summary) {
        let log = closing::own_log(&session, &summary);
        let (about, limits) = (text::followed_words(&session, &summary), closing::limits(&summary));
        super::summary::write_text(about.as_deref(), &session, &limits, log, &mut lines.out)?;
        printer.print(std::mem::take(&mut lines.out));
    }
    let written = printer.written();
    runtime.block_on(async {
        let read_limits = async {
            // When the input has ended, everything is written, however slow the reader is.
            if exit == Exit::Fine {
                ending.signal().await;
            }
            tokio::time::sleep(TIMEOUT).await;
        };
        tokio::select! {
            biased;
            error = printer.ended() => Err(Failure::from(error)),
            () = written => Ok(exit),
            () = read_limits => Ok(exit),
        }
    })
}
