//! The key to a section of a backup, and what a restore of its licenses would give. Counts nothing.

use super::super::desk::{Desk, Door};
use super::super::entitlement::{is_too_long, may_still_have};
use super::super::issue::grant::TermsByName;
use super::super::{Caller, OTHER};
use super::{limit, open_ticket, refuse};
use crate::accounts::Account;
use crate::metrics::count;
use crate::problem::Fault;
use crate::rules::epochs::Standing;
use crate::service::Service;
use crate::source::Source;
use crate::store::{Asker, Holding};
use std::sync::Arc;
use wmlicense_wire::answer::{Answer, Reason, Refusal, Unlock, Verdict};
use wmlicense_wire::backup::ServiceTicket;
use wmlicense_wire::certificate::Role;
use wmlicense_wire::endpoint::Endpoint;
use wmlicense_wire::id::{BackupId, DeviceId, Lid};
use wmlicense_wire::request::Body;

/// The section of a backup that a request is about.
struct Section {
    backup: BackupId,
    number: u32,
    lids: Vec<Lid>,
    /// Opened, or why the whole request is refused.
    ticket: Result<ServiceTicket, Reason>,
}

/// Answers `POST /v1/restores/preview`.
pub(crate) async fn preview(
    service: Arc<Service>,
    bytes: Vec<u8>,
    account: Option<Account>,
    source: Source,
) -> Result<Vec<u8>, Fault> {
    let door = Door::new(service, account, source);
    let (desk, section) = door.open(Endpoint::RestorePreview, bytes, read).await?;
    let (device, now) = (desk.caller.device.device_id, desk.service.clock.now());
    match desk.enter(now).await? {
        Ok(exchange) if exchange.standing.stopped => return refuse(&desk, Reason::DeviceCopied).await,
        Ok(_) => {}
        Err(reason) => return refuse(&desk, reason).await,
    }
    let Section { backup, number, lids, ticket } = section;
    let ticket = match ticket {
        Ok(ticket) => ticket,
        Err(reason) => return refuse(&desk, reason).await,
    };
    let told = desk.told(now).await?;
    let asker = Asker { device, bound: ticket.device_id, user: desk.user(), now };
    let holdings = desk.service.store.holdings(lids.clone(), asker, told).await?;
    let seal = move |desk: &Desk| {
        // No decision is written, so nothing is told of the epoch.
        let mut answer = desk.caller.answer(now, &Standing::default());
        let issues = desk.keyring.role(Role::Issuer).is_some();
        let asked = Asked { issues, device };
        answer.verdicts = asked.verdicts(&lids, &holdings, ticket.device_id)?;
        answer.refusals = pages(&answer.verdicts, &desk.service.presence.support_url);
        unlock(desk, answer, Unlock { backup_id: backup, section: number, key: &ticket.keys.meta })
    };
    let sealed = desk.compute(seal).await?;
    count(&desk.service.metrics.unlocks, 1);
    tracing::info!("backup section opened");
    Ok(sealed)
}

fn read(door: &Door, caller: &mut Caller) -> Result<Section, Fault> {
    let Body::RestorePreview { source, lids, .. } = &caller.request.body else { return Err(OTHER) };
    let ticket = open_ticket(source, &door.keyring, door.account);
    Ok(Section { backup: source.backup_id, number: source.section, lids: lids.clone(), ticket })
}

fn unlock(desk: &Desk, answer: Answer, unlock: Unlock<'_>) -> Result<Vec<u8>, Fault> {
    let own = desk.own()?;
    desk.caller.seal(answer, &[], Some(&unlock), &desk.beside(own, []), own)
}

/// Who asks what a restore would give.
struct Asked {
    /// This service issues licenses itself.
    issues: bool,
    device: DeviceId,
}

impl Asked {
    /// One verdict a license, by the same questions in the same order as a restore.
    fn verdicts(&self, lids: &[Lid], holdings: &[Holding], bound: DeviceId) -> Result<Vec<Verdict>, Fault> {
        let mut terms = TermsByName::default();
        let verdict = |(lid, holding): (&Lid, &Holding)| {
            let devices_limit = limit(holding.content.as_ref(), None, &mut terms)?;
            let (judged, used) = holding.facts.judge(bound, self.device, devices_limit);
            let own = self.issues && holding.issued_here;
            let entitled = may_still_have(holding.content.as_ref(), own);
            let content = holding.content.as_ref();
            let too_long = holding.policy.as_ref().is_some_and(|policy| is_too_long(content, policy));
            let (refusal, again) = match (entitled, judged) {
                (Err((reason, from)), _) => (Some(reason), from),
                (Ok(()), _) if too_long => (Some(Reason::NotEntitled), None),
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
