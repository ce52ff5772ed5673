//! Runs the agent as a child process, and forwards signals to it.

use std::io;
use std::process::{Child, Command, ExitStatus};

use crate::engine::process;

/// A running agent.
pub(super) struct Agent {
    child: Child,
    #[cfg(unix)]
    relay: unix::Relay,
}

impl Agent {
    /// Starts it in this terminal.
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
        #[cfg(unix)]
        let relay = unix::Relay::listen();
        let child = process::spawn(command)?;
        #[cfg(unix)]
        relay.runs(&child);
        Ok(Self {
            child,
            #[cfg(unix)]
            relay,
        })
    }

    /// Waits for the agent; returns its exit code as a shell would.
    pub(super) fn wait(&mut self) -> io::Result<u8> {
        #[cfg(unix)]
        return self.relay.wait(&mut self.child);
        #[cfg(not(unix))]
        self.child.wait().map(code)
    }
}

fn code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return u8::try_from(128 + signal).unwrap_or(128);
    }
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

#[cfg(unix)]
mod unix {
    use std::io;
    use std::process::Child;
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

    use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    use signal_hook::iterator::Signals;

    use crate::engine::process::is_ignored;

    #[derive(Clone, Copy)]
    enum Stage {
        /// Not started yet, with a signal to forward once it is.
        Starts(Option<Signal>),
        Runs(Pid),
        /// Ended with this code.
        Over(u8),
    }

    /// Forwards signals.
    pub(super) struct Relay(Arc<Mutex<Stage>>);

    impl Relay {
        /// Installs the handlers. The terminal sends SIGINT and SIGQUIT to the agent as well: it decides what to do
        /// with them. SIGTERM and SIGHUP reach only us and are forwarded; an ignored one, as under `nohup`, stays
        /// ignored for both. After the agent's end each of them ends us with its code.
        pub(super) fn listen() -> Self {
            let relay = Self(Arc::new(Mutex::new(Stage::Starts(None))));
            let wanted = [SIGINT, SIGQUIT, SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal));
            // If no handler can be installed, a signal ends us as usual and the agent goes on.
            if let Ok(mut signals) = Signals::new(wanted) {
                let stage = Arc::clone(&relay.0);
                let listen = move || signals.forever().for_each(|signal| hear(&stage, signal));
                let _ = std::thread::Builder::new().name("signals".into()).spawn(listen);
            }
            relay
        }

        pub(super) fn runs(&self, child: &Child) {
            let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else { return };
            let mut stage = lock(&self.0);
            if let Stage::Starts(Some(signal)) = *stage {
                let _ = kill_process(pid, signal);
            }
            *stage = Stage::Runs(pid);
        }

        pub(super) fn wait(&self, child: &mut Child) -> io::Result<u8> {
            let stage = *lock(&self.0);
            if let Stage::Runs(pid) = stage {
                // The zombie keeps its pid until it is reaped below, and by then no more signals are sent to it.
                let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
                while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), options) {}
            }
            let mut stage = lock(&self.0);
            let code = super::code(child.wait()?);
            *stage = Stage::Over(code);
            Ok(code)
        }
    }

    fn hear(stage: &Mutex<Stage>, signal: i32) {
        let mut stage = lock(stage);
        let passed_on = match signal {
            SIGTERM => Some(Signal::TERM),
            SIGHUP => Some(Signal::HUP),
            _ => None,
        };
        match (&mut *stage, passed_on) {
            (Stage::Over(code), _) => std::process::exit(i32::from(*code)),
            (Stage::Runs(pid), Some(signal)) => {
                let _ = kill_process(*pid, signal);
            }
            (Stage::Starts(waiting), Some(signal)) => *waiting = Some(signal),
            (Stage::Runs(_) | Stage::Starts(_), None) => {}
        }
    }

    fn lock(stage: &Mutex<Stage>) -> MutexGuard<'_, Stage> {
        stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
