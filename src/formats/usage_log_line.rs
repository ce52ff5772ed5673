//! Encodes a call as a line of tokmeter's usage log: its counts and names, but none of the text they were read from.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::count::Count;
use super::fields::{Slot, fields};
use super::json::{Flag, Text};
use super::time::Stamp;
use super::usage::tier;
use crate::domain::{Call, CallKey, Claim, Fidelity, Geo, HoldId, Instant, Label, Parts, Service, Speed, rfc3339};

fields! {
    /// Fields that only tokmeter writes, for data that the usage log has no field for.
    OwnFields {
        key: Text<'a> = "key",
        alias: Text<'a> = "alias",
        lineage: Text<'a> = "lineage",
        source: Text<'a> = "source",
        fidelity: Text<'a> = "fidelity",
        speed: Text<'a> = "speed",
        service: Text<'a> = "service",
        geo: Text<'a> = "geo",
        web_searches: Count = "web_searches",
        latency: Count = "latency_ns",
        ends_turn: Flag = "ends_turn",
        claim: Text<'a> = "claim",
        began: Stamp = "began",
        folder: Text<'a> = "folder",
        audio_input: Count = "audio_input_tokens",
        audio_cache_read: Count = "audio_cache_read_tokens",
        audio_output: Count = "audio_output_tokens",
        unstated_lifetime: Count = "cache_write_unstated_lifetime_tokens",
        hold: Text<'a> = "hold",
    }
}

/// The line for a call, without a line end. `id` identifies the call in its own log. Whoever books the call from this
/// line ends `hold` with it.
pub(crate) fn line(call: &Call, id: Option<&str>, hold: Option<HoldId>) -> String {
    // Exhaustive pattern, so that a new field must be handled here.
    let Call {
        key,
        from,
        model,
        tokens,
        tier,
        web_searches,
        quoted,
        latency,
        fidelity,
        alias,
        lineage,
        parts,
        ends_turn,
    } = call;
    let name = |label: &Option<Label>| label.as_ref().map(|label| Value::from(label.as_str()));
    let word = |word: &'static str| (!word.is_empty()).then(|| Value::from(word));
    let count = |count: u64| (count > 0).then(|| Value::from(count));
    let time = |at: &Instant| Value::from(rfc3339(*at));
    let kept = [
        ("key", Some(Value::from(key.to_string()))),
        ("alias", alias.map(|alias| Value::from(alias.to_string()))),
        ("lineage", name(lineage)),
        ("source", (&*from.source != super::native::NAME).then(|| Value::from(from.source.as_str()))),
        ("fidelity", word(fidelity.stored_word())),
        ("speed", word(speed_word(tier.speed))),
        ("service", word(service_word(tier.service))),
        ("geo", word(geo_word(tier.geo))),
        ("web_searches", count(u64::from(*web_searches))),
        ("latency_ns", latency.map(|latency| json!(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX)))),
        ("ends_turn", ends_turn.then(|| Value::from(true))),
        ("claim", word(from.claim.word())),
        ("began", from.began.as_ref().map(time)),
        ("folder", name(&from.folder)),
        ("audio_input_tokens", count(parts.audio_input)),
        ("audio_cache_read_tokens", count(parts.audio_cache_read)),
        ("audio_output_tokens", count(parts.audio_output)),
        ("cache_write_unstated_lifetime_tokens", count(parts.write_of_unstated_lifetime)),
        ("hold", hold.map(|hold| Value::from(hold.to_string()))),
    ];
    let fields = [
        ("id", id.map(Value::from)),
        ("at", Some(time(&from.at))),
        ("model", name(model)),
        ("input_tokens", Some(tokens.input.into())),
        ("output_tokens", Some(tokens.output.into())),
        ("cache_read_tokens", count(tokens.cache_read)),
        ("cache_write_5m_tokens", count(tokens.cache_write_5m)),
        ("cache_write_1h_tokens", count(tokens.cache_write_1h)),
        ("reasoning_tokens", count(tokens.reasoning)),
        ("cost_usd", quoted.map(|usd| Value::from(usd.to_string()))),
        ("session", name(&from.session)),
        ("agent", name(&from.agent)),
        ("project", name(&from.project)),
        ("branch", name(&from.branch)),
        ("user", name(&from.user)),
        ("team", name(&from.team)),
        ("feature", name(&from.feature)),
        ("org", name(&from.org)),
        ("tokmeter", Some(Value::Object(object(kept)))),
    ];
    Value::Object(object(fields)).to_string()
}

fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Map<String, Value> {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

impl OwnFields<'_> {
    /// True when tokmeter itself wrote the line.
    pub(super) fn is_ours(&self) -> bool {
        self.key().is_some()
    }

    fn key(&self) -> Option<CallKey> {
        self.key.get()?.parse().ok()
    }

    /// The amount held for the call, which ends when the call is booked.
    pub(super) fn hold(&self) -> Option<HoldId> {
        self.key()?;
        self.hold.get()?.parse().ok()
    }

    /// Restores the call. `read` is the call decoded from the line's other fields.
    pub(super) fn restore(&self, read: Call) -> Call {
        let Some(key) = self.key() else { return read };
        let Call { mut from, model, tokens, quoted, .. } = read;
        if let Some(source) = self.source.get() {
            from.source = Label::new(source);
        }
        from.claim = self.claim.get().and_then(Claim::of_word).unwrap_or_default();
        from.began = self.began.0;
        from.folder = self.folder.get().map(Label::new);
        let whole = |count: &Count| count.total("").ok().filter(|_| count.is_given());
        let part = |count: &Count| whole(count).unwrap_or(0);
        Call {
            key,
            from,
            model,
            tokens,
            tier: tier(self.speed.get(), self.service.get(), self.geo.get()),
            web_searches: whole(&self.web_searches).and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
            quoted,
            latency: if self.latency.is_absent() { None } else { whole(&self.latency).map(Duration::from_nanos) },
            fidelity: Fidelity::STORED
                .into_iter()
                .find(|(_, word)| Some(*word) == self.fidelity.get())
                .map_or_else(Fidelity::default, |(fidelity, _)| fidelity)
                .as_read(),
            parts: Parts {
                audio_input: part(&self.audio_input),
                audio_cache_read: part(&self.audio_cache_read),
                audio_output: part(&self.audio_output),
                write_of_unstated_lifetime: part(&self.unstated_lifetime),
            },
            alias: self.alias.get().and_then(|alias| alias.parse().ok()),
            lineage: self.lineage.get().map(Label::new),
            ends_turn: self.ends_turn.0,
        }
    }
}

const fn speed_word(speed: Speed) -> &'static str {
    match speed {
        Speed::Standard => "",
        Speed::Fast => "fast",
    }
}

const fn service_word(service: Service) -> &'static str {
    match service {
        Service::Standard => "",
        Service::Priority => "priority",
        Service::Flex => "flex",
        Service::Batch => "batch",
        Service::Ultrafast => "ultrafast",
        Service::Balanced => "balanced",
        Service::Unknown => "unknown",
    }
}

const fn geo_word(geo: Geo) -> &'static str {
    match geo {
        Geo::Global => "",
        Geo::Us => "us",
        Geo::Eu => "eu",
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::domain::Record;
    use crate::formats::{Decoder, Origin, Outcome};

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
    }

    fn calls(lines: &mut Decoder, text: &str) -> Vec<Call> {
        let origin = Origin { path: Label::new("x"), offset: 0, modified: Instant::from_timestamp(1, 0).unwrap() };
        let mut records = Vec::new();
        let outcome = lines.line(text.as_bytes(), &origin, &mut records);
        assert!(outcome != Outcome::Passed || records.is_empty());
        let call = |record| if let Record::Call(call) = record { Some(call) } else { None };
        records.into_iter().filter_map(call).collect()
    }

    #[test]
    fn j4_every_call_of_every_sample_is_kept_whole_and_says_so_again() {
        let mut count = 0;
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
        for file in files(&samples).into_iter().filter(|file| file.extension().is_some_and(|ending| ending == "jsonl"))
        {
            let mut lines = Decoder::new(&[]);
            for text in std::fs::read_to_string(&file).unwrap().lines() {
                for call in calls(&mut lines, text) {
                    let kept = line(&call, Some("an id of its own"), None);
                    assert_eq!(calls(&mut Decoder::new(&[]), &kept), [call], "{}: {kept}", file.display());
                    count += 1;
                }
            }
        }
        assert!(count > 100, "{count}");
    }

    #[test]
    fn a_line_with_a_key_that_is_none_is_a_line_like_any_other() {
        let with = |kept: &str| format!("{{\"id\":\"a\",\"input_tokens\":1,\"output_tokens\":2{kept}}}");
        let usual = calls(&mut Decoder::new(&[]), &with(""));
        for kept in [",\"tokmeter\":{}", ",\"tokmeter\":null", ",\"tokmeter\":{\"key\":\"xyz\"}", ",\"tokmeter\":[1]"] {
            assert_eq!(calls(&mut Decoder::new(&[]), &with(kept)), usual, "{kept}");
        }
    }
}
