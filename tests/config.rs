//! The config: every mistake is located and explained, and written settings read back the same.

#![allow(clippy::unwrap_used, missing_docs, reason = "a panic fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tokmeter::testing::config::{
    Alerts, ConfigText, Email, Env, FrameRate, Gate, KeyBinding, LimitKey, Loaded, Notify, OnError, Origin, Overrides,
    Password, SAMPLE, Server, Settings, Severity, Symbols, Tls, Token, Where, edit, open, parse_amount, stamp,
    written_settings,
};
use tokmeter::testing::domain::{Instant, Label, TicketPattern, Usd, Zone};
use tokmeter::testing::meter::{Amount, Limit, Plan, QuietHours};
use tokmeter::testing::pricing::{CostMode, CustomPrice, Rates};
use tokmeter::testing::theme::ColorWhen;

const THEMES: [&str; 4] = ["dark", "light", "ansi", "mono"];

fn world() -> Env {
    Env {
        home: Some("/home/alice".into()),
        login: "alice".into(),
        cwd: "/src/repo".into(),
        ..Env::empty(Instant::UNIX_EPOCH)
    }
}

fn with(vars: &[(&str, &str)]) -> Env {
    Env { vars: vars.iter().map(|(name, value)| (name.into(), value.into())).collect(), ..world() }
}

fn load(text: &str) -> Loaded {
    load_in(&world(), text)
}

fn load_in(env: &Env, text: &str) -> Loaded {
    let text = ConfigText { path: "config.toml".into(), text: text.to_owned() };
    Settings::load(Some(&text), env, &Overrides::default(), &THEMES)
}

fn defaults() -> Settings {
    Settings::defaults(&world())
}

fn report(loaded: &Loaded) -> String {
    let mut out = Vec::new();
    loaded.report(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn shown(loaded: &Loaded, origins: bool) -> String {
    let mut out = Vec::new();
    loaded.show(origins, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs").join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// A file's settings, read as the program reads it, under its bare name.
fn load_file(path: &Path) -> Loaded {
    let text = tokmeter::testing::config::read(path, true).unwrap().unwrap().text;
    let text = ConfigText { path: path.file_name().unwrap().into(), text };
    Settings::load(Some(&text), &world(), &Overrides::default(), &THEMES)
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

#[test]
fn g1_every_broken_file_is_explained_with_line_column_and_caret() {
    let files = files("invalid");
    assert!(files.len() >= 12);
    for path in files {
        let loaded = load_file(&path);
        assert!(!loaded.is_usable(true), "{}", path.display());
        assert!(loaded.problems.iter().all(|problem| matches!(problem.at, Where::File(_))));
        insta::assert_snapshot!(format!("invalid_{}", stem(&path)), report(&loaded));
    }
}

#[test]
fn every_good_file_is_read_without_a_word() {
    for path in files("valid") {
        let loaded = load_file(&path);
        assert_eq!(report(&loaded), "", "{}", path.display());
        insta::assert_snapshot!(format!("valid_{}", stem(&path)), shown(&loaded, true));
    }
}

#[test]
fn what_is_shown_of_every_good_file_reads_back_as_the_same() {
    for path in files("valid") {
        let loaded = load_file(&path);
        // Only the host of a web hook or a collector is shown.
        let mut again = load(&shown(&loaded, true));
        let hides = |hook: &Option<String>| hook.as_ref().is_some_and(|hook| hook.ends_with("/…"));
        for (again, before) in [
            (&mut again.settings.alerts.webhook, &loaded.settings.alerts.webhook),
            (&mut again.settings.alerts.slack, &loaded.settings.alerts.slack),
            (&mut again.settings.server.otlp_endpoint, &loaded.settings.server.otlp_endpoint),
        ] {
            assert_eq!(hides(again), before.is_some());
            again.clone_from(before);
        }
        assert_eq!((again.settings, again.problems), (loaded.settings, loaded.problems), "{}", path.display());
    }
}

#[test]
fn g2_an_unknown_key_is_a_warning_and_an_error_only_when_strict() {
    let loaded = load("thmee = \"dark\"");
    assert_eq!(loaded.problems[0].to_string(), "config.toml:1:1: warning: unknown key 'thmee'; did you mean 'theme'?");
    assert_eq!((loaded.is_usable(false), loaded.is_usable(true)), (true, false));
    assert_eq!(loaded.settings, defaults());
}

#[test]
fn g2_an_unknown_key_among_limits_is_an_error_since_a_limit_must_not_be_passed_over() {
    assert!(!load("[limits]\ndya = { usd = 5 }").is_usable(false));
    for name in ["limit", "Limits", "limts"] {
        let loaded = load(&format!("[{name}]\nday = \"5usd\""));
        let error = format!("config.toml:1:2: unknown key '{name}'; did you mean 'limits'?");
        assert_eq!((loaded.problems[0].to_string(), loaded.is_usable(false)), (error, false));
    }
}

#[test]
fn g3_a_wrong_value_leaves_the_default_and_all_others_in_force() {
    let loaded = load("theme = 5\nmouse = true\n[limits]\nday = \"oops\"\nweek = \"5usd\"");
    assert!(!loaded.is_usable(false));
    assert_eq!((loaded.settings.theme.as_str(), loaded.settings.mouse), ("auto", true));
    assert_eq!(
        loaded.settings.limits.iter().map(|limit| LimitKey::from_limit(limit).to_string()).collect::<Vec<_>>(),
        ["week"]
    );
}

#[test]
fn g4_a_named_config_that_is_missing_is_an_error_and_the_usual_one_is_not() {
    let base = tempfile::tempdir().unwrap();
    let env = Env { cwd: base.path().into(), ..with(&[("XDG_CONFIG_HOME", "/nowhere/at/all")]) };
    let (paths, loaded) = open(&env, &Overrides::default(), &THEMES);
    assert!(!paths.config_given && loaded.is_usable(false), "{}", report(&loaded));
    let named = Overrides { config: Some("missing.toml".into()), ..Overrides::default() };
    let (_, loaded) = open(&env, &named, &THEMES);
    assert!(!loaded.is_usable(false));
    assert!(report(&loaded).contains(&format!("{}: does not exist", base.path().join("missing.toml").display())));
}

#[test]
fn g6_without_a_home_the_defaults_hold_and_it_is_said() {
    let env = Env { login: "alice".into(), ..Env::empty(Instant::UNIX_EPOCH) };
    let (paths, loaded) = open(&env, &Overrides::default(), &THEMES);
    assert_eq!((paths.config, paths.data), (None, None));
    assert_eq!(loaded.settings, defaults());
    assert!(loaded.is_usable(false) && report(&loaded).starts_with("HOME: warning: is not set"));
    // A path relative to an unknown home is invalid.
    assert!(!load_in(&env, "logs = [\"~/a\"]").is_usable(false));
}

#[test]
fn g8_a_config_edited_to_a_bad_state_is_noticed_and_the_old_settings_can_be_kept() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("config.toml");
    let named = Overrides { config: Some(path.clone()), ..Overrides::default() };
    fs::write(&path, "theme = \"dark\"").unwrap();
    let (seen, (_, mut kept)) = (stamp(&path), open(&world(), &named, &THEMES));
    for (text, theme, usable) in [("theme = 5", "dark", false), ("theme = \"mono\" ", "mono", true)] {
        fs::write(&path, text).unwrap();
        assert!(stamp(&path) != seen);
        let (_, new) = open(&world(), &named, &THEMES);
        assert_eq!(new.is_usable(false), usable);
        if new.is_usable(false) {
            kept = new;
        } else {
            assert!(report(&new).contains("config.toml:1:9: 'theme' is 5; give a name in quotes"));
        }
        assert_eq!(kept.settings.theme, theme);
    }
}

#[test]
fn g9_an_unknown_theme_lists_the_known_ones_and_falls_back_to_the_default() {
    let loaded = load("theme = \"gruvbx\"");
    let expected = "config.toml:1:9: theme 'gruvbx' is not known; there are: dark, light, ansi, mono";
    assert_eq!(loaded.problems[0].to_string(), expected);
    assert_eq!(loaded.settings.theme, "auto");
}

#[test]
fn g9_a_mistake_another_room_finds_is_placed_where_it_stands() {
    let loaded = load("[keys]\nquit = \"x\"\n");
    let problem = loaded.problem("keys.quit", "'x' is taken by 'copy'");
    assert_eq!(problem.to_string(), "config.toml:2:8: 'x' is taken by 'copy'");
}

#[test]
fn e5_a_zone_is_taken_from_the_flag_then_the_variable_then_the_file_then_the_system() {
    let file = ConfigText { path: "c".into(), text: "timezone = \"Asia/Tokyo\"".into() };
    let zone = |vars: &[(&str, &str)], file: Option<&ConfigText>, tz: Option<&str>| {
        let flags = Overrides { tz: tz.map(str::to_owned), ..Overrides::default() };
        let loaded = Settings::load(file, &with(vars), &flags, &THEMES);
        (loaded.settings.zone.name(), loaded.origins.get("timezone").cloned(), loaded.problems.len())
    };
    let all = [("TZ", "Europe/Rome"), ("TOKMETER_TZ", "Africa/Cairo")];
    assert_eq!(zone(&all, Some(&file), Some("Asia/Seoul")), ("Asia/Seoul", Some(Origin::Flag("--tz")), 0));
    assert_eq!(zone(&all, Some(&file), None), ("Africa/Cairo", Some(Origin::Variable("TOKMETER_TZ")), 0));
    assert!(matches!(zone(&all[..1], Some(&file), None), ("Asia/Tokyo", Some(Origin::File(_)), 0)));
    assert_eq!(zone(&all[..1], None, None), ("Europe/Rome", None, 0));
    // An invalid zone of the machine is a warning; one set by the user is an error.
    assert_eq!(zone(&[("TZ", "Mars/Base")], None, None), ("UTC", None, 1));
    assert_eq!(zone(&[("TZ", "Mars/Base")], Some(&file), None).2, 0);
    let wrong = Settings::load(None, &world(), &Overrides { tz: Some("Mars".into()), ..Overrides::default() }, &[]);
    assert!(wrong.problems[0].severity == Severity::Error && matches!(wrong.problems[0].at, Where::Flag("--tz")));
}

#[test]
fn e10_a_limit_of_nothing_is_a_limit() {
    let amount = load("[limits]\nday = { usd = 0 }\nweek = \"0 tokens\"")
        .settings
        .limits
        .iter()
        .map(|limit| limit.amount)
        .collect::<Vec<_>>();
    assert_eq!(
        amount,
        [Amount { usd: Some(Usd::ZERO), ..Amount::default() }, Amount { tokens: Some(0), ..Amount::default() },]
    );
}

#[test]
fn e11_the_first_day_of_the_week_is_a_setting() {
    assert_eq!(defaults().week_start, chrono::Weekday::Mon);
    assert_eq!(load("week_start = \"sunday\"").settings.week_start, chrono::Weekday::Sun);
    let report = report(&load("week_start = \"sun\""));
    assert!(report.contains("give \"monday\", \"tuesday\""), "{report}");
}

#[test]
fn e13_a_price_is_read_from_its_own_digits_and_never_through_a_float() {
    let loaded = load("[prices.m]\ninput = 0.30000000000000004\noutput = 1e-6\ncache_read = \"14.993999999999998\"");
    let rates = &loaded.settings.prices[0].rates;
    assert_eq!((rates.input.pico(), rates.output.pico(), rates.cache_read.unwrap().pico()), (300_000, 1, 14_994_000));
    let warned: BTreeSet<_> = loaded.problems.iter().map(|problem| problem.severity).collect();
    assert_eq!((warned, loaded.problems.len()), (BTreeSet::from([Severity::Warning]), 2));
    assert!(report(&loaded).contains("'input' is 0.30000000000000004, more digits than are kept"));
    // A float would make this 0.1 a hair more than a tenth of a pico-dollar's millionth.
    let exact = load("[prices.m]\ninput = 0.1\noutput = 123456.123456\n");
    assert_eq!((exact.settings.prices[0].rates.output.pico(), exact.problems.len()), (123_456_123_456, 0));
}

#[test]
fn i9_the_command_is_a_list_of_arguments_and_is_kept_as_it_is() {
    let settings = load("[alerts]\ncommand = [\"notify\", \"; touch x\", \"$(y) {title}\"]").settings;
    assert_eq!(settings.alerts.command, ["notify", "; touch x", "$(y) {title}"]);
    assert!(!load("[alerts]\ncommand = \"notify; touch x\"").is_usable(false));
}

#[test]
fn i11_nothing_but_the_users_own_file_makes_limits() {
    let base = tempfile::tempdir().unwrap();
    let (home, repo) = (base.path().join("home"), base.path().join("repo"));
    for (path, usd) in [
        (home.join(".config/tokmeter/config.toml"), 5),
        (repo.join("config.toml"), 999),
        (repo.join("tokmeter.toml"), 999),
        (repo.join(".tokmeter/config.toml"), 999),
        (repo.join(".config/tokmeter/config.toml"), 999),
    ] {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("[limits]\nday = {{ usd = {usd} }}")).unwrap();
    }
    let evil = repo.join("config.toml").to_string_lossy().into_owned();
    for vars in [
        vec![],
        vec![("TOKMETER_CONFIG", evil.as_str())],
        vec![("TOKMETER_CONFIG", "config.toml")],
        vec![("TOKMETER_LIMITS", "day=999usd"), ("TOKMETER_LIMITS_DAY", "999usd")],
        vec![("XDG_CONFIG_HOME", ".config")],
    ] {
        let mut env = Env { cwd: repo.clone(), home: Some(home.clone()), ..with(&vars) };
        env.folders.config = Some(home.join(".config"));
        let (_, loaded) = open(&env, &Overrides::default(), &THEMES);
        assert_eq!(loaded.settings.limits.len(), 1);
        assert_eq!(loaded.settings.limits[0].amount.usd, Some(Usd::from_micro(5_000_000)), "{vars:?}");
    }
}

#[test]
fn variables_go_before_the_file_and_flags_before_variables() {
    let vars = [
        ("TOKMETER_USER", "bob"),
        ("TOKMETER_TEAM", "core"),
        ("TOKMETER_ORG", "acme"),
        ("TOKMETER_THEME", "mono"),
        ("TOKMETER_SYMBOLS", "ascii"),
        ("TOKMETER_COLOR", "never"),
        ("TOKMETER_COST", "quoted"),
    ];
    let text = ConfigText { path: "c".into(), text: "user = \"carol\"\ntheme = \"dark\"\ncolor = \"always\"".into() };
    let flags = Overrides { color: Some(ColorWhen::Auto), ..Overrides::default() };
    let settings = Settings::load(Some(&text), &with(&vars), &flags, &THEMES).settings;
    let expected = Settings {
        user: Label::new("bob"),
        team: Some(Label::new("core")),
        org: Some(Label::new("acme")),
        theme: "mono".into(),
        symbols: Symbols::Ascii,
        color: ColorWhen::Auto,
        cost: CostMode::Quoted,
        ..defaults()
    };
    assert_eq!(settings, expected);
    let wrong = Settings::load(None, &with(&[("TOKMETER_COLOR", "allways")]), &Overrides::default(), &THEMES);
    let expected = "TOKMETER_COLOR: is 'allways'; give \"auto\", \"always\" or \"never\"; did you mean \"always\"?";
    assert_eq!(wrong.problems[0].to_string(), expected);
}

#[test]
fn origins_tell_the_file_and_line_the_variable_the_flag_or_the_default() {
    let text = ConfigText { path: "c.toml".into(), text: "\nmouse = true\n[limits]\nusers.al.day = \"1usd\"".into() };
    let flags = Overrides { color: Some(ColorWhen::Never), ..Overrides::default() };
    let loaded = Settings::load(Some(&text), &with(&[("TOKMETER_THEME", "dark")]), &flags, &THEMES);
    let shown = shown(&loaded, true);
    for line in [
        "user = \"alice\"  # default",
        "mouse = true  # c.toml:2",
        "theme = \"dark\"  # TOKMETER_THEME",
        "color = \"never\"  # --color",
        "users.al.day = { usd = 1 }  # c.toml:4",
        "bell = true  # default",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }
}

/// The sample with every setting it shows in force.
fn uncommented() -> String {
    let setting = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') => rest.to_owned(),
        _ => line.to_owned(),
    };
    SAMPLE.lines().map(setting).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_sample_with_its_comments_taken_off_is_exactly_the_default() {
    let loaded = load(&uncommented());
    assert_eq!(report(&loaded), "");
    assert_eq!(loaded.settings, defaults());
    assert_eq!((load(SAMPLE).settings, load(SAMPLE).origins.len()), (defaults(), 0));
}

#[test]
fn the_sample_names_every_setting() {
    let defaults = defaults();
    for (name, value) in written_settings(&defaults) {
        let (table, key) = name.rsplit_once('.').unwrap_or(("", name));
        let table =
            SAMPLE.split("\n#[").find(|part| table.is_empty() || part.starts_with(&format!("{table}]"))).unwrap();
        // An empty user is the login name, an empty zone that of the system, and `unpriced` is an example.
        let line = match value {
            Some(value) if !["user", "timezone"].contains(&key) => format!("#{key} = {value}\n"),
            Some(_) => format!("#{key} = \"\"\n"),
            None => format!("{key} = "),
        };
        assert!(table.contains(&line), "{name}: {line}");
    }
    for word in [
        "[limits]",
        "[alerts]",
        "[gate]",
        "[server]",
        "[prices]",
        "[aliases]",
        "[keys]",
        "[proxy]",
        "[views]",
        "[plans]",
        "unpriced = {",
        "from = 2026",
    ] {
        assert!(SAMPLE.contains(word), "{word}");
    }
    for word in
        ["users", "teams", "orgs", "projects", "agents", "features", "sources", "models", "warn_at", "output_tokens"]
    {
        assert!(SAMPLE.contains(word), "{word}");
    }
}

#[test]
fn a_token_is_read_and_shown_nowhere() {
    let secret = "0123456789abcdef-secret";
    let loaded = load(&format!("[server]\nlisten = \"0.0.0.0:4318\"\ntoken = \"{secret}\""));
    assert_eq!(report(&loaded), "");
    assert_eq!(loaded.settings.server.token, Some(Token::new(secret).unwrap()));
    let wrong = load("[server]\ntoken = \"too-short\"");
    assert!(!wrong.is_usable(false));
    for text in [shown(&loaded, true), format!("{loaded:?}")] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(shown(&loaded, false).contains("# token is set\n"));
}

#[test]
fn an_address_beyond_this_machine_needs_a_token_from_anywhere() {
    let text = "[server]\nlisten = \"0.0.0.0:4318\"";
    assert!(
        load(text).problems[0].to_string().starts_with("config.toml:2:10: warning: server: 'listen' can be reached")
    );
    assert_eq!(report(&load_in(&with(&[("TOKMETER_TOKEN", "0123456789abcdef")]), text)), "");
    assert_eq!(report(&load(&format!("{text}\ntoken_file = \"/run/token\""))), "");
    assert_eq!(report(&load("[server]\nlisten = \"[::1]:4318\"")), "");
}

#[test]
fn the_samples_examples_are_right() {
    let lines: Vec<&str> = SAMPLE.lines().filter_map(|line| line.strip_prefix("#   ")).collect();
    let section = |line: &&str| -> &'static str {
        match line.split([' ', '.', '=']).next().unwrap_or_default() {
            "day" | "month" | "session" | "block" | "5h" | "org" | "users" | "projects" => "[limits]\n",
            "command" | "quiet" | "slack" => "[alerts]\n",
            "daily" => "[alerts]\nslack = \"https://x\"\n",
            "unpriced" => "[gate]\n",
            "upstreams" | "ca_file" => "[proxy]\n",
            "token_file" => "[server]\n",
            "\"internal-large\"" => "[aliases]\n",
            "quit" => "[keys]\n",
            "mine" => "[views]\n",
            "ticket" => "[attribution]\n",
            _ => "",
        }
    };
    // One address and one way to the password: the first of each pair of lines.
    let mail = lines.iter().position(|line| *line == "[alerts.email]").unwrap();
    let ends = lines.iter().position(|line| line.starts_with("password_command")).unwrap();
    let loaded = load(&lines[mail..ends].join("\n"));
    assert_eq!((report(&loaded).as_str(), loaded.settings.alerts.email.map(|email| email.port)), ("", Some(587)));
    let lines = [&lines[..mail], &lines[ends + 1..]].concat();
    // Tables of several lines.
    let block = |head: &str, last: &str| {
        let start = lines.iter().position(|line| line.starts_with(head)).unwrap();
        start..=start + lines[start..].iter().position(|line| line.starts_with(last)).unwrap()
    };
    let (price, plan) = (block("[prices", "from"), block("[plans", "sources"));
    let is_alone = |at: &usize| !price.contains(at) && !plan.contains(at);
    let others: Vec<&str> = (0..lines.len()).filter(is_alone).map(|at| lines[at]).collect();
    let (price, plan) = (lines[price].to_vec(), lines[plan].to_vec());
    assert!(others.len() > 12 && price.len() > 6);
    for line in others {
        let loaded = load(&format!("{}{line}", section(&line)));
        assert_eq!(report(&loaded), "", "{line}");
        assert!(loaded.settings != defaults(), "{line}");
    }
    let loaded = load(&price.join("\n"));
    assert_eq!((report(&loaded).as_str(), loaded.settings.prices.len()), ("", 1));
    let loaded = load(&plan.join("\n"));
    assert_eq!((report(&loaded).as_str(), loaded.settings.plans.len()), ("", 1));
}

#[test]
fn a_plan_has_a_price_from_a_day_on_and_a_ticket_is_a_regular_expression() {
    let loaded = load(
        "[[plans.max]]\nusd = 100\n[[plans.max]]\nusd = \"200.50\"\nfrom = 2026-03-01\nsources = [\"claude-code\"]\n\
         [attribution]\nticket = \"#([0-9]+)\"\n",
    );
    assert_eq!(report(&loaded), "");
    let plans: Vec<_> = loaded.settings.plans.iter().map(|plan| (plan.usd.to_string(), plan.sources.len())).collect();
    assert_eq!(plans, [("100".to_owned(), 0), ("200.5".to_owned(), 1)]);
    assert_eq!(loaded.settings.ticket.find("fix-#81-x"), Some("81"));
    for wrong in [
        "[plans]\nmax = 20",
        "[plans.max]\nfrom = 2026-01-01",
        "[plans.max]\nusd = -1",
        "[[plans.max]]\nusd = 1\n[[plans.max]]\nusd = 2",
        "[attribution]\nticket = \"[A-\"",
        "plans = 3",
    ] {
        assert!(!load(wrong).is_usable(false), "{wrong}");
    }
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,6}", "[ -~]{1,8}", Just("日本".to_owned()), Just("a.b".to_owned()), Just("*".to_owned())]
        .prop_filter("a name is not blank", |name| {
            !name.trim().is_empty() && name != "~" && !name.starts_with("~/") && !name.ends_with(['/', '\\'])
        })
}

fn usd() -> impl Strategy<Value = Usd> {
    prop_oneof![0_i128..1_000_000_000_000_000, 0_i128..1_000_000_000_000_000_000_000_000_000].prop_map(Usd::from_pico)
}

fn amount() -> impl Strategy<Value = Amount> {
    let count = || prop::option::of(0..=i64::MAX.unsigned_abs());
    (prop::option::of(usd()), count(), count())
        .prop_map(|(usd, tokens, output_tokens)| Amount { usd, tokens, output_tokens })
        .prop_filter("an amount is not empty", |amount| *amount != Amount::default())
}

fn percentages() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::btree_set(1_u8..=100, 0..4).prop_map(|all| all.into_iter().collect())
}

fn key() -> impl Strategy<Value = LimitKey> {
    let window = prop_oneof![
        prop::sample::select(vec!["call", "session", "run", "hour", "day", "week", "month", "total"])
            .prop_map(str::to_owned),
        (1_u32..8784).prop_map(|hours| format!("{hours}h")),
    ];
    let names =
        prop::sample::subsequence(vec!["user", "team", "org", "project", "agent", "feature", "source", "model"], 0..3)
            .prop_flat_map(|dimensions| {
                let count = dimensions.len();
                (Just(dimensions), prop::collection::vec("[a-z0-9*. /\"'#=]{0,6}x", count))
            });
    (prop::bool::weighted(0.1), names, window).prop_map(|(org, (dimensions, names), window)| {
        let pairs: Vec<String> =
            dimensions.iter().zip(names).map(|(dimension, name)| format!("{dimension}:{name}:")).collect();
        let pairs = pairs.concat();
        let pairs = if org { "org:".to_owned() } else { pairs };
        format!("{pairs}{window}").parse().unwrap()
    })
}

fn limits() -> impl Strategy<Value = Vec<(LimitKey, Amount, Vec<u8>)>> {
    prop::collection::btree_map(key(), (amount(), percentages()), 0..6)
        .prop_map(|all| all.into_iter().map(|(key, (amount, warn_at))| (key, amount, warn_at)).collect())
}

fn rates() -> impl Strategy<Value = Rates> {
    let rate = || (0_i128..1_000_000_000).prop_map(Usd::from_pico);
    let some = || prop::option::of((0_i128..1_000_000_000).prop_map(Usd::from_pico));
    (rate(), rate(), some(), some(), some(), some()).prop_map(
        |(input, output, cache_read, cache_write_5m, cache_write_1h, web_search)| Rates {
            input,
            output,
            cache_read,
            cache_write_5m,
            cache_write_1h,
            web_search,
        },
    )
}

fn prices() -> impl Strategy<Value = Vec<CustomPrice>> {
    let day =
        prop::option::of((0_i32..800).prop_map(|days| chrono::NaiveDate::from_epoch_days(20_000 + days).unwrap()));
    prop::collection::btree_map((name(), day), rates(), 0..4)
        .prop_map(|all| all.into_iter().map(|((model, from), rates)| CustomPrice { model, from, rates }).collect())
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let day =
        prop::option::of((0_i32..800).prop_map(|days| chrono::NaiveDate::from_epoch_days(20_000 + days).unwrap()));
    let terms = (usd(), prop::collection::vec(name().prop_map(|name| Label::new(&name)), 0..3));
    prop::collection::btree_map((name().prop_map(|name| Label::new(&name)), day), terms, 0..4).prop_map(|all| {
        let plan = |((name, from), (usd, sources))| Plan { name, usd, from, sources };
        all.into_iter().map(plan).collect()
    })
}

fn alerts() -> impl Strategy<Value = Alerts> {
    let time =
        || (0_u32..24, 0_u32..60).prop_map(|(hour, minute)| chrono::NaiveTime::from_hms_opt(hour, minute, 0).unwrap());
    let quiet = prop::option::of((time(), time()).prop_filter("not empty", |(from, until)| from != until));
    let notify = vec![Notify::Auto, Notify::Off, Notify::Osc9, Notify::Osc777, Notify::Desktop];
    let webhook = prop::option::of(name().prop_map(|name| format!("https://{name}")));
    let slack = prop::option::of(name().prop_map(|name| format!("http://{name}")));
    let told = (slack, prop::option::of(email()), prop::option::of(time()));
    (any::<bool>(), prop::sample::select(notify), prop::collection::vec(name(), 0..3), webhook, quiet, 0_u8..=100, told)
        .prop_map(|(bell, notify, command, webhook, quiet, hysteresis, (slack, email, daily))| Alerts {
            bell,
            notify,
            command,
            webhook,
            daily: daily.filter(|_| slack.is_some() || email.is_some()),
            slack,
            email,
            quiet: quiet.map(|(from, until)| QuietHours { from, until }),
            hysteresis,
        })
}

/// Boxed, because all strategies together are too large for the stack of a test.
fn email() -> BoxedStrategy<Email> {
    let tls = prop::sample::select(vec![Tls::Tls, Tls::Starttls, Tls::None]);
    let password = prop_oneof![
        name().prop_map(|name| Password::File(format!("/{name}").into())),
        prop::collection::vec(name(), 1..3).prop_map(Password::Command),
    ];
    let ca = prop::option::of(name());
    (1_u16.., tls, ca, prop::option::of((name(), password)), 1_usize..4)
        .prop_map(|(port, tls, ca, login, count)| {
            let (user, password) = login.unzip();
            let to = (0..count).map(|number| format!("Bob <bob{number}@example.org>")).collect();
            let ca_file = ca.map(|name| format!("/{name}").into());
            let (server, from) = ("localhost".to_owned(), "tok@example.org".to_owned());
            Email { server, port, tls, ca_file, from, to, user, password }
        })
        .boxed()
}

prop_compose! {
    fn server()(
        listen in any::<std::net::SocketAddrV4>(),
        file in prop::option::of(name()),
        (body_mib, expanded_mib, connections, timeout_seconds) in (1_u32..=1024, 1_u32..=1024, 1_u32..=10_000, 1_u32..=600),
        (socket, metrics_names) in any::<(bool, bool)>(),
        (endpoint, headers, otlp_interval_seconds) in (prop::option::of(name()), prop::option::of(name()), 1_u32..=86_400),
    ) -> Server {
        let token_file = file.map(|name| Path::new("/").join(name));
        // Without a token there would be a warning beyond loopback.
        let listen = if token_file.is_some() { listen.into() } else { Server::default().listen };
        Server { listen, token: None, token_file, socket, body_mib, expanded_mib, connections, timeout_seconds, metrics_names, otlp_interval_seconds,
            otlp_endpoint: endpoint.map(|name| format!("https://{name}")), otlp_headers_file: headers.map(|name| Path::new("/").join(name)) }
    }
}

prop_compose! {
    fn settings()(
        names in (name(), prop::option::of(name()), prop::option::of(name()), name()),
        zone in prop::sample::select(Zone::all().collect::<Vec<_>>()),
        day in 0_u8..7,
        look in (0_usize..4, prop::sample::select(vec![Symbols::Auto, Symbols::Unicode, Symbols::Ascii]),
            prop::sample::select(vec![ColorWhen::Auto, ColorWhen::Always, ColorWhen::Never]), any::<bool>(),
            prop::option::of(1_u8..=60)),
        cost in prop::sample::select(vec![CostMode::Auto, CostMode::Calculate, CostMode::Quoted]),
        logs in prop::collection::vec(name(), 0..3),
        warn_at in percentages(),
        limits in limits(),
        alerts in alerts(),
        gate in (any::<bool>(), prop::option::of(rates())),
        server in server().boxed(),
        prices in prices(),
        (aliases, views, plans, upstreams, upstream_ca) in (prop::collection::btree_map(name(), name(), 0..3),
            prop::collection::btree_map(name(), name(), 0..3), plans(), prop::collection::btree_map(name(), name(), 0..3),
            prop::option::of(name())),
        keys in prop::collection::btree_map(name(), prop::collection::vec(name(), 0..3), 0..3),
    ) -> Settings {
        Settings {
            user: Label::new(&names.0),
            team: names.1.as_deref().map(Label::new),
            org: names.2.as_deref().map(Label::new),
            zone,
            week_start: chrono::Weekday::try_from(day).unwrap(),
            homes: logs.iter().map(|name| Path::new("/home").join(name)).collect(),
            logs: logs.iter().map(|name| Path::new("/").join(name)).collect(),
            theme: THEMES[look.0].into(),
            symbols: look.1,
            color: look.2,
            mouse: look.3,
            frame_rate: look.4.map_or(FrameRate::Auto, FrameRate::Most),
            statusline: names.3,
            cost,
            warn_at,
            limits: limits.into_iter()
                .map(|(key, amount, warn_at)| Limit { scope: key.scope, window: key.window, amount, warn_at })
                .collect(),
            alerts,
            server,
            gate: Gate { on_error: if gate.0 { OnError::Allow } else { OnError::Deny }, unpriced: gate.1 },
            prices,
            aliases: aliases.into_iter().collect(),
            keys: keys.into_iter().map(|(action, keys)| KeyBinding { action, keys }).collect(),
            upstreams: upstreams.into_iter().collect(),
            upstream_ca: upstream_ca.map(|name| Path::new("/").join(name)),
            views: views.into_iter().collect(),
            ticket: TicketPattern::new(if gate.0 { TicketPattern::DEFAULT } else { "[0-9]+" }).unwrap(),
            plans,
        }
    }
}

/// Bytes that resemble a config in places.
fn scraps() -> impl Strategy<Value = String> {
    let scrap = prop::sample::select(vec![
        "theme", "limits", "[", "]", "{", "}", "=", "\"", "'", "\n", ".", ",", "day", "usd", "users", "*", "5", "-1",
        "1e99", "\"5usd\"", "#", " ", "prices", "input", "[[", "]]", "warn_at", "\u{1b}", "\u{202e}", "é", "\\u",
        "\"\"\"", "inf", "keys",
    ]);
    prop::collection::vec(scrap, 0..40).prop_map(|scraps| scraps.concat())
}

proptest! {
    #[test]
    fn what_is_written_reads_back_as_the_same(settings in settings()) {
        let text = settings.to_toml();
        let loaded = load(&text);
        prop_assert_eq!(report(&loaded), "", "{}", text);
        prop_assert_eq!(loaded.settings, settings, "{}", text);
    }

    #[test]
    fn any_text_is_settings_or_mistakes_inside_it(text in prop_oneof![any::<String>(), scraps()]) {
        let loaded = load(&text);
        for problem in &loaded.problems {
            let Where::File(place) = &problem.at else { continue };
            prop_assert!(place.span.start <= place.span.end && place.span.end <= text.len());
            prop_assert!(place.line <= text.split('\n').count());
        }
        let report = report(&loaded);
        let unsafe_letter = |letter: char| (letter.is_control() && letter != '\n') || letter == '\u{202e}';
        prop_assert!(!report.contains(unsafe_letter));
        // Editing never panics either, and never adds errors.
        let _ = edit::set(&text, "theme", "dark");
        let _ = edit::unset_limit(&text, &world(), &"day".parse().unwrap());
        if let Ok(edited) = edit::set_limit(&text, &world(), &"day".parse().unwrap(), &parse_amount("5usd").unwrap(), None) {
            prop_assert!(load(&edited).problems.len() <= loaded.problems.len());
        }
    }

    #[test]
    fn any_bytes_are_a_config_or_one_line_that_says_why_not(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("config.toml");
        fs::write(&path, &bytes).unwrap();
        match tokmeter::testing::config::read(&path, true) {
            Ok(text) => prop_assert!(bytes.ends_with(text.unwrap().text.as_bytes())),
            Err(problem) => prop_assert_eq!(problem.to_string().lines().count(), 1),
        }
    }

    #[test]
    fn an_edited_limit_reads_back_and_every_comment_line_stays(
        limits in limits(),
        more in limits(),
        comments in prop::collection::vec("# [a-z]{1,8}", 1..12),
    ) {
        let settings = Settings {
            limits: limits.into_iter()
                .map(|(key, amount, warn_at)| Limit { scope: key.scope, window: key.window, amount, warn_at })
                .collect(),
            ..defaults()
        };
        let mut comments = comments.into_iter().cycle();
        let mut text: String =
            settings.to_toml().lines().flat_map(|line| [line.to_owned(), comments.next().unwrap()]).map(|line| line + "\n").collect();
        let count = |text: &str| text.lines().filter(|line| line.starts_with('#')).count();
        let all = count(&text);
        for (key, amount, warn_at) in &more {
            text = edit::set_limit(&text, &world(), key, amount, Some(warn_at)).unwrap();
            let loaded = load(&text);
            let found = loaded.settings.limits.iter().find(|limit| LimitKey::from_limit(limit) == *key).unwrap();
            prop_assert_eq!((found.amount, &found.warn_at), (*amount, warn_at));
            prop_assert_eq!(count(&text), all, "{}", text);
        }
        for (key, _, _) in &more {
            text = edit::unset_limit(&text, &world(), key).unwrap();
            prop_assert!(load(&text).settings.limits.iter().all(|limit| LimitKey::from_limit(limit) != *key));
            prop_assert_eq!(count(&text), all, "{}", text);
        }
        let kept: Vec<Limit> =
            settings.limits.iter().filter(|limit| more.iter().all(|(key, ..)| LimitKey::from_limit(limit) != *key)).cloned().collect();
        prop_assert_eq!(load(&text).settings.limits, kept);
    }
}

#[test]
fn a_mistake_in_a_login_is_reported_once() {
    let login = |lines: &str| {
        report(&load(&format!("[alerts.email]\nserver = \"s\"\nfrom = \"a@b.c\"\nto = [\"d@e.f\"]\n{lines}")))
    };
    let together = "'user' and its password go together";
    for lines in [
        "user = \"u\"\npassword_command = \"x\"\n",
        "user = \"u\"\npassword = \"x\"\n",
        "user = 1\npassword_file = \"/x\"\n",
        "user = \"u\"\npassword_file = \"/x\"\npassword_command = [\"x\"]\n",
    ] {
        let told = login(lines);
        assert!(!told.is_empty() && !told.contains(together), "{told}");
    }
    assert!(login("user = \"u\"\n").contains(together));
}

#[test]
fn the_advice_about_a_table_names_its_whole_header_and_each_known_key_once() {
    assert!(report(&load("[proxy]\nupstreams = \"x\"\n")).contains("give a table: [proxy.upstreams]"));
    let told = report(&load("[alerts]\nfoo = 1\n"));
    assert_eq!(told.matches("daily").count(), 1, "{told}");
}
