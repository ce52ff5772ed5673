//! The latest events, which are sent to every listener: the summary, and the alerts of this run.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{Notify, watch};

/// Number of alerts kept for listeners that are behind or reconnect.
const ALERTS: usize = 32;

/// The latest events, shared by all listeners.
pub(super) struct Events {
    /// The latest events.
    pub(super) latest: watch::Sender<Latest>,
    /// Notified when a new listener arrives.
    pub(super) joined: Notify,
}

impl Events {
    /// The events of a run that started at this time, in milliseconds since 1970.
    pub(super) fn new(run: i64) -> Self {
        Self { latest: watch::channel(Latest { run, ..Latest::default() }).0, joined: Notify::new() }
    }
}

/// The latest summary and alerts, numbered from 1.
#[derive(Clone, Debug, Default)]
pub(super) struct Latest {
    run: i64,
    summaries: u64,
    /// The summary as one line of JSON.
    summary: Arc<str>,
    alerts: u64,
    /// The latest alerts, oldest first, each as one line of JSON.
    last_alerts: VecDeque<Arc<str>>,
}

impl Latest {
    /// Replaces the summary.
    pub(super) fn summary(&mut self, summary: &str) {
        self.summaries += 1;
        self.summary = summary.into();
    }

    /// Adds an alert.
    pub(super) fn alert(&mut self, alert: Arc<str>) {
        self.alerts += 1;
        if self.last_alerts.len() == ALERTS {
            self.last_alerts.pop_front();
        }
        self.last_alerts.push_back(alert);
    }
}

/// An event for one listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// `alert` or `summary`.
    pub(super) name: &'static str,
    /// Position of a listener after it has received this event.
    pub(super) id: String,
    /// One line of JSON.
    pub(super) data: Arc<str>,
}

/// The last summary and the last alert that a listener has received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    summary: u64,
    alerts: u64,
}

impl Seen {
    /// The position of a listener whose last event has this id. One that reconnects from another run has seen none of
    /// this run's alerts, and gets those that are kept. A new listener gets the summary, and alerts from now on.
    pub(super) fn resume(last_id: &str, latest: &Latest) -> Self {
        let numbers: Vec<i64> = last_id.split('-').map_while(|part| part.parse().ok()).collect();
        match numbers.as_slice() {
            [run, summary, alerts] if *run == latest.run => Self {
                summary: u64::try_from(*summary).unwrap_or(0).min(latest.summaries),
                alerts: u64::try_from(*alerts).unwrap_or(0).min(latest.alerts),
            },
            [_, _, _] => Self { summary: 0, alerts: 0 },
            _ => Self { summary: 0, alerts: latest.alerts },
        }
    }

    /// The next event: first the alerts that are still kept, one by one, then the latest summary.
    pub(super) fn next(&mut self, latest: &Latest) -> Option<Event> {
        let missed = latest.alerts.saturating_sub(self.alerts);
        let kept = latest.last_alerts.len();
        let behind = usize::try_from(missed).unwrap_or(usize::MAX).min(kept);
        let (name, data) = if let Some(alert) = latest.last_alerts.get(kept - behind).filter(|_| behind > 0) {
            self.alerts = latest.alerts - (behind as u64 - 1);
            ("alert", alert)
        } else if latest.summaries > self.summary {
            self.summary = latest.summaries;
            ("summary", &latest.summary)
        } else {
            return None;
        };
        let id = format!("{}-{}-{}", latest.run, self.summary, self.alerts);
        Some(Event { name, id, data: Arc::clone(data) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(seen: &mut Seen, latest: &Latest) -> Vec<String> {
        std::iter::from_fn(|| seen.next(latest)).map(|event| event.data.to_string()).collect()
    }

    #[test]
    fn a_listener_gets_every_alert_and_the_latest_summary() {
        let mut latest = Latest { run: 7, ..Latest::default() };
        latest.alert("before".into());
        let mut seen = Seen::resume("", &latest);
        assert_eq!(all(&mut seen, &latest), Vec::<String>::new());
        latest.summary("one");
        latest.alert("first".into());
        latest.summary("two");
        latest.alert("second".into());
        assert_eq!(all(&mut seen, &latest), ["first", "second", "two"]);
        assert_eq!(all(&mut seen, &latest), Vec::<String>::new());
    }

    #[test]
    fn a_listener_that_comes_back_goes_on_where_it_was() {
        let mut latest = Latest { run: 7, ..Latest::default() };
        latest.summary("one");
        latest.alert("first".into());
        let mut seen = Seen { summary: 0, alerts: 0 };
        let first = seen.next(&latest).unwrap();
        assert_eq!((first.name, first.id.as_str()), ("alert", "7-0-1"));
        latest.alert("second".into());
        assert_eq!(all(&mut Seen::resume(&first.id, &latest), &latest), ["second", "one"]);
        // An id from another run says nothing about this one's events, and an invalid id means a new listener.
        for id in ["6-1-1", "6-1-900", "8-0-0"] {
            assert_eq!(all(&mut Seen::resume(id, &latest), &latest), ["first", "second", "one"], "{id}");
        }
        for id in ["nonsense", "7-1", "7-1-1-1", "-", "99999999999999999999-1-1"] {
            assert_eq!(all(&mut Seen::resume(id, &latest), &latest), ["one"], "{id}");
        }
        assert_eq!(all(&mut Seen::resume("7-900-900", &latest), &latest), Vec::<String>::new());
        assert_eq!(all(&mut Seen::resume("7--1--1", &latest), &latest), ["one"]);
    }

    #[test]
    fn what_is_kept_for_a_slow_listener_is_bounded() {
        let mut latest = Latest::default();
        let mut seen = Seen::resume("", &latest);
        for number in 0..100 {
            latest.alert(number.to_string().into());
            latest.summary("latest");
        }
        let events = all(&mut seen, &latest);
        assert_eq!((events.len(), events[0].as_str(), events[31].as_str()), (33, "68", "99"));
    }
}
