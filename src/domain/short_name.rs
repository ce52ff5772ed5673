//! Names in few letters: of a project, of a session, of a model.

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

/// A model's name without vendor prefix and date: `claude-haiku-4-5-20251001` becomes `haiku-4-5`.
pub(crate) fn model_short(model: &str) -> &str {
    let name = model.rsplit('/').next().unwrap_or(model);
    let name = name.rsplit_once("anthropic.").map_or(name, |(_, rest)| rest);
    let name = name.strip_prefix("claude-").unwrap_or(name);
    let undated = name.rsplit_once(['-', '@']).filter(|(_, date)| {
        date.len() == 8 && date.starts_with("20") && date.bytes().all(|byte| byte.is_ascii_digit())
    });
    let short = undated.map_or(name, |(rest, _)| rest);
    if short.is_empty() { model } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_projects_and_sessions_have_short_names() {
        let cases = [
            ("claude-opus-5", "opus-5"),
            ("claude-haiku-4-5-20251001", "haiku-4-5"),
            ("us.anthropic.claude-sonnet-5", "sonnet-5"),
            ("openrouter/openai/gpt-5", "gpt-5"),
            ("gpt-4o", "gpt-4o"),
            ("tuned-18270645", "tuned-18270645"),
            ("claude-", "claude-"),
        ];
        for (model, short) in cases {
            assert_eq!(model_short(model), short);
        }
        assert_eq!(project_short("/home/alice/api-server/"), "api-server");
        assert_eq!(project_short("/"), "/");
        assert_eq!(session_short("3f2a91c0-1111-4222-8333-444455556666"), "3f2a91c0");
        let (one, other) = ("0195c0de-0000-7000-8000-0000a1b2c3d4", "0195c0de-0000-7000-8000-0000a1b2c3d5");
        assert_eq!((session_short(one), session_short(other)), ("a1b2c3d4", "a1b2c3d5"));
        assert_eq!(session_short("my-session"), "my-session");
        assert_eq!(session_short("deadbeef-and-more"), "deadbeef-and-more");
    }
}
