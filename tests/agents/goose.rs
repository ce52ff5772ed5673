//! Goose's ledger and its running totals.

use std::sync::Arc;

use tokmeter::testing::domain::{Filter, Zone};
use tokmeter::testing::ingest::{Options, Roots, Tails};
use tokmeter::testing::ledger::{Batch, Checkpoint, Grain, Ledger, Memory, Query};
use tokmeter::testing::pricing::{CostMode, PriceBook};

use super::writer::Writer;
use super::{home, sample};

/// Books that are filled from the logs.
struct Books {
    ledger: Memory,
    files: Vec<Checkpoint>,
    roots: Roots,
    tails: Tails,
}

impl Books {
    fn on(roots: Roots) -> Self {
        let prices = Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto));
        let tails = Tails::new(&roots, Options::default());
        Self { ledger: Memory::new(prices), files: Vec::new(), roots, tails }
    }

    /// Input and output after everything new was read.
    fn sums(&mut self) -> (u64, u64) {
        let now = std::time::Instant::now();
        let Self { ledger, files, tails, .. } = self;
        tails.rescan(now);
        tails.poll_once(now, &mut |batch| {
            files.extend(batch.file.clone());
            ledger.post(&Batch::from(batch)).unwrap();
        });
        let sums = self.ledger.sums(&Filter::default()).unwrap();
        (sums.tokens.prompt(), sums.tokens.output)
    }

    /// Ends as a kill would, after what was booked, and begins again.
    fn restart(&mut self) -> &mut Self {
        self.tails = Tails::new(&self.roots, Options::default());
        self.tails.resume(self.files.last().cloned());
        self
    }
}

/// A sample without its comment: the writer takes one line.
fn tables(name: &str) -> String {
    sample(name).lines().filter(|line| !line.starts_with("--")).collect()
}

fn total(input: u64, output: u64) -> String {
    format!(
        "UPDATE sessions SET accumulated_input_tokens = {input}, accumulated_output_tokens = {output}, \
         accumulated_total_tokens = {input} + {output} WHERE id = '20250901_1'"
    )
}

#[test]
fn k4_a_running_total_is_counted_once_however_often_it_is_read() {
    let (_keep, path, roots) = home();
    let mut writer = Writer::start(&path.join(".local/share/goose/sessions/sessions.db"));
    writer.run(&tables("goose/older/sessions.sql"));
    let mut books = Books::on(roots.clone());
    assert_eq!(books.sums(), (10_000, 500));
    writer.run(&total(12_000, 600));
    assert_eq!(books.sums(), (12_000, 600));
    assert_eq!(books.restart().sums(), (12_000, 600));
    writer.run(&total(15_000, 700));
    assert_eq!(books.restart().sums(), (15_000, 700));
    // A ledger that is filled again has the same totals.
    assert_eq!(Books::on(roots).sums(), (15_000, 700));
    // A deleted session was used all the same.
    writer.run("DELETE FROM sessions");
    assert_eq!(books.sums(), (15_000, 700));
    writer.close();
}

#[test]
fn k4_a_total_that_begins_anew_keeps_what_it_had() {
    let (_keep, path, roots) = home();
    let mut writer = Writer::start(&path.join(".local/share/goose/sessions/sessions.db"));
    writer.run(&tables("goose/older/sessions.sql"));
    let mut books = Books::on(roots);
    assert_eq!(books.sums(), (10_000, 500));
    writer.run(&total(100, 5));
    assert_eq!(books.sums(), (10_100, 505));
    writer.run(&total(300, 15));
    assert_eq!(books.restart().sums(), (10_300, 515));
    writer.run(&total(0, 0));
    assert_eq!(books.restart().sums(), (10_300, 515));
    writer.run(&total(50, 5));
    assert_eq!(books.sums(), (10_350, 520));
    writer.close();
}

#[test]
fn k4_the_ledger_and_the_total_are_one() {
    let (_keep, path, roots) = home();
    let mut writer = Writer::start(&path.join(".local/share/goose/sessions/sessions.db"));
    writer.run(&tables("goose/sessions.sql"));
    let mut books = Books::on(roots.clone());
    let at_first = (1000 + 5000 + 300 + 800, 100 + 200 + 40 + 100);
    assert_eq!(books.sums(), at_first);
    // One request: a row of the ledger and the total, in one transaction.
    writer.run(
        "BEGIN; INSERT INTO usage_ledger (session_id, created_timestamp, model, input_tokens, output_tokens, total_tokens) \
         VALUES ('20261120_1', 1795684000, 'claude-opus-5', 70, 7, 77); UPDATE sessions SET \
         accumulated_input_tokens = accumulated_input_tokens + 70, accumulated_output_tokens = accumulated_output_tokens + 7, \
         accumulated_total_tokens = accumulated_total_tokens + 77 WHERE id = '20261120_1'; COMMIT",
    );
    let now = (at_first.0 + 70, at_first.1 + 7);
    assert_eq!(books.sums(), now);
    assert_eq!(books.restart().sums(), now);
    assert_eq!(Books::on(roots).sums(), now);
    let report = books.ledger.report(&Query::new(Grain::Day, Zone::UTC)).unwrap();
    let days: Vec<String> = report.rows.iter().map(|row| format!("{:?} {}", row.period, row.sums.calls)).collect();
    assert_eq!(days, ["Day(2026-11-20) 1", "Day(2026-11-26) 4"], "what came before the ledger is dated by its session");
    writer.close();
}
