//! Calls and queries that the socket and the HTTP server send to the running meter, and its replies.

use std::fmt;

use tokio::sync::oneshot;

use crate::domain::{CallKey, Fidelity, Label, Record, Usd};

/// Content of a line, with a channel for the reply.
#[derive(Debug)]
pub struct Delivery {
    /// Content of the line.
    pub content: Content,
    /// Receives the reply. Dropping it rejects the line.
    pub reply: oneshot::Sender<Reply>,
}

/// Content of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Calls to write.
    Records(Vec<Record>),
    /// Calls to write, which the sender keeps and sends again until they are written. They count meanwhile.
    Kept(Vec<Record>),
    /// Calls from one telemetry export. Several exports may be written together, so the reply names no call.
    Export {
        /// The calls.
        records: Vec<Record>,
        /// State of the reader after these calls, if it has changed; written together with them.
        state: Option<String>,
    },
    /// A query, as JSON: `{"query":"gate",…}`.
    Query(String),
}

/// Reply to a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Written to the ledger.
    Booked {
        /// Key of the call.
        key: CallKey,
        /// Its cost, if known.
        cost: Option<Usd>,
        /// Fidelity of its counts. Included in the reply unless final.
        fidelity: Fidelity,
    },
    /// Already known.
    Repeat,
    /// Valid, but without usage.
    Nothing,
    /// Answer to a query, as JSON.
    Json(String),
    /// Rejected, with the reason.
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
