//! Snapshots of a session's totals: what they grew by, and to which model it belongs.

use std::collections::BTreeMap;

use super::spending::Part;
use crate::domain::{Bill, Billed, CallKey, Counter, Instant, Label, Tokens, sort_by_key};

/// The snapshots of one session.
#[derive(Debug, Default)]
pub(super) struct Snapshots<'b> {
    /// Growth of each model's total, in the order of time.
    pub(super) growth: Vec<Growth<'b>>,
    /// The largest total of each sub-agent and kind of work that has one of its own.
    pub(super) others: Vec<&'b Bill>,
    /// Models of the totals that only name the current model, with those that the session used before.
    carried: BTreeMap<CallKey, Vec<Billed>>,
}

/// The growth of a model's total from one snapshot to the next.
#[derive(Debug)]
pub(super) struct Growth<'b> {
    /// The later snapshot.
    pub(super) snapshot: &'b Bill,
    /// Time of the growth.
    pub(super) at: Instant,
    pub(super) model: Label,
    pub(super) part: Part,
}

impl<'b> Snapshots<'b> {
    /// The snapshots among a session's bills.
    ///
    /// The session's first one is not growth, because nothing says since when it has been counted. It is dated by the
    /// bill. A sub-agent's first one is growth.
    pub(super) fn of(bills: &'b BTreeMap<CallKey, Bill>) -> Self {
        let mut scopes: BTreeMap<_, Vec<&Bill>> = BTreeMap::new();
        for bill in bills.values().filter(|bill| is_snapshot(bill)) {
            scopes.entry(scope(bill)).or_default().push(bill);
        }
        let mut found = Self::default();
        for (scope, mut snapshots) in scopes {
            sort_by_key(&mut snapshots, |bill| (bill.from.at, bill.id));
            if scope == SESSION {
                // The total from before its growth was recorded.
                let most = snapshots.iter().map(|bill| size(bill)).max().unwrap_or_default();
                let undated = bills.values().filter(|bill| matches!(bill.counter, Counter::Session { .. }));
                let first = undated.filter(|bill| size(bill) <= most).max_by_key(|bill| (size(bill), bill.id));
                snapshots.insert(0, first.unwrap_or(snapshots[0]));
            } else {
                found.others.extend(snapshots.iter().max_by_key(|bill| (size(bill), bill.from.at, bill.id)));
            }
            found.carry(&snapshots);
            found.grow(&snapshots, scope == SESSION);
        }
        sort_by_key(&mut found.growth, |growth| (growth.at, growth.snapshot.id));
        found
    }

    /// The totals of a bill by model.
    pub(super) fn models_of<'a>(&'a self, bill: &'a Bill) -> &'a [Billed] {
        self.carried.get(&bill.id).map_or(&bill.models, Vec::as_slice)
    }

    /// Leaves each model what it had before a total that names only another one.
    fn carry(&mut self, snapshots: &[&Bill]) {
        let mut so_far: Vec<Billed> = Vec::new();
        for bill in snapshots {
            if let Some(models) = carried(&so_far, bill) {
                self.carried.insert(bill.id, models);
            }
            let models = self.models_of(bill);
            let sum = |models: &[Billed]| models.iter().map(|billed| billed.tokens).sum::<Tokens>().total();
            if sum(models) >= sum(&so_far) {
                so_far = models.to_vec();
            }
        }
    }

    fn grow(&mut self, snapshots: &[&'b Bill], is_session: bool) {
        let mut most: BTreeMap<Label, Part> = BTreeMap::new();
        let mut largest = 0;
        let mut growth = Vec::new();
        for (number, snapshot) in snapshots.iter().enumerate() {
            // A total of the current model alone that fell has restarted, even if the model is another one.
            if snapshot.models.len() == 1 && size(snapshot) < largest {
                continue;
            }
            largest = largest.max(size(snapshot));
            let at = snapshot.since().filter(|_| number == 0).unwrap_or(snapshot.from.at);
            for billed in self.models_of(snapshot) {
                let (whole, known) = (Part::of_bill(billed), most.get(&billed.model).copied().unwrap_or_default());
                if !whole.covers(&known) {
                    continue;
                }
                most.insert(billed.model.clone(), whole);
                let mut part = whole;
                part.take(&mut known.clone());
                let is_first = is_session && number == 0;
                if !is_first && !part.is_zero() {
                    growth.push(Growth { snapshot, at, model: billed.model.clone(), part });
                }
            }
        }
        self.growth.extend(growth);
    }
}

/// Whose total it is: that of a sub-agent, or of one kind of work.
type Scope<'b> = (Option<&'b str>, Option<&'b str>);

/// A total of the session itself.
const SESSION: Scope<'static> = (None, None);

fn scope(bill: &Bill) -> Scope<'_> {
    (bill.from.agent.as_deref(), bill.from.feature.as_deref())
}

fn is_snapshot(bill: &Bill) -> bool {
    matches!(bill.counter, Counter::Snapshot { .. })
}

/// True for a total of the session itself, not of one of its sub-agents or kinds of work.
pub(super) fn is_of_session(bill: &Bill) -> bool {
    !is_snapshot(bill) || scope(bill) == SESSION
}

/// Sum of the tokens of all models.
pub(super) fn size(bill: &Bill) -> u64 {
    bill.tokens().total()
}

/// The totals by model after a bill that names only the current model; `None` if it names all that were used so far.
fn carried(so_far: &[Billed], bill: &Bill) -> Option<Vec<Billed>> {
    let [current] = &*bill.models else { return None };
    let mut models: Vec<Billed> = so_far.iter().filter(|billed| !billed.is_unnamed()).cloned().collect();
    if models.iter().all(|billed| billed.model == current.model) {
        return None;
    }
    let mut known = Part::default();
    for billed in &models {
        known.add(&Part::of_bill(billed));
    }
    let mut rest = Part::of_bill(current);
    if !rest.covers(&known) {
        return None;
    }
    rest.take(&mut known);
    let billed = |part: &Part| Billed { tokens: part.tokens(), quoted: part.quoted(), ..current.clone() };
    match models.iter_mut().find(|billed| billed.model == current.model) {
        Some(own) => {
            let mut part = Part::of_bill(own);
            part.add(&rest);
            *own = billed(&part);
        }
        None => models.push(billed(&rest)),
    }
    Some(models)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Attribution;

    fn bill(minute: i64, model: &str, input: u64) -> Bill {
        let at = Instant::from_timestamp(minute * 60, 0).unwrap();
        Bill {
            id: CallKey::from_parts(&[&minute.to_string()]),
            from: Attribution::new(at, Label::new("zed")),
            counter: Counter::Snapshot { since: None },
            models: vec![Billed::new(model, Tokens { input, ..Tokens::ZERO })],
        }
    }

    #[test]
    fn a_total_under_the_current_model_leaves_the_one_before_what_it_used() {
        let bills = [bill(1, "a", 10), bill(2, "b", 15), bill(3, "a", 17), bill(4, "c", 3)];
        let bills = bills.map(|bill| (bill.id, bill)).into();
        let snapshots = Snapshots::of(&bills);
        let grown = snapshots.growth.iter().map(|growth| (growth.model.as_str(), growth.part.tokens().input));
        assert_eq!(grown.collect::<Vec<_>>(), [("b", 5), ("a", 2)], "the last one fell");
        let last = bills.values().max_by_key(|bill| size(bill)).unwrap();
        let models = snapshots.models_of(last).iter().map(|billed| (billed.model.as_str(), billed.tokens.input));
        assert_eq!(models.collect::<Vec<_>>(), [("a", 12), ("b", 5)]);
    }

    #[test]
    fn a_model_whose_own_total_fell_grows_from_the_most_that_it_had() {
        let both = |minute, [one, other]: [u64; 2]| Bill {
            models: [("a", one), ("b", other)]
                .map(|(model, input)| Billed::new(model, Tokens { input, ..Tokens::ZERO }))
                .into(),
            ..bill(minute, "a", 0)
        };
        let bills = [both(1, [10, 5]), both(2, [8, 9]), both(3, [12, 9])].map(|bill| (bill.id, bill)).into();
        let snapshots = Snapshots::of(&bills);
        let grown = snapshots.growth.iter().map(|growth| (growth.model.as_str(), growth.part.tokens().input));
        assert_eq!(grown.collect::<Vec<_>>(), [("b", 4), ("a", 2)], "ten of the twelve were counted before");
    }
}
