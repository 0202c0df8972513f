//! What each error of this crate is to whoever has to be told: the one place where errors get their kind. The kinds themselves
//! are in `failure/kinds.rs`.

mod contact;
mod refusal;
mod storage;
#[cfg(test)]
mod tests;
mod verbs;

use crate::failure::{Explain, Failure, FailureKind};
