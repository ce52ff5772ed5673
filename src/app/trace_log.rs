//! The program's own log: off unless a file is named, and never on the terminal.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::config::regular_file;
use crate::domain::{Label, rfc3339_millis};
use crate::engine::Clock;

/// Appends all events of this process to a file.
///
/// # Errors
/// A sentence that names the file and the reason, if it cannot be opened.
pub(super) fn start(path: &Path, clock: Clock) -> Result<(), String> {
    let shown = Label::from_path(path);
    let file = regular_file::open_for_appending(path).map_err(|error| match error.get_ref() {
        Some(why) => format!("the log {shown} {why}"),
        None => format!("the log {shown} cannot be written: {error}"),
    })?;
    let subscriber = tracing_subscriber::fmt()
        .with_writer(Arc::new(file))
        .with_max_level(LevelFilter::DEBUG)
        .with_timer(Stamp(clock))
        .with_thread_names(true)
        .with_ansi(false)
        // Its own errors would go to standard error, which may be covered by the screen.
        .log_internal_errors(false)
        .finish();
    // A second start in the same process keeps the first file.
    let _ = tracing::subscriber::set_global_default(subscriber);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), os = std::env::consts::OS, "started");
    Ok(())
}

/// Time and process id, because several hooks of an agent may write to the same file.
struct Stamp(Clock);

impl FormatTime for Stamp {
    fn format_time(&self, out: &mut Writer<'_>) -> fmt::Result {
        let at = rfc3339_millis((self.0)());
        write!(out, "{at} {}", std::process::id())
    }
}
