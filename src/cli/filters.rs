//! Filter arguments shared by all commands that select calls.

use chrono::Weekday;

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
    /// From this time on: 2026-11-22, 2026-11, today, "last week", "3 days ago", 7d, 12h
    #[arg(long, value_name = "WHEN", value_parser = super::when::parse_when)]
    pub since: Option<When>,
    /// Up to this time; days, weeks and months are included in full
    #[arg(long, value_name = "WHEN", value_parser = super::when::parse_when)]
    pub until: Option<When>,
}

impl Filters {
    /// The filter for these arguments.
    ///
    /// Names are cleaned like names in logs, so names copied from a report match.
    pub fn filter(&self, now: Instant, zone: Zone, tickets: &TicketPattern, week_start: Weekday) -> Filter {
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
            since: self.since.map(|when| when.start(now, zone, week_start)),
            until: self.until.map(|when| when.end(now, zone, week_start)),
        }
    }

    /// The filter as text, for a screen's header: `project /home/kim/web-shop · since 2026-11-20`; empty without a
    /// filter.
    pub fn words(&self, now: Instant, zone: Zone) -> String {
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
        let times = [("since", self.since), ("until", self.until)];
        words.extend(times.into_iter().filter_map(|(word, when)| Some(format!("{word} {}", when?.words(now, zone)))));
        Label::new(&words.join(" · ")).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_days_where_they_are_days_and_in_local_time() {
        let now = Instant::from_timestamp(1_795_348_800, 0).unwrap(); // 2026-11-22 12:00 UTC
        let zone = Zone::named("Europe/Rome").unwrap();
        let words = |since: Option<&str>, until: Option<&str>| {
            let when = |text: Option<&str>| text.map(|text| text.parse().unwrap());
            let model = vec!["opus-5".to_owned()];
            Filters { model, since: when(since), until: when(until), ..Filters::default() }.words(now, zone)
        };
        let cases = [
            (None, None, "model opus-5"),
            (Some("2026-11-20"), None, "model opus-5 · since 2026-11-20"),
            (Some("2026-10"), Some("yesterday"), "model opus-5 · since 2026-10 · until 2026-11-21"),
            (
                Some("2h"),
                Some("2026-11-22T11:30:00Z"),
                "model opus-5 · since 2026-11-22 11:00 · until 2026-11-22 12:30",
            ),
        ];
        for (since, until, expected) in cases {
            assert_eq!(words(since, until), expected);
        }
        assert_eq!(Filters::default().words(now, zone), "");
    }
}
