//! Reasonix's statistics: `stats/YYYY-MM-DD.jsonl` in its home, one line per request.
//!
//! Based on tokscale 4.17 (`sessions/reasonix.rs` and `clients.rs`, read 2026-11-26): `prompt` includes `cache_hit`,
//! and `cache_miss` is the rest; `completion` includes `reasoning`. A line with `turn: true` only marks the end of a
//! turn. The transcripts next to them have no counts. Lines have no id; a line's own text identifies it. The model is
//! written as `provider/model`. No line gives a session or a project.

use super::answers::{CallBuilder, Where};
use super::count::Count;
use super::fields::{Slot, fields};
use super::json::{self, Flag, Text};
use super::split::Counts;
use super::time::Stamp;
use super::usage::given;
use super::{BadLine, Env, Format, Location, Origin, Reader, Reading};
use crate::domain::Record;

/// Reasonix's statistics.
pub(super) struct Reasonix;

const NAME: &str = "reasonix";

impl Format for Reasonix {
    fn name(&self) -> &'static str {
        NAME
    }
    fn gaps(&self) -> &'static str {
        "sessions and projects"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let named = env.path("REASONIX_STATE_HOME").or_else(|| env.path("REASONIX_HOME"));
        let usual = || {
            let roaming = env.roaming().filter(|_| env.is_windows()).map(|data| data.join("reasonix"));
            roaming.or_else(|| env.home(".reasonix"))
        };
        named.or_else(usual).map(|home| Location::flat(home.join("stats"))).into_iter().collect()
    }
    fn is_known_by_place(&self) -> bool {
        true
    }
    fn needles(&self) -> &'static [&'static str] {
        &["\"completion\"", "\"prompt\""]
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Stats(CallBuilder::new(NAME)))
    }
}

fields! {
    /// A request.
    Line {
        at: Stamp = "ts",
        model: Text<'a> = "model",
        prompt: Count = "prompt",
        output: Count = "completion",
        reasoning: Count = "reasoning",
        hit: Count = "cache_hit",
        miss: Count = "cache_miss",
        total: Count = "total",
        is_turn: Flag = "turn",
    }
}

struct Stats(CallBuilder);

impl Reader for Stats {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let read: Line<'_> = json::parse(line)?;
        if read.model.is_absent() && !read.is_turn.0 {
            return Ok(Reading::NotMine);
        }
        if read.is_turn.0 {
            return Ok(Reading::Mine);
        }
        let cache_read = read.hit.tokens("cache_hit")?;
        let miss = given(&read.miss, "cache_miss")?;
        let counts = Counts {
            prompt: given(&read.prompt, "prompt")?.or(miss.map(|miss| miss + cache_read)),
            output: Some(read.output.tokens("completion")?),
            total: given(&read.total, "total")?,
            cache_read,
            reasoning: read.reasoning.tokens("reasoning")?,
            ..Counts::default()
        };
        let from = self.0.from(read.at.0, Where::default(), origin);
        out.extend(self.0.call_of_line(line, from, read.model.get(), counts.split()).map(Record::Call));
        Ok(Reading::Mine)
    }
}
