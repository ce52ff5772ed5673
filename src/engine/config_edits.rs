//! Handles requests of the screen and the socket that do not touch the ledger's rows: config edits, alerts, the demo.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc};

use super::alert_delivery::{self, Deliveries};
use super::daily::{Compose, Daily};
use super::inbox::LedgerMessage;
use super::playback;
use crate::config::{self, Diagnostic, Env, LimitKey, Loaded, Overrides, Paths, Settings, edit};
use crate::domain::{Instant, Label, Zone};
use crate::engine::{EngineEvent, NewSettings, Note, Request, Tone};
use crate::ledger::{CLAIM_LASTS, Ledger, LedgerError, Row};
use crate::meter::{Alert, Amount, Rules};
use crate::pricing::PriceBook;
use crate::theme::{Background, Themes};

/// Answers a query from the socket with one line of JSON. The arguments are the query, the ledger, the rules, the
/// settings, why the numbers may be too low, and the time.
pub(crate) type Answer = fn(&str, &dyn Ledger, &Rules, &Settings, Caveats<'_>, Instant) -> String;

/// Why an answer may be too low.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Caveats<'a> {
    /// Warning to include in the answer.
    pub(crate) warning: Option<&'a str>,
    /// Files that may contain more calls and could not be read.
    pub(crate) unread_files: u64,
}

/// Completes the names in a limit. The flag means that the limit is already set.
pub(crate) type InFull = fn(&dyn Ledger, &LimitKey, bool) -> Result<(LimitKey, Vec<String>), LedgerError>;

/// Functions of higher-level modules that the engine calls.
#[derive(Clone, Copy)]
pub(crate) struct Callbacks {
    /// Answers the socket.
    pub(crate) answer: Answer,
    /// Explains how a call's cost is computed at the prices in force, as text.
    pub(crate) explain: fn(&Row, &PriceBook, Zone) -> String,
    /// Writes the digest of a day.
    pub(crate) digest: Compose,
    /// Finds the first thing in a config that the screen would reject, such as conflicting keys.
    pub(crate) problem: fn(&Loaded, &Themes) -> Option<Diagnostic>,
    /// Completes abbreviated names in a limit, unless it is already set. Also returns a sentence for each name that no
    /// call has.
    pub(crate) in_full: InFull,
}

/// Handles requests that do not touch the ledger: changing the config, delivering alerts, the demo.
pub(crate) struct ConfigEdits {
    pub(crate) env: Env,
    /// Command-line overrides of the config.
    pub(crate) overrides: Overrides,
    /// Locations of the config and data.
    pub(crate) paths: Paths,
    /// Settings in force.
    pub(crate) settings: Settings,
    /// Settings at the start. Some of them stay in force until the next one.
    pub(crate) at_start: Settings,
    /// Functions of higher-level modules.
    pub(crate) callbacks: Callbacks,
    /// Queue of the ledger thread, which receives the demo's calls.
    pub(crate) work: mpsc::WeakSender<LedgerMessage>,
    /// Alerts that another process has claimed and might not deliver.
    pub(crate) pending: Vec<Alert>,
    /// Alerts that are being sent.
    pub(crate) deliveries: Deliveries,
    /// The digest of the previous day.
    pub(crate) daily: Daily,
    /// Alerts as they are raised, for a server's listeners.
    pub(crate) alerts: broadcast::Sender<Arc<str>>,
    /// Start time of this run.
    pub(crate) began: Instant,
}

impl ConfigEdits {
    /// Handles a request. Returns messages for the screen.
    pub(crate) fn ask(&mut self, request: Request, books: &mut dyn Ledger, now: Instant) -> Vec<EngineEvent> {
        match request {
            Request::SetLimit { scope, amount } => match self.set_limit(&scope, &amount, books) {
                // One note, because a second one would replace the first.
                Ok(done) => vec![EngineEvent::Note(Note::new(
                    if done.len() > 1 { Tone::Warning } else { Tone::Plain },
                    &done.join("; "),
                ))],
                Err(message) => edit_result(Err(message), ""),
            },
            Request::UnsetLimit { scope } => {
                let env = self.env.clone();
                let key = scope.parse::<LimitKey>().map(|key| key.expanded(&env));
                let was = key.as_ref().ok().and_then(|key| self.amount_of(key));
                let was = was.map(|was| format!(" (was {})", config::amount_text(&was))).unwrap_or_default();
                let edited = key.and_then(|key| self.change(|text| edit::unset_limit(text, &env, &key)));
                edit_result(edited, &format!("{scope}: removed{was}"))
            }
            Request::Theme(name) => match self.keep_theme(&name) {
                Ok(()) => Vec::new(),
                Err(message) => vec![EngineEvent::Note(Note::new(Tone::Warning, &message))],
            },
            Request::Alert(alert) => {
                // Listeners get it even if another process delivers it, but not if an earlier run has delivered it: at
                // the start, every threshold that is still reached is due again.
                let is_old = alert.was_delivered_before(self.began, books).unwrap_or(false);
                if let Some(document) = alert_delivery::document(&alert, &self.settings, now).filter(|_| !is_old) {
                    let _ = self.alerts.send(document);
                }
                self.alert(*alert, books, now)
            }
            Request::Demo => {
                playback::start_demo(self.work.clone(), self.settings.zone, &self.settings.user, now);
                vec![EngineEvent::Note(Note::new(Tone::Plain, "a simulated session; nothing is booked"))]
            }
            Request::SaveView { name, view } => {
                let saved = self.change(|text| edit::save_view(text, &name, &view));
                edit_result(saved, &format!("saved as {name}: it is in the palette"))
            }
            Request::Snapshot(_) | Request::History(_) | Request::Models | Request::Explain(_) | Request::Pace(_) => {
                Vec::new()
            }
        }
    }

    /// Sets a limit in the config. Returns what was set and what that replaces, followed by a sentence for each name in
    /// it that no call has.
    fn set_limit(&self, scope: &str, amount: &str, books: &dyn Ledger) -> Result<Vec<String>, String> {
        let amount = config::parse_amount(amount).map_err(|why| format!("'{amount}' {why}"))?;
        let key = scope.parse::<LimitKey>()?.expanded(&self.env);
        let is_set = self.amount_of(&key).is_some();
        let (key, sentences) = (self.callbacks.in_full)(books, &key, is_set).unwrap_or((key, Vec::new()));
        let before = self.amount_of(&key);
        self.change(|text| edit::set_limit(text, &self.env, &key, &amount, None))?;
        let set = format!("{key}: {}", config::amount_change(&amount, before.as_ref()));
        Ok(std::iter::once(set).chain(sentences).collect())
    }

    /// The amount of a limit in the config.
    fn amount_of(&self, key: &LimitKey) -> Option<Amount> {
        let same = self.settings.limits.iter().find(|limit| LimitKey::from_limit(limit) == *key);
        same.map(|limit| limit.amount)
    }

    /// Answers a query from the socket, as JSON.
    pub(crate) fn query(
        &self,
        question: &str,
        books: &dyn Ledger,
        rules: &Rules,
        caveats: Caveats<'_>,
        now: Instant,
    ) -> String {
        (self.callbacks.answer)(question, books, rules, &self.settings, caveats, now)
    }

    /// The text that `tokmeter explain` prints for a call.
    pub(crate) fn explanation(&self, row: &Row, prices: &PriceBook) -> Vec<Label> {
        (self.callbacks.explain)(row, prices, self.settings.zone).lines().map(Label::new).collect()
    }

    /// Delivers an alert, unless another process has done so.
    fn alert(&mut self, alert: Alert, books: &mut dyn Ledger, now: Instant) -> Vec<EngineEvent> {
        let later = self.deliveries.later(&self.work);
        let delivered = alert_delivery::deliver(&alert, &self.settings, &self.env, books, now, &later);
        if delivered.under_way {
            self.deliveries.began();
        }
        let mut news: Vec<EngineEvent> =
            delivered.notes.iter().map(|note| EngineEvent::Note(Note::new(Tone::Warning, note))).collect();
        tracing::info!(
            id = alert.id.as_str(),
            delivered = delivered.claimed,
            failures = delivered.notes.len(),
            "alert due"
        );
        if delivered.claimed {
            let popup = Some(delivered.terminal).filter(|bytes| !bytes.is_empty());
            let limit = alert.limit().map(Label::new);
            let note = Note::new(Tone::Warning, &alert.title());
            news.push(EngineEvent::Note(Note { bell: delivered.bell, popup, limit, ..note }));
        }
        if delivered.pending {
            self.pending.push(alert);
            self.look_when_claims_lapse();
        }
        news
    }

    /// Sends a message once other processes' claims on pending alerts have expired.
    fn look_when_claims_lapse(&self) {
        if self.pending.len() > 1 {
            return;
        }
        let work = self.work.clone();
        // If no thread can be started, the alert is left to the process that claimed it.
        let _ = std::thread::Builder::new().name("alerts".to_owned()).spawn(move || {
            std::thread::sleep(CLAIM_LASTS + Duration::from_secs(1));
            if let Some(work) = work.upgrade() {
                let _ = work.blocking_send(LedgerMessage::PendingAlerts);
            }
        });
    }

    /// Delivers the alerts that another process has claimed but not delivered.
    pub(crate) fn deliver_pending(&mut self, books: &mut dyn Ledger, now: Instant) -> Vec<EngineEvent> {
        let pending = std::mem::take(&mut self.pending);
        pending.into_iter().flat_map(|alert| self.alert(alert, books, now)).collect()
    }

    /// Records the alerts that have been sent. Returns a note if that failed.
    pub(crate) fn settle_alerts(&mut self, books: &mut dyn Ledger, now: Instant) -> Option<EngineEvent> {
        let problem = self.deliveries.settle(books, now)?;
        Some(EngineEvent::Note(Note::new(Tone::Warning, &problem)))
    }

    /// Waits briefly for alerts and a digest that are still being sent, so that they are recorded as sent.
    pub(crate) fn finish(&mut self, books: &mut dyn Ledger, now: Instant) {
        self.deliveries.finish(books, now);
        self.daily.finish(books, now);
    }

    /// Sends the previous day's digest if it is due, and makes sure that this is checked again later.
    pub(crate) fn look_at_daily(
        &mut self,
        books: &mut dyn Ledger,
        unread_files: u64,
        now: Instant,
    ) -> Option<EngineEvent> {
        self.daily.watch(&self.settings, &self.work);
        let (of, compose) = ((&self.settings, &self.env), (self.callbacks.digest, unread_files));
        let problem = self.daily.look(books, of, compose, &self.work, now)?;
        Some(EngineEvent::Note(Note::new(Tone::Warning, &problem)))
    }

    /// Reads the config again. Returns the new settings, or `None` if they are the same.
    ///
    /// # Errors
    /// The first error in the config. The old settings stay in force.
    pub(crate) fn reload(&mut self, rules: &Rules) -> Result<Option<NewSettings>, Label> {
        let (paths, loaded) = config::load(&self.env, &self.overrides);
        let wrong = |problem: &Diagnostic| Label::new(&format!("{problem} (the old settings stay)"));
        if let Some(problem) = loaded.problems.iter().find(|_| !loaded.is_usable(false)) {
            return Err(wrong(problem));
        }
        let themes = config::themes(&paths);
        if let Some(problem) = (self.callbacks.problem)(&loaded, &themes) {
            return Err(wrong(&problem));
        }
        if loaded.settings == self.settings {
            return Ok(None);
        }
        self.settings = loaded.settings;
        self.paths = paths;
        Ok(Some(NewSettings {
            settings: Box::new(self.settings.clone()),
            themes,
            rules: config::rules(&self.settings, rules.view.clone()),
        }))
    }

    /// A sentence about the changed settings that a running meter does not apply; `None` if it applies all of them. A
    /// setting that was changed back to its value at the start is in force.
    pub(crate) fn waits_for_next_start(&self, before: &Settings) -> Option<String> {
        let since = |then: &Settings| late_settings(then, &self.settings).into_iter();
        let both = since(before).zip(since(&self.at_start)).filter(|((_, lately), (_, ever))| *lately && *ever);
        let late: Vec<&str> = both.map(|((name, _), _)| name).collect();
        (!late.is_empty())
            .then(|| format!("changed in the config, but applied from the next start on: {}", late.join(", ")))
    }

    /// The settings in force, plus the demo's limits.
    pub(crate) fn demo_settings(&self, rules: &Rules) -> NewSettings {
        let settings = Settings { limits: super::demo::limits(), ..self.settings.clone() };
        let rules = config::rules(&settings, rules.view.clone());
        NewSettings { settings: Box::new(settings), themes: config::themes(&self.paths), rules }
    }

    /// Saves the theme to the config, unless the theme's file can no longer be opened: it may have changed since the
    /// screen read it.
    fn keep_theme(&self, name: &str) -> Result<(), String> {
        let themes = config::themes(&self.paths);
        if let Some(error) = themes.get(name, Background::Dark).err() {
            return Err(format!("{error}; the config keeps its theme"));
        }
        self.change(|text| edit::set(text, "theme", name))
    }

    fn change(&self, edit: impl FnOnce(&str) -> Result<String, String>) -> Result<(), String> {
        let path = self.paths.config.as_ref().ok_or("there is no place for a config: HOME is not set")?;
        config::change(path, edit)
    }
}

/// The settings that a running meter does not change, and whether they differ.
fn late_settings(one: &Settings, other: &Settings) -> [(&'static str, bool); 10] {
    [
        ("user", one.user != other.user),
        ("team", one.team != other.team),
        ("org", one.org != other.org),
        ("logs", one.logs != other.logs),
        ("homes", one.homes != other.homes),
        ("cost", one.cost != other.cost),
        ("prices", one.prices != other.prices),
        ("aliases", one.aliases != other.aliases),
        ("server", one.server != other.server),
        ("proxy", (&one.upstreams, &one.upstream_ca) != (&other.upstreams, &other.upstream_ca)),
    ]
}

fn edit_result(edited: Result<(), String>, done: &str) -> Vec<EngineEvent> {
    vec![EngineEvent::Note(match edited {
        Ok(()) => Note::new(Tone::Plain, done),
        Err(message) => Note::new(Tone::Danger, &message),
    })]
}
