//! The desk: the one way of a request that is decided: enter, look, known answer, decide, commit, written. What a role looks
//! up, decides and writes is its own; that nothing leaves before it is written is this file's.

use super::{Caller, role_key, told, whole};
use crate::accounts::Account;
use crate::keyring::{Keyring, RoleKey};
use crate::metrics::count;
use crate::problem::Fault;
use crate::quota::Payer;
use crate::rules::epochs::Standing;
use crate::service::Service;
use crate::source::Source;
use crate::store::{Committed, Exchange, Prior};
use std::collections::HashSet;
use std::sync::Arc;
use wmlicense_wire::answer::{Answer, Beside, Grant, Reason};
use wmlicense_wire::certificate::{Role, ServiceCertificate};
use wmlicense_wire::endpoint::Endpoint;
use wmlicense_wire::id::{Lid, UserId};

/// A decision is made again when what it rested on changed meanwhile; more often than this it is told as overload.
pub(super) const MAX_ATTEMPTS: usize = 5;

/// Bytes of the rows of a request beside those of its answer.
const BESIDE_ANSWER: u64 = 512;

/// What a role decided.
pub(super) enum Step<W> {
    /// The whole request is refused, without trace: the same request may succeed later.
    Refuse(Reason),
    /// This answer decides nothing yet. It goes out once it is written that the request was checked; the same request gets the
    /// decision later.
    Note(Vec<u8>),
    /// This is to be written.
    Commit(W),
    /// What it rests on is known by now: look again.
    Again,
}

/// What one look at the store found.
pub(super) struct Looked<F> {
    /// The device was revoked.
    pub(super) revoked: bool,
    /// What is known of the exchange.
    pub(super) prior: Prior,
    /// What its decision rests on.
    pub(super) found: F,
}

/// What writing a decision brought: whether it is written, how the exchange stands by its epoch, and what to send then.
pub(super) type Brought = (Committed, Standing, Vec<u8>);

/// A request on its way, as its role sees it.
pub(super) trait Matter {
    /// What the store knows of it.
    type Found;
    /// What is written, with what is sent then.
    type Write;

    fn service(&self) -> &Service;
    /// For whom its answer is kept; none where nothing is.
    fn payer(&self) -> Option<Payer>;
    /// Takes the request up; or why it is refused whole.
    async fn enter(&mut self) -> Result<Result<Exchange, Reason>, Fault>;
    /// The answer that refuses it whole.
    async fn refuse(&self, reason: Reason) -> Result<Vec<u8>, Fault>;
    /// Looks up what is known of the device and of the exchange, and what its decision rests on.
    async fn look(&mut self, exchange: &Exchange) -> Result<Looked<Self::Found>, Fault>;
    async fn decide(&mut self, exchange: &Exchange, found: Self::Found) -> Result<Step<Self::Write>, Fault>;
    async fn commit(&mut self, exchange: Exchange, write: Self::Write) -> Result<Brought, Fault>;
    /// Counts and logs what was answered and decides nothing.
    fn noted(&self) {}
    /// Counts and logs what is written.
    fn written(&self) {}
}

/// Brings a request all the way.
pub(super) async fn serve(mut matter: impl Matter) -> Result<Vec<u8>, Fault> {
    for _ in 0..MAX_ATTEMPTS {
        let exchange = match matter.enter().await? {
            Ok(exchange) => exchange,
            Err(reason) => return matter.refuse(reason).await,
        };
        let Looked { revoked, prior, found } = matter.look(&exchange).await?;
        // Who was revoked since it entered is handed nothing, not even what it was answered before.
        if revoked {
            return matter.refuse(Reason::DeviceRevoked).await;
        }
        // What is made again is kept nowhere, and was paid for the first time.
        let payer = if prior == Prior::Again { None } else { matter.payer() };
        if let Some(answer) = known_answer(prior)? {
            return Ok(answer);
        }
        let now = exchange.now;
        if let Some(wait) = payer.and_then(|payer| matter.service().quotas.wait(&payer, now)) {
            return Err(Fault::QuotaUsedUp(wait));
        }
        match matter.decide(&exchange, found).await? {
            Step::Refuse(reason) => return matter.refuse(reason).await,
            Step::Note(answer) => {
                let standing = exchange.standing.clone();
                let committed = matter.service().store.note(exchange).await?;
                if let Some(answer) = sendable(&matter, (committed, standing, answer)) {
                    spend(&matter, payer, 0, now);
                    matter.noted();
                    return Ok(answer);
                }
            }
            Step::Commit(write) => {
                let brought = matter.commit(exchange, write).await?;
                if let Some(answer) = sendable(&matter, brought) {
                    spend(&matter, payer, answer.len(), now);
                    matter.written();
                    return Ok(answer);
                }
            }
            Step::Again => {}
        }
    }
    Err(Fault::Unavailable)
}

/// Counts what is kept of a request: its answer, and about as much again in the rows of what that grants.
fn spend(matter: &impl Matter, payer: Option<Payer>, answer: usize, now: i64) {
    if let Some(payer) = payer {
        matter.service().quotas.spend(&payer, BESIDE_ANSWER + 2 * answer as u64, now);
    }
}

/// What to send where an exchange is known; `None` where it is not.
fn known_answer(prior: Prior) -> Result<Option<Vec<u8>>, Fault> {
    match prior {
        Prior::None | Prior::Again => Ok(None),
        Prior::Answered(Some(bytes)) => Ok(Some(bytes)),
        // The same transaction ID was used for a restore, whose answers are not kept.
        Prior::Answered(None) | Prior::Conflict => Err(Fault::Conflict),
        Prior::Gone => Err(Fault::Gone),
    }
}

/// What to send after writing; `None` if another look is needed, which also finds what the exchange was answered meanwhile.
fn sendable(matter: &impl Matter, (committed, standing, answer): Brought) -> Option<Vec<u8>> {
    match committed {
        Committed::Done => {
            if standing.fork {
                tell_fork(matter.service(), &standing);
            }
            Some(answer)
        }
        Committed::Prior(_) | Committed::Changed => None,
    }
}

/// Logs and counts a fork. Which device it is, `device list` tells.
fn tell_fork(service: &Service, standing: &Standing) {
    count(&service.metrics.forks, 1);
    tracing::warn!(stopped = standing.stopped, "a copy of a device's store asked");
}

/// Where an individualized device asks, for an account where it names one, and by which keys it is answered.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) service: Arc<Service>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) account: Option<Account>,
    pub(super) caller: Arc<Caller>,
    source: Source,
}

/// By what a request is read that is not a caller's yet.
pub(super) struct Door {
    pub(super) service: Arc<Service>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) account: Option<Account>,
    source: Source,
}

impl Door {
    pub(super) fn new(service: Arc<Service>, account: Option<Account>, source: Source) -> Self {
        Self { keyring: service.keyring(), service, account, source }
    }

    /// Checks a request to an endpoint, and reads out of it what is asked.
    pub(super) async fn open<T: Send + 'static>(
        self,
        endpoint: Endpoint,
        bytes: Vec<u8>,
        read: impl FnOnce(&Self, &mut Caller) -> Result<T, Fault> + Send + 'static,
    ) -> Result<(Desk, T), Fault> {
        let (service, source) = (Arc::clone(&self.service), self.source);
        let check = move || {
            let mut caller = Caller::check(&self.service, &self.keyring, endpoint, &bytes)?;
            let asked = read(&self, &mut caller)?;
            let Self { service, keyring, account, source } = self;
            Ok((Desk { service, keyring, account, caller: Arc::new(caller), source }, asked))
        };
        service.compute(source, check).await?
    }
}

impl Desk {
    /// Who asks, where a request names an account.
    pub(super) fn user(&self) -> Option<UserId> {
        self.account.map(|account| account.user)
    }

    /// For whom an answer is kept.
    pub(super) fn payer(&self) -> Payer {
        Payer { source: self.source, device: Some(self.caller.device.device_id), account: self.user() }
    }

    /// Runs a computation beside the asynchronous threads.
    pub(super) async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let desk = self.clone();
        self.service.compute(self.source, move || work(&desk)).await?
    }

    /// Takes the request up; or why it is refused whole.
    pub(super) async fn enter(&self, now: i64) -> Result<Result<Exchange, Reason>, Fault> {
        self.caller.enter(&self.service, self.user(), now).await
    }

    /// The answer that refuses the request whole.
    pub(super) async fn refuse(&self, reason: Reason) -> Result<Vec<u8>, Fault> {
        let now = self.service.clock.now();
        let refuse = move |desk: &Self| {
            let url = Some(desk.service.presence.support_url.as_str());
            desk.caller.refuse(whole(reason, url), now, desk.own()?)
        };
        self.compute(refuse).await
    }

    /// Keeps what the request tells of the use of licenses; gives the lines of those that the device has.
    pub(super) async fn told(&self, now: i64) -> Result<HashSet<Lid>, Fault> {
        told(&self.service, &self.caller, now).await
    }

    /// The key of the role that is asked.
    pub(super) fn own(&self) -> Result<&RoleKey, Fault> {
        role_key(&self.keyring, self.caller.role)
    }

    /// Seals an answer that grants nothing, with the certificate of who gives it.
    pub(super) fn seal(&self, answer: Answer) -> Result<Vec<u8>, Fault> {
        let own = self.own()?;
        self.caller.seal(answer, &[], None, &self.beside(own, []), own)
    }

    /// Seals an answer of the issuer with its licenses, which come with the certificate of who may restore them.
    pub(super) fn seal_licenses(&self, answer: Answer, grants: &[Grant]) -> Result<Vec<u8>, Fault> {
        let own = self.own()?;
        let management = self.keyring.newest(Role::Management).filter(|_| !grants.is_empty());
        self.caller.seal(answer, grants, None, &self.beside(own, management), own)
    }

    /// The certificate of who answers and others, as far as the device does not hold them.
    pub(super) fn beside<'c>(
        &'c self,
        own: &'c RoleKey,
        others: impl IntoIterator<Item = &'c ServiceCertificate>,
    ) -> Beside {
        let all = std::iter::once(&own.certificate).chain(others);
        let certificates = self.caller.not_held(all.map(|found| (found.hash, found.bytes.as_slice())));
        Beside { certificates, ..Beside::default() }
    }
}

#[cfg(test)]
mod tests;
