//! Runs the agent as a child process, forwards signals to it, and stops it.

#[cfg(unix)]
mod unix;

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant as Moment};

use crate::engine::process;

/// A running agent.
pub(super) struct Agent {
    child: Child,
    #[cfg(unix)]
    relay: unix::Relay,
}

impl Agent {
    /// Starts the agent in this terminal. With `own_group`, it gets a process group of its own, so that it can be
    /// stopped together with everything that it started. That is not possible if it reads from a terminal, because only
    /// one group may do that.
    pub(super) fn start(command: &mut Command, own_group: bool) -> io::Result<Self> {
        #[cfg(unix)]
        let relay = unix::Relay::listen(own_group);
        #[cfg(unix)]
        if own_group {
            std::os::unix::process::CommandExt::process_group(command, 0);
        }
        let child = process::spawn(command)?;
        #[cfg(unix)]
        relay.runs(&child);
        Ok(Self {
            child,
            #[cfg(unix)]
            relay,
        })
    }

    /// Waits at most this long. Returns true once it has ended.
    pub(super) fn ends_within(&mut self, timeout: Duration) -> io::Result<bool> {
        let end = Moment::now() + timeout;
        loop {
            #[cfg(unix)]
            let ended = self.relay.has_ended();
            #[cfg(not(unix))]
            let ended = self.child.try_wait()?.is_some();
            if ended || Moment::now() >= end {
                return Ok(ended);
            }
            std::thread::sleep(LOOK.min(end.saturating_duration_since(Moment::now())));
        }
    }

    /// Stops it and everything it started: with a request first, and by force after a grace period.
    pub(super) fn stop(&mut self) -> io::Result<()> {
        #[cfg(unix)]
        self.relay.stop(false);
        #[cfg(not(unix))]
        self.child.kill()?;
        let ended = self.ends_within(GRACE)?;
        #[cfg(unix)]
        self.relay.stop(true);
        if ended { Ok(()) } else { self.ends_within(GRACE).map(drop) }
    }

    /// Waits for the agent. Returns its exit code as a shell would.
    pub(super) fn wait(&mut self) -> io::Result<u8> {
        #[cfg(unix)]
        return self.relay.wait(&mut self.child);
        #[cfg(not(unix))]
        self.child.wait().map(code)
    }
}

/// How often to check for its end while a budget is being watched.
const LOOK: Duration = Duration::from_millis(20);
/// Grace period between the request to end and the forced end.
const GRACE: Duration = Duration::from_secs(3);

fn code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return u8::try_from(128 + signal).unwrap_or(128);
    }
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
