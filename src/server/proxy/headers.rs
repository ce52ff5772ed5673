//! Headers in both directions: hop-by-hop headers and our own are removed, everything else passes unchanged.

use std::borrow::Cow;
use std::time::Duration;

use hyper::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION,
    TE, TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::response::Parts;
use hyper::{HeaderMap, Version};

use super::admission::Who;
use crate::domain::{Label, percent_decoded};

/// Maximum number of headers of a message in HTTP/1.1.
pub(super) const HEADERS: usize = 512;
/// Maximum size of a message's headers in HTTP/2, in bytes. HTTP/1.1 takes heads of several hundred kilobytes, too.
pub(super) const HEAD_BYTES: u32 = 1 << 20;

/// Header that contains our own key.
pub(super) const KEY: HeaderName = HeaderName::from_static("x-tokmeter-key");
/// Id of the call, in our responses.
pub(super) const CALL_ID: HeaderName = HeaderName::from_static("x-tokmeter-call-id");
/// Milliseconds that we added before the head of the response.
pub(super) const OVERHEAD: HeaderName = HeaderName::from_static("x-tokmeter-overhead-ms");
/// The limit that decided.
pub(super) const LIMIT: HeaderName = HeaderName::from_static("x-tokmeter-limit");

/// The name of a header, created once: a lookup by text would check and fold its letters every time.
const fn named(name: &'static str) -> HeaderName {
    HeaderName::from_static(name)
}

/// Our own headers, which are not sent upstream.
static OWN: [HeaderName; 7] = [
    KEY,
    named("x-team-id"),
    named("x-user-id"),
    named("x-agent-id"),
    named("x-feature"),
    named("x-session-id"),
    named("x-project"),
];
/// Hop-by-hop headers.
static HOP: [HeaderName; 7] = [
    CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TRANSFER_ENCODING,
    UPGRADE,
    named("keep-alive"),
    named("proxy-connection"),
];
/// Headers that identify the caller, in order of precedence.
static USER: [HeaderName; 1] = [named("x-user-id")];
static TEAM: [HeaderName; 1] = [named("x-team-id")];
static SESSION: [HeaderName; 4] =
    [named("x-session-id"), named("x-claude-code-session-id"), named("session_id"), named("session-id")];
static AGENT: [HeaderName; 2] = [named("x-agent-id"), named("x-claude-code-agent-id")];
static PROJECT: [HeaderName; 1] = [named("x-project")];
static FEATURE: [HeaderName; 1] = [named("x-feature")];
/// Header that contains several names and values.
static BAGGAGE: HeaderName = named("baggage");
static TAGS: HeaderName = named("x-litellm-tags");
static IDEMPOTENCY: HeaderName = named("idempotency-key");
/// Headers with the id of a request, in order of precedence.
static REQUEST: [HeaderName; 2] = [named("request-id"), named("x-request-id")];

/// Removes hop-by-hop headers, including those listed in `Connection`.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        // A client must not be able to have the upstream's length or address removed. `Connection` has to list `TE`.
        if name != CONTENT_LENGTH && name != HOST && name != TE {
            headers.remove(name);
        }
    }
    // Keep the permission to send trailers, which are forwarded. `Trailer` says which ones there are.
    let codings = headers.get_all(TE).iter().filter_map(|value| value.to_str().ok());
    let mut codings = codings.flat_map(|value| value.split(','));
    if codings.any(|coding| coding.trim().eq_ignore_ascii_case("trailers")) {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    } else {
        headers.remove(TE);
    }
    for name in &HOP {
        headers.remove(name);
    }
}

/// True if a request opens a `WebSocket`. Other upgrades are offers, which need not be taken up.
pub(super) fn opens_websocket(headers: &HeaderMap) -> bool {
    let offers = headers.get_all(UPGRADE).iter().filter_map(|value| value.to_str().ok());
    offers.flat_map(|value| value.split(',')).any(|offer| offer.trim().eq_ignore_ascii_case("websocket"))
}

/// Removes our own headers and a request's hop-by-hop headers.
pub(super) fn to_upstream(headers: &mut HeaderMap) {
    remove_hop_by_hop(headers);
    for name in &OWN {
        headers.remove(name);
    }
    // Our server has answered it, or will do so.
    headers.remove(EXPECT);
    headers.remove(HOST);
    join_cookies(headers);
}

/// Removes an answer's hop-by-hop headers. Its version is that of the upstream's connection: an answer of HTTP/1.0
/// passed on as such would end with the client's connection, and one that broke off would look whole (RFC 9112, 2.3).
pub(super) fn to_client(head: &mut Parts) {
    remove_hop_by_hop(&mut head.headers);
    head.version = Version::HTTP_11;
}

/// Joins cookies in one header. HTTP/2 allows several, HTTP/1.1 does not (RFC 9113, 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let all: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if all.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&all.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
}

/// A header as text. Clients send names beyond ASCII in UTF-8, or in Latin-1 as HTTP/1 once said.
fn text_of(value: &HeaderValue) -> Cow<'_, str> {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(value.as_bytes().iter().copied().map(char::from).collect()),
    }
}

/// The text of a header that is not empty.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, str>> {
    headers.get(name).map(text_of).filter(|text| !text.is_empty())
}

/// The caller, according to the headers.
pub(super) fn who(headers: &HeaderMap) -> Who {
    let tags = text(headers, &TAGS).unwrap_or_default();
    let has_others = !tags.is_empty() || headers.contains_key(&BAGGAGE);
    // Names beyond ASCII may be percent-encoded.
    let label = |names: &[HeaderName], also: &[&str]| {
        let value = names.iter().find_map(|name| text(headers, name).map(|text| percent_decoded(&text)));
        let others = || also.iter().find_map(|name| baggage(headers, name)).or_else(|| tag(&tags, also));
        let value = value.or_else(|| has_others.then(others).flatten());
        value.and_then(|value| Label::find(&value))
    };
    Who {
        user: label(&USER, &["user.id", "user_id", "user"]),
        team: label(&TEAM, &["team.id", "team_id", "team"]),
        session: label(&SESSION, &["session.id", "session_id", "session"]),
        agent: label(&AGENT, &["agent.id", "agent_id", "agent"]),
        project: label(&PROJECT, &["project.id", "project_id", "project"]),
        feature: label(&FEATURE, &["feature"]),
        key: None,
    }
}

/// A member of the W3C baggage header.
fn baggage(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get_all(&BAGGAGE).iter().find_map(|value| {
        text_of(value).split(',').find_map(|member| {
            let (key, value) = member.split(';').next()?.split_once('=')?;
            (key.trim() == name).then(|| percent_decoded(value.trim()))
        })
    })
}

/// The value of the first of these names among `LiteLLM`'s tags, which are plain words or have the form
/// `feature:search`.
fn tag(tags: &str, names: &[&str]) -> Option<String> {
    let value = |name: &&str| {
        let mut named = tags.split(',').filter_map(|tag| tag.split_once(':'));
        named.find(|(key, _)| key.trim() == *name).map(|(_, value)| value.trim().to_owned())
    };
    names.iter().find_map(value)
}

/// The vendor's id of a request, by which logs elsewhere know it, too. An id that the client sent itself does not
/// count: gateways send it back, and a client may use one for many calls.
pub(super) fn request_id<'a>(sent: &HeaderMap, answer: &'a HeaderMap) -> Option<&'a str> {
    let ids = REQUEST.iter().filter_map(|name| answer.get(name));
    let mut own = ids.filter(|id| !sent.values().any(|value| value == *id));
    own.find_map(|id| id.to_str().ok().filter(|id| id.starts_with("req_")))
}

/// The key by which a client identifies a call that it may repeat.
pub(super) fn idempotency(headers: &HeaderMap) -> Option<String> {
    text(headers, &IDEMPOTENCY).map(Cow::into_owned)
}

/// The key in a header.
pub(super) fn key(headers: &HeaderMap) -> Option<&str> {
    headers.get(KEY).and_then(|value| value.to_str().ok())
}

/// Says how much time was added before the head of the answer.
pub(super) fn overhead(headers: &mut HeaderMap, time: Duration) {
    let micros = time.as_micros();
    insert(headers, OVERHEAD, &format!("{}.{:03}", micros / 1000, micros % 1000));
}

/// Inserts a header, unless the value is not valid in a header.
pub(super) fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        map
    }

    #[test]
    fn headers_of_a_hop_and_ours_go_and_credentials_stay() {
        let mut map = headers(&[
            ("connection", "close, x-hop, content-length, te"),
            ("x-hop", "1"),
            ("content-length", "5"),
            ("te", "trailers, deflate"),
            ("transfer-encoding", "chunked"),
            ("trailer", "x-checksum"),
            ("authorization", "Bearer sk-canary"),
            ("x-api-key", "sk-ant-oat01-canary"),
            ("anthropic-beta", "oauth-2025-04-20"),
            ("x-tokmeter-key", "k"),
            ("x-team-id", "web"),
            ("host", "127.0.0.1"),
        ]);
        to_upstream(&mut map);
        let mut left: Vec<&str> = map.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["anthropic-beta", "authorization", "content-length", "te", "trailer", "x-api-key"]);
        assert_eq!(map[TE], "trailers");
        let mut map = headers(&[("te", "deflate"), ("cookie", "a=1"), ("cookie", "b=2; c=3")]);
        to_upstream(&mut map);
        assert_eq!(map, headers(&[("cookie", "a=1; b=2; c=3")]));
    }

    #[test]
    fn a_request_is_known_by_its_vendors_id_and_by_no_id_that_the_client_sent() {
        let id = |sent: &[_], answer: &[_]| {
            let (sent, answer) = (headers(sent), headers(answer));
            request_id(&sent, &answer).map(str::to_owned)
        };
        let both = [("x-request-id", "0b5e"), ("request-id", "req_1")];
        assert_eq!(id(&[], &both).as_deref(), Some("req_1"));
        assert_eq!(id(&[], &[("x-request-id", "req_2")]).as_deref(), Some("req_2"));
        for sent in [("request-id", "req_1"), ("x-request-id", "req_1"), ("x-trace", "req_1")] {
            assert_eq!(id(&[sent], &both), None, "{sent:?}");
        }
        assert_eq!(id(&[], &both[..1]), None, "an id that no log has");
    }

    #[test]
    fn own_headers_come_before_agents_headers_baggage_and_tags() {
        let found = who(&headers(&[
            ("x-user-id", "al%C3%AFce"),
            ("x-claude-code-session-id", "s-1"),
            ("x-claude-code-agent-id", "a-1"),
            ("baggage", "team.id=web;p=1, user.id=bob"),
            ("baggage", "feature=find%20it"),
            ("x-litellm-tags", "nightly,project:api"),
        ]));
        let name = |label: Option<Label>| label.map(|label| label.as_str().to_owned()).unwrap_or_default();
        let all = [found.user, found.team, found.session, found.agent, found.project, found.feature].map(name);
        assert_eq!(all, ["alïce", "web", "s-1", "a-1", "api", "find it"]);
        assert_eq!(who(&headers(&[("x-user-id", "")])), Who::default());
    }

    #[test]
    fn names_beyond_ascii_count_in_utf8_and_in_latin1_in_every_header() {
        let in_utf8 = "zoë";
        let cases: [(&[u8], &str); 4] = [
            (in_utf8.as_bytes(), in_utf8),
            (b"zo\xeb", in_utf8),
            (b"zo%C3%AB", in_utf8),
            ("%C3%AFda zoë".as_bytes(), "ïda zoë"),
        ];
        for (bytes, name) in cases {
            let all = |header: &'static str, prefix: &str| {
                let value = HeaderValue::from_bytes(&[prefix.as_bytes(), bytes].concat()).unwrap();
                who(&HeaderMap::from_iter([(HeaderName::from_static(header), value)]))
            };
            let label = Some(Label::new(name));
            assert_eq!(all("x-user-id", "").user, label);
            assert_eq!(all("x-team-id", "").team, label);
            assert_eq!(all("x-project", "").project, label);
            assert_eq!(all("session_id", "").session, label);
            assert_eq!(all("x-agent-id", "").agent, label);
            assert_eq!(all("x-feature", "").feature, label);
            assert_eq!(all("baggage", "a=1,user.id=").user, label);
            let decoded = if name == in_utf8 && !bytes.contains(&b'%') { label } else { None };
            assert!(decoded.is_none() || all("x-litellm-tags", "nightly,team:").team == decoded);
        }
        let key = HeaderValue::from_bytes("aufgabe-ü".as_bytes()).unwrap();
        assert_eq!(idempotency(&HeaderMap::from_iter([(IDEMPOTENCY.clone(), key)])).as_deref(), Some("aufgabe-ü"));
        assert_eq!(idempotency(&headers(&[("idempotency-key", "")])), None);
    }
}
