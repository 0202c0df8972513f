//! Looking at a backup without restoring it: what a restore would give, license by license. Nothing is consumed and the store
//! stays as it is. Whether every byte is as it was written is `restore/verify.rs`.

use super::ask::{Unlocked, may_sign, unlock};
use super::contact::{Connect, Contact, Reply};
use super::left_out::{self, Page, note_page};
use super::open::{self, Opened, Opening, OwnSection};
use super::{RestoreError, open_file, service};
use crate::backup::reader::{Backup, Entry, LicenseEntry};
use crate::client::{Client, Settings};
use crate::contact::has_room;
use crate::event::{ClosedSections, Event, RestoreVerdict, Why, wait};
use crate::operation::Context;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::Path;
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::answer::Reason;
use wmlicense_wire::id::{Kid, Lid};
use wmlicense_wire::over::over;
use wmlicense_wire::policy::Policy;
use wmlicense_wire::request::{Body, MAX_NAMED, RestoreSource};

/// What a restore would give in all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preview {
    /// Licenses that would be restored.
    pub restorable: u64,
    /// Licenses that would be left out.
    pub refused: u64,
    /// Licenses that the service must be asked about and could not be.
    pub undecided: u64,
    /// Sections that would stay closed, by reason.
    pub closed: Vec<ClosedSections>,
}

impl Preview {
    /// True if a restore would leave something of the backup out.
    pub fn is_partial(&self) -> bool {
        let Self { restorable: _, refused, undecided, closed } = self;
        *refused > 0 || *undecided > 0 || !closed.is_empty()
    }
}

/// Tells for every license of the backup in `folder` what a restore would do with it. The service is asked where a restore
/// would ask it, counts nothing, and logs that the section was opened. Where it cannot be asked, what it would decide on is told
/// as undecided. With `individualize`, a device without a certificate gets one first, which is all that the store then gains.
pub fn preview(
    client: &Client,
    settings: &Settings,
    folder: &Path,
    individualize: bool,
    context: &Context,
) -> Result<Preview, RestoreError> {
    run(client, folder, &|| service::connect(client, settings, individualize, context), context)
}

/// As [`preview`], by way of `connect`.
pub fn run(client: &Client, folder: &Path, connect: &Connect<'_>, context: &Context) -> Result<Preview, RestoreError> {
    let mut backup = Backup::open(open_file(folder)?)?;
    let opened = open::open_sections(client, &mut backup, context)?;
    let mut contact = Contact::make(&opened, connect)?;
    let mut previewing = Previewing { client, context, preview: Preview::default(), page: None };
    for section in &opened {
        previewing.section(&mut backup, section, contact.as_mut())?;
    }
    if let Some(contact) = &contact {
        contact.end(context)?;
    }
    let Previewing { preview, page, .. } = previewing;
    for closed in &preview.closed {
        context.emit(Event::SectionsClosed(closed.clone()))?;
    }
    if let Some(Page { url, reason }) = page.clone() {
        context.emit(Event::ErrorWithUrl { url, reason })?;
    }
    let closed: usize = preview.closed.iter().map(|closed| closed.sections as usize).sum();
    if closed == opened.len() && !opened.is_empty() {
        return Err(left_out::nothing_given(&[], preview.closed, page));
    }
    Ok(preview)
}

struct Previewing<'a> {
    client: &'a Client,
    context: &'a Context,
    preview: Preview,
    page: Option<Page>,
}

/// A license that the service is to be asked about.
struct Asked {
    policy: Policy,
    /// Why this store leaves it out although the service would grant it.
    here: Option<Reason>,
    /// Why nothing of it can be used any more, by what the backup says. The service sees that at the restore.
    over: Option<Reason>,
}

/// Licenses that the service is to be asked about, with where they come from.
struct Question<'m, 'c> {
    contact: &'m mut Contact<'c>,
    source: RestoreSource,
    asked: Vec<Asked>,
}

type Titles = BTreeMap<Kid, String>;

impl Previewing<'_> {
    fn section(
        &mut self,
        backup: &mut Backup<File>,
        opened: &Opened,
        contact: Option<&mut Contact<'_>>,
    ) -> Result<(), RestoreError> {
        let (section, backup_id) = (opened.section, backup.header.backup_id);
        let source = opened.ticket.clone().map(|ticket| RestoreSource { backup_id, section, ticket });
        match (&opened.opening, source.zip(contact)) {
            (Opening::Own(own), asked) => {
                let question = asked.map(|(source, contact)| Question { contact, source, asked: Vec::new() });
                self.read(backup, section, &own.ticket.keys.meta, Some(own), question)
            }
            (Opening::Service, Some((source, contact))) => {
                let Unlocked { meta, why, page } = unlock(contact, source.clone())?;
                if let Some(meta) = meta {
                    let question = Question { contact, source, asked: Vec::new() };
                    return self.read(backup, section, &meta, None, Some(question));
                }
                let url = page.as_ref().map(|page| page.url.as_str());
                let (why, bytes) = (why.unwrap_or(Why::NoKey), backup.section_len(section));
                left_out::close(&mut self.preview.closed, why, bytes, url);
                self.page = self.page.take().or(page);
                Ok(())
            }
            (Opening::Service | Opening::Closed, _) => {
                left_out::close(&mut self.preview.closed, Why::NoKey, backup.section_len(section), None);
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
        let directory = || question.as_ref().and_then(|question| question.contact.directory());
        let Some(first) = may_sign(directory(), own) else { return Err(RestoreError::NotRestorable) };
        let Some(second) = may_sign(directory(), own) else { return Err(RestoreError::NotRestorable) };
        let mut titles = Titles::new();
        backup.read_section(section, meta, first, &mut |entry| {
            for license in entry.licenses() {
                license.policy()?;
            }
            if let Entry::Title(kid, title) = entry {
                titles.insert(kid, title);
            }
            Ok::<(), RestoreError>(context.check()?)
        })?;
        backup.read_section(section, meta, second, &mut |entry| {
            entry.licenses().iter().try_for_each(|license| self.license(license, own, question.as_mut(), &titles))
        })?;
        match &mut question {
            Some(question) => self.ask_now(question, &titles),
            None => Ok(()),
        }
    }

    fn license(
        &mut self,
        license: &LicenseEntry<'_>,
        own: Option<&OwnSection>,
        question: Option<&mut Question<'_, '_>>,
        titles: &Titles,
    ) -> Result<(), RestoreError> {
        let policy = license.policy()?;
        let offline = match own {
            Some(own) => own.goes_in_offline(license)?,
            None => false,
        };
        let state = license.state();
        let here = if self.client.store.forbids(policy.lid, policy.issuer)? {
            Some(Reason::Revoked)
        } else if self.client.store.leaves_out_ended(&policy, state.as_ref())? {
            Some(Reason::Expired)
        } else {
            None
        };
        match (offline, question) {
            (true, _) => self.tell(&policy, titles, here.map(Why::from), (0, 0)),
            (false, None) => self.tell(&policy, titles, Some(Reason::NotAllowed.into()), (0, 0)),
            (false, Some(question)) => {
                let over = over(&policy, &state.unwrap_or_default(), self.client.clock.now());
                question.asked.push(Asked { policy, here, over });
                if question.asked.len() < MAX_NAMED { Ok(()) } else { self.ask_now(question, titles) }
            }
        }
    }

    /// Asks about what was collected, in as many questions as have room for it.
    fn ask_now(&mut self, question: &mut Question<'_, '_>, titles: &Titles) -> Result<(), RestoreError> {
        let mut waiting = vec![std::mem::take(&mut question.asked)];
        while let Some(mut asked) = waiting.pop() {
            let lids: Vec<Lid> = asked.iter().map(|asked| asked.policy.lid).collect();
            let usage = self.client.store.usage_of(&lids)?;
            if asked.len() > 1 && !has_room(asked.len(), &usage) {
                let rest = asked.split_off(asked.len() / 2);
                waiting.extend([rest, asked]);
            } else if !asked.is_empty() {
                let body = Body::RestorePreview { source: question.source.clone(), lids, usage };
                self.ask(question.contact, body, &asked, titles)?;
            }
        }
        Ok(())
    }

    fn ask(
        &mut self,
        contact: &mut Contact<'_>,
        body: Body,
        asked: &[Asked],
        titles: &Titles,
    ) -> Result<(), RestoreError> {
        let Some(Reply { answer, .. }) = contact.ask(body, |_| Ok(()))? else {
            let lost = contact.lost();
            return asked.iter().try_for_each(|asked| self.tell(&asked.policy, titles, lost.clone(), (0, 0)));
        };
        note_page(&mut self.page, &answer.refusals);
        let whole = answer.refusals.iter().find(|refusal| refusal.subject.is_none());
        let whole = whole.map(|refusal| Why::refused(refusal, answer.issued_at));
        let verdicts: HashMap<_, _> = answer.verdicts.iter().map(|verdict| (verdict.lid, verdict)).collect();
        for Asked { policy, here, over } in asked {
            let verdict = verdicts.get(&policy.lid);
            let said = match (&whole, verdict) {
                (Some(whole), _) => Some(whole.clone()),
                (None, None) => Some(Reason::NotAllowed.into()),
                (None, Some(verdict)) => verdict.refusal.map(|reason| {
                    let wait = wait(verdict.again, answer.issued_at);
                    Why::Refused { reason, wait }
                }),
            };
            let devices = verdict.map_or((0, 0), |verdict| (verdict.devices_used, verdict.devices_limit));
            self.tell(policy, titles, settled(said, *over).or(here.map(Why::from)), devices)?;
        }
        Ok(())
    }

    fn tell(
        &mut self,
        policy: &Policy,
        titles: &Titles,
        refusal: Option<Why>,
        (devices_used, devices_limit): (u32, u32),
    ) -> Result<(), RestoreError> {
        let Preview { restorable, refused, undecided, .. } = &mut self.preview;
        *match &refusal {
            None => restorable,
            Some(Why::Refused { .. }) => refused,
            Some(Why::Unasked(_) | Why::NoKey) => undecided,
        } += 1;
        let title = titles.get(&policy.kid).cloned().or_else(|| policy.title.clone());
        let verdict = RestoreVerdict { kid: policy.kid, title, refusal, devices_used, devices_limit };
        Ok(self.context.emit(Event::RestoreVerdict(verdict))?)
    }
}

/// What the service says where a restore would show it besides that the license is over: that comes before everything which
/// another device or time could change.
fn settled(said: Option<Why>, over: Option<Reason>) -> Option<Why> {
    let may_change = match &said {
        None => true,
        Some(why) => matches!(why.reason(), Some(Reason::LimitReached | Reason::GrantedTooOften)),
    };
    if may_change && let Some(over) = over { Some(over.into()) } else { said }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_a_license_is_over_comes_before_what_time_or_another_device_could_change_and_before_nothing_else() {
        let over = Some(Reason::UsedUp);
        let said = |reason: Reason| Some(Why::from(reason));
        for may_change in [None, said(Reason::LimitReached), said(Reason::GrantedTooOften)] {
            assert_eq!(settled(may_change.clone(), over), said(Reason::UsedUp));
            assert_eq!(settled(may_change.clone(), None), may_change);
        }
        for stays in [said(Reason::OtherAccount), said(Reason::Revoked), Some(Why::NoKey)] {
            assert_eq!(settled(stays.clone(), over), stays);
            assert_eq!(settled(stays.clone(), None), stays);
        }
    }
}
