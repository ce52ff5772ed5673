//! Finds the ticket that a git branch is named after.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use regex_lite::Regex;

/// A regular expression that finds a ticket in a branch name: its first group or, if it has none, the whole match.
#[derive(Clone)]
pub struct TicketPattern(Regex);

impl TicketPattern {
    /// The default pattern: it finds `SHOP-12` in `feature/SHOP-12-basket`.
    pub const DEFAULT: &str = "[A-Z]+-[0-9]+";

    /// Compiles a pattern.
    ///
    /// # Errors
    /// When the pattern is not a valid regular expression.
    pub fn new(text: &str) -> Result<Self, String> {
        Regex::new(text).map(Self).map_err(|error| error.to_string())
    }

    /// The ticket in a branch name.
    pub fn find<'a>(&self, branch: &'a str) -> Option<&'a str> {
        let found = self.0.captures(branch)?;
        let ticket = found.get(1).or_else(|| found.get(0))?.as_str();
        (!ticket.is_empty()).then_some(ticket)
    }

    /// The text of the pattern.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl Default for TicketPattern {
    fn default() -> Self {
        Self::new(Self::DEFAULT).expect("the default is a regular expression: a test compiles it")
    }
}

impl fmt::Debug for TicketPattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "/{}/", self.as_str())
    }
}

impl PartialEq for TicketPattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for TicketPattern {}

impl PartialOrd for TicketPattern {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TicketPattern {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for TicketPattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_group_or_the_whole_match_is_the_ticket() {
        let usual = TicketPattern::default();
        for (branch, ticket) in [
            ("feature/SHOP-12-basket", Some("SHOP-12")),
            ("SHOP-12", Some("SHOP-12")),
            ("main", None),
            ("feature/shop-12", None),
            ("", None),
        ] {
            assert_eq!(usual.find(branch), ticket, "{branch}");
        }
        assert_eq!(TicketPattern::new("issue-([0-9]+)").unwrap().find("kim/issue-481-x"), Some("481"));
        assert_eq!(TicketPattern::new("(?i)shop-[0-9]+").unwrap().find("feature/shop-12"), Some("shop-12"));
        assert_eq!(TicketPattern::new("x*").unwrap().find("main"), None, "an empty match is not a ticket");
        assert!(TicketPattern::new("[A-").is_err());
    }
}
