//! Sets up this process and starts other programs: umask, panic messages, signals.

use std::io;
use std::process::{Child, Command};

use crate::text;

/// Prepares the process: it creates files for this user alone, a file size limit becomes an error instead of a signal,
/// and the message of a panic repeats nothing of what was read.
pub(crate) fn prepare() {
    #[cfg(unix)]
    unix::prepare();
    std::panic::set_hook(Box::new(|panic| {
        use io::Write as _;
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("worker");
        let _ = writeln!(io::stderr(), "tokmeter: an error of its own in {name}: {}", text::panic_words(panic));
    }));
}

/// Starts a program with the umask of the user's shell.
pub(crate) fn spawn(command: &mut Command) -> io::Result<Child> {
    #[cfg(unix)]
    return unix::with_the_users_umask(|| command.spawn());
    #[cfg(not(unix))]
    command.spawn()
}

/// Starts the runtime with which a face waits: for events and for its next deadline, and for signals where it handles
/// those itself.
///
/// # Errors
/// When the system grants no descriptors for it.
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

    /// The mask with which the user has started us.
    static USERS: OnceLock<Mode> = OnceLock::new();
    /// Held while a program is started.
    static STARTING: Mutex<()> = Mutex::new(());

    pub(crate) fn prepare() {
        let users = umask(Mode::RWXG | Mode::RWXO);
        let _ = USERS.set(users);
        // Caught, so that writing gives an error instead of ending the process.
        let _ = signal_hook::flag::register(Signal::XFSZ.as_raw(), Arc::new(AtomicBool::new(false)));
    }

    /// The mask is the whole process's: two programs are not started at once, and our own files bear their modes
    /// whatever it is.
    pub(crate) fn with_the_users_umask<T>(start: impl FnOnce() -> T) -> T {
        let Some(users) = USERS.get() else { return start() };
        let _one = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = umask(*users);
        let started = start();
        umask(ours);
        started
    }

    /// True when this process was started with a signal ignored, as `nohup` does with SIGHUP. Where the system does
    /// not say, none is.
    pub(crate) fn is_ignored(signal: i32) -> bool {
        let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return false };
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
        u32::try_from(signal - 1).ok().and_then(|bit| mask.checked_shr(bit)).is_some_and(|mask| mask & 1 == 1)
    }
}
