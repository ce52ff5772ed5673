//! JSON form of a bill, in tables and exports.

use serde::{Deserialize, Serialize};

use super::bills::MOST;
use crate::domain::{Attribution, Bill, Billed, Counter, Instant, Label, Place, Tokens, Usd, rfc3339, sort_by};

/// Upper bound for the cost of a plausible session.
const DEAREST: Usd = Usd::from_micro(1_000_000_000_000);

/// JSON form of a bill, in the column `body` and in exports.
#[derive(Serialize, Deserialize)]
pub(super) struct Written {
    id: String,
    at: String,
    source: String,
    session: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    project: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    team: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    org: Option<String>,
    /// The sub-agent and the feature of which a snapshot is the total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    feature: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    /// Start of the session's counter, and start of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    /// Present if the bill covers a single run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    own: Option<[u64; 6]>,
    /// True if the bill is the session's total at one time, and what it grew by since the previous one was used then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    snapshot: bool,
    /// True if the bill covers part of the session.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    piece: bool,
    models: Vec<WrittenModel>,
}

/// Running total of one model.
#[derive(Serialize, Deserialize)]
struct WrittenModel {
    model: String,
    /// Input, cache reads, five-minute and one-hour cache writes, output, reasoning.
    tokens: [u64; 6],
    #[serde(default)]
    searches: u32,
    split: bool,
    /// Dollars, according to the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quoted_usd: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    guessed: bool,
}

/// An amount that an agent gives for a total.
fn usd(text: &str) -> Result<Usd, String> {
    let (usd, _) = Usd::parse(text).map_err(|error| format!("'{text}': {error}"))?;
    if usd.is_negative() || usd > DEAREST { Err(format!("a bill quotes {usd}")) } else { Ok(usd) }
}

impl Written {
    /// Converts a bill; `None` without a session.
    pub(super) fn from_bill(bill: &Bill) -> Option<Self> {
        let text = |label: &Option<Label>| label.as_ref().map(ToString::to_string);
        let (started, since, own) = match bill.counter {
            Counter::Session { started, since } => (started, since, None),
            Counter::Snapshot { since } => (None, since, None),
            Counter::Run { own } => (None, None, Some(own.fields())),
            Counter::Piece => (None, None, None),
        };
        let models = bill.models.iter().map(|billed| WrittenModel {
            model: billed.model.to_string(),
            tokens: billed.tokens.fields(),
            searches: billed.web_searches,
            split: billed.is_split,
            quoted_usd: billed.quoted.map(|usd| usd.to_string()),
            guessed: billed.is_guessed,
        });
        let is_snapshot = matches!(bill.counter, Counter::Snapshot { .. });
        let of_scope = |label: &Option<Label>| text(label).filter(|_| is_snapshot);
        Some(Self {
            id: bill.id.to_string(),
            at: rfc3339(bill.from.at),
            source: bill.from.source.to_string(),
            session: text(&bill.from.session)?,
            project: text(&bill.from.project),
            user: text(&bill.from.user),
            team: text(&bill.from.team),
            org: text(&bill.from.org),
            agent: of_scope(&bill.from.agent),
            feature: of_scope(&bill.from.feature),
            path: bill.from.place.as_ref().map(|place| place.path.to_string()),
            offset: bill.from.place.as_ref().map(|place| place.offset),
            started,
            since: since.map(rfc3339),
            own,
            snapshot: is_snapshot,
            piece: bill.counter == Counter::Piece,
            models: models.collect(),
        })
    }

    /// Converts back.
    ///
    /// # Errors
    /// Names the invalid field.
    pub(super) fn bill(&self) -> Result<Bill, String> {
        let label = |text: &Option<String>| text.as_deref().map(Label::new);
        let time = |text: &str| {
            chrono::DateTime::parse_from_rfc3339(text).map(Instant::from).map_err(|error| format!("'{text}': {error}"))
        };
        let path = self.path.as_deref().map(Label::new);
        let mut models: Vec<Billed> = Vec::with_capacity(self.models.len());
        for written in &self.models {
            let tokens = Tokens::from_fields(written.tokens);
            models.push(Billed {
                model: Label::new(&written.model),
                tokens,
                is_split: written.split,
                web_searches: written.searches,
                quoted: written.quoted_usd.as_deref().map(usd).transpose()?,
                is_guessed: written.guessed,
            });
        }
        sort_by(&mut models, |one, other| one.model.cmp(&other.model));
        if models.windows(2).any(|pair| pair[0].model == pair[1].model) {
            return Err("a model appears twice in a bill".to_owned());
        }
        let most = MOST;
        if models.iter().any(|billed| billed.tokens.fields().iter().any(|count| *count > most)) {
            return Err(format!("a bill has more than {most} tokens"));
        }
        Ok(Bill {
            id: self.id.parse().map_err(|_| format!("'{}' is not a key", self.id))?,
            from: Attribution {
                session: Some(Label::new(&self.session)),
                project: label(&self.project),
                user: label(&self.user),
                team: label(&self.team),
                org: label(&self.org),
                agent: label(&self.agent),
                feature: label(&self.feature),
                place: path.map(|path| Place { path, offset: self.offset.unwrap_or(0) }),
                ..Attribution::new(time(&self.at)?, Label::new(&self.source))
            },
            counter: match self.own {
                Some(own) => Counter::Run { own: Tokens::from_fields(own) },
                None if self.piece => Counter::Piece,
                None => {
                    let since = self.since.as_deref().map(time).transpose()?;
                    if self.snapshot {
                        Counter::Snapshot { since }
                    } else {
                        Counter::Session { started: self.started, since }
                    }
                }
            },
            models,
        })
    }
}
