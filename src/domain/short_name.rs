//! Names in few letters: of a project, of a session.

/// The last part of a project's path: `/home/alice/api-server` is `api-server`.
pub(crate) fn project_short(project: &str) -> &str {
    let trimmed = project.trim_end_matches(['/', '\\']);
    let last = trimmed.rsplit(['/', '\\']).next().unwrap_or(trimmed);
    if last.is_empty() { project } else { last }
}

/// The first part of a session's name, where that tells sessions apart: `3f2a91c0-…` is `3f2a91c0`. The first digits of
/// an id of version 7 are a time, which sessions of the same minute share: of those the last digits are taken. Other
/// names are left whole.
pub(crate) fn session_short(session: &str) -> &str {
    let digits = |part: &str, count: usize| part.len() == count && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parts: Vec<&str> = session.split('-').collect();
    let [first, second, third, fourth, last] = parts.as_slice() else { return session };
    let is_uuid = digits(first, 8) && digits(second, 4) && digits(third, 4) && digits(fourth, 4) && digits(last, 12);
    match (is_uuid, third.starts_with('7')) {
        (false, _) => session,
        (true, false) => first,
        (true, true) => &last[4..],
    }
}

/// True when a session's name begins with these words, or is shown by them.
pub(crate) fn is_session(session: &str, words: &str) -> bool {
    session.starts_with(words) || (session_short(session) == words && session != words)
}
