//! Looks for calls that both the proxy and an agent's own log have counted.

use super::{Report, State};
use crate::app::catch_up::Books;
use crate::commands::{Context, Failure};
use crate::domain::{Dimension, Filter, Matcher};
use crate::ledger::{Ledger, Order};
use crate::meter::DoubleCounts;
use crate::text;

/// Source of the proxy's calls.
const PROXY: &str = "proxy";

impl Report {
    pub(super) fn double_counts(&mut self, context: &Context<'_>, books: &Books) -> Result<(), Failure> {
        let recent = Filter { since: Some(DoubleCounts::since(context.now())), ..Filter::default() };
        let proxied = Filter { only: vec![(Dimension::Source, Matcher::exact(PROXY))], ..recent.clone() };
        if books.ledger.sums(&proxied)?.calls == 0 {
            return Ok(());
        }
        let agents: Vec<&str> = books.health.existing_agents().into_iter().map(|(name, ..)| name).collect();
        let mut calls = DoubleCounts::default();
        books.ledger.each(&recent, Order::Ascending, &mut |row| {
            let source = row.call.from.source.as_str();
            if source == PROXY {
                calls.add_proxied(&row.call);
            } else if agents.contains(&source) {
                calls.add_logged(&row.call);
            }
            true
        })?;
        for (agent, count) in calls.by_agent() {
            let (calls, days) = (text::plural(count, "call"), DoubleCounts::DAYS);
            let words = format!(
                "{agent}: {calls} of the last {days} days probably counted twice, by the proxy and from its log, which \
                 has no ids that the proxy sees; --source {PROXY} or --source {agent} shows one of them"
            );
            self.say("counted", State::Note, words);
        }
        Ok(())
    }
}
