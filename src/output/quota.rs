//! A provider's quota window as JSON.

use serde::Serialize;

use super::Decimal;
use crate::domain::{Instant, Quota, Zone, rfc3339_seconds};

/// JSON form of a provider's quota window in `limits`, `gate` and alerts.
#[derive(Serialize)]
pub(crate) struct QuotaJson {
    source: String,
    name: String,
    window_minutes: u32,
    used_percent: Decimal,
    resets_at: Option<String>,
    stated_at: String,
    /// True once it has reset, so that its usage is unknown.
    stale: bool,
}

impl QuotaJson {
    /// The window as last reported, with times in this zone.
    pub(crate) fn new(quota: &Quota, now: Instant, zone: Zone) -> Self {
        let time = |at: Instant| rfc3339_seconds(at, zone);
        Self {
            source: quota.source.to_string(),
            name: quota.name.to_string(),
            window_minutes: quota.minutes,
            used_percent: Decimal(quota.exact_percent()),
            resets_at: quota.resets_at.map(time),
            stated_at: time(quota.seen),
            stale: quota.is_over(now),
        }
    }

    /// All of them.
    pub(crate) fn all(quotas: &[Quota], now: Instant, zone: Zone) -> Vec<Self> {
        quotas.iter().map(|quota| Self::new(quota, now, zone)).collect()
    }
}
