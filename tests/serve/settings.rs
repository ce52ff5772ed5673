//! `[server]` in the config, tokens, and a socket that the supervisor opened.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::Served;
use crate::common::Home;

fn refused(home: &Home, args: &[&str]) -> (Option<i32>, String) {
    let out = home.tokmeter().args(args).output().unwrap();
    (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
}

#[test]
fn the_config_names_the_address_and_the_token() {
    let home = Home::new();
    let token = home.write("secret", "0123456789abcdef\n");
    let file = token.to_str().unwrap();
    home.write(
        ".config/tokmeter/config.toml",
        &format!("[server]\nlisten = \"0.0.0.0:0\"\ntoken_file = {file:?}\nbody_mib = 1\n"),
    );
    let served = Served::with(&home, &[]);
    let client = &served.client;
    assert_eq!(client.get("/metrics").status, 401);
    let bearer = ("authorization", "Bearer 0123456789abcdef");
    assert_eq!(client.get_with("/metrics", &[bearer]).status, 200);
    // The config's bound on bodies.
    let body = vec![b' '; (1 << 20) + 1];
    let json = ("content-type", "application/json");
    assert_eq!(client.post("/v1/logs", &[bearer, json], &body).status, 413);
    assert_ne!(client.post("/v1/logs", &[bearer, json], &body[1..]).status, 413);
}

#[test]
fn metrics_name_nobody_unless_the_config_says_so() {
    for is_asked in [false, true] {
        let home = Home::new();
        let config = format!(
            "[server]\nmetrics_names = {is_asked}\n[limits]\nmonth = {{ usd = 9 }}\nsession = {{ usd = 9 }}\n\
             [limits.users.alice]\nday = {{ usd = 9 }}\n"
        );
        home.write(".config/tokmeter/config.toml", &config);
        let served = Served::start(&home);
        let who = "\"user\":\"alice\",\"project\":\"/secret-plan\",\"input_tokens\"";
        let line = crate::common::native("a", &crate::common::now(), "claude-opus-5", 1_000, 100);
        served.client.post("/api/v1/calls", &[], line.replace("\"input_tokens\"", who).as_bytes());
        let metrics = served.client.get("/metrics").text();
        assert!(metrics.contains("tokmeter_limit{limit=\"month\""), "{metrics}");
        for name in ["user=\"alice\"", "user:alice:day", "/secret-plan"] {
            assert_eq!(metrics.contains(name), is_asked, "{name}: {metrics}");
        }
        // Sessions are too many for series of their own.
        assert!(!metrics.contains("limit=\"session\"") && !metrics.contains("s1"), "{metrics}");
        let calls = if is_asked { "model=\"claude-opus-5\",user=\"alice\"," } else { "model=\"claude-opus-5\"} 1" };
        assert!(metrics.contains(&format!("tokmeter_calls_total{{source=\"native\",{calls}")), "{metrics}");
    }
}

#[test]
fn an_address_in_the_config_beyond_this_machine_needs_a_token_too() {
    let home = Home::new();
    home.write(".config/tokmeter/config.toml", "[server]\nlisten = \"0.0.0.0:0\"\n");
    let (code, said) = refused(&home, &["serve"]);
    assert!(code == Some(78) && said.contains("0.0.0.0:0 can be reached from other machines"), "{said}");
    let (code, said) = refused(&home, &["config", "check"]);
    assert!(code == Some(1) && said.contains("config.toml:2:10: warning: server: 'listen'"), "{code:?} {said}");
    // The command line decides.
    drop(Served::with(&home, &["--listen", "127.0.0.1:0"]));
    home.write(".config/tokmeter/config.toml", "[server]\nlisten = \"everywhere\"\n");
    let (code, said) = refused(&home, &["serve"]);
    assert!(code == Some(78) && said.contains("config.toml:2:10: server: 'listen' is \"everywhere\""), "{said}");
}

#[test]
fn a_wrong_token_is_named_by_its_place_and_never_shown() {
    let home = Home::new();
    home.write(".config/tokmeter/config.toml", "[server]\ntoken = \"hush-hush\"\n");
    for args in [&["serve"][..], &["config", "check"], &["config", "show"]] {
        let out = home.tokmeter().args(args).output().unwrap();
        let said = [out.stdout, out.stderr].concat();
        assert!(!String::from_utf8_lossy(&said).contains("hush"), "{args:?}");
        assert_ne!(out.status.code(), Some(0), "{args:?}");
    }
}

/// As systemd does it: the listener is descriptor 3 of the new process.
#[cfg(unix)]
#[test]
fn a_socket_opened_by_the_supervisor_is_used() {
    const ACTIVATE: &str = "
import os, socket, sys
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(8)
print(s.getsockname()[1], flush=True)
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')
os.execv(sys.argv[1], [sys.argv[1], 'serve'])
";
    if Command::new("python3").args(["-c", ""]).output().is_err() {
        let _ = writeln!(std::io::stderr(), "skipped: python3 is not installed");
        return;
    }
    let home = Home::new();
    let program = assert_cmd::cargo::cargo_bin("tokmeter");
    let mut child = Command::new("python3")
        .args(["-c", ACTIVATE])
        .arg(program)
        .env_clear()
        .envs(home.vars())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = std::io::BufReader::new(child.stdout.take().unwrap());
    let port = crate::client::line_with(&mut port, "").unwrap();
    let served = Served::from_child(child);
    assert_eq!(served.client.address.port(), port.trim().parse::<u16>().unwrap());
    assert_eq!(served.client.get("/healthz").status, 200);
}

/// The row of each session, by the owner's three names.
fn owners(home: &Home) -> String {
    let args = ["report", "total", "--by", "session,user,team,org", "--csv"];
    let out = home.tokmeter().args(args).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let mut rows: Vec<String> =
        text.lines().skip(1).map(|row| row.split(',').take(4).collect::<Vec<_>>().join(" ")).collect();
    rows.sort();
    rows.join("\n")
}

#[test]
fn calls_have_the_owner_of_the_config_whichever_way_they_arrive() {
    let home = Home::new();
    home.write(".config/tokmeter/config.toml", "user = \"ann\"\nteam = \"web\"\norg = \"acme\"\n");
    let served = Served::with(&home, &["--listen", "127.0.0.1:0", "--socket"]);
    let json = [("content-type", "application/json")];
    let line = crate::common::native("a", &crate::common::now(), "claude-opus-5", 1_000, 100);
    let named = line
        .replace("\"a\"", "\"b\"")
        .replace("s1", "s2")
        .replace("\"input_tokens\"", "\"user\":\"bob\",\"team\":\"ops\",\"input_tokens\"");
    served.client.post("/api/v1/calls", &[], format!("{line}\n{named}\n").as_bytes());
    served.client.post("/v1/logs", &json, crate::export(&[crate::request("req_1", 100)]).to_string().as_bytes());
    let points = [("input", 100), ("output", 10)];
    let sums = crate::ladder::metric("s-3", 1, (crate::ladder::at(0), crate::ladder::at(60)), &points);
    served.client.post("/v1/metrics", &json, sums.to_string().as_bytes());
    let record = ["record", "--model", "claude-opus-5", "--input", "100", "--session", "s-4"];
    assert!(home.tokmeter().args(record).output().unwrap().status.success());
    drop(served);
    assert_eq!(owners(&home), "s-1 ann web acme\ns-3 ann web acme\ns-4 ann web acme\ns1 ann web acme\ns2 bob ops acme");
}

#[test]
fn a_name_with_a_comma_or_a_star_can_be_asked_for() {
    let home = Home::new();
    let served = Served::start(&home);
    for (id, user) in [("a", "a,b"), ("b", "a"), ("c", "*"), ("d", "b")] {
        let line = crate::common::native(id, &crate::common::now(), "claude-opus-5", 1_000, 100);
        let who = format!("\"user\":\"{user}\",\"input_tokens\"");
        served.client.post("/api/v1/calls", &[], line.replace("\"input_tokens\"", &who).as_bytes());
    }
    let users = [("a%2Cb", 2), ("a%5C%2Cb", 1), ("*", 4), ("%5C*", 1), ("%5C*,a%5C%2Cb", 2), ("a&user=b", 2)];
    for (user, calls) in users {
        let usage = served.client.get(&format!("/api/v1/usage?period=total&user={user}")).json();
        assert_eq!(usage["total"]["calls"], calls, "{user}: {usage}");
    }
}

#[test]
fn a_token_file_that_is_missing_is_named_with_its_setting() {
    let home = Home::new();
    let (code, told) = refused(&home, &["serve", "--token-file", "/nowhere/token"]);
    let why = "/nowhere/token cannot be read: No such file or directory";
    assert!(code == Some(78) && told.contains(&format!("tokmeter: --token-file: {why}")), "{told}");
    home.config("[server]\ntoken_file = \"/nowhere/token\"\n");
    let (code, told) = refused(&home, &["serve"]);
    assert!(code == Some(78) && told.contains(&format!("tokmeter: [server] token_file: {why}")), "{told}");
}

#[test]
fn g8_the_health_names_a_config_that_is_not_applied() {
    let home = Home::new();
    let served = Served::start(&home);
    let health = || served.client.get("/api/v1/health").json();
    let becomes = |is_right: &dyn Fn(&Value) -> bool| {
        let end = Instant::now() + Duration::from_secs(30);
        while !is_right(&health()) {
            assert!(Instant::now() < end, "waited in vain: {}", health());
            std::thread::yield_now();
        }
    };
    assert!(health()["config_trouble"].is_null());
    home.config("[limits]\nday = { tokens = -1 }\n");
    becomes(&|health| health["config_trouble"].as_str().is_some_and(|why| why.contains("config.toml:2")));
    assert_eq!(health()["ok"], false);
    home.config("");
    becomes(&|health| health["config_trouble"].is_null() && health["ok"] == true);
}
