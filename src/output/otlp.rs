//! Metrics as an export of OTLP: protobuf, with the numbers of opentelemetry-proto 1.9 (read 2026-11-27).
//!
//! Counts are integers; dollars, seconds and ratios are doubles, because the protocol has nothing else for them. They
//! become one here, from their exact decimals, and nothing is computed with them.

use prost::Message;

use super::metrics::{Family, Kind, LabelPair, Metrics, Number, Sample, Value};
use crate::domain::{Instant, Usd};

/// Times of an export.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// When the sums began.
    pub(crate) sums_began: Instant,
    /// When the histograms began.
    pub(crate) histograms_began: Instant,
    /// Now.
    pub(crate) now: Instant,
}

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: i32 = 2;

#[derive(Clone, PartialEq, Message)]
struct Export {
    #[prost(message, repeated, tag = "1")]
    resources: Vec<ResourceMetrics>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceMetrics {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<ScopeMetrics>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeMetrics {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    metrics: Vec<Metric>,
}

#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    description: String,
    #[prost(string, tag = "3")]
    unit: String,
    #[prost(oneof = "Data", tags = "5, 7, 9")]
    data: Option<Data>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Data {
    #[prost(message, tag = "5")]
    Gauge(Gauge),
    #[prost(message, tag = "7")]
    Sum(Sum),
    #[prost(message, tag = "9")]
    Histogram(Histogram),
}

#[derive(Clone, PartialEq, Message)]
struct Gauge {
    #[prost(message, repeated, tag = "1")]
    points: Vec<Point>,
}

#[derive(Clone, PartialEq, Message)]
struct Sum {
    #[prost(message, repeated, tag = "1")]
    points: Vec<Point>,
    #[prost(int32, tag = "2")]
    temporality: i32,
    #[prost(bool, tag = "3")]
    is_monotonic: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(message, repeated, tag = "1")]
    points: Vec<HistogramPoint>,
    #[prost(int32, tag = "2")]
    temporality: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Point {
    #[prost(fixed64, tag = "2")]
    start: u64,
    #[prost(fixed64, tag = "3")]
    time: u64,
    #[prost(message, repeated, tag = "7")]
    attributes: Vec<KeyValue>,
    #[prost(oneof = "Measured", tags = "4, 6")]
    value: Option<Measured>,
}

#[derive(Clone, Copy, PartialEq, prost::Oneof)]
enum Measured {
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(sfixed64, tag = "6")]
    Int(i64),
}

#[derive(Clone, PartialEq, Message)]
struct HistogramPoint {
    #[prost(fixed64, tag = "2")]
    start: u64,
    #[prost(fixed64, tag = "3")]
    time: u64,
    #[prost(fixed64, tag = "4")]
    count: u64,
    #[prost(double, optional, tag = "5")]
    sum: Option<f64>,
    #[prost(fixed64, repeated, tag = "6")]
    counts: Vec<u64>,
    #[prost(double, repeated, tag = "7")]
    bounds: Vec<f64>,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(string, optional, tag = "1")]
    text: Option<String>,
}

/// Writes an `ExportMetricsServiceRequest`.
pub(crate) fn otlp(metrics: &Metrics, times: Times) -> Vec<u8> {
    let resource = [("service.name", "tokmeter"), ("service.version", env!("CARGO_PKG_VERSION"))];
    let resource = Resource { attributes: resource.map(|(key, value)| pair(key, value)).into() };
    let scope = Scope { name: "tokmeter".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let metrics = metrics.0.iter().filter(|family| !family.samples.is_empty()).map(|family| metric(family, times));
    let scopes = vec![ScopeMetrics { scope: Some(scope), metrics: metrics.collect() }];
    Export { resources: vec![ResourceMetrics { resource: Some(resource), scopes }] }.encode_to_vec()
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
    Metric { unit: unit(family).to_owned(), description: family.help.to_owned(), data: Some(data), name }
}

/// The unit in the words of UCUM.
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

/// A label without a value is no attribute.
fn attributes(labels: &[LabelPair]) -> Vec<KeyValue> {
    labels.iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| pair(key, value)).collect()
}

fn pair(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { text: Some(value.to_owned()) }) }
}

/// The double that is nearest to a decimal.
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
        let found = &export.resources[0].scopes[0].metrics;
        let named: Vec<_> = found.iter().map(|metric| (metric.name.as_str(), metric.unit.as_str())).collect();
        assert_eq!(
            named,
            [
                ("tokmeter.tokens", "{token}"),
                ("tokmeter.cost_usd", "USD"),
                ("tokmeter.limit_used_ratio", "1"),
                ("tokmeter.call_cost_usd", "USD")
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
