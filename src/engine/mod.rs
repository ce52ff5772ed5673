//! The running meter below every interface: the log reader, the thread that owns the ledger, alerts, the socket, and
//! how they start and stop. An interface receives events and sends requests. The engine does not know the interfaces.

mod admissions;
mod alert_delivery;
mod any_ledger;
mod config_edits;
pub(crate) mod daily;
mod demo;
mod driver;
#[cfg(test)]
mod fixture;
pub(crate) mod health;
mod inbox;
mod ledger_thread;
mod lifecycle;
mod log_reader;
#[cfg(test)]
mod mail_server;
mod otlp_export;
pub(crate) mod playback;
pub(crate) mod process;
mod protocol;
mod questions;
mod scrape;
mod start_stop;

pub(crate) use crate::ingest::FRAME;
pub(crate) use admissions::{Admitted, LimitState};
pub(crate) use alert_delivery::{Accepted, Channel, Message};
pub(crate) use any_ledger::AnyLedger;
pub(crate) use config_edits::{Callbacks, Caveats};
pub(crate) use demo::{Scene, Step, limits as demo_limits, scene as demo_scene};
pub(crate) use driver::Driver;
pub(crate) use ledger_thread::salvaged_words;
pub(crate) use otlp_export::{Destination, Exporter};
pub use protocol::{
    BadLineView, EngineEvent, Explained, HealthView, LedgerView, ModelView, NewSettings, Note, Progress, Request,
    SourceView, Tone, Watching,
};
pub(crate) use questions::{QueryContext, Question};
pub(crate) use scrape::Scrape;
pub(crate) use start_stop::{Clock, Engine, EngineClient, Events, Setup, StartError, Stdin, owner_of};
