//! What the license management service is asked for: the keys of sections, then new bindings, chunk by chunk. How it is
//! reached is `restore/service.rs`.

use super::RestoreError;
use super::chunk::Chunk;
use super::open::{Opened, Opening, OwnSection};
use crate::backup::reader::{Backup, Entry, LicenseEntry, ReadError, Witness};
use crate::event::Event;
use crate::operation::Context;
use crate::session::AnswerFault;
use crate::store::{StagedLicense, Staging};
use std::collections::HashSet;
use std::io::{Read, Seek};
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::answer::{Answer, OpenedLicense, Outcome, Reason, Refusal};
use wmlicense_wire::certificate::{Directory, Role};
use wmlicense_wire::id::{Digest, Kid, Lid};
use wmlicense_wire::license::State;
use wmlicense_wire::request::{Body, RestoreSource};

/// A verified answer of the service.
pub(super) struct Reply {
    pub(super) answer: Answer,
    /// The signed part.
    pub(super) signed: Vec<u8>,
    /// Its licenses, bound to this device.
    pub(super) licenses: Vec<OpenedLicense>,
    /// The key of the section that was asked for.
    pub(super) unlock: Option<SecretKey>,
}

/// The license management service.
pub(super) trait Management {
    /// Its authority and the certificates known under it.
    fn directory(&self) -> Directory;
    /// Sends a request, a page of the restore's transaction, and verifies the answer.
    fn ask(&mut self, body: Body, page: u32) -> Result<Reply, RestoreError>;
}

/// What came of asking.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) granted: u64,
    pub(super) refused: Vec<(Kid, Reason)>,
    /// Licenses that the service must be asked for and cannot.
    pub(super) unasked: Vec<Kid>,
    /// There is no way to the service.
    pub(super) unreached: bool,
    /// Sections that the service refuses to open.
    pub(super) closed_sections: u32,
    /// Reasons for them.
    closed_reason: Option<Reason>,
    url: Option<String>,
}

impl Asked {
    pub(super) fn is_partial(&self) -> bool {
        !self.refused.is_empty() || !self.unasked.is_empty() || self.closed_sections > 0
    }

    /// There is no way to the service: the sections that only it opens stay closed.
    pub(super) fn out_of_reach(&mut self, opened: &[Opened]) {
        self.unreached = true;
        self.closed_sections +=
            opened.iter().filter(|section| matches!(section.opening, Opening::Service)).count() as u32;
    }

    /// Tells what this device left out of its own sections; the first `told` refusals were told.
    pub(super) fn tell_local(&self, told: usize, context: &Context) -> Result<(), RestoreError> {
        for (kid, reason) in self.refused.iter().skip(told) {
            context.emit(Event::LicenseRefused { kid: *kid, reason: *reason })?;
        }
        for kid in &self.unasked {
            context.emit(Event::LicenseUnasked(*kid))?;
        }
        Ok(())
    }

    /// Tells what was refused, and once where the user finds help.
    pub(super) fn tell(&self, context: &Context) -> Result<(), RestoreError> {
        for (kid, reason) in &self.refused {
            context.emit(Event::LicenseRefused { kid: *kid, reason: *reason })?;
        }
        if let Some(url) = &self.url {
            context.emit(Event::ErrorWithUrl(url.clone()))?;
        }
        Ok(())
    }

    /// The failure of a restore that gave nothing.
    pub(super) fn into_refusal(self) -> RestoreError {
        let mut reasons = self.refused.iter().map(|(_, reason)| *reason).chain(self.closed_reason);
        let first = reasons.clone().next().unwrap_or(Reason::NotAllowed);
        let reason = reasons.find(|reason| *reason == Reason::LimitReached).unwrap_or(first);
        RestoreError::Refused { reason, url: self.url }
    }

    fn note_url(&mut self, refusal: &Refusal) {
        // The page about the limit is the one that the user needs.
        if self.url.is_none() || refusal.reason == Reason::LimitReached {
            self.url = refusal.url.clone().or(self.url.take());
        }
    }

    /// Notes the answer to a chunk: what it grants, and for everything else why not.
    fn note(&mut self, reply: &Reply, asked_for: &[(Lid, Kid)]) -> Result<(), RestoreError> {
        let known: HashSet<Lid> = asked_for.iter().map(|(lid, _)| *lid).collect();
        let mut granted = HashSet::with_capacity(reply.licenses.len());
        for lid in reply.licenses.iter().map(|license| license.policy.lid) {
            if !granted.insert(lid) {
                return Err(RestoreError::BadAnswer(AnswerFault::Twice(lid)));
            }
            if !known.contains(&lid) {
                return Err(RestoreError::BadAnswer(AnswerFault::UnaskedLicense(lid)));
            }
        }
        let refusals = &reply.answer.refusals;
        refusals.iter().for_each(|refusal| self.note_url(refusal));
        let whole = refusals.iter().find(|refusal| refusal.subject.is_none());
        for (lid, kid) in asked_for.iter().filter(|(lid, _)| !granted.contains(lid)) {
            let single = refusals.iter().find(|refusal| refusal.subject == Some(*lid.as_bytes()));
            let reason = single.or(whole).map_or(Reason::NotAllowed, |refusal| refusal.reason);
            self.refused.push((*kid, reason));
        }
        self.granted += granted.len() as u64;
        Ok(())
    }
}

/// Asks for every section that needs it and stages what is granted.
pub(super) fn ask_all<R: Read + Seek>(
    backup: &mut Backup<R>,
    opened: &[Opened],
    management: &mut dyn Management,
    staging: &mut Staging,
    asked: &mut Asked,
    context: &Context,
) -> Result<(), RestoreError> {
    let mut asking = Asking { management, staging, asked, context, next_page: 0 };
    for section in opened.iter().filter(|section| section.needs_service()) {
        let Some(ticket) = section.ticket.clone() else { continue };
        let source = RestoreSource { backup_id: backup.header.backup_id, section: section.section, ticket };
        match &section.opening {
            Opening::Own(own) => {
                asking.section(backup, section.section, source, &own.ticket.keys.meta, Some(own))?;
            }
            Opening::Service => {
                if let Some(meta) = asking.unlock(source.clone())? {
                    asking.section(backup, section.section, source, &meta, None)?;
                }
            }
            Opening::Closed => {}
        }
    }
    Ok(())
}

struct Asking<'a> {
    management: &'a mut dyn Management,
    staging: &'a mut Staging,
    asked: &'a mut Asked,
    context: &'a Context,
    next_page: u32,
}

impl Asking<'_> {
    fn ask(&mut self, body: Body) -> Result<Reply, RestoreError> {
        let page = self.next_page;
        self.next_page += 1;
        let reply = self.management.ask(body, page)?;
        match reply.answer.outcome {
            Outcome::Done | Outcome::Refused => Ok(reply),
            Outcome::Interaction { .. } | Outcome::Later { .. } => Err(RestoreError::BadAnswer(AnswerFault::Undecided)),
        }
    }

    /// Asks for the key of a section; `None` if the service refuses it.
    fn unlock(&mut self, source: RestoreSource) -> Result<Option<SecretKey>, RestoreError> {
        let reply = self.ask(Body::RestorePreview { source, lids: Vec::new() })?;
        if reply.unlock.is_none() {
            self.asked.closed_sections += 1;
            let first = reply.answer.refusals.first();
            self.asked.closed_reason = self.asked.closed_reason.or(first.map(|refusal| refusal.reason));
            reply.answer.refusals.iter().for_each(|refusal| self.asked.note_url(refusal));
        }
        Ok(reply.unlock)
    }

    /// Verifies a section wholly, then asks for its licenses. With `own`, only for those that do not go in offline.
    fn section<R: Read + Seek>(
        &mut self,
        backup: &mut Backup<R>,
        section: u32,
        source: RestoreSource,
        meta: &SecretKey,
        own: Option<&OwnSection>,
    ) -> Result<(), RestoreError> {
        let survey = self.survey(backup, section, meta, own)?;
        let directory = self.management.directory();
        let header_hash = backup.header_hash;
        let mut sending = Sending {
            asking: self,
            own,
            section,
            source,
            header_hash,
            survey,
            batch: Vec::new(),
            chunk: Chunk::default(),
            number: 0,
            done: 0,
        };
        backup.read_section(section, meta, witness(directory, own), &mut |entry| sending.entry(entry))?;
        if sending.chunk.is_empty() { Ok(()) } else { sending.send() }
    }

    /// Reads a section once before anything of it is believed or sent.
    fn survey<R: Read + Seek>(
        &mut self,
        backup: &mut Backup<R>,
        section: u32,
        meta: &SecretKey,
        own: Option<&OwnSection>,
    ) -> Result<Survey, RestoreError> {
        let mut known = self.management.directory();
        let mut survey = Survey { records: 0, certificates: Vec::new() };
        let context = self.context;
        backup.read_section(section, meta, witness(known.clone(), own), &mut |entry| {
            match entry {
                Entry::License(license) => {
                    // The policies of another device are read here, before anything is sent.
                    license.policy()?;
                    survey.records += u64::from(is_asked(own, &license)?);
                }
                // One of another authority is of no use to this service.
                Entry::ServiceCertificate(bytes) => {
                    let hash = known.add(bytes).ok();
                    let found = known.services().iter().find(|service| Some(service.hash) == hash);
                    if found.is_some_and(|service| service.role != Role::Individualization) {
                        survey.certificates.push(bytes.to_vec());
                    }
                }
                Entry::Batch(_)
                | Entry::Title(..)
                | Entry::Tombstone(_)
                | Entry::StatusList(_)
                | Entry::LicenseRevocation(_) => {}
            }
            Ok::<(), RestoreError>(context.check()?)
        })?;
        Ok(survey)
    }
}

/// Whose signature a section must have; `None` if neither the device nor a service says so.
pub(super) fn may_sign(directory: Option<Directory>, own: Option<&OwnSection>) -> Option<Witness<'_>> {
    own.map(OwnSection::witness).or(directory.map(Witness::Certified))
}

fn witness<'a>(directory: Directory, own: Option<&'a OwnSection>) -> Witness<'a> {
    own.map_or(Witness::Certified(directory), OwnSection::witness)
}

fn is_asked(own: Option<&OwnSection>, license: &LicenseEntry<'_>) -> Result<bool, ReadError> {
    match own {
        Some(own) => Ok(!own.goes_in_offline(license)?),
        None => Ok(true),
    }
}

/// What the first reading of a section found.
struct Survey {
    /// Records to ask for.
    records: u64,
    /// Certificates of the services that may have signed its batches or are appointed to.
    certificates: Vec<Vec<u8>>,
}

/// A section being sent, chunk by chunk. What the second reading gives is verified by the service, record by record.
struct Sending<'s, 'a> {
    asking: &'s mut Asking<'a>,
    own: Option<&'s OwnSection>,
    section: u32,
    source: RestoreSource,
    header_hash: Digest,
    survey: Survey,
    /// Signed answer that the records being read belong to.
    batch: Vec<u8>,
    chunk: Chunk,
    /// Number of the chunk.
    number: u32,
    /// Records answered.
    done: u64,
}

impl Sending<'_, '_> {
    fn entry(&mut self, entry: Entry<'_>) -> Result<(), RestoreError> {
        self.asking.context.check()?;
        match entry {
            Entry::Batch(signed) => {
                self.batch = signed.to_vec();
                self.chunk.begin_batch();
            }
            Entry::Title(kid, title) if self.own.is_none() => self.asking.staging.put_title(kid, &title)?,
            Entry::License(license) => {
                if is_asked(self.own, &license)? {
                    if !self.chunk.has_room(&license, &self.batch) {
                        self.send()?;
                    }
                    self.chunk.add(&license, &license.policy()?, &self.batch);
                }
            }
            // The service tells this device itself what was revoked.
            Entry::Title(..)
            | Entry::ServiceCertificate(_)
            | Entry::Tombstone(_)
            | Entry::StatusList(_)
            | Entry::LicenseRevocation(_) => {}
        }
        Ok(())
    }

    /// Asks for the records collected, unless a restore that a crash broke off was granted them all.
    fn send(&mut self) -> Result<(), RestoreError> {
        let chunk = std::mem::take(&mut self.chunk);
        if self.asking.staging.chunk_done(self.section, self.number)? {
            self.asking.asked.granted += chunk.licenses.len() as u64;
        } else {
            let lids: Vec<Lid> = chunk.licenses.iter().map(|(lid, _)| *lid).collect();
            let body = Body::Restore {
                usage: self.asking.staging.usage(&lids)?,
                source: self.source.clone(),
                header_hash: self.header_hash,
                batches: chunk.batches,
                certificates: self.survey.certificates.clone(),
            };
            let reply = self.asking.ask(body)?;
            self.stage(&reply, chunk.licenses.len())?;
            self.asking.asked.note(&reply, &chunk.licenses)?;
        }
        self.number += 1;
        self.done += chunk.licenses.len() as u64;
        Ok(self.asking.context.progress(self.done, self.survey.records)?)
    }

    /// Stages what was granted. Only a chunk that was granted wholly is recorded as answered: of any other, the refusals
    /// would not be known after a crash, and asking for it again costs nothing.
    fn stage(&mut self, reply: &Reply, asked_for: usize) -> Result<(), RestoreError> {
        let authority = self.asking.management.directory().authority.hash;
        let staging = &mut *self.asking.staging;
        if reply.licenses.len() == asked_for {
            return Ok(staging.put_chunk(self.section, self.number, authority, &reply.signed, &reply.licenses)?);
        }
        staging.put_batch(authority, &reply.signed)?;
        for license in &reply.licenses {
            let initial = State::initial(&license.policy);
            let state = license.binding.state.as_ref().unwrap_or(&initial);
            let staged = StagedLicense { index: license.index, license: &license.license, state, key: &license.key };
            staging.put_license(&staged)?;
        }
        Ok(())
    }
}
