//! Writes the sixteen basic colours in the way that a terminal with no others understands.

/// Replaces what selects one of the first 16 colours out of 256 (`38;5;9`) by the older code for it (`91`), from this byte on.
///
/// Terminals with 16 colours read the `5` as blinking text.
pub(super) fn basic_colors(out: &mut Vec<u8>, from: usize) {
    if !out[from..].windows(MARK.len()).any(|bytes| bytes == MARK) {
        return;
    }
    let drawn = out.split_off(from);
    let mut rest = drawn.as_slice();
    while let Some(at) = rest.windows(2).position(|bytes| bytes == b"\x1b[") {
        let (text, sequence) = rest.split_at(at + 2);
        out.extend_from_slice(text);
        let length = sequence.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b';').count();
        let (codes, after) = sequence.split_at(length);
        if after.first() == Some(&b'm') {
            codes_of(codes, out);
        } else {
            out.extend_from_slice(codes);
        }
        rest = after;
    }
    out.extend_from_slice(rest);
}

/// Is in every sequence with such a colour.
const MARK: &[u8] = b"8;5;";

/// Writes the codes of a sequence, with the older ones for the basic colours.
fn codes_of(codes: &[u8], out: &mut Vec<u8>) {
    let codes: Vec<&[u8]> = codes.split(|byte| *byte == b';').collect();
    let mut rest = codes.as_slice();
    while !rest.is_empty() {
        // A colour is several codes.
        let length = match rest {
            [b"38" | b"48" | b"58", b"2", ..] => 5,
            [b"38" | b"48" | b"58", b"5", ..] => 3,
            _ => 1,
        };
        let (group, after) = rest.split_at(length.min(rest.len()));
        match basic(group) {
            Some(code) => out.extend_from_slice(code.to_string().as_bytes()),
            None => out.extend_from_slice(&group.join(&b';')),
        }
        if !after.is_empty() {
            out.push(b';');
        }
        rest = after;
    }
}

/// The older code of a basic colour.
fn basic(codes: &[&[u8]]) -> Option<u8> {
    let (base, index) = match codes {
        [b"38", b"5", index] => (30, index),
        [b"48", b"5", index] => (40, index),
        _ => return None,
    };
    let index: u8 = std::str::from_utf8(index).ok()?.parse().ok()?;
    match index {
        0..8 => Some(base + index),
        8..16 => Some(base + 60 + index - 8),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f11_a_terminal_with_sixteen_colours_gets_no_sequence_for_256() {
        for (drawn, expected) in [
            ("\u{1b}[38;5;9mred\u{1b}[48;5;0mback", "\u{1b}[91mred\u{1b}[40mback"),
            ("\u{1b}[38;5;15;48;5;8mboth", "\u{1b}[97;100mboth"),
            ("\u{1b}[38;5;7;49mdefault", "\u{1b}[37;49mdefault"),
            ("\u{1b}[38;5;16;48;5;4mmixed", "\u{1b}[38;5;16;44mmixed"),
            ("\u{1b}[38;2;38;5;9;48;5;1mexact", "\u{1b}[38;2;38;5;9;41mexact"),
            ("\u{1b}[1m8;5;9\u{1b}[38;5;9Hmoved", "\u{1b}[1m8;5;9\u{1b}[38;5;9Hmoved"),
        ] {
            let mut out = drawn.as_bytes().to_vec();
            basic_colors(&mut out, 0);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn what_was_written_before_stays() {
        let mut out = b"\x1b[38;5;9ma\x1b[38;5;9mb".to_vec();
        basic_colors(&mut out, 10);
        assert_eq!(out, b"\x1b[38;5;9ma\x1b[91mb");
    }
}
