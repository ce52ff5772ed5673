//! The tools for today, sessions and reports. Their arguments are flags of the command.

use serde_json::Value;

use super::arguments::ReportCommand;
use super::{Arguments, Tool, schema};
use crate::app::catch_up::Books;
use crate::app::names::complete;
use crate::app::sessions::only_session;
use crate::app::{Context, Exit, Failure};
use crate::cli::ReportArgs;
use crate::commands::{report, report_query};
use crate::domain::Dimension;
use crate::ledger::Report;

/// The report for these arguments, which are flags of the command.
pub(super) fn report(
    tool: Tool,
    context: &Context<'_>,
    books: &mut Books,
    arguments: &Arguments,
) -> Result<Report, Failure> {
    let mut command = ReportCommand::new();
    match tool {
        Tool::Today => {
            command.period("day");
            command.flag("since", "today");
            if !arguments.contains_key("by") {
                command.flag("by", "model");
            }
        }
        Tool::Sessions => {
            command.period("session");
            command.flag("order", "desc");
            if !arguments.contains_key("limit") {
                command.flag("limit", schema::SESSIONS);
            }
        }
        Tool::Report | Tool::Limits | Tool::Explain => {
            let period = arguments.get("period").filter(|period| !period.is_null());
            let period = period.map_or(Some("day"), Value::as_str).filter(|period| report::grain(period).is_some());
            let wrong = || Failure::new(Exit::Usage, "'period' is day, week, month, session, call or total");
            command.period(period.ok_or_else(wrong)?);
            if !arguments.contains_key("limit") {
                command.flag("limit", schema::MOST);
            }
        }
    }
    command.arguments(arguments)?;
    let ReportArgs { words, by, session, order, limit, filters, .. } = command.parsed()?;
    let (grain, _) = report::grain_and_paths(&words);
    if limit.is_some_and(|limit| limit > schema::MOST_ROWS) {
        return Err(Failure::new(Exit::Usage, format!("'limit' is at most {}", schema::MOST)));
    }
    let zone = context.settings.zone;
    let mut filter = filters.filter(context.now(), zone, &context.settings.ticket, context.settings.week_start);
    complete(&books.ledger, &mut filter)?;
    if let Some(session) = session {
        filter.only.push((Dimension::Session, only_session(&books.ledger, &session, &filter)?));
    }
    let query = report_query::query(
        &books.ledger,
        grain,
        by,
        filter,
        zone,
        (order.as_deref(), limit),
        &context.settings.ticket,
    )?;
    report_query::answer(books, &query, false)
}
