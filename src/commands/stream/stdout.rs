//! Detects that nobody reads standard output any more.

use std::io;

use tokio::sync::mpsc;

/// Detects a closed reader of standard output while nothing is being written.
#[cfg(unix)]
pub(crate) fn watch(tell: &mpsc::Sender<io::Error>) {
    use rustix::event::{PollFd, PollFlags, poll};
    let out = rustix::stdio::stdout();
    loop {
        // No events are requested, so only errors and hang-ups are reported.
        let mut waits = [PollFd::from_borrowed_fd(out, PollFlags::empty())];
        match poll(&mut waits, None) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(_) => {
                let _ = tell.try_send(io::ErrorKind::BrokenPipe.into());
                return;
            }
            Err(_) => return,
        }
    }
}
