//! Metrics as data: families of samples with exact numbers, for Prometheus' formats and for OTLP alike.

use std::fmt;

use crate::domain::Usd;

/// Type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Monotonic, except for pruning and repricing.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size.
    Histogram,
}

/// An exact number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    /// A count.
    Count(u64),
    /// A whole number.
    Whole(i64),
    /// A decimal with up to twelve places: dollars, seconds, a ratio.
    Decimal(Usd),
}

impl fmt::Display for Number {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(out),
            Self::Whole(number) => number.fmt(out),
            Self::Decimal(decimal) => decimal.fmt(out),
        }
    }
}

impl From<u64> for Number {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<i64> for Number {
    fn from(number: i64) -> Self {
        Self::Whole(number)
    }
}

impl From<Usd> for Number {
    fn from(usd: Usd) -> Self {
        Self::Decimal(usd)
    }
}

/// A sample's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Of a counter or a gauge.
    Number(Number),
    /// Of a histogram.
    Histogram(Buckets),
}

/// A histogram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Buckets {
    /// Upper bounds, ascending.
    pub(crate) bounds: Vec<Usd>,
    /// Observations up to each bound and above the one before it; the last is of those beyond all bounds.
    pub(crate) counts: Vec<u64>,
    /// Sum of all observations.
    pub(crate) sum: Usd,
}

/// Name and value of a label.
pub(crate) type LabelPair = (&'static str, String);

/// A sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Labels in the order of all samples of the family.
    pub(crate) labels: Vec<LabelPair>,
    /// The value.
    pub(crate) value: Value,
}

/// A metric with its samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Family {
    /// Name; that of a counter ends in `_total`.
    pub(crate) name: &'static str,
    /// Type.
    pub(crate) kind: Kind,
    /// One sentence.
    pub(crate) help: &'static str,
    /// Samples with distinct labels.
    pub(crate) samples: Vec<Sample>,
}

impl Family {
    /// The name without the ending that marks a counter.
    pub(crate) fn stem(&self) -> &'static str {
        self.name.strip_suffix("_total").unwrap_or(self.name)
    }

    /// The unit that the name ends in.
    pub(crate) fn unit(&self) -> Option<&'static str> {
        let last = self.stem().rsplit('_').next().unwrap_or_default();
        ["seconds", "ratio", "usd"].into_iter().find(|unit| *unit == last)
    }

    /// Adds a number.
    pub(crate) fn sample(&mut self, labels: &[LabelPair], number: impl Into<Number>) {
        self.samples.push(Sample { labels: labels.to_vec(), value: Value::Number(number.into()) });
    }

    /// Adds a histogram.
    pub(crate) fn histogram(&mut self, labels: &[LabelPair], buckets: Buckets) {
        self.samples.push(Sample { labels: labels.to_vec(), value: Value::Histogram(buckets) });
    }
}

/// Metrics, in the order in which they are added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metrics(pub(crate) Vec<Family>);

impl Metrics {
    /// Starts a family, to which samples are added.
    pub(crate) fn begin(&mut self, name: &'static str, kind: Kind, help: &'static str) -> &mut Family {
        let at = self.0.len();
        self.0.push(Family { name, kind, help, samples: Vec::new() });
        &mut self.0[at]
    }
}
