//! The counter, and the summary at the end of a session.

use super::{banner_amounts, banner_title, cost, count, duration, per_cent, plural, usd};
use crate::domain::Label;
use crate::ledger::Sums;
use crate::meter::{LimitState, SessionLine, Verdict};

/// The counter: `Tokens: 12,450 ↑ | Cost: $0.23`, with an arrow while it grows.
pub(crate) fn counter(sums: &Sums, growing: bool) -> String {
    let arrow = if growing { " ↑" } else { "" };
    format!("Tokens: {}{arrow} | Cost: {}", count(sums.tokens.total()), cost(sums))
}

/// The end-of-session summary, with line ends: duration, operations, tokens, cost; then models, cache, limits and the
/// log's path, if any.
pub(crate) fn complete(session: &SessionLine, limits: &[LimitState], log: Option<&Label>) -> String {
    let sums = &session.row.sums;
    let mut lines = vec![
        "Session Complete".to_owned(),
        "─────────────────".to_owned(),
        format!("Duration: {}", duration(session.duration)),
        format!("Operations: {}", count(sums.calls)),
        format!("Tokens: {}", count(sums.tokens.total())),
        format!("Cost: {}", cost(sums)),
    ];
    let models: Vec<String> = session
        .row
        .models
        .iter()
        .map(|(model, sums)| {
            let name = model.as_ref().map_or("unknown model", Label::as_str);
            format!("{name} {} ({}, {} tokens)", cost(sums), plural(sums.calls, "call"), count(sums.tokens.total()))
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
            "Unpriced: {} tokens have no known price and are not in the cost",
            count(sums.unpriced_tokens)
        ));
    }
    for limit in limits {
        lines.push(match limit.verdict {
            _ if limit.lifted => format!("Limit: {} is lifted, {}", limit.name, banner_amounts(limit)),
            Verdict::Under => {
                format!("Limit: {}% of {} limit used, {}", limit.percent, limit.name, banner_amounts(limit))
            }
            Verdict::Near | Verdict::Over => format!("{}, {}", banner_title(limit), banner_amounts(limit)),
        });
    }
    if let Some(log) = log {
        lines.push(format!("Log: {log}"));
    }
    lines.join("\n") + "\n"
}

/// Cache efficiency: `98% hit, saved $9.31`; `None` if no cache was used.
pub(crate) fn cache_line(sums: &Sums) -> Option<String> {
    let tokens = &sums.tokens;
    if tokens.cache_read == 0 && tokens.cache_write() == 0 {
        return None;
    }
    let hit = per_cent(tokens.cache_read, tokens.prompt()).unwrap_or(0);
    let saved = if sums.saved.is_negative() {
        format!(", cost {} extra", usd(-sums.saved))
    } else if sums.saved == crate::domain::Usd::ZERO {
        String::new()
    } else {
        format!(", saved {}", usd(sums.saved))
    };
    Some(format!("{hit}% hit{saved}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Tokens, Usd};
    use crate::ledger::SessionRow;
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
    fn the_end_of_a_session_says_what_the_contract_says() {
        let said = complete(&session(), &[], Some(&Label::new("/logs/a.jsonl")));
        assert_eq!(
            said,
            "Session Complete\n─────────────────\nDuration: 23 minutes\nOperations: 15\nTokens: 145,230\nCost: $2.18\n\
             Model: claude-opus-5 $2.18 (15 calls, 145,230 tokens)\nCache: 99% hit, saved $9.31\nLog: /logs/a.jsonl\n"
        );
    }
}
