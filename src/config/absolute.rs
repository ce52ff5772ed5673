//! Makes a path given by the user absolute.

use std::path::{Component, Path, PathBuf};

use super::Env;

/// Expands `~/`, makes the path absolute, and resolves `.` and `..`.
pub(crate) fn absolute(env: &Env, path: &Path) -> PathBuf {
    let path = expanded(env, path).unwrap_or_else(|| path.to_owned());
    let mut clean = PathBuf::new();
    for part in env.cwd.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => clean.push(part),
        }
    }
    clean
}

/// The path with a leading `~` expanded; `None` without one, or without a home.
pub(crate) fn expanded(env: &Env, path: &Path) -> Option<PathBuf> {
    let rest = path.strip_prefix("~").ok()?;
    // Joined with nothing, the home folder would end with a slash.
    Some(env.home.as_ref()?.join(rest).components().collect())
}
