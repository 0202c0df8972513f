//! Rows of licenses and of the devices that hold them.

use super::super::Pending;
use super::For;
use crate::rules::delivery::HeldKey;
use crate::rules::licenses::NewLicense;
use crate::rules::rows::{AgainRow, Booked, HeldRow, LicenseRow, SeatRow};
use wmlicense_wire::id::{DeviceId, Kid, Lid, UserId};
use wmlicense_wire::license::State;

/// Licenses as they were issued to a device: one for each key ID and account, or nobody where the content is open.
pub(crate) trait LicenseRows {
    /// The licenses that a device has for key IDs and accounts, in order.
    fn licenses<'a>(
        &'a mut self,
        device: DeviceId,
        keys: &'a [(Kid, Option<UserId>)],
    ) -> Pending<'a, Vec<Option<LicenseRow>>>;
    /// The licenses of these IDs as they were issued to a first device, in order; none where another one stands in its row by now.
    fn first_licenses<'a>(&'a mut self, licenses: &'a [(Kid, Lid)]) -> Pending<'a, Vec<Option<LicenseRow>>>;
    /// Writes licenses of a device where it has none, and gives the number of those written.
    fn insert_licenses<'a>(
        &'a mut self,
        device: DeviceId,
        licenses: &'a [&'a NewLicense],
        now: i64,
    ) -> Pending<'a, usize>;
    /// Puts licenses of a device in place of those that they name, where these stand, and gives the number of those written.
    fn replace_licenses<'a>(
        &'a mut self,
        device: DeviceId,
        licenses: &'a [&'a NewLicense],
        now: i64,
    ) -> Pending<'a, usize>;
    /// Notes that a device gave its own licenses back, where these stand.
    fn return_licenses<'a>(&'a mut self, device: DeviceId, licenses: &'a [(Kid, Lid)], now: i64) -> Pending<'a, ()>;
    /// Notes the mark at which devices were told to drop licenses issued to them, unless one is noted. In order: that there is
    /// such a license.
    fn withdraw_licenses<'a>(&'a mut self, licenses: &'a [(DeviceId, Kid, Lid)], mark: i64) -> Pending<'a, Vec<bool>>;
    /// What a device holds and did not give back, issued to it or restored, behind a key, in the order of key IDs, accounts and
    /// license IDs.
    fn held_behind<'a>(&'a mut self, device: DeviceId, behind: &'a HeldKey, limit: usize) -> Pending<'a, Vec<HeldRow>>;
    /// What a device holds for key IDs, in the same order under each.
    fn held_for<'a>(&'a mut self, device: DeviceId, kids: &'a [Kid]) -> Pending<'a, Vec<HeldRow>>;
}

/// Devices that hold licenses; what is left of the licenses, and how often they went out again.
pub(crate) trait SeatRows {
    /// The seats of licenses, each license's in the order of devices.
    fn seats<'a>(&'a mut self, licenses: &'a [Lid], how: For) -> Pending<'a, Vec<SeatRow>>;
    /// The seats of one device at licenses.
    fn seats_of<'a>(&'a mut self, device: DeviceId, licenses: &'a [Lid], how: For) -> Pending<'a, Vec<SeatRow>>;
    /// Writes new seats.
    fn insert_seats<'a>(&'a mut self, seats: &'a [SeatRow]) -> Pending<'a, ()>;
    /// Puts seats in place of those of the same licenses and devices.
    fn update_seats<'a>(&'a mut self, seats: &'a [SeatRow]) -> Pending<'a, ()>;
    /// Notes the mark at which devices were told to drop what was restored to them, unless one is noted.
    fn withdraw_seats<'a>(&'a mut self, seats: &'a [(Lid, DeviceId)], mark: i64) -> Pending<'a, ()>;
    /// How many seats of licenses were freed after a time, seconds UTC; licenses without any may be left out.
    fn freed<'a>(&'a mut self, licenses: &'a [Lid], after: i64) -> Pending<'a, Vec<(Lid, u64)>>;
    /// Notes that seats were freed.
    fn insert_freed<'a>(&'a mut self, seats: &'a [(Lid, DeviceId)], at: i64) -> Pending<'a, ()>;
    /// The strictest states known of licenses, of those that have one.
    fn states<'a>(&'a mut self, licenses: &'a [Lid], how: For) -> Pending<'a, Vec<(Lid, State)>>;
    /// Puts states in place of those before.
    fn put_states<'a>(&'a mut self, states: &'a [(Lid, State)]) -> Pending<'a, ()>;
    /// What a device got again of lines after a time, seconds UTC. Each line is named once.
    fn again<'a>(&'a mut self, device: DeviceId, lines: &'a [Lid], after: i64, how: For) -> Pending<'a, Vec<Booked>>;
    /// Notes licenses that a device got again.
    fn insert_again<'a>(&'a mut self, device: DeviceId, rows: &'a [AgainRow]) -> Pending<'a, ()>;
}
