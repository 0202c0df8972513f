//! Whether deliveries and the pages that say what was delivered are whole.

use super::super::StoreError;
use super::super::rows::Rows;
use super::{DELIVERIES, readable_pages};
use crate::rules::delivered::DeliveryId;
use wmlicense_wire::id::{DeviceId, Digest};

/// A delivery that is not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) id: DeliveryId,
    pub(crate) device: DeviceId,
    pub(crate) page: Digest,
    /// What is wrong.
    pub(crate) why: &'static str,
}

/// Deliveries that were looked at.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub(crate) deliveries: u64,
    pub(crate) broken: Vec<Broken>,
    /// The last one, where more may follow.
    pub(crate) behind: Option<DeliveryId>,
}

/// Looks at some deliveries behind an ID, with their pages.
pub(in crate::store) async fn check_behind(
    rows: &mut dyn Rows,
    behind: Option<DeliveryId>,
) -> Result<Checked, StoreError> {
    let deliveries = rows.deliveries_behind(behind, DELIVERIES).await?;
    let (pages, _) = readable_pages(rows, &deliveries).await?;
    let mut checked = Checked { deliveries: deliveries.len() as u64, ..Checked::default() };
    for delivery in &deliveries {
        let why = match pages.get(&delivery.page) {
            None => Some("its page is damaged or not there"),
            Some(page) => page.contradicted(delivery),
        };
        let (id, device, page) = (delivery.id, delivery.device, delivery.page);
        checked.broken.extend(why.map(|why| Broken { id, device, page, why }));
    }
    checked.behind = deliveries.last().filter(|_| deliveries.len() == DELIVERIES).map(|delivery| delivery.id);
    Ok(checked)
}
