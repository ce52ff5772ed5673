//! The HTTP server: receives telemetry and calls, and serves metrics, the API, a stream of events and a web page.
//!
//! One thread serves all connections. Another decodes telemetry, so that a large export delays nobody else.

mod accept;
mod accepts;
mod answers;
mod api;
mod body;
mod bounds;
mod byte_budget;
mod calls;
mod events;
mod guard;
mod latest;
mod openapi;
mod otlp;
mod page;
mod parameters;
mod protobuf;
mod routes;
mod shared;
mod status;
mod telemetry;
pub(in crate::server) mod token;
mod websocket;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use tokio::sync::{Semaphore, watch};

pub(crate) use answers::{Answer, AnswerFn, Exposition, Kind, Params, Refusal, Topic};
pub(crate) use bounds::Bounds;
#[cfg(test)]
pub(crate) use parameters::PERIOD;
pub(crate) use parameters::REPORT;
use shared::Shared;

use crate::config::{Env, Token};
use crate::engine::EngineClient;
use crate::ingest::Owner;

/// Maximum number of open `WebSocket`s.
const SOCKETS: usize = 64;

/// Everything the server needs to start.
pub(crate) struct Setup {
    /// Socket on which it listens.
    pub(crate) listener: TcpListener,
    /// The token that clients must present. Without one, the address is a loopback address.
    pub(crate) token: Option<Token>,
    /// Access to the engine.
    pub(crate) engine: EngineClient,
    /// Answers queries to the ledger.
    pub(crate) answer: AnswerFn,
    /// Attribution for calls that give none.
    pub(crate) owner: Owner,
    /// The machine's environment.
    pub(crate) env: Env,
    /// Bounds on requests.
    pub(crate) bounds: Bounds,
}

/// The running server. It stops when dropped, which must happen before the engine stops.
pub(crate) struct Server {
    /// The address on which it listens.
    pub(crate) address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    /// Starts serving.
    ///
    /// # Errors
    /// When the listener cannot be used or no thread can be started.
    pub(crate) fn start(setup: Setup) -> io::Result<Self> {
        setup.listener.set_nonblocking(true)?;
        let address = setup.listener.local_addr()?;
        let (stop, ending) = watch::channel(false);
        let telemetry = telemetry::start(
            (setup.engine.deliver.clone(), setup.engine.ask.clone()),
            Arc::clone(&setup.env.clock),
            setup.owner.clone(),
            setup.bounds.expanded,
        )?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let listener = setup.listener;
        let run = setup.env.now().timestamp_millis();
        let shared = Arc::new(Shared {
            token: setup.token,
            engine: setup.engine,
            document: openapi::document(),
            answer: setup.answer,
            owner: setup.owner,
            env: setup.env,
            bounds: setup.bounds,
            room: byte_budget::ByteBudget::new(setup.bounds.body),
            telemetry,
            events: latest::Events::new(run),
            sockets: Arc::new(Semaphore::new(SOCKETS)),
            ending,
        });
        let thread = thread::Builder::new().name("http".into()).spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                let feeding = [
                    tokio::spawn(events::feed(Arc::clone(&shared))),
                    tokio::spawn(events::alerts(Arc::clone(&shared))),
                ];
                let ending = shared.ending.clone();
                let bounds = shared.bounds;
                accept::serve(listener, routes::router(shared), bounds, ending).await;
                feeding.iter().for_each(tokio::task::JoinHandle::abort);
            });
        })?;
        Ok(Self { address, stop, thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
