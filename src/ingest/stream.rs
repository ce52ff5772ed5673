//! Reads a feed that comes once and cannot be read again: standard input.

use std::io::{self, Read};

use super::cutter::Cutter;
use super::identity::Print;
use super::project::Projects;
use super::take::Taker;
use super::{Batch, Options, Tallies};
use crate::domain::{Instant, Label};
use crate::formats::Lines;

/// Records after which a batch is handed on.
const RECORDS: usize = 1024;

/// Reads a feed to its end, line by line, as the lines come.
///
/// A line is handed on as soon as it is complete, and a last line without an end as soon as it is a
/// whole object. `now` is the time of lines that bear none. It blocks; give it a thread of its own
/// when something else has to go on.
///
/// # Errors
/// When the feed cannot be read; what was read before has been handed on.
pub fn read_stream(
    input: &mut dyn Read,
    name: &Label,
    options: &Options,
    now: &dyn Fn() -> Instant,
    sink: &mut dyn FnMut(Batch),
) -> io::Result<()> {
    let only: Vec<&str> = options.only.iter().map(String::as_str).collect();
    let mut taker = Taker::new(Lines::new(&only), name.clone(), now(), 0);
    let mut cutter = Cutter::new(options.longest_line);
    let (mut all, mut done) = (Tallies::default(), 0);
    let projects = Projects::default();
    // There is nothing to know again: the fingerprint is only what the cutter tells.
    let mut print = Print::default();
    cutter.begin(0, false);
    let mut hand = |taker: &mut Taker, cutter: &Cutter| {
        let bytes = cutter.consumed() - done;
        done = cutter.consumed();
        if bytes > 0 || taker.has_news() {
            sink(taker.batch(bytes, &mut all, &options.owner, &projects).0);
        }
    };
    loop {
        let count = match cutter.fill(|into, _| input.read(into)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        taker.is_now(now());
        while let Some(piece) = cutter.next() {
            let inside = print.is_inside_a_line();
            taker.piece(&piece, inside, options.longest_line);
            cutter.tell(&mut print);
            if taker.records.len() >= RECORDS {
                hand(&mut taker, &cutter);
            }
        }
        let inside = print.is_inside_a_line();
        if let Some(piece) = cutter.whole_rest() {
            taker.piece(&piece, inside, options.longest_line);
        }
        cutter.tell(&mut print);
        if count == 0 {
            // A line that its writer never ended is a broken one.
            if let Some(piece) = cutter.torn_rest() {
                taker.piece(&piece, inside, options.longest_line);
            }
            hand(&mut taker, &cutter);
            return Ok(());
        }
        hand(&mut taker, &cutter);
    }
}
