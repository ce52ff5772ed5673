//! Converts a tool's arguments to flags of the command that gives the same answer, so that both mean the same.

use std::ffi::OsString;

use serde_json::Value;

use super::Arguments;
use crate::app::{Exit, Failure};
use crate::cli::{self, Command, ReportArgs};

/// Maximum number of values of one argument.
const MOST_VALUES: usize = 100;

/// The arguments of a `tokmeter report` command.
pub(super) struct ReportCommand(Vec<OsString>);

impl ReportCommand {
    pub(super) fn new() -> Self {
        Self(vec!["tokmeter".into(), "report".into()])
    }

    /// Adds the period, one of the command's words.
    pub(super) fn period(&mut self, period: &str) {
        self.0.push(period.into());
    }

    pub(super) fn flag(&mut self, name: &str, value: &str) {
        self.0.push(format!("--{name}={value}").into());
    }

    /// Adds arguments, each a text, a number, or a list of texts.
    pub(super) fn arguments(&mut self, arguments: &Arguments) -> Result<(), Failure> {
        for (name, value) in arguments.iter().filter(|(name, _)| *name != "period") {
            match value {
                Value::Null => {}
                Value::String(text) => self.flag(name, text),
                Value::Number(number) if name == "limit" => {
                    // In JSON Schema, 1.0 is an integer.
                    let number = number.to_string();
                    self.flag(name, number.strip_suffix(".0").unwrap_or(&number));
                }
                Value::Array(values) if values.len() <= MOST_VALUES => {
                    // A list needs no separators within its texts.
                    let is_name = !["by", "session", "order", "since", "until"].contains(&name.as_str());
                    for value in values {
                        let text = value.as_str().ok_or_else(|| wrong(name))?;
                        self.flag(name, &if is_name { cli::without_separators(text) } else { text.to_owned() });
                    }
                }
                Value::Array(_) | Value::Number(_) | Value::Bool(_) | Value::Object(_) => return Err(wrong(name)),
            }
        }
        Ok(())
    }

    /// Parses them as the command does.
    pub(super) fn parsed(self) -> Result<ReportArgs, Failure> {
        let cli = cli::parse(&self.0).map_err(|error| {
            let why = cli::mistake(&error, str::to_owned);
            Failure::new(Exit::Usage, why)
        })?;
        match cli.command {
            Some(Command::Report(args)) => Ok(args),
            _ => Err(Failure::new(Exit::Usage, "these arguments are not those of a report")),
        }
    }
}

/// The key of a call, which must be given.
pub(super) fn key(arguments: &Arguments) -> Result<&str, Failure> {
    match arguments.get("key") {
        Some(Value::String(key)) => Ok(key),
        None | Some(Value::Null) => Err(Failure::new(Exit::Usage, "'key' is missing")),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => Err(wrong("key")),
    }
}

fn wrong(name: &str) -> Failure {
    let kind = match name {
        "limit" => "a whole number",
        "key" => "a text",
        _ => "a text, or a list of up to 100",
    };
    Failure::new(Exit::Usage, format!("'{name}' must be {kind}"))
}
