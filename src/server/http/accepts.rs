//! Chooses the metrics format that a client prefers, from its `Accept` header.

use axum::http::{HeaderMap, header};

use super::answers::Exposition;

/// Media type of Prometheus's text format.
pub(super) const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Media type of OpenMetrics.
pub(super) const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `OpenMetrics` if the client prefers it at least as much as the text format, which is the default.
pub(super) fn preferred(headers: &HeaderMap) -> Exposition {
    let (mut text, mut openmetrics, mut any) = (None, None, None);
    let values = headers.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    for range in values.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let (mut weight, mut version) = (1_000, None);
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => weight = thousandths(value.trim()),
                "version" => version = Some(value.trim().trim_matches('"')),
                _ => {}
            }
        }
        let slot = match media.as_str() {
            "application/openmetrics-text" if version.is_none_or(|version| version == "1.0.0") => &mut openmetrics,
            "text/plain" if version.is_none_or(|version| version == "0.0.4") => &mut text,
            "text/*" | "*/*" => &mut any,
            _ => continue,
        };
        *slot = (*slot).max(Some(weight));
    }
    let text = text.or(any).unwrap_or(0);
    if openmetrics.is_some_and(|weight| weight > 0 && weight >= text) {
        Exposition::OpenMetrics
    } else {
        Exposition::Text
    }
}

/// A weight from 0 to 1 with up to three decimals, in thousandths; 1 if it is invalid.
fn thousandths(text: &str) -> u32 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    match whole {
        "0" if part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{part:0<3}").parse().unwrap_or(0)
        }
        _ => 1_000,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn asked(accept: &str) -> Exposition {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
        preferred(&headers)
    }

    #[test]
    fn the_client_chooses_the_format() {
        // Headers sent by Prometheus 2.42 and 3.
        let v2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                  text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let v3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                  application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                  text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for accept in [v2, v3, "application/openmetrics-text", "Application/OpenMetrics-Text; q=0.5, */*; q=0.5"] {
            assert_eq!(asked(accept), Exposition::OpenMetrics, "{accept}");
        }
        let protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
        for accept in [
            "*/*",
            "",
            "text/html",
            "text/plain",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;version=2.0.0",
            "text/plain;q=0.9,application/openmetrics-text;q=0.8",
            protobuf,
        ] {
            assert_eq!(asked(accept), Exposition::Text, "{accept}");
        }
        assert_eq!(preferred(&HeaderMap::new()), Exposition::Text);
    }
}
