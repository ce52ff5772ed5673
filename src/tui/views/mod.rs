//! The views, one file each.

mod compact;
mod fleet;
mod health;
mod history;
mod limit_columns;
mod limits;
mod models;
mod projects;
mod sessions;
mod waiting;

pub(super) use compact::Compact;
pub(super) use fleet::{Fleet, fleet_widths};
pub(super) use health::{Health, health_details, health_lines};
pub(super) use history::History;
pub(super) use limits::Limits;
pub(super) use models::Models;
pub(super) use projects::Projects;
pub(super) use sessions::{Sessions, per_hour, session_copied};
pub(super) use waiting::Waiting;
