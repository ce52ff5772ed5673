//! Reads piped input with a size limit and a timeout.

use std::time::Duration;

use crate::formats::BYTE_ORDER_MARK;

/// Size limit and timeouts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadLimits {
    /// Maximum bytes to keep.
    pub(crate) bytes: usize,
    /// Timeout for the first byte. If nothing has arrived by then, there is no input.
    pub(crate) first: Duration,
    /// Timeout for the whole input.
    pub(crate) whole: Duration,
}

impl ReadLimits {
    /// For a status line: its input is there at once, and the user sees an empty bar meanwhile.
    pub(crate) const STATUS_LINE: Self =
        Self { bytes: 1024 * 1024, first: Duration::from_millis(150), whole: Duration::from_millis(500) };
    /// For a hook: its input may include a whole file that a tool is about to write.
    pub(crate) const HOOK: Self =
        Self { bytes: 64 * 1024 * 1024, first: Duration::from_secs(2), whole: Duration::from_secs(10) };
}

/// Reads standard input to the end, without a timeout: calls to be recorded are worth waiting for.
pub(crate) fn everything() -> Vec<u8> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    // Keep what was read before a failure; a truncated value is reported by the parser.
    let _ = std::io::stdin().lock().read_to_end(&mut bytes);
    without_mark(bytes)
}

/// The input without the byte order mark that some shells put before what they pipe.
fn without_mark(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    bytes
}

/// Ends this process when standard input ends, for example because the process at its other end was killed.
///
/// # Errors
/// When the thread cannot be started.
pub(crate) fn end_with_input() -> std::io::Result<()> {
    let wait = || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        std::process::exit(0);
    };
    std::thread::Builder::new().name("input".into()).spawn(wait).map(drop)
}

/// Reads standard input until its end, the end of one JSON value, the size limit or the timeout.
#[cfg(unix)]
pub(crate) fn standard_input(read_limits: ReadLimits) -> Vec<u8> {
    without_mark(read(rustix::stdio::stdin(), read_limits))
}

/// Reads standard input until its end or the size limit.
#[cfg(not(unix))]
pub(crate) fn standard_input(read_limits: ReadLimits) -> Vec<u8> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let limit = u64::try_from(read_limits.bytes).unwrap_or(u64::MAX);
    // Keep what was read before a failure.
    let _ = std::io::stdin().lock().take(limit).read_to_end(&mut bytes);
    without_mark(bytes)
}

#[cfg(unix)]
fn read(from: std::os::fd::BorrowedFd<'_>, read_limits: ReadLimits) -> Vec<u8> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let ready = |wait: Duration| {
        let wait = Timespec::try_from(wait).unwrap_or(Timespec { tv_sec: 0, tv_nsec: 0 });
        let mut polled = [PollFd::from_borrowed_fd(from, PollFlags::IN)];
        poll(&mut polled, Some(&wait)).is_ok_and(|count| count > 0)
    };
    let began = std::time::Instant::now();
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 64 * 1024];
    while bytes.len() < read_limits.bytes {
        let wait = if bytes.is_empty() { read_limits.first } else { read_limits.whole.saturating_sub(began.elapsed()) };
        // An agent that keeps its end open has finished once one JSON value is complete.
        if ends_an_object(&bytes) && !ready(Duration::ZERO) && is_complete(&bytes) {
            break;
        }
        if !ready(wait) {
            break;
        }
        match rustix::io::read(from, chunk.as_mut_slice()) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => break,
        }
    }
    bytes.truncate(read_limits.bytes);
    bytes
}

#[cfg(unix)]
fn ends_an_object(bytes: &[u8]) -> bool {
    bytes.trim_ascii_end().ends_with(b"}")
}

#[cfg(unix)]
fn is_complete(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsFd;

    const QUICK: ReadLimits =
        ReadLimits { bytes: 1000, first: Duration::from_millis(20), whole: Duration::from_secs(30) };

    #[test]
    fn nothing_is_waited_for_beyond_what_was_agreed() {
        let (reader, writer) = std::io::pipe().unwrap();
        let began = std::time::Instant::now();
        assert!(read(reader.as_fd(), QUICK).is_empty());
        assert!(began.elapsed() < Duration::from_secs(10));
        drop(writer);
    }

    #[test]
    fn an_agent_that_keeps_its_end_open_is_not_waited_for() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let document = b"{\"a\":{\"b\":1}}\n";
        writer.write_all(document).unwrap();
        let began = std::time::Instant::now();
        assert_eq!(read(reader.as_fd(), QUICK), document);
        assert!(began.elapsed() < Duration::from_secs(10));
        drop(writer);
    }

    #[test]
    fn no_more_than_the_limit_is_kept() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(&[b'x'; 5000]).unwrap();
        drop(writer);
        assert_eq!(read(reader.as_fd(), QUICK).len(), 1000);
    }
}
