//! Recognises names of this machine in a `Host` header.

use std::net::IpAddr;

/// True for a `Host` header that names this machine: `localhost:4318`, `127.0.0.1`, `[::1]:4318`.
pub(super) fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
