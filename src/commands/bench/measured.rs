//! A proxy in a process of its own, as it is used, with books of its own.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Limits that are never reached.
const LIMITS: &str = "[limits]\nday = { usd = 1_000_000 }\nmonth = { usd = 10_000_000 }\n";

/// A running proxy, which ends when dropped.
pub(super) struct Measured {
    child: Child,
    pub(super) address: SocketAddr,
    folder: PathBuf,
}

impl Measured {
    /// Starts a proxy before this service, if need be with limits to check.
    ///
    /// # Errors
    /// When it does not start.
    pub(super) fn start(upstream: SocketAddr, has_limits: bool) -> std::io::Result<Self> {
        let kind = if has_limits { "limits" } else { "plain" };
        let name = format!("tokmeter-bench-{}-{}-{kind}", std::process::id(), upstream.port());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(folder.join(".config/tokmeter"))?;
        if has_limits {
            std::fs::write(folder.join(".config/tokmeter/config.toml"), LIMITS)?;
        }
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
        let stderr = child.stderr.take().map(BufReader::new);
        let lines = stderr.into_iter().flat_map(BufReader::lines).map_while(Result::ok);
        let mut addresses = lines.filter_map(|line| line.split_once("forwarding on http://")?.1.trim().parse().ok());
        let address = addresses.next();
        let measured = Self { child, address: address.unwrap_or(upstream), folder };
        if address.is_none() {
            return Err(std::io::Error::other("the proxy did not start"));
        }
        Ok(measured)
    }

    /// Bytes of memory that only this process uses, where the system tells.
    pub(super) fn memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
        Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
