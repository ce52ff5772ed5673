//! Forwards signals to the agent, and stops the processes it started.

use std::io;
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::engine::process::is_ignored;

#[derive(Clone, Copy)]
enum Stage {
    /// Not started yet. Holds a signal to forward once it has.
    Starts(Option<Signal>),
    Runs(Pid),
    /// Ended with this code.
    Over(u8),
}

/// Forwards signals.
pub(super) struct Relay {
    stage: Arc<Mutex<Stage>>,
    /// True if the agent leads a process group.
    own_group: bool,
}

impl Relay {
    /// Installs the handlers. The terminal also sends SIGINT and SIGQUIT to the agent, which decides how to react.
    /// SIGTERM and SIGHUP only reach us and are forwarded. An ignored signal, as under `nohup`, stays ignored for both.
    /// After the agent has ended, each of them ends us with its exit code. If the agent has a group of its own, we
    /// forward all of them.
    pub(super) fn listen(own_group: bool) -> Self {
        let relay = Self { stage: Arc::new(Mutex::new(Stage::Starts(None))), own_group };
        let wanted = [SIGINT, SIGQUIT, SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal));
        // If no handler can be installed, a signal ends us as usual and the agent keeps running.
        if let Ok(mut signals) = Signals::new(wanted) {
            let stage = Arc::clone(&relay.stage);
            let listen = move || signals.forever().for_each(|signal| hear(&stage, own_group, signal));
            let _ = std::thread::Builder::new().name("signals".into()).spawn(listen);
        }
        relay
    }

    pub(super) fn runs(&self, child: &Child) {
        let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else { return };
        let mut stage = lock(&self.stage);
        if let Stage::Starts(Some(signal)) = *stage {
            send(pid, self.own_group, signal);
        }
        *stage = Stage::Runs(pid);
    }

    /// True once it has ended. Its pid is kept until [`Relay::wait`].
    pub(super) fn has_ended(&self) -> bool {
        let Stage::Runs(pid) = *lock(&self.stage) else { return true };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        // An error means that the child does not exist.
        waitid(WaitId::Pid(pid), options).map_or_else(|error| error != rustix::io::Errno::INTR, |found| found.is_some())
    }

    /// Asks it, and everything it started, to end. With `for_good`, kills them.
    pub(super) fn stop(&self, for_good: bool) {
        let Stage::Runs(pid) = *lock(&self.stage) else { return };
        let signal = if for_good { Signal::KILL } else { Signal::TERM };
        if self.own_group {
            let _ = kill_process_group(pid, signal);
            return;
        }
        for pid in descendants(pid).into_iter().chain([pid]) {
            let _ = kill_process(pid, signal);
        }
    }

    pub(super) fn wait(&self, child: &mut Child) -> io::Result<u8> {
        let stage = *lock(&self.stage);
        if let Stage::Runs(pid) = stage {
            // The zombie keeps its pid until it is reaped below. By then no more signals are sent to it.
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), options) {}
        }
        let mut stage = lock(&self.stage);
        let code = super::code(child.wait()?);
        *stage = Stage::Over(code);
        Ok(code)
    }
}

fn send(pid: Pid, own_group: bool, signal: Signal) {
    let _ = if own_group { kill_process_group(pid, signal) } else { kill_process(pid, signal) };
}

/// Descendants of a process; empty if the system does not list them.
fn descendants(of: Pid) -> Vec<Pid> {
    let parent = |pid: i32| -> Option<i32> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name may contain spaces and parentheses. The parent is the second field after it.
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    };
    let names = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = names.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let parents: Vec<(i32, i32)> = pids.filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut found = vec![of.as_raw_nonzero().get()];
    let mut at = 0;
    while let Some(pid) = found.get(at).copied() {
        found.extend(parents.iter().filter(|(child, of)| *of == pid && *child != pid).map(|(child, _)| *child));
        at += 1;
    }
    found.into_iter().skip(1).filter_map(Pid::from_raw).collect()
}

fn hear(stage: &Mutex<Stage>, own_group: bool, signal: i32) {
    let mut stage = lock(stage);
    let passed_on = match signal {
        SIGTERM => Some(Signal::TERM),
        SIGHUP => Some(Signal::HUP),
        SIGINT if own_group => Some(Signal::INT),
        SIGQUIT if own_group => Some(Signal::QUIT),
        _ => None,
    };
    match (&mut *stage, passed_on) {
        (Stage::Over(code), _) => std::process::exit(i32::from(*code)),
        (Stage::Runs(pid), Some(signal)) => send(*pid, own_group, signal),
        (Stage::Starts(waiting), Some(signal)) => *waiting = Some(signal),
        (Stage::Runs(_) | Stage::Starts(_), None) => {}
    }
}

fn lock(stage: &Mutex<Stage>) -> MutexGuard<'_, Stage> {
    stage.lock().unwrap_or_else(PoisonError::into_inner)
}
