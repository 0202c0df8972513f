//! A license management service in the test's own memory.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use wmlicense_core::contact::SessionError;
use wmlicense_core::event::Event;
use wmlicense_core::operation::Context;
use wmlicense_core::restore::RestoreError;
use wmlicense_core::restore::through::{Management, NotConnected, Reply};
use wmlicense_core::transport::TransportError;
use wmlicense_testkit::home::Home;
use wmlicense_testkit::{Asked, NOW, World, grant, kid};
use wmlicense_wire::answer::{
    self, Answer, Beside, Envelope, Grant, Outcome, Reason, Refusal, Unlock, seal, verify_signed,
};
use wmlicense_wire::backup::page::PageView;
use wmlicense_wire::backup::{ContentKeys, ServiceTicket};
use wmlicense_wire::certificate::{Directory, Role};
use wmlicense_wire::id::{DeviceId, Lid};
use wmlicense_wire::license::State;
use wmlicense_wire::policy::Policy;
use wmlicense_wire::request::{
    Body, ClientInfo, MAX_LICENSES, MAX_NAMED, Request, RestoreBatch, RestoreSource, USUAL_PROXY_LEN,
};

/// Seconds for which what is refused for a time is refused.
pub(super) const WAIT: i64 = 1000;
pub(super) const URL: &str = "https://license.test/devices";
/// Devices that may hold a license.
const LIMIT: usize = 4;

type Seats = Arc<Mutex<HashMap<Lid, BTreeSet<DeviceId>>>>;

/// How the service behaves.
pub(super) enum Manner<'w> {
    Honest,
    RefuseUnlock(Reason),
    /// Opens sections, and grants nothing of them.
    RefuseRestore(Reason),
    /// Keeps one section shut.
    RefuseSection(u32, Reason),
    /// Grants nothing for a while.
    Later(Reason),
    /// Opens tickets with the key of another owner's service.
    OpenFor(&'w World),
    AddLicense,
    /// Grants the last license twice.
    GrantTwice,
    /// Grants these not, and does not say so.
    Silent(Vec<Lid>),
    /// Cannot be asked, because the device's own keys fail.
    WithoutKeys,
    /// Is gone after so many restore requests.
    FailAfter(usize),
    /// Copies a file at the second restore request, then is gone.
    CopyThenFail(PathBuf, PathBuf),
}

pub(super) struct Fake<'w> {
    world: &'w World,
    manner: Manner<'w>,
    seats: Seats,
    asked: Mutex<Vec<Lid>>,
    pages: Mutex<Vec<u32>>,
    usage: Mutex<Vec<(Lid, State)>>,
    previewed: Mutex<Vec<usize>>,
    /// Restore requests seen.
    pub(super) restores: AtomicUsize,
}

impl<'w> Fake<'w> {
    pub(super) fn new(world: &'w World) -> Self {
        let (seats, asked, pages, usage) = (Seats::default(), Mutex::default(), Mutex::default(), Mutex::default());
        let (manner, previewed, restores) = (Manner::Honest, Mutex::default(), AtomicUsize::new(0));
        Self { world, manner, seats, asked, pages, usage, previewed, restores }
    }
    /// An honest service with the same records.
    pub(super) fn sharing(other: &Fake<'w>) -> Self {
        Self { seats: Arc::clone(&other.seats), ..Self::new(other.world) }
    }
    pub(super) fn with(mut self, manner: Manner<'w>) -> Self {
        self.manner = manner;
        self
    }
    /// Takes all seats of a license.
    pub(super) fn fill(&self, lid: Lid) {
        let others = (0..LIMIT).map(|_| DeviceId::random().unwrap()).collect();
        self.seats.lock().unwrap().insert(lid, others);
    }
    /// Devices that hold a license.
    pub(super) fn devices(&self, lid: Lid) -> usize {
        self.seats.lock().unwrap().get(&lid).map_or(0, BTreeSet::len)
    }
    /// Licenses asked for, in order.
    pub(super) fn asked(&self) -> Vec<Lid> {
        self.asked.lock().unwrap().clone()
    }
    /// Pages of the questions answered, in order.
    pub(super) fn pages(&self) -> Vec<u32> {
        self.pages.lock().unwrap().clone()
    }
    /// What questions said of the use of licenses, in order.
    pub(super) fn usage(&self) -> Vec<(Lid, State)> {
        self.usage.lock().unwrap().clone()
    }
    /// How many licenses each question of a preview named, in order.
    pub(super) fn previewed(&self) -> Vec<usize> {
        self.previewed.lock().unwrap().clone()
    }
    pub(super) fn connect<'c>(
        &'c self,
        home: &'c Home<'w>,
        context: &Context,
    ) -> Result<Box<dyn Management + 'c>, NotConnected> {
        context.emit(Event::Connecting)?;
        Ok(Box::new(Contact { fake: self, home }))
    }
    fn open_ticket(&self, source: &RestoreSource) -> Option<ServiceTicket> {
        let world = if let Manner::OpenFor(other) = self.manner { other } else { self.world };
        let own = source.ticket.recipient == world.backup_key.public_key().key_id();
        let ticket = source.ticket.open_as_service(&world.backup_key, source.backup_id, source.section).ok()?;
        own.then_some(ticket)
    }
    fn why_shut(&self, source: &RestoreSource) -> Reason {
        let own = source.ticket.recipient == self.world.backup_key.public_key().key_id();
        if own { Reason::Damaged } else { Reason::UnknownIssuer }
    }
    fn verdict(&self, lid: Lid) -> answer::Verdict {
        let used = self.devices(lid);
        let full = (used >= LIMIT).then_some((Reason::LimitReached, None));
        let said = if let Manner::Later(reason) = self.manner { Some((reason, Some(NOW + WAIT))) } else { full };
        let (refusal, again) = said.map_or((None, None), |(reason, again)| (Some(reason), again));
        answer::Verdict { lid, refusal, devices_used: used as u32, devices_limit: LIMIT as u32, again }
    }
    fn take_seat(&self, lid: Lid, devices: [DeviceId; 2]) -> bool {
        let mut seats = self.seats.lock().unwrap();
        let holders = seats.entry(lid).or_default();
        devices.into_iter().all(|device| {
            let free = holders.contains(&device) || holders.len() < LIMIT;
            if free {
                holders.insert(device);
            }
            free
        })
    }
}

/// One device's contact with the service.
struct Contact<'c, 'w> {
    fake: &'c Fake<'w>,
    home: &'c Home<'w>,
}

/// What the service decides on.
#[derive(Default)]
struct Decision {
    grants: Vec<Grant>,
    refusals: Vec<Refusal>,
}

impl Contact<'_, '_> {
    fn answer(&self, page: u32, body: &Body) -> Reply {
        let world = self.fake.world;
        let identity = self.home.identity();
        let asked = Asked::by(self.home.device_id, &identity.keys);
        let mut answer = Answer::to(asked.transaction, page, asked.request_hash, identity.keys.thumbprint(), NOW);
        let (mut decision, mut unlock) = (Decision::default(), None);
        match body {
            Body::RestorePreview { source, lids, .. } => match (&self.fake.manner, self.fake.open_ticket(source)) {
                // The first of several reasons counts.
                (Manner::RefuseUnlock(reason), _) => {
                    decision.refusals.extend([whole(*reason), whole(Reason::NotDecided)]);
                }
                (Manner::RefuseSection(section, reason), _) if source.section == *section => {
                    decision.refusals.push(whole(*reason));
                }
                (_, None) => decision.refusals.push(whole(self.fake.why_shut(source))),
                (_, Some(ticket)) => {
                    answer.verdicts = lids.iter().map(|lid| self.fake.verdict(*lid)).collect();
                    // Where a user finds help stands beside the verdict.
                    let full = |verdict: &&answer::Verdict| verdict.refusal == Some(Reason::LimitReached);
                    decision.refusals.extend(answer.verdicts.iter().filter(full).map(|verdict| Refusal {
                        subject: Some(*verdict.lid.as_bytes()),
                        ..whole(Reason::LimitReached)
                    }));
                    unlock = Some((source, ticket));
                }
            },
            Body::Restore { source, batches, certificates, .. } => match self.fake.manner {
                Manner::RefuseRestore(reason) => decision.refusals.push(whole(reason)),
                _ => decision = self.decide(source, batches, certificates),
            },
            _ => panic!("not a restore"),
        }
        if decision.grants.is_empty() && unlock.is_none() {
            answer.outcome = Outcome::Refused;
        }
        answer.refusals = decision.refusals;
        let given = unlock.as_ref().map(|(source, ticket)| Unlock {
            backup_id: source.backup_id,
            section: source.section,
            key: &ticket.keys.meta,
        });
        let (device_id, keys, signer) = (self.home.device_id, &identity.keys, &world.management.key);
        let bytes =
            seal(answer, device_id, keys, &decision.grants, given.as_ref(), &Beside::default(), signer).unwrap();
        let envelope = Envelope::parse(&bytes).unwrap();
        let mut expected = asked.expected(Role::Management);
        expected.page = page;
        let verified = envelope.verify(&expected, &world.directory).unwrap();
        let licenses = verified.open_licenses(&identity.hpke, device_id, &world.directory).unwrap();
        let unlock = unlock
            .and_then(|(source, _)| verified.open_unlock(&identity.hpke, source.backup_id, source.section).unwrap());
        Reply { answer: verified.answer.clone(), signed: envelope.signed.clone(), licenses, unlock }
    }

    fn decide(&self, source: &RestoreSource, batches: &[RestoreBatch], certificates: &[Vec<u8>]) -> Decision {
        let ticket = self.fake.open_ticket(source).unwrap();
        let content = ContentKeys::of(&ticket.keys.content);
        let mut directory = Directory::new(self.fake.world.authority.clone());
        for certificate in certificates {
            let hash = directory.add(certificate).unwrap();
            let found = directory.services().iter().find(|service| service.hash == hash).unwrap();
            assert_ne!(found.role, Role::Individualization, "it signs no batch");
        }
        let mut decision = Decision::default();
        for batch in batches {
            let (answer, _) = verify_signed(&batch.signed, &directory, &[Role::Issuer, Role::Management]).unwrap();
            for sent in batch.licenses(&content).unwrap() {
                assert_eq!(answer.manifest[sent.manifest_index() as usize], sent.license_hash());
                let policy = Policy::decode(&sent.license().policy).unwrap();
                assert!(sent.state().is_some() || !policy.is_stateful(), "a page has what has no state");
                self.fake.asked.lock().unwrap().push(policy.lid);
                if let Manner::Silent(lids) = &self.fake.manner
                    && lids.contains(&policy.lid)
                {
                    continue;
                }
                let later = if let Manner::Later(reason) = self.fake.manner { Some(reason) } else { None };
                if later.is_none() && self.fake.take_seat(policy.lid, [ticket.device_id, self.home.device_id]) {
                    let key = sent.open(policy.kind, &content).unwrap();
                    let state = sent.state().filter(|_| policy.is_stateful()).cloned();
                    decision.grants.push(Grant { policy: sent.into_license().policy, key, state });
                } else {
                    decision.refusals.push(Refusal {
                        subject: Some(*policy.lid.as_bytes()),
                        kid: Some(policy.kid),
                        reason: later.unwrap_or(Reason::LimitReached),
                        url: Some(URL.into()),
                        again: later.map(|_| NOW + WAIT),
                    });
                }
            }
        }
        match self.fake.manner {
            Manner::AddLicense => decision.grants.push(grant(&self.fake.world.policy(kid(99)), [0; 16])),
            Manner::GrantTwice => {
                let Grant { policy, .. } = decision.grants.last().unwrap();
                let again = grant(&Policy::decode(policy).unwrap(), [0; 16]);
                decision.grants.push(again);
            }
            _ => {}
        }
        decision
    }
}

fn whole(reason: Reason) -> Refusal {
    Refusal { subject: None, kid: None, reason, url: Some(URL.into()), again: None }
}

impl Management for Contact<'_, '_> {
    fn directory(&self) -> Directory {
        self.fake.world.directory.clone()
    }

    fn ask(&mut self, body: Body, page: u32) -> Result<Reply, RestoreError> {
        let gone = || Err(RestoreError::Service(SessionError::Transport(TransportError::Unreachable("gone".into()))));
        if let Body::Restore { batches, .. } = &body {
            let pages = |batch: &RestoreBatch| -> usize {
                batch.pages.iter().map(|page| PageView::parse(&page.page).unwrap().count()).sum()
            };
            assert!(batches.iter().map(|batch| batch.records.len() + pages(batch)).sum::<usize>() <= MAX_LICENSES);
            let earlier = self.fake.restores.fetch_add(1, Ordering::SeqCst);
            match &self.fake.manner {
                Manner::WithoutKeys => return Err(RestoreError::Service(SessionError::Keys)),
                Manner::FailAfter(count) if earlier >= *count => return gone(),
                Manner::CopyThenFail(from, to) if earlier == 1 => {
                    std::fs::copy(from, to).unwrap();
                    return gone();
                }
                _ => {}
            }
        }
        self.fake.pages.lock().unwrap().push(page);
        if let Body::RestorePreview { lids, .. } = &body {
            assert!(lids.len() <= MAX_NAMED);
            self.fake.previewed.lock().unwrap().push(lids.len());
        }
        if let Body::Restore { usage, .. } | Body::RestorePreview { usage, .. } = &body {
            self.fake.usage.lock().unwrap().extend(usage.iter().cloned());
        }
        let reply = self.answer(page, &body);
        assert!(self.request_len(body, page) <= USUAL_PROXY_LEN);
        Ok(reply)
    }
}

impl Contact<'_, '_> {
    /// Bytes of the request that the real way would send.
    fn request_len(&self, body: Body, page: u32) -> usize {
        let identity = self.home.identity();
        let request = Request {
            audience: self.fake.world.management.id,
            time: NOW,
            transaction: wmlicense_wire::id::TransactionId::new([0; 16]),
            page,
            cursor: None,
            epoch: None,
            status_number: None,
            held: Vec::new(),
            client: ClientInfo::default(),
            device_certificate: Some(self.fake.world.certify(self.home.device_id, &identity.keys)),
            body,
        };
        request.sign(&identity.signing, identity.keys.thumbprint()).unwrap().len()
    }
}
