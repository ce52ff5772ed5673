//! The program in a pseudo-terminal: its display, output and exit.

use std::io::{Read, Write};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::Home;

/// Timeout for anything, on any machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

struct Seen {
    parser: vt100::Parser,
    bytes: Vec<u8>,
    last: Instant,
    ended: bool,
}

/// The program in a pseudo-terminal.
pub struct Pty {
    pub child: Box<dyn Child + Send + Sync>,
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn Write + Send>>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
}

impl Pty {
    /// Starts the program with these arguments in this home.
    pub fn start(home: &Home, args: &[&str], columns: u16, rows: u16) -> Self {
        Self::start_with(home, args, columns, rows, &[])
    }

    /// The same, with further variables; an empty value removes one.
    pub fn start_with(home: &Home, args: &[&str], columns: u16, rows: u16, vars: &[(&str, &str)]) -> Self {
        let mut command = CommandBuilder::new(assert_cmd::cargo::cargo_bin("tokmeter"));
        command.args(args);
        command.env_clear();
        command.cwd(home.path());
        for (name, value) in home.vars() {
            command.env(name, value);
        }
        for (name, value) in vars {
            if value.is_empty() { command.env_remove(name) } else { command.env(name, value) }
        }
        Self::spawn(command, columns, rows)
    }

    /// Starts any command.
    pub fn spawn(command: CommandBuilder, columns: u16, rows: u16) -> Self {
        let pair =
            native_pty_system().openpty(PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }).unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let parser = vt100::Parser::new(nonzero(rows), nonzero(columns), 200);
        let seen = Arc::new((
            Mutex::new(Seen { parser, bytes: Vec::new(), last: Instant::now(), ended: false }),
            Condvar::new(),
        ));
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            let mut buffer = vec![0; 65536];
            loop {
                let count = reader.read(&mut buffer).unwrap_or(0);
                let mut seen = shared.0.lock().unwrap();
                if count == 0 {
                    seen.ended = true;
                    shared.1.notify_all();
                    return;
                }
                seen.parser.process(&buffer[..count]);
                seen.bytes.extend_from_slice(&buffer[..count]);
                seen.last = Instant::now();
                shared.1.notify_all();
            }
        });
        Self { child, master: Some(pair.master), writer: Some(writer), seen }
    }

    /// Types.
    pub fn send(&mut self, keys: &str) {
        let writer = self.writer.as_mut().unwrap();
        writer.write_all(keys.as_bytes()).unwrap();
        writer.flush().unwrap();
    }

    /// Waits until the screen satisfies the condition; returns the time, or panics with the screen.
    pub fn wait(&self, what: &str, condition: impl Fn(&str) -> bool) -> Instant {
        let (lock, changed) = &*self.seen;
        let mut seen = lock.lock().unwrap();
        let end = Instant::now() + PATIENCE;
        loop {
            let screen = seen.parser.screen().contents();
            if condition(&screen) {
                return seen.last;
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && !seen.ended, "waited in vain for {what}; the screen:\n{screen}");
            seen = changed.wait_timeout(seen, left).unwrap().0;
        }
    }

    /// Waits until the screen shows this text.
    pub fn wait_for(&self, text: &str) -> Instant {
        self.wait(text, |screen| screen.contains(text))
    }

    /// Waits until nothing has been written for this long.
    pub fn settle(&self, quiet: Duration) {
        let (lock, changed) = &*self.seen;
        let mut seen = lock.lock().unwrap();
        while !seen.ended {
            let since = seen.last.elapsed();
            if since >= quiet {
                return;
            }
            seen = changed.wait_timeout(seen, quiet.saturating_sub(since)).unwrap().0;
        }
    }

    /// The screen as text.
    pub fn screen(&self) -> String {
        self.seen.0.lock().unwrap().parser.screen().contents()
    }

    /// Looks at the screen's cells and modes.
    pub fn with_screen<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(self.seen.0.lock().unwrap().parser.screen())
    }

    /// Every byte written so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.seen.0.lock().unwrap().bytes.clone()
    }

    /// How many bytes have been written so far.
    pub fn written(&self) -> usize {
        self.seen.0.lock().unwrap().bytes.len()
    }

    /// Changes the terminal's size.
    pub fn resize(&self, columns: u16, rows: u16) {
        self.seen.0.lock().unwrap().parser.screen_mut().set_size(nonzero(rows), nonzero(columns));
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        self.master.as_ref().unwrap().resize(size).unwrap();
    }

    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.process_id().unwrap()).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Number of wake-ups of its threads so far. Unlike processor time, it does not depend on this machine's cost of a
    /// wake-up.
    pub fn wake_ups(&self) -> u64 {
        let folder = format!("/proc/{}/task", self.child.process_id().unwrap());
        let tasks = std::fs::read_dir(folder).unwrap();
        tasks
            .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("status")).ok())
            .filter_map(|status| {
                let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
                line.trim().parse::<u64>().ok()
            })
            .sum()
    }

    /// Closes the terminal, as when a window is closed.
    pub fn hang_up(&mut self) {
        self.writer = None;
        self.master = None;
    }

    /// Waits for the program to end; gives its exit code.
    pub fn ended(&mut self) -> u32 {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status.exit_code();
            }
            assert!(Instant::now() < end, "the program does not end; the screen:\n{}", self.screen());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits for everything to be read after the program has ended.
    pub fn drained(&self) {
        let (lock, changed) = &*self.seen;
        let mut seen = lock.lock().unwrap();
        let end = Instant::now() + PATIENCE;
        while !seen.ended && Instant::now() < end {
            seen = changed.wait_timeout(seen, Duration::from_millis(50)).unwrap().0;
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

fn nonzero(number: u16) -> std::num::NonZero<u16> {
    std::num::NonZero::new(number).unwrap()
}
