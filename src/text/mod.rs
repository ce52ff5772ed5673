//! How a number, a name or a moment is written for a person. Pure; every face says the same thing the same way.

mod complete;
mod limit;
mod money;
mod name;
mod number;
mod panic;
mod time;

pub use complete::{cache_line, complete, counter};
pub use limit::{banner, banner_amounts, banner_title, forecast, forecast_short, resets, scope, used_of};
pub use money::{Mark, cost, cost_fine, mark, rate_per_million, usd, usd_fine, usd_short};
pub use name::{
    ascii, ascii_text, fit, fit_end, fit_parts, model_short, pad, pad_left, project_short, session_short, width,
};
pub use number::{bytes, compact, compact_above, count, per_cent, plural};
pub use panic::{has_panicked, panic_words};
pub use time::{
    ago, clock, clock_seconds, day_name, duration, duration_short, header_time, minute, moment, month_name,
};
