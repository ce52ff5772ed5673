//! Providers' own quota windows as text.

use super::moment;
use crate::domain::{Instant, Quota, Zone};

/// The owner and length of a window: `claude 5 h`, `codex 7 d`.
pub(crate) fn quota_name(quota: &Quota) -> String {
    let agent = quota.source.strip_suffix("-code").unwrap_or(&quota.source);
    let name = quota.name.as_str();
    let name = if name.is_empty() || name == quota.source.as_str() { String::new() } else { format!(" {name}") };
    format!("{agent}{name} {}", quota.window())
}

/// When it resets, or that it has: `resets 17:00`, `reset 17:00: use since then unknown`.
pub(crate) fn quota_resets(quota: &Quota, now: Instant, zone: Zone) -> String {
    match quota.resets_at {
        Some(at) if quota.is_over(now) => format!("reset {}: use since then unknown", moment(at, now, zone)),
        Some(at) => format!("resets {}", moment(at, now, zone)),
        None => String::new(),
    }
}

/// Age of the report: `4 min ago`.
pub(crate) fn quota_age(quota: &Quota, now: Instant) -> String {
    let minutes = now.signed_duration_since(quota.seen).num_minutes().max(0);
    match (minutes / 1440, minutes / 60) {
        (0, 0) if minutes < 1 => "just now".to_owned(),
        (0, 0) => format!("{minutes} min ago"),
        (0, hours) => format!("{hours} h ago"),
        (days, _) => format!("{days} d ago"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Label;

    #[test]
    fn a_window_says_whose_it_is_and_whether_it_has_started_over() {
        let at = |text: &str| -> Instant { text.parse().unwrap() };
        let now = at("2026-11-22T16:00:00Z");
        let quota = Quota {
            source: Label::new("claude-code"),
            name: Label::new(""),
            minutes: 300,
            used: 3_150,
            resets_at: Some(at("2026-11-22T17:00:00Z")),
            seen: at("2026-11-22T15:56:00Z"),
        };
        assert_eq!((quota_name(&quota).as_str(), quota.percent()), ("claude 5 h", 31));
        assert_eq!(quota_resets(&quota, now, Zone::UTC), "resets 17:00");
        assert_eq!(quota_age(&quota, now), "4 min ago");
        assert_eq!(quota_age(&quota, at("2026-11-24T17:00:00Z")), "2 d ago");
        let later = at("2026-11-22T17:00:00Z");
        assert_eq!(quota_resets(&quota, later, Zone::UTC), "reset 17:00: use since then unknown");
        let other = Quota { source: Label::new("codex"), name: Label::new("spark"), minutes: 10_080, ..quota };
        assert_eq!(quota_name(&other), "codex spark 7 d");
    }
}
