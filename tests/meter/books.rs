//! A minimal ledger: every answer is recomputed from the rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{Duration, Timelike};
use tokmeter::testing::domain::{
    Attribution, Call, CallKey, Dimension, Filter, Instant, Label, Record, Status, Tokens, Usd, Zone, day_of, month_of,
    week_of,
};
use tokmeter::testing::ledger::{
    Batch, Change, Checkpoint, Decide, Fact, FactChange, FactKind, Grain, KeyValue, Ledger, LedgerError, Order,
    PeriodKey, Query, Report, ReportRow, Row, RowChange, SessionRow, Sums,
};
use tokmeter::testing::pricing::Cost;

/// Parses a time.
pub fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

/// A call with only the relevant fields.
#[derive(Clone)]
pub struct Told(pub Call);

pub fn call(id: &str, when: Instant) -> Told {
    Told(Call::new(
        CallKey::from_parts(&[id]),
        Attribution { session: Some("s1".into()), ..Attribution::new(when, Label::new("test")) },
        Some("opus".into()),
        Tokens::ZERO,
    ))
}

impl Told {
    pub fn input(mut self, count: u64) -> Self {
        self.0.tokens.input = count;
        self
    }
    pub fn output(mut self, count: u64) -> Self {
        self.0.tokens.output = count;
        self
    }
    pub fn tokens(mut self, tokens: Tokens) -> Self {
        self.0.tokens = tokens;
        self
    }
    pub fn model(mut self, name: &str) -> Self {
        self.0.model = Some(name.into());
        self
    }
    pub fn session(mut self, name: &str) -> Self {
        self.0.from.session = Some(name.into());
        self
    }
    pub fn user(mut self, name: &str) -> Self {
        self.0.from.user = Some(name.into());
        self
    }
    pub fn agent(mut self, name: &str) -> Self {
        self.0.from.agent = Some(name.into());
        self
    }
}

/// A micro-dollar per token, five for output; models with names that begin with `free` have no price.
pub fn price(call: &Call) -> Cost {
    if call.model.as_ref().is_none_or(|model| model.starts_with("free")) {
        return Cost::Unpriced;
    }
    let usd = Usd::from_micro(1).times(call.tokens.prompt()) + Usd::from_micro(5).times(call.tokens.output);
    Cost::Priced { usd, saved: Usd::ZERO, price: "test".into(), is_guessed: false }
}

pub fn row(told: Told) -> Arc<Row> {
    let cost = price(&told.0);
    Arc::new(Row { call: told.0, cost })
}

/// Rows by key, and nothing else.
#[derive(Default)]
pub struct Books {
    pub rows: BTreeMap<CallKey, Arc<Row>>,
    /// The reports of agents.
    pub statuses: Vec<Status>,
}

impl Books {
    /// Posts one call and returns the change.
    pub fn tell(&mut self, told: Told) -> Change {
        let before = self.rows.get(&told.0.key).cloned();
        let joined = match &before {
            Some(before) => before.call.clone().join(told.0),
            None => told.0,
        };
        let after = row(Told(joined));
        if before.as_ref() == Some(&after) {
            return Change::Repeat;
        }
        self.rows.insert(after.call.key, Arc::clone(&after));
        let grown = before.is_some();
        let change = RowChange { before, after };
        if grown { Change::Grown(change) } else { Change::New(change) }
    }

    /// Removes a row, as when it was merged into another.
    pub fn lose(&mut self, key: CallKey) -> Option<Change> {
        self.rows.remove(&key).map(Change::Gone)
    }

    fn admitted<'a>(&'a self, filter: &'a Filter) -> impl Iterator<Item = &'a Arc<Row>> {
        self.rows.values().filter(|row| filter.admits(&row.call))
    }

    fn session(&self, row: &Row) -> SessionRow {
        let same = |other: &&Arc<Row>| {
            (&other.call.from.source, &other.call.from.session) == (&row.call.from.source, &row.call.from.session)
        };
        let mut rows: Vec<&Arc<Row>> = self.rows.values().filter(same).collect();
        rows.sort_by_key(|row| (row.call.at(), row.call.key));
        let mut models: BTreeMap<Option<Label>, Sums> = BTreeMap::new();
        let (mut sums, mut in_agents) = (Sums::default(), Sums::default());
        for row in &rows {
            models.entry(row.call.model.clone()).or_default().add(&Sums::from_row(row));
            sums.add(&Sums::from_row(row));
            if row.call.from.agent.is_some() {
                in_agents.add(&Sums::from_row(row));
            }
        }
        let mut models: Vec<_> = models.into_iter().collect();
        models.sort_by(|(one, mine), (other, theirs)| {
            (theirs.cost, theirs.tokens.total()).cmp(&(mine.cost, mine.tokens.total())).then_with(|| one.cmp(other))
        });
        let is_named = row.call.from.session.is_some();
        let (mut users, mut projects) = (BTreeMap::new(), BTreeMap::new());
        for row in &rows {
            *users.entry(row.call.from.user.clone()).or_default() += 1;
            if !is_named {
                *projects.entry(row.call.from.project.clone()).or_default() += 1;
            }
        }
        let only = |calls: &BTreeMap<Option<Label>, u64>| {
            let names: Vec<&Label> = calls.keys().flatten().collect();
            let is_of_all = names.len() == 1 && (is_named || !calls.contains_key(&None));
            is_of_all.then(|| names[0].clone())
        };
        let first = rows.iter().find_map(|row| row.call.from.project.clone());
        SessionRow {
            session: row.call.from.session.clone(),
            source: row.call.from.source.clone(),
            started: rows[0].call.at(),
            ended: rows[rows.len() - 1].call.at(),
            project: if is_named { first } else { only(&projects) },
            user: only(&users),
            projects,
            users,
            models,
            in_agents,
            sums,
        }
    }

    fn period(&self, row: &Row, grain: Grain, zone: Zone) -> PeriodKey {
        let when = row.call.at();
        match grain {
            Grain::Quarter => {
                let start = when.timestamp().div_euclid(900) * 900;
                PeriodKey::Quarter(Instant::from_timestamp(start, 0).unwrap())
            }
            Grain::Hour => {
                let local = when.with_timezone(&zone);
                let into = Duration::seconds(i64::from(local.minute() * 60 + local.second()));
                PeriodKey::Hour(when - into - Duration::nanoseconds(i64::from(local.nanosecond())))
            }
            Grain::Day => PeriodKey::Day(day_of(when, zone)),
            Grain::Week => PeriodKey::Week(week_of(day_of(when, zone))),
            Grain::Month => PeriodKey::Month(month_of(day_of(when, zone))),
            Grain::Session => PeriodKey::Session(self.session(row).started, row.call.from.session.clone()),
            Grain::Call => PeriodKey::Call(when, row.call.key),
            Grain::Total => PeriodKey::Total,
        }
    }
}

impl KeyValue for Books {
    fn update(&mut self, _space: FactKind, _key: &str, _change: FactChange<'_>) -> Result<bool, LedgerError> {
        Ok(true)
    }

    fn remove(&mut self, _space: FactKind, _key: &str) -> Result<(), LedgerError> {
        Ok(())
    }

    fn facts(&self, _space: FactKind, _prefix: &str) -> Result<Vec<(String, Fact)>, LedgerError> {
        Ok(Vec::new())
    }
}

impl Ledger for Books {
    fn statuses(&self) -> Result<Vec<Status>, LedgerError> {
        Ok(self.statuses.clone())
    }
    fn post(&mut self, batch: &Batch) -> Result<Vec<Change>, LedgerError> {
        let calls = batch.records.iter().filter_map(|record| match record {
            Record::Call(call) => Some(call.clone()),
            Record::Descends { .. }
            | Record::Bill(_)
            | Record::Rekeyed { .. }
            | Record::Status(_)
            | Record::Settled(_) => None,
        });
        Ok(calls.collect::<Vec<_>>().into_iter().map(|call| self.tell(Told(call))).collect())
    }

    fn absorb(&mut self, batch: &Batch) -> Result<(), LedgerError> {
        self.post(batch).map(drop)
    }

    fn flush(&mut self) -> Result<(), LedgerError> {
        Ok(())
    }

    fn exclusively(&mut self, decide: Decide<'_>) -> Result<(), LedgerError> {
        decide(self).map(drop)
    }

    fn report(&self, query: &Query) -> Result<Report, LedgerError> {
        type Key = (PeriodKey, Vec<Option<Label>>);
        let mut groups: BTreeMap<Key, (Sums, Arc<Row>)> = BTreeMap::new();
        let mut total = Sums::default();
        for row in self.admitted(&query.filter) {
            let by = query.by.iter().map(|dimension: &Dimension| dimension.label_of(&row.call).cloned()).collect();
            let key = (self.period(row, query.grain, query.zone), by);
            groups.entry(key).or_insert_with(|| (Sums::default(), Arc::clone(row))).0.add(&Sums::from_row(row));
            total.add(&Sums::from_row(row));
        }
        let session = |row: &Row| (query.grain == Grain::Session).then(|| self.session(row));
        let mut rows: Vec<ReportRow> = groups
            .into_iter()
            .map(|((period, by), (sums, row))| ReportRow {
                period,
                by,
                sums,
                session: session(&row).map(Arc::new),
                call: None,
            })
            .collect();
        if query.order == Order::Descending {
            rows.reverse();
        }
        rows.truncate(query.limit.unwrap_or(usize::MAX));
        Ok(Report { query: query.clone(), rows, total, all_rows: None, unread_files: 0 })
    }

    fn sums(&self, filter: &Filter) -> Result<Sums, LedgerError> {
        let mut sums = Sums::default();
        self.admitted(filter).for_each(|row| sums.add(&Sums::from_row(row)));
        Ok(sums)
    }

    fn calls(&self, filter: &Filter, limit: usize) -> Result<Vec<Arc<Row>>, LedgerError> {
        let mut rows: Vec<Arc<Row>> = self.admitted(filter).cloned().collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.call.at(), row.call.key)));
        rows.truncate(limit);
        Ok(rows)
    }

    fn call(&self, key: CallKey) -> Result<Option<Arc<Row>>, LedgerError> {
        Ok(self.rows.get(&key).cloned())
    }

    fn files(&self) -> Result<Vec<Checkpoint>, LedgerError> {
        Ok(Vec::new())
    }
}
