//! What is written for pages in browsers. What they may have is read as for devices.

use super::written::write_issue;
use super::{End, Issue, Pending, Store};
use wmlicense_wire::id::DeviceId;

impl Store {
    /// Writes licenses of a page, of which no answer is kept. False if they were decided from another state than the present one:
    /// whoever runs it again finds them written.
    pub(crate) fn issue_to_page(&self, device: DeviceId, issue: Issue, now: i64) -> Pending<'_, bool> {
        self.write((device, issue, now), |(device, issue, now), rows| {
            Box::pin(async move {
                let written = write_issue(rows, *device, issue, *now).await?;
                Ok(if written { End::Keep(true) } else { End::Undo(false) })
            })
        })
    }
}
