//! Measures the characters per token where both are known, and estimates the output where it is not.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;

use super::read::{Answer, Answers};
use crate::domain::{Call, CallKey, Fidelity, Label, Tokens, Usd, sort_by};
use crate::pricing::{PriceBook, Pricer as _};

/// Minimum answers of a model for a ratio of its own; with fewer, the ratio of all models is used.
const ENOUGH: usize = 30;

/// An agent and, if known, a model.
pub(crate) type Kind = (Label, Option<Label>);

/// Estimates of one agent's answers by one model.
#[derive(Clone, Debug)]
pub(crate) struct ModelEstimate {
    pub(crate) agent: Label,
    pub(crate) model: Option<Label>,
    /// Calls whose output is missing or incomplete in the log.
    pub(crate) calls: u64,
    /// Output tokens given in the log.
    pub(crate) logged: u64,
    /// Output tokens estimated from the size of the text.
    pub(crate) estimated: u64,
    /// Approximate cost of the difference; `None` without a price.
    pub(crate) cost: Option<Usd>,
    /// Number of answers that the ratio was measured on.
    pub(crate) measured_on: u64,
    /// True when those are all this model's own.
    pub(crate) is_own_measure: bool,
    /// For half of the answers, the estimate is off by at most this many per cent.
    pub(crate) error_of_one: u64,
    /// For all answers together, the estimate is off by this many per cent.
    pub(crate) error_of_all: u64,
}

/// All estimates.
#[derive(Clone, Debug, Default)]
pub(crate) struct Estimates {
    pub(crate) models: Vec<ModelEstimate>,
    /// The output missing from the log, as one call for each answer.
    pub(crate) calls: Vec<Call>,
    /// Agents and models with such calls for which nothing can be measured.
    pub(crate) unmeasured: Vec<Kind>,
    /// Keys of the estimates that these replace: of every answer that was read, unless nothing can be measured for it.
    pub(crate) replaced: FxHashSet<CallKey>,
}

/// Total characters and tokens of answers where both are known.
#[derive(Clone, Copy, Debug, Default)]
struct Measure {
    answers: usize,
    characters: u64,
    tokens: u64,
}

impl Measure {
    fn add(&mut self, answer: &Answer) {
        self.answers += 1;
        self.characters = self.characters.saturating_add(answer.characters);
        self.tokens = self.tokens.saturating_add(answer.output);
    }

    /// The tokens for this many characters, rounded to the nearest.
    fn tokens_of(&self, characters: u64) -> u64 {
        let all = u128::from(self.characters.max(1));
        let tokens = (u128::from(characters) * u128::from(self.tokens) + all / 2) / all;
        u64::try_from(tokens).unwrap_or(u64::MAX)
    }
}

/// True if both the text and the count are complete.
fn is_known(answer: &Answer) -> bool {
    !answer.is_cut && !answer.hides_parts && answer.output > 0 && answer.characters > 0
}

/// True if the answer has text but no complete count.
fn is_wanting(answer: &Answer) -> bool {
    answer.characters > 0 && (answer.is_cut || answer.output == 0)
}

/// Estimates the output that the logs do not count.
pub(crate) fn estimate(answers: &Answers, prices: &PriceBook) -> Estimates {
    let mut estimates = Estimates { replaced: answers.keys().map(key_of).collect(), ..Estimates::default() };
    let known: Vec<(&[u8; 16], &Answer)> = answers.iter().filter(|(_, answer)| is_known(answer)).collect();
    let mut wanting: BTreeMap<Kind, Vec<(&[u8; 16], &Answer)>> = BTreeMap::new();
    for (key, answer) in answers.iter().filter(|(_, answer)| is_wanting(answer)) {
        wanting.entry((answer.from.source.clone(), answer.model.clone())).or_default().push((key, answer));
    }
    for ((agent, model), calls) in wanting {
        let is_of_model = |answer: &Answer| model.is_some() && answer.model == model;
        let own: Vec<_> = known.iter().copied().filter(|(_, answer)| is_of_model(answer)).collect();
        let is_own_measure = own.len() >= ENOUGH;
        let sample = if is_own_measure { &own } else { &known };
        if sample.len() < ENOUGH {
            for (key, _) in calls {
                estimates.replaced.remove(&key_of(key));
            }
            estimates.unmeasured.push((agent, model));
            continue;
        }
        let mut measure = Measure::default();
        for (_, answer) in sample {
            measure.add(answer);
        }
        let (error_of_one, error_of_all) = errors(sample);
        let mut sums = ModelEstimate {
            agent,
            model,
            calls: 0,
            logged: 0,
            estimated: 0,
            cost: Some(Usd::ZERO),
            measured_on: u64::try_from(sample.len()).unwrap_or(u64::MAX),
            is_own_measure,
            error_of_one,
            error_of_all,
        };
        for (key, answer) in calls {
            let estimated = measure.tokens_of(answer.characters);
            // The log's count is a lower bound.
            let Some(more) = estimated.checked_sub(answer.output).filter(|more| *more > 0) else { continue };
            let call = missing(key, answer, more);
            sums.calls += 1;
            sums.logged += answer.output;
            sums.estimated += estimated;
            sums.cost = sums.cost.zip(prices.cost(&call).usd()).map(|(sum, cost)| sum + cost);
            estimates.calls.push(call);
        }
        if sums.calls > 0 {
            estimates.models.push(sums);
        }
    }
    estimates
}

/// Key of an answer's estimate.
fn key_of(answer: &[u8; 16]) -> CallKey {
    CallKey::from_parts(&[b"backfill".as_slice(), answer])
}

/// The missing output, as a call of its own.
fn missing(key: &[u8; 16], answer: &Answer, more: u64) -> Call {
    let key = key_of(key);
    let tokens = Tokens { output: more, ..Tokens::ZERO };
    let call = Call::new(key, answer.from.clone(), answer.model.clone(), tokens);
    Call { fidelity: Fidelity::Guessed, ..call }
}

/// The median error of single answers and the error of their sum, in per cent, when the ratio from one half is applied
/// to the other.
fn errors(sample: &[(&[u8; 16], &Answer)]) -> (u64, u64) {
    // Keys are hashes, so this splits at random.
    let (one, other): (Vec<_>, Vec<_>) = sample.iter().partition(|(key, _)| key[15] & 1 == 0);
    let mut measure = Measure::default();
    for (_, answer) in &one {
        measure.add(answer);
    }
    let (mut singles, mut estimated, mut stated) = (Vec::new(), 0_u64, 0_u64);
    for (_, answer) in &other {
        let tokens = measure.tokens_of(answer.characters);
        singles.push(per_cent(tokens.abs_diff(answer.output), answer.output));
        estimated = estimated.saturating_add(tokens);
        stated = stated.saturating_add(answer.output);
    }
    sort_by(&mut singles, Ord::cmp);
    let median = singles.get(singles.len() / 2).copied().unwrap_or(100);
    (median, per_cent(estimated.abs_diff(stated), stated))
}

/// A share in per cent, rounded up so that errors are not understated.
fn per_cent(part: u64, whole: u64) -> u64 {
    u64::try_from((u128::from(part) * 100).div_ceil(u128::from(whole.max(1)))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::CostMode;

    fn book() -> PriceBook {
        PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto)
    }

    /// Answers with four characters per token, plus the given ones.
    fn answers(others: &[Answer]) -> Answers {
        let known = (0..40_u64).map(|n| Answer::sized("claude-opus-5", 100 + n, 400 + 4 * n, false));
        let key = |n: usize| CallKey::from_parts(&[n.to_le_bytes()]).bytes();
        known.chain(others.iter().cloned()).enumerate().map(|(n, answer)| (key(n), answer)).collect()
    }

    #[test]
    fn what_is_missing_is_estimated_by_the_answers_where_both_are_known() {
        let cut = Answer::sized("claude-opus-5", 3, 4_000, true);
        let found = estimate(&answers(&[cut]), &book());
        let [model] = &*found.models else { panic!("{found:?}") };
        assert_eq!((model.calls, model.logged, model.estimated, model.measured_on), (1, 3, 1_000, 40));
        assert_eq!((model.error_of_one, model.error_of_all, model.is_own_measure), (0, 0, true));
        assert_eq!(found.calls[0].tokens, Tokens { output: 997, ..Tokens::ZERO });
        // 997 tokens at $25 per million.
        assert_eq!(model.cost.unwrap().to_string(), "0.024925");
        assert_eq!(found.calls[0].trust(), Fidelity::Guessed);
    }

    #[test]
    fn nothing_is_estimated_from_too_little_and_no_count_becomes_smaller() {
        let cut = Answer::sized("claude-opus-5", 3, 4_000, true);
        let alone = BTreeMap::from([([0; 16], cut)]);
        let found = estimate(&alone, &book());
        assert!(
            found.calls.is_empty()
                && found.unmeasured == [(Label::new("claude-code"), Some(Label::new("claude-opus-5")))]
        );
        let whole = Answer::sized("claude-opus-5", 2_000, 4_000, true);
        assert!(estimate(&answers(&[whole]), &book()).calls.is_empty());
        // Another model uses the ratio of all answers, and is marked accordingly.
        let other = Answer::sized("claude-haiku-4-5", 3, 4_000, true);
        let found = estimate(&answers(&[other]), &book());
        assert!(!found.models[0].is_own_measure && found.models[0].estimated == 1_000);
    }

    #[test]
    fn each_agent_has_a_row_and_a_model_without_a_name_is_measured_by_all() {
        let mut of_another = Answer::sized("claude-opus-5", 0, 400, false);
        of_another.from.source = Label::new("kiro");
        let mut nameless = of_another.clone();
        nameless.model = None;
        let cut = Answer::sized("claude-opus-5", 3, 4_000, true);
        let found = estimate(&answers(&[cut, of_another, nameless]), &book());
        let rows: Vec<_> = found
            .models
            .iter()
            .map(|row| {
                (row.agent.as_str(), row.model.as_deref(), row.estimated, row.is_own_measure, row.cost.is_some())
            })
            .collect();
        let opus = Some("claude-opus-5");
        assert_eq!(
            rows,
            [
                ("claude-code", opus, 1_000, true, true),
                ("kiro", None, 100, false, false),
                ("kiro", opus, 100, true, true)
            ]
        );
    }
}
