//! Makes `prices/book.txt`: `cargo run --example price_book -- LIST.json HISTORY.json prices/book.txt`.

use std::error::Error;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let paths: Vec<_> = env::args_os().skip(1).collect();
    let [list, history, book] = &paths[..] else {
        return Err("give three paths: the list, its history, and where to write the book".into());
    };
    let text = tokmeter::pricing::build(&fs::read_to_string(list)?, &fs::read_to_string(history)?)?;
    fs::write(book, text)?;
    Ok(())
}
