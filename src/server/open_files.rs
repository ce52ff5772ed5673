//! The number of files and connections that this process may have open.

/// Raises the limit to the maximum that the system allows. A server with a thousand streams has two thousand
/// connections, and the usual limit is 1,024.
#[cfg(unix)]
pub(super) fn raise() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let granted = getrlimit(Resource::Nofile);
    if granted.current != granted.maximum {
        // If this fails, connections wait in the system's backlog.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: granted.maximum, maximum: granted.maximum });
    }
}

/// Other systems have no such limit.
#[cfg(not(unix))]
pub(super) fn raise() {}
