//! Names in few letters: of a project, of a session.

/// The last part of a project's path: `/home/alice/api-server` is `api-server`.
pub(crate) fn project_short(project: &str) -> &str {
    let trimmed = project.trim_end_matches(['/', '\\']);
    let last = trimmed.rsplit(['/', '\\']).next().unwrap_or(trimmed);
    if last.is_empty() { project } else { last }
}

/// The first part of a session's name: `3f2a91c0-…` is `3f2a91c0`; other names are left whole.
pub(crate) fn session_short(session: &str) -> &str {
    match session.split_once('-') {
        Some((first, _))
            if session.len() == 36 && first.len() == 8 && first.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            first
        }
        _ => session,
    }
}
