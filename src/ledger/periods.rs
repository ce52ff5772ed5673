//! Maps times to report periods: hours, days, weeks and months in a time zone.

use rustc_hash::FxHashMap;

use super::interner::{count, index};
use super::{Grain, PeriodKey};
use crate::domain::{Instant, Span, Zone, day_of, month_of, quarter_start, week_of};

/// Number of quarter hours cached together: one UTC day, because sums arrive day by day.
const TOGETHER: i64 = 96;

/// Maps quarter hours to periods.
pub(super) struct Periods {
    grain: Grain,
    zone: Zone,
    /// The current stretch of quarter hours, and the period of each one looked up so far.
    stretch: i64,
    of_quarter: [Option<u32>; 96],
    numbers: FxHashMap<PeriodKey, usize>,
    pub(super) keys: Vec<PeriodKey>,
}

impl Periods {
    pub(super) fn new(grain: Grain, zone: Zone) -> Self {
        let of_quarter = [None; 96];
        Self { grain, zone, stretch: 0, of_quarter, numbers: FxHashMap::default(), keys: Vec::new() }
    }

    /// Index of the period of a quarter hour.
    pub(super) fn number(&mut self, quarter: i64) -> usize {
        let (stretch, within) = (quarter.div_euclid(TOGETHER), quarter.rem_euclid(TOGETHER));
        if stretch != self.stretch {
            self.stretch = stretch;
            self.of_quarter = [None; 96];
        }
        let within = usize::try_from(within).unwrap_or(0);
        if let Some(number) = self.of_quarter[within] {
            return index(number);
        }
        let at = Instant::from_timestamp(quarter.saturating_mul(900), 0).unwrap_or_default();
        let number = self.number_of(period(at, self.grain, self.zone));
        self.of_quarter[within] = Some(count(number));
        number
    }

    fn number_of(&mut self, key: PeriodKey) -> usize {
        // Usually the period is the same as last time.
        if self.keys.last() == Some(&key) {
            return self.keys.len() - 1;
        }
        let next = self.keys.len();
        let number = *self.numbers.entry(key.clone()).or_insert(next);
        if number == next {
            self.keys.push(key);
        }
        number
    }
}

fn period(at: Instant, grain: Grain, zone: Zone) -> PeriodKey {
    let day = || day_of(at, zone);
    match grain {
        Grain::Quarter => PeriodKey::Quarter(quarter_start(at)),
        Grain::Hour => PeriodKey::Hour(Span::hour(at, zone).from),
        Grain::Day => PeriodKey::Day(day()),
        Grain::Week => PeriodKey::Week(week_of(day())),
        Grain::Month => PeriodKey::Month(month_of(day())),
        Grain::Total | Grain::Session | Grain::Call => PeriodKey::Total,
    }
}
