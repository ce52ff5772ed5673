//! Reads a feed that cannot be read a second time: standard input.

use std::io::{self, Read};

use super::batch_builder::BatchBuilder;
use super::fingerprint::Fingerprint;
use super::line_splitter::LineSplitter;
use super::project::Projects;
use super::{Options, ReadBatch, Tallies};
use crate::domain::{Instant, Label};
use crate::formats::Decoder;

/// Records per batch.
const RECORDS: usize = 1024;

/// Reads a feed to its end, line by line as the lines arrive.
///
/// A line is emitted as soon as it is complete, and a last line without a line end as soon as it is a complete object.
/// `now` gives the time for lines that have none. Blocks; run it on a thread if other work must go on.
///
/// # Errors
/// When the feed cannot be read. Earlier data has already been emitted.
pub fn read_stream(
    input: &mut dyn Read,
    name: &Label,
    options: &Options,
    now: &dyn Fn() -> Instant,
    sink: &mut dyn FnMut(ReadBatch),
) -> io::Result<()> {
    let only: Vec<&str> = options.only.iter().map(String::as_str).collect();
    let mut builder = BatchBuilder::new(Decoder::new(&only), name.clone(), now(), 0);
    let mut splitter = LineSplitter::new(options.longest_line);
    let (mut all, mut done) = (Tallies::default(), 0);
    let projects = Projects::default();
    // A feed needs no fingerprint, but the splitter has to be drained into one.
    let mut fingerprint = Fingerprint::default();
    splitter.begin(0, false);
    let mut hand = |builder: &mut BatchBuilder, splitter: &LineSplitter| {
        let bytes = splitter.consumed() - done;
        done = splitter.consumed();
        if bytes > 0 || builder.has_news() {
            sink(builder.batch(bytes, &mut all, &options.owner, &projects).0);
        }
    };
    loop {
        let count = match splitter.fill(|into, _| input.read(into)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        builder.is_now(now());
        while let Some(frame) = splitter.next() {
            let inside = fingerprint.is_inside_a_line();
            builder.piece(&frame, inside, options.longest_line);
            splitter.tell(&mut fingerprint);
            if builder.records.len() >= RECORDS {
                hand(&mut builder, &splitter);
            }
        }
        let inside = fingerprint.is_inside_a_line();
        if let Some(frame) = splitter.whole_rest() {
            builder.piece(&frame, inside, options.longest_line);
        }
        splitter.tell(&mut fingerprint);
        if count == 0 {
            // An unterminated last line counts as broken.
            if let Some(frame) = splitter.torn_rest() {
                builder.piece(&frame, inside, options.longest_line);
            }
            hand(&mut builder, &splitter);
            return Ok(());
        }
        hand(&mut builder, &splitter);
    }
}
