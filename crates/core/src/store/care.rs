//! Looking after the store: checked whole, mended, and cleared of what is over.

pub(super) mod check;
pub(super) mod clean;
pub(super) mod rebuild;
pub(super) mod repair;
