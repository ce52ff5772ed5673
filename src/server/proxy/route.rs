//! Where a request goes: its API, the key in its path, and the upstream for its prefix.

mod named;

use std::borrow::Cow;

use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::{Method, Uri};

use super::admission::Protocol;
use crate::domain::percent_bytes;

/// A model service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upstream {
    /// Prefix of the paths that go there, without a trailing slash; empty for all paths.
    pub(crate) prefix: String,
    scheme: Scheme,
    authority: Authority,
    /// Path of its address, without a trailing slash.
    base: String,
}

impl Upstream {
    /// Parses `URL` or `/prefix=URL`.
    ///
    /// # Errors
    /// When it is invalid, with the reason. Credentials in the address are rejected and never repeated.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((prefix, url)) if prefix.starts_with('/') => Self::new(prefix, url),
            _ => Self::new("", text),
        }
    }

    /// The upstream at this address, for paths with this prefix.
    ///
    /// # Errors
    /// The same as for [`Upstream::parse`].
    pub(crate) fn new(prefix: &str, url: &str) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|_| "is not an address such as https://api.openai.com".to_owned())?;
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err("has no https:// or http:// at its beginning".to_owned());
        };
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err("is neither https:// nor http://".to_owned());
        }
        if authority.as_str().contains('@') {
            return Err("holds a password; clients send their own credentials".to_owned());
        }
        let path = parts.path_and_query.as_ref().map_or("", PathAndQuery::as_str);
        if path.contains('?') {
            return Err("holds a query".to_owned());
        }
        if !prefix.is_empty() && (!prefix.starts_with('/') || prefix.starts_with("/k/") || prefix == "/k") {
            return Err("has a prefix that does not begin with / or is /k".to_owned());
        }
        Ok(Self {
            prefix: prefix.trim_end_matches('/').to_owned(),
            scheme,
            authority,
            base: path.trim_end_matches('/').to_owned(),
        })
    }

    /// True when it is reached over TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// The upstream address of a path. A base such as `/v1` is not doubled if the path repeats it.
    fn uri(&self, rest: &str) -> Option<Uri> {
        let is_doubled = !self.base.is_empty() && is_below(rest.split('?').next().unwrap_or_default(), &self.base);
        let path = if is_doubled || self.base.is_empty() { rest.to_owned() } else { format!("{}{rest}", self.base) };
        let path = if path.starts_with('/') { path } else { format!("/{path}") };
        let builder = Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone());
        builder.path_and_query(path).build().ok()
    }
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// Index of the upstream in the list.
    pub(super) upstream: usize,
    /// Address there.
    pub(super) uri: Uri,
    /// The API, if the call should be counted.
    pub(super) protocol: Option<Protocol>,
    /// True if it only fetches or cancels a response that was made in the background.
    pub(super) is_fetch: bool,
    /// The API's family, for errors.
    pub(super) is_anthropic: bool,
    /// The model of a call whose path names it.
    pub(super) model: Option<String>,
    /// Key from the path.
    pub(super) key: Option<String>,
}

/// Finds where a request goes; `None` if there is no upstream for it.
pub(super) fn route(upstreams: &[Upstream], method: &Method, uri: &Uri) -> Option<Route> {
    let all = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let (key, all) = match all.strip_prefix("/k/") {
        Some(rest) => {
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            (Some(rest[..end].to_owned()), &rest[end..])
        }
        None => (None, all),
    };
    let path = all.split('?').next().unwrap_or_default();
    let fits = upstreams.iter().enumerate().filter(|(_, upstream)| is_below(path, &upstream.prefix));
    let (place, upstream) = fits.max_by_key(|(_, upstream)| upstream.prefix.len())?;
    let uri = upstream.uri(&all[upstream.prefix.len()..])?;
    let path = &path[upstream.prefix.len()..];
    let ends = Ends::all(uri.path());
    let is_fetch = method == Method::GET && ends.iter().any(Ends::is_response)
        || method == Method::POST && ends.iter().any(Ends::is_cancelling);
    let called = (method == Method::POST).then(|| ends.iter().find_map(Ends::protocol)).flatten();
    let model = called.and_then(|_| named::model(uri.path()));
    Some(Route {
        upstream: place,
        uri,
        model,
        protocol: called.or_else(|| is_fetch.then_some(Protocol::Responses)),
        is_fetch,
        is_anthropic: is_messages(path)
            || called == Some(Protocol::Messages)
            || upstream.authority.as_str().contains("anthropic"),
        key,
    })
}

/// Things of other services that contain messages, at `/threads/ID/messages` and so on.
const HOLDERS: [&str; 6] = ["threads", "conversations", "completions", "channels", "chats", "rooms"];

/// True for a path of Anthropic's Messages API, and not of other things that contain messages.
fn is_messages(path: &str) -> bool {
    path.contains("/messages") && !path.split('/').any(|part| HOLDERS.contains(&part))
}

/// True for the version of an API: `v1`, `v1beta`.
fn is_version(part: &str) -> bool {
    part.strip_prefix('v').is_some_and(|rest| rest.starts_with(|digit: char| digit.is_ascii_digit()))
}

/// The last three parts of a path, whatever its prefix: `/v1`, `/openai/deployments/NAME`, `/api/v1`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ends<'a> {
    last: Cow<'a, str>,
    above: Cow<'a, str>,
    top: Cow<'a, str>,
}

impl<'a> Ends<'a> {
    /// The ways a service may interpret the path: it may decode it, ignore the case, `;parameters` and repeated
    /// slashes, and resolve `.` and `..`, where a part without a name may count or not.
    fn all(path: &'a str) -> [Self; 2] {
        if is_plain(path) {
            let mut parts = path.rsplit('/').map(Cow::Borrowed);
            let mut next = || parts.next().unwrap_or_default();
            let ends = Self { last: next(), above: next(), top: next() };
            return [ends.clone(), ends];
        }
        Self::interpreted(path)
    }

    fn interpreted(path: &str) -> [Self; 2] {
        let decoded = percent_bytes(path);
        let decoded = String::from_utf8_lossy(&decoded);
        [true, false].map(|is_collapsed| {
            let mut parts = parts(&decoded, is_collapsed).map(|part| Cow::Owned(part.to_ascii_lowercase()));
            let mut next = || parts.next().unwrap_or_default();
            Self { last: next(), above: next(), top: next() }
        })
    }

    /// The API of a path with these ends.
    fn protocol(&self) -> Option<Protocol> {
        match (&*self.last, &*self.above) {
            ("completions", _) => Some(Protocol::Chat),
            ("responses", _) | ("compact", "responses") => Some(Protocol::Responses),
            ("embeddings", _) => Some(Protocol::Embeddings),
            (last, "models") if self.top == "anthropic" && named::of_vertex(last).is_some() => Some(Protocol::Messages),
            ("messages", above) if is_version(above) => Some(Protocol::Messages),
            ("messages", above) if ![above, &*self.top].iter().any(|part| HOLDERS.contains(part)) => {
                Some(Protocol::Messages)
            }
            _ => None,
        }
    }

    /// True for the path of a response: `/responses/ID`.
    fn is_response(&self) -> bool {
        !self.last.is_empty() && self.above == "responses"
    }

    /// True for the path that cancels a response and answers with it: `/responses/ID/cancel`.
    fn is_cancelling(&self) -> bool {
        self.last == "cancel" && self.top == "responses"
    }
}

/// True for a path that every service takes as it is written.
fn is_plain(path: &str) -> bool {
    let is_usual = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"/-_".contains(&byte);
    path.bytes().all(is_usual) && !path.ends_with('/') && !path.contains("//")
}

/// The parts of a path that have a name, from the last one on, after `.` and `..` were resolved.
fn parts(path: &str, is_collapsed: bool) -> impl Iterator<Item = &str> {
    let mut left_out = 0_usize;
    path.rsplit(['/', '\\']).map(|part| part.split(';').next().unwrap_or_default()).filter(move |part| match *part {
        "." => false,
        ".." => {
            left_out += 1;
            false
        }
        "" if is_collapsed || left_out == 0 => false,
        _ if left_out > 0 => {
            left_out -= 1;
            false
        }
        part => !part.is_empty(),
    })
}

/// True for a path that equals `prefix` or is below it.
fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| prefix.is_empty() || rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route_for(list: &[&str], method: &Method, path: &str) -> Option<Route> {
        let upstreams: Vec<Upstream> = list.iter().map(|text| Upstream::parse(text).unwrap()).collect();
        route(&upstreams, method, &path.parse().unwrap())
    }

    #[test]
    fn a_path_goes_to_the_upstream_with_the_longest_prefix() {
        let list = ["https://a.example", "/oai=http://b.example:81/v1/", "/oai/eu=https://c.example"];
        let to = |path: &str| route_for(&list, &Method::POST, path).unwrap().uri.to_string();
        assert_eq!(to("/v1/messages?beta=true"), "https://a.example/v1/messages?beta=true");
        assert_eq!(to("/oai/chat/completions"), "http://b.example:81/v1/chat/completions");
        assert_eq!(to("/oai/v1/chat/completions"), "http://b.example:81/v1/chat/completions");
        assert_eq!(to("/oai/eu/x"), "https://c.example/x");
        assert_eq!(to("/oaix"), "https://a.example/oaix");
        assert_eq!(to("/k/secret/oai/models?a=/b"), "http://b.example:81/v1/models?a=/b");
        assert_eq!(route_for(&["/oai=http://b.example"], &Method::GET, "/v1/models"), None);
    }

    #[test]
    fn only_calls_are_counted() {
        let api = |method, path| route_for(&["http://a.example"], &method, path).unwrap().protocol;
        assert_eq!(api(Method::POST, "/v1/chat/completions"), Some(Protocol::Chat));
        assert_eq!(api(Method::POST, "/openai/deployments/x/chat/completions?api-version=1"), Some(Protocol::Chat));
        assert_eq!(api(Method::POST, "/v1/responses"), Some(Protocol::Responses));
        assert_eq!(api(Method::POST, "/v1/responses/compact"), Some(Protocol::Responses));
        assert_eq!(api(Method::POST, "/v1/embeddings"), Some(Protocol::Embeddings));
        assert_eq!(api(Method::POST, "/k/abc/v1/messages?beta=true"), Some(Protocol::Messages));
        for path in ["/v1/messages/count_tokens", "/v1/models", "/v1/messages/batches", "/v1/responses/resp_1/x"] {
            assert_eq!(api(Method::POST, path), None, "{path}");
        }
        for path in [
            "/messages",
            "/anthropic/messages",
            "/api/messages",
            "/gateway/team/messages",
            "/anthropic/v1/messages",
            "/threads/v1/messages",
            "/v1/acme/gateway/anthropic/v1beta/messages",
        ] {
            assert_eq!(api(Method::POST, path), Some(Protocol::Messages), "{path}");
        }
        for path in [
            "/v1/threads/thread_1/messages",
            "/v1/Threads/thread_1/messages/",
            "/openai/threads/thread_1/messages?api-version=2024-05-01-preview",
            "/v1/threads/messages",
            "/v1/conversations/conv_1/messages",
            "/v1/chat/completions/chatcmpl-1/messages",
            "/api/v10/channels/1/messages",
            "/v1/chats/1/messages",
            "/v1/rooms/vault/messages",
        ] {
            assert_eq!(api(Method::POST, path), None, "{path}");
        }
        let has_anthropic_errors = |path| route_for(&["http://a.example"], &Method::POST, path).unwrap().is_anthropic;
        for path in ["/v1/messages", "/v1/messages/count_tokens", "/k/abc/anthropic/v1/messages/batches"] {
            assert!(has_anthropic_errors(path), "{path}");
        }
        for path in
            ["/v1/threads/t/messages", "/v1/conversations/c/messages", "/v1/chat/completions/c/messages", "/v1/models"]
        {
            assert!(!has_anthropic_errors(path), "{path}");
        }
        assert_eq!(api(Method::GET, "/v1/responses"), None);
        assert_eq!(api(Method::GET, "/v1/responses/resp_1/input_items"), None);
        let fetch = route_for(&["http://a.example"], &Method::GET, "/v1/responses/resp_1?stream=true").unwrap();
        assert!(fetch.is_fetch && fetch.protocol == Some(Protocol::Responses));
        assert!(!route_for(&["http://a.example"], &Method::POST, "/v1/responses/compact").unwrap().is_fetch);
        let cancel = |method| route_for(&["http://a.example"], &method, "/v1/responses/resp_1/cancel").unwrap();
        assert!(cancel(Method::POST).is_fetch && cancel(Method::POST).protocol == Some(Protocol::Responses));
        assert_eq!(cancel(Method::GET).protocol, None);
    }

    #[test]
    fn a_message_on_vertex_ai_is_a_call_of_the_model_in_its_path() {
        const OF: &str = "/v1/projects/p/locations/l/publishers/anthropic/models/";
        let to = |path: &str| route_for(&["http://a.example"], &Method::POST, path).unwrap();
        for method in ["rawPredict", "streamRawPredict", "StreamRawPredict/"] {
            let route = to(&format!("{OF}claude-sonnet-4-5%4020250929:{method}"));
            assert_eq!(route.model.as_deref(), Some("claude-sonnet-4-5@20250929"), "{method}");
            assert!(route.protocol == Some(Protocol::Messages) && route.is_anthropic, "{method}");
        }
        for name in ["count-tokens:rawPredict", "count-tokens@x:rawPredict", "claude-opus-5:predict", "claude-opus-5"] {
            let route = to(&format!("{OF}{name}"));
            assert_eq!((route.protocol, route.model), (None, None), "{name}");
        }
        assert_eq!(to(&OF.replace("anthropic", "mistralai")).protocol, None);
        assert_eq!(to("/openai/deployments/gpt-4o/embeddings").model.as_deref(), Some("gpt-4o"));
        assert_eq!(to("/openai/deployments/gpt-4o/images").model, None, "no call");
    }

    #[test]
    fn a_path_that_a_service_may_take_for_that_of_a_call_is_one_and_goes_there_as_it_is() {
        let of = |path: &str| route_for(&["http://a.example"], &Method::POST, path).unwrap();
        for path in [
            "/v1/chat/completion%73",
            "/v1/chat%2Fcompletions",
            "/v1/chat/completions/.",
            "/v1/chat/completions/x/..",
            "/v1/chat/completions/x/%2e%2E/",
            "/v1/chat/completions/x/..;y/",
            "/v1/chat/completions//..",
            "/v1/chat/completion%73/%ff/..",
            "/v1/chat/completions;x=1",
            "/v1//chat//completions//",
            "/v1/chat/Completions",
        ] {
            let route = of(path);
            assert_eq!((route.protocol, route.uri.path()), (Some(Protocol::Chat), path));
        }
        for (path, protocol) in [
            ("/v1/threads/../messages", Some(Protocol::Messages)),
            ("/v1/responses;x/compact", Some(Protocol::Responses)),
            ("/v1/threads/t/../messages", None),
            ("/v1/chat/completions/..", None),
            ("/v1/../..", None),
            ("/v1/messages/count_token%73", None),
        ] {
            assert_eq!(of(path).protocol, protocol, "{path}");
        }
    }

    #[test]
    fn a_path_as_services_take_it_ends_in_its_parts_as_they_are_written() {
        for path in ["/v1/chat/completions", "/responses/resp_1/cancel", "/messages", "messages", "/a/b-c", ""] {
            assert!(is_plain(path));
            assert_eq!(Ends::all(path), Ends::interpreted(path), "{path}");
        }
        assert!(["/", "/v1/", "/a//b", "/a/.", "/a;b", "/A", "/%61", "/a\\b"].into_iter().all(|path| !is_plain(path)));
    }

    #[test]
    fn an_address_that_cannot_be_one_is_refused() {
        for text in
            ["api.openai.com", "ftp://a.example", "https://user:pass@a.example", "/k=http://a", "http://a/?x", ""]
        {
            let why = Upstream::parse(text).unwrap_err();
            assert!(!why.contains("pass@"), "{why}");
        }
    }
}
