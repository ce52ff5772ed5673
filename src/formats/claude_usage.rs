//! The usage object of an Anthropic answer, as Claude Code writes it into a transcript.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::BadLine;
use super::count::Count;
use super::json::{Object, Text};
use crate::domain::{Geo, Service, Speed, Tier, Tokens};

/// Input, cache reads and cache writes are disjoint here; thinking is a part of the output.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Usage<'a> {
    input_tokens: Count,
    cache_creation_input_tokens: Count,
    cache_read_input_tokens: Count,
    output_tokens: Count,
    cache_creation: Object<Lifetimes>,
    output_tokens_details: Object<Details>,
    server_tool_use: Object<Tools>,
    #[serde(borrow)]
    service_tier: Text<'a>,
    #[serde(borrow)]
    inference_geo: Text<'a>,
    #[serde(borrow)]
    speed: Text<'a>,
    /// What kind of iteration this is, in a list of iterations.
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    /// The iteration's model, in a list of iterations.
    #[serde(borrow)]
    model: Text<'a>,
    #[serde(borrow)]
    iterations: Advisors<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Lifetimes {
    ephemeral_5m_input_tokens: Count,
    ephemeral_1h_input_tokens: Count,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details {
    thinking_tokens: Count,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tools {
    web_search_requests: Count,
}

/// What a usage object charges for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Booked {
    pub(super) tokens: Tokens,
    pub(super) tier: Tier,
    pub(super) web_searches: u32,
}

impl Booked {
    /// True for the placeholder before an answer, and for what no model answered.
    pub(super) fn is_nothing(&self) -> bool {
        self.tokens.is_zero() && self.web_searches == 0
    }
}

impl Usage<'_> {
    /// What it charges for; what the advisors consumed is not in it.
    ///
    /// # Errors
    /// When a count of tokens is none, or cannot be true.
    pub(super) fn booked(&self) -> Result<Booked, BadLine> {
        let output = self.output_tokens.tokens("output_tokens")?;
        let (cache_write_5m, cache_write_1h) = self.cache_writes()?;
        let thinking =
            self.output_tokens_details.0.as_ref().map(|details| details.thinking_tokens.tokens("thinking_tokens"));
        let searches =
            self.server_tool_use.0.as_ref().map(|tools| tools.web_search_requests.tokens("web_search_requests"));
        Ok(Booked {
            tokens: Tokens {
                input: self.input_tokens.tokens("input_tokens")?,
                cache_read: self.cache_read_input_tokens.tokens("cache_read_input_tokens")?,
                cache_write_5m,
                cache_write_1h,
                output,
                reasoning: thinking.transpose().ok().flatten().unwrap_or(0).min(output),
            },
            tier: self.tier(),
            web_searches: searches.and_then(Result::ok).and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
        })
    }

    /// The model of an iteration.
    pub(super) fn model(&self) -> Option<&str> {
        self.model.get()
    }

    /// What other models were asked in the course of this answer, by their place in the list of iterations.
    pub(super) fn advisors(&self) -> impl Iterator<Item = (u64, &Usage<'_>)> {
        self.iterations.0.iter().map(|(place, usage)| (*place, usage))
    }

    /// Writes to a five-minute and to a one-hour cache; five minutes where the line does not tell them apart.
    fn cache_writes(&self) -> Result<(u64, u64), BadLine> {
        let all = self.cache_creation_input_tokens.tokens("cache_creation_input_tokens")?;
        let Some(split) = &self.cache_creation.0 else { return Ok((all, 0)) };
        let short = split.ephemeral_5m_input_tokens.tokens("ephemeral_5m_input_tokens")?;
        let long = split.ephemeral_1h_input_tokens.tokens("ephemeral_1h_input_tokens")?;
        Ok((short + all.saturating_sub(short + long), long))
    }

    fn tier(&self) -> Tier {
        Tier {
            speed: match self.speed.get() {
                Some("fast") => Speed::Fast,
                _ => Speed::Standard,
            },
            service: match self.service_tier.get() {
                Some("priority") => Service::Priority,
                Some("flex") => Service::Flex,
                Some("batch") => Service::Batch,
                _ => Service::Standard,
            },
            geo: match self.inference_geo.get() {
                Some("us") => Geo::Us,
                Some("eu") => Geo::Eu,
                _ => Geo::Global,
            },
        }
    }
}

/// The iterations in which another model was asked. All others repeat what the usage object says itself.
#[derive(Default)]
struct Advisors<'a>(Vec<(u64, Usage<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Advisors<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AdvisorsOf).map(Advisors)
    }
}

struct AdvisorsOf;

impl<'de> Visitor<'de> for AdvisorsOf {
    type Value = Vec<(u64, Usage<'de>)>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of iterations")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut advisors = Vec::new();
        let mut place = 0;
        while let Some(Object(item)) = items.next_element::<Object<Usage<'de>>>()? {
            if let Some(usage) = item.filter(|usage| usage.kind.get() == Some("advisor_message")) {
                advisors.push((place, usage));
            }
            place += 1;
        }
        Ok(advisors)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Vec::new())
    }
    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }
    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }
    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }
    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }
}
