//! Encodes a call as a line of tokmeter's usage log: its counts and names, but none of the text they were read from.

mod members;

use std::time::Duration;

use self::members::Members;
use super::BadLine;
use super::count::Count;
use super::fields::{Slot, fields};
use super::json::{Flag, Text};
use super::time::Stamp;
use super::usage::tier;
use crate::domain::{Call, CallKey, Claim, Fidelity, Geo, HoldId, Label, Parts, Service, Speed, rfc3339};

/// Room for a line without names from outside, in bytes.
const ROOM: usize = 512;

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

/// The line for a call, without a line end. `id` identifies the call in its own log. The process that books the call
/// from this line also ends `hold`.
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
    // In alphabetical order, as every version has written them.
    let mut line = Members::with_room(ROOM);
    line.label("agent", from.agent.as_ref());
    line.text("at", &rfc3339(from.at));
    line.label("branch", from.branch.as_ref());
    line.count("cache_read_tokens", tokens.cache_read);
    line.count("cache_write_1h_tokens", tokens.cache_write_1h);
    line.count("cache_write_5m_tokens", tokens.cache_write_5m);
    if let Some(usd) = quoted {
        line.text("cost_usd", &usd.to_string());
    }
    line.label("feature", from.feature.as_ref());
    if let Some(id) = id {
        line.text("id", id);
    }
    line.number("input_tokens", tokens.input);
    line.label("model", model.as_ref());
    line.label("org", from.org.as_ref());
    line.number("output_tokens", tokens.output);
    line.label("project", from.project.as_ref());
    line.count("reasoning_tokens", tokens.reasoning);
    line.label("session", from.session.as_ref());
    line.label("team", from.team.as_ref());
    line.within("tokmeter", |kept| {
        if let Some(alias) = alias {
            kept.text("alias", &alias.to_string());
        }
        kept.count("audio_cache_read_tokens", parts.audio_cache_read);
        kept.count("audio_input_tokens", parts.audio_input);
        kept.count("audio_output_tokens", parts.audio_output);
        if let Some(began) = from.began {
            kept.text("began", &rfc3339(began));
        }
        kept.count("cache_write_unstated_lifetime_tokens", parts.write_of_unstated_lifetime);
        kept.word("claim", from.claim.word());
        kept.flag("ends_turn", *ends_turn);
        kept.word("fidelity", fidelity.stored_word());
        kept.label("folder", from.folder.as_ref());
        kept.word("geo", geo_word(tier.geo));
        if let Some(hold) = hold {
            kept.text("hold", &hold.to_string());
        }
        kept.text("key", &key.to_string());
        if let Some(latency) = latency {
            kept.number("latency_ns", u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
        }
        kept.label("lineage", lineage.as_ref());
        kept.word("service", service_word(tier.service));
        kept.label("source", Some(&from.source).filter(|source| source.as_str() != super::native::NAME));
        kept.word("speed", speed_word(tier.speed));
        kept.count("web_searches", u64::from(*web_searches));
    });
    line.label("user", from.user.as_ref());
    line.end()
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
    ///
    /// # Errors
    /// [`BadLine`] when a number is implausible.
    pub(super) fn restore(&self, read: Call) -> Result<Call, BadLine> {
        let Some(key) = self.key() else { return Ok(read) };
        let Call { mut from, model, tokens, quoted, .. } = read;
        if let Some(source) = self.source.get() {
            from.source = Label::new(source);
        }
        from.claim = self.claim.get().and_then(Claim::of_word).unwrap_or_default();
        from.began = self.began.0;
        from.folder = self.folder.get().map(Label::new);
        let whole = |count: &Count| count.total("").ok().filter(|_| count.is_given());
        Ok(Call {
            key,
            from,
            model,
            tokens,
            tier: tier(self.speed.get(), self.service.get(), self.geo.get()),
            web_searches: self.web_searches.searches_total("web_searches")?,
            quoted,
            latency: if self.latency.is_absent() { None } else { whole(&self.latency).map(Duration::from_nanos) },
            fidelity: Fidelity::STORED
                .into_iter()
                .find(|(_, word)| Some(*word) == self.fidelity.get())
                .map_or_else(Fidelity::default, |(fidelity, _)| fidelity)
                .as_read(),
            parts: Parts {
                audio_input: self.audio_input.total("audio_input")?,
                audio_cache_read: self.audio_cache_read.total("audio_cache_read")?,
                audio_output: self.audio_output.total("audio_output")?,
                write_of_unstated_lifetime: self.unstated_lifetime.total("unstated_lifetime")?,
            },
            alias: self.alias.get().and_then(|alias| alias.parse().ok()),
            lineage: self.lineage.get().map(Label::new),
            ends_turn: self.ends_turn.0,
        })
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
    use crate::domain::{Instant, Record};
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
                    let kept = line(&call, Some("an \"id\"\tof its own"), None);
                    let value: serde_json::Value = serde_json::from_str(&kept).unwrap();
                    assert_eq!(value.to_string(), kept, "members are in alphabetical order");
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
