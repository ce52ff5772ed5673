//! The form of a status line: segments parted by ` · `, with words in braces; what is not known is left out.

use crate::text;

/// What parts segments.
const BETWEEN: &str = " · ";

/// A word that stands for a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// The model's name for people.
    Model,
    /// The model's name in the logs.
    ModelId,
    /// The session, shortened.
    Session,
    /// What the session has cost.
    SessionCost,
    /// The session's tokens.
    SessionTokens,
    /// What today has cost.
    TodayCost,
    /// Today's tokens.
    TodayTokens,
    /// What this month has cost.
    MonthCost,
    /// This month's tokens.
    MonthTokens,
    /// The worst limit.
    Limit,
    /// When it will be reached, if it is near.
    Forecast,
    /// How full the context is.
    Context,
    /// How much of a subscription's quota is used.
    Quota,
    /// The project, without its folders.
    Project,
    /// Whose calls they are.
    User,
}

const WORDS: [(&str, Word); 15] = [
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
    ("project", Word::Project),
    ("user", Word::User),
];

/// The form of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    segments: Vec<Vec<Part>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Word(Word),
}

/// A segment that has something to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    text: String,
    words: Vec<Word>,
}

impl Template {
    /// Reads a form. `{{` and `}}` stand for braces.
    ///
    /// # Errors
    /// A sentence that names the word that is not known, and those that are.
    pub(crate) fn read(form: &str) -> Result<Self, String> {
        let segments: Result<Vec<_>, String> = form.split(BETWEEN).map(segment).collect();
        Ok(Self { segments: segments? })
    }

    /// True when one of these words stands in it.
    pub(crate) fn has(&self, words: &[Word]) -> bool {
        let mut parts = self.segments.iter().flatten();
        parts.any(|part| matches!(part, Part::Word(word) if words.contains(word)))
    }

    /// Fills in what is known; a segment with a word that is not is left out.
    pub(crate) fn fill(&self, value: &mut dyn FnMut(Word) -> Option<String>) -> Vec<Segment> {
        let mut filled = Vec::new();
        'segments: for parts in &self.segments {
            let (mut text, mut words) = (String::new(), Vec::new());
            for part in parts {
                match part {
                    Part::Text(plain) => text.push_str(plain),
                    Part::Word(word) => {
                        let Some(known) = value(*word) else { continue 'segments };
                        text.push_str(&known);
                        words.push(*word);
                    }
                }
            }
            if !text.is_empty() {
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
            return Err(format!("a lone brace in '{form}'; write it twice, or a word in braces"));
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

/// The segments in one line of at most `room` columns. Whole segments give way first: the least
/// important where the form is our own, the last where it is the user's.
pub(crate) fn fitted(mut segments: Vec<Segment>, room: usize, own: bool) -> String {
    let joined =
        |segments: &[Segment]| segments.iter().map(|segment| segment.text.as_str()).collect::<Vec<_>>().join(BETWEEN);
    while segments.len() > 1 && text::width(&joined(&segments)) > room {
        let least = segments.iter().enumerate().rev().min_by_key(|(_, segment)| if own { weight(segment) } else { 0 });
        let Some((at, _)) = least else { break };
        segments.remove(at);
    }
    text::fit(&joined(&segments), room)
}

/// How long a segment of our own form is kept when there is little room. A limit that is near goes last.
fn weight(segment: &Segment) -> u8 {
    let of = |word: &Word| match word {
        Word::Limit if segment.text.ends_with(['⚠', '■']) => 9,
        Word::SessionCost => 8,
        Word::TodayCost => 7,
        Word::Limit => 6,
        Word::Model | Word::ModelId => 5,
        Word::Context => 4,
        Word::Quota | Word::SessionTokens | Word::TodayTokens | Word::MonthCost | Word::MonthTokens => 3,
        Word::Session | Word::Project | Word::User | Word::Forecast => 2,
    };
    segment.words.iter().map(of).max().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(form: &str, room: usize, own: bool) -> String {
        let template = Template::read(form).unwrap();
        let known = [
            (Word::Model, "Opus"),
            (Word::SessionCost, "$2.18"),
            (Word::TodayCost, "$12.40"),
            (Word::Limit, "day 80% ⚠"),
            (Word::Project, "日志解析"),
        ];
        let mut value = |word| known.iter().find(|(of, _)| *of == word).map(|(_, value)| (*value).to_owned());
        fitted(template.fill(&mut value), room, own)
    }

    #[test]
    fn what_is_not_known_leaves_no_gap() {
        let form = "{model} · {session_cost} session · {quota} · ctx {context} · {limit}";
        assert_eq!(filled(form, 100, true), "Opus · $2.18 session · day 80% ⚠");
        assert_eq!(filled("{{{model}}} · {quota}", 100, false), "{Opus}");
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
