//! The recipes under `samples/recipes/`, run unchanged, with a real socket and without one.

#![cfg(unix)]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a panic fails the test; what it cannot run, it says"
)]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use common::Home;
use tokio::sync::mpsc;
use tokmeter::testing::config::{Env, Settings};
use tokmeter::testing::domain::{Instant, Label, Usd, Zone};
use tokmeter::testing::ingest::Owner;
use tokmeter::testing::ingest::socket::{
    Content, Delivery, IDLE, Listener, Listening, Reply, Rules as SocketRules, bind,
};
use tokmeter::testing::ledger::{Batch, Change, Ledger, Memory, Sums};
use tokmeter::testing::meter::{Amount, Limit, Rules, Scope, Window};
use tokmeter::testing::pricing::{CostMode, CustomPrice, PriceBook, Rates};

fn recipes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/recipes")
}

fn prices() -> PriceBook {
    let rates = Rates { output: Usd::from_micro(1), ..Rates::default() };
    PriceBook::new(vec![CustomPrice { model: "dollar".to_owned(), from: None, rates }], Vec::new(), CostMode::Auto)
}

/// A meter that listens, with a limit of a thousand tokens a session.
struct Meter {
    _listening: Listening,
    socket: PathBuf,
    books: Arc<Mutex<Memory>>,
}

impl Meter {
    fn new(home: &Home) -> Self {
        let uid = rustix::process::getuid().as_raw();
        let socket = home.path().join("m.sock");
        let (deliver, mut deliveries) = mpsc::channel::<Delivery>(32);
        let books = Arc::new(Mutex::new(Memory::new(Arc::new(prices()))));
        let kept = Arc::clone(&books);
        let clock: Arc<dyn Fn() -> Instant + Send + Sync> = Arc::new(chrono::Utc::now);
        std::thread::spawn(move || {
            let settings = Settings::defaults(&Env::empty(chrono::Utc::now()));
            let amount = Amount { tokens: Some(1_000), ..Amount::default() };
            let limit = Limit { scope: Scope::default(), window: Window::Session, amount, warn_at: vec![80] };
            let rules = Rules { limits: vec![limit], ..Rules::new(Zone::UTC) };
            while let Some(Delivery { content, reply }) = deliveries.blocking_recv() {
                let mut books = kept.lock().unwrap();
                let answer = match content {
                    Content::Query(question) => Reply::Json(tokmeter::testing::commands::query(
                        &question,
                        &*books,
                        &rules,
                        &settings,
                        chrono::Utc::now(),
                    )),
                    Content::Records(records) | Content::Kept(records) | Content::Export { records, .. } => {
                        match books.post(&Batch { records, files: Vec::new() }).unwrap().as_slice() {
                            [Change::New(change)] => Reply::Booked {
                                key: change.after.call.key,
                                cost: change.after.cost.usd(),
                                fidelity: change.after.call.fidelity,
                            },
                            _ => Reply::Repeat,
                        }
                    }
                };
                let _ = reply.send(answer);
            }
        });
        let owner = Owner { user: Some(Label::new("local")), ..Owner::default() };
        let rules = SocketRules { uid, owner, clock, idle: IDLE };
        let listening = Listener::new(bind(&socket, uid).unwrap(), rules, deliver).start().unwrap();
        Self { _listening: listening, socket, books }
    }

    fn sums(&self) -> Sums {
        self.books.lock().unwrap().sums(&tokmeter::testing::domain::Filter::default()).unwrap()
    }
}

/// An interpreter, if installed; prints a note otherwise.
fn interpreter(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file());
    // A shim may point to a missing version: check that it runs.
    let works =
        found.filter(|program| Command::new(program).arg("--version").output().is_ok_and(|ran| ran.status.success()));
    if works.is_none() {
        eprintln!("skipped: {name} is not installed, so that its recipe is not run");
    }
    works
}

/// Runs a program in a private home, with the real `tokmeter` on the search path.
fn run(home: &Home, program: &Path, words: &[&str], socket: Option<&Path>) -> Output {
    let own = Path::new(env!("CARGO_BIN_EXE_tokmeter")).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&path))).unwrap();
    let mut command = Command::new(program);
    command.args(words).envs(home.vars()).env("PATH", path).current_dir(home.path());
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    match socket {
        Some(socket) => command.env("TOKMETER_SOCKET", socket),
        None => command.env("TOKMETER_SOCKET", home.path().join("nobody.sock")),
    };
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Last output of an example; its session is named after the example's language.
fn is_stopped(text: &str) -> bool {
    let names = ["python-example", "node-example"];
    let words = |name| format!("stopped after 4 calls: Session {name} limit reached: 1,200 of 1,000 tokens used");
    names.into_iter().any(|name| text.starts_with(&words(name)))
}

/// The example is stopped by a listening meter, and without one by the command and the usage log.
fn is_stopped_with_and_without_a_meter(program: &Path, example: &Path) {
    let home = Home::new();
    let meter = Meter::new(&home);
    let text = said(&run(&home, program, &[example.to_str().unwrap()], Some(&meter.socket)));
    assert!(is_stopped(&text), "{text}");
    let sums = meter.sums();
    assert_eq!((sums.calls, sums.tokens.output, sums.cost), (4, 1_200, Usd::from_micro(1_200)));
    assert!(!home.path().join(".local/share/tokmeter/usage.jsonl").exists());

    let home = Home::new();
    home.config("[limits]\nsession = { tokens = 1_000 }\n");
    let text = said(&run(&home, program, &[example.to_str().unwrap()], None));
    assert!(is_stopped(&text), "{text}");
    let log = home.path().join(".local/share/tokmeter/usage.jsonl");
    assert_eq!(std::fs::read_to_string(&log).unwrap().lines().count(), 4);
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&log).unwrap()) & 0o777, 0o600);
}

#[test]
fn e12_the_python_recipe_is_stopped_with_at_most_one_call_of_overshoot() {
    let Some(python) = interpreter("python3") else { return is_written_down("python/tokmeter.py", "def metered") };
    is_stopped_with_and_without_a_meter(&python, &recipes().join("python/example.py"));
}

#[test]
fn the_python_recipe_keeps_its_own_budget_and_books_a_call_that_failed_half_way() {
    let Some(python) = interpreter("python3") else { return is_written_down("python/tokmeter.py", "budget_usd") };
    let home = Home::new();
    let meter = Meter::new(&home);
    let program = home.write(
        "budget.py",
        "import sys; sys.path.insert(0, sys.argv[1])\n\
         from tokmeter import Meter, OverBudget\n\
         meter = Meter(budget_usd=1.50, user='bob')\n\
         try:\n\
         \x20   with meter.call(model='dollar') as call:\n\
         \x20       call['usage'] = {'input_tokens': 0, 'output_tokens': 2000000}\n\
         \x20       raise KeyError('the network went away')\n\
         except KeyError:\n\
         \x20   pass\n\
         try:\n\
         \x20   meter.check()\n\
         except OverBudget as why:\n\
         \x20   print(why)\n",
    );
    let words = [program.to_str().unwrap(), recipes().join("python").to_str().unwrap()].map(str::to_owned);
    let text = said(&run(&home, &python, &words.each_ref().map(String::as_str), Some(&meter.socket)));
    assert_eq!(text, "budget spent: $2.00 of $1.50\n");
    assert_eq!((meter.sums().calls, meter.sums().tokens.output), (1, 2_000_000));
}

#[test]
fn e12_the_node_recipe_is_stopped_with_at_most_one_call_of_overshoot() {
    let Some(node) = interpreter("node") else { return is_written_down("node/tokmeter.mjs", "wrap(call") };
    is_stopped_with_and_without_a_meter(&node, &recipes().join("node/example.mjs"));
}

/// For recipes without an interpreter: checks that the README lists them.
fn is_written_down(recipe: &str, word: &str) {
    assert!(std::fs::read_to_string(recipes().join(recipe)).unwrap().contains(word));
    assert!(std::fs::read_to_string(recipes().join("README.md")).unwrap().contains(recipe));
}

#[test]
fn the_shell_recipe_books_a_response_and_stops_with_2() {
    let home = Home::new();
    home.config("[limits]\ntotal = { tokens = 500 }\n");
    let response = home.write(
        "response.json",
        "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1795352520,\"model\":\"gpt-4o\",\n \"choices\":[],\n\
         \"usage\":{\"prompt_tokens\":300,\"completion_tokens\":200,\"total_tokens\":500}}\n",
    );
    let script = recipes().join("shell/ask.sh");
    let words = [script.to_str().unwrap(), "cat", response.to_str().unwrap()];
    let first = run(&home, Path::new("/bin/sh"), &words, None);
    assert_eq!(said(&first).trim_end(), std::fs::read_to_string(&response).unwrap().trim_end());
    let second = run(&home, Path::new("/bin/sh"), &words, None);
    assert_eq!(second.status.code(), Some(2), "{}", String::from_utf8_lossy(&second.stderr));
    assert!(String::from_utf8_lossy(&second.stderr).contains("limit reached") && second.stdout.is_empty());
}

#[test]
fn the_prompt_recipe_is_a_shell_script_that_says_todays_spend() {
    let home = Home::new();
    let script = recipes().join("shell/prompt.sh");
    let words = ["-c", ". \"$0\"; tokmeter_prompt", script.to_str().unwrap()];
    assert_eq!(said(&run(&home, Path::new("/bin/sh"), &words, None)), "$0.00 today\n");
}

#[test]
fn the_settings_recipe_is_what_setup_writes() {
    let home = Home::new();
    let path = home.file(".claude/settings.json");
    assert_eq!(home.tokmeter().args(["setup", "claude", "--yes"]).output().unwrap().status.code(), Some(0));
    let value =
        |path: &Path| -> serde_json::Value { serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap() };
    let written = value(&path).to_string().replace(env!("CARGO_BIN_EXE_tokmeter"), "tokmeter");
    assert_eq!(written, value(&recipes().join("claude/settings.json")).to_string());
}

/// The command lines in a recipe: what follows `tokmeter ` to the end of the quotes or of the shell command, if it
/// begins with a command's name or an option.
fn quoted_commands(text: &str, names: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for line in text.lines() {
        for (at, _) in line.match_indices("tokmeter ") {
            let end = match line[..at].chars().next_back() {
                Some(quote @ ('`' | '"')) => line[at..].find(quote),
                _ => line[at..].find(['|', '<', '>', ')', '`']),
            };
            let words = &line[at..end.map_or(line.len(), |end| at + end)];
            let words: Vec<String> = words
                .split('\'')
                .enumerate()
                .flat_map(|(number, part)| match number % 2 {
                    0 => part.split_whitespace().map(|word| word.trim_matches('"').to_owned()).collect(),
                    _ => vec![part.to_owned()],
                })
                .collect();
            if words.get(1).is_some_and(|word| word.starts_with("--") || names.contains(word)) {
                found.push(words);
            }
        }
    }
    found
}

#[test]
fn every_command_line_in_a_recipe_is_accepted() {
    let home = Home::new();
    let help = run(&home, Path::new(env!("CARGO_BIN_EXE_tokmeter")), &["--help"], None);
    let help = String::from_utf8(help.stdout).unwrap();
    let names: Vec<String> =
        help.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    let (mut folders, mut found) = (vec![recipes()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.extend(quoted_commands(&std::fs::read_to_string(path).unwrap(), &names));
            }
        }
    }
    assert!(found.len() > 12, "{found:?}");
    for words in found {
        let asked: Vec<std::ffi::OsString> = words.iter().map(Into::into).collect();
        if let Err(error) = tokmeter::testing::cli::parse(&asked) {
            panic!("{words:?}: {error}");
        }
        // Only the command itself knows which amounts are valid.
        if words[1..].starts_with(&["limits".to_owned(), "set".to_owned()]) {
            let rest: Vec<&str> = words[1..].iter().map(String::as_str).collect();
            let ran = run(&home, Path::new(env!("CARGO_BIN_EXE_tokmeter")), &rest, None);
            assert!(ran.status.success(), "{words:?}: {ran:?}");
        }
    }
}
