//! `GET /api/v1/health`: the state of the sources, the ledger and the config.

use crate::domain::rfc3339;
use crate::engine::{HealthView, LedgerView, SourceView, Watching};

/// The state as a JSON document.
pub(super) fn document(view: &HealthView) -> impl serde::Serialize + '_ {
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
        config_trouble: Option<&'a str>,
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
        ok: trouble.is_none() && view.config_trouble.is_none() && !view.sources.iter().any(source),
        watching: words(view.watching),
        files: view.files,
        bad_lines: view.bad_total,
        ledger,
        ledger_trouble: trouble,
        config_trouble: view.config_trouble.as_deref(),
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
                last: source.last.map(rfc3339),
                trouble: source.trouble.as_deref(),
            })
            .collect(),
        notes: view.notes.iter().map(crate::domain::Label::as_str).collect(),
    }
}
