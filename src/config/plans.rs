//! The `[plans]` table: subscriptions and their monthly prices.

use super::diagnostic::quoted;
use super::toml_reader::{Node, Section, TomlReader};
use crate::domain::{Label, Usd, sort_by};
use crate::meter::Plan;

/// Parses the table: each plan has one price, or a list of dated prices.
pub(crate) fn read(reader: &mut TomlReader<'_>, node: &Node<'_, '_>) -> Vec<Plan> {
    let Some(named) = node.table() else {
        let message = format!("'plans' is {}; give a table: [plans.\"my plan\"]", reader.describe_value(node));
        reader.error(node.span.clone(), message);
        return Vec::new();
    };
    let mut plans: Vec<Plan> = Vec::new();
    for (name, node) in named {
        let (name, node) = (name.get_ref().as_ref(), Node::new(node));
        for version in node.list().unwrap_or_else(|| vec![node.clone()]) {
            let Some(plan) = plan(reader, name, &version) else { continue };
            if plans.iter().any(|other| other.name == plan.name && other.from == plan.from) {
                let message =
                    format!("plan {}: there is one from the same day already; give each its own 'from'", quoted(name));
                reader.error(version.span.clone(), message);
                continue;
            }
            reader.came_from(&plan_name(&plan), version.span.clone());
            plans.push(plan);
        }
    }
    sort_by(&mut plans, |one, other| (&one.name, one.from).cmp(&(&other.name, other.from)));
    plans
}

fn plan(reader: &mut TomlReader<'_>, name: &str, node: &Node<'_, '_>) -> Option<Plan> {
    let Some(table) = node.table() else {
        let message = format!(
            "plan {}: is {}; give a table with usd, its price a month",
            quoted(name),
            reader.describe_value(node)
        );
        reader.error(node.span.clone(), message);
        return None;
    };
    let before = reader.problems.len();
    let mut section = Section::new(table, &format!("plans.{name}"), &format!("plan {}", quoted(name)));
    let price = section.read(reader, "usd", "dollars a month such as 20", |node| {
        let (usd, is_exact) = Usd::parse(&node.decimal()?.replace('_', "")).ok()?;
        (is_exact && !usd.is_negative()).then_some(usd)
    });
    let from = section.read(reader, "from", "a day such as 2026-01-01", Node::day);
    let named = section.get("sources").map(|node| node.span);
    let sources = section.read(reader, "sources", "a list of log formats such as [\"claude-code\"]", Node::texts);
    section.finish(reader);
    if price.is_none() && reader.problems.len() == before {
        let message = format!("plan {}: no usd; give its price a month such as 20", quoted(name));
        reader.error(node.span.clone(), message);
    }
    let sources = sources.unwrap_or_default().iter().map(|source| Label::new(source)).collect();
    let plan = Plan { name: Label::new(name), usd: price?, from, sources };
    if let Some(span) = named {
        reader.came_from(&format!("{}.sources", plan_name(&plan)), span);
    }
    Some(plan)
}

/// Key of a plan's origin: one plan can have several prices, by day.
pub(crate) fn plan_name(plan: &Plan) -> String {
    match plan.from {
        Some(from) => format!("plans.{}@{from}", plan.name),
        None => format!("plans.{}", plan.name),
    }
}
