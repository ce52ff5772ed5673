//! Template of the status line: segments separated by ` · ` with `{word}` placeholders. Segments without any known
//! value are dropped.

use crate::text;

/// Separator of segments.
const BETWEEN: &str = " · ";
/// Shown for an unknown value.
pub(crate) const UNKNOWN: &str = "–";

/// A placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// Display name of the model.
    Model,
    /// Name of the model as in the logs.
    ModelId,
    /// Session id, shortened.
    Session,
    SessionCost,
    SessionTokens,
    TodayCost,
    TodayTokens,
    MonthCost,
    MonthTokens,
    /// The worst limit.
    Limit,
    /// When it will be reached, if that is near.
    Forecast,
    /// Context usage.
    Context,
    /// Usage of the provider's windows.
    Quota,
    /// When the shortest of them resets.
    QuotaResets,
    /// Project, without its parent folders.
    Project,
    /// User of the calls.
    User,
}

const WORDS: [(&str, Word); 16] = [
    ("model", Word::Model),
    ("model_id", Word::ModelId),
    ("session", Word::Session),
    ("session_cost", Word::SessionCost),
    ("session_tokens", Word::SessionTokens),
    ("today_cost", Word::TodayCost),
    ("today_tokens", Word::TodayTokens),
    ("month_cost", Word::MonthCost),
    ("month_tokens", Word::MonthTokens),
    ("limit", Word::Limit),
    ("forecast", Word::Forecast),
    ("context", Word::Context),
    ("quota", Word::Quota),
    ("quota_resets", Word::QuotaResets),
    ("project", Word::Project),
    ("user", Word::User),
];

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    segments: Vec<Vec<Part>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Word(Word),
}

/// A segment with its values filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    text: String,
    words: Vec<Word>,
}

impl Template {
    /// Parses a template. `{{` and `}}` are literal braces.
    ///
    /// # Errors
    /// When a placeholder is unknown; the error lists the valid ones.
    pub(crate) fn read(form: &str) -> Result<Self, String> {
        let segments: Result<Vec<_>, String> = form.split(BETWEEN).map(segment).collect();
        Ok(Self { segments: segments? })
    }

    /// True when it contains one of these placeholders.
    pub(crate) fn has(&self, words: &[Word]) -> bool {
        let mut parts = self.segments.iter().flatten();
        parts.any(|part| matches!(part, Part::Word(word) if words.contains(word)))
    }

    /// Fills in known values; drops segments without any known value, and marks other unknown values.
    pub(crate) fn fill(&self, value: &mut dyn FnMut(Word) -> Option<String>) -> Vec<Segment> {
        let mut filled = Vec::new();
        for parts in &self.segments {
            let (mut text, mut words, mut unknown) = (String::new(), Vec::new(), false);
            for part in parts {
                match part {
                    Part::Text(plain) => text.push_str(plain),
                    Part::Word(word) => {
                        let known = value(*word);
                        words.extend(known.as_ref().map(|_| *word));
                        unknown |= known.is_none();
                        text.push_str(known.as_deref().unwrap_or(UNKNOWN));
                    }
                }
            }
            let is_known = !unknown || !words.is_empty();
            if is_known && !text.is_empty() {
                filled.push(Segment { text, words });
            }
        }
        filled
    }
}

fn segment(form: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = form;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, brace) = rest.split_at(at);
        plain.extend(before.chars().filter(|letter| !letter.is_control()));
        if let Some(after) = brace.strip_prefix("{{").or_else(|| brace.strip_prefix("}}")) {
            plain.push_str(&brace[..1]);
            rest = after;
            continue;
        }
        let Some((name, after)) = brace.strip_prefix('{').and_then(|inner| inner.split_once('}')) else {
            return Err(format!("unmatched brace in '{form}'; write {{{{ or }}}} for a literal brace"));
        };
        let Some((_, word)) = WORDS.iter().find(|(known, _)| *known == name) else {
            let known: Vec<String> = WORDS.iter().map(|(known, _)| format!("{{{known}}}")).collect();
            return Err(format!("{{{name}}} is not known; there are: {}", known.join(" ")));
        };
        if !plain.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut plain)));
        }
        parts.push(Part::Word(*word));
        rest = after;
    }
    plain.extend(rest.chars().filter(|letter| !letter.is_control()));
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}

/// Joins the segments within `room` columns. Whole segments are dropped to fit: the least important first in the
/// default template, the last first in a custom one.
pub(crate) fn fitted(mut segments: Vec<Segment>, room: usize, is_default: bool) -> String {
    let joined =
        |segments: &[Segment]| segments.iter().map(|segment| segment.text.as_str()).collect::<Vec<_>>().join(BETWEEN);
    while segments.len() > 1 && text::width(&joined(&segments)) > room {
        let least =
            segments.iter().enumerate().rev().min_by_key(|(_, segment)| if is_default { weight(segment) } else { 0 });
        let Some((at, _)) = least else { break };
        segments.remove(at);
    }
    text::fit(&joined(&segments), room)
}

/// Importance of a segment in the default template. A near limit is dropped last.
fn weight(segment: &Segment) -> u8 {
    let of = |word: &Word| match word {
        Word::Limit if segment.text.ends_with(['⚠', '■']) => 9,
        Word::SessionCost => 8,
        Word::TodayCost => 7,
        Word::Limit => 6,
        Word::Model | Word::ModelId => 5,
        Word::Context => 4,
        Word::Quota | Word::SessionTokens | Word::TodayTokens | Word::MonthCost | Word::MonthTokens => 3,
        Word::Session | Word::Project | Word::User | Word::Forecast | Word::QuotaResets => 2,
    };
    segment.words.iter().map(of).max().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(form: &str, room: usize, is_default: bool) -> String {
        let template = Template::read(form).unwrap();
        let known = [
            (Word::Model, "Opus"),
            (Word::SessionCost, "$2.18"),
            (Word::TodayCost, "$12.40"),
            (Word::Limit, "day 80% ⚠"),
            (Word::Project, "日志解析"),
        ];
        let mut value = |word| known.iter().find(|(of, _)| *of == word).map(|(_, value)| (*value).to_owned());
        fitted(template.fill(&mut value), room, is_default)
    }

    #[test]
    fn what_is_not_known_leaves_no_gap() {
        let form = "{model} · {session_cost} session · {quota} · ctx {context} · {limit}";
        assert_eq!(filled(form, 100, true), "Opus · $2.18 session · day 80% ⚠");
        assert_eq!(filled("{{{model}}} · {quota}", 100, false), "{Opus}");
        assert_eq!(filled("{model} | {quota} | {today_cost}", 100, false), "Opus | – | $12.40");
        assert_eq!(filled("{quota} resets {quota_resets} · {model}", 100, false), "Opus");
    }

    #[test]
    fn little_room_keeps_the_warning_and_the_cost() {
        let form = "{model} · {session_cost} session · {today_cost} today · {limit}";
        let lines: Vec<String> = [80, 45, 32, 12, 5].iter().map(|room| filled(form, *room, true)).collect();
        assert_eq!(
            lines,
            [
                "Opus · $2.18 session · $12.40 today · day 80% ⚠",
                "$2.18 session · $12.40 today · day 80% ⚠",
                "$2.18 session · day 80% ⚠",
                "day 80% ⚠",
                "day …"
            ]
        );
        assert_eq!(filled("{project} · {model} · {limit}", 15, false), "日志解析 · Opus");
        for room in 0..60 {
            assert!(text::width(&filled(form, room, true)) <= room);
            assert!(text::width(&filled("{project} · {limit}", room, false)) <= room);
        }
    }

    #[test]
    fn a_word_that_is_not_known_is_told_with_those_that_are() {
        let why = Template::read("{model} · {modl}").unwrap_err();
        assert!(why.starts_with("{modl} is not known; there are: {model} {model_id}"), "{why}");
        assert!(Template::read("{model").is_err() && Template::read("}").is_err());
    }
}
