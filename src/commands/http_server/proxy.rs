//! Binds and starts the proxy, for `proxy` and `serve --proxy`.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use crate::commands::http_server;
use crate::commands::{Context, Exit, Failure};
use crate::config::{Diagnostic, Loaded};
use crate::domain::Label;
use crate::engine::EngineClient;
use crate::server::proxy::{self, Defaults, Gaps, KeyRing, Limited, Proxy, Upstream};
use crate::text::plural;

/// A bound address, and the upstream for its calls.
pub(in crate::commands) struct Bound {
    bound: http_server::Bound,
    upstreams: Vec<Upstream>,
}

/// Binds the proxy's address.
///
/// # Errors
/// When there is no upstream or an address is invalid: exit code 78. Otherwise as for the HTTP server.
pub(in crate::commands) fn listen(
    context: &mut Context<'_>,
    loaded: &Loaded,
    address: SocketAddr,
    token: Option<&Path>,
    upstreams: &[String],
) -> Result<Bound, Failure> {
    let upstreams = upstreams_of(context, loaded, upstreams)?;
    Ok(Bound { bound: http_server::listen(context, Some(address), token)?, upstreams })
}

fn upstreams_of(context: &mut Context<'_>, loaded: &Loaded, given: &[String]) -> Result<Vec<Upstream>, Failure> {
    let all = if given.is_empty() {
        let (all, problems) = configured(loaded);
        if !problems.is_empty() {
            problems.iter().try_for_each(|problem| problem.explain(context.err))?;
            return Err(Failure::new(Exit::Config, ""));
        }
        all
    } else {
        let mut all = Vec::new();
        for text in given {
            let upstream = Upstream::parse(text).and_then(|upstream| only(&all, upstream)).map_err(|why| {
                let shown = Label::new(without_password(text));
                Failure::new(Exit::Config, format!("the upstream '{shown}' {why}"))
            })?;
            all.push(upstream);
        }
        all
    };
    if all.is_empty() {
        let why = "name the model service: --upstream https://api.openai.com, or [proxy.upstreams] in the config";
        return Err(Failure::new(Exit::Config, why));
    }
    Ok(all)
}

/// The upstreams in the config, and what is wrong with others there.
pub(in crate::commands) fn configured(loaded: &Loaded) -> (Vec<Upstream>, Vec<Diagnostic>) {
    let (mut all, mut problems) = (Vec::new(), Vec::new());
    for (prefix, url) in &loaded.settings.upstreams {
        let upstream = Upstream::new(if prefix == "/" { "" } else { prefix }, url);
        match upstream.and_then(|upstream| only(&all, upstream)) {
            Ok(upstream) => all.push(upstream),
            Err(why) => {
                let why = format!("proxy.upstreams: '{}' {why}", Label::new(without_password(url)));
                problems.push(loaded.problem(&format!("proxy.upstreams.{prefix}"), &why));
            }
        }
    }
    (all, problems)
}

/// Rejects an upstream with the prefix of another.
fn only(others: &[Upstream], upstream: Upstream) -> Result<Upstream, String> {
    if others.iter().all(|other| other.prefix != upstream.prefix) {
        return Ok(upstream);
    }
    let prefix = if upstream.prefix.is_empty() { "/" } else { &upstream.prefix };
    Err(format!("is the second for the paths below {prefix}; give each a prefix: /openai=https://…"))
}

/// The part of an address that may be displayed.
fn without_password(text: &str) -> &str {
    text.rsplit_once('@').map_or(text, |(_, rest)| rest)
}

/// Starts the proxy. Unless its calls are to be booked, it writes no journal, which every reader of the ledger would
/// book.
pub(in crate::commands) fn start(
    context: &mut Context<'_>,
    bound: Bound,
    engine: EngineClient,
    is_booked: bool,
) -> Result<Proxy, Failure> {
    let folder = is_booked.then(|| context.paths.make_data_folder().ok().zip(context.paths.spool())).flatten();
    if is_booked && folder.is_none() {
        context.note("no data folder can be written; calls are counted while this runs, and a kill loses some");
    }
    let proxy = Proxy::start(proxy::Setup {
        listener: bound.bound.listener,
        token: bound.bound.token,
        upstreams: bound.upstreams,
        ca: context.settings.upstream_ca.clone(),
        admission: Arc::new(Limited::new(engine.clone(), KeyRing::new(context.paths.proxy_keys()))),
        engine,
        folder,
        defaults: Defaults {
            user: context.settings.user.clone(),
            team: context.settings.team.clone(),
            org: context.settings.org.clone(),
        },
        env: context.env.clone(),
    })
    .map_err(|error| Failure::new(Exit::Unavailable, format!("the proxy cannot start: {error}")))?;
    context.note(&format!("forwarding on http://{}", proxy.address));
    Ok(proxy)
}

/// Reports the calls that the ledger does not have exactly.
pub(in crate::commands) fn report(context: &mut Context<'_>, gaps: Gaps) {
    if gaps.estimated > 0 {
        let calls = plural(gaps.estimated, "call");
        context.note(&format!("{calls} did not state all tokens; their counts are estimates (~)"));
    }
    if gaps.lost > 0 {
        context.note(&format!("{} could be neither booked nor kept", plural(gaps.lost, "call")));
    }
}
