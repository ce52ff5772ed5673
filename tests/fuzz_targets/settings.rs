//! Configs and times as written by users and programs.

use std::ffi::OsString;

use tokmeter::testing::cli;
use tokmeter::testing::config::{ConfigText, Env, Overrides, Settings};
use tokmeter::testing::domain::{Label, Record, Span, Zone, day_of, day_start};
use tokmeter::testing::formats::Decoder;

use super::{now, origin};

/// Any text gives either settings or problems with positions; settings written out read back the same.
pub fn config_toml(data: &[u8]) {
    let load = |text: String| {
        let file = ConfigText { path: "/home/kim/config.toml".into(), text };
        Settings::load(Some(&file), &Env::empty(now()), &Overrides::default(), &["dark", "light"])
    };
    let loaded = load(String::from_utf8_lossy(data).into_owned());
    let mut told = Vec::new();
    loaded.report(&mut told).unwrap();
    let told = String::from_utf8(told).unwrap();
    assert!(!told.chars().any(|letter| letter.is_control() && letter != '\n'), "{told:?}");
    if loaded.is_usable(true) {
        let again = load(loaded.settings.to_toml());
        let mut problems = Vec::new();
        again.report(&mut problems).unwrap();
        assert!(again.is_usable(false), "{}", String::from_utf8_lossy(&problems));
        assert_eq!(again.settings.limits, loaded.settings.limits);
    }
}

/// A time in a log is on a day with bounds, or invalid; one on the command line is valid or an error.
pub fn timestamp(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let quoted = serde_json::to_string(&text).unwrap();
    for at in [quoted.as_str(), &text] {
        let line = format!("{{\"id\":\"t\",\"at\":{at},\"model\":\"m\",\"input_tokens\":1}}");
        let mut records = Vec::new();
        Decoder::new(&[]).line(line.as_bytes(), &origin(0), &mut records);
        for record in records {
            let Record::Call(call) = record else { continue };
            for zone in [Zone::UTC, Zone::named("Asia/Kathmandu").unwrap(), Zone::named("America/Sao_Paulo").unwrap()] {
                let (day, span) = (day_of(call.at(), zone), Span::day(call.at(), zone));
                assert!(span.contains(call.at()) && day_start(day, zone) == span.from, "{} in {zone}", call.at());
            }
        }
    }
    if !text.contains('\0') {
        let args = ["tokmeter", "report", &format!("--since={text}")].map(OsString::from);
        if let Err(error) = cli::parse(&args) {
            Label::new(&error.to_string());
        }
    }
}
