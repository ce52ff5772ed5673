//! Alternative names of a model, in price lists and limits: without date, context mark, or provider.

use super::undated;

/// Providers and gateways that precede a slash. They say where a model runs, not which model it is.
const PREFIXES: &[&str] = &[
    "anthropic",
    "azure",
    "azure_ai",
    "bedrock",
    "claude_platform",
    "converse",
    "deepseek",
    "gemini",
    "global",
    "google",
    "invoke",
    "litellm_proxy",
    "minimax",
    "mistral",
    "mistralai",
    "models",
    "moonshot",
    "moonshot-ai",
    "moonshotai",
    "openai",
    "openrouter",
    "qwen",
    "responses",
    "vertex",
    "vertex_ai",
    "x-ai",
    "xai",
    "z-ai",
    "zai",
];

/// Regions of Amazon's cross-region inference, and vendors, that precede a dot.
const DOTTED: &[&str] = &["us", "eu", "apac", "global", "jp", "au", "ca", "us-gov", "sa", "in", "anthropic", "openai"];

/// Prefixes of vendors' own models, and the prefixes under which the list has them.
const MAKERS: &[(&str, &str)] = &[
    ("grok", "xai/"),
    ("kimi", "moonshot/"),
    ("moonshot", "moonshot/"),
    ("glm-", "zai/"),
    ("minimax", "minimax/"),
    ("deepseek", "deepseek/"),
    ("mistral", "mistral/"),
    ("magistral", "mistral/"),
    ("ministral", "mistral/"),
    ("codestral", "mistral/"),
    ("devstral", "mistral/"),
    ("pixtral", "mistral/"),
    ("qwen", "dashscope/"),
    ("qwq", "dashscope/"),
    ("sonar", "perplexity/"),
    ("voyage", "voyage/"),
    ("gemini", "gemini/"),
];

/// Changes to a name that still mean the same model.
const STEPS: [fn(&str) -> Option<String>; 7] =
    [without_mark, without_date, without_provider, without_region, without_version, with_dashes, without_effort];

/// Prefixes of models to whose names agents append the reasoning effort or the fast mode.
const BY_EFFORT: &[&str] = &["gpt-", "o1", "o3", "o4", "codex-", "claude-", "gemini-"];
const EFFORTS: &[&str] = &["-none", "-minimal", "-low", "-medium", "-high", "-xhigh"];

/// Maximum number of forms per name.
const MOST: usize = 48;

/// A form of a name, and the index of the form it was derived from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) name: String,
    pub(crate) from: usize,
    /// The name means fast mode for all calls.
    pub(crate) is_fast: bool,
}

/// A name and its other forms in price lists, fewest changes first. Names that are merely similar are never included.
pub(crate) fn forms(name: &str) -> Vec<Form> {
    let mut forms = spellings(name);
    for at in 0..forms.len() {
        let maker = maker(&forms[at].name);
        add(&mut forms, at, maker, false);
    }
    forms
}

/// A name and what is left of it without date, mark, provider and the like.
pub(crate) fn spellings(name: &str) -> Vec<Form> {
    let mut forms = vec![Form { name: name.to_owned(), from: 0, is_fast: false }];
    let mut at = 0;
    while at < forms.len() {
        let name = forms[at].name.clone();
        for step in STEPS {
            add(&mut forms, at, step(&name), false);
        }
        add(&mut forms, at, without_fast(&name), true);
        at += 1;
    }
    forms
}

/// The shortest form of a name, which is the same for logs that spell it differently.
pub(crate) fn core(name: &str) -> String {
    forms(name).into_iter().map(|form| form.name).min_by_key(String::len).unwrap_or_default()
}

/// The chain of names from the first form to the one at `at`.
pub(crate) fn path(forms: &[Form], mut at: usize) -> Vec<&str> {
    let mut path = vec![forms[at].name.as_str()];
    while at != 0 {
        at = forms[at].from;
        path.push(&forms[at].name);
    }
    path.reverse();
    path
}

fn add(forms: &mut Vec<Form>, from: usize, name: Option<String>, is_fast: bool) {
    if let Some(name) = name
        && !name.is_empty()
        && forms.len() < MOST
        && forms.iter().all(|form| form.name != name)
    {
        let is_fast = is_fast || forms[from].is_fast;
        forms.push(Form { name, from, is_fast });
    }
}

/// `claude-opus-5[1m]`, `anthropic/claude-3.7-sonnet:thinking`, stray spaces.
fn without_mark(name: &str) -> Option<String> {
    let trimmed = name.trim();
    let cut = ["[1m]", "[1M]", ":thinking", ":beta"].into_iter().find_map(|mark| trimmed.strip_suffix(mark));
    let cut = cut.or_else(|| trimmed.strip_suffix("-thinking").filter(|name| name.contains("claude")));
    cut.or((trimmed != name).then_some(trimmed)).map(str::to_owned)
}

/// `-20250929`, `@20250929`, `-2025-08-07`, `@default`; `-latest` where the vendor uses it.
fn without_date(name: &str) -> Option<String> {
    if let Some(short) = name.strip_suffix("@default").or_else(|| name.strip_suffix("@latest")) {
        return Some(short.to_owned());
    }
    if name.contains("claude")
        && let Some(short) = name.strip_suffix("-latest")
    {
        return Some(short.to_owned());
    }
    undated(name).map(str::to_owned)
}

/// `openrouter/…`, `bedrock/us-east-1/…`, `projects/p/locations/l/publishers/google/models/…`, an ARN.
fn without_provider(name: &str) -> Option<String> {
    if name.starts_with("arn:aws") || name.starts_with("projects/") || name.starts_with("publishers/") {
        return name.rsplit_once('/').map(|(_, rest)| rest.to_owned());
    }
    let (first, rest) = name.split_once('/')?;
    let known = PREFIXES.iter().any(|prefix| first.eq_ignore_ascii_case(prefix)) || is_region(first);
    known.then(|| rest.to_owned())
}

/// `us-east-1`, `eu-central-1`, `us-gov-west-1`, `us`, `eu`.
fn is_region(text: &str) -> bool {
    let area = text.split('-').next().unwrap_or_default();
    let number = text.rsplit('-').next().unwrap_or_default();
    let known = ["us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx"].contains(&area);
    known && (text == area || number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn without_region(name: &str) -> Option<String> {
    let (first, rest) = name.split_once('.')?;
    DOTTED.contains(&first).then(|| rest.to_owned())
}

/// `…-v1:0`, `…:0`, and `…-v1` of a Claude model on Bedrock.
fn without_version(name: &str) -> Option<String> {
    if let Some((short, number)) = name.rsplit_once(':')
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Some(short.to_owned());
    }
    let (short, number) = name.rsplit_once("-v")?;
    let is_version = number.len() == 1 && number.bytes().all(|byte| byte.is_ascii_digit());
    (is_version && name.contains("claude")).then(|| short.to_owned())
}

/// `gpt-5.6-sol-high`, `gpt-5.1-codex-max-xhigh`: Cursor, Copilot and gateways append the reasoning effort. It changes
/// how much a model thinks, not the price of a token.
fn without_effort(name: &str) -> Option<String> {
    let short = EFFORTS.iter().find_map(|effort| name.strip_suffix(effort))?;
    BY_EFFORT.iter().any(|start| name.starts_with(start)).then(|| short.to_owned())
}

/// `gpt-5.6-sol-fast`, `claude-opus-5-fast`: a model's fast mode. Other vendors have real models with such names.
fn without_fast(name: &str) -> Option<String> {
    let short = name.strip_suffix("-fast")?;
    (name.starts_with("gpt-") || name.starts_with("claude-")).then(|| short.to_owned())
}

/// Anthropic names Claude models with dashes, gateways with dots: `claude-opus-4.5`.
fn with_dashes(name: &str) -> Option<String> {
    (name.starts_with("claude-") && name.contains('.')).then(|| name.replace('.', "-"))
}

/// A bare name with the vendor's prefix used in the list: `grok-4` becomes `xai/grok-4`.
fn maker(name: &str) -> Option<String> {
    if name.contains('/') {
        return None;
    }
    let begins = |start: &str| name.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start));
    MAKERS.iter().find(|(start, _)| begins(start)).map(|(_, prefix)| format!("{prefix}{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reaches(name: &str, other: &str) -> bool {
        forms(name).iter().any(|form| form.name == other)
    }

    #[test]
    fn every_way_of_writing_a_model_leads_to_its_own_name() {
        for name in [
            "claude-opus-4-5",
            "claude-opus-4-5-20251101",
            "claude-opus-4-5[1m]",
            "claude-opus-4-5-20251101[1m]",
            "claude-opus-4-5@20251101",
            "claude-opus-4-5-latest",
            "anthropic/claude-opus-4-5",
            "anthropic/claude-opus-4.5",
            "openrouter/anthropic/claude-opus-4.5",
            "openrouter/anthropic/claude-opus-4.5:thinking",
            "us.anthropic.claude-opus-4-5-20251101-v1:0",
            "eu.anthropic.claude-opus-4-5-20251101-v1:0",
            "apac.anthropic.claude-opus-4-5-v1",
            "global.anthropic.claude-opus-4-5-20251101-v1:0",
            "bedrock/us-east-1/anthropic.claude-opus-4-5-20251101-v1:0",
            "bedrock/us.anthropic.claude-opus-4-5-20251101-v1:0",
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-4-5-20251101-v1:0",
            "vertex_ai/claude-opus-4-5@20251101",
            "vertex_ai/claude-opus-4-5@default",
            "azure_ai/claude-opus-4-5",
            "claude-opus-4-5-thinking",
            " claude-opus-4-5 ",
        ] {
            assert!(reaches(name, "claude-opus-4-5"), "{name}: {:?}", forms(name));
        }
        assert!(reaches("azure/gpt-4o-2024-08-06", "gpt-4o"));
        assert!(reaches("models/gemini-2.5-pro", "gemini-2.5-pro"));
        assert!(reaches("projects/p/locations/l/publishers/google/models/gemini-2.5-pro", "gemini-2.5-pro"));
        assert!(reaches("x-ai/grok-4", "xai/grok-4"));
        for name in ["gpt-5.6-sol-high", "openai/gpt-5.6-sol-low", "gpt-5.6-sol-xhigh", "gpt-5.6-sol-high-fast"] {
            assert!(reaches(name, "gpt-5.6-sol"), "{name}");
        }
        assert!(reaches("gemini-3-pro-low", "gemini/gemini-3-pro"));
        let fast = |name: &str, other: &str| forms(name).iter().find(|form| form.name == other).unwrap().is_fast;
        assert!(fast("gpt-5.6-sol-high-fast", "gpt-5.6-sol") && fast("openai/gpt-5.6-fast", "gpt-5.6"));
        assert!(!fast("gpt-5.6-sol-high", "gpt-5.6-sol") && !fast("claude-opus-4-5-thinking", "claude-opus-4-5"));
    }

    #[test]
    fn one_models_names_have_one_core() {
        for name in ["claude-opus-4-5[1m]", "us.anthropic.claude-opus-4-5-20251101-v1:0", "claude-opus-4-5@20251101"] {
            assert_eq!(core(name), "claude-opus-4-5", "{name}");
        }
        assert_ne!(core("claude-opus-5"), core("claude-opus-5-5"));
    }

    #[test]
    fn a_similar_name_is_not_the_model() {
        for (name, other) in [
            ("claude-opus-45", "claude-opus-4"),
            ("gpt-4o-mini", "gpt-4o"),
            ("gpt-5-codex", "gpt-5"),
            ("claude-opus-4-5", "claude-opus-4"),
            ("somewhere/claude-opus-5", "claude-opus-5"),
            ("meta-llama/llama-3:free", "meta-llama/llama-3"),
            ("gpt-4-0613", "gpt-4"),
            ("grok-4-fast", "grok-4"),
            ("xai/grok-4-fast", "xai/grok-4"),
            ("mistral-medium", "mistral"),
            ("kimi-k3-high", "kimi-k3"),
            ("gpt-5.6-luna-highspeed", "gpt-5.6-luna"),
        ] {
            assert!(!reaches(name, other), "{name}");
        }
    }

    #[test]
    fn the_path_tells_each_step() {
        let forms = forms("openrouter/anthropic/claude-opus-4.5");
        let at = forms.iter().position(|form| form.name == "claude-opus-4-5").unwrap();
        assert_eq!(
            path(&forms, at),
            ["openrouter/anthropic/claude-opus-4.5", "anthropic/claude-opus-4.5", "claude-opus-4.5", "claude-opus-4-5"]
        );
    }

    proptest! {
        #[test]
        fn any_name_has_few_forms_and_none_is_empty(name in any::<String>()) {
            let forms = forms(&name);
            prop_assert!(forms.len() <= MOST && forms.iter().skip(1).all(|form| !form.name.is_empty()));
        }

        #[test]
        fn any_mix_of_marks_is_undone(name in "(us\\.|bedrock/|arn:aws|/|@2|-20|:0|-v1|\\[1m\\]|é|claude-){0,12}") {
            prop_assert!(forms(&name).len() <= MOST);
        }
    }
}
