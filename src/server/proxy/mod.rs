//! The tracking proxy: forwards calls to a model service unchanged, counts them, and stops those over a limit.
//!
//! A single thread forwards. It never waits for the ledger or for a slow disk: a finished call is appended to a journal
//! and goes to the engine through a queue.

mod accept;
pub(crate) mod admission;
mod answers;
pub(crate) mod bench;
mod body;
mod booking;
mod connection;
mod count;
mod detached_answer;
mod drain;
mod events;
mod exchange;
mod extractor;
mod facts;
mod forward;
mod headers;
mod journal;
mod keys;
mod limited;
mod record;
mod refusal;
mod relay;
mod request;
mod response_reader;
mod route;
mod shared;
mod unpack;
mod upstream;
mod upstream_quirks;
mod usage_chunk_filter;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tokio::sync::{mpsc, watch};

use admission::Admission;
pub(crate) use admission::Defaults;
use booking::Books;
pub(crate) use keys::KeyRing;
pub(crate) use limited::Limited;
pub(crate) use route::Upstream;
use shared::Shared;
use upstream::Client;
use upstream_quirks::UpstreamQuirks;

use crate::config::Env;
use crate::config::Token;
use crate::engine::EngineClient;

/// Everything the proxy needs to start.
pub(crate) struct Setup {
    /// Socket on which it listens.
    pub(crate) listener: TcpListener,
    /// The token that clients must present if they present no key. Without one, the address is a loopback address.
    pub(crate) token: Option<Token>,
    /// The model services.
    pub(crate) upstreams: Vec<Upstream>,
    /// PEM file with certificates that are trusted in addition to the system's.
    pub(crate) ca: Option<PathBuf>,
    /// Decides about calls.
    pub(crate) admission: Arc<dyn Admission>,
    /// Access to the engine.
    pub(crate) engine: EngineClient,
    /// The data folder and the spool in it, if there is one.
    pub(crate) folder: Option<(PathBuf, PathBuf)>,
    /// User, team and organisation for calls that give none.
    pub(crate) defaults: Defaults,
    /// The machine's environment.
    pub(crate) env: Env,
}

/// The running proxy. When it is dropped, which must happen before the engine stops, every call has been booked.
pub(crate) struct Proxy {
    /// The address on which it listens.
    pub(crate) address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<thread::JoinHandle<()>>,
    books: Option<Books>,
}

/// Numbers of calls that the ledger does not have exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gaps {
    /// Calls whose counts are estimates.
    pub(crate) estimated: u64,
    /// Calls that could neither be booked nor kept.
    pub(crate) lost: u64,
}

impl Proxy {
    /// Starts forwarding.
    ///
    /// # Errors
    /// When the listener cannot be used, no thread can be started, or an upstream needs TLS and this machine has no
    /// trusted certificates.
    pub(crate) fn start(setup: Setup) -> io::Result<Self> {
        crate::server::open_files::raise();
        setup.listener.set_nonblocking(true)?;
        let address = setup.listener.local_addr()?;
        let (stop, ending) = watch::channel(false);
        let (alive, gone) = mpsc::channel(1);
        let client = Client::new(setup.upstreams.iter().any(Upstream::is_secure), setup.ca.as_deref())?;
        let memory = Arc::new(UpstreamQuirks::default());
        let (deliver, folder) = (setup.engine.deliver, setup.folder);
        let books = Books::open(booking::Setup { deliver, folder, memory: Arc::clone(&memory) })?;
        let booking = books.handle().ok_or(io::ErrorKind::BrokenPipe)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let shared = Arc::new(Shared {
            upstreams: setup.upstreams,
            client,
            memory,
            admission: setup.admission,
            booking,
            token: setup.token,
            defaults: setup.defaults,
            env: setup.env,
            count: AtomicU64::new(0),
            alive,
        });
        let listener = setup.listener;
        let thread = thread::Builder::new().name("proxy".into()).spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                accept::serve(listener, shared, ending, gone).await;
            });
        })?;
        Ok(Self { address, stop, thread: Some(thread), books: Some(books) })
    }

    /// Stops the proxy, after calls in progress have finished and everything has been booked. Returns the number of
    /// calls that the ledger does not have exactly.
    pub(crate) fn end(mut self) -> Gaps {
        self.close()
    }

    fn close(&mut self) -> Gaps {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        // From here on, no calls are handed in.
        let Some(books) = self.books.take() else { return Gaps::default() };
        let gaps = Arc::clone(&books.gaps);
        drop(books);
        Gaps { estimated: gaps.estimated.load(Ordering::Relaxed), lost: gaps.lost.load(Ordering::Relaxed) }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.close();
    }
}
