//! What holds for every price and every call.
