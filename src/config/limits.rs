//! The `[limits]` table: scopes nested in any order, down to a window with an amount.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::Env;
use super::amount::{AMOUNT, parse_amount, parse_count, parse_usd};
use super::diagnostic::{quoted, suggestion};
use super::scope::{LimitKey, TABLES, WINDOWS, matcher, project, scope, window, windows};
use super::toml_reader::{Node, TomlReader};
use crate::domain::{Dimension, Matcher, sort_by};
use crate::meter::{Amount, Limit, Scope, Window};

/// Parses the table; limits are returned in the order of their names.
///
/// Unknown keys are errors here, not warnings: a typo must not disable a limit.
pub(crate) fn read(reader: &mut TomlReader<'_>, node: &Node<'_, '_>, env: &Env, warn_at: &[u8]) -> Vec<Limit> {
    let mut limits = LimitReader { env, warn_at, found: BTreeMap::new() };
    match node.table() {
        Some(table) => limits.table(reader, table, &mut Vec::new(), "limits"),
        None => {
            reader.error(
                node.span.clone(),
                format!("'limits' is {}; give a table: [limits]", reader.describe_value(node)),
            );
        }
    }
    limits.found.into_values().map(|(limit, _)| limit).collect()
}

/// Parses warning percentages: one number or several.
pub(crate) fn percentages(node: &Node<'_, '_>) -> Option<Vec<u8>> {
    let one = |node: &Node<'_, '_>| node.whole_in(1..=100);
    let mut all: Vec<u8> = match node.list() {
        Some(list) => list.iter().map(one).collect::<Option<_>>()?,
        None => vec![one(node)?],
    };
    sort_by(&mut all, Ord::cmp);
    all.dedup();
    Some(all)
}

/// Syntax of percentages, for messages.
pub(crate) const PERCENTAGES: &str = "a percentage from 1 to 100, or several: [50, 80, 95]";

struct LimitReader<'w> {
    env: &'w Env,
    warn_at: &'w [u8],
    found: BTreeMap<LimitKey, (Limit, Range<usize>)>,
}

impl LimitReader<'_> {
    fn table(
        &mut self,
        reader: &mut TomlReader<'_>,
        table: &DeTable<'_>,
        only: &mut Vec<(Dimension, Matcher)>,
        path: &str,
    ) {
        for (key, value) in table {
            let (name, node) = (key.get_ref().as_ref(), Node::new(value));
            let path = format!("{path}.{name}");
            if let Some(window) = window(name) {
                self.limit(reader, &node, scope(only.clone()), window, &path);
            } else if let Some((dimension, _)) = TABLES.iter().find(|(_, table)| *table == name) {
                self.names(reader, &node, *dimension, only, &path);
            } else if name == "org" && only.is_empty() {
                self.organisation(reader, &node, &path);
            } else {
                let tables = TABLES.iter().map(|(_, table)| *table);
                let org = only.is_empty().then_some("org");
                let known = WINDOWS.iter().map(|(name, _)| *name).chain(tables.clone()).chain(org);
                let close = suggestion(name, known);
                let tables: Vec<&str> = tables.collect();
                let there = if close.is_empty() {
                    format!("; there are the windows {}, and the tables {}, org", windows(), tables.join(", "))
                } else {
                    close
                };
                reader.error(key.span(), format!("limits: unknown key {}{there}", quoted(name)));
            }
        }
    }

    /// Parses a table such as `users`, keyed by name.
    fn names(
        &mut self,
        reader: &mut TomlReader<'_>,
        node: &Node<'_, '_>,
        dimension: Dimension,
        only: &mut Vec<(Dimension, Matcher)>,
        path: &str,
    ) {
        if only.iter().any(|(known, _)| *known == dimension) {
            return reader
                .error(node.span.clone(), format!("{}: names a {dimension} within a {dimension}", quoted(path)));
        }
        let Some(table) = node.table() else {
            let found = reader.describe_value(node);
            return reader.error(node.span.clone(), format!("{} is {found}; give a table of names", quoted(path)));
        };
        for (key, value) in table {
            let (name, node) = (key.get_ref().as_ref(), Node::new(value));
            let path = format!("{path}.{name}");
            if name.is_empty() {
                reader.error(key.span(), format!("{}: the name is empty", quoted(&path)));
                continue;
            }
            let Some(inner) = node.table() else {
                let found = reader.describe_value(&node);
                let expected = format!(
                    "{} is {found}; give a table with a window, such as {{ day = {{ usd = 5 }} }}",
                    quoted(&path)
                );
                reader.error(node.span.clone(), expected);
                continue;
            };
            let is_project = dimension == Dimension::Project;
            only.push((dimension, if is_project { project(self.env, name) } else { matcher(dimension, name) }));
            self.table(reader, inner, only, &path);
            only.pop();
        }
    }

    fn organisation(&mut self, reader: &mut TomlReader<'_>, node: &Node<'_, '_>, path: &str) {
        let Some(table) = node.table() else {
            let found = reader.describe_value(node);
            return reader.error(
                node.span.clone(),
                format!(
                    "{} is {found}; give a table with a window, such as {{ day = {{ usd = 1000 }} }}",
                    quoted(path)
                ),
            );
        };
        for (key, value) in table {
            let (name, path) = (key.get_ref().as_ref(), format!("{path}.{}", key.get_ref()));
            match window(name) {
                Some(window) => self.limit(reader, &Node::new(value), Scope::organisation(), window, &path),
                None => {
                    let close = suggestion(name, WINDOWS.iter().map(|(name, _)| *name));
                    let hint = if close.is_empty() {
                        format!("; 'org' takes windows: {}; one organisation of several is limits.orgs.NAME", windows())
                    } else {
                        close
                    };
                    reader.error(key.span(), format!("limits.org: unknown key {}{hint}", quoted(name)));
                }
            }
        }
    }

    fn limit(&mut self, reader: &mut TomlReader<'_>, node: &Node<'_, '_>, scope: Scope, window: Window, path: &str) {
        let label = format!("limit {}", quoted(path.strip_prefix("limits.").unwrap_or(path)));
        let mut warn_at = self.warn_at.to_vec();
        let amount = match node.value {
            DeValue::String(text) => parse_amount(text)
                .map_err(|why| {
                    reader.error(node.span.clone(), format!("{label}: {} {why}", reader.describe_value(node)));
                })
                .ok(),
            DeValue::Table(table) => amount(reader, table, &label, &mut warn_at)
                .map_err(|missing| {
                    if missing {
                        reader.error(node.span.clone(), format!("{label}: states no amount; {AMOUNT}"));
                    }
                })
                .ok(),
            DeValue::Integer(_) | DeValue::Float(_) => {
                let found = reader.describe_value(node);
                reader.error(node.span.clone(), format!("{label}: {found} has no unit; {AMOUNT}"));
                None
            }
            DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) => {
                reader.error(node.span.clone(), format!("{label}: is {}; {AMOUNT}", reader.describe_value(node)));
                None
            }
        };
        let Some(amount) = amount else { return };
        let key = LimitKey { scope: scope.clone(), window };
        let mut limit = (Limit { scope, window, amount, warn_at }, node.span.clone());
        if let Some(other) = self.found.get_mut(&key) {
            // Tables are visited in alphabetical order; the definition that comes first in the text wins.
            if limit.1.start < other.1.start {
                std::mem::swap(other, &mut limit);
            }
            let line = reader.source.place(other.1.clone()).line;
            return reader.error(
                limit.1,
                format!("{label}: the limit {} is already set in line {line}", quoted(&key.to_string())),
            );
        }
        reader.came_from(&key.path().join("."), node.span.clone());
        self.found.insert(key, limit);
    }
}

/// Parses the amounts of `{ usd = 25, tokens = 500_000, output_tokens = 50_000, warn_at = [80] }`.
///
/// # Errors
/// `true` if there is no amount; `false` if one is invalid, which has already been reported.
fn amount(
    reader: &mut TomlReader<'_>,
    table: &DeTable<'_>,
    label: &str,
    warn_at: &mut Vec<u8>,
) -> Result<Amount, bool> {
    let mut amount = Amount::default();
    let mut wrong = false;
    for (key, value) in table {
        let (name, node) = (key.get_ref().as_ref(), Node::new(value));
        let found = reader.describe_value(&node);
        let result: Result<(), String> = match name {
            "usd" => match node.decimal().map(|text| parse_usd(&text)) {
                Some(Ok((usd, exact))) => {
                    if !exact {
                        let message = format!("{label}: 'usd' is {found}, more digits than are kept; taken as {usd}");
                        reader.warning(node.span.clone(), message);
                    }
                    amount.usd = Some(usd);
                    Ok(())
                }
                Some(Err(why)) => Err(format!("{why}; give dollars such as 25 or 0.50")),
                None => Err("; give dollars such as 25 or 0.50".to_owned()),
            },
            "tokens" | "output_tokens" => match node.decimal().map(|text| parse_count(&text)) {
                Some(Ok(count)) => {
                    *if name == "tokens" { &mut amount.tokens } else { &mut amount.output_tokens } = Some(count);
                    Ok(())
                }
                Some(Err(why)) => Err(why),
                None => Err("; give a whole number of tokens such as 500_000".to_owned()),
            },
            "warn_at" => match percentages(&node) {
                Some(percentages) => {
                    *warn_at = percentages;
                    Ok(())
                }
                None => Err(format!("; give {PERCENTAGES}")),
            },
            _ => {
                let close = suggestion(name, ["usd", "tokens", "output_tokens", "warn_at"]);
                let close = if close.is_empty() { "; there are: usd, tokens, output_tokens, warn_at" } else { &close };
                reader.error(key.span(), format!("{label}: unknown key {}{close}", quoted(name)));
                wrong = true;
                continue;
            }
        };
        if let Err(why) = result {
            wrong = true;
            // A message that starts with the expected syntax follows the value; any other describes the value.
            let message =
                if why.starts_with(';') { format!("is {found}{why}") } else { format!("is {found}, which {why}") };
            reader.error(node.span.clone(), format!("{label}: '{name}' {message}"));
        }
    }
    let none = amount == Amount::default();
    if wrong || none { Err(none && !wrong) } else { Ok(amount) }
}
