//! Standard output without the standard library's lock.

use std::io::{self};

use tokio::sync::mpsc;

/// Writes without the standard library's lock. The exit handler takes that lock to flush, and would have to wait for
/// it.
#[cfg(unix)]
pub(super) fn write_out(mut bytes: &[u8]) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::io::Errno;
    let out = rustix::stdio::stdout();
    while !bytes.is_empty() {
        match rustix::io::write(out, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::from_borrowed_fd(out, PollFlags::OUT)], None);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn write_out(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush())
}

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
