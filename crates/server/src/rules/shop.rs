//! What the owner's shop says in a token that it signed: an account, and what that has.

use super::granted::GrantId;
use wmlicense_wire::id::{Digest, UserId};

/// What a shop's token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sold {
    /// Name of the account.
    pub(crate) account: String,
    pub(crate) grants: Vec<SoldGrant>,
}

/// A grant that it says the account has. The same offer and reference are the same grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SoldGrant {
    pub(crate) offer: String,
    pub(crate) reference: String,
    /// Seconds UTC.
    pub(crate) from: Option<i64>,
    pub(crate) until: Option<i64>,
    /// Of each title and action on all devices together, in place of what the policy says.
    pub(crate) uses: Option<u32>,
    /// That may have licenses under it at a time; none: as many as there are.
    pub(crate) devices: Option<u32>,
}

impl SoldGrant {
    /// Its ID for an account: whoever sends the token again, or another one about the same order, adds nothing.
    pub(crate) fn id(&self, user: UserId) -> GrantId {
        let length = (self.offer.len() as u64).to_be_bytes();
        let parts: [&[u8]; 5] = [
            b"wmlicense/1 grant of a shop\0",
            user.as_bytes(),
            &length,
            self.offer.as_bytes(),
            self.reference.as_bytes(),
        ];
        let mut id = [0; 16];
        id.copy_from_slice(&Digest::of_parts(&parts).as_bytes()[..16]);
        GrantId::new(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_the_same_by_account_offer_and_reference_alone() {
        let grant = |offer: &str, reference: &str, until| SoldGrant {
            offer: offer.to_owned(),
            reference: reference.to_owned(),
            from: None,
            until,
            uses: None,
            devices: None,
        };
        let (one, other) = (UserId::new([1; 16]), UserId::new([2; 16]));
        let id = grant("rental", "17", None).id(one);
        assert_eq!(grant("rental", "17", Some(5)).id(one), id);
        for different in [
            grant("rental", "18", None).id(one),
            grant("rental1", "7", None).id(one),
            grant("rental", "17", None).id(other),
        ] {
            assert_ne!(different, id);
        }
    }
}
