//! One session's bills, and the totals derived from them.

use std::collections::{BTreeMap, BTreeSet};

use super::spending::Part;
use crate::domain::{
    Attribution, Bill, Billed, Call, CallKey, Counter, Fidelity, Instant, Label, Place, Tokens, sort_by_key,
};

/// Feature name of the row for a session's unlisted calls.
const FEATURE: &str = "background";

/// Limit on counter chains per session, and on related sessions examined (newest first). Real sessions have a few.
pub(super) const NEAREST: usize = 64;

/// The bills of one session.
#[derive(Debug, Default)]
pub(super) struct Account {
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
pub(super) struct Due {
    pub(super) model: Label,
    pub(super) part: Part,
    pub(super) is_split: bool,
}

impl Account {
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
        for billed in &bill.models {
            let is_first = |known: &CallKey| bill.from.precedence(&self.bills[known].from).is_lt();
            if self.firsts.get(&billed.model).is_none_or(is_first) {
                self.firsts.insert(billed.model.clone(), id);
            }
        }
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
        is_known: bool,
        counted: Option<&'b [Billed]>,
        of_run: impl Fn(&Bill) -> Option<&'b [Billed]>,
    ) -> Vec<Due> {
        if !is_known && self.ends.is_none() && self.runs.is_empty() {
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
        let mut dues: BTreeMap<&Label, Due> = BTreeMap::new();
        for (billed, lifetimes) in
            chains.iter().flat_map(|chain| chain.last.models.iter().map(|billed| (billed, chain.lifetimes)))
        {
            let due = dues.entry(&billed.model).or_insert_with(|| Due {
                model: billed.model.clone(),
                part: Part::default(),
                is_split: true,
            });
            let mut tokens = billed.tokens;
            let mut is_split = billed.is_split || tokens.cache_write() == 0;
            if let Some((short, long)) =
                lifetimes.filter(|(short, long)| !is_split && short + long == tokens.cache_write())
            {
                (tokens.cache_write_5m, tokens.cache_write_1h) = (short, long);
                is_split = true;
            }
            due.part.add(&Part::new(tokens, billed.web_searches));
            due.is_split &= is_split;
        }
        for billed in inherited.into_iter().flatten() {
            if let Some(due) = dues.get_mut(&billed.model) {
                due.part.take(&mut Part::of_bill(billed));
            }
        }
        dues.into_values().collect()
    }

    fn sum_of_pieces(&self) -> Vec<Due> {
        let mut dues: BTreeMap<&Label, Due> = BTreeMap::new();
        for billed in self.pieces.iter().filter_map(|id| self.bills.get(id)).flat_map(|bill| &bill.models) {
            let due = dues.entry(&billed.model).or_insert_with(|| Due {
                model: billed.model.clone(),
                part: Part::default(),
                is_split: true,
            });
            due.part.add(&Part::of_bill(billed));
            due.is_split &= billed.is_split || billed.tokens.cache_write() == 0;
        }
        dues.into_values().collect()
    }

    /// The remainder of a total as calls: one for what it grew by up to each snapshot, and one for the rest. None of
    /// them is zero.
    pub(super) fn calls_of(&self, mut due: Due, lifetimes: (u64, u64), horizon: Option<Instant>) -> Vec<Call> {
        let mut calls = Vec::new();
        for (snapshot, mut growth) in self.growth(&due.model) {
            if horizon.is_some_and(|horizon| snapshot.from.at < horizon) {
                continue;
            }
            let mut part = due.part;
            due.part.take(&mut growth);
            part.sub(&due.part);
            if !part.is_zero() {
                let key = growth_key(snapshot, &due.model);
                let dated = (snapshot, snapshot.from.at);
                calls.push(call(key, dated, Due { part, model: due.model.clone(), ..due }, lifetimes));
            }
        }
        calls.extend(self.rest(due, lifetimes, horizon));
        calls
    }

    /// Growth of a model's total between snapshots, with the later one of each pair. The first one is dated by the
    /// session's start, like a total whose growth is not known.
    fn growth<'b>(&'b self, model: &Label) -> Vec<(&'b Bill, Part)> {
        let part = |bill: &Bill| {
            let of_model = bill.models.iter().find(|billed| billed.model == *model);
            of_model.map(Part::of_bill).unwrap_or_default()
        };
        let mut snapshots: Vec<&Bill> =
            self.bills.values().filter(|bill| matches!(bill.counter, Counter::Snapshot { .. })).collect();
        if snapshots.is_empty() {
            return Vec::new();
        }
        sort_by_key(&mut snapshots, |bill| (bill.from.at, bill.id));
        let undated = self.bills.values().filter(|bill| matches!(bill.counter, Counter::Session { .. }));
        let first = undated.max_by_key(|bill| size(bill)).unwrap_or(snapshots[0]);
        let mut most = part(first);
        let mut growth = Vec::new();
        for snapshot in snapshots {
            let (mut grown, whole) = (part(snapshot), part(snapshot));
            grown.take(&mut most.clone());
            if whole.covers(&most) {
                most = whole;
                growth.push((snapshot, grown));
            }
        }
        growth
    }

    /// The part of a total that no snapshot dates, as a call, unless it is zero.
    fn rest(&self, due: Due, lifetimes: (u64, u64), horizon: Option<Instant>) -> Option<Call> {
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

/// A part of a bill as a call at this time.
fn call(key: CallKey, (bill, at): (&Bill, Instant), due: Due, lifetimes: (u64, u64)) -> Call {
    let Due { model, mut part, is_split } = due;
    let mut fidelity = Fidelity::Summed;
    if !is_split && part.cache_write() > 0 {
        match lifetimes {
            (0, long) if long > 0 => part.live_an_hour(),
            (short, 0) if short > 0 => {}
            (_, _) => fidelity = Fidelity::SumGuessed,
        }
    }
    let from = Attribution {
        at,
        feature: Some(Label::new(FEATURE)),
        agent: None,
        place: bill.from.place.as_ref().map(|place| Place { path: place.path.clone(), offset: place.offset }),
        ..bill.from.clone()
    };
    let web_searches = part.web_searches();
    Call { web_searches, fidelity, ..Call::new(key, from, Some(model), part.tokens()) }
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

/// Sum of the tokens of all models.
pub(super) fn size(bill: &Bill) -> u64 {
    bill.tokens().total()
}

impl Part {
    pub(super) fn of_bill(billed: &Billed) -> Self {
        Self::new(billed.tokens, billed.web_searches)
    }

    pub(super) fn of_tokens(tokens: Tokens) -> Self {
        Self::new(tokens, 0)
    }
}
