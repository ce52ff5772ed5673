//! Formats numbers, names and times for people, in the same way for every interface.

mod complete;
mod gate;
mod limit;
mod limit_name;
mod money;
mod name;
mod number;
mod panic;
mod quota;
mod similar;
mod time;
mod wrap;

pub(crate) use crate::domain::model_short;
pub(crate) use crate::domain::{project_short, session_short};
pub(crate) use complete::{cache_line, complete, complete_about, counter, followed_words, session_words};
pub(crate) use gate::{again, gate_reason, near_words};
pub(crate) use limit::{
    as_usual, banner, banner_amounts, banner_title, forecast, forecast_short, full_at, full_between, is_unpriced,
    known_percent, left, left_of, left_short, percent, resets, used_in_words, used_of, used_short,
};
pub(crate) use limit_name::{row_names, short_names};
pub(crate) use money::{
    Mark, cost, cost_as_in_column, cost_column, cost_fine, cost_short, difference, mark, rate, rate_per_million,
    rate_short, saved, usd, usd_as, usd_as_in_column, usd_short,
};
pub use name::width;
pub(crate) use name::{
    ascii, ascii_text, fit, fit_apart, fit_end, fit_middle, fit_name, fit_parts, fit_path, is_plain, pad, pad_left,
    short_paths,
};
pub(crate) use number::{absent, agent_gaps, bytes, compact, compact_above, count, per_cent, percentage, plural};
pub(crate) use panic::{has_panicked, panic_words};
pub(crate) use quota::{quota_age, quota_name, quota_resets};
pub(crate) use similar::{meant, most_similar_first, similar};
pub(crate) use time::{
    clock, clock_seconds, day_name, duration, duration_short, header_time, minute, moment, moment_full, month_name,
};
pub(crate) use wrap::wrapped;
