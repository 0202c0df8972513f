//! What is asked of the store when a device gives licenses back.

use super::{Committed, Exchange, Pending, Prior};
use wmlicense_wire::id::{DeviceId, Lid};
use wmlicense_wire::license::State;

/// What is known before licenses are given back.
pub(crate) struct Held {
    pub(crate) prior: Prior,
    /// The device was revoked.
    pub(crate) revoked: bool,
    /// For each license in the order asked: the device holds it, or held it.
    pub(crate) known: Vec<bool>,
}

/// Giving licenses back.
pub(crate) trait Returns: Send + Sync {
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
