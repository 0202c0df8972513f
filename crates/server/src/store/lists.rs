//! What the owner lists: page by page, each behind the last row of the one before.

pub(crate) mod cursor;

use super::deliveries;
use super::issuing::orders_about;
use super::revocations::matches;
use super::rows::{AuditFilter, Filter, LicenseFacts, Rows};
use super::{
    AuditRow, ContentEntry, DeviceEntry, LicenseEntry, OrderEntry, Pending, RestoreEntry, Store, StoreError,
    SubscriptionEntry, TokenRow,
};
use crate::rules::revocation::{Order, is_taken_back};
use crate::rules::rows::AccountRow;
use std::collections::HashMap;
use wmlicense_wire::id::{DeviceId, Kid, Lid, SignerId, UserId};

/// Rows of a page. A page of the latest looks through everything, so few pages are read rather than short ones.
const PAGE: usize = 16 * 1024;

/// A row of a list.
pub(crate) trait Listed: Sized {
    /// What the list is called; its cursors say so.
    const LIST: &'static str;
    /// Which rows are listed.
    type Filter: Clone + Default + Send + Sync + 'static;
    /// What the rows are ordered by.
    type Key: cursor::Key + Clone + Send + Sync + 'static;
    /// The key of this one.
    fn key(&self) -> Self::Key;
    /// The rows behind a key, at most so many.
    fn page<'r>(
        rows: &'r mut dyn Rows,
        filter: &'r Self::Filter,
        behind: Option<Self::Key>,
        limit: usize,
    ) -> Pending<'r, Vec<Self>>;
}

/// One row of `account list`.
#[derive(Debug, Clone)]
pub(crate) struct AccountEntry {
    pub(crate) account: AccountRow,
    pub(crate) scopes: Vec<String>,
    /// Whatever became of them.
    pub(crate) tokens: Vec<TokenRow>,
}

impl Store {
    /// All rows of a list, of one state of the database.
    pub(crate) fn all<T: Listed + Send + 'static>(&self) -> Pending<'_, Vec<T>> {
        self.listed(T::Filter::default(), None, usize::MAX)
    }

    /// Rows of a list behind a key, at most so many, of one state of the database.
    pub(crate) fn listed<T: Listed + Send + 'static>(
        &self,
        filter: T::Filter,
        behind: Option<T::Key>,
        limit: usize,
    ) -> Pending<'_, Vec<T>> {
        self.read((filter, behind, limit), |(filter, behind, limit), rows| {
            Box::pin(async move {
                let mut all: Vec<T> = Vec::new();
                loop {
                    let behind = all.last().map(T::key).or(behind.clone());
                    let wanted = PAGE.min(*limit - all.len());
                    let page = T::page(rows, filter, behind, wanted).await?;
                    let is_last = page.len() < wanted;
                    all.extend(page);
                    if is_last || all.len() == *limit {
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
    const LIST: &'static str = "content";
    type Filter = Filter;
    type Key = Kid;

    fn key(&self) -> Kid {
        self.kid
    }

    fn page<'r>(
        rows: &'r mut dyn Rows,
        filter: &'r Self::Filter,
        behind: Option<Self::Key>,
        limit: usize,
    ) -> Pending<'r, Vec<Self>> {
        Box::pin(async move {
            let delivered = match filter.device {
                Some(device) => deliveries::kids_of(rows, device, behind).await?,
                None => Vec::new(),
            };
            rows.list_contents(filter, &delivered, behind, limit).await
        })
    }
}

/// Subscriptions by name.
impl Listed for SubscriptionEntry {
    const LIST: &'static str = "subscription";
    type Filter = ();
    type Key = String;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn page<'r>(
        rows: &'r mut dyn Rows,
        _: &'r Self::Filter,
        behind: Option<Self::Key>,
        limit: usize,
    ) -> Pending<'r, Vec<Self>> {
        Box::pin(async move { rows.list_subscriptions(behind.as_deref(), limit).await })
    }
}

/// Names and times of change of policies, by name.
impl Listed for (String, i64) {
    const LIST: &'static str = "policy";
    type Filter = ();
    type Key = String;

    fn key(&self) -> String {
        self.0.clone()
    }

    fn page<'r>(
        rows: &'r mut dyn Rows,
        _: &'r Self::Filter,
        behind: Option<Self::Key>,
        limit: usize,
    ) -> Pending<'r, Vec<Self>> {
        Box::pin(async move { rows.list_policies(behind.as_deref(), limit).await })
    }
}

/// Licenses issued, the latest first.
impl Listed for LicenseEntry {
    const LIST: &'static str = "license";
    type Filter = Filter;
    type Key = (i64, Lid, DeviceId);

    fn key(&self) -> Self::Key {
        (self.issued_at, self.lid, self.device)
    }

    fn page<'r>(
        rows: &'r mut dyn Rows,
        filter: &'r Self::Filter,
        behind: Option<Self::Key>,
        limit: usize,
    ) -> Pending<'r, Vec<Self>> {
        Box::pin(async move {
            let page = deliveries::list(rows, filter, behind, limit).await?;
            licenses(rows, page).await
        })
    }
}

/// Restores, the latest first.
impl Listed for RestoreEntry {
    const LIST: &'static str = "restore";
    type Filter = Filter;
    type Key = (i64, Lid, DeviceId);

    fn key(&self) -> Self::Key {
        (self.since, self.lid, self.device)
    }

    fn page<'r>(
        rows: &'r mut dyn Rows,
        filter: &'r Self::Filter,
        behind: Option<Self::Key>,
        limit: usize,
    ) -> Pending<'r, Vec<Self>> {
        rows.list_restores(filter, behind, limit)
    }
}

/// Devices, the latest first.
impl Listed for DeviceEntry {
    const LIST: &'static str = "device";
    type Filter = Filter;
    type Key = (i64, DeviceId, SignerId);

    fn key(&self) -> Self::Key {
        (self.since, self.device, self.thumbprint)
    }

    fn page<'r>(
        rows: &'r mut dyn Rows,
        filter: &'r Self::Filter,
        behind: Option<Self::Key>,
        limit: usize,
    ) -> Pending<'r, Vec<Self>> {
        Box::pin(async move {
            let pages = match filter.kid {
                Some(kid) => deliveries::pages_with(rows, kid).await?,
                None => Vec::new(),
            };
            rows.list_devices(filter, &pages, behind, limit).await
        })
    }
}

/// Orders, the latest first.
impl Listed for OrderEntry {
    const LIST: &'static str = "revocation";
    type Filter = ();
    type Key = u64;

    fn key(&self) -> u64 {
        self.number
    }

    fn page<'r>(
        rows: &'r mut dyn Rows,
        _: &'r Self::Filter,
        behind: Option<Self::Key>,
        limit: usize,
    ) -> Pending<'r, Vec<Self>> {
        rows.list_orders(behind, limit)
    }
}

/// Accounts by name; those of one name that were removed by their users.
impl Listed for AccountEntry {
    const LIST: &'static str = "account";
    type Filter = Filter;
    type Key = (String, UserId);

    fn key(&self) -> Self::Key {
        (self.account.name.clone(), self.account.user)
    }

    fn page<'r>(
        rows: &'r mut dyn Rows,
        filter: &'r Self::Filter,
        behind: Option<Self::Key>,
        limit: usize,
    ) -> Pending<'r, Vec<Self>> {
        Box::pin(async move {
            let page = rows.list_accounts(filter, behind, limit).await?;
            let users: Vec<UserId> = page.iter().map(|row| row.user).collect();
            let mut scopes: HashMap<UserId, Vec<String>> = HashMap::new();
            for row in rows.scopes(&users).await? {
                scopes.entry(row.user).or_default().push(row.scope);
            }
            let mut tokens: HashMap<UserId, Vec<TokenRow>> = HashMap::new();
            for row in rows.tokens_of(&users).await? {
                tokens.entry(row.user).or_default().push(row);
            }
            let entry = |account: AccountRow| {
                let of = (scopes.remove(&account.user), tokens.remove(&account.user));
                AccountEntry { account, scopes: of.0.unwrap_or_default(), tokens: of.1.unwrap_or_default() }
            };
            Ok(page.into_iter().map(entry).collect())
        })
    }
}

/// What was done in the owner's name, the latest first.
impl Listed for AuditRow {
    const LIST: &'static str = "audit";
    type Filter = AuditFilter;
    type Key = (i64, [u8; 16]);

    fn key(&self) -> Self::Key {
        (self.done_at, self.id)
    }

    fn page<'r>(
        rows: &'r mut dyn Rows,
        filter: &'r Self::Filter,
        behind: Option<Self::Key>,
        limit: usize,
    ) -> Pending<'r, Vec<Self>> {
        rows.list_audit(filter, behind, limit)
    }
}
