//! Session reports.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Groups, Stretch, finish, in_order, none_last};
use crate::domain::{Dimension, Instant, Label, one_by_one, repository_of, sort_by};
use crate::ledger::interner::{Interner, NONE, place};
use crate::ledger::query::common_name;
use crate::ledger::{PeriodKey, Query, Report, ReportRow, SessionRow, Sums};

/// Builds a session report. `all_rows` is the number of rows without the limit, if some sessions have no stretches
/// here.
pub(in crate::ledger) fn sessions(
    query: &Query,
    names: &Interner,
    stretches: impl Iterator<Item = Stretch>,
    all_rows: Option<usize>,
) -> Report {
    let mut groups = Groups::new(query, names);
    let mut all: FxHashMap<u32, Conversation> = FxHashMap::default();
    for stretch in stretches {
        let Some(group) = groups.group_of(stretch.set) else { continue };
        let session = names.set(stretch.set)[place(Dimension::Session)];
        all.entry(session).or_insert_with(|| Conversation::new(&stretch)).add(&stretch, group, names);
    }
    let mut total = Sums::default();
    for conversation in all.values() {
        total.add(&conversation.sums);
    }
    let all_rows = all_rows.unwrap_or_else(|| all.values().map(|one| one.groups.list.len()).sum());
    let mut rows = Vec::new();
    for (session, conversation) in first_ones(query, names, all.into_iter().collect()) {
        // Shared by all rows of the session.
        let facts = Arc::new(conversation.row(session, names));
        let key = PeriodKey::Session(facts.started, facts.session.clone());
        rows.extend(conversation.groups.list.iter().map(|(group, sums)| ReportRow {
            period: key.clone(),
            by: groups.labels(*group),
            sums: *sums,
            session: Some(Arc::clone(&facts)),
            call: None,
        }));
    }
    finish(query, rows, total, all_rows)
}

/// A part of a session, identified by the store's own ids.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::ledger) struct SessionPart {
    pub(in crate::ledger) session: i64,
    pub(in crate::ledger) agent: i64,
    /// Its attribution, without session and sub-agent.
    pub(in crate::ledger) set: u32,
}

/// Number of rows of a session report without its limit. The filter must name neither sessions nor sub-agents.
pub(in crate::ledger) fn count_rows(
    query: &Query,
    names: &Interner,
    parts: impl IntoIterator<Item = SessionPart>,
) -> usize {
    let by_agent = query.by.contains(&Dimension::Agent);
    let by = query.by.iter().copied().filter(|by| ![Dimension::Session, Dimension::Agent].contains(by)).collect();
    let query = Query { by, ..query.clone() };
    let mut groups = Groups::new(&query, names);
    let row = |part: SessionPart| {
        let group = groups.group_of(part.set)?;
        Some((part.session, group, if by_agent { part.agent } else { 0 }))
    };
    parts.into_iter().filter_map(row).collect::<FxHashSet<_>>().len()
}

/// The sessions that can appear within the report's limit. Each has at least one row.
fn first_ones(query: &Query, names: &Interner, mut all: Vec<(u32, Conversation)>) -> Vec<(u32, Conversation)> {
    if let Some(limit) = query.limit.filter(|limit| *limit < all.len()) {
        let key = |(session, conversation): &(u32, Conversation)| (conversation.started, names.label(*session));
        all.select_nth_unstable_by(limit, |one, other| in_order(query.order, &key(one), &key(other)));
        all.truncate(limit);
    }
    all
}

struct Conversation {
    started: Instant,
    ended: Instant,
    source: First,
    project: First,
    projects: FxHashMap<u32, u64>,
    users: FxHashMap<u32, u64>,
    models: Parts<u32>,
    groups: Parts<usize>,
    in_agents: Sums,
    sums: Sums,
}

/// The label of the earliest call that has one.
#[derive(Default)]
struct First(Option<(Instant, u32)>);

impl First {
    fn see(&mut self, at: Instant, number: u32, names: &Interner) {
        let earlier = |(than, label): (Instant, u32)| (at, names.label(number)) < (than, names.label(label));
        if number != NONE && self.0.is_none_or(earlier) {
            self.0 = Some((at, number));
        }
    }

    fn label(&self, names: &Interner) -> Option<Label> {
        self.0.and_then(|(_, number)| names.label(number).cloned())
    }
}

impl Conversation {
    fn new(stretch: &Stretch) -> Self {
        Self {
            started: stretch.first,
            ended: stretch.last,
            source: First::default(),
            project: First::default(),
            projects: FxHashMap::default(),
            users: FxHashMap::default(),
            models: Parts::default(),
            groups: Parts::default(),
            in_agents: Sums::default(),
            sums: Sums::default(),
        }
    }

    fn add(&mut self, stretch: &Stretch, group: usize, names: &Interner) {
        let set = names.set(stretch.set);
        self.started = self.started.min(stretch.first);
        self.ended = self.ended.max(stretch.last);
        self.source.see(stretch.first, set[place(Dimension::Source)], names);
        self.project.see(stretch.first, set[place(Dimension::Project)], names);
        if set[place(Dimension::Session)] == NONE {
            *self.projects.entry(set[place(Dimension::Project)]).or_default() += stretch.sums.calls;
        }
        *self.users.entry(set[place(Dimension::User)]).or_default() += stretch.sums.calls;
        self.models.add(set[place(Dimension::Model)], &stretch.sums);
        self.groups.add(group, &stretch.sums);
        if set[place(Dimension::Agent)] != NONE {
            self.in_agents.add(&stretch.sums);
        }
        self.sums.add(&stretch.sums);
    }

    fn row(&self, session: u32, names: &Interner) -> SessionRow {
        let mut models: Vec<(Option<Label>, Sums)> =
            self.models.list.iter().map(|(model, sums)| (names.label(*model).cloned(), *sums)).collect();
        sort_by(&mut models, |(one, its), (other, theirs)| {
            let size = |sums: &Sums| (sums.cost, sums.tokens.total());
            size(theirs).cmp(&size(its)).then_with(|| none_last(one.as_ref(), other.as_ref()))
        });
        let label = |number: u32| names.label(number).cloned();
        let users: BTreeMap<_, _> = one_by_one(self.users.iter().map(|(user, calls)| (label(*user), *calls)));
        let mut projects = BTreeMap::new();
        for (project, calls) in &self.projects {
            *projects.entry(label(*project).map(of_repository)).or_default() += calls;
        }
        let is_named = session != NONE;
        let project = || self.project.label(names).map(of_repository);
        SessionRow {
            session: label(session),
            source: self.source.label(names).unwrap_or_else(|| Label::new("")),
            started: self.started,
            ended: self.ended,
            project: if is_named { project() } else { common_name(&projects, false) },
            user: common_name(&users, is_named),
            projects,
            users,
            models,
            in_agents: self.in_agents,
            sums: self.sums,
        }
    }
}

/// A project, or the repository of a worktree.
fn of_repository(project: Label) -> Label {
    repository_of(&project).map(Label::new).unwrap_or(project)
}

/// Groups within a session: usually one or two, but sometimes a hundred thousand.
#[derive(Default)]
struct Parts<K> {
    list: Vec<(K, Sums)>,
    /// Index into the list, built once the list is too long for linear search.
    places: FxHashMap<K, usize>,
}

impl<K: Copy + Eq + Hash> Parts<K> {
    /// Longest list that is searched linearly.
    const SHORT: usize = 8;

    fn add(&mut self, key: K, sums: &Sums) {
        let place = if self.places.is_empty() {
            self.list.iter().position(|(known, _)| *known == key)
        } else {
            self.places.get(&key).copied()
        };
        if let Some((_, sum)) = place.and_then(|place| self.list.get_mut(place)) {
            sum.add(sums);
            return;
        }
        self.list.push((key, *sums));
        if self.list.len() == Self::SHORT {
            self.places = self.list.iter().enumerate().map(|(place, (known, _))| (*known, place)).collect();
        } else if self.list.len() > Self::SHORT {
            self.places.insert(key, self.list.len() - 1);
        }
    }
}
