//! The event loop: waits for keys, messages, signals and timers, and writes only what has changed.

use std::io;
use std::thread;
use std::time::Instant as Moment;

use crossterm::event::Event;
use ratatui::layout::Rect;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::engine::Clock;
use crate::meter::{Alerts, Meter};

use super::screen_state::{Leave, ScreenState};
use super::terminal::{Terminal, restore_terminal, step};
use super::{App, EngineEvent, Request};

/// Shutdown timeout after a second Ctrl-C.
const IMPATIENCE: std::time::Duration = std::time::Duration::from_millis(500);

/// How long the exit waits for the terminal's reply if it was asked just before.
const PATIENCE: std::time::Duration = std::time::Duration::from_millis(250);

/// How the screen was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// By the quit key.
    Quit,
    /// By Ctrl-C or SIGINT.
    Interrupted,
    /// By SIGTERM.
    Terminated,
    /// By SIGQUIT.
    QuitSignal,
    /// By SIGHUP, or because the terminal is gone. Nothing can be displayed any more.
    HungUp,
}

impl Exit {
    /// The exit code: 0, or 128 and the signal's number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Quit => 0,
            Self::HungUp => 129,
            Self::Interrupted => 130,
            Self::QuitSignal => 131,
            Self::Terminated => 143,
        }
    }
}

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
    signals::watch_terminal(tell)?;
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
                signals::Signal::Suspend => suspend(&mut terminal, &mut screen)?,
                signals::Signal::Resume => resume(&mut terminal, &mut screen)?,
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
                if screen.suspends() {
                    suspend(&mut terminal, &mut screen)?;
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
    Ok(Rect::new(0, 0, width, height))
}

fn suspend(terminal: &mut Terminal, screen: &mut ScreenState) -> io::Result<()> {
    terminal.leave();
    signals::stop()?;
    resume(terminal, screen)
}

/// Restores the terminal modes, which the shell may have changed while the process was stopped.
fn resume(terminal: &mut Terminal, screen: &mut ScreenState) -> io::Result<()> {
    drop(crossterm::terminal::disable_raw_mode());
    terminal.enter()?;
    screen.repaint(size()?);
    Ok(())
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

#[cfg(unix)]
mod signals {
    //! Process signals: terminate, stop, continue; and terminal hang-up.

    use std::fs::File;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::thread;

    use rustix::event::{PollFd, PollFlags, poll};
    use signal_hook::consts::{SIGCONT, SIGTSTP};
    use tokio::signal::unix::{Signal as Source, SignalKind, signal};
    use tokio::sync::mpsc::Sender;

    use super::{Exit, LoopEvent};

    pub(super) enum Signal {
        Exit(Exit),
        Suspend,
        Resume,
    }

    pub(super) struct Signals {
        hangup: Source,
        interrupt: Source,
        quit: Source,
        terminate: Source,
        stop: Source,
        go_on: Source,
    }

    impl Signals {
        pub(super) fn listen() -> io::Result<Self> {
            Ok(Self {
                hangup: signal(SignalKind::hangup())?,
                interrupt: signal(SignalKind::interrupt())?,
                quit: signal(SignalKind::quit())?,
                terminate: signal(SignalKind::terminate())?,
                stop: signal(SignalKind::from_raw(SIGTSTP))?,
                go_on: signal(SignalKind::from_raw(SIGCONT))?,
            })
        }

        pub(super) async fn next(&mut self) -> Signal {
            tokio::select! {
                _ = self.hangup.recv() => Signal::Exit(Exit::HungUp),
                _ = self.interrupt.recv() => Signal::Exit(Exit::Interrupted),
                _ = self.quit.recv() => Signal::Exit(Exit::QuitSignal),
                _ = self.terminate.recv() => Signal::Exit(Exit::Terminated),
                _ = self.stop.recv() => Signal::Suspend,
                _ = self.go_on.recv() => Signal::Resume,
            }
        }
    }

    /// Stops this process until SIGCONT.
    pub(super) fn stop() -> io::Result<()> {
        signal_hook::low_level::emulate_default_handler(SIGTSTP)
    }

    /// Detects terminal hang-up.
    ///
    /// Needed if SIGHUP is ignored, because crossterm's reader spins on a closed terminal (crossterm issue 793). Only
    /// waits for the hang-up in `poll`, which costs nothing.
    pub(super) fn watch_terminal(tell: Sender<LoopEvent>) -> io::Result<()> {
        let stdin = io::stdin();
        // Close-on-exec, so that programs started later do not inherit it.
        let terminal: OwnedFd = if rustix::termios::isatty(&stdin) {
            rustix::io::fcntl_dupfd_cloexec(&stdin, 3)?
        } else {
            File::open("/dev/tty")?.into()
        };
        let watch = move || {
            loop {
                let mut waits = [PollFd::new(&terminal, PollFlags::empty())];
                match poll(&mut waits, None) {
                    Err(rustix::io::Errno::INTR) => {}
                    Ok(_) | Err(_) => break,
                }
            }
            drop(tell.blocking_send(LoopEvent::Gone));
        };
        thread::Builder::new().name("terminal".to_owned()).spawn(watch).map(drop)
    }
}

#[cfg(not(unix))]
mod signals {
    //! Without signals, there is only Ctrl-C.

    use std::io;

    use tokio::sync::mpsc::Sender;

    use super::{Exit, LoopEvent};

    pub(super) enum Signal {
        Exit(Exit),
        #[expect(dead_code, reason = "no such signal here")]
        Suspend,
        #[expect(dead_code, reason = "no such signal here")]
        Resume,
    }

    pub(super) struct Signals;

    impl Signals {
        #[expect(clippy::unnecessary_wraps, reason = "as where there are signals")]
        pub(super) fn listen() -> io::Result<Self> {
            Ok(Self)
        }

        pub(super) async fn next(&mut self) -> Signal {
            drop(tokio::signal::ctrl_c().await);
            Signal::Exit(Exit::Interrupted)
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "as where there are signals")]
    pub(super) fn stop() -> io::Result<()> {
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, clippy::needless_pass_by_value, reason = "as where there are signals")]
    pub(super) fn watch_terminal(_tell: Sender<LoopEvent>) -> io::Result<()> {
        Ok(())
    }
}
