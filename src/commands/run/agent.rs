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
    /// Starts it in this terminal. With `own_group` it is given a process group, so that it can be stopped with all that
    /// it started; not where it reads from a terminal, which only one group may.
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

    /// True once it has ended; waits for that so long.
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

    /// Stops it with all that it started: politely, and after a grace for good.
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

    /// Waits for the agent; returns its exit code as a shell would.
    pub(super) fn wait(&mut self) -> io::Result<u8> {
        #[cfg(unix)]
        return self.relay.wait(&mut self.child);
        #[cfg(not(unix))]
        self.child.wait().map(code)
    }
}

/// How often its end is looked for while a budget is watched.
const LOOK: Duration = Duration::from_millis(20);
/// Time between the request to end and the end.
const GRACE: Duration = Duration::from_secs(3);

fn code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return u8::try_from(128 + signal).unwrap_or(128);
    }
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
