//! Rows of those who act for the owner from elsewhere.

use super::super::Pending;
use crate::rules::admins::AdminRow;
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
}
