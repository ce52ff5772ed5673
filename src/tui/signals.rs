//! Process signals: terminate, stop, continue; and terminal hang-up.

pub(super) use system::{Signals, is_terminal_gone, stop, watch_terminal};

use super::exit::Exit;

/// What a signal asks for.
pub(super) enum Signal {
    Exit(Exit),
    #[cfg_attr(not(unix), expect(dead_code, reason = "no such signal here"))]
    Suspend,
    #[cfg_attr(not(unix), expect(dead_code, reason = "no such signal here"))]
    Resume,
}

#[cfg(unix)]
mod system {
    use std::fs::File;
    use std::future::poll_fn;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::task::Poll;
    use std::thread;

    use super::{Exit, Signal};
    use crate::engine::process::is_ignored;
    use rustix::event::{PollFd, PollFlags, poll};
    use signal_hook::consts::{
        SIGABRT, SIGALRM, SIGCONT, SIGHUP, SIGINT, SIGIO, SIGPROF, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2,
        SIGVTALRM, SIGXCPU,
    };
    use tokio::signal::unix::{Signal as Source, SignalKind, signal};

    /// Signals that end a process, except those that report a fault in it.
    const ENDING: [i32; 12] =
        [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGABRT, SIGALRM, SIGIO, SIGPROF, SIGUSR1, SIGUSR2, SIGVTALRM, SIGXCPU];

    pub(in crate::tui) struct Signals {
        ending: Vec<(i32, Source)>,
        stop: Source,
        go_on: Source,
    }

    impl Signals {
        /// Installs the handlers. A signal that the process was started to ignore is left ignored.
        pub(in crate::tui) fn listen() -> io::Result<Self> {
            let source = |number| signal(SignalKind::from_raw(number));
            let ending = ENDING.into_iter().filter(|number| !is_ignored(*number));
            Ok(Self {
                ending: ending.map(|number| Ok((number, source(number)?))).collect::<io::Result<_>>()?,
                stop: source(SIGTSTP)?,
                go_on: source(SIGCONT)?,
            })
        }

        pub(in crate::tui) async fn next(&mut self) -> Signal {
            let ending = &mut self.ending;
            let ended = poll_fn(|context| {
                let came =
                    |(number, source): &mut (i32, Source)| source.poll_recv(context).is_ready().then_some(*number);
                ending.iter_mut().find_map(came).map_or(Poll::Pending, Poll::Ready)
            });
            tokio::select! {
                biased;
                number = ended => Signal::Exit(exit(number)),
                _ = self.stop.recv() => Signal::Suspend,
                _ = self.go_on.recv() => Signal::Resume,
            }
        }
    }

    fn exit(number: i32) -> Exit {
        match number {
            SIGHUP => Exit::HungUp,
            SIGINT => Exit::Interrupted,
            _ => Exit::Signal(u8::try_from(number).unwrap_or_default()),
        }
    }

    /// Stops this process until SIGCONT.
    pub(in crate::tui) fn stop() -> io::Result<()> {
        signal_hook::low_level::emulate_default_handler(SIGTSTP)
    }

    /// True once the terminal on standard output was closed.
    pub(in crate::tui) fn is_terminal_gone() -> bool {
        rustix::termios::tcgetwinsize(rustix::stdio::stdout()) == Err(rustix::io::Errno::IO)
    }

    /// Calls a function on another thread once the terminal has hung up.
    ///
    /// Needed if SIGHUP is ignored, because crossterm's reader spins on a closed terminal (crossterm issue 793). Only
    /// waits for the hang-up in `poll`, which costs nothing.
    pub(in crate::tui) fn watch_terminal(gone: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let stdin = io::stdin();
        // Close-on-exec, so that programs started later do not inherit it.
        let terminal: OwnedFd = if rustix::termios::isatty(&stdin) {
            rustix::io::fcntl_dupfd_cloexec(&stdin, 3)?
        } else {
            File::open("/dev/tty")?.into()
        };
        let watch = move || {
            loop {
                let mut waits = [PollFd::new(&terminal, PollFlags::empty())];
                match poll(&mut waits, None) {
                    Err(rustix::io::Errno::INTR) => {}
                    Ok(_) | Err(_) => break,
                }
            }
            gone();
        };
        thread::Builder::new().name("terminal".to_owned()).spawn(watch).map(drop)
    }
}

#[cfg(not(unix))]
mod system {
    //! Without signals, there is only Ctrl-C.

    use std::io;

    use super::{Exit, Signal};

    pub(in crate::tui) struct Signals;

    impl Signals {
        #[expect(clippy::unnecessary_wraps, reason = "as where there are signals")]
        pub(in crate::tui) fn listen() -> io::Result<Self> {
            Ok(Self)
        }

        pub(in crate::tui) async fn next(&mut self) -> Signal {
            drop(tokio::signal::ctrl_c().await);
            Signal::Exit(Exit::Interrupted)
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "as where there are signals")]
    pub(in crate::tui) fn stop() -> io::Result<()> {
        Ok(())
    }

    pub(in crate::tui) fn is_terminal_gone() -> bool {
        false
    }

    #[expect(clippy::unnecessary_wraps, reason = "as where there are signals")]
    pub(in crate::tui) fn watch_terminal(_gone: impl FnOnce() + Send + 'static) -> io::Result<()> {
        Ok(())
    }
}
