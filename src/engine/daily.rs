//! The digest of the previous day, sent once a day by whichever process is first.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use tokio::sync::mpsc;

use super::alert_delivery::{Accepted, Channel, FINISH, Message, RETRIES, try_again};
use super::inbox::LedgerMessage;
use crate::config::{Env, Settings};
use crate::domain::{Day, Instant, day_of};
use crate::ledger::{AlertClaim, Ledger, alert_was_delivered, claim_alert};

/// How often to check whether the digest is due. A longer sleep might miss a change of the clock.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Delay before a digest that could not be sent is retried.
const TRY_AGAIN: chrono::Duration = chrono::Duration::minutes(5);

/// Writes the digest of a day. Returns its title and text.
pub(crate) type Compose = fn(&dyn Ledger, &Settings, Day, u64, Instant) -> Result<(String, String), String>;

/// Sends the digest when it is due.
pub(crate) struct Daily {
    /// True once a thread wakes the ledger thread.
    wakes: bool,
    /// The day for which nothing is left to do.
    done: Option<Day>,
    /// Number of messages being sent, and the channel on which their outcomes arrive.
    sending: usize,
    outcomes: (Sender<Sent>, Receiver<Sent>),
    /// After a failure, the time of the next attempt.
    again: Option<Instant>,
    /// Delays before each further attempt to reach those for whom a server did not accept it yet.
    retries: &'static [Duration],
}

/// The outcome of a delivery.
struct Sent {
    /// The id under which it was claimed.
    id: String,
    outcome: Result<Option<String>, String>,
}

impl Default for Daily {
    fn default() -> Self {
        Self { wakes: false, done: None, sending: 0, outcomes: channel(), again: None, retries: &RETRIES }
    }
}

/// Id of a day's digest on one channel. A single process claims it.
pub(crate) fn id(day: Day, channel: &Channel) -> String {
    format!("digest {} {day}", channel.name())
}

impl Daily {
    /// Starts watching the clock if the config asks for a digest.
    pub(super) fn watch(&mut self, settings: &Settings, work: &mpsc::WeakSender<LedgerMessage>) {
        if self.wakes || settings.alerts.daily.is_none() {
            return;
        }
        let work = work.clone();
        let looking = move || {
            // Ends when the ledger thread ends.
            while let Some(open) = work.upgrade() {
                if open.blocking_send(LedgerMessage::Daily).is_err() {
                    return;
                }
                drop(open);
                std::thread::sleep(LOOK_EVERY);
            }
        };
        self.wakes = std::thread::Builder::new().name("daily".to_owned()).spawn(looking).is_ok();
    }

    /// True when the previous day's digest is due and not known to be sent: after its time of day, and outside quiet
    /// hours.
    fn is_due(&self, settings: &Settings, now: Instant) -> bool {
        let alerts = &settings.alerts;
        let is_time = alerts.daily.is_some_and(|daily| now.with_timezone(&settings.zone).time() >= daily);
        let is_quiet = alerts.quiet.is_some_and(|quiet| quiet.hold(now, settings.zone));
        let waits = self.sending > 0 || self.again.is_some_and(|again| now < again);
        is_time && !is_quiet && !waits && self.done != Some(day_of(now, settings.zone))
    }

    /// Sends the digest through every channel on which no other process has sent it. Returns the error, if any.
    pub(super) fn look(
        &mut self,
        books: &mut dyn Ledger,
        (settings, env): (&Settings, &Env),
        (compose, unread_files): (Compose, u64),
        work: &mpsc::WeakSender<LedgerMessage>,
        now: Instant,
    ) -> Option<String> {
        let mut problem = None;
        while let Ok(sent) = self.outcomes.1.try_recv() {
            problem = self.sent(books, &sent, now).or(problem);
        }
        if problem.is_some() || !self.is_due(settings, now) {
            return problem;
        }
        let today = day_of(now, settings.zone);
        let yesterday = today.pred_opt()?;
        let mut text: Option<(String, String)> = None;
        let mut is_done = true;
        for channel in Channel::of_digest(settings) {
            let id = id(yesterday, &channel);
            let claim = claim_alert(books, &id, now);
            is_done &= matches!(claim, Ok(AlertClaim::Done));
            let begun = match claim {
                Ok(AlertClaim::Done | AlertClaim::Pending) => continue,
                Ok(AlertClaim::Ours) => match &text {
                    Some(text) => Ok(text.clone()),
                    None => compose(books, settings, yesterday, unread_files, now),
                },
                // Without a claim, two processes would send it.
                Err(error) => Err(error.to_string()),
            };
            let (title, body) = match begun {
                Ok(words) => text.insert(words).clone(),
                Err(why) => return Some(self.failed(&why, now)),
            };
            let message = Message { title, body, is_table: true, id: id.clone(), at: now };
            let (tell, work, env, retries) = (self.outcomes.0.clone(), work.clone(), env.clone(), self.retries);
            let send = move || {
                let (outcome, rest) = match channel.send(&message, &env) {
                    Ok(Accepted { note, rest }) => (Ok(note), rest),
                    Err(why) => (Err(why), None),
                };
                let _ = tell.send(Sent { id, outcome });
                let _ = work.upgrade().is_some_and(|work| work.blocking_send(LedgerMessage::Daily).is_ok());
                let Some((mut channel, why)) = rest else { return };
                let note = |note| {
                    let _ = work.upgrade().is_some_and(|work| work.try_send(LedgerMessage::Late(note)).is_ok());
                };
                try_again(Err(why), || channel.attempt(&message, &env), &note, retries);
            };
            match std::thread::Builder::new().name("digest".to_owned()).spawn(send) {
                Ok(_) => self.sending += 1,
                Err(error) => return Some(self.failed(&error.to_string(), now)),
            }
        }
        if is_done {
            self.done = Some(today);
        }
        None
    }

    /// Waits briefly for messages that are still being sent, so that they are recorded as sent.
    pub(super) fn finish(&mut self, books: &mut dyn Ledger, now: Instant) {
        let began = std::time::Instant::now();
        while self.sending > 0 {
            let Ok(sent) = self.outcomes.1.recv_timeout(FINISH.saturating_sub(began.elapsed())) else { return };
            let _ = self.sent(books, &sent, now);
        }
    }

    /// Handles the outcome of a delivery. Returns the error, if any.
    fn sent(&mut self, books: &mut dyn Ledger, sent: &Sent, now: Instant) -> Option<String> {
        self.sending = self.sending.saturating_sub(1);
        tracing::info!(id = sent.id, failed = sent.outcome.is_err(), "digest sent");
        match &sent.outcome {
            Ok(note) => alert_was_delivered(books, &sent.id, now)
                .err()
                .map(|error| format!("{error}; the daily digest may be sent twice"))
                .or_else(|| note.clone()),
            Err(why) => Some(self.failed(why, now)),
        }
    }

    fn failed(&mut self, why: &str, now: Instant) -> String {
        self.again = now.checked_add_signed(TRY_AGAIN);
        format!("the daily digest was not sent, and is tried again in five minutes: {why}")
    }
}

#[cfg(test)]
mod tests;
