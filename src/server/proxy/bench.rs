//! Measures a proxy's overhead, with the same calls sent directly to a service, through a bare pass-through, and
//! through the proxy.

mod streams;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};

pub(crate) use self::streams::Streams;
use crate::domain::sort_by;

/// The service's response, with its usage.
const BODY: &str = r#"{"id":"chatcmpl-bench000000000000000000","object":"chat.completion","created":1795730000,"model":"gpt-5","choices":[{"index":0,"message":{"role":"assistant","content":"A short answer."},"finish_reason":"stop"}],"usage":{"prompt_tokens":1200,"completion_tokens":12,"total_tokens":1212}}"#;
/// The first event of a stream, and the media type of streams.
const EVENT: &str = "data: {\"id\":\"chatcmpl-bench000000000000000000\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-5\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"A\"}}]}\n\n";
const EVENTS: &str = "text/event-stream";
/// Number of calls made before measuring starts.
const WARM_UP: usize = 5;

/// Durations of the calls of one setup, ascending.
#[derive(Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// Adds the durations of another round.
    pub(crate) fn add(&mut self, other: Self) {
        self.0.extend(other.0);
        sort_by(&mut self.0, Ord::cmp);
    }

    /// The duration that this many out of a thousand calls do not exceed.
    pub(crate) fn per_mille(&self, part: usize) -> Duration {
        let place = (self.0.len() * part).div_ceil(1000).saturating_sub(1);
        self.0.get(place).copied().unwrap_or_default()
    }
}

/// A model service on its own thread, which responds after this delay, or starts a stream that does not end. It runs
/// until the program ends.
///
/// # Errors
/// When it cannot listen, or no thread can be started.
pub(crate) fn service(address: SocketAddr, delay: Duration) -> io::Result<SocketAddr> {
    serving(address, move |request: Request<Incoming>| async move {
        let is_stream = request.headers().get(ACCEPT).is_some_and(|kind| kind == EVENTS);
        let _ = request.into_body().collect().await;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let (kind, body) = if is_stream {
            let first = Frame::data(Bytes::from_static(EVENT.as_bytes()));
            let frames = stream::iter([Ok::<_, Infallible>(first)]).chain(stream::pending());
            (EVENTS, StreamBody::new(frames).boxed_unsync())
        } else {
            ("application/json", Full::new(Bytes::from_static(BODY.as_bytes())).boxed_unsync())
        };
        let mut answer = Response::new(body);
        super::headers::insert(answer.headers_mut(), CONTENT_TYPE, kind);
        Ok::<_, Infallible>(answer)
    })
    .map(|(address, _)| address)
}

/// A pass-through that does nothing else, on its own thread, with its address.
///
/// # Errors
/// The same as for [`service`].
pub(crate) fn pass_through(upstream: SocketAddr) -> io::Result<(SocketAddr, JoinHandle<()>)> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let pool: Pool<_, Incoming> = Pool::builder(TokioExecutor::new()).build(connector);
    serving(SocketAddr::from(([127, 0, 0, 1], 0)), move |mut request: Request<Incoming>| {
        let pool = pool.clone();
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        if let Ok(uri) = format!("http://{upstream}{path}").parse() {
            *request.uri_mut() = uri;
        }
        async move { pool.request(request).await }
    })
}

/// Serves on a separate thread.
fn serving<S, F, B, E>(address: SocketAddr, answer: S) -> io::Result<(SocketAddr, JoinHandle<()>)>
where
    S: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync,
    E: std::error::Error + Send + Sync + 'static,
{
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let thread = thread::Builder::new().name("bench".into()).spawn(move || {
        runtime.block_on(async move {
            let Ok(listener) = TcpListener::from_std(listener) else { return };
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let service = service_fn(answer.clone());
                tokio::spawn(async move {
                    let connection = hyper::server::conn::http1::Builder::new();
                    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
    })?;
    Ok((address, thread))
}

/// Makes calls over this many connections at the same time, this many one after another on each, and measures them.
///
/// # Errors
/// When a call fails.
pub(crate) fn measure(address: SocketAddr, connections: usize, calls: usize) -> io::Result<Times> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let mut all = runtime.block_on(async move {
        let tasks: Vec<_> = (0..connections).map(|_| tokio::spawn(connection(address, calls))).collect();
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await.map_err(io::Error::other)??);
        }
        Ok::<_, io::Error>(all)
    })?;
    sort_by(&mut all, Ord::cmp);
    Ok(Times(all))
}

async fn connection(address: SocketAddr, calls: usize) -> io::Result<Vec<Duration>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    let prompt = "word ".repeat(400);
    let body = format!(r#"{{"model":"gpt-5","messages":[{{"role":"user","content":"{prompt}"}}]}}"#);
    let body = Bytes::from(body);
    let mut times = Vec::with_capacity(calls);
    for number in 0..calls + WARM_UP {
        let request = Request::post("/v1/chat/completions")
            .header("host", "localhost")
            .header("content-type", "application/json")
            .header("authorization", "Bearer sk-bench")
            .body(Full::new(body.clone()))
            .map_err(io::Error::other)?;
        let began = Instant::now();
        let answer = sender.send_request(request).await.map_err(io::Error::other)?;
        if !answer.status().is_success() {
            return Err(io::Error::other(format!("the answer has status {}", answer.status())));
        }
        let _ = answer.into_body().collect().await.map_err(io::Error::other)?;
        if number >= WARM_UP {
            times.push(began.elapsed());
        }
    }
    Ok(times)
}
