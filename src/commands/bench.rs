//! `bench proxy`: measures the overhead of the proxy on this machine, as a table.

mod measured;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use self::measured::{Kind, Measured, READY};
use super::{Context, Exit, Failure};
use crate::app::stdin::end_with_input;
use crate::cli::BenchProxyArgs;
use crate::domain::Label;
use crate::server::proxy::bench::{Streams, Times, measure, pass_through as forward, service};

/// Response time of the simulated service.
const DELAY: Duration = Duration::from_millis(20);
/// Numbers of simultaneous connections.
const CONNECTIONS: [usize; 3] = [1, 4, 16];
/// Calls per connection in one round. The setups take turns, so that other load on the machine affects all of them.
const ROUND: usize = 30;
/// Calls per connection if the service responds at once.
const HURRIED: usize = 500;
/// Number of streams open at the same time.
const STREAMS: usize = 1000;

/// A setup to which calls are sent.
struct Way {
    name: String,
    address: SocketAddr,
    times: Times,
}

/// Measures and prints the table.
pub(super) fn proxy(context: &mut Context<'_>, args: &BenchProxyArgs) -> Result<Exit, Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::Unavailable, format!("the measurement failed: {error}"));
    let straight = service(args.service, DELAY).map_err(failed)?;
    let bare = Measured::start(straight, Kind::Bare).map_err(failed)?;
    let proxy = Measured::start(straight, Kind::Proxy).map_err(failed)?;
    let limited = if args.limits { Some(Measured::start(straight, Kind::Limits).map_err(failed)?) } else { None };
    let mut addresses = vec![("straight".to_owned(), straight), ("bare hyper".to_owned(), bare.address)];
    addresses.push(("tokmeter".to_owned(), proxy.address));
    addresses.extend(limited.iter().map(|limited| ("with limits".to_owned(), limited.address)));
    for text in &args.compare {
        addresses.push(beside(text)?);
    }
    let calls = usize::try_from(args.calls).unwrap_or(usize::MAX);
    writeln!(context.out, "service answers after 20 ms; client, service and proxies share this machine")?;
    writeln!(context.out, "{calls} calls a connection; added: over the same calls straight to the service\n")?;
    writeln!(context.out, "connections  way             p50 ms    p99 ms  added p50  added p99")?;
    for connections in CONNECTIONS {
        let way = |(name, address): &(String, SocketAddr)| Way {
            name: name.clone(),
            address: *address,
            times: Times::default(),
        };
        let mut ways: Vec<Way> = addresses.iter().map(way).collect();
        rounds(&mut ways, connections, calls).map_err(failed)?;
        for way in &ways {
            writeln!(context.out, "{}", line(connections, way, &ways[0].times))?;
        }
    }
    drop((bare, limited));
    let streams = Streams::open(proxy.address, STREAMS).map_err(failed)?;
    if let Some(memory) = proxy.memory() {
        let memory = memory.div_ceil(1_000_000);
        writeln!(context.out, "\n{memory} MB of memory with {STREAMS} open streams")?;
    }
    drop(streams);
    drop(proxy);
    let hurried = service(SocketAddr::from(([127, 0, 0, 1], 0)), Duration::ZERO).map_err(failed)?;
    let proxy = Measured::start(hurried, Kind::Proxy).map_err(failed)?;
    let began = Instant::now();
    measure(proxy.address, 16, HURRIED).map_err(failed)?;
    let calls = 16 * HURRIED as u128;
    let rate = calls * 1000 / began.elapsed().as_millis().max(1);
    writeln!(context.out, "{rate} calls a second over 16 connections, when the service answers at once")?;
    Ok(Exit::Fine)
}

/// Forwards calls without counting them until standard input ends.
pub(super) fn pass_through(context: &mut Context<'_>, upstream: SocketAddr) -> Result<Exit, Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::Unavailable, format!("it does not forward: {error}"));
    end_with_input().map_err(failed)?;
    let (address, thread) = forward(upstream).map_err(failed)?;
    writeln!(context.err, "{READY}{address}")?;
    let _ = thread.join();
    Ok(Exit::Fine)
}

/// Measures each setup in turn until all calls have been made.
fn rounds(ways: &mut [Way], connections: usize, calls: usize) -> std::io::Result<()> {
    let mut left = calls;
    while left > 0 {
        let round = left.min(ROUND);
        for way in &mut *ways {
            way.times.add(measure(way.address, connections, round)?);
        }
        left -= round;
    }
    Ok(())
}

/// Parses another proxy from `NAME=ADDR`.
fn beside(text: &str) -> Result<(String, SocketAddr), Failure> {
    let parsed =
        text.split_once('=').and_then(|(name, address)| Some((Label::new(name).to_string(), address.parse().ok()?)));
    parsed.ok_or_else(|| {
        let why = format!("--compare: '{}' is not such as litellm=127.0.0.1:4000", Label::new(text));
        Failure::new(Exit::Usage, why)
    })
}

fn line(connections: usize, way: &Way, base: &Times) -> String {
    let (half, most) = (way.times.per_mille(500), way.times.per_mille(990));
    let added = |time: Duration, base: Duration| milliseconds(time.saturating_sub(base));
    format!(
        "{connections:>11}  {:<12}  {:>8}  {:>8}  {:>9}  {:>9}",
        way.name,
        milliseconds(half),
        milliseconds(most),
        added(half, base.per_mille(500)),
        added(most, base.per_mille(990)),
    )
}

fn milliseconds(time: Duration) -> String {
    let micros = time.as_micros();
    format!("{}.{:03}", micros / 1000, micros % 1000)
}
