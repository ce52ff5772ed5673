//! Builds a refusal in the form that each event accepts.

use serde_json::{Value, json};

use crate::commands::gate::GateAnswer;
use crate::domain::Label;
use crate::integrations::claude_code::hook_input::Moment;

/// Maximum length of texts. Claude Code allows 10,000 characters.
pub(crate) const LONGEST: usize = 4_000;

/// The form of refusal that each event accepts.
pub(crate) fn refusal(moment: Moment, answer: &GateAnswer, session: Option<&str>) -> Option<Value> {
    let reason = answer.reason.clone().unwrap_or_default();
    // Only the user sees this. The model does not learn how to override its limits.
    // An override is recorded in the ledger.
    let way_out = session.filter(|_| answer.is_liftable).map(Label::new).map_or_else(String::new, |session| {
        format!("\nTo continue this session anyway: tokmeter limits override {session} --reason WHY")
    });
    let for_person = cut(&format!("{reason}{way_out}"));
    match moment {
        Moment::UserPromptSubmit => Some(json!({ "decision": "block", "reason": for_person })),
        Moment::PreToolUse => Some(json!({
            "continue": false,
            "stopReason": for_person,
            "hookSpecificOutput": {
                "hookEventName": moment.name(),
                "permissionDecision": "deny",
                "permissionDecisionReason": cut(&reason),
            },
        })),
        Moment::PostToolBatch => Some(json!({
            "continue": false,
            "stopReason": for_person,
            "decision": "block",
            "reason": cut(&reason),
        })),
        // A session may start; its first prompt is refused.
        Moment::SessionStart => Some(json!({ "systemMessage": cut(&format!("tokmeter: {reason}")) })),
        Moment::Stop | Moment::SubagentStop | Moment::SessionEnd | Moment::Other => None,
    }
}

/// Truncates a text to the length limit.
pub(crate) fn cut(text: &str) -> String {
    crate::commands::printable(text).chars().take(LONGEST).collect()
}
