//! Checks of the price list and the socket.

use std::path::Path;

use super::{Report, State};
use crate::app::catch_up::Books;
use crate::commands::{Context, Failure};
use crate::config::SocketPath;
use crate::domain::Label;
#[cfg(unix)]
use crate::engine::health::socket::SocketJson;
use crate::engine::health::{NO_MODEL, OLD_PRICES, priced_now, prices_words};
use crate::text;

impl Report {
    pub(super) fn prices(&mut self, context: &Context<'_>, books: &Books) -> Result<(), Failure> {
        let now = context.now();
        let old = (now.date_naive() - books.prices.as_of()).num_days() > OLD_PRICES;
        let state = if old { State::Attention } else { State::Ok };
        self.say("prices", state, prices_words(&books.prices, now));
        self.unpriced = crate::engine::health::unpriced(&books.ledger)?;
        let priced: Vec<&Label> = priced_now(self.unpriced.keys(), &books.prices, now).collect();
        let words = |(model, tokens): (&Label, &u64)| {
            let advice = if priced.contains(&model) {
                "it has one now: tokmeter ledger reprice"
            } else if model.as_str() == NO_MODEL {
                "none can be given: their logs do not say which model it was"
            } else {
                "give it one under [prices] in the config, or a name that has one under [aliases]"
            };
            format!("{model}: {} without a price; {advice}", text::plural(*tokens, "token"))
        };
        let unpriced: Vec<String> = self.unpriced.iter().map(words).collect();
        for words in unpriced {
            self.say("prices", State::Attention, words);
        }
        Ok(())
    }

    pub(super) fn socket(&mut self, context: &Context<'_>) {
        match SocketPath::resolve(&context.env, &context.overrides) {
            Err(why) => self.say("socket", State::Note, why),
            Ok(socket) => {
                let (state, listening) = if listens(&socket.path) {
                    (State::Ok, "a meter listens")
                } else {
                    (State::Note, "no meter listens on it; one started with --socket does")
                };
                self.say("socket", state, format!("{}: {listening}", Label::from_path(&socket.path)));
                #[cfg(unix)]
                self.counters(&socket.path);
                if let Some(note) = &socket.note {
                    self.say("socket", State::Note, note);
                }
            }
        }
    }

    /// Asks the meter listening on the socket for its counters.
    #[cfg(unix)]
    pub(super) fn counters(&mut self, path: &Path) {
        use crate::ingest::socket::{WRITE_TIMEOUT, ask};
        let Ok(answer) = ask(path, "{\"query\":\"socket\"}", WRITE_TIMEOUT) else { return };
        // Older versions reply with an error.
        if !answer.contains("\"ok\":true") {
            return;
        }
        let Ok(counters) = serde_json::from_str::<SocketJson>(&answer) else { return };
        let lines = text::plural(counters.bad_lines, "line");
        if let Some(why) = counters.last_reason() {
            self.say("socket", State::Attention, format!("{lines} could not be counted, the last: {why}"));
        }
        if let Some(words) = counters.words() {
            self.say("socket", State::Note, words);
        }
        self.socket = Some(counters);
    }
}

#[cfg(unix)]
fn listens(path: &Path) -> bool {
    std::os::unix::net::UnixStream::connect(path).is_ok()
}

#[cfg(not(unix))]
fn listens(_: &Path) -> bool {
    false
}
