//! What is kept: licenses, their states and keys, transactions, revocations, and how each comes in and goes.

pub(super) mod at_rest;
pub(super) mod certificates;
pub(super) mod epoch;
pub(super) mod give_back;
pub(super) mod import;
pub(super) mod incoming;
pub(super) mod lookup;
pub(super) mod merge;
pub(super) mod order;
pub(super) mod packing;
pub(super) mod pages;
pub(super) mod recipe;
pub(super) mod removal;
pub(super) mod revocation;
pub(super) mod section;
pub(super) mod snapshot;
pub(super) mod standing;
pub(super) mod state;
pub(super) mod time;
pub(super) mod tombstone;
pub(super) mod transactions;
pub(super) mod waiting;
