//! What waits in the mailbox of a device.

use super::StoreError;
use super::rows::{For, Rows};
use crate::rules::exchanges::ANSWER_LIFETIME;
use crate::rules::mailbox::{Waiting, newest};
use wmlicense_wire::answer::MAX_GIVEN;
use wmlicense_wire::id::SignerId;

/// What waits for the device of these keys.
pub(super) async fn waiting(
    rows: &mut dyn Rows,
    thumbprint: SignerId,
    certificate: &[u8],
    now: i64,
) -> Result<Waiting, StoreError> {
    let Some(row) = rows.recipient(thumbprint, For::Reading).await? else { return Ok(Waiting::default()) };
    let (device, known) = (row.device, row.certificate == certificate);
    let mut letters = rows.letters(device, now.saturating_sub(ANSWER_LIFETIME), MAX_GIVEN).await?;
    if !letters.is_empty() {
        let newest = newest(rows.recipients_of(&[device]).await?);
        if newest.is_none_or(|newest| newest.thumbprint != thumbprint) || rows.is_revoked(device).await? {
            letters.clear();
        }
    }
    Ok(Waiting { letters, known })
}
