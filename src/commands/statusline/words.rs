//! The text for each placeholder.

use super::facts::Facts;
use crate::config::statusline_template::Word;
use crate::domain::Label;
use crate::ledger::Sums;
use crate::meter::{LimitState, Verdict};
use crate::text;

impl Facts {
    /// Value of a placeholder, if known.
    pub(crate) fn word(&self, word: Word) -> Option<String> {
        let tokens = |sums: &Sums| text::compact(sums.tokens.total());
        match word {
            Word::Model => self.agent.model.as_ref().or(self.agent.model_id.as_ref()).map(Label::to_string),
            Word::ModelId => self.agent.model_id.as_ref().map(Label::to_string),
            Word::Session => self.agent.session.as_ref().map(|session| text::session_short(session).to_owned()),
            Word::SessionCost => self.session_cost(),
            Word::SessionTokens => self.session.as_ref().map(tokens),
            Word::TodayCost => self.today.as_ref().map(text::cost),
            Word::TodayTokens => self.today.as_ref().map(tokens),
            Word::MonthCost => self.month.as_ref().map(text::cost),
            Word::MonthTokens => self.month.as_ref().map(tokens),
            Word::Limit => self.limit.as_ref().map(limit_words),
            Word::Forecast => self.forecast.clone(),
            Word::Context => self.agent.context.map(|percent| format!("{percent}%")),
            Word::Quota => self.quota(),
            Word::QuotaResets => {
                let resets_at = self.quotas.first().and_then(|quota| quota.resets_at);
                resets_at.map(|at| text::moment(at, self.now, self.zone))
            }
            Word::Project => self.agent.project.as_ref().map(|project| text::project_short(project).to_owned()),
            Word::User => self.user.as_ref().map(Label::to_string),
        }
    }

    /// The session's cost, or the agent's own figure while the ledger has none of its calls.
    pub(crate) fn session_cost(&self) -> Option<String> {
        let known = self.session.as_ref();
        match self.agent.cost.filter(|_| known.is_none_or(|sums| sums.calls == 0)) {
            Some(reported) => Some(format!("~ {}", text::usd(reported))),
            None => known.map(text::cost),
        }
    }
}

/// `daily 80% ⚠`, `session 100% ■`, `alice daily 40%`.
fn limit_words(limit: &LimitState) -> String {
    let mark = match limit.verdict {
        _ if limit.lifted => " lifted",
        Verdict::Under => "",
        Verdict::Near => " ⚠",
        Verdict::Over => " ■",
    };
    format!("{} {}{mark}", limit.name, text::percent(limit))
}
