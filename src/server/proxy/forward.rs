//! One request: who asks, where it goes, whether it may be made, and its answer.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{HOST, ORIGIN};
use hyper::{Request, Response, StatusCode};
use tokio::sync::{mpsc, oneshot};

use super::admission::{Admission, Owner, Who};
use super::answers::Trouble;
use super::booking::Desk;
use super::exchange::{self, Job};
use super::headers;
use super::relay::Relay;
use super::route::{self, Route, Upstream};
use super::upstream::{Client, Memory};
use crate::config::Env;
use crate::domain::{CallKey, Label};
use crate::server::http::Token;
use crate::server::loopback::is_loopback;

/// State shared by all requests.
pub(super) struct Shared {
    pub(super) upstreams: Vec<Upstream>,
    pub(super) client: Client,
    pub(super) memory: Arc<Memory>,
    pub(super) admission: Arc<dyn Admission>,
    pub(super) desk: Desk,
    /// The token that clients must present where no key does.
    pub(super) token: Option<Token>,
    /// User of calls that name none.
    pub(super) user: Label,
    pub(super) env: Env,
    /// Requests so far.
    pub(super) count: AtomicU64,
    /// Held by everything that the end waits for.
    pub(super) alive: mpsc::Sender<()>,
}

impl Shared {
    /// An id that no other call has.
    fn next_id(&self) -> String {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let began = self.env.now().timestamp_nanos_opt().unwrap_or_default();
        let parts = [u64::from(std::process::id()).to_le_bytes(), number.to_le_bytes(), began.to_le_bytes()];
        CallKey::from_parts(&parts).to_string()
    }
}

/// Body of an answer.
pub(super) enum Answer {
    /// From upstream.
    Relay(Box<Relay>),
    /// Of our own.
    Own(Full<Bytes>),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut *self {
            Self::Relay(relay) => Pin::new(&mut **relay).poll_frame(context),
            Self::Own(full) => Pin::new(full).poll_frame(context).map_err(|never| match never {}),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Relay(relay) => relay.is_end_stream(),
            Self::Own(full) => full.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Relay(relay) => relay.size_hint(),
            Self::Own(full) => full.size_hint(),
        }
    }
}

/// Answers a request.
pub(super) async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Answer>, Infallible> {
    let began = std::time::Instant::now();
    let is_anthropic = request.headers().contains_key("anthropic-version");
    let own = |trouble: Trouble| Ok(trouble.answer(is_anthropic).map(Answer::Own));
    if let Some(trouble) = stranger(&shared, &request) {
        return own(trouble);
    }
    let Some(mut route) = route::route(&shared.upstreams, request.method(), request.uri()) else {
        return own(Trouble::request(StatusCode::NOT_FOUND, "tokmeter: no upstream has this path"));
    };
    route.is_anthropic |= is_anthropic;
    let Some(owner) = owner(&shared, &request, &route) else {
        return Ok(Trouble::key().answer(route.is_anthropic).map(Answer::Own));
    };
    let who = who(&request, owner);
    let is_anthropic = route.is_anthropic;
    let job = Job { id: shared.next_id(), route, who, began };
    // A task of its own, so that a client that leaves does not end the call.
    let (told, answer) = oneshot::channel();
    tokio::spawn(exchange::run(shared, job, request, told));
    Ok(match answer.await {
        Ok(answer) => answer,
        Err(_) => Trouble::upstream("tokmeter: the proxy is ending").answer(is_anthropic).map(Answer::Own),
    })
}

/// Why a request is not served: without a token, only names of this machine are, and pages of other origins never.
fn stranger(shared: &Shared, request: &Request<Incoming>) -> Option<Trouble> {
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let host = text(HOST).or_else(|| request.uri().authority().map(|authority| authority.as_str()));
    if shared.token.is_none() && !host.is_some_and(is_loopback) {
        return Some(Trouble::request(StatusCode::FORBIDDEN, "tokmeter: this proxy answers to localhost only"));
    }
    let origin = text(ORIGIN).map(|origin| origin.split_once("://").map_or(origin, |(_, host)| host));
    if origin.is_some_and(|origin| Some(origin) != host) {
        return Some(Trouble::request(StatusCode::FORBIDDEN, "tokmeter: pages of other origins are not served"));
    }
    None
}

/// Owner of the key that a request presents; `None` when it must present one and does not.
fn owner(shared: &Shared, request: &Request<Incoming>, route: &Route) -> Option<Owner> {
    let presented = route.key.as_deref().or_else(|| headers::key(request.headers()));
    let Some(token) = &shared.token else { return shared.admission.owner(presented) };
    if presented.is_some_and(|presented| token.is(presented)) {
        return Some(Owner::default());
    }
    shared.admission.owner(presented).filter(|owner| owner.key.is_some())
}

/// Who calls. A key says it with certainty, headers where it says nothing.
fn who(request: &Request<Incoming>, owner: Owner) -> Who {
    let said = headers::who(request.headers());
    Who { user: owner.user.or(said.user), team: owner.team.or(said.team), key: owner.key, ..said }
}
