//! Logs for the page: some months of a team, and names that try to be more than text.

use std::fmt::Write as _;

use chrono::{DateTime, Duration, Utc};
use serde_json::json;

use crate::common::{Home, now};

/// The log that the server follows.
pub const LOG: &str = "usage.jsonl";

/// Pseudo-random numbers, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

const MODELS: [&str; 4] = ["claude-opus-5", "claude-sonnet-4-5", "gpt-4o", "house-model"];
const USERS: [(&str, &str); 4] = [("alice", "core"), ("bob", "core"), ("chiara", "web"), ("dmitri", "data")];
const PROJECTS: [&str; 4] = ["/home/alice/api-server", "/home/alice/web-shop", "/srv/reports", "/home/bob/notes"];
const AGENTS: [Option<&str>; 4] = [None, Some("reviewer"), Some("planner"), None];

/// Three calls of today: one has no price, and one has only a total, of which the split is a guess.
pub fn one_without_a_price(home: &Home) {
    let line =
        |model: &str| json!({ "id": model, "at": now(), "model": model, "input_tokens": 1000, "output_tokens": 10 });
    let guess = json!({ "id": "guess", "at": now(), "model": "claude-opus-5", "total_tokens": 50 });
    home.write(LOG, &format!("{}\n{}\n{guess}\n", line("claude-opus-5"), line("house-model")));
}

/// Some months of calls, two running sessions, limits near, over and under.
pub fn months(home: &Home) {
    home.config(
        "[limits]\nday = { usd = 60 }\nmonth = \"1500usd\"\nhour = \"2M tokens\"\n[limits.users.alice]\nday = \"9usd\"\n\
         [alerts]\nnotify = \"off\"\n",
    );
    let now: DateTime<Utc> = now().parse().unwrap();
    let mut dice = Dice(7);
    let mut text = String::new();
    let mut number = 0;
    for back in (0..80_i64).rev() {
        let day = now - Duration::days(back);
        // Weekends are quiet.
        let calls = if matches!(back % 7, 3 | 4) { dice.below(8) } else { 14 + dice.below(30) };
        for _ in 0..calls {
            let minutes = i64::try_from(dice.below(1_200)).unwrap();
            number += 1;
            call(&mut text, &mut dice, number, day - Duration::minutes(minutes), back);
        }
    }
    // The last half hour, so that something runs.
    for minute in (1..30).rev() {
        number += 1;
        call(&mut text, &mut dice, number, now - Duration::minutes(minute), 0);
    }
    home.write(LOG, &text);
}

fn call(text: &mut String, dice: &mut Dice, number: u64, at: DateTime<Utc>, day: i64) {
    let pick = |dice: &mut Dice| usize::try_from(dice.below(4).min(dice.below(4))).unwrap();
    let ((user, team), project) = (USERS[pick(dice)], PROJECTS[pick(dice)]);
    let line = json!({
        "id": format!("call-{number}"), "at": at, "model": MODELS[pick(dice)], "user": user, "team": team,
        "project": project, "agent": AGENTS[pick(dice)], "feature": "review", "org": "acme",
        "session": format!("{user}-{day}-{}", dice.below(if day == 0 { 1 } else { 3 })), "input_tokens": 200 + dice.below(9_000),
        "cache_read_tokens": dice.below(180_000), "cache_write_5m_tokens": dice.below(12_000),
        "output_tokens": 50 + dice.below(4_000), "latency_ms": 300 + dice.below(9_000),
    });
    let _ = writeln!(text, "{line}");
}

/// A name that is markup, script, link, template, direction override and filter all at once.
pub const HOSTILE: &str = "<img src=x onerror=\"window.hacked=1\"><script>window.hacked=2</script>{{7*7}}\u{202e}&lt;b&gt; '\"`${1}` \"cost_usd\":9, *";

/// Calls with that name in every field.
pub fn hostile(home: &Home) {
    let mut text = String::new();
    for number in 0..3 {
        let name = |field: &str| format!("{field} {HOSTILE}");
        let line = json!({
            "id": name(&format!("id{number}")), "at": now(), "model": name("model"), "user": name("user"), "team": name("team"),
            "project": format!("/home/{}", name("project").replace('/', "|")), "agent": name("agent"),
            "feature": name("feature"), "org": name("org"), "session": name("session"),
            "input_tokens": 100, "output_tokens": 10,
        });
        let _ = writeln!(text, "{line}");
    }
    home.config(
        "[limits]\nday = { tokens = 100 }\n[limits.users.\"*\"]\nday = { tokens = 200 }\n[alerts]\nnotify = \"off\"\n",
    );
    home.write(LOG, &text);
}
