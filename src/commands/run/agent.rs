//! The agent as a program: signals for us are passed on to it, and it is waited for until its own end.

use std::io;
use std::process::{Child, Command, ExitStatus};

use crate::engine::process;

/// An agent that runs.
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

    /// Waits for its end; gives back its exit code, as a shell does.
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

    /// Where the agent stands.
    #[derive(Clone, Copy)]
    enum Stage {
        /// It does not run yet, and this signal waits for it.
        Starts(Option<Signal>),
        Runs(Pid),
        /// It has ended with this code.
        Over(u8),
    }

    /// Passes signals on.
    pub(super) struct Relay(Arc<Mutex<Stage>>);

    impl Relay {
        /// Begins to listen. SIGINT and SIGQUIT come from the terminal, to the agent as well: it decides what to do
        /// with them. SIGTERM and SIGHUP are for us alone, and are passed on; one that is ignored, as `nohup` does,
        /// stays ignored for both. After its end each of them ends us with its code.
        pub(super) fn listen() -> Self {
            let relay = Self(Arc::new(Mutex::new(Stage::Starts(None))));
            let wanted = [SIGINT, SIGQUIT, SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal));
            // Without a thread or a descriptor for it, a signal ends us as usual, and the agent goes on by itself.
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
                // Its number stays its own until it is waited for below, where nobody sends it a signal any more.
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
