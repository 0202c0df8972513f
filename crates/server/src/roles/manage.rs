//! License management: opens a backup's section for its account, and re-binds its licenses to another device within the
//! limit. What one record must prove is in `manage/record.rs`.

mod record;

use super::entitlement::may_still_have;
use super::issue::grant::{TermsByName, inner_key};
use super::{Caller, role_key, tell_fork, told, whole};
use crate::accounts::Account;
use crate::keyring::Keyring;
use crate::metrics::count;
use crate::policy::DEFAULT_RESTORE_DEVICES;
use crate::problem::Fault;
use crate::service::Service;
use crate::store::epoch::Standing;
use crate::store::{Asker, Claim, Claimed, Content, Holding, Part, Seat};
use record::Chunk;
use std::sync::Arc;
use wmlicense_wire::aead::constant_time_eq;
use wmlicense_wire::answer::{Beside, Grant, Outcome, Reason, Refusal, Unlock, Verdict};
use wmlicense_wire::backup::ServiceTicket;
use wmlicense_wire::certificate::{Directory, Role};
use wmlicense_wire::endpoint::Endpoint;
use wmlicense_wire::id::{BackupId, DeviceId, Digest, Lid, ServiceId};
use wmlicense_wire::policy::LicenseKind;
use wmlicense_wire::request::{Body, RestoreSource};

/// A checked request about a section of a backup, or why all of it is refused.
struct Opened {
    caller: Caller,
    ticket: Result<ServiceTicket, Reason>,
}

/// Opens the section's ticket if it is for this service and for this account.
fn open_ticket(source: &RestoreSource, keyring: &Keyring, account: Option<&Account>) -> Result<ServiceTicket, Reason> {
    let key = keyring.backup_key(source.ticket.recipient).ok_or(Reason::UnknownIssuer)?;
    let ticket = source.ticket.open_as_service(key, source.backup_id, source.section).map_err(|_| Reason::Damaged)?;
    match (ticket.user, account) {
        (None, _) => Ok(ticket),
        (Some(_), None) => Err(Reason::AccountRequired),
        (Some(user), Some(account)) if account.user == user => Ok(ticket),
        (Some(_), Some(_)) => Err(Reason::OtherAccount),
    }
}

/// Refuses the whole request, without trace: the same request may succeed later.
async fn refuse(
    service: &Arc<Service>,
    keyring: Arc<Keyring>,
    caller: Arc<Caller>,
    reason: Reason,
) -> Result<Vec<u8>, Fault> {
    tracing::info!(?reason, "restore refused");
    count(&service.metrics.restore_refusals, 1);
    let (url, now) = (service.presence.support_url.clone(), service.clock.now());
    let seal = move || caller.refuse(whole(reason, Some(&url)), now, role_key(&keyring, Role::Management)?);
    service.compute(seal).await?
}

/// Answers `POST /v1/restores/preview`: the key to the section, and what a restore would give. Counts nothing.
pub(crate) async fn preview(service: Arc<Service>, bytes: Vec<u8>, account: Option<Account>) -> Result<Vec<u8>, Fault> {
    let keyring = service.keyring();
    let (user, account) = (account.as_ref().map(|account| account.user), account.map(Arc::new));
    let opened = {
        let (service_, keyring, account) = (Arc::clone(&service), Arc::clone(&keyring), account.clone());
        let check = move || {
            let caller = Caller::check(&service_, &keyring, Endpoint::RestorePreview, &bytes)?;
            let Body::RestorePreview { source, .. } = &caller.request.body else {
                return Err(Fault::BadRequest("The request asks for something else."));
            };
            let ticket = open_ticket(source, &keyring, account.as_deref());
            Ok(Opened { caller, ticket })
        };
        service.compute(check).await??
    };
    let caller = Arc::new(opened.caller);
    let device = caller.device.device_id;
    let now = service.clock.now();
    match caller.enter(&service, user, now).await? {
        Ok(exchange) if exchange.standing.stopped => {
            return refuse(&service, keyring, caller, Reason::DeviceCopied).await;
        }
        Ok(_) => {}
        Err(reason) => return refuse(&service, keyring, caller, reason).await,
    }
    let ticket = match opened.ticket {
        Ok(ticket) => ticket,
        Err(reason) => return refuse(&service, keyring, caller, reason).await,
    };
    let Body::RestorePreview { source, lids, .. } = &caller.request.body else { return Err(Fault::Internal) };
    let (backup_id, section, lids) = (source.backup_id, source.section, lids.clone());
    let told = told(&service, &caller, now).await?;
    let holdings = service.store.holdings(lids.clone(), Asker { device, bound: ticket.device_id, now }, told).await?;
    let service_ = Arc::clone(&service);
    let seal = move || {
        // No decision is written, so nothing is told of the epoch.
        let mut answer = caller.answer(now, &Standing::default());
        let asked = Asked { account: account.as_deref(), issues: keyring.role(Role::Issuer).is_some(), device };
        answer.verdicts = asked.verdicts(&lids, &holdings, ticket.device_id)?;
        answer.refusals = pages(&answer.verdicts, &service_.presence.support_url);
        unlock(&caller, answer, backup_id, section, &ticket, &keyring)
    };
    let sealed = service.compute(seal).await??;
    count(&service.metrics.unlocks, 1);
    tracing::info!("backup section opened");
    Ok(sealed)
}

fn unlock(
    caller: &Caller,
    answer: wmlicense_wire::answer::Answer,
    backup_id: BackupId,
    section: u32,
    ticket: &ServiceTicket,
    keyring: &Keyring,
) -> Result<Vec<u8>, Fault> {
    let own = role_key(keyring, Role::Management)?;
    let unlock = Unlock { backup_id, section, key: &ticket.keys.meta };
    let certificates = caller.not_held([(own.certificate.hash, own.certificate.bytes.as_slice())]);
    caller.seal(answer, &[], Some(&unlock), &Beside { certificates, ..Beside::default() }, own)
}

/// Who asks what a restore would give.
struct Asked<'a> {
    account: Option<&'a Account>,
    /// This service issues licenses itself.
    issues: bool,
    device: DeviceId,
}

impl Asked<'_> {
    /// One verdict a license, by the same questions in the same order as a restore.
    fn verdicts(&self, lids: &[Lid], holdings: &[Holding], bound: DeviceId) -> Result<Vec<Verdict>, Fault> {
        let mut terms = TermsByName::default();
        let verdict = |(lid, holding): (&Lid, &Holding)| {
            let devices_limit = limit(holding.content.as_ref(), None, &mut terms)?;
            let (judged, used) = holding.facts.judge(bound, self.device, devices_limit);
            let own = self.issues && holding.issued_here;
            let entitled = may_still_have(self.account, holding.content.as_ref(), own);
            let (refusal, again) = match (entitled, judged) {
                (Err(reason), _) => (Some(reason), None),
                (Ok(()), Err(out)) => {
                    let (reason, again) = out.told();
                    (Some(reason), again)
                }
                (Ok(()), Ok(())) => (None, None),
            };
            let devices_used = u32::try_from(used).unwrap_or(u32::MAX);
            Ok(Verdict { lid: *lid, refusal, devices_used, devices_limit, again })
        };
        lids.iter().zip(holdings).map(verdict).collect()
    }
}

/// Each reason among the verdicts once, with the page that helps, as a restore names it with each refusal.
fn pages(verdicts: &[Verdict], url: &str) -> Vec<Refusal> {
    let mut refusals: Vec<Refusal> = Vec::new();
    for Verdict { lid, refusal, again, .. } in verdicts {
        if let Some(reason) = *refusal
            && refusals.iter().all(|refusal| refusal.reason != reason)
        {
            let (subject, url) = (Some(*lid.as_bytes()), Some(url.to_owned()));
            refusals.push(Refusal { subject, kid: None, reason, url, again: *again });
        }
    }
    refusals
}

/// Devices in all: the service's own setting, else what the license says, else the default.
fn limit(content: Option<&Content>, hint: Option<u32>, terms: &mut TermsByName) -> Result<u32, Fault> {
    match content {
        Some(content) => Ok(terms.of(content)?.terms.restore_devices),
        None => Ok(hint.unwrap_or(DEFAULT_RESTORE_DEVICES)),
    }
}

/// Answers `POST /v1/restores`: new bindings for the records of one chunk.
pub(crate) async fn restore(service: Arc<Service>, bytes: Vec<u8>, account: Option<Account>) -> Result<Vec<u8>, Fault> {
    let keyring = service.keyring();
    let (user, account) = (account.as_ref().map(|account| account.user), account.map(Arc::new));
    let checked = {
        let (service_, keyring, account) = (Arc::clone(&service), Arc::clone(&keyring), account.clone());
        service.compute(move || check(&service_, &keyring, &bytes, account.as_deref())).await??
    };
    let caller = Arc::new(checked.0);
    let device = caller.device.device_id;
    let now = service.clock.now();
    let exchange = match caller.enter(&service, user, now).await? {
        Ok(exchange) => exchange,
        Err(reason) => return refuse(&service, keyring, caller, reason).await,
    };
    let chunk = match checked.1 {
        Ok(chunk) => chunk,
        Err(reason) => return refuse(&service, keyring, caller, reason).await,
    };
    let kids = chunk.candidates.iter().map(|candidate| candidate.kid).collect();
    let contents = service.store.contents_of(kids).await?;
    let (chunk, claims) = {
        let (service_, issuer) = (Arc::clone(&service), keyring.role(Role::Issuer));
        let issuer = issuer.map(|issuer| issuer.certificate.service_id);
        service.compute(move || claims(&service_, account.as_deref(), issuer, chunk, &contents)).await??
    };
    let told = told(&service, &caller, now).await?;
    let (seats, standing) = match service.store.claim(exchange, device, claims, told).await? {
        Claimed::Seats(seats, standing) => (seats, standing),
        Claimed::Stopped(standing) => {
            tell_fork(&service, &standing);
            return refuse(&service, keyring, caller, Reason::DeviceCopied).await;
        }
        Claimed::Conflict => return Err(Fault::Conflict),
    };
    tell_fork(&service, &standing);
    let work = Rebinding { service: Arc::clone(&service), keyring, caller, seats, standing, now };
    service.compute(move || work.seal(chunk)).await?
}

/// Claims for the candidates whose key is the content's. Anybody can seal a ticket, so the key in a record is what proves
/// that the device had the license. And the account must be one that may still have it.
fn claims(
    service: &Service,
    account: Option<&Account>,
    issuer: Option<ServiceId>,
    mut chunk: Chunk,
    contents: &[Option<Content>],
) -> Result<(Chunk, Vec<Claim>), Fault> {
    let mut terms = TermsByName::default();
    let (mut kept, mut claims) = (Vec::with_capacity(contents.len()), Vec::with_capacity(contents.len()));
    for (candidate, content) in chunk.candidates.into_iter().zip(contents) {
        let policy = Digest::of(&candidate.policy_bytes);
        let own = content.as_ref().filter(|content| kind(content) == candidate.kind);
        let own = own.map(|content| inner_key(service, candidate.kid, content, policy)).transpose()?;
        if own.is_some_and(|own| !constant_time_eq(own.as_bytes(), candidate.key.as_bytes())) {
            chunk.refusals.push(candidate.refusal(Reason::Damaged, None));
            continue;
        }
        let issued_here = issuer == Some(candidate.issuer);
        if let Err(reason) = may_still_have(account, content.as_ref(), issued_here) {
            chunk.refusals.push(candidate.refusal(reason, None));
            continue;
        }
        claims.push(Claim {
            issued_here,
            lid: candidate.lid,
            kid: candidate.kid,
            bound: candidate.bound,
            limit: limit(content.as_ref(), candidate.limit_hint, &mut terms)?,
            state: candidate.state.clone(),
            policy: candidate.policy.clone(),
        });
        kept.push(candidate);
    }
    chunk.candidates = kept;
    Ok((chunk, claims))
}

fn kind(content: &Content) -> LicenseKind {
    match content.part {
        Part::Content => LicenseKind::Content,
        Part::Root => LicenseKind::Root,
        Part::Leaf(_) => LicenseKind::Leaf,
    }
}

fn check(
    service: &Service,
    keyring: &Keyring,
    bytes: &[u8],
    account: Option<&Account>,
) -> Result<(Caller, Result<Chunk, Reason>), Fault> {
    let mut caller = Caller::check(service, keyring, Endpoint::Restores, bytes)?;
    let Body::Restore { source, batches, certificates, .. } = &mut caller.request.body else {
        return Err(Fault::BadRequest("The request asks for something else."));
    };
    let ticket = match open_ticket(source, keyring, account) {
        Ok(ticket) => ticket,
        Err(reason) => return Ok((caller, Err(reason))),
    };
    // The records may be long; they are not needed again.
    let batches = std::mem::take(batches);
    let directory = directory(keyring, certificates)?;
    let chunk = {
        let status = service.status();
        let status = status.as_deref().map(|status| &status.list);
        record::check(&directory, keyring, &ticket, account, &batches, status, service.clock.now())?
    };
    Ok((caller, Ok(chunk)))
}

/// The authority's services, those of the request included.
fn directory(keyring: &Keyring, certificates: &[Vec<u8>]) -> Result<Directory, Fault> {
    let mut directory = keyring.directory.clone();
    for certificate in certificates {
        let added = directory.add(certificate);
        added.map_err(|_| Fault::BadRequest("A certificate is not of this authority."))?;
    }
    Ok(directory)
}

/// Claims that were counted, on their way into the answer.
struct Rebinding {
    service: Arc<Service>,
    keyring: Arc<Keyring>,
    caller: Arc<Caller>,
    seats: Vec<Seat>,
    standing: Standing,
    now: i64,
}

impl Rebinding {
    fn seal(self, chunk: Chunk) -> Result<Vec<u8>, Fault> {
        let url = &self.service.presence.support_url;
        let (mut grants, mut refusals) = (Vec::with_capacity(chunk.candidates.len()), chunk.refusals);
        let mut issuers: Vec<_> = Vec::new();
        for (candidate, seat) in chunk.candidates.into_iter().zip(self.seats) {
            match seat {
                Ok(state) => {
                    if !issuers.contains(&candidate.issuer) {
                        issuers.push(candidate.issuer);
                    }
                    grants.push(Grant { policy: candidate.policy_bytes, key: candidate.key, state });
                }
                Err(out) => {
                    let (reason, again) = out.told();
                    refusals.push(candidate.refusal(reason, again));
                }
            }
        }
        for refusal in &mut refusals {
            refusal.url = Some(url.clone());
        }
        count(&self.service.metrics.restores, grants.len());
        count(&self.service.metrics.restore_refusals, refusals.len());
        tracing::info!(granted = grants.len(), refused = refusals.len(), "restore");
        let own = role_key(&self.keyring, Role::Management)?;
        let mut certificates = vec![(own.certificate.hash, own.certificate.bytes.as_slice())];
        let appointing = issuers.into_iter().filter_map(|id| self.keyring.directory.by_service(id, Role::Issuer));
        certificates.extend(appointing.map(|issuer| (issuer.hash, issuer.bytes.as_slice())));
        let beside = Beside { certificates: self.caller.not_held(certificates), ..Beside::default() };
        let mut answer = self.caller.answer(self.now, &self.standing);
        answer.outcome = if grants.is_empty() { Outcome::Refused } else { Outcome::Done };
        answer.refusals = refusals;
        self.caller.seal(answer, &grants, None, &beside, own)
    }
}
