//! Requests of the screen and the socket that do not touch the ledger's rows: config edits, alerts, the demo.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::alerts::{self, Later};
use super::context;
use super::ledger_thread::LedgerMessage;
use super::{playback, tui_options};
use crate::config::{self, Env, LimitKey, Overrides, Paths, Settings, edit};
use crate::domain::Instant;
use crate::ledger::Ledger;
use crate::meter::Rules;
use crate::tui::{Feed, NewSettings, Note, Request, Tone};

/// Handles requests that do not touch the ledger's rows.
pub(super) struct ConfigEdits {
    pub(super) env: Env,
    /// Command-line overrides of the config.
    pub(super) overrides: Overrides,
    /// Locations of the config and data.
    pub(super) paths: Paths,
    /// Settings in force.
    pub(super) settings: Settings,
    /// Queue of the ledger thread, which receives the demo's calls.
    pub(super) work: mpsc::WeakSender<LedgerMessage>,
}

impl ConfigEdits {
    /// Handles a request; returns messages for the screen.
    pub(super) fn ask(&mut self, request: Request, books: &mut dyn Ledger, now: Instant) -> Vec<Feed> {
        match request {
            Request::SetLimit { scope, amount } => {
                let env = self.env.clone();
                let edited = scope.parse::<LimitKey>().and_then(|key| {
                    let amount = config::parse_amount(&amount).map_err(|why| format!("'{amount}' {why}"))?;
                    self.change(|text| edit::set_limit(text, &env, &key.expanded(&env), &amount, None))
                });
                edit_result(edited, &format!("{scope}: {amount}"))
            }
            Request::UnsetLimit { scope } => {
                let env = self.env.clone();
                let edited = scope
                    .parse::<LimitKey>()
                    .and_then(|key| self.change(|text| edit::unset_limit(text, &env, &key.expanded(&env))));
                edit_result(edited, &format!("{scope}: no limit"))
            }
            Request::Theme(name) => match self.keep_theme(&name) {
                Ok(()) => Vec::new(),
                Err(message) => vec![Feed::Note(Note::new(Tone::Warning, &message))],
            },
            Request::Alert(alert) => self.alert(&alert, books, now),
            Request::Demo => {
                playback::start_demo(self.work.clone(), &self.settings.user, now);
                vec![Feed::Note(Note::new(Tone::Plain, "a simulated session; nothing is booked"))]
            }
            Request::Snapshot { .. } | Request::History(_) | Request::Models => Vec::new(),
        }
    }

    /// Answers a query from the socket, as JSON.
    pub(super) fn query(
        &self,
        question: &str,
        books: &dyn Ledger,
        rules: &Rules,
        warning: Option<&str>,
        now: Instant,
    ) -> String {
        super::gate::query::query_with(question, books, rules, &self.settings, warning, now)
    }

    /// Delivers an alert unless another process has.
    fn alert(&self, alert: &crate::meter::Alert, books: &mut dyn Ledger, now: Instant) -> Vec<Feed> {
        let work = self.work.clone();
        let later: Later = Arc::new(move |note| {
            // The note is dropped when the ledger thread is busy or gone.
            let _ = work.upgrade().is_some_and(|work| work.try_send(LedgerMessage::Late(note)).is_ok());
        });
        let delivered = alerts::deliver(alert, &self.settings, &self.env, books, now, &later);
        let mut news: Vec<Feed> =
            delivered.notes.iter().map(|note| Feed::Note(Note::new(Tone::Warning, note))).collect();
        if delivered.said {
            let popup = Some(delivered.terminal).filter(|bytes| !bytes.is_empty());
            news.push(Feed::Note(Note { bell: delivered.bell, popup, ..Note::new(Tone::Warning, &alert.title()) }));
        }
        news
    }

    /// Reloads the config. An invalid one is reported and the old settings stay.
    pub(super) fn reload(&mut self, rules: &Rules) -> Option<Feed> {
        let (paths, loaded) = context::load(&self.env, &self.overrides);
        let wrong = |message: &str| Some(Feed::Note(Note::new(Tone::Danger, message)));
        if let Some(problem) = loaded.problems.iter().find(|_| !loaded.is_usable(false)) {
            return wrong(&format!("{problem} (the old settings stay)"));
        }
        let themes = context::themes(&paths);
        let (keys, problems) = tui_options::check(&loaded, &themes);
        if let Some(problem) = problems.first() {
            return wrong(&format!("{problem} (the old settings stay)"));
        }
        if loaded.settings == self.settings {
            return None;
        }
        self.settings = loaded.settings;
        self.paths = paths;
        Some(Feed::Settings(Box::new(NewSettings {
            theme: self.settings.theme.clone(),
            themes,
            keys,
            rules: context::rules(&self.settings, rules.view.clone()),
        })))
    }

    /// Saves the theme to the config if it can still be opened; its file may have changed since the screen read it.
    fn keep_theme(&self, name: &str) -> Result<(), String> {
        let themes = context::themes(&self.paths);
        if let Some(error) = tui_options::theme_error(&themes, name) {
            return Err(format!("{error}; the config keeps its theme"));
        }
        self.change(|text| edit::set(text, "theme", name))
    }

    fn change(&self, edit: impl FnOnce(&str) -> Result<String, String>) -> Result<(), String> {
        let path = self.paths.config.as_ref().ok_or("there is no place for a config: HOME is not set")?;
        config::change(path, edit)
    }
}

fn edit_result(edited: Result<(), String>, done: &str) -> Vec<Feed> {
    vec![Feed::Note(match edited {
        Ok(()) => Note::new(Tone::Plain, done),
        Err(message) => Note::new(Tone::Danger, &message),
    })]
}
