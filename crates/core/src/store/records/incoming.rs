//! A license on its way into the store, whether it comes from a service, from a backup or from an earlier schema.

use crate::store::Section;
use wmlicense_wire::id::{Digest, Kid, Lid, ServiceId};
use wmlicense_wire::license::{InnerKey, State};
use wmlicense_wire::policy::Policy;

/// What the store needs to know of a license on its way in.
pub(in crate::store) struct Incoming<'a> {
    pub(in crate::store) index: u32,
    pub(in crate::store) kid: Kid,
    pub(in crate::store) lid: Lid,
    pub(in crate::store) issuer: ServiceId,
    pub(in crate::store) policy_hash: Digest,
    pub(in crate::store) issued_at: i64,
    pub(in crate::store) replaces: Option<Lid>,
    /// First second without a right to anything; `i64::MAX` if some right has no end.
    pub(in crate::store) ends_at: i64,
    /// `None` if it may not be backed up.
    pub(in crate::store) section: Option<Section>,
    /// State to start from or to merge; `None` for a stateless license.
    pub(in crate::store) state: Option<State>,
    pub(in crate::store) policy: &'a Policy,
    /// The license, encoded.
    pub(in crate::store) license: &'a [u8],
    pub(in crate::store) key: &'a InnerKey,
}
