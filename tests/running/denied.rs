//! Refusals by the system: few descriptors, few processes, a file size limit, a clock before 1970, an odd umask; and
//! what child processes inherit.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustix::process::Signal;

use super::common::pty::Pty;
use super::common::{native, now};
use super::{Home, PATIENCE, USAGE_LOG, booked, connect, ended_within, eventually, has, program, signal, socket};

/// The program under limits that a shell sets.
fn limited(home: &Home, limits: &str, words: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    let path = assert_cmd::cargo::cargo_bin("tokmeter");
    command.args(["-c", &format!("{limits}; exec {} {words}", path.display())]);
    command.env_clear().envs(home.vars()).current_dir(home.path());
    command
}

const COMMANDS: [&str; 9] = [
    "report total",
    "gate",
    "statusline",
    "summary",
    "limits set day 5usd",
    "--once",
    "doctor",
    "record --input 5 --output 6",
    "run -- true",
];

/// The exit code after SIGTERM, which ends what would run on.
const ENDED: i32 = 143;

/// Whatever is refused, a command ends with its own exit code and at most a sentence: no signal, no panic.
fn ends_in_a_sentence(home: &Home, limits: &str, words: &str, mut command: Command) -> i32 {
    let out = command.stdin(std::process::Stdio::null()).output().unwrap();
    let err = String::from_utf8_lossy(&out.stderr);
    let code = out.status.code().unwrap_or_else(|| panic!("{limits}; {words}: {}: {err}", out.status));
    assert!([0, 1, 65, 69, 71, 74, 126, ENDED].contains(&code), "{limits}; {words}: {code}: {err}");
    assert!(!err.contains("panicked") && !err.contains("internal error"), "{limits}; {words}: {err}");
    assert!([0, 1, ENDED].contains(&code) || err.contains("tokmeter: "), "{limits}; {words}: {code} without a word");
    assert!(home.path().exists());
    code
}

#[test]
fn j27_sixteen_descriptors_are_enough_for_every_command_and_fewer_end_in_a_sentence() {
    for descriptors in [16, 12, 9, 8, 7] {
        let home = Home::new();
        // A private folder for the socket, so that no other meter receives these calls.
        let _ = socket(&home);
        home.write(USAGE_LOG, &native("one", &now(), "gpt-4o", 10, 5));
        let limits = format!("ulimit -n {descriptors}");
        for words in COMMANDS {
            let code = ends_in_a_sentence(&home, &limits, words, limited(&home, &limits, words));
            assert!(descriptors < 16 || [0, 1].contains(&code), "{words}: {code}");
        }
        let words = "--plain --socket";
        let mut command = limited(&home, &limits, words);
        let piped = std::process::Stdio::piped;
        let mut child = command.stdin(std::process::Stdio::null()).stdout(piped()).stderr(piped()).spawn().unwrap();
        // With enough resources it runs until it is stopped.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        if lines.next().is_some() {
            signal(&child, Signal::TERM);
        }
        let out = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&out.stderr);
        assert!([Some(143), Some(69), Some(71)].contains(&out.status.code()), "{descriptors}: {}: {err}", out.status);
        assert!(!err.contains("internal error"), "{descriptors}: {err}");
    }
}

#[test]
fn j27_a_screen_with_few_descriptors_opens_or_says_why_not() {
    let home = Home::new();
    home.write(USAGE_LOG, &native("one", &now(), "gpt-4o", 10, 5));
    for descriptors in [12, 16, 20, 40] {
        let mut command = portable_pty::CommandBuilder::new("/bin/sh");
        let path = assert_cmd::cargo::cargo_bin("tokmeter");
        command.args(["-c", &format!("ulimit -n {descriptors}; {}; echo \"ended with $?.\"", path.display())]);
        command.env_clear();
        command.cwd(home.path());
        for (name, value) in home.vars() {
            command.env(name, value);
        }
        let mut pty = Pty::spawn(command, 100, 30);
        pty.wait("a screen or an end", |screen| screen.contains("Tokens: ") || screen.contains("ended with "));
        if !pty.screen().contains("ended with ") {
            pty.send("q");
        }
        pty.wait_for("ended with ");
        let screen = pty.screen();
        assert!(!screen.contains("internal error"), "{descriptors}: {screen}");
        assert!(screen.contains("ended with 0.") || screen.contains("tokmeter: "), "{descriptors}: {screen}");
        assert_eq!(pty.ended(), 0);
    }
}

#[test]
fn j27_few_processes_end_in_a_sentence() {
    if !has("prlimit") {
        return;
    }
    // The processes of root are not limited: as root it is tried as a user without processes.
    let root = rustix::process::geteuid().is_root();
    let home = Home::new();
    let _ = socket(&home);
    home.write(USAGE_LOG, &native("one", &now(), "gpt-4o", 10, 5));
    let program = home.path().join("tokmeter");
    fs::copy(assert_cmd::cargo::cargo_bin("tokmeter"), &program).unwrap();
    if root {
        give_away(home.path(), 64_123);
    }
    let short = COMMANDS.iter().copied().chain(["--plain --socket run/t.sock ./logs-that-are-not-there"]);
    let live = ["--plain", "--plain --socket run/t.sock", "mcp"];
    for processes in [1, 2, 3, 4, 5, 6, 8, 10] {
        for words in short.clone().filter(|_| [1, 2, 4, 6].contains(&processes)).chain(live) {
            // What has all its threads would run on.
            let mut command = Command::new("/usr/bin/timeout");
            command.args(["--preserve-status", "1", "/usr/bin/prlimit", &format!("--nproc={processes}")]);
            command.arg(&program).args(words.split(' '));
            command.env_clear().envs(home.vars()).current_dir(home.path());
            if root {
                command.uid(64_123).gid(64_123);
            }
            ends_in_a_sentence(&home, &format!("{processes} processes"), words, command);
        }
    }
}

fn give_away(path: &Path, user: u32) {
    std::os::unix::fs::chown(path, Some(user), Some(user)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give_away(&entry.unwrap().path(), user);
        }
    }
}

#[test]
fn j27_a_file_that_may_grow_no_more_is_an_error_and_no_end() {
    let home = Home::new();
    let _ = socket(&home);
    home.write(USAGE_LOG, &native("one", &now(), "gpt-4o", 10, 5).repeat(20));
    let limits = "ulimit -f 1";
    for words in COMMANDS {
        let code = ends_in_a_sentence(&home, limits, words, limited(&home, limits, words));
        let expected: &[i32] = if words.starts_with("record") { &[74] } else { &[0, 1] };
        assert!(expected.contains(&code), "{words}: {code}");
    }
    // Calls that could not be booked under the limit are booked without it.
    assert_eq!(booked(&home), 1);
}

/// Output and exit code of a command under limits set by a shell.
fn answer(home: &Home, limits: &str, words: &str) -> (String, String, i32) {
    let out = limited(home, limits, words).stdin(std::process::Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(out.stdout), text(out.stderr), out.status.code().unwrap())
}

#[test]
fn j2_books_on_a_disk_without_a_free_byte_are_read_and_judged_and_booked_later() {
    // As on a full disk, SQLite cannot create the files next to the ledger that it needs to open it.
    let (full, free) = ("ulimit -f 0", "true");
    for stopped in [false, true] {
        let home = Home::new();
        home.write(".config/tokmeter/config.toml", "[limits]\nday = \"5usd\"\n");
        let ledger = home.path().join(".local/share/tokmeter/ledger.db");
        let beside = |ending: &str| home.path().join(format!(".local/share/tokmeter/ledger.db{ending}"));
        home.write(USAGE_LOG, &native("early", &now(), "gpt-4o", 1_000_000, 0));
        answer(&home, free, "report total");
        // While another has the ledger open, what is booked stays in its log; a crash leaves it there.
        let other = rusqlite::Connection::open(&ledger).unwrap();
        other.query_row("SELECT count(*) FROM calls", [], |_| Ok(())).unwrap();
        home.write(USAGE_LOG, &native("gone", &now(), "gpt-4o", 2_000_000, 0));
        answer(&home, free, "report total");
        if stopped {
            let kept = [ledger.clone(), beside("-wal")].map(|path| (fs::read(&path).unwrap(), path));
            drop(other);
            for (bytes, path) in &kept {
                fs::write(path, bytes).unwrap();
            }
            assert!(kept[1].0.len() > 1000, "the last call is in the log alone");
        } else {
            drop(other);
        }
        // No log holds the first two calls any more: $7.50 are in the ledger only.
        home.write(USAGE_LOG, "");
        let (out, err, code) = answer(&home, full, "report total --csv");
        assert!(out.contains("\n2,3000000,") && code == 0, "{stopped}: {out}{err}");
        assert_eq!(err.matches("the disk is full").count(), 1, "{err}");
        assert_eq!(answer(&home, full, "gate").2, 2, "{stopped}");
        // New calls are included.
        home.write(USAGE_LOG, &native("new", &now(), "gpt-4o", 4_000_000, 0));
        let (out, err, _) = answer(&home, full, "report total --csv");
        assert!(out.contains("\n3,7000000,"), "{stopped}: {out}{err}");
        assert_eq!(err.matches("the disk is full").count(), 1, "{err}");
        assert!(answer(&home, full, "statusline").0.contains("not booked"));
        // With room again it is booked, without a warning.
        let (out, err, _) = answer(&home, free, "report total --csv");
        assert!(out.contains("\n3,7000000,") && err.is_empty(), "{stopped}: {out}{err}");
        assert!(!answer(&home, free, "statusline").0.contains("not booked"));
    }
}

#[test]
fn j27_modes_of_files_do_not_depend_on_the_umask() {
    for umask in ["000", "022", "077", "277", "777"] {
        let home = Home::new();
        let path = socket(&home);
        let run = |words: &str| {
            let out = limited(&home, &format!("umask {umask}"), words).output().unwrap();
            assert!(out.status.success(), "{umask}: {words}: {}", String::from_utf8_lossy(&out.stderr));
            String::from_utf8(out.stdout).unwrap()
        };
        run("record --input 5 --output 6");
        run("report total");
        run("limits set day 5usd");
        // Files of the agent are not our concern.
        assert_eq!(run("run -- /bin/sh -c umask").trim().trim_start_matches('0'), umask.trim_start_matches('0'));
        let mut child = limited(&home, &format!("umask {umask}"), "--plain --socket")
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let stream = connect(&path);
        (&stream).write_all(native("two", &now(), "gpt-4o", 10, 5).as_bytes()).unwrap();
        let mut answer = String::new();
        BufReader::new(&stream).read_line(&mut answer).unwrap();
        check_modes(home.path(), umask);
        signal(&child, Signal::TERM);
        assert_eq!(ended_within(&mut child, PATIENCE).code(), Some(143));
        check_modes(home.path(), umask);
    }
}

/// Everything that the program has made in a home is its owner's alone.
fn check_modes(home: &Path, umask: &str) {
    for folder in [".local/share/tokmeter", ".config/tokmeter", "run"] {
        let folder = home.join(folder);
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700, "{umask}: {}", folder.display());
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            // Files that SQLite is removing at this moment have no mode.
            let Ok(facts) = fs::symlink_metadata(&path) else { continue };
            assert_eq!(facts.mode() & 0o777, 0o600, "{umask}: {}", path.display());
        }
    }
}

#[test]
fn j27_a_clock_before_1970_ends_in_an_answer_or_a_sentence() {
    for (year, month) in [(1969, 12), (1901, 1), (1600, 1), (1970, 1)] {
        let home = Home::new();
        let _ = socket(&home);
        home.config("[limits]\nday = \"5usd\"\n[alerts]\nquiet = \"22:00-07:00\"\n");
        home.write(USAGE_LOG, &native("one", &now(), "gpt-4o", 10, 5));
        let then = chrono::TimeZone::with_ymd_and_hms(&chrono::Utc, year, month, 1, 0, 0, 1).unwrap();
        for words in COMMANDS.iter().copied().chain([
            "report day",
            "report month --json",
            "limits",
            "audit",
            "prices list",
            "--once demo",
            "metrics",
        ]) {
            let args: Vec<OsString> = ["tokmeter"].into_iter().chain(words.split(' ')).map(OsString::from).collect();
            let mut world = tokmeter::testing::config::Env::empty(then);
            world.clock = Arc::new(move || then);
            world.vars = home.vars().into_iter().map(|(name, value)| (name.into(), value.into())).collect();
            world.home = Some(home.path().to_owned());
            world.cwd = home.path().to_owned();
            world.uid = rustix::process::getuid().as_raw();
            world.folders.config = Some(home.path().join(".config"));
            world.folders.data = Some(home.path().join(".local/share"));
            // Nothing is piped in: commands that read input would see the test's.
            world.terminal[0] = true;
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let exit = tokmeter::testing::commands::run(&args, world, &mut out, &mut err).code();
            let err = String::from_utf8_lossy(&err);
            assert!([0, 1].contains(&exit), "{then}: {words}: {exit}: {err}");
        }
    }
}

#[test]
fn j25_a_program_that_we_start_inherits_nothing_of_ours() {
    if !Path::new("/proc/self/fd").exists() {
        return eprintln!("skipped: this system does not list a process's descriptors");
    }
    let home = Home::new();
    let path = socket(&home);
    let (list, done) = (home.path().join("list.txt"), home.path().join("done.txt"));
    let script = format!(
        "for fd in /proc/$$/fd/*; do echo \"${{fd##*/}} $(readlink $fd)\" >> {0}; done; mv {0} {1}",
        list.display(),
        done.display()
    );
    home.config(&format!("[alerts]\ncommand = [\"/bin/sh\", \"-c\", '{script}']\n[limits]\nday = \"100 tokens\"\n"));
    let at = now();
    home.write(USAGE_LOG, &native("one", &at, "gpt-4o", 500, 0));
    for args in [&["--socket"][..], &["--plain", "--socket"]] {
        let _ = fs::remove_dir_all(home.path().join(".local/share/tokmeter"));
        home.write(USAGE_LOG, &native("one", &at, "gpt-4o", 500, 0));
        let mut pty = Pty::start(&home, args, 100, 30);
        connect(&path);
        let open = eventually("the alert", || fs::read_to_string(&done).ok());
        fs::remove_file(&done).unwrap();
        check_descriptors(&open);
        pty.send(if args.len() == 1 { "q" } else { "\u{3}" });
        assert_eq!(pty.ended(), if args.len() == 1 { 0 } else { 130 });
    }
    let out = program(&home, &["run", "--", "/bin/sh", "-c", &script]).output().unwrap();
    assert!(out.status.success());
    check_descriptors(&fs::read_to_string(&done).unwrap());
}

/// Besides the usual three, only what the shell itself has open: the folder that it lists, or its pipe.
fn check_descriptors(open: &str) {
    assert!(open.lines().count() >= 3, "{open}");
    for line in open.lines() {
        let (number, target) = line.split_once(' ').unwrap();
        let ours = ["/dev/pts", "/dev/tty", "/dev/ptmx", "socket:", "anon_inode", "ledger", ".jsonl", "inotify"];
        let usual = number.parse::<u32>().unwrap() <= 2;
        assert!(usual || !ours.iter().any(|name| target.contains(name)), "{open}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn d3_calls_of_named_logs_that_come_while_the_disk_is_full_are_booked_once_it_is_not() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};

    let home = Home::new();
    let line = |id: &str| native(id, &now(), "gpt-4o", 1_000, 0);
    home.write("logs/a.jsonl", &line("first"));
    let mut pty = Pty::start(&home, &["--book", "logs"], 120, 36);
    pty.wait("the first call", |screen| screen.contains("Tokens: 1,000"));
    let pid = Pid::from_raw(i32::try_from(pty.child.process_id().unwrap()).unwrap());
    let room = |bytes: Option<u64>| prlimit(pid, Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
    room(Some(0));
    let mut log = home.append("logs/a.jsonl");
    for number in 0..9 {
        log.write_all(line(&number.to_string()).as_bytes()).unwrap();
    }
    pty.wait("what is wrong", |screen| screen.contains("Tokens: 10,000") && screen.contains("not booked"));
    room(None);
    pty.wait("the end of it", |screen| !screen.contains("not booked"));
    pty.send("7");
    pty.wait("the ledger's place", |screen| screen.contains("Ledger: ") && screen.contains("ledger.db"));
    pty.send("q");
    pty.ended();
    fs::remove_file(home.path().join("logs/a.jsonl")).unwrap();
    let out = program(&home, &["report", "total", "--json"]).output().unwrap();
    assert!(String::from_utf8_lossy(&out.stdout).contains("\"calls\":10,"), "{out:?}");
}
