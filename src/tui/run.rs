//! The event loop: waits for keys, messages, signals and timers, and writes only what has changed.

use std::io;
use std::thread;
use std::time::Instant as Moment;

use crossterm::event::Event;
use ratatui::layout::Rect;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::engine::Clock;
use crate::meter::{Alerts, Meter};

use super::area::drawable;
use super::exit::Exit;
use super::screen_state::{Leave, ScreenState};
use super::terminal::{Terminal, restore_terminal, step};
use super::{App, EngineEvent, Request, signals};

/// Shutdown timeout after a second Ctrl-C.
const IMPATIENCE: std::time::Duration = std::time::Duration::from_millis(500);

/// How long the exit waits for the terminal's reply if it was asked just before.
const PATIENCE: std::time::Duration = std::time::Duration::from_millis(250);

/// Events from the loop's own threads.
enum LoopEvent {
    Input(Event),
    Painted(io::Result<()>),
    /// A worker panicked.
    Failed(String),
    /// The terminal is gone.
    Gone,
}

/// Runs the screen until it is closed. Returns the meter for the closing summary.
///
/// Needs a tokio runtime with time and signals enabled, on the main thread. If the feed closes, the screen stays open.
/// A request caused by a key is dropped with a note if its channel is full.
///
/// # Errors
/// When there is no terminal, or the terminal cannot be configured or written to.
pub(crate) async fn run(
    app: App,
    meter: Meter,
    alerts: Alerts,
    clock: Clock,
    feed: &mut Receiver<EngineEvent>,
    requests: Sender<Request>,
) -> io::Result<(Exit, Meter)> {
    let (tell, mut happenings) = channel(256);
    let mut signals = signals::Signals::listen()?;
    let (painted, failed) = (tell.clone(), tell.clone());
    let mut terminal = Terminal::take(
        app.mouse,
        move |result| drop(painted.blocking_send(LoopEvent::Painted(result))),
        move |text| drop(failed.try_send(LoopEvent::Failed(text))),
    )?;
    read_keys(tell.clone())?;
    signals::watch_terminal(move || drop(tell.blocking_send(LoopEvent::Gone)))?;
    let mut screen = ScreenState::new(app, meter, alerts, size()?);
    let exit = loop {
        step(|| {
            screen.wake(clock());
            if let Some(picture) = screen.frame(clock(), Moment::now()) {
                terminal.mouse(screen.mouse());
                terminal.paint(picture);
            }
        });
        for request in screen.requests() {
            if let Err(error) = requests.try_send(request) {
                screen.refused(error.into_inner(), clock());
            }
        }
        let at = Moment::now();
        // Events between two frames wait for the second one. Waking up for each of them would cost more than handling
        // it.
        let rest = screen.rest(at);
        let sleep = screen.sleep(clock(), at);
        let sleep = if rest.is_zero() { sleep } else { sleep.min(rest) };
        tokio::select! {
            biased;
            signal = signals.next() => match signal {
                signals::Signal::Exit(exit) => break exit,
                signals::Signal::Suspend => {
                    if let Some(exit) = suspend(&mut terminal, &mut screen)? {
                        break exit;
                    }
                }
                signals::Signal::Resume => {
                    if let Some(exit) = resume(&mut terminal, &mut screen)? {
                        break exit;
                    }
                }
            },
            Some(happening) = happenings.recv() => {
                match happening {
                    LoopEvent::Input(event) => step(|| screen.event(event, clock(), Moment::now())),
                    LoopEvent::Painted(Ok(())) => screen.painted(),
                    LoopEvent::Painted(Err(_)) | LoopEvent::Gone => {
                        terminal.forget();
                        break Exit::HungUp;
                    }
                    LoopEvent::Failed(text) => screen.failed(&text, clock()),
                }
                if screen.suspends()
                    && let Some(exit) = suspend(&mut terminal, &mut screen)?
                {
                    break exit;
                }
                if let Some(leave) = screen.leaves() {
                    break match leave {
                        Leave::Asked => Exit::Quit,
                        Leave::Interrupted => Exit::Interrupted,
                    };
                }
            }
            news = feed.recv(), if rest.is_zero() && (!feed.is_closed() || !feed.is_empty()) => {
                let Some(news) = news else { continue };
                step(|| {
                    screen.feed(news, clock());
                    // Draw everything that arrived together at once. Do not read more than there is: polling an empty
                    // channel wakes its reader, which is this loop.
                    for _ in 0..feed.len() {
                        let Ok(more) = feed.try_recv() else { break };
                        screen.feed(more, clock());
                    }
                });
            }
            () = tokio::time::sleep(sleep) => {}
        }
    };
    if exit != Exit::HungUp {
        last_answer(&mut screen, &mut happenings, &clock).await;
    }
    terminal.leave();
    Ok((exit, screen.into_meter()))
}

/// Reads the terminal's reply about its background if it is still outstanding, so that it does not end up in the shell.
async fn last_answer(screen: &mut ScreenState, happenings: &mut Receiver<LoopEvent>, clock: &Clock) {
    let patience = tokio::time::Instant::now() + PATIENCE;
    while screen.awaits_answer(Moment::now()) {
        match tokio::time::timeout_at(patience, happenings.recv()).await {
            Ok(Some(LoopEvent::Input(event))) => screen.event(event, clock(), Moment::now()),
            Ok(Some(LoopEvent::Painted(_) | LoopEvent::Failed(_))) => {}
            Ok(Some(LoopEvent::Gone) | None) | Err(_) => return,
        }
    }
}

fn size() -> io::Result<Rect> {
    let (width, height) = crossterm::terminal::size()?;
    Ok(drawable(width, height))
}

/// Stops until SIGCONT. Returns how the screen was closed, if it was meanwhile.
fn suspend(terminal: &mut Terminal, screen: &mut ScreenState) -> io::Result<Option<Exit>> {
    terminal.leave();
    signals::stop()?;
    resume(terminal, screen)
}

/// Restores the terminal modes, which the shell may have changed while the process was stopped.
///
/// A terminal that is closed sends SIGHUP and SIGCONT together.
fn resume(terminal: &mut Terminal, screen: &mut ScreenState) -> io::Result<Option<Exit>> {
    if signals::is_terminal_gone() {
        terminal.forget();
        return Ok(Some(Exit::HungUp));
    }
    drop(crossterm::terminal::disable_raw_mode());
    terminal.enter()?;
    screen.repaint(size()?);
    Ok(None)
}

/// Reads keys on a blocking thread.
///
/// Ctrl-C is read as a key. Pressing it twice ends the program soon, even if the loop is blocked.
///
/// # Errors
/// When keys cannot be read at all, because the screen could then not be closed.
fn read_keys(tell: Sender<LoopEvent>) -> io::Result<()> {
    let few = |error: io::Error| {
        let advice = "the limit on open files may be too low (ulimit -n)";
        io::Error::other(format!("cannot read keys: {error}; {advice}"))
    };
    crossterm::event::poll(std::time::Duration::ZERO).map_err(few)?;
    let read = move || {
        let mut interrupted = false;
        while let Ok(event) = crossterm::event::read() {
            let is_interrupt =
                matches!(&event, Event::Key(key) if super::Chord::from_event(*key) == super::Chord::interrupt());
            if is_interrupt && std::mem::replace(&mut interrupted, true) {
                let end = || {
                    thread::sleep(IMPATIENCE);
                    restore_terminal();
                    std::process::exit(i32::from(Exit::Interrupted.code()));
                };
                let _ = thread::Builder::new().name("impatience".to_owned()).spawn(end);
            }
            if tell.blocking_send(LoopEvent::Input(event)).is_err() {
                return;
            }
        }
        drop(tell.blocking_send(LoopEvent::Gone));
    };
    thread::Builder::new().name("keyboard".to_owned()).spawn(read).map(drop)
}
