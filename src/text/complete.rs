//! The counter, and the summary shown at the end of a session.

use super::{banner_amounts, banner_title, cost, count, duration, per_cent, percent, plural, saved};
use super::{project_short, session_short};
use crate::domain::Label;
use crate::ledger::{SessionRow, Sums};
use crate::meter::closing;
use crate::meter::{Follow, LimitState, SessionLine, Summary, Verdict};

/// The counter: `Tokens: 12,450 ↑ | Cost: $0.23`, with an arrow while it grows.
pub(crate) fn counter(sums: &Sums, growing: bool) -> String {
    let arrow = if growing { " ↑" } else { "" };
    format!("Tokens: {}{arrow} | Cost: {}", count(sums.tokens.total()), cost(sums))
}

/// The session that a summary covers: `Session: api-server 3f2a91c0`; `None` for calls without a name.
pub(crate) fn session_words(row: &SessionRow) -> Option<String> {
    let project = row.project.as_deref().map(project_short);
    let session = row.session.as_deref().map(session_short);
    let words: Vec<&str> = project.filter(|_| session.is_some()).into_iter().chain(session).collect();
    (!words.is_empty()).then(|| format!("Session: {}", words.join(" ")))
}

/// Several sessions that a summary covers, or one session's calls of today: `Today: 4 sessions`, without the number if
/// it is unknown.
pub(crate) fn followed_words(session: &SessionLine, summary: &Summary) -> Option<String> {
    let is_today = summary.follow == Follow::Today;
    let pauses = match closing::stretches(summary) {
        0 | 1 => String::new(),
        several => format!(", {several} stretches of work, pauses excluded"),
    };
    if session.row.session.is_some() {
        let words = session_words(&session.row)?;
        return Some(if is_today { format!("{words}, today{pauses}") } else { words });
    }
    let about = if is_today { "Today" } else { "Everything" };
    Some(match summary.session_count {
        Some(count) => format!("{about}: {}{pauses}", plural(count, "session")),
        None => format!("{about}{pauses}"),
    })
}

/// The summary of one session, named in its first line.
pub(crate) fn complete(session: &SessionLine, limits: &[LimitState], log: Option<&Label>) -> String {
    complete_about(session_words(&session.row).as_deref(), session, limits, log)
}

/// The end-of-session summary, with line ends: the session, duration, operations, tokens and cost, and then models,
/// cache, limits and the log's path, if any.
pub(crate) fn complete_about(
    about: Option<&str>,
    session: &SessionLine,
    limits: &[LimitState],
    log: Option<&Label>,
) -> String {
    let sums = &session.row.sums;
    let mut lines = vec!["Session Complete".to_owned(), "─────────────────".to_owned()];
    lines.extend(about.map(str::to_owned));
    lines.extend([
        format!("Duration: {}", duration(session.duration)),
        format!("Operations: {}", count(sums.calls)),
        format!("Tokens: {}", count(sums.tokens.total())),
        format!("Cost: {}", cost(sums)),
    ]);
    let models: Vec<String> = session
        .row
        .models
        .iter()
        .map(|(model, sums)| {
            let name = model.as_ref().map_or("unknown model", Label::as_str);
            format!("{name} {} ({}, {})", cost(sums), plural(sums.calls, "call"), plural(sums.tokens.total(), "token"))
        })
        .collect();
    match models.as_slice() {
        [] => {}
        [one] => lines.push(format!("Model: {one}")),
        several => {
            lines.push("Models:".to_owned());
            lines.extend(several.iter().map(|model| format!("  {model}")));
        }
    }
    if let Some(cache) = cache_line(sums) {
        lines.push(format!("Cache: {cache}"));
    }
    if sums.unpriced_tokens > 0 {
        lines.push(format!(
            "Unpriced: {} without a known price, not in the cost",
            plural(sums.unpriced_tokens, "token")
        ));
    }
    for limit in limits {
        lines.push(match limit.verdict {
            _ if limit.lifted => format!("Limit: {} is lifted, {}", limit.name, banner_amounts(limit)),
            Verdict::Under => {
                let (used, amounts) = (percent(limit), banner_amounts(limit));
                if limit.session.is_some() {
                    format!("Limit: {}: {used} used, {amounts}", limit.name)
                } else {
                    format!("Limit: {used} of {} limit used, {amounts}", limit.name)
                }
            }
            Verdict::Near | Verdict::Over => format!("{}, {}", banner_title(limit), banner_amounts(limit)),
        });
    }
    if let Some(log) = log {
        lines.push(format!("Log: {log}"));
    }
    lines.join("\n") + "\n"
}

/// Cache efficiency: `98% hit, saved $9.31`, with the mark of what was saved; `None` if no cache was used.
pub(crate) fn cache_line(sums: &Sums) -> Option<String> {
    let tokens = &sums.tokens;
    if tokens.cache_read == 0 && tokens.cache_write() == 0 {
        return None;
    }
    let hit = per_cent(tokens.cache_read, tokens.prompt()).unwrap_or(0);
    let saved = if sums.saved.is_negative() {
        format!(", cost {} extra", saved(&Sums { saved: -sums.saved, ..*sums }))
    } else if sums.saved == crate::domain::Usd::ZERO {
        String::new()
    } else {
        format!(", saved {}", saved(sums))
    };
    Some(format!("{hit}% hit{saved}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Span, Tokens, Usd};
    use crate::meter::{Activity, DayCurve, FleetLine, Trend};
    use chrono::Duration;

    fn session() -> SessionLine {
        let sums = Sums {
            calls: 15,
            tokens: Tokens { input: 1_000, cache_read: 140_000, output: 4_230, ..Tokens::ZERO },
            cost: Usd::from_micro(2_180_000),
            saved: Usd::from_micro(9_310_000),
            ..Sums::default()
        };
        let started = "2026-11-22T13:02:00Z".parse().unwrap();
        let row = SessionRow {
            session: Some(Label::new("s")),
            source: Label::new("claude-code"),
            started,
            ended: started + Duration::seconds(1392),
            project: None,
            user: None,
            projects: std::collections::BTreeMap::new(),
            users: std::collections::BTreeMap::new(),
            models: vec![(Some(Label::new("claude-opus-5")), sums)],
            in_agents: Sums::default(),
            sums,
        };
        SessionLine { row, duration: Duration::seconds(1392), active: false }
    }

    #[test]
    fn the_counter_has_its_arrow_only_while_it_grows() {
        let sums = Sums {
            tokens: Tokens { input: 12_450, ..Tokens::ZERO },
            cost: Usd::from_micro(230_000),
            ..Sums::default()
        };
        assert_eq!(counter(&sums, true), "Tokens: 12,450 ↑ | Cost: $0.23");
        assert_eq!(counter(&sums, false), "Tokens: 12,450 | Cost: $0.23");
    }

    #[test]
    fn several_sessions_are_named_by_their_number_where_it_is_known() {
        let mut several = session();
        several.row.session = None;
        let words = |follow, session_count| {
            let summary = Summary { follow, session_count, ..Summary::empty(several.row.ended) };
            followed_words(&several, &summary).unwrap()
        };
        assert_eq!(words(Follow::Today, Some(70)), "Today: 70 sessions");
        assert_eq!(words(Follow::Everything, Some(1)), "Everything: 1 session");
        assert_eq!(words(Follow::Today, None), "Today");
        assert_eq!(words(Follow::Everything, None), "Everything");
    }

    fn fleet_line(line: &SessionLine) -> FleetLine {
        FleetLine {
            id: line.id(),
            project: None,
            started: line.row.started,
            activity: Activity::Working,
            today: line.row.sums,
            cost_per_hour: Usd::ZERO,
            of_rate: Sums::default(),
            last: line.row.ended,
            model: None,
            main: None,
            trend: Trend::default(),
            agents: Vec::new(),
        }
    }

    #[test]
    fn a_day_with_a_pause_says_how_many_stretches_of_work_there_were() {
        let (mut line, dollar) = (session(), Usd::from_micro(1_000_000));
        let started = line.row.started;
        let at = |minutes: i64| started + Duration::minutes(minutes);
        let spent = vec![(at(0), Usd::ZERO), (at(15), dollar), (at(75), dollar), (at(90), dollar + dollar)];
        let curve = DayCurve { spent, ahead: Vec::new() };
        line.row.ended = at(90);
        let summary = Summary {
            follow: Follow::Today,
            day: Span { from: at(-60), until: at(600) },
            session_count: Some(1),
            curve,
            sessions: vec![line.clone()],
            fleet: vec![fleet_line(&line)],
            ..Summary::empty(at(90))
        };
        let pauses = "2 stretches of work, pauses excluded";
        assert_eq!(followed_words(&line, &summary).unwrap(), format!("Session: s, today, {pauses}"));
        let mut several = line.clone();
        several.row.session = None;
        assert_eq!(followed_words(&several, &summary).unwrap(), format!("Today: 1 session, {pauses}"));
    }

    #[test]
    fn the_end_of_a_session_says_what_the_contract_says() {
        let line = session();
        let completed = complete(&line, &[], Some(&Label::new("/logs/a.jsonl")));
        assert_eq!(
            completed,
            "Session Complete\n─────────────────\nSession: s\nDuration: 23 minutes\nOperations: 15\nTokens: 145,230\nCost: $2.18\n\
             Model: claude-opus-5 $2.18 (15 calls, 145,230 tokens)\nCache: 99% hit, saved $9.31\nLog: /logs/a.jsonl\n"
        );
    }
}
