//! Connections to upstreams on which an answer is read even after the upstream has stopped reading the request.
//!
//! An upstream may answer before it has the whole body (413, 401) and close at once. Writing the rest then fails while
//! the answer waits to be read. hyper would report the failed write, and the client would get 502 instead of the
//! answer.

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

/// Opens connections.
#[derive(Clone)]
pub(super) struct Connector(pub(super) HttpConnector);

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = <HttpConnector as Service<Uri>>::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let connecting = self.0.call(address);
        Box::pin(async move { Ok(Stream { inner: connecting.await?, is_closed: false }) })
    }
}

/// A connection.
pub(super) struct Stream {
    inner: TokioIo<TcpStream>,
    /// True once the other side has stopped reading. What is written then is dropped, and reading says how it ended.
    is_closed: bool,
}

impl Stream {
    /// The result of a write of this many bytes.
    fn written(&mut self, length: usize, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match result {
            Poll::Ready(Err(error)) if has_stopped_reading(&error) => {
                self.is_closed = true;
                Poll::Ready(Ok(length))
            }
            result @ (Poll::Ready(_) | Poll::Pending) => result,
        }
    }
}

fn has_stopped_reading(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted)
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        self.inner.connected()
    }
}

impl Read for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(context, buffer)
    }
}

impl Write for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        if stream.is_closed {
            return Poll::Ready(Ok(bytes.len()));
        }
        let result = Pin::new(&mut stream.inner).poll_write(context, bytes);
        stream.written(bytes.len(), result)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        if stream.is_closed { Poll::Ready(Ok(())) } else { Pin::new(&mut stream.inner).poll_flush(context) }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        if stream.is_closed { Poll::Ready(Ok(())) } else { Pin::new(&mut stream.inner).poll_shutdown(context) }
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = parts.iter().map(|part| part.len()).sum();
        let stream = self.get_mut();
        if stream.is_closed {
            return Poll::Ready(Ok(length));
        }
        let result = Pin::new(&mut stream.inner).poll_write_vectored(context, parts);
        stream.written(length, result)
    }
}
