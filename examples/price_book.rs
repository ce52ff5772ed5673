//! Maintains `prices/book.txt`. Called by `prices/refresh.py`; see `prices/README.md`.

use std::error::Error;
use std::io::Write as _;
use std::{env, fs};

use tokmeter::testing::pricing;

const USAGE: &str = "give one of
  seed SNAPSHOTS.json OLD_BOOK.txt HISTORY.txt     begins a history with half-monthly snapshots of the list
  add LIST.json DAY HISTORY.txt                    adds the list as it was on a day
  build HISTORY.txt DATED.json BOOK.txt            makes the book";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["seed", snapshots, book, history] => {
            fs::write(history, pricing::seed(&fs::read_to_string(snapshots)?, &fs::read_to_string(book)?)?)?;
        }
        ["add", list, day, history] => {
            let day = day.parse().map_err(|_| format!("'{day}' is not a day as in 2026-11-26"))?;
            let text = pricing::remember(&fs::read_to_string(history)?, &fs::read_to_string(list)?, day)?;
            fs::write(history, text)?;
        }
        ["build", history, dated, book] => {
            let built = pricing::build(&fs::read_to_string(history)?, &fs::read_to_string(dated)?)?;
            let mut err = std::io::stderr().lock();
            for note in &built.notes {
                writeln!(err, "{note}")?;
            }
            fs::write(book, built.text)?;
        }
        _ => return Err(USAGE.into()),
    }
    Ok(())
}
