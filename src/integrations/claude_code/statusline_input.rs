//! Parses the input that Claude Code gives its status line. Any part may be missing, null or of another type.

use serde_json::Value;

use crate::domain::{Instant, Label, Quota, Usd};

/// Status reported by an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Agent {
    /// Session id.
    pub(crate) session: Option<Label>,
    /// Path of the transcript, as given.
    pub(crate) transcript: Option<String>,
    /// Display name of the model.
    pub(crate) model: Option<Label>,
    /// Name of the model as in logs.
    pub(crate) model_id: Option<Label>,
    /// Project of the working directory.
    pub(crate) project: Option<Label>,
    /// Session cost as reported by the agent.
    pub(crate) cost: Option<Usd>,
    /// Context usage in whole per cent.
    pub(crate) context: Option<u32>,
    /// Context size in tokens.
    pub(crate) context_size: Option<u64>,
    /// The provider's five-hour and seven-day windows: usage and reset time.
    windows: [Option<Window>; 2],
}

/// Usage of one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    /// Usage in hundredths of a per cent.
    used: u32,
    resets_at: Option<Instant>,
}

/// Lengths of the windows in minutes.
const LENGTHS: [u32; 2] = [5 * 60, 7 * 24 * 60];

impl Agent {
    /// Parses as much as possible; `None` if the input is not an object.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        value.as_object()?;
        let text = |path: &str| value.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty());
        let name = |path: &str| text(path).map(Label::new);
        let window = |path: &str| {
            let window = value.pointer(path)?;
            let resets_at = window.get("resets_at").and_then(Value::as_i64);
            Some(Window {
                used: hundredths(window.get("used_percentage")?)?,
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
            context_size: value
                .pointer("/context_window/context_window_size")
                .and_then(Value::as_u64)
                .filter(|size| *size > 0),
            windows: [window("/rate_limits/five_hour"), window("/rate_limits/seven_day")],
        })
    }

    /// The provider's windows as reported now.
    pub(crate) fn quotas(&self, source: &str, now: Instant) -> Vec<Quota> {
        let quota = |(minutes, window): (u32, Option<Window>)| {
            let Window { used, resets_at } = window?;
            let (source, name) = (Label::new(source), Label::new(""));
            Some(Quota { source, name, minutes, used, resets_at, seen: now })
        };
        LENGTHS.into_iter().zip(self.windows).filter_map(quota).collect()
    }
}

/// An exact dollar amount; `None` for invalid values and for zero.
fn dollars(value: &Value) -> Option<Usd> {
    let (usd, _) = Usd::parse(&value.as_number()?.to_string()).ok()?;
    Some(usd).filter(|usd| *usd > Usd::ZERO)
}

/// A percentage rounded down; `None` for invalid values.
fn percent(value: &Value) -> Option<u32> {
    hundredths(value).map(|hundredths| hundredths / 100)
}

/// A percentage in hundredths; `None` for invalid values.
fn hundredths(value: &Value) -> Option<u32> {
    let (number, _) = Usd::parse(&value.as_number()?.to_string()).ok()?;
    Quota::hundredths(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_of_it_is_read() {
        let agent = Agent::read(
            br#"{"cwd":"/w","session_id":"abc","transcript_path":"/t.jsonl","model":{"id":"claude-opus-5","display_name":"Opus"},
                "workspace":{"current_dir":"/w/in","project_dir":"/w"},"context_window":{"used_percentage":8,"context_window_size":200000},
                "cost":{"total_cost_usd":0.1234},"rate_limits":{"five_hour":{"used_percentage":23.5,"resets_at":1738425600},"seven_day":{"used_percentage":91.2}}}"#,
        )
        .unwrap();
        let now = Instant::from_timestamp(1_738_420_000, 0).unwrap();
        let quotas = agent.quotas("claude-code", now);
        let known: Vec<_> = quotas.iter().map(|quota| (quota.minutes, quota.used, quota.is_over(now))).collect();
        assert_eq!(known, [(300, 2_350, false), (10_080, 9_120, false)]);
        assert!(quotas[0].is_over(Instant::from_timestamp(1_738_425_600, 0).unwrap()));
        assert_eq!(agent.cost, Some(Usd::parse("0.1234").unwrap().0));
        assert_eq!((agent.context, agent.context_size, agent.project.as_deref()), (Some(8), Some(200_000), Some("/w")));
    }

    #[test]
    fn a_window_that_is_far_over_is_not_forgotten() {
        let over = br#"{"session_id":"a","rate_limits":{"five_hour":{"used_percentage":1000,"resets_at":1738425600}}}"#;
        let agent = Agent::read(over).unwrap();
        assert_eq!(format!("{agent:?}").matches("used: 99999").count(), 1, "{agent:?}");
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
