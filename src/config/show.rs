//! Writes the effective settings as an equivalent config.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::origin::Origin;
use super::plans::plan_name;
use super::prices::price_name;
use super::scope::LimitKey;
use super::settings_table;
use super::toml_writer::{key, percentages, rate_lines, text, texts};
use super::values::Word as _;
use super::{Alerts, Loaded, Password, Settings};
use crate::domain::Usd;
use crate::meter::{Amount, Limit, Plan};
use crate::pricing::CustomPrice;

impl Loaded {
    /// Writes the effective settings as a config; with `origins`, each with its origin. Webhook addresses may be
    /// secrets, so only their host is shown.
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

    /// Writes the settings of a table that have fixed names.
    fn settings(&mut self, settings: &Settings, table: &str, hides: bool) -> io::Result<()> {
        if !table.is_empty() {
            self.table(&format!("[{table}]"))?;
        }
        for setting in settings_table::of_table(table) {
            if setting.name == "server.token" && settings.server.token.is_some() {
                // Secrets are not shown, so that the output can be shared.
                writeln!(self.out, "# token is set")?;
            }
            let Some(value) = setting.written(settings) else { continue };
            let is_secret = hides && ["alerts.webhook", "alerts.slack", "server.otlp_endpoint"].contains(&setting.name);
            self.line(setting.name, setting.key(), &if is_secret { hidden(&value) } else { value })?;
        }
        Ok(())
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
    page.settings(settings, "", hides)?;

    page.table("[limits]")?;
    for limit in &settings.limits {
        let path = LimitKey::from_limit(limit).path();
        let short: Vec<String> = path.iter().skip(1).map(|part| key(part)).collect();
        page.line(&path.join("."), &short.join("."), &limit_value(limit, &settings.warn_at))?;
    }

    page.settings(settings, "alerts", hides)?;
    email(&mut page, &settings.alerts)?;
    page.settings(settings, "gate", hides)?;
    page.settings(settings, "server", hides)?;
    prices(&mut page, &settings.prices)?;
    page.table("[aliases]")?;
    for (from, to) in &settings.aliases {
        page.line(&format!("aliases.{from}"), &key(from), &text(to))?;
    }
    page.settings(settings, "attribution", hides)?;
    plans(&mut page, &settings.plans)?;
    page.table("[keys]")?;
    for binding in &settings.keys {
        page.line(&format!("keys.{}", binding.action), &key(&binding.action), &texts(&binding.keys))?;
    }
    page.settings(settings, "proxy", hides)?;
    if !settings.upstreams.is_empty() {
        page.table("[proxy.upstreams]")?;
        for (prefix, url) in &settings.upstreams {
            page.line(&format!("proxy.upstreams.{prefix}"), &key(prefix), &text(url))?;
        }
    }
    page.table("[views]")?;
    for (name, view) in &settings.views {
        page.line(&format!("views.{name}"), &key(name), &text(view))?;
    }
    Ok(())
}

fn email(page: &mut Page<'_>, alerts: &Alerts) -> io::Result<()> {
    let Some(email) = &alerts.email else { return Ok(()) };
    page.table("[alerts.email]")?;
    page.line("alerts.email.server", "server", &text(&email.server))?;
    page.line("alerts.email.port", "port", &email.port.to_string())?;
    page.line("alerts.email.tls", "tls", &text(email.tls.word()))?;
    if let Some(file) = &email.ca_file {
        page.line("alerts.email.ca_file", "ca_file", &text(&file.to_string_lossy()))?;
    }
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

/// A quoted address, cut to its host.
fn hidden(address: &str) -> String {
    let Some((scheme, rest)) = address.trim_matches(['"', '\'']).split_once("://") else { return text("") };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    text(&format!("{scheme}://{}/…", host.rsplit('@').next().unwrap_or_default()))
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
