//! A look at the bytes of a policy: what moving its license and keeping it takes, without reading the rest. What the terms permit
//! is not looked at.

use super::{BackupRight, LicenseKind, read_backup, read_kind};
use crate::cbor::read;
use crate::id::{Id, Kid, Lid, ServiceId, SignerId, UserId};
use minicbor::Decoder;

/// What must be known of a policy to move or to keep its license, without reading the rest. Each field is as
/// [`Policy`](super::Policy) has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glance {
    /// License ID.
    pub lid: Lid,
    /// Key that the license is for.
    pub kid: Kid,
    /// Service that issued it.
    pub issuer: ServiceId,
    /// What it carries.
    pub kind: LicenseKind,
    /// May it go into a backup.
    pub backup: BackupRight,
    /// Management service that may re-bind it.
    pub management: Option<ServiceId>,
    /// Key whose license revocation blobs may remove it.
    pub revocation_key: Option<SignerId>,
    /// Account that it was issued to.
    pub user: Option<UserId>,
    /// Older license that this one removes.
    pub replaces: Option<Lid>,
    /// As [`Policy::is_stateful`](super::Policy::is_stateful) says.
    pub stateful: bool,
    /// Some right may end at a time that the policy names. Whether all do, and when, is for who reads it whole.
    pub dated: bool,
}

impl Glance {
    /// Looks at the bytes of a policy that was read and checked before, and kept since.
    pub fn at(bytes: &[u8]) -> Option<Self> {
        let mut decoder = Decoder::new(bytes);
        let (mut lid, mut kid, mut issuer, mut kind, mut backup, mut terms) = (None, None, None, None, None, None);
        let (mut management, mut revocation_key, mut user, mut replaces) = (None, None, None, None);
        for _ in 0..decoder.map().ok()?? {
            match decoder.u64().ok()? {
                1 => issuer = Some(id(&mut decoder)?),
                7 => lid = Some(id(&mut decoder)?),
                10 => kid = Some(id(&mut decoder)?),
                11 => kind = Some(read_kind(decoder.u64().ok()?)?),
                12 => terms = Some(terms_of(&mut decoder)?),
                13 => backup = Some(read_backup(decoder.u64().ok()?)?),
                15 => management = Some(id(&mut decoder)?),
                19 => revocation_key = Some(id(&mut decoder)?),
                20 => user = Some(id(&mut decoder)?),
                21 => replaces = Some(id(&mut decoder)?),
                _ => decoder.skip().ok()?,
            }
        }
        let (lid, kid, issuer, kind, backup) = (lid?, kid?, issuer?, kind?, backup?);
        let Terms { stateful, dated } = terms?;
        let whole = decoder.position() == bytes.len();
        whole.then_some(Self {
            lid,
            kid,
            issuer,
            kind,
            backup,
            management,
            revocation_key,
            user,
            replaces,
            stateful,
            dated,
        })
    }

    /// True if the license may go into a backup.
    pub fn may_back_up(&self) -> bool {
        self.backup.covers(self.stateful)
    }
}

fn id<const N: usize, K>(decoder: &mut Decoder<'_>) -> Option<Id<N, K>> {
    Id::from_slice(decoder.bytes().ok()?).ok()
}

/// What the conditions of all actions say.
struct Terms {
    stateful: bool,
    dated: bool,
}

/// Looks at the map of actions that follows.
fn terms_of(decoder: &mut Decoder<'_>) -> Option<Terms> {
    let mut terms = Terms { stateful: false, dated: false };
    for _ in 0..decoder.map().ok()?? {
        decoder.skip().ok()?;
        for _ in 0..decoder.array().ok()?? {
            decoder.array().ok()?;
            let number = decoder.u64().ok()?;
            decoder.skip().ok()?;
            let value = decoder.position();
            decoder.skip().ok()?;
            let value = decoder.input().get(value..decoder.position())?;
            terms.stateful |=
                (number == 3 && read::uint(value).is_some()) || (number == 5 && read::uint32(value).is_some());
            terms.dated |= matches!(number, 2 | 4);
        }
    }
    Some(terms)
}
