//! Web searches of OpenAI's Responses API, which are charged in addition to the tokens.

use super::BadLine;
use super::count::Count;
use super::fields::fields;
use super::json::{List, Text};

fields! {
    /// One item of a Responses answer.
    Item {
        kind: Text<'a> = "type",
        status: Text<'a> = "status",
        action: Action<'a> = "action",
    }
}

fields! {
    /// Action of a web search: opening a page and searching within one are not charged.
    Action {
        kind: Text<'a> = "type",
    }
}

fields! {
    /// Use of OpenAI's own tools, as the API sums it up.
    ToolUsage {
        web_search: Searches<'a> = "web_search",
    }
}

fields! {
    /// Web searches.
    Searches {
        count: Count = "num_requests",
    }
}

impl Item<'_> {
    fn is_charged_search(&self) -> bool {
        self.kind.get() == Some("web_search_call")
            && matches!(self.status.get(), None | Some("completed"))
            && matches!(self.action.kind.get(), None | Some("search"))
    }
}

/// Web searches that an answer is charged for: those the API sums up, else those among the items of the answer.
///
/// Citations are no searches: one search brings many, or none at all.
///
/// # Errors
/// [`BadLine`] when their number is not believable.
pub(super) fn charged(output: &List<Item<'_>>, tools: &ToolUsage<'_>) -> Result<u32, BadLine> {
    let summed = &tools.web_search.count;
    let searches = if summed.is_given() {
        summed.tokens("num_requests")?
    } else {
        output.0.iter().filter(|item| item.is_charged_search()).count() as u64
    };
    Ok(u32::try_from(searches).unwrap_or(u32::MAX))
}
