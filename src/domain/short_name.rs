//! Names in few letters: of a project, of a session, of a model.

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
        assert_eq!(session_short("my-session"), "my-session");
        assert_eq!(session_short("deadbeef-and-more"), "deadbeef-and-more");
    }
}
