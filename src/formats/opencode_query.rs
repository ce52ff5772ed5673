//! Queries for the databases of OpenCode and its forks.

use super::{RowQuery, Schema};

/// Column indexes in a row, after its number and the time of its last change.
pub(super) const SESSION: usize = 2;
pub(super) const DATA: usize = 3;
pub(super) const ROOT: usize = 4;
pub(super) const PARENT: usize = 5;
pub(super) const BEGAN: usize = 6;
pub(super) const FOLDER: usize = 7;
/// The counts of each step, if a message may have taken several.
pub(super) const STEPS: usize = 8;
/// The message's own cost, if its data includes the cost of others.
pub(super) const COST: usize = 9;

/// Facts about the session of a row: its root session, if it is another one; when it was created; its folder.
fn of_session(table: &str, sessions: &str, schema: &Schema) -> (String, String) {
    let [parent, began, folder] =
        ["parent_id", "time_created", "directory"].map(|column| schema.column(sessions, column));
    let root = if parent == "NULL" {
        parent.clone()
    } else {
        format!(
            "CASE WHEN {parent} IS NOT NULL THEN (WITH RECURSIVE above(id, parent) AS (SELECT one.id, one.parent_id \
             FROM {sessions} AS one WHERE one.id = {parent} UNION SELECT one.id, one.parent_id FROM {sessions} AS one \
             JOIN above ON one.id = above.parent) SELECT id FROM above WHERE parent IS NULL OR NOT EXISTS \
             (SELECT 1 FROM {sessions} AS one WHERE one.id = parent) LIMIT 1) END"
        )
    };
    let join = if schema.has(sessions, &["id"]) {
        format!(" LEFT JOIN {sessions} ON {sessions}.id = {table}.session_id")
    } else {
        String::new()
    };
    (format!("{root}, {parent}, {began}, {folder}"), join)
}

/// The messages of all versions before 2. `has_costs_of_others` means that a message's cost includes that of
/// sub-agents.
pub(super) fn messages(schema: &Schema, has_costs_of_others: bool) -> RowQuery {
    let updated = schema.column("message", "time_updated");
    let changed =
        if updated == "NULL" { String::new() } else { format!(" WHERE message.rowid > ?1 OR {updated} >= ?2") };
    let (facts, join) = of_session("message", "session", schema);
    let (mut steps, mut cost) = ("NULL".to_owned(), "NULL".to_owned());
    if schema.has("part", &["message_id", "data"]) {
        let of_steps = "FROM part WHERE part.message_id = message.id AND json_valid(part.data) \
                        AND json_extract(part.data, '$.type') = 'step-finish'";
        steps = format!(
            "CASE WHEN json_valid(message.data) AND json_extract(message.data, '$.role') = 'assistant' \
             AND json_extract(message.data, '$.finish') IS NULL \
             THEN (SELECT json_group_array(json_extract(part.data, '$.tokens')) {of_steps}) END"
        );
        if has_costs_of_others && schema.has("session", &["id", "parent_id"]) {
            cost = format!(
                "CASE WHEN EXISTS (SELECT 1 FROM session AS child WHERE child.parent_id = message.session_id) \
                 THEN (SELECT SUM(json_extract(part.data, '$.cost')) {of_steps}) END"
            );
        }
    }
    let sql = format!(
        "SELECT message.rowid, {updated}, message.session_id, message.data, {facts}, {steps}, {cost} \
         FROM message{join}{changed}"
    );
    RowQuery { table: "message", sql }
}

/// The messages of version 2, without their texts, and without those that are also in version 1's table, which happens
/// in the session that was in progress during the change.
pub(super) fn newer_messages(schema: &Schema) -> RowQuery {
    let table = "session_message";
    let sessions = if schema.has("session_v2", &["id"]) { "session_v2" } else { "session" };
    let (updated, began) = (schema.column(table, "time_updated"), schema.column(table, "time_created"));
    let (facts, join) = of_session(table, sessions, schema);
    let mut conditions = vec![format!("{table}.type = 'assistant' AND json_valid({table}.data)")];
    if updated != "NULL" {
        conditions.push(format!("({table}.rowid > ?1 OR {updated} >= ?2)"));
    }
    if began != "NULL" && schema.has("message", &["session_id", "data", "time_created", "time_updated"]) {
        conditions.push(format!(
            "NOT COALESCE((SELECT COALESCE(json_extract(message.data, '$.time.completed'), message.time_updated) >= {began} \
             FROM message WHERE message.session_id = {table}.session_id AND message.time_created <= {began} \
             AND json_extract(message.data, '$.role') = 'assistant' ORDER BY message.time_created DESC LIMIT 1), 0)"
        ));
    }
    let sql = format!(
        "SELECT {table}.rowid, {updated}, {table}.session_id, \
         json_remove({table}.data, '$.content', '$.snapshot'), {facts}, NULL, NULL FROM {table}{join} WHERE {}",
        conditions.join(" AND ")
    );
    RowQuery { table, sql }
}
