//! Lines of the journal for calls under way. They contain the calls as text, so that no reader of logs takes one for a
//! call that has ended.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Beginning of the line of a call under way.
const BEGAN: &str = "{\"began\":";
/// Beginning of the line for its end.
const ENDED: &str = "{\"ended\":";

/// A call under way.
#[derive(Serialize, Deserialize)]
struct Began {
    /// Our id of the call.
    began: String,
    /// Lines to book if it does not end.
    lines: Vec<String>,
}

/// The end of a call. Its own lines, if it has any, precede this one.
#[derive(Serialize, Deserialize)]
struct Ended {
    ended: String,
}

/// The line of a call under way.
pub(super) fn began(id: &str, lines: impl Iterator<Item = String>) -> String {
    line(&Began { began: id.to_owned(), lines: lines.collect() })
}

/// The line for its end.
pub(super) fn ended(id: &str) -> String {
    line(&Ended { ended: id.to_owned() })
}

fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default() + "\n"
}

/// The lines to book from the journal of a proxy that no longer runs: calls that have ended, followed by the calls that
/// were under way. A last line that was cut off stays as it is.
pub(super) fn to_book(journal: &[u8]) -> Vec<u8> {
    let (mut book, mut open) = (Vec::new(), BTreeMap::new());
    for line in journal.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(BEGAN.as_bytes()) {
            open.extend(serde_json::from_slice::<Began>(line).map(|call| (call.began, call.lines)));
        } else if line.starts_with(ENDED.as_bytes()) {
            if let Ok(call) = serde_json::from_slice::<Ended>(line) {
                open.remove(&call.ended);
            }
        } else {
            book.extend_from_slice(line);
        }
    }
    if !open.is_empty() && book.last().is_some_and(|byte| *byte != b'\n') {
        book.push(b'\n');
    }
    for line in open.into_values().flatten() {
        book.extend_from_slice(line.as_bytes());
        book.push(b'\n');
    }
    book
}

#[cfg(test)]
mod tests {
    use super::*;

    fn booked(journal: &[&str]) -> String {
        String::from_utf8(to_book(journal.concat().as_bytes())).unwrap()
    }

    #[test]
    fn what_ended_is_followed_by_what_was_under_way_in_its_last_state() {
        let began = |id, line: &str| began(id, std::iter::once(line.to_owned()));
        let (a, b, later) = (began("a", "A"), began("b", "B0"), began("b", "B1"));
        assert_eq!(booked(&[&a, "x\n", &b, &ended("a"), "y\n", &later]), "x\ny\nB1\n");
        assert_eq!(booked(&[&a, &b, &ended("b"), &ended("a"), "x\n"]), "x\n");
        // Lines that were cut off.
        assert_eq!(booked(&[&a, "{\"input"]), "{\"input\nA\n");
        assert_eq!(booked(&[&a, "{\"ended\":\"a"]), "A\n");
        assert_eq!(booked(&["x\n", &a[..a.len() - 4]]), "x\n");
        assert_eq!(booked(&["x\n", &ended("a")]), "x\n");
    }
}
