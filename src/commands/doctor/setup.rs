//! Checks of the config, its folders, the terminal and the ledger.

use super::{Report, State};
use crate::app::catch_up::Books;
use crate::commands::ledger::{LedgerFacts, RepeatsJson};
use crate::commands::{Context, tui_options};
use crate::config::Loaded;
use crate::domain::Label;
use crate::text;
use crate::theme::Depth;

impl Report {
    pub(super) fn settings(&mut self, context: &Context<'_>, loaded: &Loaded) {
        match &context.paths.config {
            None => self.say("config", State::Note, "no place for one: HOME is not set"),
            Some(path) => {
                let there = if path.exists() { "" } else { " (does not exist; the defaults apply)" };
                self.say("config", State::Ok, format!("{}{there}", Label::from_path(path)));
            }
        }
        for problem in &loaded.problems {
            self.say("config", State::Attention, problem.to_string());
        }
        let themes = crate::config::themes(&context.paths);
        let (_, refused) = tui_options::check(loaded, &themes);
        for problem in refused.iter().chain(&tui_options::unused_themes(loaded, &themes)) {
            self.say("config", State::Attention, problem.to_string());
        }
        match &context.paths.data {
            None => self.say("data", State::Attention, context.paths.why_no_data()),
            Some(folder) => self.say("data", State::Ok, Label::from_path(folder)),
        }
        let zone = context.settings.zone;
        let now = context.now().with_timezone(&zone);
        self.say("time zone", State::Ok, format!("{zone}, where it is {}", now.format("%Y-%m-%d %H:%M")));
        let depth = match tui_options::depth(context, true) {
            Depth::None => "no colour",
            Depth::Sixteen => "16 colours",
            Depth::TwoFiftySix => "256 colours",
            Depth::True => "true colour",
        };
        let letters = if tui_options::ascii(context) { "ASCII only" } else { "UTF-8" };
        let term = context.env.var("TERM").unwrap_or("not set");
        self.say("terminal", State::Ok, format!("TERM {term}, {depth}, {letters}"));
        self.say("user", State::Ok, context.settings.user.as_str());
    }

    pub(super) fn ledger(&mut self, context: &Context<'_>, books: &Books) {
        let facts = LedgerFacts::gather(context, &books.prices);
        let place = facts.path.as_ref().map_or_else(|| "no place for one".to_owned(), ToString::to_string);
        let state = match facts.state {
            "writable" => State::Ok,
            "none" => State::Note,
            _ => State::Attention,
        };
        let schema = facts.ledger_schema.map_or_else(String::new, |schema| format!(", schema {schema}"));
        let words = match facts.state {
            "none" => format!("{place}: none yet"),
            word => {
                format!("{place}: {word}, {}{schema}, {}", text::bytes(facts.bytes), text::plural(facts.calls, "call"))
            }
        };
        self.say("ledger", state, words);
        if let Some(note) = &facts.note {
            self.say("ledger", if state == State::Ok { State::Note } else { State::Attention }, note.as_str());
        }
        if let Some(trouble) = books.warning() {
            self.say("ledger", State::Attention, trouble);
        }
        for RepeatsJson { counted, repeated, calls } in &facts.repeats {
            let calls = text::plural(*calls, "call");
            self.say("repeats", State::Ok, format!("{calls} of {counted} reported by {repeated} as well, booked once"));
        }
        if facts.future_calls > 0 {
            let calls = text::plural(facts.future_calls, "call");
            self.say("clock", State::Attention, format!("{calls} dated in the future: a clock is wrong"));
        }
        self.ledger = Some(facts);
    }
}
