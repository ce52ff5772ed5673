//! Usage of block limits: a block lasts five hours from a subject's first call, and the next one starts with the first
//! call after that.

use super::blocks::{AHEAD, BLOCK, Hours, first_call, subjects};
use super::freshness::Freshness;
use super::limit::Rules;
use super::limit_usage::{LimitUsage, take_out};
use super::subject::{Subject, grouped, overridden};
use crate::domain::{Dimension, Filter, Instant, Matcher, Span};
use crate::ledger::{Ledger, LedgerError, Row, Sums};

impl LimitUsage {
    /// Queries the current block of each subject.
    pub(super) fn ask_blocks(
        &mut self,
        books: &dyn Ledger,
        filter: &Filter,
        rules: &Rules,
        now: Instant,
    ) -> Result<(), LedgerError> {
        let by: Vec<Dimension> = grouped(&self.limit).collect();
        for (names, hours) in subjects(books, filter, &by, now)? {
            if overridden(&self.limit, &names, rules) {
                continue;
            }
            let own = by.iter().zip(&names).map(|(of, name)| (*of, Matcher::exact(name.as_str())));
            let rest = filter.only.iter().filter(|(of, _)| !by.contains(of)).cloned();
            let filter = Filter { only: rest.chain(own).collect(), since: None, until: None };
            let subject = Subject { names, session: None, agent: None };
            self.ask_block(books, &filter, &subject, &hours, rules, now)?;
        }
        Ok(())
    }

    fn ask_block(
        &mut self,
        books: &dyn Ledger,
        filter: &Filter,
        subject: &Subject,
        hours: &Hours,
        rules: &Rules,
        now: Instant,
    ) -> Result<(), LedgerError> {
        let mut since = hours.first().copied();
        let mut current: Option<Span> = None;
        while let Some(from) = since.map(|since| first_call(books, filter, hours, since)).transpose()?.flatten() {
            if from > now && (current.is_some() || is_far_ahead(from, now)) {
                self.blocks.is_ahead(from, current);
                break;
            }
            let Some(until) = from.checked_add_signed(BLOCK) else { break };
            if until > now {
                let block = Filter { since: Some(from), until: Some(until), ..filter.clone() };
                self.take(books, block, rules)?;
                current = Some(Span { from, until });
                if let Some(group) = self.groups.get_mut(subject) {
                    group.block = current;
                }
            } else {
                self.blocks.over.insert(subject.clone(), until);
            }
            since = Some(until);
        }
        Ok(())
    }

    /// Applies a change. Stale if the calls that start blocks may now be different ones.
    pub(super) fn apply_to_block(
        &mut self,
        before: Option<&Row>,
        after: Option<&Row>,
        rules: &Rules,
        now: Instant,
    ) -> Freshness {
        let place = |row: &Row| Some((Subject::from_call(&row.call, &self.limit, rules)?, row.call.at()));
        let (was, is) = (before.and_then(place), after.and_then(place));
        let stays = was == is;
        let taken = match (before, was) {
            (Some(row), Some((subject, at))) => self.take_from_block(row, &subject, at, stays),
            (_, _) => Freshness::Exact,
        };
        let added = match (after, is) {
            (Some(row), Some((subject, at))) => self.add_to_block(row, subject, at, stays, now),
            (_, _) => Freshness::Exact,
        };
        taken.and(added)
    }

    fn take_from_block(&mut self, row: &Row, subject: &Subject, at: Instant, stays: bool) -> Freshness {
        let unknown = Freshness::stale_if(!stays);
        let Some(group) = self.groups.get_mut(subject) else { return unknown };
        let Some(block) = group.block.filter(|block| block.contains(at)) else { return unknown };
        let sums = Sums::from_row(row);
        let taken = take_out(&mut self.groups, subject, row.call.model.as_ref(), &sums);
        if stays {
            // It is the only call of the block. Keep the block for the new version of the call, which follows.
            self.groups.entry(subject.clone()).or_default().block = Some(block);
        }
        taken.and(Freshness::stale_if(!stays && at == block.from))
    }

    fn add_to_block(&mut self, row: &Row, subject: Subject, at: Instant, stays: bool, now: Instant) -> Freshness {
        let current = self.groups.get(&subject).and_then(|group| group.block);
        let block = match current {
            Some(block) if block.contains(at) => block,
            _ if stays => return Freshness::Exact,
            Some(block) if at >= block.until => {
                self.blocks.is_ahead(at, current);
                return Freshness::Exact;
            }
            None if at > now && is_far_ahead(at, now) => {
                self.blocks.is_ahead(at, None);
                return Freshness::Exact;
            }
            // A call before the current block might move it.
            Some(_) => return Freshness::Stale,
            None => {
                let Some(until) = at.checked_add_signed(BLOCK) else { return Freshness::Stale };
                let is_after = self.blocks.over.get(&subject).is_none_or(|over| *over <= at);
                // Calls ahead of the clock might belong to it.
                let is_last = self.blocks.ahead.is_none_or(|ahead| ahead >= until);
                if until <= now || !is_after || !is_last {
                    return Freshness::Stale;
                }
                Span { from: at, until }
            }
        };
        let sums = Sums::from_row(row);
        let group = self.groups.entry(subject).or_default();
        group.block = Some(block);
        group.models.entry(row.call.model.clone()).or_default().add(&sums);
        Freshness::Exact
    }

    /// Ends blocks whose time is up.
    pub(super) fn advance_blocks(&mut self, now: Instant) -> Freshness {
        let went_back = now < self.blocks.as_of;
        self.blocks.as_of = now;
        let over = &mut self.blocks.over;
        self.groups.retain(|subject, group| {
            let ended = group.block.map(|block| block.until).filter(|until| *until <= now);
            over.extend(ended.map(|until| (subject.clone(), until)));
            ended.is_none()
        });
        Freshness::stale_if(went_back || self.blocks.next.is_some_and(|next| next <= now))
    }

    /// When a block next ends or starts without a call.
    pub(super) fn block_changes_at(&self) -> Option<Instant> {
        let ends = self.groups.values().filter_map(|group| group.block.map(|block| block.until));
        ends.chain(self.blocks.next).min()
    }
}

/// True when no block begins yet with a call dated so far ahead of the clock.
fn is_far_ahead(at: Instant, now: Instant) -> bool {
    now.checked_add_signed(AHEAD).is_some_and(|latest| at > latest)
}
