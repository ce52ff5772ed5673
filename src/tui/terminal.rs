//! Sets up the terminal, and restores it: at exit, after a panic, on a signal, and while suspended.

use std::cell::Cell;
use std::io::{self, Write};
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::queue;
use crossterm::style::{Attribute, ResetColor, SetAttribute, force_color_output};
use crossterm::terminal::{
    EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use super::write_out;
use crate::domain::Label;
use crate::text;

/// How long a blocked terminal may delay the exit.
const PATIENCE: Duration = Duration::from_millis(300);
/// How often the output to a blocked terminal is discarded. Each time makes room for a part of a large frame only.
const FLUSHES: usize = 100;
/// Time for the next part to be written.
const BETWEEN_FLUSHES: Duration = Duration::from_millis(20);

thread_local! {
    /// True while the loop itself is computing or drawing. Only then does a panic on this thread end the screen. Tasks
    /// also run on this thread, between the loop's steps.
    static IN_THE_LOOP: Cell<bool> = const { Cell::new(false) };
}

/// Runs one step of the loop. If it panics, the terminal is restored before the panic is reported.
pub(super) fn step<T>(work: impl FnOnce() -> T) -> T {
    IN_THE_LOOP.set(true);
    let done = work();
    IN_THE_LOOP.set(false);
    done
}

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Sync + Send + 'static>;

/// The terminal, while it is set up.
pub(super) struct Terminal {
    painter: Painter,
    mouse: bool,
    /// True while the terminal needs to be restored. The panic hook also does that.
    ours: Arc<AtomicBool>,
    hook: Option<Hook>,
}

impl Terminal {
    /// Sets up the terminal. `painted` is called on another thread whenever a frame has been accepted. `report` is
    /// called with the message of a panic that does not end the screen.
    ///
    /// # Errors
    /// When there is no terminal, or it cannot be configured.
    pub(super) fn take(
        mouse: bool,
        painted: impl Fn(io::Result<()>) + Send + 'static,
        report: impl Fn(String) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let painter = Painter::start(painted)?;
        let ours = Arc::new(AtomicBool::new(false));
        let mut terminal = Self { painter, mouse, ours: Arc::clone(&ours), hook: Some(std::panic::take_hook()) };
        std::panic::set_hook(Box::new(move |panic| on_panic(panic, &ours, &report)));
        terminal.enter()?;
        Ok(terminal)
    }

    /// Sets up the terminal. Can be called again after [`Terminal::leave`].
    pub(super) fn enter(&mut self) -> io::Result<()> {
        enable_raw_mode()?;
        self.ours.store(true, Ordering::SeqCst);
        // Our themes already leave out unwanted colours. With NO_COLOR, crossterm would also drop bold and reverse
        // video along with each colour it leaves out.
        force_color_output(true);
        let mut out = Vec::new();
        queue!(out, EnterAlternateScreen, Hide, EnableBracketedPaste)?;
        if self.mouse {
            queue!(out, EnableMouseCapture)?;
        }
        self.painter.paint(out);
        Ok(())
    }

    /// Restores the terminal. If it is blocked, waits only briefly.
    pub(super) fn leave(&mut self) {
        if !self.ours.swap(false, Ordering::SeqCst) {
            return;
        }
        let mut written = self.painter.paint_last(restore_sequence());
        if !is_done(written.as_ref(), PATIENCE) {
            for _ in 0..FLUSHES {
                unblock();
                if written.is_none() {
                    written = self.painter.paint_last(restore_sequence());
                }
                if is_done(written.as_ref(), BETWEEN_FLUSHES) {
                    break;
                }
            }
            // Makes room for the closing summary. What restores the terminal may have been discarded as well.
            unblock();
            is_done(self.painter.paint_last(restore_sequence()).as_ref(), PATIENCE);
        }
        drop(disable_raw_mode());
    }

    /// Queues a frame. The `painted` callback of [`Terminal::take`] is called when it has been written.
    pub(super) fn paint(&mut self, picture: Vec<u8>) {
        self.painter.paint(picture);
    }

    /// Remembers the mouse mode for [`Terminal::enter`].
    pub(super) fn mouse(&mut self, on: bool) {
        self.mouse = on;
    }

    /// Called when the terminal is gone. It is then neither written to nor restored.
    pub(super) fn forget(&mut self) {
        self.ours.store(false, Ordering::SeqCst);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.leave();
        let hook = self.hook.take();
        if let Some(hook) = hook.filter(|_| !thread::panicking()) {
            std::panic::set_hook(hook);
        }
    }
}

/// Sequence that undoes [`Terminal::enter`] and mouse capture.
fn restore_sequence() -> Vec<u8> {
    let mut out = Vec::new();
    // Writing into memory cannot fail.
    drop(queue!(
        out,
        // The end of the last frame may have been discarded.
        EndSynchronizedUpdate,
        DisableMouseCapture,
        DisableBracketedPaste,
        SetAttribute(Attribute::Reset),
        ResetColor,
        Show,
        LeaveAlternateScreen
    ));
    out
}

/// Discards unsent output and resumes the terminal, so that it can be written to.
///
/// A write that waits for room does not notice that there is some now. It goes on when output is stopped and started.
#[cfg(unix)]
fn unblock() {
    use rustix::termios::{Action, QueueSelector, tcflow, tcflush};
    let out = io::stdout();
    let _ = tcflush(&out, QueueSelector::OFlush);
    let _ = tcflow(&out, Action::OOff);
    let _ = tcflow(&out, Action::OOn);
}

#[cfg(not(unix))]
fn unblock() {}

/// Restores the terminal from any thread, even if the loop and the painter are blocked. Does nothing unless it was set
/// up.
pub(crate) fn restore_terminal() {
    if !crossterm::terminal::is_raw_mode_enabled().unwrap_or(false) {
        return;
    }
    // On a thread, because the painter may be in the middle of a frame that the terminal does not read.
    let (done, written) = sync_channel(1);
    let write = move || {
        drop(write_out(&restore_sequence()));
        let _ = done.send(());
    };
    if thread::Builder::new().name("restore".to_owned()).spawn(write).is_ok() {
        for _ in 0..FLUSHES {
            unblock();
            if is_done(Some(&written), BETWEEN_FLUSHES) {
                break;
            }
        }
    }
    drop(disable_raw_mode());
}

/// Handles a panic. In the loop, restores the terminal and reports the panic; elsewhere, passes the message to
/// `report`.
fn on_panic(panic: &PanicHookInfo<'_>, ours: &AtomicBool, report: &dyn Fn(String)) {
    let words = text::panic_words(panic);
    if !IN_THE_LOOP.get() {
        let name = thread::current().name().unwrap_or("worker").to_owned();
        return report(Label::new(&format!("{name} failed: {words}")).to_string());
    }
    if ours.swap(false, Ordering::SeqCst) {
        let mut out = io::stdout();
        drop(out.write_all(&restore_sequence()).and_then(|()| out.flush()));
        drop(disable_raw_mode());
    }
    let message = Label::new(&format!("tokmeter stopped because of an internal error: {words}"));
    drop(writeln!(
        io::stderr(),
        "{message}\nEverything recorded so far is safe. Please report this with the line above."
    ));
}

/// Writes on a thread, so that a blocked terminal delays nothing but the frame.
struct Painter {
    jobs: SyncSender<Job>,
}

enum Job {
    Paint(Vec<u8>),
    /// Paint, then signal completion.
    Last(Vec<u8>, SyncSender<()>),
}

impl Painter {
    fn start(painted: impl Fn(io::Result<()>) + Send + 'static) -> io::Result<Self> {
        let (jobs, waiting) = sync_channel::<Job>(8);
        thread::Builder::new().name("painter".to_owned()).spawn(move || paint_jobs(&waiting, &painted))?;
        Ok(Self { jobs })
    }

    /// Queues bytes. The loop sends one frame at a time, so the queue does not fill up. If it does, the dropped bytes
    /// are modes that will be sent again.
    fn paint(&self, bytes: Vec<u8>) {
        drop(self.jobs.try_send(Job::Paint(bytes)));
    }

    /// Queues bytes after everything else. Returns what reports that they are written, unless the queue is full.
    fn paint_last(&self, bytes: Vec<u8>) -> Option<Receiver<()>> {
        let (done, written) = sync_channel(1);
        self.jobs.try_send(Job::Last(bytes, done)).is_ok().then_some(written)
    }
}

/// Waits for this time at most.
fn is_done(written: Option<&Receiver<()>>, within: Duration) -> bool {
    if let Some(written) = written {
        return written.recv_timeout(within).is_ok();
    }
    thread::sleep(within);
    false
}

fn paint_jobs(waiting: &Receiver<Job>, painted: &dyn Fn(io::Result<()>)) {
    while let Ok(job) = waiting.recv() {
        match job {
            Job::Paint(bytes) => painted(write_out(&bytes)),
            Job::Last(bytes, done) => {
                drop(write_out(&bytes));
                let _ = done.send(());
            }
        }
    }
}
