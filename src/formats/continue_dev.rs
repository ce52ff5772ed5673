//! Continue's development data: `dev_data/<version>/tokensGenerated.jsonl` in `$CONTINUE_GLOBAL_DIR` or `~/.continue`.
//!
//! Based on the agent's source (`core/llm/index.ts`, `core/data/log.ts`,
//! `config-yaml/src/schemas/data/tokensGenerated`, read 2026-11-26): one line per request, with the numbers of tokens
//! that Continue's own tokenizer counts in the prompt and in the answer. It contains neither the service's counts nor
//! the cache, so every call is an estimate. Lines have no id; a line's own text identifies it. The table
//! `tokens_generated` in `devdata.sqlite` repeats them.

use super::answers::{CallBuilder, NONE, Stated, Where};
use super::count::Count;
use super::exactness::Exactness;
use super::fields::{Slot, fields};
use super::json::{self, Text};
use super::time::Stamp;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading};
use crate::domain::{Call, Fidelity, Record};

/// Continue's development data.
pub(super) struct Continue;

const NAME: &str = "continue";

impl Format for Continue {
    fn name(&self) -> &'static str {
        NAME
    }
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Estimates]
    }
    fn gaps(&self) -> &'static str {
        "the service's own counts and the cache: Continue counts with one tokenizer for all models"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let home = env.path("CONTINUE_GLOBAL_DIR").or_else(|| env.home(".continue"));
        home.map(|home| Location::tree(home.join("dev_data"))).into_iter().collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        (name == b"tokensGenerated.jsonl").then_some(Framing::Lines)
    }
    fn is_known_by_place(&self) -> bool {
        true
    }
    fn needles(&self) -> &'static [&'static str] {
        &["\"generatedTokens\""]
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Events(CallBuilder::new(NAME)))
    }
}

fields! {
    /// A request.
    Line {
        at: Stamp = "timestamp" | "createdAt",
        model: Text<'a> = "model",
        input: Count = "promptTokens",
        output: Count = "generatedTokens",
    }
}

struct Events(CallBuilder);

impl Reader for Events {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let read: Line<'_> = json::parse(line)?;
        if read.input.is_absent() && read.output.is_absent() {
            return Ok(Reading::NotMine);
        }
        let (input, output) = (&read.input, &read.output);
        let none = Stated { input, output, cache_read: NONE, cache_write: NONE, reasoning: NONE, total: NONE };
        let from = self.0.from(read.at.0, Where::default(), origin);
        let call = self.0.call_of_line(line, from, read.model.get(), none.exclusive()?);
        out.extend(call.map(|call| Record::Call(Call { fidelity: Fidelity::Guessed, ..call })));
        Ok(Reading::Mine)
    }
}
