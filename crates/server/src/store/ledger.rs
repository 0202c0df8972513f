//! What the owner does about uses that are out on devices.

use super::audit::note;
use super::rows::For;
use super::{End, Pending, Store};
use crate::rules::audit::{Act, Acting};
use wmlicense_wire::id::DeviceId;

/// What came back from a device that was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CameBack {
    /// Titles and actions of which uses were out.
    pub(crate) entries: u64,
    pub(crate) uses: u64,
}

impl Store {
    /// Declares a device lost: what is out on it of its accounts' uses comes back to them. None where no such device is known.
    pub(crate) fn lose_device(&self, device: DeviceId, by: impl Into<Acting>) -> Pending<'_, Option<CameBack>> {
        self.write_once((device, by.into()), |(device, by), rows| {
            Box::pin(async move {
                let mut ledger = rows.ledger_of(*device, For::Changing).await?;
                if ledger.is_empty() && rows.keys_of(*device, For::Reading).await?.is_empty() {
                    return Ok(End::Undo(None));
                }
                ledger.retain(|row| row.out() > 0);
                let uses = ledger.iter().map(|row| u64::from(row.out())).sum();
                let entries = ledger.len() as u64;
                ledger.iter_mut().for_each(crate::rules::ledger::LedgerRow::close);
                rows.put_ledger(&ledger).await?;
                let (about, became) = (Some(device.to_hex()), Some(format!("{uses} uses came back")));
                note(rows, by, Act { act: "device lost", about, was: None, became }).await?;
                Ok(End::Keep(Some(CameBack { entries, uses })))
            })
        })
    }
}
