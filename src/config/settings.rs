//! The settings as plain data.

use std::path::PathBuf;

use chrono::{NaiveTime, Weekday};

use super::{Email, Env, Server};
use crate::domain::{Label, TicketPattern, Zone};
use crate::meter::{Limit, Plan, QuietHours};
use crate::pricing::{CostMode, CustomPrice, Rates};
use crate::theme::ColorWhen;

/// The effective settings: flags override the environment, which overrides the user's file, which overrides the
/// defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// User of calls whose log names none; the login name by default.
    pub user: Label,
    /// Team of calls whose log names none.
    pub team: Option<Label>,
    /// Organisation of calls whose log names none.
    pub org: Option<Label>,
    /// Time zone of calendar periods.
    pub zone: Zone,
    /// First day of the week; Monday by default.
    pub week_start: Weekday,
    /// Additional files and folders to follow; `~` is already expanded.
    pub logs: Vec<PathBuf>,
    /// Additional home folders in which to look for every agent's logs; `~` is already expanded.
    pub homes: Vec<PathBuf>,
    /// Theme name; `auto` by default.
    pub theme: String,
    /// Characters used for graphics.
    pub symbols: Symbols,
    /// Whether colours are used.
    pub color: ColorWhen,
    /// Whether the mouse is captured; off by default, so that text can be selected.
    pub mouse: bool,
    /// Maximum frames per second of the live screen.
    pub frame_rate: FrameRate,
    /// Status line template; empty for the default.
    pub statusline: String,
    /// Which cost to use when a log gives one.
    pub cost: CostMode,
    /// Default warning thresholds in per cent, ascending, each from 1 to 100.
    pub warn_at: Vec<u8>,
    /// Limits, ordered by name.
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
    /// Pattern that finds the ticket in a branch name.
    pub ticket: TicketPattern,
    /// Subscriptions, to compare their price with the usage.
    pub plans: Vec<Plan>,
    /// Key bindings that differ from the defaults; the screen validates the actions.
    pub keys: Vec<KeyBinding>,
    /// Model services that the proxy forwards to: path prefix and address.
    pub upstreams: Vec<(String, String)>,
    /// PEM file of certificates that the proxy trusts in addition to the system's.
    pub upstream_ca: Option<PathBuf>,
    /// Saved views by name: a view and a filter; the screen validates them.
    pub views: Vec<(String, String)>,
}

/// Maximum frames per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FrameRate {
    /// 30, or 10 over ssh.
    #[default]
    Auto,
    /// This many, from 1 to 60.
    Most(u8),
}

impl FrameRate {
    /// The number, if one is given.
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
    /// Slack-compatible webhook; its address is a secret.
    pub slack: Option<String>,
    /// Mail to send.
    pub email: Option<Email>,
    /// Local time of day at which to send yesterday's digest.
    pub daily: Option<NaiveTime>,
    /// Hours without alerts; the banner is shown regardless.
    pub quiet: Option<QuietHours>,
    /// Percentage points that usage must fall below a threshold before its warning can repeat.
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
    /// The terminal's if it is known to support them, otherwise the desktop's.
    #[default]
    Auto,
    /// No notifications.
    Off,
    /// The terminal's OSC 9 sequence.
    Osc9,
    /// The terminal's OSC 777 sequence.
    Osc777,
    /// The desktop's own notification program.
    Desktop,
}

/// Behaviour of the gate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gate {
    /// Answer if the ledger cannot be read.
    pub on_error: OnError,
    /// Rates for models without a price, used only for dollar limits.
    pub unpriced: Option<Rates>,
}

/// The gate's answer if the ledger cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnError {
    /// Allow: a broken ledger must not stop work.
    #[default]
    Allow,
    /// Deny.
    Deny,
}

/// Keys bound to one action of the screen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyBinding {
    /// Name of the action.
    pub action: String,
    /// Keys as written: `q`, `ctrl-l`, `F1`. Empty if the action has none.
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
