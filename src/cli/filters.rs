//! Filter arguments shared by all commands that select calls.

use crate::domain::{Dimension, Filter, Instant, Label, Matcher, TicketPattern, Zone, project_of};

use super::When;

// No doc comment: clap would show it as the description of every command that takes these filters.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Filters")]
pub struct Filters {
    /// Only this user; `*` matches any characters, and several may be given
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub user: Vec<String>,
    /// Only this project
    #[arg(long, value_name = "PATH")]
    pub project: Vec<String>,
    /// Only this model
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub model: Vec<String>,
    /// Only this sub-agent
    #[arg(long, value_name = "NAME")]
    pub agent: Vec<String>,
    /// Only this team
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub team: Vec<String>,
    /// Only this feature
    #[arg(long, value_name = "NAME")]
    pub feature: Vec<String>,
    /// Only this organisation
    #[arg(long, value_name = "NAME")]
    pub org: Vec<String>,
    /// Only this log format
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub source: Vec<String>,
    /// Only this git branch
    #[arg(long, value_name = "NAME")]
    pub branch: Vec<String>,
    /// Only branches of this ticket
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub ticket: Vec<String>,
    /// From this time on: 2026-11-22, 2026-11, today, yesterday, 7d, 12h
    #[arg(long, value_name = "WHEN", value_parser = super::when::parse_when)]
    pub since: Option<When>,
    /// Up to this time; days and months are included in full
    #[arg(long, value_name = "WHEN", value_parser = super::when::parse_when)]
    pub until: Option<When>,
}

impl Filters {
    /// The filter for these arguments.
    ///
    /// Names are cleaned like names in logs, so that names copied from a report match.
    pub fn filter(&self, now: Instant, zone: Zone, tickets: &TicketPattern) -> Filter {
        let groups = [
            (Dimension::User, &self.user),
            (Dimension::Project, &self.project),
            (Dimension::Model, &self.model),
            (Dimension::Agent, &self.agent),
            (Dimension::Team, &self.team),
            (Dimension::Feature, &self.feature),
            (Dimension::Org, &self.org),
            (Dimension::Source, &self.source),
            (Dimension::Branch, &self.branch),
            (Dimension::Ticket, &self.ticket),
        ];
        let only = groups
            .into_iter()
            .flat_map(|(dimension, names)| {
                names.iter().map(move |name| {
                    let name = Label::new(name);
                    let matcher = if dimension == Dimension::Ticket {
                        Matcher::ticket(tickets, &name)
                    } else {
                        let is_project = dimension == Dimension::Project;
                        Matcher::new(if is_project { project_of(&name) } else { name.as_str() })
                    };
                    (dimension, matcher)
                })
            })
            .collect();
        Filter {
            only,
            since: self.since.map(|when| when.start(now, zone)),
            until: self.until.map(|when| when.end(now, zone)),
        }
    }

    /// The filter in words, for a screen's header: `project /home/kim/web-shop`; empty when nothing is filtered out.
    pub fn words(&self) -> String {
        let groups = [
            ("user", &self.user),
            ("project", &self.project),
            ("model", &self.model),
            ("sub-agent", &self.agent),
            ("team", &self.team),
            ("feature", &self.feature),
            ("organisation", &self.org),
            ("source", &self.source),
            ("branch", &self.branch),
            ("ticket", &self.ticket),
        ];
        let asked = groups.into_iter().filter(|(_, names)| !names.is_empty());
        let mut words: Vec<String> = asked.map(|(word, names)| format!("{word} {}", names.join(", "))).collect();
        if self.since.is_some() || self.until.is_some() {
            words.push("some days".to_owned());
        }
        Label::new(&words.join(" · ")).to_string()
    }
}
