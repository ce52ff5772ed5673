//! Running sums of calls, for sessions that have a bill.

use rustc_hash::{FxHashMap, FxHashSet};

use super::compact_row::CompactRow;
use super::interner::{Interner, NONE, place};
use crate::domain::{Billed, Call, CallKey, Dimension, Fidelity, Tokens, Usd, sort_by};

/// Tokens, web searches, and the cost that an agent gives for a total.
///
/// Arithmetic wraps, so that a row can always be subtracted again. Real sums are far below the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    classes: [u64; 6],
    searches: u64,
    /// In pico-dollars.
    quoted: u64,
}

/// Indexes into [`Tokens::fields`].
const SHORT: usize = 2;
const LONG: usize = 3;

impl Part {
    pub(super) fn new(tokens: Tokens, web_searches: u32) -> Self {
        Self { classes: tokens.fields(), searches: web_searches.into(), quoted: 0 }
    }

    pub(super) fn of_bill(billed: &Billed) -> Self {
        Self { quoted: pico(billed.quoted), ..Self::new(billed.tokens, billed.web_searches) }
    }

    pub(super) fn of_tokens(tokens: Tokens) -> Self {
        Self::new(tokens, 0)
    }

    /// A row computed from a bill.
    pub(super) fn of_call(call: &Call) -> Self {
        Self { quoted: pico(call.quoted), ..Self::new(call.tokens, call.web_searches) }
    }

    /// The stored form.
    pub fn fields(&self) -> [u64; 8] {
        let [input, read, short, long, output, reasoning] = self.classes;
        [input, read, short, long, output, reasoning, self.searches, self.quoted]
    }

    /// Converts from the stored form.
    pub fn from_fields([input, read, short, long, output, reasoning, searches, quoted]: [u64; 8]) -> Self {
        Self { classes: [input, read, short, long, output, reasoning], searches, quoted }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.change(other, u64::wrapping_add);
    }

    pub(super) fn sub(&mut self, other: &Self) {
        self.change(other, u64::wrapping_sub);
    }

    fn change(&mut self, other: &Self, change: fn(u64, u64) -> u64) {
        for (mine, theirs) in self.classes.iter_mut().zip(other.classes) {
            *mine = change(*mine, theirs);
        }
        self.searches = change(self.searches, other.searches);
        self.quoted = change(self.quoted, other.quoted);
    }

    /// Subtracts the common part from both.
    ///
    /// Cache writes may be attributed to different lifetimes, so their totals are compared.
    pub(super) fn take(&mut self, other: &mut Self) {
        for (mine, theirs) in self.classes.iter_mut().zip(&mut other.classes) {
            common(mine, theirs);
        }
        let [mine, theirs] = [&mut self.classes, &mut other.classes];
        common(&mut mine[SHORT], &mut theirs[LONG]);
        common(&mut mine[LONG], &mut theirs[SHORT]);
        common(&mut self.searches, &mut other.searches);
        common(&mut self.quoted, &mut other.quoted);
    }

    /// Subtracts the common tokens from both, whatever their class. For a total whose split into classes is a guess.
    pub(super) fn take_any_class(&mut self, other: &mut Self) {
        // Without reasoning, which is part of the output.
        let [mine @ .., _] = &mut self.classes;
        let [theirs @ .., _] = &mut other.classes;
        for mine in mine {
            for theirs in theirs.iter_mut() {
                common(mine, theirs);
            }
        }
    }

    /// Subtracts the common searches from both.
    pub(super) fn take_searches(&mut self, other: &mut Self) {
        common(&mut self.searches, &mut other.searches);
    }

    /// True when no class is smaller than the other's.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.sides().iter().zip(other.sides()).all(|(mine, theirs)| *mine >= theirs)
    }

    /// Input, cache reads, cache writes of any lifetime, output, searches.
    pub(super) fn sides(&self) -> [u64; 5] {
        let [input, read, short, long, output, _] = self.classes;
        [input, read, short.saturating_add(long), output, self.searches]
    }

    /// True when all counts and the cost are zero, ignoring reasoning, which is part of the output.
    pub(super) fn is_zero(&self) -> bool {
        !self.is_counted() && self.quoted == 0
    }

    /// True when there are tokens or searches, which have a price of their own.
    pub(super) fn is_counted(&self) -> bool {
        let [input, read, short, long, output, _] = self.classes;
        [input, read, short, long, output, self.searches] != [0; 6]
    }

    pub(super) fn cache_write(&self) -> u64 {
        self.classes[SHORT].saturating_add(self.classes[LONG])
    }

    /// Treats all cache writes as one-hour writes.
    pub(super) fn live_an_hour(&mut self) {
        self.classes[LONG] = self.cache_write();
        self.classes[SHORT] = 0;
    }

    pub(super) fn tokens(&self) -> Tokens {
        let mut tokens = Tokens::from_fields(self.classes);
        tokens.reasoning = tokens.reasoning.min(tokens.output);
        tokens
    }

    pub(super) fn web_searches(&self) -> u32 {
        u32::try_from(self.searches).unwrap_or(u32::MAX)
    }

    /// The cost, if there is one.
    pub(super) fn quoted(&self) -> Option<Usd> {
        (self.quoted > 0).then(|| Usd::from_pico(self.quoted.into()))
    }
}

fn pico(quoted: Option<Usd>) -> u64 {
    quoted.map_or(0, |usd| u64::try_from(usd.pico().max(0)).unwrap_or(u64::MAX))
}

fn common(mine: &mut u64, theirs: &mut u64) {
    let common = *mine.min(theirs);
    *mine -= common;
    *theirs -= common;
}

/// Sums of watched sessions, and the row keys of all sessions.
#[derive(Debug, Default)]
pub(super) struct Spending {
    /// Keys of each session's rows. May include rows that have moved.
    rows: FxHashMap<u32, Vec<CallKey>>,
    /// Sums of watched sessions, by model.
    sums: FxHashMap<u32, FxHashMap<u32, Part>>,
    /// Computed rows, which are excluded from the sums.
    computed: FxHashSet<CallKey>,
    /// Watched sessions whose sums have changed.
    touched: FxHashSet<u32>,
    /// Watched sessions whose sums must be written to the store.
    unsaved: FxHashSet<u32>,
}

impl Spending {
    /// True when this session's sums are tracked.
    pub(super) fn watches(&self, session: u32) -> bool {
        self.sums.contains_key(&session)
    }

    /// Starts tracking a session with these sums.
    pub(super) fn watch(&mut self, session: u32, sums: FxHashMap<u32, Part>) {
        self.sums.insert(session, sums);
    }

    /// Adds calls of a watched session that were pruned before its sums were tracked.
    pub(super) fn add_pruned(&mut self, session: u32, parts: impl Iterator<Item = (u32, Part)>) {
        let Some(sums) = self.sums.get_mut(&session) else { return };
        for (model, part) in parts {
            sums.entry(model).or_default().add(&part);
            self.touched.insert(session);
            self.unsaved.insert(session);
        }
    }

    /// Subtracts pruned calls of a watched session that an import restored.
    pub(super) fn bring_back(&mut self, session: u32, model: u32, part: &Part) {
        if let Some(sums) = self.sums.get_mut(&session) {
            sums.entry(model).or_default().sub(part);
            self.touched.insert(session);
            self.unsaved.insert(session);
        }
    }

    /// Keys of this session's rows. May include rows that have moved.
    pub(super) fn rows(&self, session: u32) -> &[CallKey] {
        self.rows.get(&session).map_or(&[], Vec::as_slice)
    }

    /// Marks rows as computed, which excludes them from the sums.
    pub(super) fn compute(&mut self, keys: impl Iterator<Item = CallKey>) {
        self.computed.extend(keys);
    }

    pub(super) fn is_computed(&self, key: CallKey) -> bool {
        self.computed.contains(&key)
    }

    /// Indexes a row, whether new or not.
    pub(super) fn index(&mut self, row: &CompactRow, names: &Interner) {
        let session = session_of(row, names);
        if session != NONE {
            let keys = self.rows.entry(session).or_default();
            if keys.last() != Some(&row.key) {
                keys.push(row.key);
            }
        }
    }

    /// Adds a row.
    pub(super) fn add(&mut self, row: &CompactRow, names: &Interner) {
        self.change(row, names, Part::add);
    }

    /// Subtracts a row.
    pub(super) fn take(&mut self, row: &CompactRow, names: &Interner) {
        self.change(row, names, Part::sub);
    }

    fn change(&mut self, row: &CompactRow, names: &Interner, change: fn(&mut Part, &Part)) {
        let session = session_of(row, names);
        if let Some(sums) = self.sums.get_mut(&session)
            && !self.computed.contains(&row.key)
        {
            let model = names.set(row.set)[place(Dimension::Model)];
            change(sums.entry(model).or_default(), &part(row));
            self.touched.insert(session);
            self.unsaved.insert(session);
        }
    }

    /// Marks a call of a session with unlisted calls as exact if the session has a bill.
    pub(super) fn settled(&self, mut row: CompactRow, names: &Interner) -> CompactRow {
        if matches!(row.fidelity, Fidelity::Unlisted | Fidelity::Settled) {
            let billed = self.watches(session_of(&row, names));
            row.fidelity = if billed { Fidelity::Settled } else { Fidelity::Unlisted };
        }
        row
    }

    /// Marks a session's sums as not stored.
    pub(super) fn unsaved(&mut self, session: u32) {
        self.unsaved.insert(session);
    }

    /// Takes the sessions whose sums must be stored, sorted.
    pub(super) fn take_unsaved(&mut self) -> Vec<u32> {
        let mut sessions: Vec<u32> = std::mem::take(&mut self.unsaved).into_iter().collect();
        sort_by(&mut sessions, Ord::cmp);
        sessions
    }

    /// Marks the sums of all watched sessions as not stored.
    pub(super) fn all_unsaved(&mut self) {
        self.unsaved.extend(self.sums.keys().copied());
    }

    /// A session's sums by model.
    pub(super) fn parts_of(&self, session: u32) -> impl Iterator<Item = (u32, &Part)> {
        self.sums.get(&session).into_iter().flatten().map(|(model, part)| (*model, part))
    }

    /// Cache writes of a session's calls by lifetime: five minutes, one hour.
    pub(super) fn lifetimes(&self, session: u32) -> (u64, u64) {
        self.parts_of(session).fold((0, 0), |(short, long), (_, part)| {
            (short.wrapping_add(part.classes[SHORT]), long.wrapping_add(part.classes[LONG]))
        })
    }

    /// Takes the watched sessions whose sums changed since the last call.
    pub(super) fn take_touched(&mut self) -> FxHashSet<u32> {
        std::mem::take(&mut self.touched)
    }
}

/// Counts of one row. Only the cost of a total is compared with a bill's.
pub(super) fn part(row: &CompactRow) -> Part {
    let is_total = row.fidelity.is_sum() || row.tokens.is_zero();
    let quoted = row.rare.as_ref().and_then(|rare| rare.quoted).filter(|_| is_total);
    Part { quoted: pico(quoted), ..Part::new(row.tokens, row.web_searches) }
}

pub(super) fn session_of(row: &CompactRow, names: &Interner) -> u32 {
    names.set(row.set)[place(Dimension::Session)]
}
