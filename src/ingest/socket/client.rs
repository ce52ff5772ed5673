//! Client that sends lines to a listening meter, with timeouts.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Timeout if the meter does not read.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_millis(200);

/// Why a meter did not accept a line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// No meter is listening.
    #[error("no meter listens there")]
    Nobody,
    /// A meter is listening, but does not accept the line or reply in time.
    #[error("the meter does not answer")]
    Stalled,
    /// Any other error.
    #[error("{0}")]
    Io(io::Error),
}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        let kind = error.kind();
        if matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) {
            Self::Nobody
        } else if matches!(kind, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
            Self::Stalled
        } else {
            Self::Io(error)
        }
    }
}

/// Sends one line and returns the meter's reply.
///
/// # Errors
/// When no meter is listening, or it does not accept the line and reply within `timeout`.
pub(crate) fn ask(path: &Path, line: &str, timeout: Duration) -> Result<String, ClientError> {
    let stream = open(path, timeout)?;
    (&stream).write_all(line.trim_end().as_bytes())?;
    (&stream).write_all(b"\n")?;
    let mut answer = String::new();
    BufReader::new(&stream).read_line(&mut answer)?;
    if answer.ends_with('\n') { Ok(answer) } else { Err(ClientError::Stalled) }
}

fn open(path: &Path, timeout: Duration) -> Result<UnixStream, ClientError> {
    let stream = UnixStream::connect(path)?;
    stream.set_write_timeout(Some(timeout))?;
    stream.set_read_timeout(Some(timeout))?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;
    use std::time::Instant;

    #[test]
    fn c11_a_meter_that_never_accepts_does_not_hang_the_writer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.sock");
        let _listener = UnixListener::bind(&path).unwrap();
        let start = Instant::now();
        let error = ask(&path, &"x".repeat(4 * 1024 * 1024), WRITE_TIMEOUT).unwrap_err();
        assert!(matches!(error, ClientError::Stalled), "{error}");
        let error = ask(&path, "{}", WRITE_TIMEOUT).unwrap_err();
        assert!(matches!(error, ClientError::Stalled), "{error}");
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }

    #[test]
    fn nobody_listening_is_told_apart_from_a_meter_that_stalls() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.sock");
        assert!(matches!(ask(&path, "{}", WRITE_TIMEOUT), Err(ClientError::Nobody)));
        drop(UnixListener::bind(&path).unwrap());
        assert!(matches!(ask(&path, "{}", WRITE_TIMEOUT), Err(ClientError::Nobody)));
    }
}
