//! Licenses that nobody asked for: whom they can be given to, and what waits for a device.

use super::audit::note;
use super::rows::{For, Rows};
use super::waiting::waiting;
use super::written::write_issue;
use super::{End, Pending, Store, StoreError};
use crate::rules::audit::{Act, Acting};
use crate::rules::devices::{self, CertifiedDevice};
use crate::rules::exchanges::{Committed, Exchange};
use crate::rules::licenses::Issue;
use crate::rules::mailbox::{self, Addressee, Recipient, RecipientRow, Waiting, forks_count_after, newest};
use wmlicense_wire::id::{DeviceId, SignerId, TransactionId};

impl Store {
    /// Devices that something can be given to.
    pub(crate) fn recipients(&self, to: Addressee) -> Pending<'_, Vec<Recipient>> {
        self.read(to, |to, rows| {
            Box::pin(async move {
                let devices = match to {
                    Addressee::Device(device) => vec![*device],
                    Addressee::Account(user) => rows.devices_of(*user).await?,
                };
                let keys = rows.recipients_of(&devices).await?;
                let mut recipients = Vec::new();
                for device in devices {
                    let of = keys.iter().filter(|row| row.device == device).cloned().collect();
                    if let Some(newest) = newest(of) {
                        recipients.push(recipient(rows, newest).await?);
                    }
                }
                Ok(recipients)
            })
        })
    }

    /// Writes licenses that are given to a device, what goes out again, and with `keep` the answer for its mailbox.
    pub(crate) fn give(
        &self,
        exchange: Exchange,
        device: DeviceId,
        issue: Issue,
        answer: Vec<u8>,
        keep: bool,
        by: impl Into<Acting>,
    ) -> Pending<'_, Committed> {
        let asked = (exchange, device, issue, answer, keep, by.into());
        self.write_once(asked, |(exchange, device, issue, answer, keep, by), rows| {
            Box::pin(async move {
                let Exchange { transaction, now, .. } = *exchange;
                if rows.is_revoked(*device).await? || !write_issue(rows, *device, issue, now).await? {
                    return Ok(End::Undo(Committed::Changed));
                }
                if *keep {
                    rows.insert_letter(*device, transaction, now, answer).await?;
                }
                let (about, place) = (Some(device.to_hex()), if *keep { "mailbox" } else { "a file" });
                let became = Some(format!("{} licenses in {place}", issue.licenses.len()));
                note(rows, by, Act { act: "license give", about, was: None, became }).await?;
                Ok(End::Keep(Committed::Done))
            })
        })
    }

    /// What waits for the device of these keys at `now`, seconds UTC: nothing for one that was revoked or has other keys.
    pub(crate) fn waiting(&self, thumbprint: SignerId, certificate: Vec<u8>, now: i64) -> Pending<'_, Waiting> {
        self.read((thumbprint, certificate, now), |(thumbprint, certificate, now), rows| {
            Box::pin(waiting(rows, *thumbprint, certificate, *now))
        })
    }

    /// Remembers the certificate of a device; with `keys` also that of a device that was forgotten.
    pub(crate) fn know(
        &self,
        recipient: Recipient,
        certified_at: i64,
        keys: Option<CertifiedDevice>,
    ) -> Pending<'_, ()> {
        let Recipient { thumbprint, device, certificate, revoked: _, copied: _ } = recipient;
        self.write((RecipientRow { thumbprint, device, certified_at, certificate }, keys), |(heard, keys), rows| {
            Box::pin(async move {
                if let Some(keys) = keys
                    && rows.keys(heard.thumbprint, For::Changing).await?.is_none()
                    && let Some(row) = devices::certified(keys, heard.thumbprint, None, heard.certified_at)
                {
                    rows.put_keys(&row).await?;
                }
                let known = rows.recipient(heard.thumbprint, For::Changing).await?;
                if let Some(row) = mailbox::known(heard.clone(), known.as_ref()) {
                    rows.put_recipient(&row).await?;
                }
                Ok(End::Keep(()))
            })
        })
    }

    /// Drops what a device took out of its mailbox, and gives the number.
    pub(crate) fn taken(&self, device: DeviceId, transactions: Vec<TransactionId>) -> Pending<'_, u64> {
        self.write((device, transactions), |(device, transactions), rows| {
            Box::pin(async move { Ok(End::Keep(rows.drop_letters(*device, transactions).await?)) })
        })
    }
}

/// The device of its newest keys.
async fn recipient(rows: &mut dyn Rows, newest: RecipientRow) -> Result<Recipient, StoreError> {
    let (device, thumbprint) = (newest.device, newest.thumbprint);
    let forks = match rows.last_fork(device).await? {
        Some(last) => rows.forks(device, thumbprint, forks_count_after(last)).await?,
        None => Vec::new(),
    };
    Ok(mailbox::recipient(newest, rows.is_revoked(device).await?, &forks))
}
