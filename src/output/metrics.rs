//! Metrics as data: families of samples with exact numbers, for both Prometheus formats and OTLP.

use std::fmt;

use crate::domain::Usd;

/// Type of a metric family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Increases only, except for pruning and repricing.
    Counter,
    /// Can go up and down.
    Gauge,
    /// Counts of observations by size.
    Histogram,
}

/// An exact number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    Count(u64),
    /// An integer.
    Whole(i64),
    /// A decimal with up to twelve decimal places: dollars, seconds, a ratio.
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
    /// Value of a counter or a gauge.
    Number(Number),
    /// Value of a histogram.
    Histogram(Buckets),
}

/// A histogram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Buckets {
    /// Upper bounds, ascending.
    pub(crate) bounds: Vec<Usd>,
    /// Number of observations in each bucket: at most its bound and above the previous one. The last count is for those
    /// above all bounds.
    pub(crate) counts: Vec<u64>,
    /// Sum of all observations.
    pub(crate) sum: Usd,
}

/// Name and value of a label.
pub(crate) type LabelPair = (&'static str, String);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Labels, in the same order for all samples of the family.
    pub(crate) labels: Vec<LabelPair>,
    pub(crate) value: Value,
}

/// A metric with its samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Family {
    /// Name. A counter's name ends in `_total`.
    pub(crate) name: &'static str,
    /// Type.
    pub(crate) kind: Kind,
    /// Help text, one sentence.
    pub(crate) help: &'static str,
    /// Samples, each with different labels.
    pub(crate) samples: Vec<Sample>,
}

impl Family {
    /// The name without the suffix that marks a counter.
    pub(crate) fn stem(&self) -> &'static str {
        self.name.strip_suffix("_total").unwrap_or(self.name)
    }

    /// The unit at the end of the name.
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

/// Metrics, in the order in which they were added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metrics(pub(crate) Vec<Family>);

impl Metrics {
    /// Starts a family, to which samples can be added.
    pub(crate) fn begin(&mut self, name: &'static str, kind: Kind, help: &'static str) -> &mut Family {
        let at = self.0.len();
        self.0.push(Family { name, kind, help, samples: Vec::new() });
        &mut self.0[at]
    }
}
