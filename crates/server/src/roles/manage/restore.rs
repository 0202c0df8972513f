//! New bindings for the licenses of one chunk of a backup: seats are claimed and counted in the commit, so the answer is made
//! after it, and made again where the same request comes again.

use super::super::desk::{Brought, Desk, Door, Looked, Matter, Step, serve};
use super::super::entitlement::{is_too_long, may_still_have};
use super::super::issue::grant::{TermsByName, inner_key};
use super::super::{Caller, OTHER};
use super::record::{self, Chunk};
use super::{limit, open_ticket, refuse};
use crate::accounts::Account;
use crate::keyring::Keyring;
use crate::metrics::count;
use crate::problem::Fault;
use crate::quota::Payer;
use crate::rules::epochs::Standing;
use crate::rules::tally::{Counts, Outcome as Came};
use crate::service::Service;
use crate::source::Source;
use crate::store::{Claim, Claimed, Committed, Content, Exchange, Part, Prior, Seat};
use std::sync::Arc;
use wmlicense_wire::aead::constant_time_eq;
use wmlicense_wire::answer::{Grant, Outcome, Reason};
use wmlicense_wire::certificate::{Directory, Role};
use wmlicense_wire::endpoint::Endpoint;
use wmlicense_wire::policy::LicenseKind;
use wmlicense_wire::request::Body;

/// Answers `POST /v1/restores`.
pub(crate) async fn restore(
    service: Arc<Service>,
    bytes: Vec<u8>,
    account: Option<Account>,
    source: Source,
) -> Result<Vec<u8>, Fault> {
    let door = Door::new(service, account, source);
    let (desk, chunk) = door.open(Endpoint::Restores, bytes, read).await?;
    serve(Restoring { desk, chunk: Some(chunk) }).await
}

fn read(door: &Door, caller: &mut Caller) -> Result<Result<Chunk, Reason>, Fault> {
    let Body::Restore { source, batches, certificates, .. } = &mut caller.request.body else { return Err(OTHER) };
    let (service, keyring, account) = (&door.service, &door.keyring, door.account);
    let ticket = match open_ticket(source, keyring, account) {
        Ok(ticket) => ticket,
        Err(reason) => return Ok(Err(reason)),
    };
    // The batches may be long; they are not needed again.
    let batches = std::mem::take(batches);
    let directory = directory(keyring, certificates)?;
    let status = service.status();
    let status = status.as_deref().map(|status| &status.list);
    record::check(&directory, keyring, &ticket, account, &batches, status, service.clock.now()).map(Ok)
}

struct Restoring {
    desk: Desk,
    /// Until it is decided; or why the whole request is refused.
    chunk: Option<Result<Chunk, Reason>>,
}

impl Matter for Restoring {
    /// The content of each candidate.
    type Found = Vec<Option<Content>>;
    type Write = (Chunk, Vec<Claim>);

    fn service(&self) -> &Service {
        &self.desk.service
    }

    /// No answer is kept, and the rows are bounded by the devices that a license may have.
    fn payer(&self) -> Option<Payer> {
        None
    }

    async fn enter(&mut self) -> Result<Result<Exchange, Reason>, Fault> {
        let entered = self.desk.enter(self.desk.service.clock.now()).await?;
        let refused = if let Some(Err(reason)) = &self.chunk { Some(*reason) } else { None };
        Ok(entered.and_then(|exchange| refused.map_or(Ok(exchange), Err)))
    }

    async fn refuse(&self, reason: Reason) -> Result<Vec<u8>, Fault> {
        refuse(&self.desk, reason).await
    }

    async fn look(&mut self, exchange: &Exchange) -> Result<Looked<Self::Found>, Fault> {
        let chunk = self.chunk.iter().flatten();
        let kids = chunk.flat_map(|chunk| &chunk.candidates).map(|candidate| candidate.kid).collect();
        let device = self.desk.caller.device.device_id;
        let (revoked, found) = self.desk.service.store.restorable(device, exchange.account, kids, exchange.now).await?;
        Ok(Looked { revoked, prior: Prior::None, found })
    }

    async fn decide(&mut self, _: &Exchange, contents: Self::Found) -> Result<Step<Self::Write>, Fault> {
        // One commit counts it or finds it counted: nothing has to be decided twice.
        let Some(Ok(chunk)) = self.chunk.take() else { return Err(Fault::Internal) };
        self.desk.compute(move |desk| claims(desk, chunk, &contents)).await.map(Step::Commit)
    }

    async fn commit(&mut self, exchange: Exchange, (chunk, claims): Self::Write) -> Result<Brought, Fault> {
        let (desk, device, now) = (&self.desk, self.desk.caller.device.device_id, exchange.now);
        let told = desk.told(now).await?;
        match desk.service.store.claim(exchange, device, claims, told).await? {
            Claimed::Seats(seats, standing) => {
                let of = standing.clone();
                let answer = desk.compute(move |desk| seal(desk, chunk, seats, &of, now)).await?;
                Ok((Committed::Done, standing, answer))
            }
            Claimed::Stopped(standing) => Ok((Committed::Done, standing, self.refuse(Reason::DeviceCopied).await?)),
            Claimed::Conflict => Err(Fault::Conflict),
        }
    }
}

/// Claims for the candidates whose key is the content's. Anybody can seal a ticket, so the key of a license is what proves
/// that the device had the license. And the account must be one that may still have it.
fn claims(desk: &Desk, mut chunk: Chunk, contents: &[Option<Content>]) -> Result<(Chunk, Vec<Claim>), Fault> {
    let issuer = desk.keyring.role(Role::Issuer).map(|issuer| issuer.certificate.service_id);
    let mut terms = TermsByName::default();
    let (mut kept, mut claims) = (Vec::with_capacity(contents.len()), Vec::with_capacity(contents.len()));
    for (candidate, content) in chunk.candidates.into_iter().zip(contents) {
        let own = content.as_ref().filter(|content| kind(content) == candidate.kind);
        let own =
            own.map(|content| inner_key(&desk.service, candidate.kid, content, &candidate.policy_bytes)).transpose()?;
        if own.is_some_and(|own| !constant_time_eq(own.as_bytes(), candidate.key.as_bytes())) {
            chunk.refusals.push(candidate.refusal(Reason::Damaged, None));
            continue;
        }
        let issued_here = issuer == Some(candidate.issuer);
        if let Err((reason, from)) = may_still_have(content.as_ref(), issued_here) {
            chunk.refusals.push(candidate.refusal(reason, from));
            continue;
        }
        // What is restored keeps its policy: it must be no better than what the account may have today.
        if is_too_long(content.as_ref(), &candidate.policy) {
            chunk.refusals.push(candidate.refusal(Reason::NotEntitled, None));
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
            joins: content.as_ref().and_then(|content| content.joins),
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

/// The authority's services, those of the request included.
fn directory(keyring: &Keyring, certificates: &[Vec<u8>]) -> Result<Directory, Fault> {
    let mut directory = keyring.directory.clone();
    for certificate in certificates {
        let added = directory.add(certificate);
        added.map_err(|_| Fault::BadRequest("A certificate is not of this authority."))?;
    }
    Ok(directory)
}

/// The answer to claims that were counted.
fn seal(desk: &Desk, chunk: Chunk, seats: Vec<Seat>, standing: &Standing, now: i64) -> Result<Vec<u8>, Fault> {
    let (mut grants, mut refusals) = (Vec::with_capacity(chunk.candidates.len()), chunk.refusals);
    let mut issuers: Vec<_> = Vec::new();
    let mut counts = Counts::default();
    for (candidate, seat) in chunk.candidates.into_iter().zip(seats) {
        match seat {
            Ok(state) => {
                counts.add(Came::Restored, candidate.policy.title.as_deref(), 1);
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
        refusal.url = Some(desk.service.presence.support_url.clone());
    }
    count(&desk.service.metrics.restores, grants.len());
    count(&desk.service.metrics.restore_refusals, refusals.len());
    counts.add(Came::Refused, None, refusals.len());
    desk.service.tally.add(&counts, now);
    tracing::info!(granted = grants.len(), refused = refusals.len(), "restore");
    let own = desk.own()?;
    let appointing = issuers.into_iter().filter_map(|id| desk.keyring.directory.by_service(id, Role::Issuer));
    let beside = desk.beside(own, appointing);
    let mut answer = desk.caller.answer(now, standing);
    answer.outcome = if grants.is_empty() { Outcome::Refused } else { Outcome::Done };
    answer.refusals = refusals;
    desk.caller.seal(answer, &grants, None, &beside, own)
}
