//! Renewal: what a device holds under a license ID that it wants renewed, issued to it or restored from another device's backup.

use super::content::Content;
use super::exchanges::Prior;
use super::grants::Bookings;
use super::licenses::{Issued, KeptLicense, Withdrawn, holder};
use super::revocation::is_taken_back;
use super::rows::LicenseRow;
use super::seats::Kept;
use std::sync::Arc;
use wmlicense_wire::id::{DeviceId, Kid, Lid, UserId};
use wmlicense_wire::license::State;
use wmlicense_wire::revocation::Rule;

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

impl Renewable {
    /// The key ID that it is for.
    pub(crate) fn kid(&self) -> Option<Kid> {
        match self {
            Self::NotHeld => None,
            Self::OtherAccount(kid) | Self::NoContent(kid) => Some(*kid),
            Self::Held(held) => Some(held.kid),
        }
    }
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
    /// How many deliveries the device got before.
    pub(crate) deliveries: u64,
}

/// Who asks for a renewal.
pub(crate) struct Renewing {
    pub(crate) device: DeviceId,
    pub(crate) account: Option<UserId>,
    /// Rules by which licenses are taken back from the device.
    pub(crate) rules: Arc<[Rule]>,
}

impl Renewing {
    /// The key ID of a license that the device holds, by its rows.
    pub(crate) fn held(&self, kept: &Kept) -> Option<Kid> {
        let seat = kept.seats.iter().find(|seat| seat.device == self.device);
        seat.filter(|seat| seat.returned_at.is_none()).map(|seat| seat.kid)
    }

    /// Whose license of the content stands for the one that is asked about.
    pub(crate) fn holder(&self, content: &Content) -> Option<UserId> {
        holder(content, self.account)
    }

    /// What is known of the license `lid` for content that there is. `own`: the license that the device got for it itself, be
    /// it a later one; `first`: the one that was issued to the first device, where that is not known to be another by now.
    pub(crate) fn renewable(
        &self,
        (kid, lid): (Kid, Lid),
        content: Content,
        kept: &Kept,
        own: Option<KeptLicense>,
        first: Option<LicenseRow>,
        bookings: &Bookings,
    ) -> Renewable {
        let (taken_back, rules) = (is_taken_back(&kept.orders, self.device), Arc::clone(&self.rules));
        let restored = own.is_none();
        let current = match (own, first) {
            (Some(KeptLicense { row, state, line, orders: _ }), _) => {
                Some(Issued::with_uses(row, state, line, bookings))
            }
            (None, Some(first)) if first.user != self.holder(&content) => return Renewable::OtherAccount(kid),
            (None, Some(first)) => {
                let line = kept.line(self.device, lid);
                // Whether its first device gave it back says nothing of this one.
                let issued = Issued::with_uses(first, kept.state.clone(), line, bookings);
                Some(Issued { withdrawn: false, ..issued })
            }
            (None, None) => None,
        };
        let state = if current.is_none() { kept.state.clone() } else { None };
        Renewable::Held(Box::new(HeldLicense { kid, content, current, state, restored, taken_back, rules }))
    }
}

#[cfg(test)]
mod tests;
