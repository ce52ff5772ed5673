//! Shutdown signals: the first requests shutdown, and a second Ctrl-C forces it.

use tokio::sync::mpsc;

/// Receives shutdown signals.
pub(crate) struct StopSignals {
    signals: mpsc::UnboundedReceiver<u8>,
    #[cfg(unix)]
    asked: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

impl StopSignals {
    /// Installs the handlers. If the system refuses a thread or a descriptor, signals end the process as usual.
    pub(crate) fn watch() -> Self {
        let (tell, signals) = mpsc::unbounded_channel();
        #[cfg(unix)]
        {
            let asked = unix::watch(tell);
            Self { signals, asked }
        }
        #[cfg(not(unix))]
        {
            drop(tell);
            Self { signals }
        }
    }

    /// Shutdown was requested in another way, such as by a key: the next Ctrl-C counts as the second.
    pub(crate) fn begins(&self) {
        #[cfg(unix)]
        self.asked.store(true, std::sync::atomic::Ordering::SeqCst);
    }

    /// Waits for the next signal; returns its exit code.
    pub(crate) async fn signal(&mut self) -> u8 {
        match self.signals.recv().await {
            Some(signal) => 128 + signal,
            None => std::future::pending().await,
        }
    }
}

#[cfg(unix)]
mod unix {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    use signal_hook::iterator::Signals;
    use tokio::sync::mpsc::UnboundedSender;

    use crate::engine::process::is_ignored;
    use crate::tui;

    /// Forwards signals; the returned flag is set once shutdown is requested.
    pub(crate) fn watch(tell: UnboundedSender<u8>) -> Arc<AtomicBool> {
        let asked = Arc::new(AtomicBool::new(false));
        let hangup = (!is_ignored(SIGHUP)).then_some(SIGHUP);
        let Ok(mut signals) = Signals::new([SIGINT, SIGQUIT, SIGTERM].into_iter().chain(hangup)) else { return asked };
        let seen = Arc::clone(&asked);
        let listen = move || {
            let mut terminated = false;
            for signal in signals.forever() {
                // Systems send SIGTERM and SIGHUP together, so only a repeat of the same signal counts as the second.
                let again = match signal {
                    SIGINT | SIGQUIT => seen.swap(true, Ordering::SeqCst),
                    SIGTERM => {
                        seen.store(true, Ordering::SeqCst);
                        std::mem::replace(&mut terminated, true)
                    }
                    _ => false,
                };
                let number = u8::try_from(signal).unwrap_or_default();
                if again {
                    tui::restore_terminal();
                    std::process::exit(i32::from(128 + number));
                }
                let _ = tell.send(number);
            }
        };
        let _ = std::thread::Builder::new().name("signals".into()).spawn(listen);
        asked
    }
}
