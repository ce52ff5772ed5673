//! Writes the settings in force as an equivalent config.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;

use super::origin::Origin;
use super::plans::plan_name;
use super::prices::{per_million, price_name};
use super::scope::LimitKey;
use super::values::Word as _;
use super::{Alerts, Loaded, Password, Server, Settings};
use crate::domain::{Label, Usd};
use crate::meter::{Amount, Limit, Plan};
use crate::pricing::{CustomPrice, Rates};

impl Loaded {
    /// Writes the settings in force as a config; with `origins`, each with its origin. Of the addresses of web hooks,
    /// which may be secrets, only the host is shown.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn show(&self, origins: bool, out: &mut dyn Write) -> io::Result<()> {
        write(&self.settings, origins.then_some(&self.origins), true, out)
    }
}

impl Settings {
    /// The settings as an equivalent config.
    pub fn to_toml(&self) -> String {
        let mut out = Vec::new();
        write(self, None, false, &mut out).expect("writing to memory cannot fail");
        String::from_utf8(out).expect("only text was written")
    }
}

struct Page<'o> {
    out: &'o mut dyn Write,
    origins: Option<&'o BTreeMap<String, Origin>>,
}

impl Page<'_> {
    fn table(&mut self, head: &str) -> io::Result<()> {
        writeln!(self.out, "\n{head}")
    }

    /// Writes one line: key, value, and the origin, looked up by dotted name.
    fn line(&mut self, name: &str, key: &str, value: &str) -> io::Result<()> {
        write!(self.out, "{key} = {value}")?;
        match self.origins.map(|origins| origins.get(name)) {
            None => writeln!(self.out),
            Some(None) => writeln!(self.out, "  # default"),
            Some(Some(Origin::File(place))) => writeln!(self.out, "  # {}:{}", place.file, place.line),
            Some(Some(Origin::Variable(name) | Origin::Flag(name))) => writeln!(self.out, "  # {name}"),
        }
    }
}

fn write(
    settings: &Settings,
    origins: Option<&BTreeMap<String, Origin>>,
    hides: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut page = Page { out, origins };
    let name = |label: &Option<crate::domain::Label>| text(label.as_deref().unwrap_or_default());
    let paths =
        |all: &[PathBuf]| texts(&all.iter().map(|path| path.to_string_lossy().into_owned()).collect::<Vec<_>>());
    page.line("user", "user", &text(&settings.user))?;
    page.line("team", "team", &name(&settings.team))?;
    page.line("org", "org", &name(&settings.org))?;
    page.line("timezone", "timezone", &text(settings.zone.name()))?;
    page.line("week_start", "week_start", &text(settings.week_start.word()))?;
    page.line("logs", "logs", &paths(&settings.logs))?;
    page.line("homes", "homes", &paths(&settings.homes))?;
    page.line("theme", "theme", &text(&settings.theme))?;
    page.line("symbols", "symbols", &text(settings.symbols.word()))?;
    page.line("color", "color", &text(settings.color.word()))?;
    page.line("mouse", "mouse", &settings.mouse.to_string())?;
    let frame_rate = settings.frame_rate.most().map_or_else(|| text("auto"), |rate| rate.to_string());
    page.line("frame_rate", "frame_rate", &frame_rate)?;
    page.line("statusline", "statusline", &text(&settings.statusline))?;
    page.line("cost", "cost", &text(settings.cost.word()))?;
    page.line("warn_at", "warn_at", &percentages(&settings.warn_at))?;

    page.table("[limits]")?;
    for limit in &settings.limits {
        let path = LimitKey::from_limit(limit).path();
        let short: Vec<String> = path.iter().skip(1).map(|part| key(part)).collect();
        page.line(&path.join("."), &short.join("."), &limit_value(limit, &settings.warn_at))?;
    }

    alerts(&mut page, &settings.alerts, hides)?;

    page.table("[gate]")?;
    page.line("gate.on_error", "on_error", &text(settings.gate.on_error.word()))?;
    if let Some(rates) = &settings.gate.unpriced {
        let inner: Vec<String> = rate_lines(rates).into_iter().map(|(key, value)| format!("{key} = {value}")).collect();
        page.line("gate.unpriced", "unpriced", &format!("{{ {} }}", inner.join(", ")))?;
    }

    server(&mut page, &settings.server)?;
    prices(&mut page, &settings.prices)?;
    page.table("[aliases]")?;
    for (from, to) in &settings.aliases {
        page.line(&format!("aliases.{from}"), &key(from), &text(to))?;
    }
    page.table("[attribution]")?;
    page.line("attribution.ticket", "ticket", &text(settings.ticket.as_str()))?;
    plans(&mut page, &settings.plans)?;
    page.table("[keys]")?;
    for binding in &settings.keys {
        page.line(&format!("keys.{}", binding.action), &key(&binding.action), &texts(&binding.keys))?;
    }
    if !settings.upstreams.is_empty() {
        page.table("[proxy.upstreams]")?;
        for (prefix, url) in &settings.upstreams {
            page.line(&format!("proxy.upstreams.{prefix}"), &key(prefix), &text(url))?;
        }
    }
    if let Some(file) = &settings.upstream_ca {
        page.table("[proxy]")?;
        page.line("proxy.ca_file", "ca_file", &text(&file.to_string_lossy()))?;
    }
    page.table("[views]")?;
    for (name, view) in &settings.views {
        page.line(&format!("views.{name}"), &key(name), &text(view))?;
    }
    Ok(())
}

fn alerts(page: &mut Page<'_>, alerts: &Alerts, hides: bool) -> io::Result<()> {
    let quiet = alerts.quiet.map(|quiet| format!("{}-{}", quiet.from.format("%H:%M"), quiet.until.format("%H:%M")));
    let daily = alerts.daily.map(|daily| daily.format("%H:%M").to_string());
    let hook = |address: &Option<String>| {
        let address = address.as_deref().unwrap_or_default();
        text(&if hides { hidden(address) } else { address.to_owned() })
    };
    page.table("[alerts]")?;
    page.line("alerts.bell", "bell", &alerts.bell.to_string())?;
    page.line("alerts.notify", "notify", &text(alerts.notify.word()))?;
    page.line("alerts.command", "command", &texts(&alerts.command))?;
    page.line("alerts.webhook", "webhook", &hook(&alerts.webhook))?;
    page.line("alerts.slack", "slack", &hook(&alerts.slack))?;
    page.line("alerts.daily", "daily", &text(daily.as_deref().unwrap_or_default()))?;
    page.line("alerts.quiet", "quiet", &text(quiet.as_deref().unwrap_or_default()))?;
    page.line("alerts.hysteresis", "hysteresis", &alerts.hysteresis.to_string())?;
    let Some(email) = &alerts.email else { return Ok(()) };
    page.table("[alerts.email]")?;
    page.line("alerts.email.server", "server", &text(&email.server))?;
    page.line("alerts.email.port", "port", &email.port.to_string())?;
    page.line("alerts.email.tls", "tls", &text(email.tls.word()))?;
    page.line("alerts.email.from", "from", &text(&email.from))?;
    page.line("alerts.email.to", "to", &texts(&email.to))?;
    if let Some(user) = &email.user {
        page.line("alerts.email.user", "user", &text(user))?;
    }
    match &email.password {
        Some(Password::File(file)) => {
            page.line("alerts.email.password_file", "password_file", &text(&file.to_string_lossy()))
        }
        Some(Password::Command(argv)) => page.line("alerts.email.password_command", "password_command", &texts(argv)),
        None => Ok(()),
    }
}

/// An address of which only the host is shown.
fn hidden(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return String::new() };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    format!("{scheme}://{}/…", host.rsplit('@').next().unwrap_or_default())
}

fn server(page: &mut Page<'_>, server: &Server) -> io::Result<()> {
    page.table("[server]")?;
    page.line("server.listen", "listen", &text(&server.listen.to_string()))?;
    if server.token.is_some() {
        // A secret is not shown, so that this can be sent to somebody.
        writeln!(page.out, "# token is set")?;
    }
    let file = server.token_file.as_ref().map(|path| path.to_string_lossy().into_owned());
    page.line("server.token_file", "token_file", &text(&file.unwrap_or_default()))?;
    page.line("server.socket", "socket", &server.socket.to_string())?;
    page.line("server.body_mib", "body_mib", &server.body_mib.to_string())?;
    page.line("server.expanded_mib", "expanded_mib", &server.expanded_mib.to_string())?;
    page.line("server.connections", "connections", &server.connections.to_string())?;
    page.line("server.timeout_seconds", "timeout_seconds", &server.timeout_seconds.to_string())?;
    page.line("server.metrics_names", "metrics_names", &server.metrics_names.to_string())
}

fn prices(page: &mut Page<'_>, prices: &[CustomPrice]) -> io::Result<()> {
    for price in prices {
        let alone = prices.iter().filter(|other| other.model == price.model).count() == 1;
        let head = format!("prices.{}", key(&price.model));
        page.table(&if alone { format!("[{head}]") } else { format!("[[{head}]]") })?;
        let name = price_name(price);
        if let Some(from) = price.from {
            page.line(&name, "from", &from.to_string())?;
        }
        for (rate, value) in rate_lines(&price.rates) {
            page.line(&name, rate, &value)?;
        }
    }
    Ok(())
}

fn plans(page: &mut Page<'_>, plans: &[Plan]) -> io::Result<()> {
    for plan in plans {
        let alone = plans.iter().filter(|other| other.name == plan.name).count() == 1;
        let head = format!("plans.{}", key(&plan.name));
        page.table(&if alone { format!("[{head}]") } else { format!("[[{head}]]") })?;
        let name = plan_name(plan);
        page.line(&name, "usd", &text(&plan.usd.to_string()))?;
        if let Some(from) = plan.from {
            page.line(&name, "from", &from.to_string())?;
        }
        if !plan.sources.is_empty() {
            let sources: Vec<String> = plan.sources.iter().map(ToString::to_string).collect();
            page.line(&name, "sources", &texts(&sources))?;
        }
    }
    Ok(())
}

fn rate_lines(rates: &Rates) -> Vec<(&'static str, String)> {
    let quoted = |rate: Usd| text(&per_million(rate));
    let others = [
        ("cache_read", rates.cache_read.map(quoted)),
        ("cache_write_5m", rates.cache_write_5m.map(quoted)),
        ("cache_write_1h", rates.cache_write_1h.map(quoted)),
        ("web_search", rates.web_search.map(|each| text(&each.to_string()))),
    ];
    let mut lines = vec![("input", quoted(rates.input)), ("output", quoted(rates.output))];
    lines.extend(others.into_iter().filter_map(|(key, value)| Some((key, value?))));
    lines
}

fn limit_value(limit: &Limit, usual: &[u8]) -> String {
    let mut parts = amount_parts(&limit.amount);
    if limit.warn_at != usual {
        parts.push(("warn_at", percentages(&limit.warn_at)));
    }
    let parts: Vec<String> = parts.into_iter().map(|(key, value)| format!("{key} = {value}")).collect();
    format!("{{ {} }}", parts.join(", "))
}

/// An amount as members of a table: `usd` is `25`, `tokens` is `500_000`.
pub(crate) fn amount_parts(amount: &Amount) -> Vec<(&'static str, String)> {
    // Numbers with more digits than TOML guarantees are quoted.
    let usd = |usd: Usd| {
        let written = usd.to_string();
        if written.len() > 15 { text(&written) } else { written }
    };
    let parts = [
        amount.usd.map(|amount| ("usd", usd(amount))),
        amount.tokens.map(|count| ("tokens", grouped(count))),
        amount.output_tokens.map(|count| ("output_tokens", grouped(count))),
    ];
    parts.into_iter().flatten().collect()
}

/// `500_000`.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('_');
        }
        out.push(digit);
    }
    out
}

fn percentages(all: &[u8]) -> String {
    let all: Vec<String> = all.iter().map(u8::to_string).collect();
    format!("[{}]", all.join(", "))
}

fn text(text: &str) -> String {
    escaped(&toml_edit::Value::from(text).to_string())
}

/// Escapes invisible characters in a quoted text, so that a terminal shows them.
fn escaped(quoted: &str) -> String {
    let hidden = |letter: char| !letter.is_ascii() && !Label::is_shown(letter);
    if !quoted.contains(hidden) {
        return quoted.to_owned();
    }
    // Only basic strings have escapes; in literal strings, between apostrophes, backslashes are literal.
    let literal = quoted.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    let basic = match literal {
        Some(inner) => format!("\"{}\"", inner.replace('\\', "\\\\").replace('"', "\\\"")),
        None => quoted.to_owned(),
    };
    let mut out = String::with_capacity(basic.len());
    for letter in basic.chars() {
        if hidden(letter) {
            let _ = write!(out, "\\U{:08X}", u32::from(letter));
        } else {
            out.push(letter);
        }
    }
    out
}

fn texts(all: &[String]) -> String {
    let all: Vec<String> = all.iter().map(|one| text(one)).collect();
    format!("[{}]", all.join(", "))
}

fn key(name: &str) -> String {
    escaped(&toml_edit::Key::new(name).display_repr())
}
