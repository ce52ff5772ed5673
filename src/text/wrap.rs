//! Wraps lines that are too long for their room.

use super::{fit_path, width};

/// Splits a line into pieces of at most this width, at spaces if there are any. A path without spaces is truncated in
/// the middle.
///
/// The pieces after the first begin below the text that they continue: `left         $4.25, …` is continued below the
/// dollars, an indented line at its own indent. Where that would leave less than half of the room, they are indented by
/// two columns.
pub(crate) fn wrapped(line: &str, room: usize) -> Vec<String> {
    if width(line) <= room {
        return vec![line.to_owned()];
    }
    let at = text_begin(line);
    let (label, words) = line.split_at_checked(at).unwrap_or(("", line));
    let (label, words, indent) = match width(label) {
        column if column * 2 <= room => (label, words, column),
        _ => ("", line.trim_start(), room.min(4) / 2),
    };
    let mut pieces = vec![label.to_owned()];
    let mut is_begun = false;
    for word in words.split_inclusive(' ') {
        let Some(piece) = pieces.last_mut() else { break };
        if is_begun && width(piece) + width(word.trim_end()) > room {
            pieces.push(" ".repeat(indent));
            is_begun = false;
        }
        let Some(piece) = pieces.last_mut() else { break };
        // No piece but the first begins with a gap between columns.
        if is_begun || !word.trim_end().is_empty() {
            piece.push_str(word);
            is_begun = true;
        }
    }
    pieces.iter().map(|piece| fitted(piece.trim_end(), room)).collect()
}

/// The piece, with a word that is longer than the room truncated as a path.
fn fitted(piece: &str, room: usize) -> String {
    let words = piece.trim_start();
    let indent = &piece[..piece.len() - words.len()];
    format!("{indent}{}", fit_path(words, room.saturating_sub(width(indent))))
}

/// Where the text of a line begins: after its indent or, if two spaces or more end a label, after those. In bytes.
fn text_begin(line: &str) -> usize {
    let from_end = |rest: &str| line.len() - rest.trim_start_matches(' ').len();
    if line.starts_with(' ') {
        return from_end(line);
    }
    line.find("  ").map_or(0, |at| from_end(&line[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_continued_below_its_text() {
        let cases: [(&str, usize, &[&str]); 7] = [
            ("left         $4.25", 30, &["left         $4.25"]),
            (
                "from         claude-code: what it reports is kept",
                32,
                &["from         claude-code: what", "             it reports is kept"],
            ),
            (
                "             of the output 12 are reasoning",
                30,
                &["             of the output 12", "             are reasoning"],
            ),
            ("a sentence without any label", 16, &["a sentence", "without any", "label"]),
            // The label would take more than half of the room.
            ("a long name of a limit  not full today", 24, &["a long name of a limit", "  not full today"]),
            ("input        12 x    $5.00 per million", 28, &["input        12 x    $5.00", "             per million"]),
            ("   /home/alice/.claude/projects/3f2a.jsonl:7", 26, &["   /home/ali…/3f2a.jsonl:7"]),
        ];
        for (line, room, pieces) in cases {
            assert_eq!(wrapped(line, room), pieces, "{line}");
        }
    }

    #[test]
    fn no_piece_is_wider_than_its_room_and_no_word_is_lost() {
        let lines = [
            "",
            "  ",
            "label        some words and 12 x    $5.00",
            "   an indented line",
            "one word, 日本語 and  more",
        ];
        for (line, room) in lines.iter().flat_map(|line| (4..50).map(move |room| (line, room))) {
            let pieces = wrapped(line, room);
            assert!(pieces.iter().all(|piece| width(piece) <= room), "{room}: {pieces:?}");
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert!(room < 20 || words(&pieces.join(" ")) == words(line), "{room}: {pieces:?}");
        }
    }
}
