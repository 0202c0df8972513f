//! Looking at a backup without restoring it: what a restore would give, license by license, and whether every byte is as it
//! was written. Nothing is consumed and the store stays as it is.

use super::ask::{Management, may_sign};
use super::open::{self, Opened, Opening, OwnSection};
use super::{Connect, RestoreError, open_file, service};
use crate::backup::reader::{Backup, Entry, LicenseEntry};
use crate::client::{Client, Settings};
use crate::event::Event;
use crate::operation::Context;
use std::fs::File;
use std::path::Path;
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::answer::{Answer, Reason};
use wmlicense_wire::backup::RecordKey;
use wmlicense_wire::id::Kid;
use wmlicense_wire::policy::Policy;
use wmlicense_wire::request::{Body, MAX_NAMED, RestoreSource};

/// What a restore would give for one license.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Its key ID.
    pub kid: Kid,
    /// Its title: the application's in the backup, else the one that came with it.
    pub title: Option<String>,
    /// Why it would be left out; `None` if it would be restored.
    pub refusal: Option<Reason>,
    /// Devices that hold it; 0 where the service need not be asked.
    pub devices_used: u32,
    /// Devices that may hold it in all; 0 where the service need not be asked.
    pub devices_limit: u32,
}

/// What a restore would give in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Preview {
    /// Licenses that would be restored.
    pub restorable: u64,
    /// Licenses that would be left out.
    pub refused: u64,
    /// Sections that neither this device nor the service opens.
    pub closed_sections: u32,
}

/// Tells for every license of the backup in `folder` what a restore would do with it. The service is asked where a restore
/// would ask it, counts nothing, and logs that the section was opened.
pub fn preview(
    client: &Client,
    settings: &Settings,
    folder: &Path,
    context: &Context,
) -> Result<Preview, RestoreError> {
    run(client, folder, &|| service::connect(client, settings, false, context), context)
}

pub(super) fn run(
    client: &Client,
    folder: &Path,
    connect: &Connect<'_>,
    context: &Context,
) -> Result<Preview, RestoreError> {
    let mut backup = Backup::open(open_file(folder)?)?;
    let opened = open::open_sections(client, &mut backup, context)?;
    let mut management = if opened.iter().any(Opened::needs_service) { Some(connect()?) } else { None };
    let mut previewing = Previewing { client, context, preview: Preview::default(), url: None, page: 0 };
    for section in &opened {
        previewing.section(&mut backup, section, management.as_deref_mut())?;
    }
    if management.is_some() {
        context.emit(Event::Disconnecting)?;
    }
    if previewing.preview.closed_sections as usize == opened.len() && !opened.is_empty() {
        return Err(RestoreError::NotRestorable);
    }
    if let Some(url) = previewing.url {
        context.emit(Event::ErrorWithUrl(url))?;
    }
    Ok(previewing.preview)
}

struct Previewing<'a> {
    client: &'a Client,
    context: &'a Context,
    preview: Preview,
    /// Page about the limit of devices.
    url: Option<String>,
    page: u32,
}

/// Licenses that the service is to be asked about, with where they come from.
struct Question<'m, 's> {
    management: &'m mut (dyn Management + 's),
    source: RestoreSource,
    policies: Vec<Policy>,
}

impl Previewing<'_> {
    fn section(
        &mut self,
        backup: &mut Backup<File>,
        opened: &Opened,
        management: Option<&mut (dyn Management + '_)>,
    ) -> Result<(), RestoreError> {
        let source = opened.ticket.clone().map(|ticket| RestoreSource {
            backup_id: backup.header.backup_id,
            section: opened.section,
            ticket,
        });
        match (&opened.opening, source, management) {
            (Opening::Own(own), source, management) => {
                let question = source.zip(management).filter(|_| own.to_ask > 0);
                let question =
                    question.map(|(source, management)| Question { management, source, policies: Vec::new() });
                self.read(backup, opened.section, &own.ticket.keys.meta, Some(own), question)
            }
            (Opening::Service, Some(source), Some(management)) => {
                let body = Body::RestorePreview { source: source.clone(), lids: Vec::new() };
                let reply = management.ask(body, self.next_page())?;
                let Some(meta) = reply.unlock else {
                    self.note_url(&reply.answer);
                    self.preview.closed_sections += 1;
                    return Ok(());
                };
                let question = Question { management, source, policies: Vec::new() };
                self.read(backup, opened.section, &meta, None, Some(question))
            }
            (Opening::Service | Opening::Closed, ..) => {
                self.preview.closed_sections += 1;
                Ok(())
            }
        }
    }

    /// Reads a section twice: wholly before anything of it is believed, then license by license.
    fn read(
        &mut self,
        backup: &mut Backup<File>,
        section: u32,
        meta: &SecretKey,
        own: Option<&OwnSection>,
        mut question: Option<Question<'_, '_>>,
    ) -> Result<(), RestoreError> {
        let context = self.context;
        let directory = || question.as_ref().map(|question| question.management.directory());
        let Some(first) = may_sign(directory(), own) else { return Err(RestoreError::NotRestorable) };
        let mut titles = std::collections::BTreeMap::new();
        backup.read_section(section, meta, first, &mut |entry| {
            match entry {
                Entry::License(license) => {
                    license.policy()?;
                }
                Entry::Title(kid, title) => {
                    titles.insert(kid, title);
                }
                Entry::ServiceCertificate(_)
                | Entry::StatusList(_)
                | Entry::LicenseRevocation(_)
                | Entry::Tombstone(_)
                | Entry::Batch(_) => {}
            }
            Ok::<(), RestoreError>(context.check()?)
        })?;
        let Some(second) = may_sign(directory(), own) else { return Err(RestoreError::NotRestorable) };
        backup.read_section(section, meta, second, &mut |entry| {
            let Entry::License(license) = entry else { return Ok(()) };
            self.license(&license, own, &mut question, &titles)
        })?;
        self.ask(&mut question, &titles)
    }

    fn license(
        &mut self,
        license: &LicenseEntry<'_>,
        own: Option<&OwnSection>,
        question: &mut Option<Question<'_, '_>>,
        titles: &std::collections::BTreeMap<Kid, String>,
    ) -> Result<(), RestoreError> {
        let policy = license.policy()?;
        let offline = match own {
            Some(own) => own.goes_in_offline(license)?,
            None => false,
        };
        let refusal = if self.client.store.forbids(policy.lid, policy.issuer)? {
            Some(Reason::Revoked)
        } else if self.client.store.leaves_out_ended(&policy, license.record.state().as_ref())? {
            Some(Reason::Expired)
        } else if offline {
            None
        } else if let Some(question) = question {
            question.policies.push(policy);
            return if question.policies.len() < MAX_NAMED { Ok(()) } else { self.ask_now(question, titles) };
        } else {
            Some(Reason::NotAllowed)
        };
        self.tell(&policy, titles, refusal, 0, 0)
    }

    fn ask(
        &mut self,
        question: &mut Option<Question<'_, '_>>,
        titles: &std::collections::BTreeMap<Kid, String>,
    ) -> Result<(), RestoreError> {
        match question {
            Some(question) if !question.policies.is_empty() => self.ask_now(question, titles),
            _ => Ok(()),
        }
    }

    fn ask_now(
        &mut self,
        question: &mut Question<'_, '_>,
        titles: &std::collections::BTreeMap<Kid, String>,
    ) -> Result<(), RestoreError> {
        let policies = std::mem::take(&mut question.policies);
        let lids = policies.iter().map(|policy| policy.lid).collect();
        let body = Body::RestorePreview { source: question.source.clone(), lids };
        let answer = question.management.ask(body, self.next_page())?.answer;
        self.note_url(&answer);
        let whole = answer.refusals.iter().find(|refusal| refusal.subject.is_none()).map(|refusal| refusal.reason);
        let verdicts: std::collections::HashMap<_, _> =
            answer.verdicts.iter().map(|verdict| (verdict.lid, verdict)).collect();
        for policy in policies {
            let verdict = verdicts.get(&policy.lid);
            let unasked = whole.or(verdict.is_none().then_some(Reason::NotAllowed));
            let refusal = unasked.or(verdict.and_then(|verdict| verdict.refusal));
            let (used, limit) = verdict.map_or((0, 0), |verdict| (verdict.devices_used, verdict.devices_limit));
            self.tell(&policy, titles, refusal, used, limit)?;
        }
        Ok(())
    }

    fn tell(
        &mut self,
        policy: &Policy,
        titles: &std::collections::BTreeMap<Kid, String>,
        refusal: Option<Reason>,
        devices_used: u32,
        devices_limit: u32,
    ) -> Result<(), RestoreError> {
        *if refusal.is_none() { &mut self.preview.restorable } else { &mut self.preview.refused } += 1;
        let title = titles.get(&policy.kid).cloned().or_else(|| policy.title.clone());
        let verdict = Verdict { kid: policy.kid, title, refusal, devices_used, devices_limit };
        Ok(self.context.emit(Event::RestoreVerdict(verdict))?)
    }

    fn next_page(&mut self) -> u32 {
        self.page += 1;
        self.page - 1
    }

    fn note_url(&mut self, answer: &Answer) {
        let full = answer.refusals.iter().find(|refusal| refusal.reason == Reason::LimitReached);
        self.url = self.url.take().or_else(|| full.and_then(|refusal| refusal.url.clone()));
    }
}

/// What a verification found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verified {
    /// Licenses that were read, with their keys.
    pub licenses: u64,
    /// Sections that another device's keys or a service open, of which nothing can be said here.
    pub closed_sections: u32,
}

/// Reads the backup in `folder` to its end, without a network and without changing anything: every byte of every section
/// that this device opens must be as it was written and signed, and every key must open.
pub fn verify(client: &Client, folder: &Path, context: &Context) -> Result<Verified, RestoreError> {
    let mut backup = Backup::open(open_file(folder)?)?;
    let opened = open::open_sections(client, &mut backup, context)?;
    let (mut verified, mut done, size) = (Verified::default(), 0, backup.size);
    for section in &opened {
        let Opening::Own(own) = &section.opening else {
            verified.closed_sections += 1;
            continue;
        };
        let content = RecordKey::of(&own.ticket.keys.content);
        let summary = backup.read_section(section.section, &own.ticket.keys.meta, own.witness(), &mut |entry| {
            done += entry.len();
            if let Entry::License(license) = &entry {
                let opens = license.record.open(license.kind, &content).is_ok();
                license.policy()?;
                if !opens || license.record.state().is_none() {
                    return Err(RestoreError::Corrupt("a record does not open".into()));
                }
                verified.licenses += 1;
            }
            Ok(context.progress(done.min(size), size)?)
        })?;
        if summary.store_id != own.ticket.store_id {
            return Err(RestoreError::Corrupt("ticket and footer name different stores".into()));
        }
    }
    context.progress(size, size)?;
    Ok(verified)
}
