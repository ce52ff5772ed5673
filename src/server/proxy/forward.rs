//! Handles one request: who makes it, whether they may, and where it goes.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{HOST, ORIGIN};
use hyper::{Request, Response, StatusCode};

use super::admission::{Owner, Who};
use super::answers::Trouble;
use super::body::Answer;
use super::detached_answer::{DetachedAnswer, Left};
use super::drain;
use super::exchange::{self, Job};
use super::headers;
use super::route::{self, Route};
use super::shared::Shared;
use crate::server::http::token;
use crate::server::loopback;

/// Answers a request.
pub(super) fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> DetachedAnswer {
    let left = Left::default();
    let broken: fn() -> Response<Answer> =
        if request.headers().contains_key("anthropic-version") { || broken(true) } else { || broken(false) };
    DetachedAnswer::new(answered(shared, request, left.clone()), left, broken)
}

fn broken(is_anthropic: bool) -> Response<Answer> {
    Trouble::upstream("tokmeter: the proxy failed").answer(is_anthropic).map(Answer::Own)
}

async fn answered(shared: Arc<Shared>, request: Request<Incoming>, left: Left) -> Response<Answer> {
    let began = std::time::Instant::now();
    let is_anthropic = request.headers().contains_key("anthropic-version");
    let (route, owner) = match admitted(&shared, &request, is_anthropic) {
        Ok(admitted) => admitted,
        Err((trouble, is_anthropic)) => {
            drain::request(request);
            let mut answer = trouble.answer(is_anthropic).map(Answer::Own);
            headers::insert(answer.headers_mut(), headers::CALL_ID, &shared.next_id());
            headers::overhead(answer.headers_mut(), began.elapsed());
            return answer;
        }
    };
    let who = who(&request, owner);
    let is_anthropic = route.is_anthropic;
    let (parts, body) = request.into_parts();
    let job = Box::new(Job { id: shared.next_id(), route, who, began, parts });
    match exchange::run(&shared, &job, body, &left).await {
        Some(answer) => answer,
        // The client has left.
        None => Trouble::upstream("tokmeter: the request broke off").answer(is_anthropic).map(Answer::Own),
    }
}

/// The route and the owner of a request, or why it is rejected, and whether to say so in the form of Anthropic's API.
fn admitted(
    shared: &Shared,
    request: &Request<Incoming>,
    is_anthropic: bool,
) -> Result<(Route, Owner), (Trouble, bool)> {
    if let Some(trouble) = stranger(shared, request) {
        return Err((trouble, is_anthropic));
    }
    let Some(mut route) = route::route(&shared.upstreams, request.method(), request.uri()) else {
        let nowhere = Trouble::request(StatusCode::NOT_FOUND, "tokmeter: no upstream has this path");
        return Err((nowhere, is_anthropic));
    };
    route.is_anthropic |= is_anthropic;
    match owner(shared, request, &route) {
        Some(_) if headers::opens_websocket(request.headers()) => Err((Trouble::websocket(), route.is_anthropic)),
        Some(owner) => Ok((route, owner)),
        None => Err((Trouble::key(), route.is_anthropic)),
    }
}

/// Why a request is rejected: without a token, only names of this machine are served, and pages of other origins never
/// are.
fn stranger(shared: &Shared, request: &Request<Incoming>) -> Option<Trouble> {
    // A second name could be the one that the upstream goes by (RFC 9112, 3.2).
    if request.headers().get_all(HOST).iter().nth(1).is_some() {
        return Some(Trouble::request(StatusCode::BAD_REQUEST, "tokmeter: send one Host"));
    }
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let (target, headers) = (request.uri(), request.headers());
    if shared.token.is_none() && !loopback::is_for_loopback(target, headers) {
        return Some(Trouble::request(StatusCode::FORBIDDEN, "tokmeter: this proxy answers to localhost only"));
    }
    let origin = text(ORIGIN).map(|origin| origin.split_once("://").map_or(origin, |(_, host)| host));
    if origin.is_some_and(|origin| Some(origin) != loopback::host(target, headers)) {
        return Some(Trouble::request(StatusCode::FORBIDDEN, "tokmeter: pages of other origins are not served"));
    }
    None
}

/// Owner of the key that a request presents; `None` if it must present one and does not.
fn owner(shared: &Shared, request: &Request<Incoming>, route: &Route) -> Option<Owner> {
    let presented = route.key.as_deref().or_else(|| headers::key(request.headers()));
    let Some(token) = &shared.token else { return shared.admission.owner(presented) };
    if presented.is_some_and(|presented| token::is(token, presented)) {
        return Some(Owner::default());
    }
    shared.admission.owner(presented).filter(|owner| owner.key.is_some())
}

/// The caller. A key says whose user and team it is, also if it has no team; headers name the rest.
fn who(request: &Request<Incoming>, owner: Owner) -> Who {
    let named = headers::who(request.headers());
    if owner.key.is_some() {
        return Who { user: owner.user, team: owner.team, key: owner.key, ..named };
    }
    Who { user: owner.user.or(named.user), team: owner.team.or(named.team), ..named }
}
