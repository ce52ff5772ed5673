//! Edits a config's text, keeping order, spacing and comments.

use toml_edit::{Document, Item, TableLike, Value};

use super::document::{below_default, item, parse, put, remove};
use super::scope::{self, LimitKey, TABLES, matcher, window};
use super::show::amount_parts;
use super::{ConfigText, Env, Overrides, Settings};
use crate::domain::{Dimension, Matcher};
use crate::meter::{Amount, Limit, Scope};

/// Sets a limit in the text. Its `warn_at` is kept unless new values are given.
///
/// # Errors
/// A sentence, if the text is not TOML or the limit's key holds something else.
pub fn set_limit(
    text: &str,
    env: &Env,
    key: &LimitKey,
    amount: &Amount,
    warn_at: Option<&[u8]>,
) -> Result<String, String> {
    if *amount == Amount::default() {
        return Err("the limit has no amount".to_owned());
    }
    let document = parse(text)?;
    let warn_at = warn_at.map(|all| format!("{all:?}"));
    let mut parts: Vec<(&str, String)> = amount_parts(amount);
    let edited = match find(&document, env, key) {
        Some(path) if item(&document, &path).is_some_and(Item::is_table) => {
            parts.extend(warn_at.map(|all| ("warn_at", all)));
            set_members(text, &path, &parts)?
        }
        Some(path) => {
            let old =
                item(&document, &path).and_then(Item::as_table_like).and_then(|limit| limit.get("warn_at")?.as_value());
            let kept = old.map(|old| old.clone().decorated("", "").to_string());
            parts.extend(warn_at.or(kept).map(|all| ("warn_at", all)));
            put(text, &path, &inline(&parts))?
        }
        None => {
            parts.extend(warn_at.map(|all| ("warn_at", all)));
            put(&with_limits_table(text, &document), &key.path(), &inline(&parts))?
        }
    };
    verified(text, edited, env, key, Some(amount))
}

/// Removes a limit from the text.
///
/// # Errors
/// A sentence, if the text is not TOML or there is no such limit.
pub fn unset_limit(text: &str, env: &Env, key: &LimitKey) -> Result<String, String> {
    let document = parse(text)?;
    let path = find(&document, env, key).ok_or_else(|| format!("there is no limit {key}"))?;
    let edited = remove(text, &document, &path)?;
    verified(text, edited, env, key, None)
}

/// Sets a top-level setting (`theme`) or one in a section (`alerts.bell`) to a string, number or boolean.
///
/// # Errors
/// A sentence, if the text is not TOML or the setting's key holds something else.
pub fn set(text: &str, name: &str, value: impl Into<Value>) -> Result<String, String> {
    let document = parse(text)?;
    let path: Vec<String> = name.split('.').map(str::to_owned).collect();
    let value = value.into().to_string();
    if item(&document, &path).is_none()
        && let [key] = path.as_slice()
        && let Some(edited) = below_default(text, key, &value)
    {
        return Ok(edited);
    }
    put(text, &path, &value)
}

/// Saves a view of the screen under a name.
///
/// # Errors
/// A sentence, if the text is not TOML or the name holds something else.
pub fn save_view(text: &str, name: &str, view: &str) -> Result<String, String> {
    put(text, &["views".to_owned(), name.to_owned()], &Value::from(view).to_string())
}

fn inline(parts: &[(&str, String)]) -> String {
    let parts: Vec<String> = parts.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    format!("{{ {} }}", parts.join(", "))
}

/// Path of a limit in the text, whatever the order of its scope's dimensions.
fn find(document: &Document<&str>, env: &Env, key: &LimitKey) -> Option<Vec<String>> {
    let key = key.expanded(env);
    let mut path = vec!["limits".to_owned()];
    search(document.get("limits")?.as_table_like()?, env, &mut Vec::new(), &mut path, &key).then_some(path)
}

fn search(
    table: &dyn TableLike,
    env: &Env,
    only: &mut Vec<(Dimension, Matcher)>,
    path: &mut Vec<String>,
    key: &LimitKey,
) -> bool {
    for (name, item) in table.iter() {
        path.push(name.to_owned());
        if let Some(window) = window(name) {
            if (LimitKey { scope: scope::scope(only.clone()), window }).expanded(env) == *key {
                return true;
            }
        } else if let Some(inner) = item.as_table_like() {
            if name == "org" {
                for (name, _) in inner.iter() {
                    if window(name) == Some(key.window) && key.scope == Scope::organisation() {
                        path.push(name.to_owned());
                        return true;
                    }
                }
            } else if let Some((dimension, _)) = TABLES.iter().find(|(_, table)| *table == name) {
                for (name, item) in inner.iter() {
                    let Some(inner) = item.as_table_like() else { continue };
                    only.push((*dimension, matcher(*dimension, name)));
                    path.push(name.to_owned());
                    if search(inner, env, only, path, key) {
                        return true;
                    }
                    path.pop();
                    only.pop();
                }
            }
        }
        path.pop();
    }
    false
}

/// Sets the members of a limit written as a table, in place, and removes amounts it no longer has.
fn set_members(text: &str, path: &[String], parts: &[(&str, String)]) -> Result<String, String> {
    let member = |name: &str| [path, &[name.to_owned()]].concat();
    let mut text = text.to_owned();
    for (name, value) in parts {
        text = put(&text, &member(name), value)?;
    }
    for name in ["usd", "tokens", "output_tokens"] {
        let document = parse(&text)?;
        if parts.iter().all(|(kept, _)| *kept != name) && item(&document, &member(name)).is_some() {
            text = remove(&text, &document, &member(name))?;
        }
    }
    Ok(text)
}

/// Adds a `[limits]` table below the commented-out one that explains it. Returns the text unchanged if there is already
/// a table, if there is no such comment, or if later settings would become part of the new table.
fn with_limits_table(text: &str, document: &Document<&str>) -> String {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        if line.trim_end() != "#[limits]" || !line.ends_with('\n') || document.contains_key("limits") {
            continue;
        }
        let next = text[at..].lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
        let edited = format!("{}[limits]\n{}", &text[..at], &text[at..]);
        if next.is_none_or(|line| line.starts_with('[')) && Document::parse(edited.as_str()).is_ok() {
            return edited;
        }
    }
    text.to_owned()
}

/// Checks that the edit made the intended change and no other.
fn verified(before: &str, after: String, env: &Env, key: &LimitKey, amount: Option<&Amount>) -> Result<String, String> {
    let load = |text: &str| {
        let text = ConfigText { path: "config.toml".into(), text: text.to_owned() };
        Settings::load(Some(&text), env, &Overrides::default(), &[])
    };
    let (old, new) = (load(before), load(&after));
    let key = key.expanded(env);
    let others = |limits: &[Limit]| -> Vec<Limit> {
        limits.iter().filter(|limit| LimitKey::from_limit(limit) != key).cloned().collect()
    };
    let found = new.settings.limits.iter().find(|limit| LimitKey::from_limit(limit) == key).map(|limit| &limit.amount);
    let same = Settings { limits: others(&old.settings.limits), ..old.settings.clone() }
        == Settings { limits: others(&new.settings.limits), ..new.settings.clone() };
    if !same || found != amount || new.problems.len() > old.problems.len() {
        return Err(format!(
            "the limit {key} cannot be changed here without changing something else; edit the file by hand"
        ));
    }
    Ok(after)
}

#[cfg(test)]
mod tests {
    use super::super::{SAMPLE, parse_amount};
    use super::*;
    use crate::domain::Instant;

    fn env() -> Env {
        Env { home: Some("/home/alice".into()), ..Env::empty(Instant::UNIX_EPOCH) }
    }

    fn limit(text: &str, key: &str, amount: &str) -> String {
        set_limit(text, &env(), &key.parse().unwrap(), &parse_amount(amount).unwrap(), None).unwrap()
    }

    fn unset(text: &str, key: &str) -> String {
        unset_limit(text, &env(), &key.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_limit_is_changed_in_its_place_with_its_comment_and_its_warnings() {
        let text = "# mine\n[limits]\n  day = { usd = 5, warn_at = [50] } # a coffee\nweek='25usd'\n";
        assert_eq!(
            limit(text, "day", "25usd"),
            "# mine\n[limits]\n  day = { usd = 25, warn_at = [50] } # a coffee\nweek='25usd'\n"
        );
        assert_eq!(limit(text, "week", "1M"), text.replace("'25usd'", "{ tokens = 1_000_000 }"));
        let warned = set_limit(text, &env(), &"day".parse().unwrap(), &parse_amount("25usd").unwrap(), Some(&[10, 20]));
        assert!(warned.unwrap().contains("{ usd = 25, warn_at = [10, 20] } # a coffee"));
    }

    #[test]
    fn a_new_limit_joins_its_neighbours() {
        assert_eq!(limit("", "day", "25usd"), "[limits]\nday = { usd = 25 }\n");
        assert_eq!(
            limit("[limits]\nday = { usd = 1 }\n", "user:alice:model:claude-*:5h", "2usd"),
            "[limits]\nday = { usd = 1 }\nusers.alice.models.\"claude-*\".5h = { usd = 2 }\n"
        );
        assert_eq!(
            limit("[limits.users.alice]\n# hers\nday = { usd = 1 }\n\n[gate]\n", "user:alice:week", "2usd"),
            "[limits.users.alice]\n# hers\nday = { usd = 1 }\nweek = { usd = 2 }\n\n[gate]\n"
        );
        assert_eq!(
            limit("limits.day = { usd = 1 }\n", "user:bob:day", "2usd"),
            "limits.day = { usd = 1 }\nlimits.users.bob.day = { usd = 2 }\n"
        );
        assert_eq!(
            limit("[limits]\norg = { day = { usd = 9 } } # all\n", "org:month", "99usd"),
            "[limits]\norg = { day = { usd = 9 }, month = { usd = 99 } } # all\n"
        );
        assert_eq!(
            limit("[limits.users.bob]\nday = { usd = 1 }\n", "user:alice:day", "2usd"),
            "[limits.users.bob]\nday = { usd = 1 }\n\n[limits.users.alice]\nday = { usd = 2 }\n"
        );
    }

    #[test]
    fn a_limit_is_found_in_whichever_order_it_is_nested() {
        let text = "[limits.models.\"claude-*\".users.alice]\nday = { usd = 1 }\n[limits.projects.\"~/api\"]\nday = \"1usd\"\n";
        let changed = limit(text, "user:alice:model:claude-*:day", "2usd");
        assert_eq!(changed, text.replace("{ usd = 1 }", "{ usd = 2 }"));
        assert_eq!(limit(text, "project:/home/alice/api:day", "2usd"), text.replace("\"1usd\"", "{ usd = 2 }"));
    }

    #[test]
    fn a_limit_that_is_a_table_is_changed_member_by_member() {
        let text = "[limits.day] # daily\n# in dollars\nusd = 5 # five\nwarn_at = 50\n";
        assert_eq!(limit(text, "day", "7usd"), text.replace("5 # five", "7 # five"));
        assert_eq!(limit(text, "day", "7usd + 5k"), text.replace("5 # five", "7 # five") + "tokens = 5_000\n");
        assert_eq!(limit(text, "day", "5k"), "[limits.day] # daily\n# in dollars\nwarn_at = 50\ntokens = 5_000\n");
    }

    #[test]
    fn a_limit_is_removed_with_its_line_only() {
        let text = "[limits]\n# first\nday = { usd = 1 } # gone\n# second\nweek = { usd = 2 }\n";
        assert_eq!(unset(text, "day"), "[limits]\n# first\n# second\nweek = { usd = 2 }\n");
        let nested = "[limits.users.alice]\n# hers\nday = { usd = 1 }\n";
        assert_eq!(unset(nested, "user:alice:day"), "# hers\n");
        let inline =
            "[limits]\norg = { day = { usd = 9 }, week = { usd = 10 } } # all\nusers = { al = { day = \"1usd\" } }\n";
        assert_eq!(unset(inline, "org:day"), inline.replace(" day = { usd = 9 },", ""));
        assert_eq!(unset(inline, "user:al:day"), "[limits]\norg = { day = { usd = 9 }, week = { usd = 10 } } # all\n");
        assert_eq!(unset("[limits.day]\nusd = 1\n# end\n", "day"), "# end\n");
        let missing = unset_limit(text, &env(), &"month".parse().unwrap());
        assert_eq!(missing, Err("there is no limit month".to_owned()));
    }

    #[test]
    fn the_commented_default_takes_limits_where_it_explains_them() {
        let text = limit(SAMPLE, "day", "25usd");
        assert!(text.contains("#[limits]\n[limits]\nday = { usd = 25 }\n\n# How warnings"), "{text}");
        let text = set(&limit(&text, "user:alice:day", "50usd"), "theme", "dark").unwrap();
        assert!(text.contains("day = { usd = 25 }\nusers.alice.day = { usd = 50 }\n\n# How warnings"), "{text}");
        assert!(text.contains("#theme = \"auto\"\ntheme = \"dark\"\n"), "{text}");
        let text = set(&text, "alerts.bell", false).unwrap();
        assert!(text.ends_with("#[views]\n\n[alerts]\nbell = false\n"), "{text}");
        for line in SAMPLE.lines() {
            assert!(text.lines().any(|kept| kept == line), "{line}");
        }
    }

    #[test]
    fn comments_at_the_end_stay_above_a_new_table() {
        let text = "theme = \"dark\"\n#mouse = false\n";
        assert_eq!(limit(text, "day", "1usd"), "theme = \"dark\"\n#mouse = false\n\n[limits]\nday = { usd = 1 }\n");
    }

    #[test]
    fn a_setting_is_changed_in_its_place() {
        assert_eq!(set("theme = 'dark' # night\n", "theme", "light").unwrap(), "theme = \"light\" # night\n");
        assert_eq!(set("[gate]\n", "theme", "light").unwrap(), "theme = \"light\"\n[gate]\n");
        assert!(set("[theme]\n", "theme", "light").is_err());
    }

    #[test]
    fn a_text_that_is_no_toml_is_left_alone() {
        let why = set_limit("theme =\n", &env(), &"day".parse().unwrap(), &parse_amount("1usd").unwrap(), None);
        assert!(why.unwrap_err().starts_with("line 1: "));
        assert!(unset_limit("[limits\n", &env(), &"day".parse().unwrap()).is_err());
    }
}
