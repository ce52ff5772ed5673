//! `bench proxy`: what the proxy adds on this machine, as a table.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Context, Exit, Failure};
use crate::server::proxy::bench::{Times, bare, measure, service};

/// Time in which the service answers.
const DELAY: Duration = Duration::from_millis(20);
/// Connections at once.
const CONNECTIONS: [usize; 3] = [1, 4, 16];
/// Calls of each connection without a delay.
const HURRIED: usize = 500;

/// Measures and prints the table.
pub(super) fn proxy(context: &mut Context<'_>, calls: usize) -> Result<Exit, Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::Unavailable, format!("the measurement failed: {error}"));
    let straight = service(DELAY).map_err(failed)?;
    let through = bare(straight).map_err(failed)?;
    let proxy = Measured::start(straight).map_err(failed)?;
    writeln!(context.out, "service answers after 20 ms; client, service and proxy share this machine")?;
    writeln!(context.out, "{calls} calls a connection; added: over the same calls straight to the service\n")?;
    writeln!(context.out, "connections  way           p50 ms    p99 ms  added p50  added p99")?;
    for connections in CONNECTIONS {
        let base = measure(straight, connections, calls).map_err(failed)?;
        let ways = [("straight", straight), ("bare hyper", through), ("tokmeter", proxy.address)];
        for (name, address) in ways {
            let times =
                if address == straight { None } else { Some(measure(address, connections, calls).map_err(failed)?) };
            let line = line(connections, name, times.as_ref().unwrap_or(&base), &base);
            writeln!(context.out, "{line}")?;
        }
    }
    let hurried = service(Duration::ZERO).map_err(failed)?;
    let proxy = Measured::start(hurried).map_err(failed)?;
    let began = Instant::now();
    measure(proxy.address, 16, HURRIED).map_err(failed)?;
    let calls = 16 * HURRIED as u128;
    let rate = calls * 1000 / began.elapsed().as_millis().max(1);
    writeln!(context.out, "\n{rate} calls a second over 16 connections, when the service answers at once")?;
    Ok(Exit::Fine)
}

fn line(connections: usize, name: &str, times: &Times, base: &Times) -> String {
    let (half, most) = (times.per_mille(500), times.per_mille(990));
    let added = |time: Duration, base: Duration| milliseconds(time.saturating_sub(base));
    format!(
        "{connections:>11}  {name:<10}  {:>8}  {:>8}  {:>9}  {:>9}",
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

/// A proxy in a process of its own, as it is used, with books of its own.
struct Measured {
    child: Child,
    address: SocketAddr,
    folder: std::path::PathBuf,
}

impl Measured {
    fn start(upstream: SocketAddr) -> std::io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("tokmeter-bench-{}-{}", std::process::id(), upstream.port()));
        std::fs::create_dir_all(&folder)?;
        let mut child = Command::new(std::env::current_exe()?)
            .args(["proxy", "--listen", "127.0.0.1:0", "--upstream", &format!("http://{upstream}")])
            .arg("--data-dir")
            .arg(&folder)
            .env_clear()
            .env("HOME", &folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let said = child.stderr.take().map(BufReader::new);
        let lines = said.into_iter().flat_map(BufReader::lines).map_while(Result::ok);
        let mut addresses = lines.filter_map(|line| line.split_once("forwarding on http://")?.1.trim().parse().ok());
        let address = addresses.next();
        let measured = Self { child, address: address.unwrap_or(upstream), folder };
        if address.is_none() {
            return Err(std::io::Error::other("the proxy did not start"));
        }
        Ok(measured)
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
