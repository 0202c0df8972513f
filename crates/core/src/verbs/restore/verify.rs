//! Looking whether every byte of a backup is as it was written, where this device opens it.

use super::open::{self, Opening};
use super::{RestoreError, open_file};
use crate::backup::reader::{Backup, Entry};
use crate::client::Client;
use crate::operation::Context;
use std::path::Path;
use wmlicense_wire::backup::ContentKeys;

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
        let content = ContentKeys::of(&own.ticket.keys.content);
        let summary = backup.read_section(section.section, &own.ticket.keys.meta, own.witness(), &mut |entry| {
            done += entry.len();
            let damaged = || RestoreError::Corrupt("a license's key does not open".into());
            let page = match &entry {
                Entry::Page(page) => Some(page.key(&content).map_err(|_| damaged())?),
                _ => None,
            };
            for license in entry.licenses() {
                license.policy()?;
                if !license.opens(&content, page.as_ref()) || license.state().is_none() {
                    return Err(damaged());
                }
                verified.licenses += 1;
            }
            Ok(context.progress(done.min(size), size)?)
        })?;
        own.check(&summary)?;
    }
    context.progress(size, size)?;
    Ok(verified)
}
