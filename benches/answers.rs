//! Whole commands without the process around them: the latency seen by status bars, hooks and people.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use divan::Bencher;
use tokmeter::testing::commands;
use tokmeter::testing::config::Env;
use tokmeter::testing::domain::Instant;

mod corpus;

const BYTES: u64 = 24_000_000;

/// A home with logs and a ledger that has read them; kept until the end.
static HOME: OnceLock<PathBuf> = OnceLock::new();

fn home() -> &'static Path {
    HOME.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder for logs").keep();
        corpus::write(&folder, BYTES, 1).expect("room for logs");
        let home = folder.join("home");
        std::fs::create_dir_all(home.join(".config/tokmeter")).expect("room for a config");
        let limits = "[limits]\nday = { tokens = 500_000_000 }\nmonth = { usd = 9000 }\n";
        std::fs::write(home.join(".config/tokmeter/config.toml"), limits).expect("room for a config");
        answer(&home, &["report", "day", "--json"]);
        home
    })
}

fn main() {
    divan::main();
    if let Some(folder) = HOME.get().and_then(|home| home.parent()) {
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// Output of the command.
fn answer(home: &Path, args: &[&str]) -> Vec<u8> {
    let now = Instant::from_timestamp(1_795_291_200, 0).unwrap_or_default();
    let vars =
        [("HOME", home.to_owned()), ("XDG_CONFIG_HOME", home.join(".config")), ("XDG_DATA_HOME", home.join(".data"))];
    let env = Env {
        vars: vars.into_iter().map(|(name, path)| (OsString::from(name), path.into())).collect(),
        home: Some(home.to_owned()),
        cwd: home.to_owned(),
        // Standard input is a terminal: there is nothing to read from it.
        terminal: [true, false, false],
        ..Env::empty(now)
    };
    let args: Vec<OsString> = std::iter::once("tokmeter").chain(args.iter().copied()).map(OsString::from).collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = commands::run(&args, env, &mut out, &mut err);
    assert_eq!(exit.code(), 0, "{}", String::from_utf8_lossy(&err));
    out
}

/// `statusline` with nothing on standard input and nothing new in the logs.
#[divan::bench]
fn statusline(bencher: Bencher<'_, '_>) {
    let home = home();
    bencher.bench_local(|| answer(home, &["statusline"]));
}

/// `gate`, within its limits.
#[divan::bench]
fn gate(bencher: Bencher<'_, '_>) {
    let home = home();
    bencher.bench_local(|| answer(home, &["gate"]));
}

/// `report day --json` with nothing new in the logs.
#[divan::bench]
fn report_warm(bencher: Bencher<'_, '_>) {
    let home = home();
    bencher.bench_local(|| answer(home, &["report", "day", "--json"]));
}

/// `report day --json --no-ledger`: everything is read.
#[divan::bench(sample_count = 20)]
fn report_without_ledger(bencher: Bencher<'_, '_>) {
    let home = home();
    bencher.bench_local(|| answer(home, &["report", "day", "--json", "--no-ledger"]));
}
