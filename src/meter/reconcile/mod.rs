//! Compares a provider's bill with the ledger by day and model, and finds the likely reason for each difference.

mod compared;
mod model_name;
mod provider_bill;
mod reason;

pub(crate) use compared::Compared;
pub(crate) use provider_bill::{Bill, Columns, Vendor};
pub(crate) use reason::Reason;
