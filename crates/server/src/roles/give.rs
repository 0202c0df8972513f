//! Giving licenses to a device that asked for none: decided as for one that asks, sealed to the keys of its certificate, and
//! written before anybody gets it.

use super::issue::grant::{Granter, TermsByName};
use super::{MAX_ATTEMPTS, barred, role_key};
use crate::accounts::Account;
use crate::problem::Fault;
use crate::rules::epochs::Standing;
use crate::rules::mailbox::Recipient;
use crate::service::Service;
use crate::store::{Acting, Committed, Exchange, Issue, Offer};
use std::collections::HashSet;
use std::sync::Arc;
use wmlicense_wire::answer::{self, Answer, Beside, Grant, Reason};
use wmlicense_wire::certificate::{DeviceCertificate, Role};
use wmlicense_wire::id::{Epoch, Kid, TransactionId};
use wmlicense_wire::request::ClientInfo;

/// Licenses that are given to one device.
pub(crate) struct Given {
    /// Names the answer.
    pub(crate) transaction: TransactionId,
    /// The answer, for a file.
    pub(crate) answer: Vec<u8>,
    /// How many there are.
    pub(crate) licenses: usize,
}

/// Nothing is given to this device.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GiveError {
    /// The device may not have anything.
    #[error("the device was revoked")]
    DeviceRevoked,
    /// One of the licenses may not be given: why, and from when on it may, seconds UTC.
    #[error("key ID {0}: {text}", text = why(*.1, *.2))]
    Refused(Kid, Reason, Option<i64>),
    /// Keys, database or certificates.
    #[error("the service's keys or database cannot be used: {0:?}")]
    Service(Fault),
}

impl<E: Into<Fault>> From<E> for GiveError {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

fn why(reason: Reason, again: Option<i64>) -> String {
    let text = match reason {
        Reason::UnknownContent => "there is no such content",
        Reason::NotEntitled => "the account has neither its scope nor a grant of an offer that covers it",
        Reason::AccountRequired => "it belongs to accounts; name one",
        Reason::Revoked => "it was taken back",
        Reason::Expired => "it has ended on unchanged terms",
        Reason::UsedUp => "all uses are used up on unchanged terms",
        Reason::UserMustAct => "its policy wants the user's own word",
        Reason::DeviceCopied => "too many copies of the device's store were noticed to give it what counts",
        Reason::GrantedTooOften => "the device got it again as often as a year allows",
        Reason::LimitReached
        | Reason::OtherAccount
        | Reason::NotAllowed
        | Reason::UnknownIssuer
        | Reason::Damaged
        | Reason::ConsentMissing
        | Reason::DeviceRevoked
        | Reason::QuotaUsedUp
        | Reason::ApplicationRevoked
        | Reason::Declined
        | Reason::NotDecided
        | Reason::Returned
        | Reason::KeyReplaced => "it may not be given",
    };
    match again {
        Some(again) => format!("{text}; from {} on it may", crate::policy::to_rfc3339(again)),
        None => text.to_owned(),
    }
}

/// Gives licenses for all of these key IDs to a device, in the name of an account where there is one; all or none. With `keep`
/// they wait in its mailbox. `by`: who gives them.
pub(crate) async fn give(
    service: &Arc<Service>,
    recipient: &Recipient,
    account: Option<Account>,
    kids: &[Kid],
    keep: bool,
    by: &Acting,
) -> Result<Given, GiveError> {
    let keyring = service.keyring();
    let certificate = service.device(&keyring, &recipient.certificate)?;
    let status = service.reload_status().await?;
    let barred = |now| barred(status.as_deref(), recipient.thumbprint, &ClientInfo::default(), now).is_some();
    for _ in 0..MAX_ATTEMPTS {
        let now = service.clock.now();
        if recipient.revoked || barred(now) {
            return Err(GiveError::DeviceRevoked);
        }
        let exchange = exchange(recipient, account, now)?;
        let (device, holder) = (recipient.device, exchange.account);
        let offer = service.store.offer(exchange.clone(), device, holder, kids.to_vec()).await?;
        if offer.revoked {
            return Err(GiveError::DeviceRevoked);
        }
        let granter = Granter {
            service: Arc::clone(service),
            keyring: Arc::clone(&keyring),
            account,
            device,
            consent: None,
            copied: recipient.copied,
            told: Arc::new(HashSet::new()),
            now,
        };
        let (issue, grants) = decide(&granter, kids, offer)?;
        let answer = seal(&granter, &certificate, exchange.transaction, &grants)?;
        match service.store.give(exchange.clone(), device, issue, answer.clone(), keep, by.clone()).await? {
            Committed::Done => {
                return Ok(Given { transaction: exchange.transaction, answer, licenses: grants.len() });
            }
            Committed::Changed | Committed::Prior(_) => {}
        }
    }
    Err(GiveError::Service(Fault::Unavailable))
}

fn exchange(recipient: &Recipient, account: Option<Account>, now: i64) -> Result<Exchange, GiveError> {
    let transaction = TransactionId::random().map_err(|_| Fault::Internal)?;
    Ok(Exchange {
        thumbprint: recipient.thumbprint,
        transaction,
        page: 0,
        request_hash: answer::unasked(),
        account: account.map(|account| account.user),
        now,
        // Nobody presents anything.
        presented: None,
        fresh: Epoch::new([0; 16]),
        standing: Standing::default(),
    })
}

/// Grants all, with the roots without which leaves among them would not open.
fn decide(granter: &Granter, kids: &[Kid], offer: Offer) -> Result<(Issue, Vec<Grant>), GiveError> {
    let (mut terms, mut issue, mut grants) =
        (TermsByName::default(), Issue { deliveries: offer.deliveries, ..Issue::default() }, Vec::new());
    let asked = kids.iter().copied().zip(offer.items);
    let roots = offer.roots.into_iter().map(|(kid, offered)| (kid, Some(offered)));
    for (kid, offered) in asked.chain(roots) {
        let granted = granter.grant(kid, offered, &mut terms)?.map_err(|refused| {
            let (reason, again) = refused.reason();
            GiveError::Refused(kid, reason, again)
        })?;
        grants.push(granted.grant);
        issue.licenses.extend(granted.license);
        issue.again.extend(granted.again);
        issue.uses.extend(granted.uses);
        issue.joins.extend(granted.joins);
    }
    Ok((issue, grants))
}

/// Certificates come along, because nobody says which ones the device holds.
fn seal(
    granter: &Granter,
    device: &DeviceCertificate,
    transaction: TransactionId,
    grants: &[Grant],
) -> Result<Vec<u8>, GiveError> {
    let own = role_key(&granter.keyring, Role::Issuer)?;
    let answer = Answer::given(transaction, device.thumbprint(), granter.now);
    let certificates = [Some(&own.certificate), granter.keyring.newest(Role::Management)];
    let certificates = certificates.into_iter().flatten().map(|certificate| certificate.bytes.clone()).collect();
    let beside = Beside { certificates, ..Beside::default() };
    let bytes = answer::seal(answer, device.device_id, &device.keys, grants, None, &beside, &own.signing);
    let bytes = bytes.map_err(Fault::from)?;
    if bytes.len() > answer::MAX_LEN { Err(Fault::TooLarge.into()) } else { Ok(bytes) }
}
