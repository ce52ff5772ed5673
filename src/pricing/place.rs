//! Inserts exact days from one list into the history of another, which is accurate to half a month at best.

use super::hours::{Hours, HoursFrom};
use super::sheet::{Class, Key, Sheet};
use super::table::{History, Since};
use crate::domain::{Day, Service, Usd};

/// Rates that tell prices apart.
const PLAIN: [Class; 4] = [Class::Input, Class::Output, Class::CacheRead, Class::CacheWrite5m];

/// A model's prices in the dated list.
#[derive(Clone, Debug, Default)]
pub(super) struct Dates {
    /// Prices by first day, oldest first; the first has none.
    pub(super) steps: Vec<(Option<Day>, Sheet)>,
    /// Rates for certain hours, on top of the newest price.
    pub(super) hours: Vec<(Hours, Sheet)>,
}

impl Dates {
    pub(super) fn in_force(&self, day: Day) -> Option<&Sheet> {
        self.steps.iter().rev().find(|(from, _)| from.is_none_or(|from| from <= day)).map(|(_, sheet)| sheet)
    }
}

/// True when two sheets agree on every plain rate that both have.
pub(super) fn is_plain_alike(one: &Sheet, other: &Sheet) -> bool {
    let rates = |class| (one.get(0, class, Service::Standard), other.get(0, class, Service::Standard));
    PLAIN.into_iter().map(rates).all(|(one, other)| one.is_none() || other.is_none() || one == other)
}

/// True when input and output are equal. For old prices, one of the lists often has wrong cache rates.
fn is_base_alike(one: &Sheet, other: &Sheet) -> bool {
    let rates = one.base().into_iter().zip(other.base());
    rates.into_iter().all(|(one, other)| one == other)
}

/// Corrects a history from the model's dated prices: moves prices to their first day, adds announced prices and those
/// from before the first snapshot, and drops outdated listings that a snapshot still showed.
///
/// `hours_from` holds the first days on which rates for certain hours apply.
pub(super) fn place(
    name: &str,
    history: &mut History,
    dates: &Dates,
    hours_from: HoursFrom,
    as_of: Day,
    notes: &mut Vec<String>,
) {
    let steps = changes(dates);
    if steps.is_empty() {
        return;
    }
    let old = std::mem::take(history);
    if let Some(first) = steps.get(1).and_then(|(day, _)| *day) {
        before(first, &old, steps[0].1, history);
        for (at, (day, step)) in steps.iter().enumerate().skip(1) {
            let Some(day) = *day else { continue };
            let until = steps.get(at + 1).and_then(|(day, _)| *day);
            let later = old.iter().filter(|(since, _)| since.day >= day);
            let alike = later.clone().find(|(_, sheet)| is_step(sheet, step, &steps));
            let sheet = match alike {
                Some((_, sheet)) => sheet.clone(),
                None => scaled(history.last().map(|(_, sheet)| sheet), step),
            };
            history.push((Since::exact(day), sheet));
            let shown = alike.map(|(since, _)| since.day);
            for (since, sheet) in later.filter(|(since, _)| until.is_none_or(|until| since.day < until)) {
                let is_late = steps.iter().any(|(_, step)| is_base_alike(sheet, step));
                if is_step(sheet, step, &steps) {
                    history.push((*since, sheet.clone()));
                } else if dates.hours.is_empty()
                    && !is_late
                    && shown.is_none_or(|shown| since.day > shown)
                    && since.day <= as_of
                {
                    notes.push(format!(
                        "{name}: the list of {} shows a price that the dated one does not know",
                        since.day
                    ));
                    history.push((*since, sheet.clone()));
                }
            }
        }
    } else if dates.hours.is_empty() {
        *history = old;
    } else {
        // One price for all time, but varying by hour: the other list has at best one of the hourly rates.
        let first = old.first().map_or(Since::LAUNCH, |(since, _)| *since);
        *history = vec![(first, scaled(old.first().map(|(_, sheet)| sheet), steps[0].1))];
    }
    by_the_hour(history, dates, hours_from);
    for (_, sheet) in history {
        if let Some((_, step)) = steps.iter().find(|(_, step)| is_base_alike(sheet, step)) {
            complete(name, sheet, step);
        }
    }
}

/// Dated prices that differ from the one before.
fn changes(dates: &Dates) -> Vec<(Option<Day>, &Sheet)> {
    let mut steps: Vec<(Option<Day>, &Sheet)> = Vec::new();
    for (day, sheet) in &dates.steps {
        if steps.last().is_none_or(|(_, before)| !is_plain_alike(before, sheet)) {
            steps.push((*day, sheet));
        }
    }
    steps
}

/// True when a listed sheet matches a step. Cache rates must match too if they are the only difference between two
/// steps.
fn is_step(sheet: &Sheet, step: &Sheet, steps: &[(Option<Day>, &Sheet)]) -> bool {
    let is_only_one = steps.iter().filter(|(_, other)| is_base_alike(step, other)).count() == 1;
    is_base_alike(sheet, step) && (is_only_one || is_plain_alike(sheet, step))
}

/// Adds the price before the first dated change.
fn before(first: Day, old: &History, launch: &Sheet, history: &mut History) {
    history.extend(old.iter().filter(|(since, _)| since.day < first).cloned());
    if history.is_empty() {
        // A late snapshot of the old price has more data on it than the dated list.
        let listed = old.iter().find(|(_, sheet)| is_base_alike(sheet, launch));
        let sheet =
            listed.map_or_else(|| scaled(old.first().map(|(_, sheet)| sheet), launch), |(_, sheet)| sheet.clone());
        history.push((Since::LAUNCH, sheet));
    }
}

/// A sheet with these rates, and all others scaled in proportion.
fn scaled(before: Option<&Sheet>, rates: &Sheet) -> Sheet {
    let Some(before) = before else { return rates.clone() };
    let mut sheet = before.clone();
    let plain = |sheet: &Sheet, class| sheet.get(0, class, Service::Standard);
    for (key, rate) in &mut sheet.rates {
        let class = match key.class {
            Class::Reasoning | Class::AudioOutput => Class::Output,
            Class::CacheWrite1h => Class::CacheWrite5m,
            Class::AudioInput | Class::AudioCacheRead => Class::Input,
            Class::Input | Class::Output | Class::CacheRead | Class::CacheWrite5m => key.class,
        };
        let pair = |class| plain(before, class).zip(plain(rates, class)).filter(|(old, _)| *old > Usd::ZERO);
        if let Some((old, new)) = pair(class).or_else(|| pair(Class::Input)) {
            *rate = in_proportion(*rate, new, old);
        }
    }
    sheet.rates.extend(rates.rates.iter().map(|(key, rate)| (*key, *rate)));
    sheet.search = rates.search.or(sheet.search);
    sheet
}

/// `rate × new ÷ old`, rounded to the nearest pico-dollar.
fn in_proportion(rate: Usd, new: Usd, old: Usd) -> Usd {
    let product = rate.pico().saturating_mul(new.pico());
    Usd::from_pico((product + old.pico() / 2) / old.pico())
}

/// Adds rates for certain hours to every price since a day, in the proportion that the dated list has today.
fn by_the_hour(history: &mut History, dates: &Dates, from: HoursFrom) {
    let Some((_, today)) = dates.steps.last().filter(|_| !dates.hours.is_empty()) else { return };
    for day in [from.every_day, from.weekdays].into_iter().flatten() {
        let after = history.iter().take_while(|(since, _)| since.day < day).count();
        let splits = history.get(after).is_none_or(|(since, _)| since.day != day);
        if let Some((_, sheet)) =
            after.checked_sub(1).and_then(|before| history.get(before)).cloned().filter(|_| splits)
        {
            history.insert(after, (Since::exact(day), sheet));
        }
    }
    let holds = |since: &Since, from: Option<Day>| from.is_none_or(|from| since.day >= from);
    for (since, sheet) in history.iter_mut().filter(|(since, _)| holds(since, from.every_day)) {
        let is_weekdays = from.weekdays.is_some() && holds(since, from.weekdays);
        sheet.hours = dates
            .hours
            .iter()
            .map(|(hours, rates)| {
                let then = Sheet { search: None, hours: Vec::new(), ..sheet.clone() };
                let rates = if is_base_alike(sheet, today) { rates.clone() } else { relation(sheet, today, rates) };
                let hours = if is_weekdays { hours.clone().on_weekdays() } else { hours.clone() };
                (hours, Sheet { search: sheet.search, ..scaled(Some(&then), &rates) })
            })
            .collect();
    }
}

/// Scales another sheet by the ratio of `rates` to `today`.
fn relation(sheet: &Sheet, today: &Sheet, rates: &Sheet) -> Sheet {
    let of = |(key, rate): (&Key, &Usd)| {
        let (now, then) = (today.rates.get(key)?, sheet.rates.get(key)?);
        (*now > Usd::ZERO).then(|| (*key, in_proportion(*then, *rate, *now)))
    };
    Sheet { rates: rates.rates.iter().filter_map(of).collect(), ..Sheet::default() }
}

/// Adds rates that only the dated list has. Anthropic's longer writes follow from the input rate.
fn complete(name: &str, sheet: &mut Sheet, step: &Sheet) {
    for (key, rate) in step.rates.iter().filter(|(key, _)| key.above == 0) {
        if key.class != Class::CacheWrite1h || !name.contains("claude") {
            sheet.rates.entry(*key).or_insert(*rate);
        }
    }
    sheet.search = sheet.search.or(step.search);
}

/// Moves the newest change of plain rates to its exact day, and drops outdated listings after it.
pub(super) fn move_newest_change(history: &mut History, day: Day) {
    let differs = |at: &usize| !is_plain_alike(&history[*at].1, &history[*at - 1].1);
    let Some(at) = (1..history.len()).rev().find(differs) else { return };
    let before = history[at - 1].1.clone();
    history[at].0 = Since::exact(day);
    let mut place = 0;
    history.retain(|(since, _)| {
        place += 1;
        place > at || since.day < day
    });
    if history.first().is_some_and(|(since, _)| since.day == day) {
        history.insert(0, (Since::LAUNCH, before));
    }
}
