//! Whether deliveries and the pages that say what was delivered are whole.

use super::super::StoreError;
use super::super::rows::Rows;
use super::{DELIVERIES, readable_pages};
use crate::rules::delivered::{DeliveryId, DeliveryRow, place_of};
use wmlicense_wire::id::{DeviceId, Digest};
use wmlicense_wire::request::MAX_LICENSES;

/// A delivery that is not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) id: DeliveryId,
    pub(crate) device: DeviceId,
    pub(crate) page: Digest,
    /// What is wrong.
    pub(crate) why: &'static str,
}

/// Most of the broken ones that are named.
const MAX_NAMED: usize = 20;
/// Most licenses of a device between the first and the last of a page that are held against it.
const MAX_ROWS: usize = 2 * MAX_LICENSES;

/// Deliveries that were looked at.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub(crate) deliveries: u64,
    /// Those that are not whole, and the first of them by name.
    pub(crate) broken: u64,
    pub(crate) named: Vec<Broken>,
    /// The last one, where more may follow.
    pub(crate) behind: Option<DeliveryId>,
}

impl Checked {
    fn add(&mut self, broken: Broken) {
        self.broken += 1;
        if self.named.len() < MAX_NAMED {
            self.named.push(broken);
        }
    }

    /// This, and what was looked at behind it.
    pub(crate) fn and(mut self, more: Self) -> Self {
        let room = MAX_NAMED.saturating_sub(self.named.len());
        self.named.extend(more.named.into_iter().take(room));
        let (deliveries, broken) = (self.deliveries + more.deliveries, self.broken + more.broken);
        Self { deliveries, broken, named: self.named, behind: more.behind }
    }
}

/// True if a license of a delivery has a row of its own, and the delivery does not say so: it would be there twice.
async fn is_doubled(rows: &mut dyn Rows, delivery: &DeliveryRow) -> Result<bool, StoreError> {
    let (first, last) = delivery.kids;
    let own = rows.licenses_between(delivery.device, first, last, MAX_ROWS).await?;
    Ok(own.iter().map(|(_, row)| place_of(row.lid)).any(|(id, place)| id == delivery.id && delivery.is_live(place)))
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
        let why = match why {
            None if is_doubled(rows, delivery).await? => {
                Some("one of its licenses has rows of its own, and it does not say so")
            }
            why => why,
        };
        if let Some(why) = why {
            checked.add(Broken { id: delivery.id, device: delivery.device, page: delivery.page, why });
        }
    }
    checked.behind = deliveries.last().filter(|_| deliveries.len() == DELIVERIES).map(|delivery| delivery.id);
    Ok(checked)
}
