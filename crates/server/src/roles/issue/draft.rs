//! Licenses of one answer that need no rows of their own, as they come together to deliveries: one for each scope.

use super::grant::new_delivery;
use crate::problem::Fault;
use crate::rules::delivered::{DeliveryId, DeliveryRow, NewDelivery, PageRow, lid_at};
use crate::rules::pages::MIN_DELIVERED;
use crate::store::{Issue, NewLicense};
use wmlicense_wire::id::{DeviceId, Lid, UserId};
use wmlicense_wire::policy::Policy;

/// Deliveries of an answer that is being made.
pub(super) struct Drafts {
    device: DeviceId,
    now: i64,
    /// Number of the last change to what is offered.
    mark: i64,
    open: Option<Draft>,
    done: Vec<Draft>,
}

struct Draft {
    id: DeliveryId,
    scope: String,
    /// None: everybody's.
    user: Option<UserId>,
    /// In the order of their key IDs.
    licenses: Vec<(Policy, NewLicense)>,
}

impl Drafts {
    pub(super) fn new(device: DeviceId, now: i64, mark: i64) -> Self {
        Self { device, now, mark, open: None, done: Vec::new() }
    }

    /// The ID of the next license of a scope for an account, or for everybody.
    pub(super) fn place(&mut self, scope: &str, user: Option<UserId>) -> Result<Lid, Fault> {
        if self.open.as_ref().is_some_and(|open| open.scope != scope || open.user != user) {
            self.done.extend(self.open.take());
        }
        let open = match self.open.take() {
            Some(open) => open,
            None => Draft { id: new_delivery(self.now)?, scope: scope.to_owned(), user, licenses: Vec::new() },
        };
        let open = self.open.insert(open);
        Ok(lid_at(open.id, open.licenses.len() as u32))
    }

    /// Takes the license that got the last place.
    pub(super) fn add(&mut self, policy: Policy, license: Option<NewLicense>) {
        if let (Some(open), Some(license)) = (&mut self.open, license) {
            open.licenses.push((policy, license));
        }
    }

    /// Has written down what came together: many licenses as one, few with rows of their own.
    pub(super) fn finish(mut self, issue: &mut Issue) {
        self.done.extend(self.open.take());
        for Draft { id, scope, user, licenses } in self.done {
            if licenses.len() < MIN_DELIVERED {
                issue.licenses.extend(licenses.into_iter().map(|(_, license)| license));
                continue;
            }
            let (page, count) = (PageRow::of(&licenses), licenses.len() as u32);
            let (Some((_, first)), Some((_, last))) = (licenses.first(), licenses.last()) else { continue };
            let row = DeliveryRow {
                id,
                device: self.device,
                user,
                kids: (first.kid, last.kid),
                scope,
                issued_at: self.now,
                mark: self.mark,
                page: page.hash,
                count,
                live: count,
                gone: Vec::new(),
                withdrawn: None,
            };
            issue.delivered.push(NewDelivery { row, page });
        }
    }
}
