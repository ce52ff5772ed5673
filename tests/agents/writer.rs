//! A program that writes to a database in WAL mode, as most agents do, or with a rollback journal: this test program
//! itself, run once more.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;

const VARIABLE: &str = "TOKMETER_TEST_DATABASE";
const JOURNAL: &str = "TOKMETER_TEST_JOURNAL";
const TEST: &str = "writer::writes_what_it_is_told_when_it_is_run_by_another_test";

/// A writer that runs until it is closed or killed.
pub(crate) struct Writer {
    child: Child,
    told: ChildStdin,
    said: BufReader<ChildStdout>,
}

impl Writer {
    /// Opens a database, which it makes if it is not there.
    pub(crate) fn start(database: &Path) -> Self {
        Self::start_with(database, "WAL")
    }

    /// Opens a database in this mode.
    pub(crate) fn start_with(database: &Path, journal: &str) -> Self {
        std::fs::create_dir_all(database.parent().unwrap()).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", TEST, "--nocapture"])
            .env(VARIABLE, database)
            .env(JOURNAL, journal)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (told, said) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, told, said }
    }

    /// Runs statements, and comes back when they are committed. They may not wait for anybody's lock.
    pub(crate) fn run(&mut self, sql: &str) {
        writeln!(self.told, "{}", sql.replace('\n', " ")).unwrap();
        let mut line = String::new();
        while !line.starts_with("written") {
            line.clear();
            assert!(self.said.read_line(&mut line).unwrap() > 0, "the writer has ended at: {sql}");
        }
    }

    /// Runs a statement this often, with `{n}` for its number, as fast as it can; each is one transaction, and the
    /// database takes the log in by itself. How long each took, shortest first.
    pub(crate) fn race(&mut self, times: usize, sql: &str) -> Vec<Duration> {
        writeln!(self.told, "race {times} {sql}").unwrap();
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.said.read_line(&mut line).unwrap() > 0, "the writer has ended");
            if let Some(took) = line.strip_prefix("took ") {
                let mut took: Vec<u64> = took.split_whitespace().map(|micros| micros.parse().unwrap()).collect();
                took.sort_unstable();
                return took.into_iter().map(Duration::from_micros).collect();
            }
        }
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it in good order: the database takes the log in.
    pub(crate) fn close(self) {
        let Self { mut child, told, mut said } = self;
        drop(told);
        let mut rest = String::new();
        said.read_to_string(&mut rest).unwrap();
        child.wait().unwrap();
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the test that runs this one hands the path over in a variable")]
fn writes_what_it_is_told_when_it_is_run_by_another_test() {
    let Ok(database) = std::env::var(VARIABLE) else { return };
    let connection = Connection::open(database).unwrap();
    connection.busy_timeout(std::time::Duration::ZERO).unwrap();
    let journal = std::env::var(JOURNAL).unwrap();
    connection.execute_batch(&format!("PRAGMA journal_mode = {journal}; PRAGMA wal_autocheckpoint = 0")).unwrap();
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        if let Some((times, sql)) = line.strip_prefix("race ").and_then(|race| race.split_once(' ')) {
            race(&connection, times.parse().unwrap(), sql);
            continue;
        }
        connection.execute_batch(&line).unwrap();
        // The test harness may have begun a line of its own.
        println!("\nwritten");
        std::io::stdout().flush().unwrap();
    }
}

/// A reader may hold the writer's lock for a microsecond, when it reads the index in the middle of a commit. SQLite's
/// first pauses are of one and two milliseconds.
const MOMENT: Duration = Duration::from_millis(20);

/// Each statement as a transaction that waits for no more than a moment: a lock that a reader keeps would be an error.
#[allow(clippy::print_stdout, reason = "as a test does that is run by another")]
fn race(connection: &Connection, times: usize, sql: &str) {
    connection.busy_timeout(MOMENT).unwrap();
    connection.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 500").unwrap();
    let took: Vec<String> = (0..times)
        .map(|number| {
            let begun = Instant::now();
            connection.execute_batch(&sql.replace("{n}", &number.to_string())).unwrap();
            begun.elapsed().as_micros().to_string()
        })
        .collect();
    connection.execute_batch("PRAGMA wal_autocheckpoint = 0").unwrap();
    connection.busy_timeout(Duration::ZERO).unwrap();
    println!("\ntook {}", took.join(" "));
    std::io::stdout().flush().unwrap();
}
