//! The commands that read the past, each in a home of its own, at a fixed time.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "a panic fails the test")]

#[path = "books_cli/home.rs"]
mod home;

#[path = "books_cli/backfill.rs"]
mod backfill;
#[path = "books_cli/bills.rs"]
mod bills;
#[path = "books_cli/branches.rs"]
mod branches;
#[path = "books_cli/care.rs"]
mod care;
#[path = "books_cli/codex.rs"]
mod codex;
#[path = "books_cli/faults.rs"]
mod faults;
#[path = "books_cli/forks.rs"]
mod forks;
#[path = "books_cli/homes.rs"]
mod homes;
#[path = "books_cli/prices.rs"]
mod prices;
#[path = "books_cli/projects.rs"]
mod projects;
#[path = "books_cli/quotas.rs"]
mod quotas;
#[path = "books_cli/sessions.rs"]
mod sessions;
#[path = "books_cli/texts.rs"]
mod texts;
#[path = "books_cli/trust.rs"]
mod trust;
#[path = "books_cli/views.rs"]
mod views;
