//! Requests that wait for their user: whose they are, and whether the user may still decide.

use super::exchanges::Exchange;
use wmlicense_wire::id::{DeviceId, Digest, Kid, SignerId, UserId};

/// How the user decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Accepted, for this account where one was needed.
    Accepted(Option<UserId>),
    /// Declined.
    Declined,
}

/// A request that waits for its user.
#[derive(Debug, Clone)]
pub(crate) struct Interaction {
    /// Random; what the page's URL carries.
    pub(crate) id: String,
    pub(crate) thumbprint: SignerId,
    pub(crate) request_hash: Digest,
    /// Account that the application sent the request with.
    pub(crate) account: Option<UserId>,
    pub(crate) device: DeviceId,
    /// What the application calls itself.
    pub(crate) application: Option<String>,
    /// What the user is asked about.
    pub(crate) kids: Vec<Kid>,
    /// Seconds UTC.
    pub(crate) expires_at: i64,
    pub(crate) decision: Option<Decision>,
}

/// An interaction to be opened.
#[derive(Debug, Clone)]
pub(crate) struct NewInteraction {
    pub(crate) id: String,
    pub(crate) exchange: Exchange,
    pub(crate) device: DeviceId,
    pub(crate) application: Option<String>,
    pub(crate) kids: Vec<Kid>,
    pub(crate) expires_at: i64,
}

/// True if an interaction is that of this very request, by its bytes and its account.
pub(crate) fn is_of(interaction: &Interaction, exchange: &Exchange) -> bool {
    interaction.request_hash == exchange.request_hash && interaction.account == exchange.account
}

/// True if the user may decide at `now`, seconds UTC: once, and before the page ends.
pub(crate) fn is_open(interaction: &Interaction, now: i64) -> bool {
    interaction.decision.is_none() && interaction.expires_at > now
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::epochs::Standing;
    use wmlicense_wire::id::{Epoch, TransactionId};

    fn interaction() -> Interaction {
        Interaction {
            id: "page".to_owned(),
            thumbprint: SignerId::new([1; 32]),
            request_hash: Digest::new([3; 32]),
            account: None,
            device: DeviceId::new([2; 16]),
            application: None,
            kids: vec![],
            expires_at: 2000,
            decision: None,
        }
    }

    #[test]
    fn a_page_is_that_of_a_request_by_its_bytes_and_its_account() {
        let exchange = Exchange {
            thumbprint: SignerId::new([1; 32]),
            transaction: TransactionId::new([2; 16]),
            page: 0,
            request_hash: Digest::new([3; 32]),
            account: None,
            now: 1000,
            presented: None,
            fresh: Epoch::new([0; 16]),
            standing: Standing::default(),
        };
        assert!(is_of(&interaction(), &exchange));
        assert!(!is_of(&Interaction { request_hash: Digest::new([9; 32]), ..interaction() }, &exchange));
        assert!(!is_of(&Interaction { account: Some(UserId::new([5; 16])), ..interaction() }, &exchange));
    }

    #[test]
    fn a_user_decides_once_and_before_the_page_ends() {
        assert!(is_open(&interaction(), 1999));
        assert!(!is_open(&interaction(), 2000));
        for decision in [Decision::Declined, Decision::Accepted(None)] {
            assert!(!is_open(&Interaction { decision: Some(decision), ..interaction() }, 1999));
        }
    }
}
