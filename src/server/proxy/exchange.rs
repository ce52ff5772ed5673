//! The exchange with the upstream. The request is forwarded as it arrives, and repeated if an upstream rejects our
//! additions. The response is passed to the client while it is being counted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::{Body as _, Incoming};
use hyper::header::{ACCEPT_ENCODING, CONTENT_LENGTH};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::client::legacy::ResponseFuture;

use super::admission::{Ask, Decision, Protocol, Refusal, Who};
use super::answers::Trouble;
use super::body::Answer;
use super::count::{About, asked};
use super::detached_answer::Left;
use super::facts::{Facts, Scan};
use super::headers::{self, CALL_ID, OVERHEAD};
use super::record::CallRecord;
use super::refusal::{self, Client};
use super::relay::Relay;
use super::request::{Outgoing, Sent};
use super::response_reader::ResponseReader;
use super::route::Route;
use super::shared::Shared;
use super::unpack::Unpack;
use super::usage_chunk_filter::UsageChunkFilter;
use crate::domain::{Dimension, Label};

/// How long to wait for a response after its client has disconnected.
const LEFT: Duration = Duration::from_secs(2);
/// Delays after which to ask again, because another proxy takes that long to book a call that has ended.
const ELSEWHERE: [Duration; 3] = [Duration::from_millis(10), Duration::from_millis(20), Duration::from_millis(40)];
/// If a client pauses for this long, the body is forwarded before its end is known.
const PAUSE: Duration = Duration::from_millis(1);
/// Number of bytes of a body to buffer in order to learn its length, or a model that no limit depends on.
const GATHERED: usize = 256 * 1024;
/// Number of bytes of a body to buffer for an upstream that requires a content length, or to learn what limits depend
/// on.
const MEASURED: usize = 32 * 1024 * 1024;

/// A request to be made.
pub(super) struct Job {
    /// Our own id for it.
    pub(super) id: String,
    pub(super) route: Route,
    pub(super) who: Who,
    pub(super) began: Instant,
    /// Its head, as the client sent it.
    pub(super) parts: Parts,
}

/// Why there is no response from upstream.
enum Failed {
    /// A limit is reached.
    Refused(Refusal),
    /// An error.
    Trouble(Trouble),
    /// The client has disconnected.
    Left,
}

/// Makes a request. Returns its answer, or `None` if the client has left.
pub(super) async fn run(shared: &Arc<Shared>, job: &Job, body: Incoming, left: &Left) -> Option<Response<Answer>> {
    let is_anthropic = job.route.is_anthropic;
    let answered = match job.route.protocol {
        Some(protocol) => counted(shared, job, protocol, body, left).await,
        None => uncounted(shared, job, body, left).await,
    };
    let mut answer = match answered {
        Ok(answer) => answer,
        Err(Failed::Refused(refusal)) => {
            let client = Client::new(is_anthropic, &job.parts.headers);
            refusal::refused(client, &refusal, shared.env.now()).map(Answer::Own)
        }
        Err(Failed::Trouble(trouble)) => trouble.answer(is_anthropic).map(Answer::Own),
        Err(Failed::Left) => return None,
    };
    headers::insert(answer.headers_mut(), CALL_ID, &job.id);
    if !answer.headers().contains_key(OVERHEAD) {
        headers::overhead(answer.headers_mut(), job.began.elapsed());
    }
    Some(answer)
}

/// Forwards a request that is not a call.
async fn uncounted(shared: &Shared, job: &Job, body: Incoming, left: &Left) -> Result<Response<Answer>, Failed> {
    let outgoing = upstream_request(job, Outgoing::unread(body), false);
    let before = job.began.elapsed();
    let answer = tokio::select! {
        answer = shared.client.send(outgoing) => answer.map_err(|error| upstream_failure(&error))?,
        () = left.wait() => return Err(Failed::Left),
    };
    let arrived = Instant::now();
    let (mut head, body) = answer.into_parts();
    headers::to_client(&mut head);
    headers::overhead(&mut head.headers, before + arrived.elapsed());
    Ok(Response::from_parts(head, Answer::Relay(Box::new(Relay::new(body, None, None)))))
}

/// Forwards a call and counts it.
async fn counted(
    shared: &Arc<Shared>,
    job: &Job,
    protocol: Protocol,
    body: Incoming,
    left: &Left,
) -> Result<Response<Answer>, Failed> {
    let length = body.size_hint().exact();
    let (sent, mut outgoing, may_ask) = begun(shared, job, protocol, body);
    let limited = shared.admission.limited();
    let limits = limited.as_deref().filter(|_| !job.route.is_fetch).map(|limited| (limited, length));
    gather(shared, job, &sent, &mut outgoing, may_ask, limits).await.map_err(|_| Failed::Left)?;
    let gathered = Instant::now();
    let mut record = record(shared, job, protocol, &sent);
    let mut near = None;
    if let Some(limited) = limited.filter(|_| !job.route.is_fetch) {
        if limited.contains(&Dimension::Model) {
            if let Some(trouble) = sent.hidden_model() {
                return Err(Failed::Trouble(trouble));
            }
            sent.allows_one_model();
        }
        let ask = ask(shared, job, protocol, &sent, length);
        match Box::pin(admitted(shared, ask)).await {
            Decision::Go { hold, near: state } => {
                record.holds(hold);
                near = state;
            }
            Decision::Refuse(refusal) => return Err(Failed::Refused(refusal)),
        }
    }
    let is_changed = may_ask && (sent.is_asked() || !outgoing.is_whole());
    let request = upstream_request(job, outgoing, is_changed);
    let noted = record.sends(length).map(Box::pin);
    let before = gathered.elapsed();
    let answer = sent_upstream(shared.client.send(request), noted, left, &mut record).await;
    if let Some(trouble) = sent.cut() {
        record.is_free();
        return Err(Failed::Trouble(trouble));
    }
    let mut answer = answer?;
    if let Some(again) = rejected(&sent, answer.status(), is_changed) {
        answer = Box::pin(asked_again(shared, job, &sent, again, is_changed)).await.map_err(|error| {
            record.is_free();
            upstream_failure(&error)
        })?;
    }
    sent.answered();
    let arrived = Instant::now();
    let (mut head, body) = answer.into_parts();
    headers::to_client(&mut head);
    if head.status.is_success() {
        let request =
            headers::request_id(&job.parts.headers, &head.headers).filter(|id| shared.memory.is_new_request(id));
        record.answers(ResponseReader::new(&head.headers), request.map(str::to_owned));
    } else {
        record.is_free();
    }
    let hides = sent.is_asked() && head.status.is_success();
    let hide = hides.then(|| UsageChunkFilter::new(&head.headers)).flatten();
    if hide.is_some() {
        head.headers.remove(CONTENT_LENGTH);
    }
    if let Some(near) = &near {
        refusal::warn(job.route.is_anthropic, near, &mut head.headers);
    }
    headers::overhead(&mut head.headers, before + arrived.elapsed());
    Ok(Response::from_parts(head, Answer::Relay(Box::new(Relay::new(body, Some(record), hide)))))
}

/// Begins to read a call's body. Also returns whether usage may be requested in it.
fn begun(shared: &Shared, job: &Job, protocol: Protocol, body: Incoming) -> (Arc<Sent>, Outgoing, bool) {
    let scan = Scan::new(Unpack::of_headers(&job.parts.headers), job.route.model.clone());
    let may_ask = protocol == Protocol::Chat && scan.is_plain();
    let sent = Arc::new(Sent::new(scan, may_ask, Arc::clone(&shared.memory), job.route.upstream));
    let outgoing = Outgoing::new(body, Arc::clone(&sent), may_ask);
    (sent, outgoing, may_ask)
}

/// Waits for the part of the body that must be known before it is forwarded. `limits` has the names that limits depend
/// on, and the announced length of the body.
async fn gather(
    shared: &Shared,
    job: &Job,
    sent: &Sent,
    outgoing: &mut Outgoing,
    may_ask: bool,
    limits: Option<(&[Dimension], Option<u64>)>,
) -> Result<(), hyper::Error> {
    outgoing.gather().await?;
    while let Some((limited, length)) = limits {
        let (facts, _) = sent.facts_so_far();
        let most = match facts.model {
            _ if may_matter(limited, &job.who, &facts) => MEASURED,
            // Its size says how much to hold, too.
            _ if length.is_none() => MEASURED,
            // Its price says how much to hold.
            None => GATHERED,
            Some(_) => break,
        };
        if outgoing.waiting() >= most || !outgoing.gather().await? {
            break;
        }
    }
    if !may_ask {
        return Ok(());
    }
    let is_measured = shared.memory.measures(job.route.upstream);
    while is_measured && outgoing.waiting() < MEASURED && outgoing.gather().await? {}
    // Most bodies are complete within a moment, and then their length is known.
    while !outgoing.is_whole() && outgoing.waiting() < GATHERED {
        match tokio::time::timeout(PAUSE, outgoing.gather()).await {
            Ok(more) => _ = more?,
            Err(_) => break,
        }
    }
    Ok(())
}

/// True while the rest of the body may name something that a limit depends on. A body may name its caller in several
/// places, of which the first is not the one that counts (`user` after `metadata`), so only the whole body says. A
/// second model ends the body where it shows.
fn may_matter(limited: &[Dimension], who: &Who, facts: &Facts) -> bool {
    let is_open = |name: &Option<Label>| name.is_none() && !facts.is_whole;
    let unknown = [
        (Dimension::Model, facts.model.is_none()),
        (Dimension::User, is_open(&who.user)),
        (Dimension::Team, is_open(&who.team) && who.key.is_none()),
        (Dimension::Session, is_open(&who.session)),
        (Dimension::Agent, is_open(&who.agent)),
        (Dimension::Project, is_open(&who.project)),
        (Dimension::Feature, is_open(&who.feature)),
    ];
    unknown.into_iter().any(|(dimension, is_unknown)| is_unknown && limited.contains(&dimension))
}

fn record(shared: &Shared, job: &Job, protocol: Protocol, sent: &Arc<Sent>) -> Box<CallRecord> {
    let about = About {
        protocol,
        upstream: job.route.upstream,
        path: job.route.uri.path().to_owned(),
        id: job.id.clone(),
        at: shared.env.now(),
        latency: Duration::ZERO,
        who: job.who.clone(),
        facts: Facts::default(),
        bytes: 0,
        idempotency: headers::idempotency(&job.parts.headers),
        request: None,
        defaults: shared.defaults.clone(),
        is_codex: Client::new(false, &job.parts.headers) == Client::Codex,
        is_fetch: job.route.is_fetch,
    };
    Box::new(CallRecord::new(about, Arc::clone(sent), shared.booking.clone(), shared.alive.clone(), job.began))
}

fn ask(shared: &Shared, job: &Job, protocol: Protocol, sent: &Sent, length: Option<u64>) -> Ask {
    let (facts, bytes) = sent.facts_so_far();
    let defaults = &shared.defaults;
    let who = job.who.completed(&facts.who, defaults);
    // If the body has not arrived completely, use its announced length.
    let is_whole = length.is_none_or(|length| length <= bytes);
    let input = if is_whole { facts.input(bytes) } else { Facts::default().input(length.unwrap_or(bytes)) };
    let model = facts.model.as_deref().map(Label::new);
    let asked = asked(model.clone(), job.route.uri.path());
    let answers_as = shared.memory.answers_as(job.route.upstream, &asked, Instant::now());
    let (org, output, at) = (defaults.org.clone(), facts.most_output, shared.env.now());
    Ask { protocol, model, answers_as, who, org, input, output, at }
}

/// Decides whether the call may be made. Calls that have ended count with their holds until they are booked, so before
/// a call is refused because of holds, those are booked, and another proxy on the same ledger gets the time to book its
/// own.
async fn admitted(shared: &Arc<Shared>, ask: Ask) -> Decision {
    let booked = shared.booking.booked();
    let ask = Arc::new(ask);
    let mut decision = decided(shared, &ask).await;
    let waits = |decision: &Decision| matches!(decision, Decision::Refuse(Refusal::Over(state)) if state.waits);
    if waits(&decision) && shared.booking.settled(booked).await {
        decision = decided(shared, &ask).await;
    }
    for wait in ELSEWHERE {
        if !waits(&decision) {
            break;
        }
        tokio::time::sleep(wait).await;
        decision = decided(shared, &ask).await;
    }
    decision
}

/// Asks whether the call may be made, on this thread if that needs no waiting, otherwise on a thread that may block.
async fn decided(shared: &Arc<Shared>, ask: &Arc<Ask>) -> Decision {
    if let Some(decision) = shared.admission.admit_at_once(ask) {
        return decision;
    }
    let (admission, ask) = (Arc::clone(&shared.admission), Arc::clone(ask));
    let decision = tokio::task::spawn_blocking(move || admission.admit(&ask)).await;
    // It panicked.
    decision.unwrap_or_else(|_| shared.admission.undecided())
}

/// Sends a request, and notes the call while the upstream works unless it has been noted. If the client disconnects
/// meanwhile, the request continues for a while.
async fn sent_upstream(
    answer: ResponseFuture,
    noted: Option<impl Future<Output = ()> + Unpin>,
    left: &Left,
    record: &mut CallRecord,
) -> Result<Response<Incoming>, Failed> {
    let sending = async {
        tokio::pin!(answer);
        let Some(noted) = noted else { return answer.await };
        tokio::select! {
            biased;
            answer = &mut answer => answer,
            () = noted => answer.await,
        }
    };
    tokio::pin!(sending);
    let answer = tokio::select! {
        biased;
        answer = &mut sending => answer,
        () = left.wait() => match tokio::time::timeout(LEFT, &mut sending).await {
            Ok(answer) => answer,
            // The record accounts for the request.
            Err(_) => return Err(Failed::Left),
        },
    };
    answer.map_err(|error| {
        record.is_free();
        upstream_failure(&error)
    })
}

/// The body to send again unchanged, if this status shows that the upstream rejects our changes, and whether it wants
/// to know its length.
fn rejected(sent: &Sent, status: StatusCode, is_changed: bool) -> Option<(VecDeque<Bytes>, bool)> {
    let is_refused = sent.is_asked() && matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY);
    let is_unmeasured = is_changed && matches!(status, StatusCode::LENGTH_REQUIRED | StatusCode::NOT_IMPLEMENTED);
    if is_refused || is_unmeasured { Some((sent.again()?, is_unmeasured)) } else { None }
}

/// Repeats the request unchanged.
async fn asked_again(
    shared: &Shared,
    job: &Job,
    sent: &Sent,
    (body, is_unmeasured): (VecDeque<Bytes>, bool),
    is_changed: bool,
) -> Result<Response<Incoming>, hyper_util::client::legacy::Error> {
    let mut request = upstream_request(job, Outgoing::again(body), false);
    if is_changed {
        // The length of the unchanged body is set again.
        request.headers_mut().remove(CONTENT_LENGTH);
    }
    let again = shared.client.send(request).await?;
    if is_unmeasured {
        shared.memory.measured(job.route.upstream);
    } else if again.status().is_success() {
        shared.memory.refused(job.route.upstream, sent.facts_so_far().0.model);
    }
    Ok(again)
}

/// The request to the upstream. With `is_changed`, its body may become longer, and the response must use a coding that
/// we can read.
fn upstream_request(job: &Job, body: Outgoing, is_changed: bool) -> Request<Box<Outgoing>> {
    let mut request = Request::new(Box::new(body));
    *request.method_mut() = job.parts.method.clone();
    *request.uri_mut() = job.route.uri.clone();
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    headers.clone_from(&job.parts.headers);
    headers::to_upstream(headers);
    if is_changed {
        headers.remove(CONTENT_LENGTH);
        headers.remove(ACCEPT_ENCODING);
    }
    request
}

fn upstream_failure(error: &hyper_util::client::legacy::Error) -> Failed {
    let what = if error.is_connect() { "cannot be reached" } else { "broke off before it answered" };
    // The cause may contain an address, but never a header.
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    Failed::Trouble(Trouble::upstream(format!("tokmeter: the upstream {what}{cause}")))
}
