//! One session's bills, and the totals derived from them.

use std::collections::{BTreeMap, BTreeSet};

use super::snapshots::{Snapshots, is_of_session, size};
use super::spending::Part;
use crate::domain::{
    Attribution, Bill, Billed, Call, CallKey, Counter, Fidelity, Instant, Label, Place, Usd, sort_by_key,
};

/// Feature name of the row for a session's unlisted calls.
const FEATURE: &str = "background";

/// Limit on counter chains per session, and on related sessions examined (newest first). Real sessions have a few.
pub(super) const NEAREST: usize = 64;

/// The bills of one session.
#[derive(Debug, Default)]
pub(super) struct SessionBills {
    pub(super) bills: BTreeMap<CallKey, Bill>,
    /// First and last bill of the session's own counter.
    ends: Option<(CallKey, CallKey)>,
    /// Bills that cover a single run.
    runs: BTreeSet<CallKey>,
    /// Bills that cover part of the session.
    pieces: BTreeSet<CallKey>,
    /// First bill that names each model.
    firsts: BTreeMap<Label, CallKey>,
    /// Keys of the rows computed for this session.
    pub(super) booked: BTreeSet<CallKey>,
}

/// One model's total in a session, minus the part already accounted for.
#[derive(Clone)]
pub(super) struct ModelTotal {
    pub(super) model: Label,
    pub(super) part: Part,
    is_split: bool,
    /// True when the split into classes is a guess.
    pub(super) is_guessed: bool,
    /// True when the total has a cost, so that no part of it is priced.
    is_quoted: bool,
    /// True when the total has counts, so that a cost without any is not a call.
    is_counted: bool,
}

/// Totals by model while they are added up.
#[derive(Default)]
struct ModelTotals<'b>(BTreeMap<&'b Label, ModelTotal>);

impl<'b> ModelTotals<'b> {
    fn add(&mut self, billed: &'b Billed, lifetimes: Option<(u64, u64)>) {
        let due = self.0.entry(&billed.model).or_insert_with(|| ModelTotal {
            model: billed.model.clone(),
            part: Part::default(),
            is_split: true,
            is_guessed: false,
            is_quoted: false,
            is_counted: false,
        });
        let mut tokens = billed.tokens;
        let mut is_split = billed.is_split || tokens.cache_write() == 0;
        if let Some((short, long)) = lifetimes.filter(|(short, long)| !is_split && short + long == tokens.cache_write())
        {
            (tokens.cache_write_5m, tokens.cache_write_1h) = (short, long);
            is_split = true;
        }
        let part = Part::of_bill(&Billed { tokens, ..billed.clone() });
        due.part.add(&part);
        due.is_split &= is_split;
        due.is_guessed |= billed.is_guessed;
        due.is_quoted |= part.quoted().is_some();
        due.is_counted |= part.is_counted();
    }
}

impl SessionBills {
    /// First bill of the session's own counter.
    pub(super) fn first(&self) -> Option<&Bill> {
        self.bills.get(&self.ends?.0)
    }

    pub(super) fn insert(&mut self, bill: Bill) {
        let id = bill.id;
        let is_known = self.bills.insert(id, bill).is_some();
        if is_known {
            // Derived state may depend on the bill's old value: rebuild it.
            (self.ends, self.runs, self.pieces, self.firsts) = Default::default();
            self.bills.keys().copied().collect::<Vec<_>>().into_iter().for_each(|id| self.place(id));
        } else {
            self.place(id);
        }
    }

    /// Indexes a bill.
    fn place(&mut self, id: CallKey) {
        let bill = &self.bills[&id];
        let order = |id: &CallKey| (size(&self.bills[id]), self.bills[id].from.at, *id);
        match bill.counter {
            Counter::Snapshot { .. } if !is_of_session(bill) => {}
            Counter::Session { .. } | Counter::Snapshot { .. } => {
                let ends = self.ends.map_or((id, id), |(least, most)| {
                    (
                        if order(&id) < order(&least) { id } else { least },
                        if order(&id) > order(&most) { id } else { most },
                    )
                });
                self.ends = Some(ends);
            }
            Counter::Run { .. } => _ = self.runs.insert(id),
            Counter::Piece => _ = self.pieces.insert(id),
        }
        if !is_of_session(bill) {
            return;
        }
        for billed in &bill.models {
            let is_first = |known: &CallKey| bill.from.precedence(&self.bills[known].from).is_lt();
            if self.firsts.get(&billed.model).is_none_or(is_first) {
                self.firsts.insert(billed.model.clone(), id);
            }
        }
    }

    /// The snapshots of its totals.
    pub(super) fn snapshots(&self) -> Snapshots<'_> {
        Snapshots::of(&self.bills)
    }

    /// The session's totals per model.
    ///
    /// The bills of one counter grow, and the last of them counts. Versions before 2.1.299 start a new counter with
    /// each run, so the last bills of all runs add up (seen in 2.1.232 and 2.1.268, August 2026).
    ///
    /// Partial bills add up, but only if nothing else is known about the session (`is_known`): no calls, no log, no
    /// other bill.
    ///
    /// `counted` is the amount that the session's own counter inherited from another session. `of_run` gives that
    /// amount for the first bill of any other counter.
    pub(super) fn dues<'b>(
        &self,
        snapshots: &Snapshots<'_>,
        is_known: bool,
        counted: Option<&'b [Billed]>,
        of_run: impl Fn(&Bill) -> Option<&'b [Billed]>,
    ) -> Vec<ModelTotal> {
        if !is_known && self.ends.is_none() && self.runs.is_empty() && snapshots.others.is_empty() {
            return self.sum_of_pieces();
        }
        let last = self.ends.map(|(_, last)| last);
        let mut bills: Vec<&Bill> = self.runs.iter().chain(&last).filter_map(|id| self.bills.get(id)).collect();
        // Of equal bills the run's comes first, so that its part is not subtracted from it twice.
        sort_by_key(&mut bills, |bill| (size(bill), is_whole(bill), bill.id));
        let mut chains: Vec<Chain<'_>> = Vec::new();
        for bill in bills {
            let near = chains.len().saturating_sub(NEAREST);
            match chains[near..].iter().rposition(|chain| chain.goes_on(bill)) {
                Some(at) => chains[near + at].extend(bill),
                None => chains.push(Chain::new(bill)),
            }
        }
        let of_runs =
            chains.iter().filter(|chain| counted.is_none() || !chain.is_own).filter_map(|chain| of_run(chain.first));
        let inherited: Vec<&[Billed]> = counted.into_iter().chain(of_runs).collect();
        let mut dues = ModelTotals::default();
        for chain in &chains {
            snapshots.models_of(chain.last).iter().for_each(|billed| dues.add(billed, chain.lifetimes));
        }
        for bill in &snapshots.others {
            snapshots.models_of(bill).iter().for_each(|billed| dues.add(billed, None));
        }
        for billed in inherited.into_iter().flatten() {
            if let Some(due) = dues.0.get_mut(&billed.model) {
                due.part.take(&mut Part::of_bill(billed));
            }
        }
        dues.0.into_values().collect()
    }

    fn sum_of_pieces(&self) -> Vec<ModelTotal> {
        let mut dues = ModelTotals::default();
        let models = self.pieces.iter().filter_map(|id| self.bills.get(id)).flat_map(|bill| &bill.models);
        models.for_each(|billed| dues.add(billed, None));
        dues.0.into_values().collect()
    }

    /// The remainder of a total as calls: one for what it grew by up to each snapshot, and one for the rest. None of
    /// them is zero.
    pub(super) fn calls_of(
        &self,
        mut due: ModelTotal,
        snapshots: &Snapshots<'_>,
        lifetimes: (u64, u64),
        horizon: Option<Instant>,
    ) -> Vec<Call> {
        let mut calls: Vec<Call> = Vec::new();
        for growth in snapshots.growth.iter().filter(|growth| growth.model == due.model) {
            let (snapshot, at) = (growth.snapshot, growth.at);
            if horizon.is_some_and(|horizon| at < horizon) {
                continue;
            }
            let mut part = due.part;
            due.part.take(&mut growth.part.clone());
            part.sub(&due.part);
            if !part.is_zero() && part.is_counted() == due.is_counted {
                let key = growth_key(snapshot, &due.model);
                calls.push(call(key, (snapshot, at), ModelTotal { part, ..due.clone() }, lifetimes));
            } else if !has_paid(&mut calls, &part) {
                due.part.add(&part);
            }
        }
        if due.is_counted && !due.part.is_counted() {
            // Without a call of the bill's, the listed calls have its cost.
            has_paid(&mut calls, &due.part);
            return calls;
        }
        calls.extend(self.rest(due, lifetimes, horizon));
        calls
    }

    /// The part of a total that no snapshot dates, as a call, unless it is zero.
    fn rest(&self, due: ModelTotal, lifetimes: (u64, u64), horizon: Option<Instant>) -> Option<Call> {
        if due.part.is_zero() {
            return None;
        }
        let model = &due.model;
        // The call gets the date of the first bill that names the model. It then only grows, and no day loses cost.
        // Pruned bills are not used.
        let is_kept = |bill: &&Bill| horizon.is_none_or(|horizon| bill.from.at >= horizon);
        let first = self.firsts.get(model).and_then(|id| self.bills.get(id)).filter(is_kept).or_else(|| {
            let named = self.bills.values().filter(|bill| bill.models.iter().any(|billed| billed.model == *model));
            named.filter(is_kept).min_by(|one, other| one.from.precedence(&other.from))
        })?;
        let began = match first.counter {
            Counter::Snapshot { since: Some(since) } if horizon.is_none_or(|horizon| since >= horizon) => since,
            Counter::Snapshot { .. } | Counter::Session { .. } | Counter::Run { .. } | Counter::Piece => first.from.at,
        };
        Some(call(row_key(first, model), (first, began), due, lifetimes))
    }
}

/// Adds a cost that was stated after its tokens to the last call. False without any.
fn has_paid(calls: &mut [Call], part: &Part) -> bool {
    let Some(call) = calls.last_mut() else { return false };
    call.quoted = [call.quoted, part.quoted()].into_iter().flatten().reduce(|one, other| one + other);
    true
}

/// A part of a bill as a call at this time.
fn call(key: CallKey, (bill, at): (&Bill, Instant), due: ModelTotal, lifetimes: (u64, u64)) -> Call {
    let ModelTotal { model, mut part, is_split, is_guessed, is_quoted, is_counted } = due;
    let mut fidelity = if is_guessed { Fidelity::SumGuessed } else { Fidelity::Summed };
    if !is_counted {
        // A cost alone tells less than was used.
        fidelity = Fidelity::LowerBound;
    } else if !is_split && part.cache_write() > 0 {
        match lifetimes {
            (0, long) if long > 0 => part.live_an_hour(),
            (short, 0) if short > 0 => {}
            (_, _) => fidelity = Fidelity::SumGuessed,
        }
    }
    let is_snapshot = matches!(bill.counter, Counter::Snapshot { .. });
    let of_scope = |label: &Option<Label>| label.clone().filter(|_| is_snapshot);
    let from = Attribution {
        at,
        feature: Some(of_scope(&bill.from.feature).unwrap_or_else(|| Label::new(FEATURE))),
        agent: of_scope(&bill.from.agent),
        place: bill.from.place.as_ref().map(|place| Place { path: place.path.clone(), offset: place.offset }),
        ..bill.from.clone()
    };
    let model = Some(model).filter(|model| is_counted || model.as_str() != Billed::UNNAMED);
    let (web_searches, quoted) = (part.web_searches(), part.quoted().or(is_quoted.then_some(Usd::ZERO)));
    Call { web_searches, quoted, fidelity, ..Call::new(key, from, model, part.tokens()) }
}

/// Bills of one counter, each continuing the one before.
struct Chain<'a> {
    first: &'a Bill,
    last: &'a Bill,
    /// True when the session's own counter is among them.
    is_own: bool,
    /// Cache writes by lifetime (five minutes, one hour), if known.
    lifetimes: Option<(u64, u64)>,
}

impl<'a> Chain<'a> {
    fn new(bill: &'a Bill) -> Self {
        let is_own = is_whole(bill);
        Self { first: bill, last: bill, is_own, lifetimes: lifetimes_of(bill) }
    }

    /// True when a larger bill continues this one.
    fn goes_on(&self, next: &Bill) -> bool {
        let mut least = self.last.tokens();
        if let Counter::Run { own } = next.counter {
            least = least.saturating_add(own);
        }
        Part::of_tokens(next.tokens()).covers(&Part::of_tokens(least))
    }

    fn extend(&mut self, next: &'a Bill) {
        let so_far = self.lifetimes.and_then(|(short, long)| match next.counter {
            Counter::Run { own } => Some((short + own.cache_write_5m, long + own.cache_write_1h)),
            Counter::Session { .. } | Counter::Snapshot { .. } | Counter::Piece => None,
        });
        let whole = next.tokens().cache_write();
        self.lifetimes = lifetimes_of(next).or(so_far.filter(|(short, long)| short + long == whole));
        self.last = next;
        self.is_own |= is_whole(next);
    }
}

/// Cache writes by lifetime (five minutes, one hour), if the bill has them.
fn lifetimes_of(bill: &Bill) -> Option<(u64, u64)> {
    let tokens = bill.tokens();
    let is_split = bill.models.iter().all(|billed| billed.is_split || billed.tokens.cache_write() == 0);
    is_split.then_some((tokens.cache_write_5m, tokens.cache_write_1h))
}

/// Key of the row for a model's billed usage that the session's calls do not cover.
pub(super) fn row_key(bill: &Bill, model: &Label) -> CallKey {
    let session = bill.from.session.as_deref().unwrap_or_default();
    CallKey::from_parts(&["session bill", &*bill.from.source, session, model.as_str()])
}

/// Key of the row for what a model's total grew by up to a snapshot.
pub(super) fn growth_key(snapshot: &Bill, model: &Label) -> CallKey {
    CallKey::from_parts(&["growth of a session bill", &snapshot.id.to_string(), model.as_str()])
}

/// Start time of a session's counter.
pub(super) fn started(bill: &Bill) -> Option<i64> {
    match bill.counter {
        Counter::Session { started, .. } => started,
        Counter::Snapshot { .. } | Counter::Run { .. } | Counter::Piece => None,
    }
}

/// True for a total of the whole session.
fn is_whole(bill: &Bill) -> bool {
    matches!(bill.counter, Counter::Session { .. } | Counter::Snapshot { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Tokens;

    #[test]
    fn lifetimes_are_those_of_a_total_without_any_whose_writes_they_explain() {
        let writes = |cache_write_5m, cache_write_1h| Tokens { cache_write_5m, cache_write_1h, ..Tokens::ZERO };
        let due = |tokens, is_split, lifetimes| {
            let billed = Billed { is_split, ..Billed::new("opus", tokens) };
            let mut totals = ModelTotals::default();
            totals.add(&billed, lifetimes);
            let due = totals.0.into_values().next().unwrap();
            let Tokens { cache_write_5m, cache_write_1h, .. } = due.part.tokens();
            (cache_write_5m, cache_write_1h, due.is_split)
        };
        assert_eq!(due(writes(20, 0), false, Some((7, 13))), (7, 13, true));
        for other in [None, Some((7, 12)), Some((7, 14)), Some((13, 8))] {
            assert_eq!(due(writes(20, 0), false, other), (20, 0, false), "{other:?}");
        }
        assert_eq!(due(writes(20, 0), true, Some((7, 13))), (20, 0, true), "the total's own");
        assert_eq!(due(writes(0, 0), false, None), (0, 0, true), "nothing to split");
        // One part without them leaves the whole without.
        let [one, other] = [true, false].map(|is_split| Billed { is_split, ..Billed::new("opus", writes(5, 0)) });
        let mut totals = ModelTotals::default();
        totals.add(&one, None);
        totals.add(&other, None);
        assert!(totals.0.into_values().all(|due| !due.is_split));
    }
}
