//! The names under which a request reaches a server, and whether they are names of this machine.

use std::net::IpAddr;

use hyper::header::HOST;
use hyper::{HeaderMap, Uri};

/// The name and port that a request is for: those of its target, if it has any, because they apply whatever `Host` says
/// (RFC 9112, 3.2.2), else those of `Host`.
pub(super) fn host<'a>(target: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let authority = target.authority().map(hyper::http::uri::Authority::as_str);
    // A user name before `@` is no part of it.
    authority.map(|name| name.rsplit('@').next().unwrap_or_default()).or_else(|| named(headers))
}

/// True if every name of the server in a request is one of this machine.
pub(super) fn is_for_loopback(target: &Uri, headers: &HeaderMap) -> bool {
    let is_local = |name: Option<&str>| name.is_some_and(is_loopback);
    is_local(host(target, headers)) && (!headers.contains_key(HOST) || is_local(named(headers)))
}

fn named(headers: &HeaderMap) -> Option<&str> {
    headers.get(HOST).and_then(|value| value.to_str().ok())
}

/// True for a `Host` header that names this machine: `localhost:4318`, `127.0.0.1`, `[::1]:4318`.
fn is_loopback(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').unwrap_or_default(),
        None => host.find(':').map_or((host, ""), |at| host.split_at(at)),
    };
    let is_port = port.is_empty()
        || port.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
    is_port
        && (name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: Option<&str>) -> HeaderMap {
        host.map(|host| (HOST, host.parse().unwrap())).into_iter().collect()
    }

    #[test]
    fn the_name_in_the_target_applies_whatever_host_says() {
        let is_local = |target: &str, host| is_for_loopback(&target.parse().unwrap(), &headers(host));
        for target in ["/metrics", "http://localhost:4318/metrics", "http://LOCALHOST/", "http://[::1]:4318/metrics"] {
            assert!(is_local(target, Some("localhost:4318")), "{target}");
            assert!(!is_local(target, Some("evil.example")), "{target}");
        }
        for target in
            ["http://evil.example/metrics", "http://localhost@evil.example/", "http://localhost:x@evil.example/"]
        {
            assert!(!is_local(target, Some("localhost:4318")) && !is_local(target, None), "{target}");
        }
        assert!(is_local("http://127.0.0.1:4318/", None) && !is_local("/", None));
        let target = "http://tok@127.0.0.1:4318/".parse().unwrap();
        assert_eq!(host(&target, &headers(Some("localhost"))), Some("127.0.0.1:4318"));
        assert_eq!(host(&"/".parse().unwrap(), &headers(Some("localhost"))), Some("localhost"));
    }

    #[test]
    fn what_follows_a_name_of_this_machine_is_a_port_or_makes_it_another() {
        for host in ["localhost", "localhost:", "localhost:4318", "127.1.2.3:80", "[::1]", "[::1]:4318"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost:x@evil.example", "localhost:80.evil.example", "[::1].evil.example", "[::1", "::1", ""] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
