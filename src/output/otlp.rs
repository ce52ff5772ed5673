//! Metrics as an OTLP export in protobuf.
//!
//! Counts are integers. Dollars, seconds and ratios are doubles, because the protocol has nothing else for them. They
//! are converted here from exact decimals, and no computation uses the doubles.

use prost::Message as _;

use super::metrics::{Family, Kind, LabelPair, Metrics, Number, Sample, Value};
use crate::domain::{Instant, Usd};
use crate::otlp::{
    AnyValue, Data, Export, Gauge, Group, Histogram, HistogramPoint, KeyValue, Measured, Metric, Point, Resource,
    Scalar, Scope, ScopeMetrics, Sum,
};

/// Times of an export.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// Start time of the sums.
    pub(crate) sums_began: Instant,
    /// Start time of the histograms.
    pub(crate) histograms_began: Instant,
    /// Current time.
    pub(crate) now: Instant,
}

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: i32 = 2;

/// Encodes an `ExportMetricsServiceRequest`.
pub(crate) fn otlp(metrics: &Metrics, times: Times) -> Vec<u8> {
    let resource = [("service.name", "tokmeter"), ("service.version", env!("CARGO_PKG_VERSION"))];
    let resource = Resource { attributes: resource.map(|(key, value)| pair(key, value)).into() };
    let scope = Scope { name: "tokmeter".into(), version: env!("CARGO_PKG_VERSION").into() };
    let metrics = metrics.0.iter().filter(|family| !family.samples.is_empty()).map(|family| metric(family, times));
    let scope = ScopeMetrics { scope: Some(scope), metrics: metrics.collect() };
    Export { groups: vec![Group { resource: Some(resource), scopes: vec![scope.encode_to_vec().into()] }] }
        .encode_to_vec()
}

fn metric(family: &Family, times: Times) -> Metric {
    let points = || family.samples.iter().filter_map(|sample| point(sample, family.kind, times)).collect();
    let data = match family.kind {
        Kind::Counter => Data::Sum(Sum { points: points(), temporality: CUMULATIVE, is_monotonic: true }),
        Kind::Gauge => Data::Gauge(Gauge { points: points() }),
        Kind::Histogram => {
            let points = family.samples.iter().filter_map(|sample| histogram_point(sample, times)).collect();
            Data::Histogram(Histogram { points, temporality: CUMULATIVE })
        }
    };
    let name = family.stem();
    let name = name.strip_prefix("tokmeter_").map_or_else(|| name.to_owned(), |rest| format!("tokmeter.{rest}"));
    Metric { unit: unit(family).into(), description: family.help.into(), data: Some(data), name: name.into() }
}

/// The unit in UCUM notation.
fn unit(family: &Family) -> &'static str {
    match family.unit() {
        Some("seconds") => "s",
        Some("ratio") => "1",
        Some("usd") => "USD",
        _ if family.stem().ends_with("_tokens") => "{token}",
        _ if family.stem().ends_with("_calls") => "{call}",
        _ => "",
    }
}

fn point(sample: &Sample, kind: Kind, times: Times) -> Option<Point> {
    let Value::Number(number) = &sample.value else { return None };
    let value = match *number {
        Number::Count(count) => Measured::Int(i64::try_from(count).unwrap_or(i64::MAX)),
        Number::Whole(number) => Measured::Int(number),
        Number::Decimal(decimal) => Measured::Double(double(decimal)),
    };
    let start = if kind == Kind::Counter { nanos(times.sums_began) } else { 0 };
    Some(Point { start, time: nanos(times.now), attributes: attributes(&sample.labels), value: Some(value) })
}

fn histogram_point(sample: &Sample, times: Times) -> Option<HistogramPoint> {
    let Value::Histogram(buckets) = &sample.value else { return None };
    Some(HistogramPoint {
        start: nanos(times.histograms_began),
        time: nanos(times.now),
        count: buckets.counts.iter().sum(),
        sum: Some(double(buckets.sum)),
        counts: buckets.counts.clone(),
        bounds: buckets.bounds.iter().copied().map(double).collect(),
        attributes: attributes(&sample.labels),
    })
}

/// A label without a value does not become an attribute.
fn attributes(labels: &[LabelPair]) -> Vec<KeyValue> {
    labels.iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| pair(key, value)).collect()
}

fn pair(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(Scalar::Text(value.to_owned().into())) };
    KeyValue { key: key.to_owned().into(), value: Some(value) }
}

/// The double closest to a decimal.
fn double(decimal: Usd) -> f64 {
    decimal.to_string().parse().unwrap_or_default()
}

fn nanos(at: Instant) -> u64 {
    at.timestamp_nanos_opt().and_then(|nanos| u64::try_from(nanos).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::metrics::Buckets;

    #[test]
    fn counters_are_cumulative_sums_and_limits_are_gauges() {
        let at = |seconds| Instant::from_timestamp(seconds, 0).unwrap();
        let times = Times { sums_began: at(10), histograms_began: at(20), now: at(30) };
        let mut metrics = Metrics::default();
        let labels = [("model", "m".to_owned()), ("source", String::new())];
        metrics.begin("tokmeter_tokens_total", Kind::Counter, "Tokens.").sample(&labels, 7_u64);
        metrics
            .begin("tokmeter_cost_usd_total", Kind::Counter, "Cost.")
            .sample(&labels, Usd::from_pico(100_000_000_001));
        metrics.begin("tokmeter_limit_used_ratio", Kind::Gauge, "Used.").sample(&[], Usd::from_micro(500_000));
        let buckets = Buckets { bounds: vec![Usd::ONE], counts: vec![2, 1], sum: Usd::from_micro(3_500_000) };
        metrics.begin("tokmeter_call_cost_usd", Kind::Histogram, "Cost.").histogram(&[], buckets);
        metrics.begin("tokmeter_limit", Kind::Gauge, "None.");
        let export = Export::decode(otlp(&metrics, times).as_slice()).unwrap();
        let found = ScopeMetrics::decode(export.groups[0].scopes[0].clone()).unwrap().metrics;
        let named: Vec<_> = found.iter().map(|metric| (&metric.name[..], &metric.unit[..])).collect();
        assert_eq!(
            named,
            [
                (b"tokmeter.tokens".as_slice(), b"{token}".as_slice()),
                (b"tokmeter.cost_usd", b"USD"),
                (b"tokmeter.limit_used_ratio", b"1"),
                (b"tokmeter.call_cost_usd", b"USD")
            ]
        );
        let point = |start, value, attributes| Point { start, time: 30_000_000_000, attributes, value: Some(value) };
        let of_model = vec![pair("model", "m")];
        let sum = |value| {
            let points = vec![point(10_000_000_000, value, of_model.clone())];
            Some(Data::Sum(Sum { points, temporality: CUMULATIVE, is_monotonic: true }))
        };
        assert_eq!(found[0].data, sum(Measured::Int(7)));
        assert_eq!(found[1].data, sum(Measured::Double(0.100_000_000_001)));
        let gauge = Gauge { points: vec![point(0, Measured::Double(0.5), Vec::new())] };
        assert_eq!(found[2].data, Some(Data::Gauge(gauge)));
        let Some(Data::Histogram(histogram)) = &found[3].data else { panic!("{:?}", found[3]) };
        let point = &histogram.points[0];
        assert_eq!((point.count, point.counts.as_slice(), point.sum), (3, &[2, 1][..], Some(3.5)));
    }
}
