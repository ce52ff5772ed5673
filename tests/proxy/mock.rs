//! A model service that answers as a test wants, made with hyper, and remembers what it was asked.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderMap};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub version: hyper::Version,
}

/// A part of an answer.
#[derive(Clone, Debug)]
pub enum Step {
    Data(Vec<u8>),
    Pause(Duration),
    Reset,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    /// Time before its head.
    pub delay: Duration,
    pub steps: Vec<Step>,
    /// With its length in the head.
    pub is_measured: bool,
}

impl Reply {
    pub fn json(text: &str) -> Self {
        Self {
            status: 200,
            headers: vec![("content-type", "application/json".to_owned())],
            delay: Duration::ZERO,
            steps: vec![Step::Data(text.as_bytes().to_vec())],
            is_measured: true,
        }
    }

    pub fn stream(steps: Vec<Step>) -> Self {
        let headers = vec![("content-type", "text/event-stream; charset=utf-8".to_owned())];
        Self { headers, steps, is_measured: false, ..Self::json("") }
    }

    /// All bytes of it.
    pub fn bytes(&self) -> Vec<u8> {
        let data =
            self.steps.iter().filter_map(|step| if let Step::Data(data) = step { Some(&data[..]) } else { None });
        data.collect::<Vec<_>>().concat()
    }
}

/// The service. Its thread lives as long as the test.
pub struct Mock {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Received>>>,
}

type Script = dyn Fn(&Received, usize) -> Reply + Send + Sync;

impl Mock {
    /// A service with this script: from the request and its number, beginning at 0, to the answer.
    pub fn start(script: impl Fn(&Received, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::serve(None, script)
    }

    /// A service over TLS that speaks these protocols, with the certificate in `tls/localhost.pem`.
    pub fn secure(protocols: &[&str], script: impl Fn(&Received, usize) -> Reply + Send + Sync + 'static) -> Self {
        let certificate = CertificateDer::from_pem_slice(include_bytes!("tls/localhost.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/localhost.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Self::serve(Some(tokio_rustls::TlsAcceptor::from(Arc::new(config))), script)
    }

    fn serve(
        tls: Option<tokio_rustls::TlsAcceptor>,
        script: impl Fn(&Received, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (script, seen): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&asked));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    stream.set_nodelay(true).unwrap();
                    let (script, seen, tls) = (Arc::clone(&script), Arc::clone(&seen), tls.clone());
                    tokio::spawn(async move {
                        let service = service_fn(|request| answer(request, Arc::clone(&script), Arc::clone(&seen)));
                        let builder = auto::Builder::new(TokioExecutor::new());
                        match tls {
                            None => _ = builder.serve_connection(TokioIo::new(stream), service).await,
                            Some(tls) => {
                                let Ok(stream) = tls.accept(stream).await else { return };
                                let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                            }
                        }
                    });
                }
            });
        });
        Self { address, asked }
    }

    /// The requests so far.
    pub fn asked(&self) -> Vec<Received> {
        self.asked.lock().unwrap().clone()
    }
}

type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, io::Error>;

async fn answer(
    request: Request<Incoming>,
    script: Arc<Script>,
    seen: Arc<Mutex<Vec<Received>>>,
) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else { return Ok(Response::new(empty())) };
    let (path, version) = (head.uri.path_and_query().unwrap().to_string(), head.version);
    let received = Received { path, headers: head.headers, body: body.to_bytes().to_vec(), version };
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(received.clone());
        seen.len() - 1
    };
    let reply = script(&received, number);
    tokio::time::sleep(reply.delay).await;
    let mut response = Response::builder().status(StatusCode::from_u16(reply.status).unwrap());
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    if reply.is_measured {
        response = response.header(CONTENT_LENGTH, reply.bytes().len());
    }
    let frames = stream::unfold(reply.steps.into_iter(), |mut steps| async move {
        loop {
            match steps.next()? {
                Step::Data(data) => {
                    tokio::task::yield_now().await;
                    return Some((Ok(Frame::data(Bytes::from(data))), steps));
                }
                Step::Pause(time) => tokio::time::sleep(time).await,
                Step::Reset => {
                    // Let the data that was sent before arrive first.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    return Some((Err(io::ErrorKind::ConnectionReset.into()), steps));
                }
            }
        }
    });
    Ok(response.body(StreamBody::new(frames).boxed_unsync()).unwrap())
}

fn empty() -> Body {
    StreamBody::new(stream::empty()).boxed_unsync()
}
