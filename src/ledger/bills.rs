//! Agents' own session totals, and the usage in them that no logged call covers.
//!
//! A session's bill minus the session's calls is stored as one row per model. The row is a function of bills and calls,
//! whatever their order and repetition. It is recomputed whenever either changes.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::{FxHashMap, FxHashSet};

use super::inherited::Inherited;
use super::interner::Interner;
use super::lineage::Families;
use super::session_bills::{ModelTotal, NEAREST, SessionBills, growth_key, row_key, started};
use super::snapshots::{Snapshots, size};
use super::spending::{Part, Spending};
use crate::domain::model_forms::core as core_name;
use crate::domain::{Bill, Billed, Call, CallKey, Counter, Instant, Record, one_by_one, sort_by_key};

/// Upper bound for each token class of a plausible session total.
pub(super) const MOST: u64 = 1_000_000_000_000_000;

/// Bills of all sessions.
#[derive(Debug, Default)]
pub(super) struct Bills {
    accounts: FxHashMap<u32, SessionBills>,
    /// Bills per counter, ordered by time.
    counters: FxHashMap<i64, BTreeSet<(Instant, u32, CallKey)>>,
    /// Sessions that share each counter.
    families: FxHashMap<i64, BTreeSet<u32>>,
    /// Amounts that runs inherited from other sessions' totals.
    inherited: Inherited,
    /// Counters with new bills, which may change the amounts that forks inherited.
    recounted: FxHashSet<i64>,
    /// Sessions whose computed rows are out of date.
    due: FxHashSet<u32>,
    /// Horizons of sessions that an import restored; `None` if none of their calls are missing.
    horizons: FxHashMap<u32, Option<Instant>>,
    /// Bills that the store still has to write.
    fresh: Vec<(u32, CallKey)>,
}

impl Bills {
    pub(super) fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// True when this session has a bill.
    pub(super) fn has(&self, session: u32) -> bool {
        self.accounts.contains_key(&session)
    }

    /// Merges a bill; true if it changed anything.
    pub(super) fn learn(&mut self, session: u32, bill: &Bill) -> bool {
        let account = self.accounts.entry(session).or_default();
        let known = account.bills.get(&bill.id).cloned();
        let joined = known.clone().map_or_else(|| bill.clone(), |known| known.join(bill.clone()));
        if known.as_ref() == Some(&joined) {
            return false;
        }
        // A new first bill can change which counter the session shares.
        let first_counter = |bills: &Self| bills.accounts.get(&session).and_then(|account| started(account.first()?));
        let was = [first_counter(self), known.as_ref().and_then(started), started(&joined)];
        if let Some(known) = known {
            self.due.extend(self.inherited.heirs_of(&known));
            self.displace(session, &known);
        }
        self.place(session, joined.clone());
        self.due.extend(self.inherited.heirs_of(&joined));
        self.recounted.extend(was.into_iter().flatten().chain(first_counter(self)));
        self.due.insert(session);
        self.fresh.push((session, bill.id));
        true
    }

    fn place(&mut self, session: u32, bill: Bill) {
        self.inherited.insert(session, &bill);
        if let Some(started) = started(&bill) {
            self.counters.entry(started).or_default().insert((bill.from.at, session, bill.id));
            self.families.entry(started).or_default().insert(session);
        }
        self.accounts.entry(session).or_default().insert(bill);
    }

    /// Removes a replaced bill from the indexes.
    fn displace(&mut self, session: u32, bill: &Bill) {
        self.inherited.remove(session, bill);
        let Some(counter) = started(bill) else { return };
        if let Some(statements) = self.counters.get_mut(&counter) {
            statements.remove(&(bill.from.at, session, bill.id));
        }
        let others = self.accounts.get(&session).into_iter().flat_map(|account| account.bills.values());
        let is_left = others.filter(|other| other.id != bill.id).any(|other| started(other) == Some(counter));
        if let Some(sessions) = self.families.get_mut(&counter).filter(|_| !is_left) {
            sessions.remove(&session);
        }
    }

    /// The session's log turned out to belong to another session's family, so its computed rows are out of date.
    pub(super) fn descended(&mut self, session: u32) {
        if self.has(session) {
            self.due.insert(session);
        }
    }

    /// Sets the time before which calls of this session were pruned and not restored. Its computed rows may have to be
    /// computed again.
    pub(super) fn set_horizon(&mut self, session: u32, horizon: Option<Instant>) {
        self.horizons.insert(session, horizon);
        self.descended(session);
    }

    /// The horizon of a session: its own, or that of all sessions.
    fn horizon_of(&self, session: u32, horizon: Option<Instant>) -> Option<Instant> {
        self.horizons.get(&session).copied().unwrap_or(horizon)
    }

    /// Inserts a bill read from the store.
    pub(super) fn restore(&mut self, session: u32, bill: Bill) {
        self.accounts.entry(session).or_default().booked.extend(row_keys(&bill));
        self.place(session, bill);
    }

    /// Adds a stored bill that is only needed to see which sessions inherited from it.
    pub(super) fn note(&mut self, session: u32, bill: &Bill) {
        self.inherited.note(session, bill);
    }

    /// The session's bill with this id.
    pub(super) fn bill_by_id(&self, session: u32, id: CallKey) -> Option<&Bill> {
        self.accounts.get(&session)?.bills.get(&id)
    }

    /// Keys of computed rows that may exist for a session.
    pub(super) fn booked(&self, session: u32) -> impl Iterator<Item = CallKey> + '_ {
        self.accounts.get(&session).into_iter().flat_map(|account| account.booked.iter().copied())
    }

    /// Every bill as a record.
    pub(super) fn records(&self) -> impl Iterator<Item = Record> + '_ {
        self.accounts.values().flat_map(|account| account.bills.values().cloned().map(Record::Bill))
    }

    /// Takes the bills added since the last call.
    pub(super) fn take_fresh(&mut self) -> Vec<(u32, Bill)> {
        let fresh: BTreeSet<_> = one_by_one(std::mem::take(&mut self.fresh));
        let bill = |(session, id)| Some((session, self.accounts.get(&session)?.bills.get(&id)?.clone()));
        fresh.into_iter().filter_map(bill).collect()
    }

    /// Takes all bills, in the order in which the store writes them. None of them counts as new afterwards.
    pub(super) fn take_all(&mut self) -> Vec<(u32, Bill)> {
        self.fresh = self
            .accounts
            .iter()
            .flat_map(|(session, account)| account.bills.keys().map(|id| (*session, *id)))
            .collect();
        self.take_fresh()
    }

    /// Counters that this session may share with others.
    pub(super) fn counters_of(&self, session: u32) -> Vec<i64> {
        let bills = self.accounts.get(&session).into_iter().flat_map(|account| account.bills.values());
        one_by_one::<BTreeSet<_>, _>(bills.filter_map(started)).into_iter().collect()
    }

    /// Sessions whose computed rows are out of date (those with new bills or changed calls, and their relatives),
    /// grouped by shared counter.
    pub(super) fn take_due(&mut self, touched: impl Iterator<Item = u32>) -> Vec<Vec<u32>> {
        let mut due = std::mem::take(&mut self.due);
        due.extend(touched.filter(|session| self.accounts.contains_key(session)));
        let recounted = std::mem::take(&mut self.recounted).into_iter();
        due.extend(recounted.flat_map(|counter| self.families.get(&counter).into_iter().flatten().copied()));
        let mut groups: BTreeSet<Vec<u32>> = BTreeSet::new();
        let mut done = FxHashSet::default();
        for session in due {
            match self.family(session) {
                Some((counter, family)) if done.insert(counter) => _ = groups.insert(family),
                Some(_) => {}
                None => _ = groups.insert(vec![session]),
            }
        }
        groups.into_iter().collect()
    }

    /// The sessions that share this one's first counter, if there are any others and not too many.
    fn family(&self, session: u32) -> Option<(i64, Vec<u32>)> {
        let own = |session: &u32| started(self.accounts.get(session)?.first()?);
        let counter = own(&session)?;
        let all = self.families.get(&counter).filter(|all| (2..=NEAREST).contains(&all.len()))?;
        Some((counter, all.iter().filter(|session| own(session) == Some(counter)).copied().collect()))
    }

    /// For a group of related sessions, computes the calls that their bills contain beyond the logged ones (one per
    /// model and session), and the keys of rows to delete.
    pub(super) fn unlisted_calls(
        &mut self,
        family: &[u32],
        spending: &Spending,
        horizon: Option<Instant>,
        names: &Interner,
        families: &Families,
    ) -> (Vec<Call>, Vec<CallKey>) {
        let mut shares: Vec<Share<'_>> = Vec::with_capacity(family.len());
        let mut family = family.to_vec();
        // Sorted by name, because interned ids depend on reading order.
        sort_by_key(&mut family, |session| names.label(*session));
        for session in &family {
            let Some(account) = self.accounts.get(session) else { continue };
            let counted = self.inherited(*session, account, names).map(|bill| &*bill.models);
            // Calls of a sub-agent or fork may be booked under another session.
            let is_known = families.storage_root(*session) != *session
                || spending.parts_of(*session).any(|(_, part)| !part.is_zero());
            let of_run = |bill: &Bill| self.inherited.inherited_by(*session, bill, names);
            let snapshots = account.snapshots();
            let mut dues = account.dues(&snapshots, is_known, counted, of_run);
            let over = subtract(&mut dues, spending, *session, names);
            shares.push(Share { session: *session, account, snapshots, dues, over });
        }
        // It is not always known which session made a call. Usage beyond a session's bill belongs to a relative.
        for giver in 0..shares.len() {
            let mut over = std::mem::take(&mut shares[giver].over);
            for (_, share) in shares.iter_mut().enumerate().filter(|(taker, _)| *taker != giver) {
                for due in &mut share.dues {
                    if let Some(over) = over.get_mut(&core_name(&due.model)).filter(|over| !over.is_zero()) {
                        due.part.take(over);
                    }
                }
            }
        }
        let (mut calls, mut gone, mut booked) = (Vec::new(), Vec::new(), Vec::new());
        for Share { session, account, snapshots, dues, .. } in shares {
            let lifetimes = spending.lifetimes(session);
            let horizon = self.horizon_of(session, horizon);
            let of_due = |due| account.calls_of(due, &snapshots, lifetimes, horizon);
            let own: Vec<Call> = dues.into_iter().flat_map(of_due).collect();
            let kept: BTreeSet<CallKey> = own.iter().map(|call| call.key).collect();
            gone.extend(account.booked.difference(&kept).copied());
            booked.push((session, kept));
            calls.extend(own);
        }
        for (session, kept) in booked {
            if let Some(account) = self.accounts.get_mut(&session) {
                account.booked = kept;
            }
        }
        (calls, gone)
    }

    /// The counter value that a fork inherited from its parent.
    ///
    /// `claude -p --resume … --fork-session` continues from the last state in the parent's transcript and keeps the
    /// counter's start time (2.1.299 to 2.1.332, November 2026); `/branch` starts a new counter. Where copies in a
    /// fork's transcript are not marked (2.1.299 to 2.1.314), the session looks older than it is. Its first bill then
    /// bounds how far back to look.
    fn inherited(&self, session: u32, account: &SessionBills, names: &Interner) -> Option<&Bill> {
        let first = account.first()?;
        let family = self.counters.get(&started(first)?)?;
        let most = Part::of_tokens(first.tokens());
        let before = |at: Instant| {
            let earlier = family.range(..=(at, u32::MAX, CallKey::from_bytes([u8::MAX; 16]))).rev();
            let others = earlier.filter(|(_, other, _)| *other != session).take(NEAREST);
            let bills = others.filter_map(|(_, other, id)| Some((*other, self.accounts.get(other)?.bills.get(id)?)));
            // Of two equal bills, only one can have inherited from the other.
            let is_older = |(other, bill): &(u32, &Bill)| {
                (size(bill), names.label(*other)) < (size(first), names.label(session))
                    && most.covers(&Part::of_tokens(bill.tokens()))
            };
            bills.filter(is_older).map(|(_, bill)| bill).max_by_key(|bill| (size(bill), bill.id))
        };
        before(first.since().unwrap_or(first.from.at)).or_else(|| before(first.from.at))
    }
}

/// One session's part in the usage of its group.
struct Share<'a> {
    session: u32,
    account: &'a SessionBills,
    snapshots: Snapshots<'a>,
    dues: Vec<ModelTotal>,
    /// Usage of its calls beyond its bill, by normalised model name.
    over: BTreeMap<String, Part>,
}

/// Subtracts the session's own calls from the totals, and returns the usage that exceeds them.
///
/// A total and a row may use different names for one model. Remaining rows whose model appears in no total are
/// subtracted from totals whose model appears in no row, because gateways may use names of their own. A row or a total
/// without a model matches any model: a log may name it only after its first lines.
fn subtract(dues: &mut [ModelTotal], spending: &Spending, session: u32, names: &Interner) -> BTreeMap<String, Part> {
    let mut spent: BTreeMap<String, Part> = BTreeMap::new();
    // Zero sums remain when a model's calls move to another session. Ignore them.
    for (model, part) in spending.parts_of(session).filter(|(_, part)| !part.is_zero()) {
        let core = names.label(model).map(|name| core_name(name)).unwrap_or_default();
        spent.entry(core).or_default().add(part);
    }
    let is_unnamed = |due: &ModelTotal| due.model.as_str() == Billed::UNNAMED;
    let stated: Vec<Part> = dues.iter().map(|due| due.part).collect();
    let mut strangers: Vec<&mut ModelTotal> = Vec::new();
    let mut named = BTreeSet::new();
    for due in &mut *dues {
        let core = if is_unnamed(due) { String::new() } else { core_name(&due.model) };
        match spent.get_mut(&core) {
            Some(spent) => {
                due.part.take(spent);
                // What a guess calls output may be a call's input.
                if due.is_guessed {
                    due.part.take_any_class(spent);
                }
            }
            None if is_unnamed(due) => {}
            None => strangers.push(due),
        }
        named.insert(core);
    }
    for (_, orphan) in spent.iter_mut().filter(|(core, _)| !named.contains(*core)) {
        for due in &mut strangers {
            due.part.take(orphan);
        }
    }
    if let Some(nameless) = spent.get_mut("") {
        for due in &mut *dues {
            due.part.take(nameless);
        }
    }
    for due in dues.iter_mut().filter(|due| is_unnamed(due)) {
        for spent in spent.values_mut() {
            due.part.take(spent);
            if due.is_guessed {
                due.part.take_any_class(spent);
            }
        }
    }
    if let Some(unnamed) = dues.iter().position(is_unnamed) {
        let mut rest = dues[unnamed].part;
        for (due, stated) in dues.iter_mut().zip(&stated).filter(|(due, _)| !is_unnamed(due)) {
            let mut taken = *stated;
            taken.sub(&due.part);
            due.part.add(&taken);
            rest.take(&mut taken);
            due.part.sub(&taken);
        }
        dues[unnamed].part = rest;
    }
    // A web search may be billed to a different model than the call that requested it.
    for due in dues {
        for spent in spent.values_mut() {
            due.part.take_searches(spent);
        }
    }
    spent
}

/// Keys of all rows that may exist for a bill.
pub(super) fn row_keys(bill: &Bill) -> impl Iterator<Item = CallKey> + '_ {
    let is_snapshot = matches!(bill.counter, Counter::Snapshot { .. });
    let of_model = move |model| {
        let of_growth = is_snapshot.then(|| growth_key(bill, model));
        [row_key(bill, model)].into_iter().chain(of_growth)
    };
    bill.models.iter().flat_map(move |billed| of_model(&billed.model))
}
