//! How many files and connections this process may have open.

/// Raises the number to the most that the system grants: a server with a thousand streams has two thousand connections,
/// and the usual bound is 1,024.
#[cfg(unix)]
pub(super) fn raise() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let granted = getrlimit(Resource::Nofile);
    if granted.current != granted.maximum {
        // Where it is refused, connections wait in the system's backlog.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: granted.maximum, maximum: granted.maximum });
    }
}

/// Other systems have no such bound.
#[cfg(not(unix))]
pub(super) fn raise() {}
