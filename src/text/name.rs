//! Truncates, pads and shortens names by display width.

use std::collections::BTreeMap;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Display width of a text, in columns.
pub fn width(text: &str) -> usize {
    // Most text is plain, and plain characters need no grapheme segmentation.
    if text.chars().all(is_plain) {
        return text.chars().count();
    }
    text.graphemes(true).map(UnicodeWidthStr::width).sum()
}

/// True for printable ASCII, and for the lines, blocks and dots of our own graphics. They are one column wide on every
/// terminal.
pub(crate) const fn is_plain(letter: char) -> bool {
    matches!(letter, ' '..='~' | '·' | '…' | '\u{2500}'..='\u{25fc}' | '\u{2800}'..='\u{28ff}')
}

/// Truncates the text to `room` columns, ending in `…`.
pub(crate) fn fit(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    if room == 0 {
        return String::new();
    }
    let mut used = 0;
    let mut out = String::new();
    for part in text.graphemes(true) {
        let part_width = part.width();
        if used + part_width + 1 > room {
            break;
        }
        used += part_width;
        out.push_str(part);
    }
    out.push('…');
    out
}

/// Keeps the end of the text within `room` columns, for paths: `…/alice/api`.
pub(crate) fn fit_end(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    if room == 0 {
        return String::new();
    }
    let mut used = 0;
    let mut parts: Vec<&str> = Vec::new();
    for part in text.graphemes(true).rev() {
        let part_width = part.width();
        if used + part_width + 1 > room {
            break;
        }
        used += part_width;
        parts.push(part);
    }
    parts.push("…");
    parts.reverse();
    parts.concat()
}

/// The text in at most `room` columns, truncated in the middle, because the beginning and end of a name say most.
pub(crate) fn fit_middle(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let end = fit_end(text, room / 2);
    let begin = fit(text, (room + 1).saturating_sub(width(&end)));
    // Both pieces have a truncation mark, and one is enough.
    format!("{}{end}", begin.strip_suffix('…').unwrap_or(&begin))
}

/// A name in at most `room` columns whose last word identifies it (`api-server 3f2a91c0`). The words before it are
/// truncated in the middle. The last word is truncated only if it does not fit on its own.
pub(crate) fn fit_name(name: &str, room: usize) -> String {
    if width(name) <= room {
        return name.to_owned();
    }
    match name.rsplit_once(' ') {
        Some((words, last)) if width(last) + 3 <= room => {
            format!("{} {last}", fit_middle(words, room - width(last) - 1))
        }
        Some(_) | None => fit_middle(name, room),
    }
}

/// The names in at most `room` columns, truncated like [`fit_name`]. Those that would then look the same are truncated
/// at what they have in common instead.
pub(crate) fn fit_apart(names: &[String], room: usize) -> Vec<String> {
    let mut fitted: Vec<String> = names.iter().map(|name| fit_name(name, room)).collect();
    let mut alike: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, name) in fitted.iter().enumerate() {
        alike.entry(name).or_default().push(at);
    }
    let alike: Vec<Vec<usize>> = alike.into_values().filter(|same| same.len() > 1).collect();
    for same in alike {
        let group: Vec<&str> = same.iter().filter_map(|at| names.get(*at)).map(String::as_str).collect();
        let common = common_start(&group);
        if group.iter().all(|name| name.len() == common) {
            continue;
        }
        for at in same {
            let Some((begin, rest)) = names.get(at).and_then(|name| name.split_at_checked(common)) else { continue };
            let begin = fit(begin, room.saturating_sub(width(rest)).max(room / 4));
            let rest = fit_name(rest, room.saturating_sub(width(&begin)));
            fitted[at] = begin + &rest;
        }
    }
    fitted
}

/// Length in bytes of what these texts begin with in common.
fn common_start(texts: &[&str]) -> usize {
    let Some((first, others)) = texts.split_first() else { return 0 };
    let of_two = |other: &&str| {
        let same = first.graphemes(true).zip(other.graphemes(true)).take_while(|(one, two)| one == two);
        same.map(|(part, _)| part.len()).sum::<usize>()
    };
    others.iter().map(of_two).min().unwrap_or(first.len())
}

/// Paths reduced to their last component, or to as many as are needed to make them distinct: `a/api` and `b/api`.
pub(crate) fn short_paths(paths: &[&str]) -> Vec<String> {
    let mut alike: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for path in paths {
        alike.entry(path_end(path, 1)).or_default().push(path);
    }
    let short = |path: &&str| {
        let others = alike.get(path_end(path, 1)).map(Vec::as_slice).unwrap_or_default();
        let is_shared = |parts: usize| {
            let end = path_end(path, parts);
            end != path_end(path, parts + 1)
                && others.iter().any(|other| other != path && path_end(other, parts) == end)
        };
        let parts = (1..=path.len()).find(|parts| !is_shared(*parts)).unwrap_or(1);
        path_end(path, parts).to_owned()
    };
    paths.iter().map(short).collect()
}

/// The last components of a path, or the whole path if it has no more.
fn path_end(path: &str, parts: usize) -> &str {
    let trimmed = path.trim_end_matches(['/', '\\']);
    let begin = trimmed.rmatch_indices(['/', '\\']).nth(parts.saturating_sub(1)).map_or(0, |(at, _)| at + 1);
    if trimmed.is_empty() { path } else { &trimmed[begin..] }
}

/// A path in at most `room` columns, truncated before the file name as long as that fits:
/// `/home/alice/.cl…/3f2a.jsonl:7`.
pub(crate) fn fit_path(path: &str, room: usize) -> String {
    let name = path.rfind('/').map_or("", |at| &path[at..]);
    let (folders, left) = (&path[..path.len() - name.len()], room.saturating_sub(width(name)));
    if width(path) <= room || left < 2 || name.is_empty() {
        return fit_middle(path, room);
    }
    format!("{}{name}", fit(folders, left))
}

/// Joins the first part and all further parts that fit, so that no number is truncated.
pub(crate) fn fit_parts<P: AsRef<str>>(parts: &[P], gap: &str, room: usize) -> String {
    let mut parts = parts.iter().map(AsRef::as_ref);
    let mut line = fit(parts.next().unwrap_or_default(), room);
    for part in parts {
        if width(&line) + width(gap) + width(part) <= room {
            line.push_str(gap);
            line.push_str(part);
        }
    }
    line
}

/// Fits the text to exactly `room` columns, padding on the right.
pub(crate) fn pad(text: &str, room: usize) -> String {
    let mut out = fit(text, room);
    out.reserve(room.saturating_sub(out.len()));
    let gap = room.saturating_sub(width(&out));
    out.extend(std::iter::repeat_n(' ', gap));
    out
}

/// Fits the text to exactly `room` columns, padding on the left.
pub(crate) fn pad_left(text: &str, room: usize) -> String {
    let out = fit(text, room);
    let gap = room.saturating_sub(width(&out));
    " ".repeat(gap) + &out
}

/// The ASCII substitute of a character.
pub(crate) fn ascii(letter: char) -> char {
    match letter {
        letter if letter.is_ascii() => letter,
        '─' | '━' | '–' | '—' | '╌' | '┈' | '▃' | '▂' | '▒' => '-',
        '│' | '┃' | '╷' => '|',
        '╭' | '╮' | '╰' | '╯' | '┌' | '┐' | '└' | '┘' | '├' | '┤' | '┬' | '┴' | '┼' | '✓' => {
            '+'
        }
        '█' | '▇' | '▆' | '■' | '◼' => '#',
        '▅' | '▄' | '▓' => '=',
        '▁' | '░' | '·' | '…' | '◌' => '.',
        '↑' | '▲' | '⎋' => '^',
        '↓' | '▼' => 'v',
        '→' | '▶' | '≥' | '›' => '>',
        '←' | '◀' | '≤' => '<',
        '⚠' => '!',
        '●' | '•' => '*',
        '◐' | '○' => 'o',
        '×' => 'x',
        'Σ' => 'S',
        '±' => '~',
        _ => '?',
    }
}

/// Our own text in ASCII. A wide character becomes two characters, to keep the layout; `≥` and `≤` do, too, and take
/// the blank that follows.
pub(crate) fn ascii_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut parts = text.graphemes(true).peekable();
    while let Some(part) = parts.next() {
        let mut letters = part.chars();
        match (letters.next(), letters.next()) {
            // Line ends, too.
            _ if part.is_ascii() => out.push_str(part),
            (Some(letter @ ('≥' | '≤')), None) => {
                let _ = parts.next_if_eq(&" ");
                out.extend([ascii(letter), '=']);
            }
            (Some(letter), None) if part.width() == 1 => out.push(ascii(letter)),
            _ => out.extend(std::iter::repeat_n('?', part.width())),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_look_the_same_are_truncated_at_what_they_have_in_common() {
        let names = [
            "claude-opus-5-thinking-high-effort daily",
            "claude-opus-5-thinking-low-effort daily",
            "claude-opus-5 daily",
            "a-project-of-its-own-with-a-long-name daily",
            "a-project-of-its-own-with-a-long-name daily",
        ];
        let names = names.map(str::to_owned);
        let fitted = ["clau…high-…ort daily", "clau…low-e…ort daily", "claude-opus-5 daily"];
        assert_eq!(fit_apart(&names[..3], 20), fitted);
        assert_eq!(fit_apart(&names[3..], 20), [fit_name(&names[3], 20), fit_name(&names[3], 20)]);
        for room in 0..45 {
            let fitted = fit_apart(&names, room);
            assert!(fitted.iter().all(|name| width(name) <= room), "{room}: {fitted:?}");
            assert!(room < 16 || fitted[0] != fitted[1], "{room}: {fitted:?}");
        }
        assert_eq!(fit_apart(&names, 45), names);
    }

    #[test]
    fn a_plain_letter_takes_one_column_and_joins_no_other() {
        for letter in (0..=0x2fff_u32).filter_map(char::from_u32).filter(|letter| is_plain(*letter)) {
            assert_eq!(letter.to_string().width(), 1, "{letter:?}");
            for pair in [format!("a{letter}"), format!("{letter}a"), format!("{letter}{letter}")] {
                assert_eq!(pair.graphemes(true).count(), 2, "{pair:?}");
            }
        }
    }

    #[test]
    fn f14_names_are_cut_by_columns_not_letters() {
        let cases = [
            ("claude-opus-5", 13, "claude-opus-5"),
            ("claude-opus-5", 8, "claude-…"),
            ("日志解析服务", 7, "日志解…"),
            ("日志解析服务", 6, "日志…"),
            ("cafe\u{301} au lait", 5, "cafe\u{301}…"),
            ("abc", 0, ""),
            ("abc", 1, "…"),
            ("👩\u{200d}👩\u{200d}👧 team", 4, "👩\u{200d}👩\u{200d}👧 …"),
        ];
        for (name, room, expected) in cases {
            let cut = fit(name, room);
            assert_eq!(cut, expected, "{name} in {room}");
            assert!(width(&cut) <= room);
        }
        assert_eq!(fit_end("/home/alice/api", 6), "…e/api");
        assert_eq!(fit_middle("session api-server-2", 14), "session…rver-2");
        for room in 0..24 {
            assert!(width(&fit_middle("会話 session api-server", room)) <= room.max(1), "{room}");
        }
        assert_eq!(fit_parts(&["80%", "a long part", "00:00"], "  ", 12), "80%  00:00");
        for room in 0..20 {
            assert_eq!(width(&pad("日志 ab", room)), room);
            assert_eq!(width(&pad_left("日志 ab", room)), room);
        }
    }

    #[test]
    fn a_path_keeps_its_file_and_line() {
        let path = "/home/alice/.claude/projects/-home-alice-api/3f2a91c0.jsonl:7";
        assert_eq!(fit_path(path, 80), path);
        assert_eq!(fit_path(path, 40), "/home/alice/.claude/pr…/3f2a91c0.jsonl:7");
        assert_eq!(fit_path(path, 19), "/…/3f2a91c0.jsonl:7");
        for room in 0..70 {
            assert!(width(&fit_path(path, room)) <= room, "{room}");
        }
        assert_eq!(fit_path("0123456789abcdef", 9), "01234…def");
    }

    #[test]
    fn a_name_keeps_the_word_that_tells_it_from_others() {
        assert_eq!(fit_name("api-server 3f2a91c0", 19), "api-server 3f2a91c0");
        assert_eq!(fit_name("api-server 3f2a91c0", 14), "api…r 3f2a91c0");
        assert_eq!(fit_name("jobs session-one", 12), "jobs s…n-one");
        assert_eq!(fit_name("0123456789abcdef", 9), "01234…def");
        for room in 1..24 {
            assert!(width(&fit_name("会話 api-server 3f2a91c0", room)) <= room, "{room}");
        }
    }

    #[test]
    fn a_path_is_its_last_part_unless_another_ends_the_same() {
        let paths = ["/home/kim/api-server", "/srv/a/web/", "/srv/b/web", "/", "web", "C:\\work\\shop", "/srv/a/web/"];
        assert_eq!(short_paths(&paths), ["api-server", "a/web", "b/web", "/", "web", "shop", "a/web"]);
    }

    #[test]
    fn i4_three_hundred_letters_are_cut_to_their_column() {
        assert_eq!(width(&fit(&"漢".repeat(300), 20)), 19);
    }

    #[test]
    fn f20_everything_can_be_said_in_ascii_without_moving_a_column() {
        let text = "╭ ≥ $1 ▁▂█ ⚠ 日 … é ≤ $7";
        let plain = ascii_text(text);
        assert!(plain.is_ascii());
        assert_eq!(width(&plain), width(text));
        // A bound keeps its meaning.
        assert!(plain.contains(">=$1 ") && plain.contains(" <=$7"), "{plain}");
        assert_eq!(ascii_text("(≥5)"), "(>=5)");
    }
}
