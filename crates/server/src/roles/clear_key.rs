//! Keys for pages in browsers, which cannot keep a secret: decided as for a device that asks, written before anybody gets one, and
//! only where the owner's terms say so.

use super::issue::grant::{Granter, NotGranted, TermsByName};
use super::issue::leave_out_replaced;
use super::{MAX_ATTEMPTS, role_key};
use crate::accounts::Account;
use crate::metrics::count;
use crate::policy::PLAY;
use crate::problem::Fault;
use crate::quota::Payer;
use crate::rules::epochs::Standing;
use crate::rules::granted::GrantId;
use crate::rules::tally::Outcome as Came;
use crate::service::Service;
use crate::source::Source;
use crate::store::{Exchange, Issue, NewLicense, Offer, Offered, Part};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use wmlicense_wire::answer::{self, Reason};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{DeviceId, Digest, Epoch, Kid, SignerId, TransactionId, UserId};
use wmlicense_wire::license::ActionState;
use wmlicense_wire::over::end_of;
use wmlicense_wire::policy::Policy;
use zeroize::Zeroizing;

/// Bytes of the rows of one license, beside its policy.
const ROW_LEN: usize = 512;

/// A page that asks for keys.
#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) account: Option<Account>,
    /// What it counts as.
    pub(crate) device: DeviceId,
    /// It keeps an ID of its own.
    pub(crate) is_named: bool,
    pub(crate) source: Source,
}

/// Why a page gets no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No device would get a license either.
    Reason(Reason),
    /// The content is an account's, and pages that keep no ID cannot be told apart.
    NoId,
    /// Its time has not come.
    NotYet,
    /// The owner's terms do not let the key out.
    KeptFromPages,
    /// They say what no page can keep.
    BeyondPages,
}

/// What came of a request, by key ID.
#[derive(Default)]
pub(crate) struct Given {
    pub(crate) keys: Vec<(Kid, Zeroizing<Vec<u8>>)>,
    pub(crate) refused: Vec<(Kid, Refusal)>,
}

impl Page {
    fn user(&self) -> Option<UserId> {
        self.account.map(|account| account.user)
    }

    fn payer(&self) -> Payer {
        // Those without an ID of their own spend nothing of each other.
        Payer { source: self.source, device: self.is_named.then_some(self.device), account: self.user() }
    }
}

/// Keys for a page, as far as it may have them. Each was written down before.
pub(crate) async fn give(service: Arc<Service>, page: Page, kids: Vec<Kid>) -> Result<Given, Fault> {
    let keyring = service.keyring();
    role_key(&keyring, Role::Issuer)?;
    for _ in 0..MAX_ATTEMPTS {
        let now = service.clock.now();
        let offer = service.store.offer(exchange(&page, now)?, page.device, page.user(), kids.clone()).await?;
        let granter = Granter {
            service: Arc::clone(&service),
            keyring: Arc::clone(&keyring),
            account: page.account,
            device: page.device,
            consent: None,
            copied: false,
            told: Arc::new(HashSet::new()),
            now,
        };
        let (asked, is_named) = (kids.clone(), page.is_named);
        let decide = move || Decision { granter, is_named, terms: TermsByName::default() }.decide(&asked, offer);
        let (given, issue) = service.compute(page.source, decide).await??;
        if !issue.licenses.is_empty()
            && let Some(wait) = service.quotas.wait(&page.payer(), now)
        {
            return Err(Fault::QuotaUsedUp(wait));
        }
        let kept: usize = issue.licenses.iter().map(|license| ROW_LEN + license.issued.policy.len()).sum();
        if issue.is_empty() || service.store.issue_to_page(page.device, issue, now).await? {
            if kept > 0 {
                service.quotas.spend(&page.payer(), kept as u64, now);
            }
            count(&service.metrics.clear_keys, given.keys.len());
            count(&service.metrics.clear_key_refusals, given.refused.len());
            let numbers = [(Came::ClearKey, given.keys.len()), (Came::Refused, given.refused.len())];
            service.tally.add_untitled(&numbers, now);
            tracing::info!(given = given.keys.len(), refused = given.refused.len(), "keys for a page");
            return Ok(given);
        }
    }
    Err(Fault::Unavailable)
}

/// What stands for the request where what is known of a device is looked up. Nothing of it is kept.
fn exchange(page: &Page, now: i64) -> Result<Exchange, Fault> {
    Ok(Exchange {
        thumbprint: SignerId::new(*Digest::of(page.device.as_bytes()).as_bytes()),
        transaction: TransactionId::random()?,
        page: 0,
        request_hash: answer::unasked(),
        account: page.user(),
        now,
        // Pages have no store that could be copied.
        presented: None,
        fresh: Epoch::new([0; 16]),
        standing: Standing::default(),
    })
}

struct Decision {
    granter: Granter,
    is_named: bool,
    terms: TermsByName,
}

/// What is to be written for what was granted: the license where it is a new one, the grant where it is the first of it.
type Judged = Result<(Option<NewLicense>, Option<GrantId>), Refusal>;
/// A key, and what is to be written for it.
type Had = (Zeroizing<Vec<u8>>, Vec<NewLicense>, Vec<GrantId>);

impl Decision {
    fn decide(mut self, kids: &[Kid], offer: Offer) -> Result<(Given, Issue), Fault> {
        let mut given = Given::default();
        let mut issue = Issue { deliveries: offer.deliveries, withdrawn: offer.withdrawn, ..Issue::default() };
        if offer.revoked {
            given.refused = kids.iter().map(|kid| (*kid, Refusal::Reason(Reason::DeviceRevoked))).collect();
            return Ok((given, Issue::default()));
        }
        let is_root = |offered: &Offered| matches!(offered.content.part, Part::Root);
        let (roots, items): (Vec<_>, Vec<_>) =
            kids.iter().copied().zip(offer.items).partition(|(_, item)| item.as_ref().is_some_and(is_root));
        // A subscription is nothing that a page could play.
        given.refused.extend(roots.iter().map(|(kid, _)| (*kid, Refusal::Reason(Reason::UnknownContent))));
        let mut of_roots: HashMap<Kid, Judged> = HashMap::new();
        for (kid, root) in offer.roots.into_iter().chain(roots.into_iter().filter_map(|(kid, root)| Some((kid, root?))))
        {
            let judged = self.judge(kid, root)?;
            of_roots.insert(kid, judged);
        }
        for (kid, item) in items {
            match self.item(kid, item, &mut of_roots)? {
                Ok((key, licenses, joins)) => {
                    given.keys.push((kid, key));
                    issue.licenses.extend(licenses);
                    issue.joins.extend(joins);
                }
                Err(refusal) => given.refused.push((kid, refusal)),
            }
        }
        leave_out_replaced(&mut issue.withdrawn, &issue.licenses);
        Ok((given, issue))
    }

    /// The key of one content with the licenses to write, its root's among them.
    fn item(
        &mut self,
        kid: Kid,
        item: Option<Offered>,
        roots: &mut HashMap<Kid, Judged>,
    ) -> Result<Result<Had, Refusal>, Fault> {
        let Some(offered) = item else { return Ok(Err(Refusal::Reason(Reason::UnknownContent))) };
        let sealed = offered.content.sealed_key.clone();
        let root = if let Part::Leaf(root) = &offered.content.part { Some(root.kid) } else { None };
        let (mut licenses, mut joins): (Vec<NewLicense>, Vec<GrantId>) = match self.judge(kid, offered)? {
            Ok((license, joins)) => (license.into_iter().collect(), joins.into_iter().collect()),
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let Some(root) = root {
            match roots.get_mut(&root) {
                Some(Ok((license, of))) => {
                    licenses.extend(license.take());
                    joins.extend(of.take());
                }
                Some(Err(refusal)) => return Ok(Err(*refusal)),
                None => return Ok(Err(Refusal::Reason(Reason::NotEntitled))),
            }
        }
        let key = sealed.opened(|sealed| self.granter.service.master.open(kid, sealed)).ok_or_else(|| {
            tracing::error!("a key does not open under the master key");
            Fault::Internal
        })?;
        Ok(Ok((key, licenses, joins)))
    }

    /// Asks what a device would be granted, and then whether a page may have it.
    fn judge(&mut self, kid: Kid, offered: Offered) -> Result<Judged, Fault> {
        let terms = self.terms.of(&offered.content)?.terms.clone();
        let is_root = matches!(offered.content.part, Part::Root);
        let granted = match self.granter.grant(kid, Some(offered), &mut self.terms)? {
            Ok(granted) => granted,
            // Of these terms the owner's word is missing before the user's.
            Err(NotGranted::AskUser) if !terms.clear_key => return Ok(Err(Refusal::KeptFromPages)),
            Err(NotGranted::NotYet(_)) => return Ok(Err(Refusal::NotYet)),
            Err(refused) => return Ok(Err(Refusal::Reason(refused.reason().0))),
        };
        let policy = Policy::decode(&granted.grant.policy).map_err(|_| {
            tracing::error!("a license that was granted cannot be read");
            Fault::Internal
        })?;
        // The word of the content's own terms counts: a root's are those of many.
        if !terms.clear_key && !is_root {
            return Ok(Err(Refusal::KeptFromPages));
        }
        if terms.beyond_pages().is_some() || policy.is_stateful() {
            return Ok(Err(Refusal::BeyondPages));
        }
        if policy.user.is_some() && !self.is_named {
            return Ok(Err(Refusal::NoId));
        }
        Ok(time(&policy, self.granter.now).map_or(Ok((granted.license, granted.joins)), Err))
    }
}

/// Why it may not be played at this time.
fn time(policy: &Policy, now: i64) -> Option<Refusal> {
    let (_, play) = policy.actions.iter().find(|(name, _)| name == PLAY)?;
    if end_of(policy, play, ActionState::default()).is_some_and(|end| end <= now) {
        return Some(Refusal::Reason(Reason::Expired));
    }
    play.not_before.is_some_and(|begin| now < begin).then_some(Refusal::NotYet)
}

impl Refusal {
    /// In one word, for programs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reason(Reason::UnknownContent) => "unknown-content",
            Self::Reason(Reason::AccountRequired) => "account-required",
            Self::Reason(Reason::NotEntitled) => "not-entitled",
            Self::Reason(Reason::LimitReached) => "limit-reached",
            Self::Reason(Reason::Revoked) => "revoked",
            Self::Reason(Reason::DeviceRevoked) => "device-revoked",
            Self::Reason(Reason::Expired) => "expired",
            Self::Reason(_) => "not-granted",
            Self::NoId => "device-required",
            Self::NotYet => "not-yet",
            Self::KeptFromPages => "kept-from-pages",
            Self::BeyondPages => "beyond-pages",
        }
    }

    /// Why, and what helps.
    pub(crate) fn detail(self) -> &'static str {
        match self {
            Self::Reason(Reason::UnknownContent) => "This service has no content of this key ID.",
            Self::Reason(Reason::AccountRequired) => {
                "This content is for accounts. Sign in, and send the account token as Authorization: Bearer."
            }
            Self::Reason(Reason::NotEntitled) => {
                "The account does not include this content. Whoever sells it can tell how to get it."
            }
            Self::Reason(Reason::LimitReached) => {
                "As many devices as the account may have hold this. Free one of them, or use one of them."
            }
            Self::Reason(Reason::Revoked) => "The right to this content was taken back. Ask whoever sold it.",
            Self::Reason(Reason::DeviceRevoked) => "This browser may not ask any more. Ask whoever runs the service.",
            Self::Reason(Reason::Expired) => "The right to this content has ended. A new one has to be bought.",
            Self::Reason(_) => "This content cannot be had in a browser at present. Use an app of the service.",
            Self::NoId => {
                "Content of an account needs a page that keeps a random ID: send it as the header Wmlicense-Device, or as device in the query."
            }
            Self::NotYet => "The time of this content has not come yet. Ask again later.",
            Self::KeptFromPages => {
                "The terms of this content keep its key from browsers. Use an app of the service; or its owner sets \"clearKey\": true in the policy."
            }
            Self::BeyondPages => {
                "The terms of this content count uses or ask for more than a browser can keep. Use an app of the service."
            }
        }
    }
}
