//! A limit and its state as JSON.

use serde::Serialize;

use super::Cell;
use crate::domain::{Zone, rfc3339_seconds};
use crate::meter::{Amount, LimitState, Window};
use crate::text;

/// JSON form of a limit in `limits show`, `gate` and the socket's replies.
#[derive(Serialize)]
pub(crate) struct LimitJson {
    limit: String,
    name: String,
    subject: Option<String>,
    /// Present if it limits a session or a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    verdict: &'static str,
    /// Unknown where nothing that counts has a price.
    percent: Option<u64>,
    used: AmountJson,
    allowed: AmountJson,
    resets_at: Option<String>,
    reached_at: Option<String>,
    reached_between: Option<[String; 2]>,
    lower_bound: bool,
    guessed: bool,
    /// Present if it is overridden.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    lifted: bool,
}

#[derive(Serialize)]
struct AmountJson {
    /// Absent if it has none, unknown if nothing that counts has a price.
    #[serde(skip_serializing_if = "Option::is_none")]
    usd: Option<Cell>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens: Option<u64>,
}

impl AmountJson {
    fn from_amount(amount: &Amount) -> Self {
        Self { usd: amount.usd.map(Cell::Usd), tokens: amount.tokens, output_tokens: amount.output_tokens }
    }
}

impl LimitJson {
    /// The state of a limit whose config key is `key`, with times in this zone.
    pub(crate) fn new(key: &impl ToString, state: &LimitState, zone: Zone) -> Self {
        let time = |at: crate::domain::Instant| rfc3339_seconds(at, zone);
        let is_rolling = matches!(state.limit.window, Window::Rolling(_));
        let mut used = AmountJson::from_amount(&state.used);
        if text::is_unpriced(state) {
            used.usd = used.usd.map(|_| Cell::Unknown);
        }
        Self {
            limit: key.to_string(),
            name: state.name.clone(),
            subject: state.subject.clone(),
            session: state.session.as_ref().and_then(|limited| limited.id.session.as_ref()).map(ToString::to_string),
            verdict: state.verdict.name(),
            percent: text::known_percent(state),
            used,
            allowed: AmountJson::from_amount(&state.limit.amount),
            // A rolling window never resets: its end is always now.
            resets_at: state.span.filter(|_| !is_rolling).map(|span| time(span.until)),
            reached_at: state.projected.map(|(at, _)| time(at)),
            reached_between: state.projected.map(|(_, band)| [time(band.from), time(band.until)]),
            lower_bound: state.lower_bound || state.unread,
            guessed: state.guessed,
            lifted: state.lifted,
        }
    }
}
