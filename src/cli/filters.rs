//! Filter arguments shared by all commands that select calls.

use chrono::Weekday;

use crate::domain::{Dimension, Filter, Instant, Label, Matcher, TicketPattern, Zone, project_of};

use super::When;

// No doc comment: clap would show it as the description of every command that takes these filters.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Filters")]
pub struct Filters {
    /// Only this user; `*` matches any characters, a comma separates users, and `\*` and `\,` stand for themselves
    #[arg(long, value_name = "NAME")]
    pub user: Vec<String>,
    /// Only this project
    #[arg(long, value_name = "PATH")]
    pub project: Vec<String>,
    /// Only this model
    #[arg(long, value_name = "NAME")]
    pub model: Vec<String>,
    /// Only this sub-agent
    #[arg(long, value_name = "NAME")]
    pub agent: Vec<String>,
    /// Only this team
    #[arg(long, value_name = "NAME")]
    pub team: Vec<String>,
    /// Only this feature
    #[arg(long, value_name = "NAME")]
    pub feature: Vec<String>,
    /// Only this organisation
    #[arg(long, value_name = "NAME")]
    pub org: Vec<String>,
    /// Only this agent, by its log format, such as claude-code
    #[arg(long, value_name = "NAME")]
    pub source: Vec<String>,
    /// Only this git branch
    #[arg(long, value_name = "NAME")]
    pub branch: Vec<String>,
    /// Only branches of this ticket
    #[arg(long, value_name = "NAME")]
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
        let matcher = |dimension: Dimension, name: Name| {
            let label = Label::new(&name.text);
            let text = if dimension == Dimension::Project { project_of(&label) } else { label.as_str() };
            if dimension == Dimension::Ticket {
                Matcher::ticket(tickets, text)
            } else if name.is_exact {
                Matcher::exact(text)
            } else {
                Matcher::new(text)
            }
        };
        let only = self.groups().into_iter().flat_map(|(dimension, texts)| {
            let names = texts.iter().flat_map(move |text| names_in(text, is_list(dimension)));
            names.map(move |name| (dimension, matcher(dimension, name)))
        });
        Filter {
            only: only.collect(),
            since: self.since.map(|when| when.start(now, zone, week_start)),
            until: self.until.map(|when| when.end(now, zone, week_start)),
        }
    }

    /// The filter as text, for a screen's header: `project /home/kim/web-shop · since 2026-11-20`; empty without a
    /// filter.
    pub fn words(&self, now: Instant, zone: Zone) -> String {
        let asked = self.groups().into_iter().filter(|(_, texts)| !texts.is_empty());
        let mut words: Vec<String> = asked
            .map(|(dimension, texts)| {
                let names = texts.iter().flat_map(|text| names_in(text, is_list(dimension))).map(|name| name.text);
                format!("{} {}", word(dimension), names.collect::<Vec<_>>().join(", "))
            })
            .collect();
        let times = [("since", self.since), ("until", self.until)];
        words.extend(times.into_iter().filter_map(|(word, when)| Some(format!("{word} {}", when?.words(now, zone)))));
        Label::new(&words.join(" · ")).to_string()
    }

    fn groups(&self) -> [(Dimension, &[String]); 10] {
        [
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
        ]
    }
}

/// True if a comma separates names of this dimension. In the others a comma is often part of the name.
fn is_list(dimension: Dimension) -> bool {
    [Dimension::User, Dimension::Model, Dimension::Team, Dimension::Source, Dimension::Ticket].contains(&dimension)
}

/// The dimension in a sentence.
fn word(dimension: Dimension) -> &'static str {
    if dimension == Dimension::Agent {
        "sub-agent"
    } else if dimension == Dimension::Org {
        "organisation"
    } else {
        dimension.name()
    }
}

/// A name in an argument.
struct Name {
    text: String,
    /// True if its stars are part of the name.
    is_exact: bool,
}

/// The names in an argument. After a backslash, a comma or a star is part of the name; other backslashes are, too.
fn names_in(text: &str, is_list: bool) -> Vec<Name> {
    let mut names = vec![Name { text: String::new(), is_exact: false }];
    let (mut letters, mut is_pattern) = (text.chars().peekable(), false);
    while let Some(letter) = letters.next() {
        let Some(name) = names.last_mut() else { break };
        match (letter, letters.peek()) {
            ('\\', Some(',' | '*')) => {
                name.is_exact |= !is_pattern && letters.peek() == Some(&'*');
                name.text.extend(letters.next());
            }
            (',', _) if is_list => {
                names.push(Name { text: String::new(), is_exact: false });
                is_pattern = false;
            }
            _ => {
                is_pattern |= letter == '*';
                name.is_exact &= !is_pattern;
                name.text.push(letter);
            }
        }
    }
    names
}

/// The argument for exactly this name, or for the pattern in it, without separating names at commas.
pub(crate) fn without_separators(name: &str) -> String {
    name.replace(',', "\\,")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_or_a_star_behind_a_backslash_is_part_of_the_name() {
        let zone = Zone::UTC;
        let only = |filters: Filters| {
            filters.filter(Instant::UNIX_EPOCH, zone, &TicketPattern::default(), Weekday::Mon).only.into_iter()
        };
        let users = |text: &str| {
            let filters = Filters { user: vec![text.to_owned()], ..Filters::default() };
            only(filters).map(|(_, matcher)| matcher).collect::<Vec<_>>()
        };
        assert_eq!(users("a,b*"), [Matcher::new("a"), Matcher::new("b*")]);
        assert_eq!(users(r"a\,b,c"), [Matcher::new("a,b"), Matcher::new("c")]);
        assert_eq!(users(r"\*,\*x*,*"), [Matcher::exact("*"), Matcher::new("*x*"), Matcher::new("*")]);
        assert_eq!(users(r"a\b\\,c"), [Matcher::new(r"a\b\,c")]);
        for name in ["a,b", r"a\,b", r"\", ",", r"C:\x"] {
            assert_eq!(users(&without_separators(name)), [Matcher::new(name)], "{name}");
        }
        let project = vec![r"/u/x,y".to_owned(), r"/u/\*\,".to_owned()];
        let projects = only(Filters { project, ..Filters::default() }).map(|(_, matcher)| matcher);
        assert_eq!(projects.collect::<Vec<_>>(), [Matcher::new("/u/x,y"), Matcher::exact("/u/*,")]);
    }

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
