//! Process setup and child processes: umask, panic messages, signals.

use std::io;
use std::process::{Child, Command};

use crate::text;

/// Sets the umask so that files are private to the user, turns the file size limit's signal into an error, and installs
/// a panic hook that reveals no data.
pub(crate) fn prepare() {
    #[cfg(unix)]
    unix::prepare();
    std::panic::set_hook(Box::new(|panic| {
        use io::Write as _;
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("worker");
        let _ = writeln!(io::stderr(), "tokmeter: internal error in {name}: {}", text::panic_words(panic));
    }));
}

/// Starts a program with the umask of the user's shell.
pub(crate) fn spawn(command: &mut Command) -> io::Result<Child> {
    #[cfg(unix)]
    return unix::with_the_users_umask(|| command.spawn());
    #[cfg(not(unix))]
    command.spawn()
}

/// Starts the runtime that an interface uses to wait: for events, for its next deadline, and for signals if it handles
/// those itself.
///
/// # Errors
/// When the system has no file descriptors left for it.
pub(crate) fn runtime(signals: bool) -> io::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time();
    if signals {
        builder.enable_io();
    }
    #[cfg(unix)]
    if signals {
        crate::ingest::socket::descriptors_of_a_runtime()?;
    }
    builder.build()
}

#[cfg(unix)]
pub(crate) use unix::is_ignored;

#[cfg(unix)]
mod unix {
    use std::sync::atomic::AtomicBool;
    use std::sync::{Arc, Mutex, OnceLock, PoisonError};

    use rustix::fs::Mode;
    use rustix::process::{Signal, umask};

    /// The umask with which the process was started.
    static USERS: OnceLock<Mode> = OnceLock::new();
    /// Held while a program is being started.
    static STARTING: Mutex<()> = Mutex::new(());

    pub(crate) fn prepare() {
        let users = umask(Mode::RWXG | Mode::RWXO);
        let _ = USERS.set(users);
        // With a handler, writing returns an error instead of killing the process.
        let _ = signal_hook::flag::register(Signal::XFSZ.as_raw(), Arc::new(AtomicBool::new(false)));
    }

    /// The umask applies to the whole process, so programs are started one at a time. Our own files set their modes
    /// explicitly.
    pub(crate) fn with_the_users_umask<T>(start: impl FnOnce() -> T) -> T {
        let Some(users) = USERS.get() else { return start() };
        let _one = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = umask(*users);
        let started = start();
        umask(ours);
        started
    }

    /// True when the process was started with this signal ignored, as `nohup` does. False if the system does not report
    /// it.
    pub(crate) fn is_ignored(signal: i32) -> bool {
        let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return false };
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
        u32::try_from(signal - 1).ok().and_then(|bit| mask.checked_shr(bit)).is_some_and(|mask| mask & 1 == 1)
    }
}
