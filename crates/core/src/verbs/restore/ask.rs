//! What the license management service is asked for: the keys of sections, then new bindings, chunk by chunk. How it is
//! reached is `restore/service.rs`.

use super::RestoreError;
use super::chunk::{Chunk, MAX_BYTES};
use super::contact::{Contact, Reply, Told};
use super::left_out::{self, Page, note_page};
use super::open::{Opened, Opening, OwnSection};
use crate::backup::reader::{Backup, Entry, LicenseEntry, PageEntry, ReadError, Witness};
use crate::contact::AnswerFault;
use crate::event::{ClosedSections, Event, LeftOut, Why};
use crate::operation::Context;
use crate::store::{StagedLicense, Staging};
use std::collections::{HashMap, HashSet};
use std::io::{Read, Seek};
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::answer::{Reason, Refusal};
use wmlicense_wire::certificate::{Directory, Role};
use wmlicense_wire::id::{Digest, Kid, Lid};
use wmlicense_wire::license::State;
use wmlicense_wire::request::{Body, RestoreSource};

/// What came of asking.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) granted: u64,
    pub(super) left_out: Vec<LeftOut>,
    /// Sections that stay closed.
    pub(super) closed: Vec<ClosedSections>,
    pub(super) page: Option<Page>,
}

impl Asked {
    pub(super) fn is_partial(&self) -> bool {
        let Self { granted: _, left_out, closed, page: _ } = self;
        !left_out.is_empty() || !closed.is_empty()
    }

    /// Tells what is left out, what stays closed, and once where the user finds help.
    pub(super) fn tell(&self, context: &Context) -> Result<(), RestoreError> {
        for left_out in &self.left_out {
            context.emit(Event::LicenseRefused(left_out.clone()))?;
        }
        for closed in &self.closed {
            context.emit(Event::SectionsClosed(closed.clone()))?;
        }
        if let Some(Page { url, reason }) = &self.page {
            context.emit(Event::ErrorWithUrl { url: url.clone(), reason: *reason })?;
        }
        Ok(())
    }

    /// The failure of a restore that gave nothing.
    pub(super) fn into_failure(self) -> RestoreError {
        let Self { granted: _, left_out, closed, page } = self;
        left_out::nothing_given(&left_out, closed, page)
    }

    /// Notes the answer to a chunk: what it grants, and for everything else why not.
    fn note(&mut self, reply: &Reply, asked_for: &[(Lid, Kid)]) {
        let (refusals, now) = (&reply.answer.refusals, reply.answer.issued_at);
        note_page(&mut self.page, refusals);
        let granted: HashSet<Lid> = reply.licenses.iter().map(|license| license.policy.lid).collect();
        let single: HashMap<[u8; 16], &Refusal> =
            refusals.iter().filter_map(|refusal| Some((refusal.subject?, refusal))).collect();
        let whole = refusals.iter().find(|refusal| refusal.subject.is_none());
        for (lid, kid) in asked_for.iter().filter(|(lid, _)| !granted.contains(lid)) {
            let refusal = single.get(lid.as_bytes()).copied().or(whole);
            let why = refusal.map_or(Reason::NotAllowed.into(), |refusal| Why::refused(refusal, now));
            self.left_out.push(LeftOut { kid: *kid, why });
        }
        self.granted += granted.len() as u64;
    }
}

/// Looks whether a service granted what it was asked for, each license once, and nothing else.
fn check_granted(reply: &Reply, asked_for: &[(Lid, Kid)]) -> Result<(), AnswerFault> {
    let known: HashSet<Lid> = asked_for.iter().map(|(lid, _)| *lid).collect();
    let mut granted = HashSet::with_capacity(reply.licenses.len());
    for lid in reply.licenses.iter().map(|license| license.policy.lid) {
        if !granted.insert(lid) {
            return Err(AnswerFault::Twice(lid));
        }
        if !known.contains(&lid) {
            return Err(AnswerFault::UnaskedLicense(lid));
        }
    }
    Ok(())
}

/// Asks for every section that needs it and stages what is granted. Of what the service could not be asked for, each license of
/// a section that can be read is noted, and each section that cannot.
pub(super) fn ask_all<R: Read + Seek>(
    backup: &mut Backup<R>,
    opened: &[Opened],
    contact: &mut Contact<'_>,
    staging: &mut Staging,
    asked: &mut Asked,
    context: &Context,
) -> Result<(), RestoreError> {
    let mut asking = Asking { contact, staging, asked, context };
    for section in opened.iter().filter(|section| section.needs_service()) {
        let Some(ticket) = section.ticket.clone() else { continue };
        let source = RestoreSource { backup_id: backup.header.backup_id, section: section.section, ticket };
        match &section.opening {
            Opening::Own(own) => {
                asking.section(backup, section.section, source, &own.ticket.keys.meta, Some(own))?;
            }
            Opening::Service => {
                if let Some(meta) = asking.unlock(source.clone(), backup.section_len(section.section))? {
                    asking.section(backup, section.section, source, &meta, None)?;
                }
            }
            Opening::Closed => {}
        }
    }
    Ok(())
}

struct Asking<'a, 'c> {
    contact: &'a mut Contact<'c>,
    staging: &'a mut Staging,
    asked: &'a mut Asked,
    context: &'a Context,
}

impl Asking<'_, '_> {
    /// Asks for the key of a section; `None` if there is none to be had.
    fn unlock(&mut self, source: RestoreSource, bytes: u64) -> Result<Option<SecretKey>, RestoreError> {
        let opened = unlock(self.contact, source)?;
        let Unlocked { meta, why, page } = opened;
        if let Some(why) = why {
            left_out::close(&mut self.asked.closed, why, bytes, page.as_ref().map(|page| page.url.as_str()));
        }
        // Where a section stays closed, its page stands beside the reason, and it may be the only one there is.
        self.asked.page = self.asked.page.take().or(page);
        Ok(meta)
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
        let Some(witness) = may_sign(self.contact.directory(), own) else { return Err(RestoreError::NotRestorable) };
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
            limit: MAX_BYTES,
            number: 0,
            done: 0,
        };
        backup.read_section(section, meta, witness, &mut |entry| sending.entry(entry))?;
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
        let mut known = self.contact.directory();
        let mut survey = Survey { licenses: 0, certificates: Vec::new() };
        let context = self.context;
        let Some(witness) = may_sign(known.clone(), own) else { return Err(RestoreError::NotRestorable) };
        backup.read_section(section, meta, witness, &mut |entry| {
            for license in entry.licenses() {
                // The policies of another device are read here, before anything is sent.
                license.policy()?;
                survey.licenses += u64::from(is_asked(own, license)?);
            }
            // One of another authority is of no use to this service.
            if let (Entry::ServiceCertificate(bytes), Some(known)) = (entry, &mut known) {
                let hash = known.add(bytes).ok();
                let found = known.services().iter().find(|service| Some(service.hash) == hash);
                if found.is_some_and(|service| service.role != Role::Individualization) {
                    survey.certificates.push(bytes.to_vec());
                }
            }
            Ok::<(), RestoreError>(context.check()?)
        })?;
        Ok(survey)
    }
}

/// What became of the question for the key of a section.
pub(super) struct Unlocked {
    pub(super) meta: Option<SecretKey>,
    /// Why there is none.
    pub(super) why: Option<Why>,
    pub(super) page: Option<Page>,
}

/// Asks for the key of a section.
pub(super) fn unlock(contact: &mut Contact<'_>, source: RestoreSource) -> Result<Unlocked, RestoreError> {
    let body = Body::RestorePreview { source, lids: Vec::new(), usage: Vec::new() };
    let Some(reply) = contact.ask(body, |_| Ok(()))? else {
        return Ok(Unlocked { meta: None, why: contact.lost(), page: None });
    };
    let (refusals, now) = (&reply.answer.refusals, reply.answer.issued_at);
    let mut page = None;
    note_page(&mut page, refusals);
    let why = match (&reply.unlock, refusals.first()) {
        (Some(_), _) => None,
        (None, Some(first)) => Some(Why::refused(first, now)),
        (None, None) => Some(Reason::NotAllowed.into()),
    };
    Ok(Unlocked { meta: reply.unlock, why, page })
}

/// Whose signature a section must have; `None` if neither the device nor a service says so.
pub(super) fn may_sign(directory: Option<Directory>, own: Option<&OwnSection>) -> Option<Witness<'_>> {
    own.map(OwnSection::witness).or(directory.map(Witness::Certified))
}

fn is_asked(own: Option<&OwnSection>, license: &LicenseEntry<'_>) -> Result<bool, ReadError> {
    match own {
        Some(own) => Ok(!own.goes_in_offline(license)?),
        None => Ok(true),
    }
}

/// Bytes that the states of stored licenses take in a request, about.
fn usage_len(usage: &[(Lid, State)]) -> usize {
    usage.iter().map(|(_, state)| state.encode().len() + Lid::LEN + 2).sum()
}

/// What the first reading of a section found.
struct Survey {
    /// Licenses to ask for.
    licenses: u64,
    /// Certificates of the services that may have signed its batches or are appointed to.
    certificates: Vec<Vec<u8>>,
}

/// A section being sent, chunk by chunk. What the second reading gives is verified by the service, license by license.
struct Sending<'s, 'a, 'c> {
    asking: &'s mut Asking<'a, 'c>,
    own: Option<&'s OwnSection>,
    section: u32,
    source: RestoreSource,
    header_hash: Digest,
    survey: Survey,
    /// Signed answer that the licenses being read belong to.
    batch: Vec<u8>,
    chunk: Chunk,
    /// Bytes of a chunk that came through so far.
    limit: usize,
    /// Number of the chunk.
    number: u32,
    /// Licenses answered.
    done: u64,
}

impl Sending<'_, '_, '_> {
    fn entry(&mut self, entry: Entry<'_>) -> Result<(), RestoreError> {
        self.asking.context.check()?;
        match entry {
            Entry::Batch(signed) => {
                self.batch = signed.to_vec();
                self.chunk.begin_batch();
            }
            Entry::Title(kid, title) if self.own.is_none() => self.asking.staging.put_title(kid, &title)?,
            Entry::License(license) => self.license(&license, None)?,
            Entry::Page(page) => page.licenses.iter().try_for_each(|license| self.license(license, Some(&page)))?,
            // The service tells this device itself what was revoked.
            Entry::Title(..)
            | Entry::ServiceCertificate(_)
            | Entry::Tombstone(_)
            | Entry::StatusList(_)
            | Entry::LicenseRevocation(_) => {}
        }
        Ok(())
    }

    fn license(&mut self, license: &LicenseEntry<'_>, page: Option<&PageEntry<'_>>) -> Result<(), RestoreError> {
        if !is_asked(self.own, license)? {
            return Ok(());
        }
        if let Some(why) = self.asking.contact.lost() {
            self.asking.asked.left_out.push(LeftOut { kid: license.policy()?.kid, why });
            return Ok(());
        }
        if !self.chunk.has_room(license, page, &self.batch) {
            self.send()?;
        }
        self.chunk.add(license, page, &license.policy()?, &self.batch);
        Ok(())
    }

    /// Asks for the licenses collected, unless a restore that a crash broke off was granted them all.
    fn send(&mut self) -> Result<(), RestoreError> {
        let chunk = std::mem::take(&mut self.chunk);
        let number = self.number;
        self.number += 1;
        if self.asking.staging.chunk_done(self.section, number)? {
            self.asking.asked.granted += chunk.count() as u64;
            return self.progress(chunk.count());
        }
        // What is too long for the way goes in halves. These are not noted as answered: another run cuts the chunk anew.
        let (mut waiting, mut number) = (vec![chunk], Some(number));
        while let Some(chunk) = waiting.pop() {
            if let Some((first, second)) = self.ask_for(chunk, number)? {
                number = None;
                waiting.extend([second, first]);
            }
        }
        Ok(())
    }

    /// Asks for a chunk, under its number where it is a whole one; gives its halves where it is too long.
    fn ask_for(&mut self, chunk: Chunk, number: Option<u32>) -> Result<Option<(Chunk, Chunk)>, RestoreError> {
        let (asked_for, divided) = (chunk.licenses(), chunk.count() > 1);
        let lids: Vec<Lid> = asked_for.iter().map(|(lid, _)| *lid).collect();
        let usage = self.asking.staging.usage(&lids)?;
        // Halves are seldom of one length, and some usage has room besides a whole chunk.
        if divided && chunk.bytes() + usage_len(&usage) > self.limit + self.limit / 16 {
            return Ok(Some(chunk.halves()));
        }
        let body = Body::Restore {
            usage,
            source: self.source.clone(),
            header_hash: self.header_hash,
            batches: chunk.batches(),
            certificates: self.survey.certificates.clone(),
        };
        match self.asking.contact.ask_if_short(body, divided, |reply| check_granted(reply, &asked_for))? {
            Told::Answered(reply) => {
                self.stage(&reply, number.filter(|_| reply.licenses.len() == asked_for.len()))?;
                self.asking.asked.note(&reply, &asked_for);
                self.progress(asked_for.len())?;
            }
            Told::TooLong => {
                let (first, second) = chunk.halves();
                self.limit = first.bytes().max(second.bytes());
                return Ok(Some((first, second)));
            }
            Told::Lost => self.lose(&asked_for)?,
        }
        Ok(None)
    }

    fn progress(&mut self, answered: usize) -> Result<(), RestoreError> {
        self.done += answered as u64;
        Ok(self.asking.context.progress(self.done, self.survey.licenses)?)
    }

    /// Notes licenses that could not be asked for.
    fn lose(&mut self, asked_for: &[(Lid, Kid)]) -> Result<(), RestoreError> {
        let Some(why) = self.asking.contact.lost() else { return Ok(()) };
        let left_out = asked_for.iter().map(|(_, kid)| LeftOut { kid: *kid, why: why.clone() });
        self.asking.asked.left_out.extend(left_out);
        Ok(self.asking.context.check()?)
    }

    /// Stages what was granted. Only a chunk that was granted wholly is recorded as answered: of any other, the refusals
    /// would not be known after a crash, and asking for it again costs nothing.
    fn stage(&mut self, reply: &Reply, whole: Option<u32>) -> Result<(), RestoreError> {
        let Some(directory) = self.asking.contact.directory() else { return Ok(()) };
        let authority = directory.authority.hash;
        let staging = &mut *self.asking.staging;
        if let Some(number) = whole {
            return Ok(staging.put_chunk(self.section, number, authority, &reply.signed, &reply.licenses)?);
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
