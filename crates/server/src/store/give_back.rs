//! What is asked of the store about licenses that a device holds: to give them back, to renew them, to tell of their use.

use super::{Committed, Content, Exchange, Issued, Pending, Prior, Told, Withdrawn};
use std::sync::Arc;
use wmlicense_wire::id::{DeviceId, Kid, Lid};
use wmlicense_wire::license::State;
use wmlicense_wire::revocation::Rule;

/// What is known before licenses are given back.
pub(crate) struct Held {
    pub(crate) prior: Prior,
    /// The device was revoked.
    pub(crate) revoked: bool,
    /// For each license in the order asked: the device holds it, or held it.
    pub(crate) known: Vec<bool>,
}

/// What is known of a license that a device wants renewed.
pub(crate) enum Renewable {
    /// The device does not hold it.
    NotHeld,
    /// It belongs to another account, or to one where none asks.
    OtherAccount(Kid),
    /// The content is not licensed any more.
    NoContent(Kid),
    /// The device holds it.
    Held(Box<HeldLicense>),
}

/// A license that a device holds.
pub(crate) struct HeldLicense {
    pub(crate) kid: Kid,
    pub(crate) content: Content,
    /// The license as it was issued; none if nothing is known of it but that the device holds it.
    pub(crate) current: Option<Issued>,
    /// The strictest state known of the one that is asked about, where nothing else is known of it.
    pub(crate) state: Option<State>,
    /// It came from another device's backup: this device has no row of its own.
    pub(crate) restored: bool,
    /// It was taken back by its ID.
    pub(crate) taken_back: bool,
    /// Rules by which licenses are taken back from this device.
    pub(crate) rules: Arc<[Rule]>,
}

/// What the service knows for a renewal.
pub(crate) struct RenewalOffer {
    pub(crate) prior: Prior,
    /// The device was revoked.
    pub(crate) revoked: bool,
    /// For each license in the order asked.
    pub(crate) items: Vec<Renewable>,
    /// Licenses for their key IDs that the device has to drop.
    pub(crate) withdrawn: Vec<Withdrawn>,
}

/// Licenses that devices hold.
pub(crate) trait Returns: Send + Sync {
    /// Keeps what a device tells of the use of licenses that it holds; the strictest counts. Gives the lines of those that are
    /// the device's: it still has them.
    fn report(&self, device: DeviceId, usage: Vec<(Lid, State)>, now: i64) -> Pending<'_, Told>;
    /// What may be renewed.
    fn renewable(&self, exchange: Exchange, device: DeviceId, licenses: Vec<Lid>) -> Pending<'_, RenewalOffer>;
    /// Which of these licenses the device holds or held.
    fn held(&self, exchange: Exchange, device: DeviceId, licenses: Vec<Lid>) -> Pending<'_, Held>;
    /// Writes down that the device gave licenses back, with their last state, and the answer. Frees the device's seats as
    /// often as that is allowed.
    fn give_back(
        &self,
        exchange: Exchange,
        device: DeviceId,
        licenses: Vec<(Lid, State)>,
        answer: Vec<u8>,
    ) -> Pending<'_, Committed>;
}
