//! Streams that stay open, used to measure the memory that one takes.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a stream may take to start.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Open streams. They are closed when dropped.
pub(crate) struct Streams {
    _open: Vec<TcpStream>,
}

impl Streams {
    /// Opens this many streams, and waits for the first event of each.
    ///
    /// # Errors
    /// When one of them does not start.
    pub(crate) fn open(address: SocketAddr, count: usize) -> io::Result<Self> {
        crate::server::open_files::raise();
        let body = r#"{"model":"gpt-5","stream":true,"messages":[{"role":"user","content":"A short question."}]}"#;
        let mut streams = Vec::with_capacity(count);
        for _ in 0..count {
            let mut stream = TcpStream::connect(address)?;
            stream.set_read_timeout(Some(TIMEOUT))?;
            write!(
                stream,
                "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\naccept: {}\r\ncontent-type: application/json\r\n\
                 content-length: {}\r\n\r\n{body}",
                super::EVENTS,
                body.len(),
            )?;
            streams.push(stream);
        }
        for stream in &mut streams {
            begun(stream)?;
        }
        Ok(Self { _open: streams })
    }
}

/// Reads the first event.
fn begun(stream: &mut TcpStream) -> io::Result<()> {
    let (mut seen, mut chunk) = (Vec::new(), [0; 4096]);
    while memchr::memmem::find(&seen, b"data: ").is_none() {
        match stream.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => seen.extend_from_slice(&chunk[..count]),
        }
    }
    Ok(())
}
