//! Reads lines from standard input, up to a maximum length.

use std::io::{self, BufRead, Read as _};

use tokio::sync::mpsc;

/// Maximum length of a line in bytes. The rest of a longer one is skipped.
pub(super) const LONGEST: usize = 1 << 20;

/// A line; `None` at the end of the input.
pub(super) type Line = Option<Vec<u8>>;

/// Reads standard input on a thread: one line at a time, as each is taken.
///
/// # Errors
/// When the system cannot start a thread.
pub(super) fn read_standard_input() -> io::Result<mpsc::Receiver<Vec<u8>>> {
    let (tell, lines) = mpsc::channel(1);
    std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        let mut input = io::stdin().lock();
        while let Some(line) = next(&mut input) {
            if tell.blocking_send(line).is_err() {
                return;
            }
        }
    })?;
    Ok(lines)
}

/// The next line without its line end. One that is too long has one byte more than [`LONGEST`].
fn next(input: &mut impl BufRead) -> Line {
    let mut line = Vec::new();
    let most = u64::try_from(LONGEST).unwrap_or(u64::MAX).saturating_add(1);
    // Data before a read error is not a complete line.
    let count = input.by_ref().take(most).read_until(b'\n', &mut line).ok()?;
    if count == 0 {
        return None;
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > LONGEST {
        input.skip_until(b'\n').ok()?;
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_too_long_is_cut_and_the_next_one_is_whole() {
        let text = [vec![b'x'; 3 * LONGEST], b"\nnext\n\nlast".to_vec()].concat();
        let mut input = text.as_slice();
        let lengths: Vec<usize> = std::iter::from_fn(|| next(&mut input)).map(|line| line.len()).collect();
        assert_eq!(lengths, [LONGEST + 1, 4, 0, 4]);
    }
}
