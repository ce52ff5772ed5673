//! Short display names for projects, sessions and models.

use super::undated;

/// The last part of a project's path: `/home/alice/api-server` is `api-server`.
pub(crate) fn project_short(project: &str) -> &str {
    let trimmed = project.trim_end_matches(['/', '\\']);
    let last = trimmed.rsplit(['/', '\\']).next().unwrap_or(trimmed);
    if last.is_empty() { project } else { last }
}

/// True when a project may be shown as this: by its last folder, or by as many of its last folders as set it apart.
pub(crate) fn is_project(project: &str, words: &str) -> bool {
    let [project, words] = [project, words].map(|path| path.trim_end_matches(['/', '\\']));
    let before = project.strip_suffix(words).filter(|_| !words.is_empty());
    before.is_some_and(|before| before.is_empty() || before.ends_with(['/', '\\']))
}

/// The short form of a session id: the last eight digits of a UUID. The first digits distinguish sessions less well: in
/// version 7 they are a time, which sessions of the same minute share. Other names are shown whole.
pub(crate) fn session_short(session: &str) -> &str {
    match uuid_end(session) {
        Some(last) => &last[4..],
        None => session,
    }
}

/// The last part of a UUID; `None` for any other name.
fn uuid_end(session: &str) -> Option<&str> {
    let digits = |part: &str, count: usize| part.len() == count && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parts: Vec<&str> = session.split('-').collect();
    let [first, second, third, fourth, last] = parts.as_slice() else { return None };
    let is_uuid = digits(first, 8) && digits(second, 4) && digits(third, 4) && digits(fourth, 4) && digits(last, 12);
    is_uuid.then_some(*last)
}

/// True when a session's name starts with this text, or is a UUID that ends with it, as the screens show it.
pub(crate) fn is_session(session: &str, words: &str) -> bool {
    session.starts_with(words) || is_end(session, words, ENDS)
}

/// True when this text is the end of a session's UUID, and has at least this many characters.
fn is_end(session: &str, words: &str, least: usize) -> bool {
    words.len() >= least && session.ends_with(words) && uuid_end(session).is_some()
}

/// Minimum length of the end of a UUID by which a session can be named.
const ENDS: usize = 4;

/// True when this text can be the whole id of a session, as agents make them: a UUID, or a long word with digits.
pub(crate) fn may_be_session_id(words: &str) -> bool {
    let is_word = !words.contains(|letter: char| letter.is_whitespace() || letter.is_control());
    let is_long = words.chars().count() >= WHOLE && words.bytes().any(|byte| byte.is_ascii_digit());
    is_word && (is_long || session_short(words) != words)
}

/// Minimum length of a text that can be the whole id of a session.
const WHOLE: usize = 16;

/// Minimum length of the beginning or end by which a caller of the gate can name a session.
const CALLERS: usize = 8;

/// True when this text can be a session's short form, or a prefix of its name that a caller of the gate can give. The
/// caller's session may be new: `run-1` is not `run-10`, and a whole UUID is not a prefix of any other.
pub(crate) fn may_be_short(words: &str) -> bool {
    words.chars().count() >= CALLERS && session_short(words) == words
}

/// True when a caller of the gate means this session by its short form or a longer end of its UUID, or by a prefix of
/// at least 8 characters. The prefix must be followed by more than digits, because `nightly-1` is not `nightly-10`.
pub(crate) fn is_callers_session(session: &str, words: &str) -> bool {
    let is_beginning =
        || session.strip_prefix(words).is_some_and(|rest| !rest.bytes().all(|byte| byte.is_ascii_digit()));
    may_be_short(words) && (session == words || is_end(session, words, CALLERS) || is_beginning())
}

/// A model's name without the vendor prefix and the date: `claude-haiku-4-5-20251001` becomes `haiku-4-5`.
pub(crate) fn model_short(model: &str) -> &str {
    let name = model.rsplit('/').next().unwrap_or(model);
    let name = name.rsplit_once("anthropic.").map_or(name, |(_, rest)| rest);
    let name = name.strip_prefix("claude-").unwrap_or(name);
    let short = undated(name).unwrap_or(name);
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
        assert_eq!(session_short("3f2a91c0-1111-4222-8333-444455556666"), "55556666");
        let (one, other) = ("0195c0de-0000-7000-8000-0000a1b2c3d4", "0195c0de-0000-7000-8000-0000a1b2c3d5");
        assert_eq!((session_short(one), session_short(other)), ("a1b2c3d4", "a1b2c3d5"));
        assert_eq!(session_short("my-session"), "my-session");
        assert_eq!(session_short("deadbeef-and-more"), "deadbeef-and-more");
    }

    #[test]
    fn what_is_shown_of_a_session_names_it() {
        let (random, timed) = ("3f2a91c0-1111-4222-8333-444455556666", "0195c0de-0000-7000-8000-0000a1b2c3d4");
        for session in [random, timed, "ses_4f2b", "my-session", "run-1"] {
            assert!(is_session(session, session_short(session)), "{session}");
        }
        for words in ["3f2a91c0", "3f2a", "6666", "444455556666", "3f2a91c0-1111"] {
            assert!(is_session(random, words) && !is_session(timed, words), "{words}");
        }
        // The end of a name that is no UUID may be a number.
        assert!(!is_session("nightly-2026", "2026") && !is_session(random, "666"));
    }

    #[test]
    fn a_new_session_is_not_an_older_one_that_begins_alike() {
        let (uuid, timed) = ("3f2a91c0-1111-4222-8333-444455556666", "0195c0de-0000-7000-8000-0000a1b2c3d4");
        let cases = [
            ("run-10", "run-1", false),
            ("nightly-10", "nightly-1", false),
            ("nightly-1-web", "nightly-1", true),
            (uuid, "3f2a91c0", true),
            (uuid, "3f2a91c0-11", true),
            (uuid, "3f2a91c", false),
            (uuid, "55556666", true),
            (uuid, "444455556666", true),
            (uuid, "5556666", false),
            (timed, "a1b2c3d4", true),
            (timed, "0195c0de-0000", true),
            ("3f2a91c0-1111-4222-8333-444455556666-and-more", uuid, false),
            ("another", "nightly-1", false),
        ];
        for (session, words, is_meant) in cases {
            assert_eq!(is_callers_session(session, words), is_meant, "{words} for {session}");
        }
    }
}
