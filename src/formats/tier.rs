//! Names of service tiers and speed modes in APIs and agents.

use crate::domain::{Geo, Service, Speed, Tier};

/// The tier of an answer, based on the names in a log.
///
/// An unknown name gives [`Service::Unknown`], so the call is priced as standard and marked as a guess.
pub(super) fn tier(speed: Option<&str>, service: Option<&str>, geo: Option<&str>) -> Tier {
    let (speed, is_speed_known) = match speed.unwrap_or_default() {
        "fast" => (Speed::Fast, true),
        "" | "standard" => (Speed::Standard, true),
        name => (Speed::Standard, is_usual(name)),
    };
    let service = match service.unwrap_or_default() {
        "" | "standard" if is_speed_known => Service::Standard,
        // OpenAI also sells its priority tier as "fast", at the same rates (its price page of 2026-10-12).
        name if is_any(name, &["priority", "fast"]) => Service::Priority,
        name if is_any(name, &["flex"]) => Service::Flex,
        name if is_any(name, &["batch"]) => Service::Batch,
        name if is_any(name, &["ultrafast"]) => Service::Ultrafast,
        name if is_any(name, &["balanced"]) => Service::Balanced,
        name if is_usual(name) && is_speed_known => Service::Standard,
        _ => Service::Unknown,
    };
    Tier {
        speed,
        service,
        geo: match geo {
            Some("us") => Geo::Us,
            Some("eu") => Geo::Eu,
            _ => Geo::Global,
        },
    }
}

fn is_any(name: &str, known: &[&str]) -> bool {
    known.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// True for names of the standard tier: OpenAI writes `default` or the requested name (`auto`), Anthropic `standard`,
/// Groq `on_demand`.
fn is_usual(name: &str) -> bool {
    is_any(name.trim(), &["", "default", "standard", "auto", "standard_only", "on_demand", "normal"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str) -> Service {
        tier(None, Some(name), None).service
    }

    #[test]
    fn every_known_name_of_a_tier_is_that_tier() {
        for name in ["", "default", "standard", "auto", "Default", "on_demand"] {
            assert_eq!(service(name), Service::Standard, "{name}");
        }
        assert_eq!([service("priority"), service("fast"), service("PRIORITY")], [Service::Priority; 3]);
        assert_eq!([service("flex"), service("batch")], [Service::Flex, Service::Batch]);
        assert_eq!([service("ultrafast"), service("balanced")], [Service::Ultrafast, Service::Balanced]);
        assert_eq!(tier(None, None, None), Tier::default());
        let fast = tier(Some("fast"), Some("standard"), Some("us"));
        assert_eq!(fast, Tier { speed: Speed::Fast, service: Service::Standard, geo: Geo::Us });
    }

    #[test]
    fn a_name_that_is_not_known_is_no_standard_tier() {
        for name in ["scale", "turbo", "ultra-fast", "performance", "prioritised", "standard plus"] {
            assert_eq!(service(name), Service::Unknown, "{name}");
        }
        assert_eq!(tier(Some("warp"), Some("standard"), None).service, Service::Unknown);
        assert_eq!(tier(Some("warp"), Some("batch"), None).service, Service::Batch);
    }
}
