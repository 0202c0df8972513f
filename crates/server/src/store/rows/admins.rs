//! Rows of those who act for the owner from elsewhere.

use super::super::Pending;
use crate::rules::admins::{AdminRow, Repeat, RepeatRow};
use wmlicense_wire::id::Digest;

/// Tokens of admins. Who changes them holds the mark.
pub(crate) trait AdminRows {
    /// A token by its hash, whatever became of it.
    fn admin(&mut self, hash: Digest) -> Pending<'_, Option<AdminRow>>;
    /// The token of an admin that was not ended.
    fn admin_by_name<'a>(&'a mut self, name: &'a str) -> Pending<'a, Option<AdminRow>>;
    /// All tokens by name and time, whatever became of them.
    fn admins(&mut self) -> Pending<'_, Vec<AdminRow>>;
    /// Writes a token, or when the one of the same hash ended.
    fn put_admin<'a>(&'a mut self, row: &'a AdminRow) -> Pending<'a, ()>;
    /// What is known of a request of an admin under a key.
    fn request<'a>(&'a mut self, admin: &'a str, key: &'a str) -> Pending<'a, Option<RepeatRow>>;
    /// How many requests of an admin are known.
    fn requests_of<'a>(&'a mut self, admin: &'a str) -> Pending<'a, u64>;
    /// Writes a request, where none of its key is known from this time on, seconds UTC; true if it did. Who comes second waits
    /// until the first one ended.
    fn claim_request<'a>(&'a mut self, row: &'a RepeatRow, from: i64) -> Pending<'a, bool>;
    /// Writes the status and body of the answer to a request.
    fn answer_request<'a>(&'a mut self, repeat: &'a Repeat, status: u16, answer: &'a [u8]) -> Pending<'a, ()>;
    /// Drops requests from before this time, seconds UTC.
    fn drop_requests(&mut self, before: i64) -> Pending<'_, ()>;
}
