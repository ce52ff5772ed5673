//! Answers of the HTTP server: the same numbers, in the same form, as the commands print.

use std::io;

use crate::cli::{Cli, Command, ReportArgs};
use crate::commands::{derived, gate, limits, metrics, report};
use crate::domain::Dimension;
use crate::engine::{BooksView, HealthView, LedgerView, SourceView, Watching};
use crate::ledger::{BooksError, Grain, Order, Query};
use crate::meter::{Follow, Meter, Snapshot, Summary, overrides};
use crate::output;
use crate::server::http::{Answer, Kind, Params, Refusal, Topic};

mod document;

/// Calls in an answer, unless the question names another number.
const CALLS: usize = 100;

/// Answers a question.
pub(super) fn answer(topic: Topic, params: &Params, books: &BooksView<'_>) -> Result<Answer, Refusal> {
    match topic {
        Topic::Usage => usage("day", params, books),
        Topic::Sessions => usage("session", params, books),
        Topic::Calls => usage("call", params, books),
        Topic::Summary => json(|out| document::write(&summary(books)?, books, out)),
        Topic::Limits => json(|out| {
            let mut lifted = overrides::all(books.ledger)?;
            lifted.retain(|lifted| lifted.until.is_none());
            let unread = books.unread_files;
            Ok(limits::write_json(&summary(books)?, lifted, unread, books.now, books.settings.zone, out)?)
        }),
        Topic::Health => json(|out| Ok(output::to_line(&health(&books.health), out)?)),
        Topic::Gate => {
            let names: serde_json::Map<_, _> = std::iter::once(("query".to_owned(), "gate".into()))
                .chain(params.iter().map(|(name, value)| (name.clone(), value.as_str().into())))
                .collect();
            let question = serde_json::Value::Object(names).to_string();
            let warning = books.warning.as_deref();
            let body =
                gate::query::query_with(&question, books.ledger, books.rules, books.settings, warning, books.now);
            Ok(Answer { kind: Kind::Json, body: body.into_bytes() })
        }
        Topic::Metrics => {
            let mut body = Vec::new();
            let limits = summary(books)?.limits;
            metrics::metrics(books.ledger, &limits, books.unread_files, books.prices)?
                .write(&mut body)
                .map_err(Trouble::from)?;
            Ok(Answer { kind: Kind::Metrics, body })
        }
    }
}

/// Why an answer could not be written.
enum Trouble {
    Books(BooksError),
    Io(io::Error),
}

impl From<BooksError> for Trouble {
    fn from(error: BooksError) -> Self {
        Self::Books(error)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Trouble> for Refusal {
    fn from(trouble: Trouble) -> Self {
        Self::Books(match trouble {
            Trouble::Books(error) => error.to_string(),
            Trouble::Io(error) => error.to_string(),
        })
    }
}

impl From<BooksError> for Refusal {
    fn from(error: BooksError) -> Self {
        Trouble::Books(error).into()
    }
}

fn json(write: impl FnOnce(&mut Vec<u8>) -> Result<(), Trouble>) -> Result<Answer, Refusal> {
    let mut body = Vec::new();
    write(&mut body)?;
    Ok(Answer { kind: Kind::Json, body })
}

/// The numbers of the live screen.
fn summary(books: &BooksView<'_>) -> Result<Summary, BooksError> {
    let snapshot = Snapshot::ask(books.ledger, books.rules, &Follow::Today, books.now)?;
    let mut meter = Meter::open(books.rules.clone(), snapshot);
    meter.follow(Follow::Today);
    Ok(meter.summary(books.now))
}

/// Parameters that are flags of `tokmeter report` under the same or another name.
const FLAGS: [(&str, &str); 16] = [
    ("by", "by"),
    ("start", "since"),
    ("since", "since"),
    ("end", "until"),
    ("until", "until"),
    ("user", "user"),
    ("project", "project"),
    ("model", "model"),
    ("agent", "agent"),
    ("team", "team"),
    ("feature", "feature"),
    ("org", "org"),
    ("source", "source"),
    ("session", "session"),
    ("order", "order"),
    ("limit", "limit"),
];

/// A report, with the parameters that the command has as flags, `period`, and `format` (`json` or `csv`).
fn usage(period: &str, params: &Params, books: &BooksView<'_>) -> Result<Answer, Refusal> {
    let mut kind = Kind::Json;
    let mut period = period;
    let mut words = vec!["tokmeter".into(), "report".into()];
    for (name, value) in params {
        if let Some((_, flag)) = FLAGS.iter().find(|(known, _)| known == name) {
            words.push(format!("--{flag}={value}").into());
            continue;
        }
        match (name.as_str(), value.as_str()) {
            ("format", "json") => kind = Kind::Json,
            ("format", "csv") => kind = Kind::Csv,
            ("period", "hour" | "day" | "week" | "month" | "session" | "call" | "total") => period = value,
            ("format" | "period", _) => {
                return Err(Refusal::Question(format!("'{}' is no {name}", crate::domain::Label::new(value))));
            }
            _ => {
                let names: Vec<&str> = FLAGS.iter().map(|(name, _)| *name).collect();
                return Err(Refusal::Question(format!(
                    "'{}' is no parameter; there are: period, format, {}",
                    crate::domain::Label::new(name),
                    names.join(", ")
                )));
            }
        }
    }
    let cli: Cli = crate::cli::parse(&words).map_err(|error| {
        let text = error.to_string();
        let line = text.lines().next().unwrap_or_default();
        Refusal::Question(line.strip_prefix("error: ").unwrap_or(line).to_owned())
    })?;
    let Some(Command::Report(args)) = cli.command else { return Err(Refusal::Question("no report".to_owned())) };
    let report = books.ledger.report(&query(period, args, books)?)?;
    let report = crate::ledger::Report { unread_files: books.unread_files, ..report };
    let mut body = Vec::new();
    let written = match kind {
        Kind::Csv => output::csv(&output::report_grid(&report.with_marked_rows()), &mut body),
        Kind::Json | Kind::Metrics => output::report_json(&report, &mut body),
    };
    written.map_err(Trouble::from)?;
    Ok(Answer { kind, body })
}

fn query(period: &str, args: ReportArgs, books: &BooksView<'_>) -> Result<Query, Refusal> {
    let zone = books.settings.zone;
    let mut filter = args.filters.filter(books.now, zone);
    if let Some(session) = &args.session {
        let only = report::only_session(books.ledger, session, &filter);
        filter.only.push((Dimension::Session, only.map_err(|failure| Refusal::Nothing(failure.message))?));
    }
    let grain = match period {
        "hour" => Grain::Hour,
        "week" => Grain::Week,
        "month" => Grain::Month,
        "session" => Grain::Session,
        "call" => Grain::Call,
        "total" => Grain::Total,
        _ => Grain::Day,
    };
    let newest_first = grain == Grain::Call || args.order == "desc";
    let order = if newest_first { Order::Descending } else { Order::Ascending };
    let limit = args.limit.or_else(|| (grain == Grain::Call).then_some(CALLS));
    let renamed = derived::names(books.ledger, &args.by)?;
    Ok(Query { grain, by: args.by, filter, zone, order, limit, renamed })
}

fn health(view: &HealthView) -> impl serde::Serialize + '_ {
    #[derive(serde::Serialize)]
    struct Source<'a> {
        path: &'a str,
        format: Option<&'a str>,
        watching: &'static str,
        files: u64,
        bad_lines: u64,
        last: Option<String>,
        trouble: Option<&'a str>,
    }
    #[derive(serde::Serialize)]
    struct Document<'a> {
        schema: u8,
        ok: bool,
        watching: &'static str,
        files: u64,
        bad_lines: u64,
        ledger: &'static str,
        ledger_trouble: Option<&'a str>,
        unpriced_models: Vec<&'a str>,
        sources: Vec<Source<'a>>,
        notes: Vec<&'a str>,
    }
    let words = |watching| match watching {
        Watching::Live => "events",
        Watching::Polling => "polling",
        Watching::Off => "off",
    };
    let (ledger, trouble) = match &view.ledger {
        LedgerView::Memory => ("memory", None),
        LedgerView::Open(_) => ("open", None),
        LedgerView::ReadOnly(why) => ("read-only", Some(why.as_str())),
        LedgerView::Failed(why) => ("failed", Some(why.as_str())),
    };
    let source = |source: &'_ SourceView| source.trouble.is_some();
    Document {
        schema: 1,
        ok: trouble.is_none() && !view.sources.iter().any(source),
        watching: words(view.watching),
        files: view.files,
        bad_lines: view.bad_total,
        ledger,
        ledger_trouble: trouble,
        unpriced_models: view.unpriced.iter().map(|(model, _)| model.as_str()).collect(),
        sources: view
            .sources
            .iter()
            .map(|source| Source {
                path: &source.path,
                format: source.format.as_deref(),
                watching: words(source.watching),
                files: source.files,
                bad_lines: source.bad,
                last: source.last.map(|last| last.to_rfc3339()),
                trouble: source.trouble.as_deref(),
            })
            .collect(),
        notes: view.notes.iter().map(crate::domain::Label::as_str).collect(),
    }
}
