//! `LangSmith`'s runs, as its client and its API write them: one per line, or a list of them.
//!
//! Based on the client's source (`langsmith-sdk`, `schemas.py`, read 2026-11-27): a run of the type `llm` or
//! `embedding` is one request; runs of other types repeat the sums of the runs inside them. `prompt_tokens` is the sum
//! of all kinds of input, which `prompt_token_details` breaks down (`cache_read`, `cache_creation`, and for Anthropic's
//! writes `ephemeral_5m_input_tokens` and `ephemeral_1h_input_tokens`). Reasoning is part of `completion_tokens`.
//! `total_cost` is `LangSmith`'s own estimate. If the run itself has no counts, `outputs.usage_metadata` has them under
//! `LangChain`'s names, with the same meaning. Nothing else is read from inputs and outputs. Times are UTC.

use super::answers::{CallBuilder, Where};
use super::count::Count;
use super::exactness::Exactness;
use super::fields::{Named, Slot, fields};
use super::json::{self, Money, Text};
use super::split::Counts;
use super::time::Stamp;
use super::usage::has_two_lifetimes;
use super::{BadLine, Format, Origin, Reader, Reading};
use crate::domain::{Call, Label, Record};

/// `LangSmith`'s runs.
pub(super) struct LangSmith;

const NAME: &str = "langsmith";

impl Format for LangSmith {
    fn name(&self) -> &'static str {
        NAME
    }
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Calls, Exactness::Cost]
    }
    fn needles(&self) -> &'static [&'static str] {
        &["\"run_type\""]
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Runs(CallBuilder::new(NAME)))
    }
}

fields! {
    /// A run.
    Line {
        id: Text<'a> = "id",
        kind: Text<'a> = "run_type",
        name: Text<'a> = "name",
        started: Stamp = "start_time",
        ended: Stamp = "end_time",
        trace: Text<'a> = "trace_id",
        project: Text<'a> = "session_name",
        prompt: Count = "prompt_tokens",
        completion: Count = "completion_tokens",
        total: Count = "total_tokens",
        prompt_details: InputDetails<'a> = "prompt_token_details",
        completion_details: OutputDetails<'a> = "completion_token_details",
        cost: Money = "total_cost",
        extra: Extra<'a> = "extra",
        outputs: Outputs<'a> = "outputs",
    }
}

fields! {
    /// Settings of the request, and metadata of the run.
    Extra {
        metadata: Metadata<'a> = "metadata",
        params: Params<'a> = "invocation_params",
    }
}

fields! {
    /// Metadata of the run.
    Metadata {
        model: Text<'a> = "ls_model_name",
        thread: Named<'a> = "thread_id" | "session_id" | "conversation_id",
        user: Named<'a> = "user_id",
    }
}

fields! {
    /// Settings of the request.
    Params {
        model: Text<'a> = "model" | "model_name",
    }
}

fields! {
    /// The counts in the outputs.
    Outputs {
        usage: Usage<'a> = "usage_metadata",
    }
}

fields! {
    /// Counts under `LangChain`'s names.
    Usage {
        prompt: Count = "input_tokens",
        completion: Count = "output_tokens",
        total: Count = "total_tokens",
        prompt_details: InputDetails<'a> = "input_token_details",
        completion_details: OutputDetails<'a> = "output_token_details",
    }
}

fields! {
    /// Parts of the input.
    InputDetails {
        cache_read: Count = "cache_read",
        cache_creation: Count = "cache_creation",
        write_5m: Count = "ephemeral_5m_input_tokens",
        write_1h: Count = "ephemeral_1h_input_tokens",
    }
}

fields! {
    /// Parts of the output.
    OutputDetails {
        reasoning: Count = "reasoning",
    }
}

struct Runs(CallBuilder);

impl Reader for Runs {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let read: Line<'_> = json::parse(line)?;
        if read.kind.is_absent() || read.id.is_absent() || read.started.is_absent() {
            return Ok(Reading::NotMine);
        }
        if matches!(read.kind.get(), Some("llm" | "embedding")) {
            out.extend(self.call(&read, origin)?.map(Record::Call));
        }
        Ok(Reading::Mine)
    }
}

impl Runs {
    fn call(&mut self, read: &Line<'_>, origin: &Origin) -> Result<Option<Call>, BadLine> {
        let usage = &read.outputs.usage;
        let is_told = read.prompt.is_given() || read.completion.is_given();
        let (prompt, completion, total, inputs, outputs) = if is_told {
            (&read.prompt, &read.completion, &read.total, &read.prompt_details, &read.completion_details)
        } else {
            (&usage.prompt, &usage.completion, &usage.total, &usage.prompt_details, &usage.completion_details)
        };
        let five = inputs.write_5m.tokens("ephemeral_5m_input_tokens")?;
        let hour = inputs.write_1h.tokens("ephemeral_1h_input_tokens")?;
        // The sum of both lifetimes, or zero next to them, or the only count.
        let unsplit = inputs.cache_creation.tokens("cache_creation")?.saturating_sub(five.saturating_add(hour));
        let (tokens, is_split_guessed) = Counts {
            prompt: Some(prompt.tokens("prompt_tokens")?),
            output: Some(completion.tokens("completion_tokens")?),
            total: Some(total.tokens("total_tokens")?).filter(|total| *total > 0),
            cache_read: inputs.cache_read.tokens("cache_read")?,
            cache_write_5m: five.saturating_add(unsplit),
            cache_write_1h: hour,
            reasoning: outputs.reasoning.tokens("reasoning")?,
            ..Counts::default()
        }
        .split();
        let notes = &read.extra.metadata;
        let model = notes.model.get().or_else(|| read.extra.params.model.get());
        let hides_lifetimes = unsplit > 0 && model.is_some_and(has_two_lifetimes);
        let session = notes.thread.get().or_else(|| read.trace.get());
        let place = Where { session, project: read.project.get(), agent: None };
        let mut from = self.0.from(read.started.0, place, origin);
        from.user = notes.user.get().map(Label::new);
        from.feature = read.name.get().map(Label::new);
        let at = from.at;
        let id = read.id.get().unwrap_or_default();
        let call = self.0.call(&[id], from, model, (tokens, is_split_guessed || hides_lifetimes));
        Ok(call.map(|call| Call {
            quoted: read.cost.0,
            latency: read.ended.0.and_then(|ended| (ended - at).to_std().ok()),
            ..call
        }))
    }
}
