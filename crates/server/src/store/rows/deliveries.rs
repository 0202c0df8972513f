//! Rows of licenses that were delivered many at once.

use super::super::Pending;
use super::{Filter, For};
use crate::rules::delivered::{DeliveryId, DeliveryRow, PageRow};
use crate::rules::rows::LicenseRow;
use wmlicense_wire::id::{DeviceId, Digest, Kid, Lid};

/// Deliveries, the pages that say what was delivered, and what left a scope since.
pub(crate) trait DeliveryRows {
    /// How many deliveries a device got. For changing: nobody else writes licenses of the device meanwhile.
    fn count_deliveries(&mut self, device: DeviceId, how: For) -> Pending<'_, u64>;
    /// The deliveries of a device, by ID.
    fn deliveries_of(&mut self, device: DeviceId) -> Pending<'_, Vec<DeliveryRow>>;
    /// Deliveries by their IDs, those that there are, in order. Each is named once.
    fn deliveries<'a>(&'a mut self, ids: &'a [DeliveryId], how: For) -> Pending<'a, Vec<DeliveryRow>>;
    /// Deliveries behind an ID, in order.
    fn deliveries_behind(&mut self, behind: Option<DeliveryId>, limit: usize) -> Pending<'_, Vec<DeliveryRow>>;
    /// Writes a delivery.
    fn insert_delivery<'a>(&'a mut self, row: &'a DeliveryRow) -> Pending<'a, ()>;
    /// Notes which licenses of a delivery have rows of their own.
    fn put_gone<'a>(&'a mut self, row: &'a DeliveryRow) -> Pending<'a, ()>;
    /// Notes the mark at which a device was told to drop what is left of deliveries, unless one is noted.
    fn withdraw_deliveries<'a>(&'a mut self, ids: &'a [DeliveryId], mark: i64) -> Pending<'a, ()>;
    /// The pages of these hashes.
    fn pages<'a>(&'a mut self, hashes: &'a [Digest]) -> Pending<'a, Vec<PageRow>>;
    /// Writes a page, where it is not there, and keeps who drops unused ones from it.
    fn insert_page<'a>(&'a mut self, page: &'a PageRow) -> Pending<'a, ()>;
    /// Drops deliveries of before this time, seconds UTC, of which every license has rows of its own, so many at most.
    fn drop_dead_deliveries(&mut self, before: i64, limit: usize) -> Pending<'_, u64>;
    /// Notes of pages behind a hash (empty: from the first on), so many at most, at which time it was seen that no delivery names
    /// them. Gives the last one that was looked at where there may be more.
    fn note_unused_pages<'a>(&'a mut self, behind: &'a [u8], limit: usize, now: i64) -> Pending<'a, Option<Digest>>;
    /// Drops pages that were noted before this time, seconds UTC, and that no delivery names, so many at most.
    fn drop_unused_pages(&mut self, before: i64, limit: usize) -> Pending<'_, u64>;
    /// Hashes and key IDs of pages that may have a key ID.
    fn pages_with(&mut self, kid: Kid) -> Pending<'_, Vec<(Digest, Vec<u8>)>>;
    /// Notes content that left its scope (empty: open to all) at a mark.
    fn note_left<'a>(&'a mut self, left: &'a [(String, Kid)], mark: i64) -> Pending<'a, ()>;
    /// Content that left a scope after a mark, with the marks at which it did.
    fn left_after<'a>(&'a mut self, scope: &'a str, mark: i64) -> Pending<'a, Vec<(Kid, i64)>>;
    /// The licenses that a device has rows of, from one key ID to another, both included, at most so many.
    fn licenses_between(
        &mut self,
        device: DeviceId,
        first: Kid,
        last: Kid,
        limit: usize,
    ) -> Pending<'_, Vec<(Kid, LicenseRow)>>;
    /// Deliveries, the latest first, those of one second by ID, from a second and an ID on, with the names of their accounts:
    /// account, device, times of issue, and a key ID between the first and the last of its page.
    fn list_deliveries<'a>(
        &'a mut self,
        filter: &'a Filter,
        from: Option<(i64, DeliveryId)>,
        limit: usize,
    ) -> Pending<'a, Vec<(DeliveryRow, Option<String>)>>;
    /// When devices acknowledged that licenses were taken back, seconds UTC, of those that did.
    fn acknowledged_at<'a>(&'a mut self, licenses: &'a [Lid]) -> Pending<'a, Vec<(Lid, DeviceId, i64)>>;
}
