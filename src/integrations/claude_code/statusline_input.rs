//! Parses the input that Claude Code gives its status line; any part may be missing, null or of another type.

use serde_json::Value;

use crate::domain::{Instant, Label, Usd};

/// Status reported by an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Agent {
    /// Session id.
    pub(crate) session: Option<Label>,
    /// Path of the transcript, as given.
    pub(crate) transcript: Option<String>,
    /// Display name of the model.
    pub(crate) model: Option<Label>,
    /// Name of the model in logs.
    pub(crate) model_id: Option<Label>,
    /// Project of the working directory.
    pub(crate) project: Option<Label>,
    /// Session cost as reported by the agent.
    pub(crate) cost: Option<Usd>,
    /// Context usage in whole per cent.
    pub(crate) context: Option<u32>,
    /// Usage of the five-hour quota, in whole per cent.
    five_hour: Option<Quota>,
    /// Usage of the seven-day quota.
    seven_day: Option<Quota>,
}

/// Usage of one subscription quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Quota {
    percent: u32,
    resets_at: Option<Instant>,
}

/// Percentage from which the longer quota is shown too.
const SCARCE: u32 = 80;

impl Agent {
    /// Parses what it can; `None` if the input is not an object.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        value.as_object()?;
        let text = |path: &str| value.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty());
        let name = |path: &str| text(path).map(Label::new);
        let quota = |path: &str| {
            let window = value.pointer(path)?;
            let resets_at = window.get("resets_at").and_then(Value::as_i64);
            Some(Quota {
                percent: percent(window.get("used_percentage")?)?,
                resets_at: resets_at.and_then(|seconds| Instant::from_timestamp(seconds, 0)),
            })
        };
        Some(Self {
            session: name("/session_id"),
            transcript: text("/transcript_path").map(str::to_owned),
            model: name("/model/display_name"),
            model_id: name("/model/id").or_else(|| name("/model")),
            project: name("/workspace/project_dir").or_else(|| name("/workspace/current_dir")).or_else(|| name("/cwd")),
            cost: value.pointer("/cost/total_cost_usd").and_then(dollars),
            context: value.pointer("/context_window/used_percentage").and_then(percent),
            five_hour: quota("/rate_limits/five_hour"),
            seven_day: quota("/rate_limits/seven_day"),
        })
    }

    /// Drops quotas whose window has ended, since usage of the new one is unknown.
    pub(crate) fn forget_past(&mut self, now: Instant) {
        for quota in [&mut self.five_hour, &mut self.seven_day] {
            *quota = quota.filter(|quota| quota.resets_at.is_none_or(|at| at > now));
        }
    }

    /// `5h 23%`, with the week's appended when scarce: `5h 23% 7d 91%`.
    pub(crate) fn quota(&self) -> Option<String> {
        let five = self.five_hour.map(|quota| format!("5h {}%", quota.percent));
        let scarce = |quota: &Quota| quota.percent >= SCARCE || five.is_none();
        let seven = self.seven_day.filter(scarce).map(|quota| format!("7d {}%", quota.percent));
        let words: Vec<String> = five.into_iter().chain(seven).collect();
        (!words.is_empty()).then(|| words.join(" "))
    }
}

/// An exact dollar amount; `None` for invalid values and for zero.
fn dollars(value: &Value) -> Option<Usd> {
    let (usd, _) = Usd::parse(&value.as_number()?.to_string()).ok()?;
    Some(usd).filter(|usd| *usd > Usd::ZERO)
}

/// A percentage rounded down; `None` for invalid values.
fn percent(value: &Value) -> Option<u32> {
    let number = value.as_f64().filter(|number| (0.0..1000.0).contains(number))?;
    format!("{:.0}", number.floor()).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_of_it_is_read() {
        let agent = Agent::read(
            br#"{"cwd":"/w","session_id":"abc","transcript_path":"/t.jsonl","model":{"id":"claude-opus-5","display_name":"Opus"},
                "workspace":{"current_dir":"/w/in","project_dir":"/w"},"context_window":{"used_percentage":8},
                "cost":{"total_cost_usd":0.1234},"rate_limits":{"five_hour":{"used_percentage":23.5,"resets_at":1738425600},"seven_day":{"used_percentage":91.2}}}"#,
        )
        .unwrap();
        assert_eq!(agent.quota().unwrap(), "5h 23% 7d 91%");
        assert_eq!(agent.cost, Some(Usd::parse("0.1234").unwrap().0));
        assert_eq!((agent.context, agent.project.as_deref()), (Some(8), Some("/w")));
        let mut later = agent;
        later.forget_past(Instant::from_timestamp(1_738_425_600, 0).unwrap());
        assert_eq!(later.quota().unwrap(), "7d 91%");
    }

    #[test]
    fn whatever_is_missing_or_strange_is_not_known() {
        let strange = br#"{"session_id":7,"model":"claude-opus-5","context_window":null,"cost":{"total_cost_usd":-5},
            "rate_limits":{"five_hour":{"used_percentage":-1},"seven_day":{"used_percentage":"9"}}}"#;
        let agent = Agent::read(strange).unwrap();
        assert_eq!(agent, Agent { model_id: Some(Label::new("claude-opus-5")), ..Agent::default() });
        for nothing in [&b""[..], b"null", b"[1]", b"{\"a\":", b"\xff"] {
            assert_eq!(Agent::read(nothing), None);
        }
    }
}
