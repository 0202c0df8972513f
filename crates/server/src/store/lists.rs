//! What the owner lists: page by page, each behind the last row of the one before.

use super::issuing::orders_about;
use super::revocations::matches;
use super::rows::{LicenseFacts, Rows};
use super::{
    ContentEntry, DeviceEntry, LicenseEntry, OrderEntry, Pending, RestoreEntry, Store, StoreError, SubscriptionEntry,
};
use crate::rules::revocation::{Order, is_taken_back};
use wmlicense_wire::id::{DeviceId, Kid, Lid, SignerId};

/// Rows of a page. A page of the latest looks through everything, so few pages are read rather than short ones.
const PAGE: usize = 16 * 1024;

/// A row of a list.
pub(crate) trait Listed: Sized {
    /// What the rows are ordered by.
    type Key: Send + Sync + 'static;
    /// The key of this one.
    fn key(&self) -> Self::Key;
    /// The rows behind a key, at most so many.
    fn page(rows: &mut dyn Rows, behind: Option<Self::Key>, limit: usize) -> Pending<'_, Vec<Self>>;
}

impl Store {
    /// All rows of a list, of one state of the database.
    pub(crate) fn all<T: Listed + Send + 'static>(&self) -> Pending<'_, Vec<T>> {
        self.read((), |(), rows| {
            Box::pin(async move {
                let mut all: Vec<T> = Vec::new();
                loop {
                    let page = T::page(rows, all.last().map(T::key), PAGE).await?;
                    let is_last = page.len() < PAGE;
                    all.extend(page);
                    if is_last {
                        return Ok(all);
                    }
                }
            })
        })
    }

    /// Counts of everything, with what is counted.
    pub(crate) fn stats(&self) -> Pending<'_, Vec<(&'static str, u64)>> {
        self.read((), |(), rows| rows.counts())
    }
}

/// Tells of licenses whether they were taken back, by their IDs or by a rule.
async fn licenses(rows: &mut dyn Rows, page: Vec<LicenseFacts>) -> Result<Vec<LicenseEntry>, StoreError> {
    let rules: Vec<Order> = rows.rules().await?.into_iter().map(|row| row.order).collect();
    let lids: Vec<Lid> = page.iter().map(|facts| facts.entry.lid).collect();
    let orders = orders_about(rows, &lids).await?;
    let told = |LicenseFacts { entry, policy }: LicenseFacts| {
        let by_id = orders.get(&entry.lid).is_some_and(|orders| is_taken_back(orders, entry.device));
        let taken_back = by_id || matches(&rules, &policy, entry.device)?;
        Ok(LicenseEntry { taken_back, ..entry })
    };
    page.into_iter().map(told).collect()
}

/// Content by key ID.
impl Listed for ContentEntry {
    type Key = Kid;

    fn key(&self) -> Kid {
        self.kid
    }

    fn page(rows: &mut dyn Rows, behind: Option<Self::Key>, limit: usize) -> Pending<'_, Vec<Self>> {
        rows.list_contents(behind, limit)
    }
}

/// Subscriptions by name.
impl Listed for SubscriptionEntry {
    type Key = String;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn page(rows: &mut dyn Rows, behind: Option<Self::Key>, limit: usize) -> Pending<'_, Vec<Self>> {
        Box::pin(async move { rows.list_subscriptions(behind.as_deref(), limit).await })
    }
}

/// Names and times of change of policies, by name.
impl Listed for (String, i64) {
    type Key = String;

    fn key(&self) -> String {
        self.0.clone()
    }

    fn page(rows: &mut dyn Rows, behind: Option<Self::Key>, limit: usize) -> Pending<'_, Vec<Self>> {
        Box::pin(async move { rows.list_policies(behind.as_deref(), limit).await })
    }
}

/// Licenses issued, the latest first.
impl Listed for LicenseEntry {
    type Key = (i64, Lid, DeviceId);

    fn key(&self) -> Self::Key {
        (self.issued_at, self.lid, self.device)
    }

    fn page(rows: &mut dyn Rows, behind: Option<Self::Key>, limit: usize) -> Pending<'_, Vec<Self>> {
        Box::pin(async move {
            let page = rows.list_licenses(behind, limit).await?;
            licenses(rows, page).await
        })
    }
}

/// Restores, the latest first.
impl Listed for RestoreEntry {
    type Key = (i64, Lid, DeviceId);

    fn key(&self) -> Self::Key {
        (self.since, self.lid, self.device)
    }

    fn page(rows: &mut dyn Rows, behind: Option<Self::Key>, limit: usize) -> Pending<'_, Vec<Self>> {
        rows.list_restores(behind, limit)
    }
}

/// Devices, the latest first.
impl Listed for DeviceEntry {
    type Key = (i64, DeviceId, SignerId);

    fn key(&self) -> Self::Key {
        (self.since, self.device, self.thumbprint)
    }

    fn page(rows: &mut dyn Rows, behind: Option<Self::Key>, limit: usize) -> Pending<'_, Vec<Self>> {
        rows.list_devices(behind, limit)
    }
}

/// Orders, the latest first.
impl Listed for OrderEntry {
    type Key = u64;

    fn key(&self) -> u64 {
        self.number
    }

    fn page(rows: &mut dyn Rows, behind: Option<Self::Key>, limit: usize) -> Pending<'_, Vec<Self>> {
        rows.list_orders(behind, limit)
    }
}
