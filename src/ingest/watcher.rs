//! Starts a watcher of the operating system's file events.

use notify::{Config, EventHandler, RecommendedWatcher, Watcher as _};

/// A running watcher.
///
/// # Errors
/// When the system refuses a watcher or its thread. The crate does not report the latter, and panics when such a watcher
/// is used or dropped.
pub(super) fn watcher(tell: impl EventHandler) -> notify::Result<RecommendedWatcher> {
    let mut watcher = RecommendedWatcher::new(tell, Config::default())?;
    if watcher.configure(Config::default()).is_ok() {
        return Ok(watcher);
    }
    std::mem::forget(watcher);
    Err(notify::Error::generic("no thread could be started"))
}
