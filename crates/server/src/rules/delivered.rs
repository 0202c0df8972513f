//! Licenses that were delivered many at once: one row for all of them, and a page that says what they are. Which of them have rows of
//! their own by now is a bit each.

use wmlicense_wire::id::{DeviceId, Digest, Id, Kid, Lid, UserId};

/// Bytes of a license ID behind those of its delivery: its place.
const PLACE_LEN: usize = Lid::LEN - DeliveryId::LEN;

/// What kind of identifier it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum DeliveryKind {}
/// What the license IDs of a delivery begin with.
pub(crate) type DeliveryId = Id<12, DeliveryKind>;

/// Licenses of one account and scope that a device got at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeliveryRow {
    pub(crate) id: DeliveryId,
    pub(crate) device: DeviceId,
    /// Account that they are issued to; none where the content is open.
    pub(crate) user: Option<UserId>,
    /// Of the content at that time; empty: open to all.
    pub(crate) scope: String,
    pub(crate) issued_at: i64,
    /// Number of the last change to what is offered at that time.
    pub(crate) mark: i64,
    pub(crate) page: Digest,
    /// First and last key ID of the page.
    pub(crate) kids: (Kid, Kid),
    /// Places on the page.
    pub(crate) count: u32,
    /// Licenses of it that have no rows of their own.
    pub(crate) live: u32,
    /// A bit for each that has, the lowest of the first byte first.
    pub(crate) gone: Vec<u8>,
    /// Mark at which the device was told to drop all that are left.
    pub(crate) withdrawn: Option<i64>,
}

impl DeliveryRow {
    /// True if its page may have one of these key IDs, which are in order.
    pub(crate) fn may_have(&self, kids: &[Kid]) -> bool {
        let at = kids.partition_point(|kid| *kid < self.kids.0);
        kids.get(at).is_some_and(|kid| *kid <= self.kids.1)
    }

    /// The license at a place.
    pub(crate) fn lid(&self, place: u32) -> Lid {
        lid_at(self.id, place)
    }

    /// True if the license at a place has no rows of its own.
    pub(crate) fn is_live(&self, place: u32) -> bool {
        let bit = self.gone.get(place as usize / 8).is_some_and(|byte| byte & (1 << (place % 8)) != 0);
        place < self.count && !bit
    }

    /// Notes that the license at a place has rows of its own.
    pub(crate) fn leave(&mut self, place: u32) {
        if self.is_live(place) {
            self.gone.resize((self.count as usize).div_ceil(8), 0);
            self.gone[place as usize / 8] |= 1 << (place % 8);
            self.live -= 1;
        }
    }

    /// The places of licenses that have no rows of their own, in order.
    pub(crate) fn places(&self) -> impl Iterator<Item = u32> {
        (0..self.count).filter(|place| self.is_live(*place))
    }
}

/// The license at a place of a delivery.
pub(crate) fn lid_at(id: DeliveryId, place: u32) -> Lid {
    let mut bytes = [0; Lid::LEN];
    let (front, back) = bytes.split_at_mut(DeliveryId::LEN);
    front.copy_from_slice(id.as_bytes());
    back.copy_from_slice(&place.to_be_bytes());
    Lid::new(bytes)
}

/// Delivery and place of a license, if it was delivered.
pub(crate) fn place_of(lid: Lid) -> (DeliveryId, u32) {
    let (mut id, mut place) = ([0; DeliveryId::LEN], [0; PLACE_LEN]);
    let (front, back) = lid.as_bytes().split_at(DeliveryId::LEN);
    id.copy_from_slice(front);
    place.copy_from_slice(back);
    (DeliveryId::new(id), u32::from_be_bytes(place))
}

/// A page as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct PageRow {
    pub(crate) hash: Digest,
    /// 16 bytes each.
    pub(crate) kids: Vec<u8>,
    /// Terms, which ones by place, titles.
    pub(crate) about: Vec<u8>,
}

/// A delivery to be written down.
pub(crate) struct NewDelivery {
    pub(crate) row: DeliveryRow,
    pub(crate) page: PageRow,
}
