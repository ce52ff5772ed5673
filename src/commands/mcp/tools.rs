//! The tools: their names, their arguments and their answers.

mod arguments;
mod schema;
mod table;

use serde_json::Value;

use crate::app::catch_up::Followed;
use crate::app::{Context, Exit, Failure};
use crate::commands::{explain, limits};
use crate::meter::overrides;
use crate::{output, text};

/// Arguments of a tool call.
pub(super) type Arguments = serde_json::Map<String, Value>;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    Today,
    Limits,
    Sessions,
    Explain,
    Report,
}

/// An answer in two forms: text for people, and the JSON that the command prints.
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) json: String,
}

impl Tool {
    /// Every tool.
    pub(super) const ALL: [Self; 5] = [Self::Today, Self::Limits, Self::Sessions, Self::Explain, Self::Report];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Today => "today",
            Self::Limits => "limits",
            Self::Sessions => "sessions",
            Self::Explain => "explain",
            Self::Report => "report",
        }
    }

    /// The entry in the list of tools.
    pub(super) fn description(self) -> Value {
        schema::tool_entry(self)
    }

    /// Answers from the ledger.
    pub(super) fn answer(
        self,
        context: &Context<'_>,
        followed: &mut Followed,
        arguments: &Arguments,
    ) -> Result<Answer, Failure> {
        let known = schema::names(self);
        if let Some(name) = arguments.keys().find(|name| !known.contains(&name.as_str())) {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(Failure::new(
                Exit::Usage,
                format!("'{name}' is not an argument of {}; there are: {known}", self.name()),
            ));
        }
        let (mut json, mut people) = (Vec::new(), Vec::new());
        let (now, zone) = (context.now(), context.settings.zone);
        match self {
            Self::Limits => {
                let summary = followed.summary(context)?;
                let books = &followed.books;
                let mut lifted = overrides::all(&books.ledger)?;
                lifted.retain(|lifted| lifted.until.is_none());
                limits::show::write_text(&summary, lifted.clone(), (now, zone, None), &mut people)?;
                limits::document::write_json(&summary, lifted, books.health.unread_files(), now, zone, &mut json)?;
            }
            Self::Explain => {
                let books = &followed.books;
                let key = arguments::key(arguments)?;
                explain::write_both(&books.ledger, &books.prices, key, zone, (&mut json, &mut people))?;
            }
            Self::Today | Self::Sessions | Self::Report => {
                let report = table::report(self, context, &mut followed.books, arguments)?;
                output::report_json(&report, &mut json)?;
                if self == Self::Today {
                    let day = now.with_timezone(&zone).format("%A, %-d %B %Y");
                    let total = report.marked_total();
                    let (cost, calls) = (text::cost(&total), text::plural(total.calls, "call"));
                    let tokens = text::count(total.tokens.total());
                    people.extend(format!("{day} ({zone}): {cost}, {tokens} tokens, {calls}\n\n").into_bytes());
                }
                if report.is_empty() {
                    people.extend(b"No calls in this selection.\n");
                } else {
                    output::report_table(&report, None, &mut people)?;
                }
            }
        }
        let mut text = String::from_utf8_lossy(&people).into_owned();
        let warnings = [followed.books.warning(), followed.config_problem.as_deref()];
        for warning in warnings.into_iter().flatten() {
            text = format!("{text}\nWarning: {}\n", crate::app::printable(warning));
        }
        Ok(Answer { text, json: String::from_utf8_lossy(&json).trim_end().to_owned() })
    }
}
