//! The main loop of every interface: changes go into the meter, its summary raises alerts, and a stale meter requests a
//! snapshot.

use std::time::Duration;

use tokio::sync::mpsc;

use super::protocol::{EngineEvent, Request};
use crate::domain::Instant;
use crate::meter::{Alerts, Follow, Meter, Summary};

/// Longest sleep, so that a clock change or suspend is noticed in time.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// An interface's meter, kept up to date by the engine's events.
pub(crate) struct Driver {
    meter: Meter,
    alerts: Alerts,
    /// Requests to be sent to the engine.
    requests: Vec<Request>,
    /// True when a snapshot was requested and has not arrived yet.
    asked: bool,
    /// Time of the last summary.
    counted: Instant,
}

impl Driver {
    /// A driver for this meter as of `now`.
    pub(crate) fn new(meter: Meter, alerts: Alerts, now: Instant) -> Self {
        Self { meter, alerts, requests: Vec::new(), asked: false, counted: now }
    }

    /// Takes everything that affects the numbers from an event. Returns true if they may have changed.
    pub(crate) fn take(&mut self, news: &EngineEvent, now: Instant) -> bool {
        match news {
            EngineEvent::Changes(changes) => {
                for change in changes {
                    self.meter.apply(change, now);
                }
            }
            EngineEvent::Snapshot(snapshot) => {
                self.meter.replace_snapshot((**snapshot).clone());
                self.asked = false;
            }
            EngineEvent::Statuses(statuses) => self.meter.state(statuses.clone()),
            EngineEvent::Settings(new) => {
                let (settings, alerts) = (&new.settings, &new.settings.alerts);
                self.alerts.set_quiet_hours(alerts.quiet.map(|quiet| (quiet, settings.zone)), alerts.hysteresis);
                self.meter.set_rules(new.rules.clone());
            }
            EngineEvent::Health(view) => return self.meter.set_unread_files(view.unread_files),
            EngineEvent::Progress(_)
            | EngineEvent::Note(_)
            | EngineEvent::Answer(_)
            | EngineEvent::Models(_)
            | EngineEvent::Explained(_)
            | EngineEvent::Ended => return false,
        }
        true
    }

    /// The summary at this time. Due alerts become requests; so does a snapshot if the meter is stale.
    pub(crate) fn summary(&mut self, now: Instant) -> Summary {
        self.counted = now;
        let is_stale = self.meter.needs_refresh(now);
        let summary = self.meter.summary(now);
        if is_stale && !self.asked {
            self.asked = true;
            self.requests.push(Request::Snapshot(summary.follow.clone()));
        }
        let due = self.alerts.due(&summary.limits, &summary.quotas, now);
        self.requests.extend(due.into_iter().map(|alert| Request::Alert(Box::new(alert))));
        summary
    }

    /// Changes which session or sessions the summary covers.
    pub(crate) fn follow(&mut self, follow: Follow) {
        self.meter.follow(follow);
    }

    /// Holds back the alerts of one limit until a time.
    pub(crate) fn snooze(&mut self, limit: &str, until: Instant) {
        self.alerts.snooze_limit(limit, until);
    }

    /// Stops holding them back.
    pub(crate) fn unsnooze(&mut self, limit: &str) {
        self.alerts.unsnooze_limit(limit);
    }

    /// When the last summary changes without an event, because of a new period or the end of quiet hours.
    pub(crate) fn changes_at(&self) -> Option<Instant> {
        [self.meter.changes_at(self.counted), self.alerts.changes_at(self.counted)].into_iter().flatten().min()
    }

    /// Time to wait for an event before the summary is due again, or before `other`, whichever is earlier.
    pub(crate) fn sleep(&self, now: Instant, other: Option<Instant>) -> Duration {
        let next = self.changes_at().into_iter().chain(other).min();
        next.map_or(LONGEST_SLEEP, |next| (next - now).to_std().unwrap_or(Duration::ZERO).min(LONGEST_SLEEP))
    }

    /// Takes the pending requests.
    pub(crate) fn requests(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.requests)
    }

    /// Takes back a request that the engine had no room for, to send it later. Returns false for a request that the
    /// driver did not make, which is up to its sender.
    pub(crate) fn put_back(&mut self, request: Request) -> bool {
        let is_own = matches!(request, Request::Snapshot(_) | Request::Alert(_));
        if is_own {
            self.requests.push(request);
        }
        is_own
    }

    /// Sends the pending requests. Those for which there is no room wait for the next call.
    pub(crate) fn send(&mut self, engine: &mpsc::Sender<Request>) {
        for request in self.requests() {
            if let Err(error) = engine.try_send(request) {
                self.put_back(error.into_inner());
            }
        }
    }

    /// The meter, for the closing summary.
    pub(crate) fn into_meter(self) -> Meter {
        self.meter
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Label, Quota, Status, Zone};
    use crate::engine::HealthView;
    use crate::ledger::{Memory, Sums};
    use crate::meter::{Rules, Snapshot};
    use crate::pricing::{CostMode, PriceBook};

    #[test]
    fn a_statement_of_a_providers_window_is_in_the_summary_and_rings() {
        let now = Instant::UNIX_EPOCH;
        let mut driver = Driver::new(Meter::new(Rules::new(Zone::UTC), now), Alerts::default(), now);
        let name = Label::new("codex");
        let quota = Quota { source: name.clone(), name, minutes: 300, used: 8_500, resets_at: None, seen: now };
        assert!(driver.take(&EngineEvent::Statuses(vec![Status::Quota(quota.clone())]), now));
        assert_eq!(driver.summary(now).quotas, [quota]);
        let requests = driver.requests();
        assert!(matches!(requests.as_slice(), [Request::Alert(alert)] if alert.threshold == 80), "{requests:?}");
    }

    #[test]
    fn what_could_not_be_read_makes_every_sum_a_lower_bound_until_it_is_read() {
        let now = Instant::UNIX_EPOCH;
        let mut driver = Driver::new(Meter::new(Rules::new(Zone::UTC), now), Alerts::default(), now);
        let health = |unread_files| EngineEvent::Health(Box::new(HealthView { unread_files, ..HealthView::default() }));
        assert!(!driver.take(&health(0), now));
        assert!(!driver.summary(now).today.is_lower_bound());
        assert!(driver.take(&health(1), now));
        let summary = driver.summary(now);
        let sums = [summary.today, summary.week, summary.month, summary.all, summary.followed];
        assert!(sums.iter().all(Sums::is_lower_bound));
        assert!(driver.take(&health(0), now) && !driver.summary(now).today.is_lower_bound());
    }

    #[test]
    fn a_request_that_finds_no_room_is_sent_later_and_asked_once() {
        let (now, rules) = (Instant::UNIX_EPOCH, Rules::new(Zone::UTC));
        let mut driver = Driver::new(Meter::new(rules.clone(), now), Alerts::default(), now);
        let tomorrow = now + chrono::Duration::days(1);
        let (full, mut requested) = mpsc::channel(1);
        full.try_send(Request::Models).unwrap();
        driver.summary(tomorrow);
        driver.send(&full);
        driver.summary(tomorrow);
        assert_eq!(requested.try_recv(), Ok(Request::Models));
        driver.send(&full);
        assert!(matches!(requested.try_recv(), Ok(Request::Snapshot(_))));
        driver.summary(tomorrow);
        driver.send(&full);
        assert!(requested.try_recv().is_err(), "asked twice");
        let books = Memory::new(std::sync::Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto)));
        let snapshot = Snapshot::ask(&books, &rules, &Follow::Latest, tomorrow).unwrap();
        assert!(driver.take(&EngineEvent::Snapshot(Box::new(snapshot)), tomorrow));
        driver.summary(tomorrow);
        assert!(driver.requests().is_empty());
        driver.summary(tomorrow + chrono::Duration::days(1));
        assert_eq!(driver.requests().len(), 1);
    }
}
