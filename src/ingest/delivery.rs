//! Calls and questions handed to the running meter by the socket and the HTTP server, and its answers.

use std::fmt;

use tokio::sync::oneshot;

use crate::domain::{CallKey, Fidelity, Label, Record, Usd};

/// Content of a line, with a channel for the answer.
#[derive(Debug)]
pub struct Delivery {
    /// Content of the line.
    pub content: Content,
    /// Receives the answer. Dropping it refuses the line.
    pub reply: oneshot::Sender<Reply>,
}

/// Content of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Calls to be written.
    Records(Vec<Record>),
    /// Calls of one export of telemetry. Several exports may be written as one; the answer names no call.
    Export {
        /// The calls.
        records: Vec<Record>,
        /// State of the reader behind them, if it has changed; written together with them.
        state: Option<String>,
    },
    /// A query, as JSON: `{"query":"gate",…}`.
    Query(String),
}

/// Answer to a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Written to the ledger.
    Booked {
        /// Key of the call.
        key: CallKey,
        /// Its cost, if known.
        cost: Option<Usd>,
        /// Fidelity of its counts, included in the answer unless final.
        fidelity: Fidelity,
    },
    /// Already known.
    Repeat,
    /// Valid, but not about usage.
    Nothing,
    /// Answer to a query, as JSON.
    Json(String),
    /// Refused, with the reason.
    Error(Label),
}

impl Reply {
    pub(crate) fn refusal(why: &str) -> Self {
        Self::Error(Label::new(why))
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Booked { key, cost, fidelity } => {
                write!(out, r#"{{"ok":true,"key":"{key}","cost_usd":"#)?;
                match cost {
                    Some(usd) => write!(out, "{usd}")?,
                    None => out.write_str("null")?,
                }
                if *fidelity != Fidelity::Final {
                    write!(out, r#","fidelity":"{}""#, fidelity.word())?;
                }
                out.write_str("}")
            }
            Self::Repeat => out.write_str(r#"{"ok":true,"repeat":true}"#),
            Self::Nothing => out.write_str(r#"{"ok":true,"calls":0}"#),
            Self::Json(text) => out.write_str(text),
            Self::Error(why) => {
                write!(
                    out,
                    r#"{{"ok":false,"error":{}}}"#,
                    serde_json::to_string(why).unwrap_or_else(|_| "\"\"".into())
                )
            }
        }
    }
}
