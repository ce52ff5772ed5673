//! `proxy key`: creates, lists and revokes the proxy's keys.

use std::path::PathBuf;

use serde::Serialize;

use super::{Context, Exit, Failure};
use crate::cli::KeyCommand;
use crate::config::proxy_keys::{self, NotAdded, ProxyKey};
use crate::domain::{Instant, Label, Zone, rfc3339_seconds};
use crate::output;
use crate::text;

pub(super) fn run(context: &mut Context<'_>, command: &KeyCommand) -> Result<Exit, Failure> {
    match command {
        KeyCommand::Add { user, team, name } => add(context, user, team.as_deref(), name.as_deref()),
        KeyCommand::List { json } => list(context, *json),
        KeyCommand::Revoke { name } => revoke(context, name),
    }
}

fn add(context: &mut Context<'_>, user: &str, team: Option<&str>, name: Option<&str>) -> Result<Exit, Failure> {
    let user = given("--user", user)?;
    let team = team.map(|team| given("--team", team)).transpose()?;
    let name = name.map(|name| given("--name", name)).transpose()?;
    context.paths.make_data_folder().map_err(|why| Failure::new(Exit::Io, why))?;
    let path = path(context)?;
    let added = proxy_keys::add(&path, name.as_ref(), &user, team.as_ref(), context.now());
    let (name, secret) = added.map_err(|error| match error {
        NotAdded::Taken(why) => Failure::new(Exit::Usage, why),
        NotAdded::Failed(why) => Failure::new(Exit::Io, why),
    })?;
    // Only the key goes to standard output, so that a script can store it.
    writeln!(context.out, "{secret}")?;
    let of = team.map_or_else(String::new, |team| format!(" of team {team}"));
    context.note(&format!(
        "key '{name}' for {user}{of}: shown this once. Send it as x-tokmeter-key, or put /k/KEY before the path"
    ));
    Ok(Exit::Fine)
}

fn list(context: &mut Context<'_>, json: bool) -> Result<Exit, Failure> {
    let keys = proxy_keys::read(&path(context)?).map_err(|why| Failure::new(Exit::Unavailable, why))?;
    if json {
        output::to_line(&Document { schema: 1, keys: keys.iter().map(KeyJson::new).collect() }, context.out)?;
        return Ok(Exit::Fine);
    }
    if keys.is_empty() {
        writeln!(context.out, "No keys: the proxy lets every call in. Make one: tokmeter proxy key add --user NAME")?;
        return Ok(Exit::Fine);
    }
    let (now, zone) = (context.now(), context.settings.zone);
    let heads = ["key", "user", "team", "made", ""].map(str::to_owned);
    let rows: Vec<Vec<String>> = keys
        .iter()
        .map(|key| {
            let team = key.team.as_ref().map(ToString::to_string).unwrap_or_default();
            let revoked = key.revoked.map(|at| format!("revoked {}", text::moment(at, now, zone)));
            let made = text::moment(key.created, now, zone);
            vec![key.name.to_string(), key.user.to_string(), team, made, revoked.unwrap_or_default()]
        })
        .collect();
    output::plain(&heads, heads.len(), &rows, context.out)?;
    Ok(Exit::Fine)
}

fn revoke(context: &mut Context<'_>, name: &str) -> Result<Exit, Failure> {
    let (path, name) = (path(context)?, Label::new(name));
    match proxy_keys::revoke(&path, &name, context.now()) {
        Ok(true) => {
            let is_alive = |keys: Vec<ProxyKey>| keys.iter().any(|key| key.revoked.is_none());
            let is_last = !proxy_keys::read(&path).is_ok_and(is_alive);
            let others = if is_last { "; it was the last one, and calls still need a key" } else { "" };
            context.note(&format!("key '{name}' is refused from now on{others}"));
            Ok(Exit::Fine)
        }
        Ok(false) => {
            let why = format!("there is no key '{name}' that could be revoked; `tokmeter proxy key list` shows them");
            Err(Failure::new(Exit::NoInput, why))
        }
        Err(why) => Err(Failure::new(Exit::Io, why)),
    }
}

/// A name given on the command line.
fn given(option: &str, text: &str) -> Result<Label, Failure> {
    let name = Label::new(text.trim());
    if name.is_empty() {
        return Err(Failure::new(Exit::Usage, format!("{option}: the name is empty")));
    }
    Ok(name)
}

fn path(context: &Context<'_>) -> Result<PathBuf, Failure> {
    context.paths.proxy_keys().ok_or_else(|| Failure::new(Exit::Unavailable, context.paths.why_no_data()))
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u8,
    keys: Vec<KeyJson<'a>>,
}

#[derive(Serialize)]
struct KeyJson<'a> {
    key: &'a Label,
    user: &'a Label,
    team: Option<&'a Label>,
    created_at: String,
    revoked_at: Option<String>,
}

impl<'a> KeyJson<'a> {
    fn new(key: &'a ProxyKey) -> Self {
        let time = |at: Instant| rfc3339_seconds(at, Zone::UTC);
        Self {
            key: &key.name,
            user: &key.user,
            team: key.team.as_ref(),
            created_at: time(key.created),
            revoked_at: key.revoked.map(time),
        }
    }
}
