//! Web searches in OpenAI's Responses API, which are charged on top of the tokens.

use super::BadLine;
use super::count::Count;
use super::fields::fields;
use super::json::{List, Text};

fields! {
    /// One item of a response.
    Item {
        kind: Text<'a> = "type",
        status: Text<'a> = "status",
        action: Action<'a> = "action",
    }
}

fields! {
    /// Action of a web search. Opening a page and searching within one are free.
    Action {
        kind: Text<'a> = "type",
    }
}

fields! {
    /// Usage of OpenAI's own tools, summed up by the API.
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

/// Number of web searches charged for an answer: the API's sum, or else the searches among its items.
///
/// Citations do not count, because one search gives many of them, or none.
///
/// # Errors
/// [`BadLine`] when the number is implausible.
pub(super) fn charged(output: &List<Item<'_>>, tools: &ToolUsage<'_>) -> Result<u32, BadLine> {
    let summed = &tools.web_search.count;
    if summed.is_given() {
        return summed.searches("num_requests");
    }
    let searches = output.0.iter().filter(|item| item.is_charged_search()).count();
    Ok(u32::try_from(searches).unwrap_or(u32::MAX))
}
