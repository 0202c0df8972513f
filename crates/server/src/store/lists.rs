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
pub(crate) trait Listed {
    /// What the rows are ordered by.
    type Key: Send + Sync + 'static;
    /// The key of this one.
    fn key(&self) -> Self::Key;
}

impl Store {
    /// Content by key ID, behind one.
    pub(crate) fn contents(&self, behind: Option<Kid>) -> Pending<'_, Vec<ContentEntry>> {
        self.read(behind, |behind, rows| rows.list_contents(*behind, PAGE))
    }

    /// Subscriptions by name, behind one.
    pub(crate) fn subscriptions(&self, behind: Option<String>) -> Pending<'_, Vec<SubscriptionEntry>> {
        self.read(behind, |behind, rows| rows.list_subscriptions(behind.as_deref(), PAGE))
    }

    /// Names and times of change of policies by name, behind one.
    pub(crate) fn policies(&self, behind: Option<String>) -> Pending<'_, Vec<(String, i64)>> {
        self.read(behind, |behind, rows| rows.list_policies(behind.as_deref(), PAGE))
    }

    /// Licenses issued, the latest first, behind one.
    pub(crate) fn licenses(&self, behind: Option<(i64, Lid, DeviceId)>) -> Pending<'_, Vec<LicenseEntry>> {
        self.read(behind, |behind, rows| {
            Box::pin(async move {
                let page = rows.list_licenses(*behind, PAGE).await?;
                licenses(rows, page).await
            })
        })
    }

    /// Restores, the latest first, behind one.
    pub(crate) fn restores(&self, behind: Option<(i64, Lid, DeviceId)>) -> Pending<'_, Vec<RestoreEntry>> {
        self.read(behind, |behind, rows| rows.list_restores(*behind, PAGE))
    }

    /// Devices, the latest first, behind one.
    pub(crate) fn devices(&self, behind: Option<(i64, DeviceId, SignerId)>) -> Pending<'_, Vec<DeviceEntry>> {
        self.read(behind, |behind, rows| rows.list_devices(*behind, PAGE))
    }

    /// Orders, the latest first, behind one.
    pub(crate) fn orders(&self, behind: Option<u64>) -> Pending<'_, Vec<OrderEntry>> {
        self.read(behind, |behind, rows| rows.list_orders(*behind, PAGE))
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

impl Listed for ContentEntry {
    type Key = Kid;
    fn key(&self) -> Kid {
        self.kid
    }
}

impl Listed for SubscriptionEntry {
    type Key = String;
    fn key(&self) -> String {
        self.name.clone()
    }
}

impl Listed for (String, i64) {
    type Key = String;
    fn key(&self) -> String {
        self.0.clone()
    }
}

impl Listed for LicenseEntry {
    type Key = (i64, Lid, DeviceId);
    fn key(&self) -> Self::Key {
        (self.issued_at, self.lid, self.device)
    }
}

impl Listed for RestoreEntry {
    type Key = (i64, Lid, DeviceId);
    fn key(&self) -> Self::Key {
        (self.since, self.lid, self.device)
    }
}

impl Listed for DeviceEntry {
    type Key = (i64, DeviceId, SignerId);
    fn key(&self) -> Self::Key {
        (self.since, self.device, self.thumbprint)
    }
}

impl Listed for OrderEntry {
    type Key = u64;
    fn key(&self) -> u64 {
        self.number
    }
}
