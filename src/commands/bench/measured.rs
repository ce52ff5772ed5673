//! Runs a proxy in a separate process, as in normal use, with a ledger of its own.
//!
//! The bare pass-through also runs in its own process, so that the two differ only in their work.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use crate::app::scratch::Scratch;

/// Limits that are never reached.
const LIMITS: &str = "[limits]\nday = { usd = 1_000_000 }\nmonth = { usd = 10_000_000 }\n";

/// The text that a proxy writes before its address once it is forwarding.
pub(super) const READY: &str = "forwarding on http://";

/// Kinds of proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A pass-through that counts nothing.
    Bare,
    /// A proxy that counts calls.
    Proxy,
    /// A proxy that counts calls and has limits to check.
    Limits,
}

/// A running proxy, which is stopped when dropped.
pub(super) struct Measured {
    child: Child,
    pub(super) address: SocketAddr,
    _folder: Scratch,
}

impl Measured {
    /// Starts a proxy in front of this service.
    ///
    /// # Errors
    /// When it does not start.
    pub(super) fn start(upstream: SocketAddr, kind: Kind) -> std::io::Result<Self> {
        let scratch = Scratch::new("bench")?;
        let folder = scratch.path();
        // Not in the temporary folder itself, because the folders around config and ledger are watched, and files come
        // and go there.
        let (home, data) = (folder.join("home"), folder.join("data/tokmeter"));
        std::fs::create_dir_all(home.join(".config/tokmeter"))?;
        if kind == Kind::Limits {
            std::fs::write(home.join(".config/tokmeter/config.toml"), LIMITS)?;
        }
        let mut command = Command::new(std::env::current_exe()?);
        match kind {
            Kind::Bare => command.args(["bench", "pass-through", "--upstream", &upstream.to_string()]),
            Kind::Proxy | Kind::Limits => {
                command.args(["proxy", "--end-with-input", "--listen", "127.0.0.1:0"]);
                command.args(["--upstream", &format!("http://{upstream}")])
            }
        };
        let mut child = command
            .env_clear()
            .env("HOME", &home)
            .env("TOKMETER_DATA_DIR", &data)
            // Kept open, so that the child ends with this process.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = child.stderr.take().map(BufReader::new);
        let lines = stderr.into_iter().flat_map(BufReader::lines).map_while(Result::ok);
        let mut addresses = lines.filter_map(|line| line.split_once(READY)?.1.trim().parse().ok());
        let address = addresses.next();
        let measured = Self { child, address: address.unwrap_or(upstream), _folder: scratch };
        if address.is_none() {
            return Err(std::io::Error::other("the proxy did not start"));
        }
        Ok(measured)
    }

    /// Bytes of memory used only by this process, if the system reports them.
    pub(super) fn memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
        Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        let _ = self.child.kill();
        // Its folder is removed once it has ended.
        let _ = self.child.wait();
    }
}
