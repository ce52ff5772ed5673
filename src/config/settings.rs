//! The settings, as plain data.

use std::path::PathBuf;

use chrono::{NaiveTime, Weekday};

use super::{Email, Env, Server};
use crate::domain::{Label, TicketPattern, Zone};
use crate::meter::{Limit, Plan, QuietHours};
use crate::pricing::{CostMode, CustomPrice, Rates};
use crate::theme::ColorWhen;

/// Settings in force: flags over environment over the user's file over defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// User of calls whose log has none; by default the login name.
    pub user: Label,
    /// Team of calls whose log has none.
    pub team: Option<Label>,
    /// Organisation of calls whose log has none.
    pub org: Option<Label>,
    /// Time zone of calendar periods.
    pub zone: Zone,
    /// First day of the week; Monday by default.
    pub week_start: Weekday,
    /// Additional files and folders to follow; `~` is already expanded.
    pub logs: Vec<PathBuf>,
    /// Further homes in which every agent's places are looked for; `~` is already expanded.
    pub homes: Vec<PathBuf>,
    /// Theme name; `auto` by default.
    pub theme: String,
    /// Characters used for graphics.
    pub symbols: Symbols,
    /// Whether colours are used.
    pub color: ColorWhen,
    /// Whether the mouse is captured; off by default, so that text can be selected.
    pub mouse: bool,
    /// Most pictures a second of the live screen.
    pub frame_rate: FrameRate,
    /// Template of the status line; empty for the default.
    pub statusline: String,
    /// Which cost counts when a log states one.
    pub cost: CostMode,
    /// Default warning thresholds in per cent, ascending, each from 1 to 100.
    pub warn_at: Vec<u8>,
    /// Limits, in the order of their names.
    pub limits: Vec<Limit>,
    /// Alert delivery.
    pub alerts: Alerts,
    /// Behaviour of the gate.
    pub gate: Gate,
    /// The HTTP server.
    pub server: Server,
    /// User-defined prices, which take precedence over the built-in ones.
    pub prices: Vec<CustomPrice>,
    /// Model aliases: from, to.
    pub aliases: Vec<(String, String)>,
    /// Finds the ticket in a branch's name.
    pub ticket: TicketPattern,
    /// Subscriptions, to compare their price with what was used.
    pub plans: Vec<Plan>,
    /// Key bindings that differ from the defaults; the screen validates the actions.
    pub keys: Vec<KeyBinding>,
    /// Model services that the proxy forwards to: the beginning of the path, and the address.
    pub upstreams: Vec<(String, String)>,
    /// PEM file of certificates that the proxy trusts in addition to the system's.
    pub upstream_ca: Option<PathBuf>,
    /// Views saved under a name: the view, and a filter; the screen validates them.
    pub views: Vec<(String, String)>,
}

/// Most pictures a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FrameRate {
    /// 30, or 10 over ssh.
    #[default]
    Auto,
    /// So many, from 1 to 60.
    Most(u8),
}

impl FrameRate {
    /// The number, where one is stated.
    pub fn most(self) -> Option<u8> {
        match self {
            Self::Auto => None,
            Self::Most(rate) => Some(rate),
        }
    }
}

/// Characters used for graphics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Symbols {
    /// According to the locale.
    #[default]
    Auto,
    /// Block elements, box drawing, arrows.
    Unicode,
    /// Plain ASCII.
    Ascii,
}

/// Alert delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alerts {
    /// Ring the terminal's bell.
    pub bell: bool,
    /// Show a notification.
    pub notify: Notify,
    /// Program to run, with its arguments; `{title}` and `{body}` are replaced. No shell is involved.
    pub command: Vec<String>,
    /// URL to post to.
    pub webhook: Option<String>,
    /// Slack-compatible web hook, whose address is a secret.
    pub slack: Option<String>,
    /// Mail to send.
    pub email: Option<Email>,
    /// Local time of day at which the digest of yesterday is sent.
    pub daily: Option<NaiveTime>,
    /// Hours without alerts; the banner is shown regardless.
    pub quiet: Option<QuietHours>,
    /// Percentage points that use must fall below a threshold before its warning may repeat.
    pub hysteresis: u8,
}

impl Default for Alerts {
    fn default() -> Self {
        Self {
            bell: true,
            notify: Notify::Auto,
            command: Vec::new(),
            webhook: None,
            slack: None,
            email: None,
            daily: None,
            quiet: None,
            hysteresis: 5,
        }
    }
}

/// Notification channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Notify {
    /// The terminal's if known to be supported, else the desktop's.
    #[default]
    Auto,
    /// No notifications.
    Off,
    /// The terminal's sequence OSC 9.
    Osc9,
    /// The terminal's sequence OSC 777.
    Osc777,
    /// The desktop's own notification program.
    Desktop,
}

/// Behaviour of the gate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gate {
    /// Answer when the ledger cannot be read.
    pub on_error: OnError,
    /// Rates for models without a price, used for dollar limits only.
    pub unpriced: Option<Rates>,
}

/// The gate's answer when the ledger cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnError {
    /// Allow: a broken ledger must not stop work.
    #[default]
    Allow,
    /// Deny.
    Deny,
}

/// Keys for one action of the screen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyBinding {
    /// Name of the action.
    pub action: String,
    /// Keys as written: `q`, `ctrl-l`, `F1`. Empty for none.
    pub keys: Vec<String>,
}

impl Settings {
    /// Default settings.
    pub fn defaults(env: &Env) -> Self {
        Self {
            user: Label::new(&env.login),
            team: None,
            org: None,
            zone: env.zone().0,
            week_start: Weekday::Mon,
            logs: Vec::new(),
            homes: Vec::new(),
            theme: "auto".to_owned(),
            symbols: Symbols::default(),
            color: ColorWhen::default(),
            mouse: false,
            frame_rate: FrameRate::default(),
            statusline: String::new(),
            cost: CostMode::default(),
            warn_at: vec![80],
            limits: Vec::new(),
            alerts: Alerts::default(),
            gate: Gate::default(),
            server: Server::default(),
            prices: Vec::new(),
            aliases: Vec::new(),
            ticket: TicketPattern::default(),
            plans: Vec::new(),
            keys: Vec::new(),
            upstreams: Vec::new(),
            upstream_ca: None,
            views: Vec::new(),
        }
    }
}

/// Settings and locations given on the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--socket` with a path.
    pub socket: Option<PathBuf>,
    /// `--tz`.
    pub tz: Option<String>,
    /// `--color`.
    pub color: Option<ColorWhen>,
    /// `--log`.
    pub log: Option<PathBuf>,
}
