//! Uses that belong to an account: what a grant gives of a title in all, what is out on which device, and what was used. What is
//! out counts as used until its device reports, gives back, or is lost.

use super::granted::GrantId;
use crate::policy::Terms;
use std::collections::HashMap;
use wmlicense_wire::id::{DeviceId, Kid, Lid};
use wmlicense_wire::license::{ActionState, State};
use wmlicense_wire::policy::Conditions;

/// Uses of one action of a title under a grant, as a device has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LedgerRow {
    pub(crate) grant: GrantId,
    pub(crate) kid: Kid,
    pub(crate) action: String,
    pub(crate) device: DeviceId,
    /// The license in which the device has them.
    pub(crate) lid: Lid,
    /// All that were handed out and did not come back. Zero where uses are not counted.
    pub(crate) given: u32,
    /// Of these, what the device reported.
    pub(crate) used: u32,
    /// Earliest first use that the device reported, seconds UTC.
    pub(crate) first_use: Option<i64>,
}

impl LedgerRow {
    /// What the device may still use.
    pub(crate) fn out(&self) -> u32 {
        self.given.saturating_sub(self.used)
    }

    /// What counts as used for everybody else. Who was lost and came back may have used more than what it was left.
    fn charged(&self) -> u64 {
        u64::from(self.given.max(self.used))
    }

    /// What a device tells of its license: the strictest counts.
    pub(crate) fn report(&mut self, told: &State, now: i64) {
        let Some(told) = told.actions.get(&self.action) else { return };
        if let Some(left) = told.counts_left {
            self.used = self.used.max(self.given.saturating_sub(left));
        }
        let first_use = told.first_use.map(|first| first.min(now));
        self.first_use = self.first_use.into_iter().chain(first_use).min();
    }

    /// What is out comes back: it was given back, or its device is lost.
    pub(crate) fn close(&mut self) {
        self.given = self.used.min(self.given);
    }
}

/// The states of licenses as their ledgers tell them.
pub(crate) fn states(rows: &[LedgerRow], lids: &[Lid]) -> HashMap<Lid, State> {
    let mut states: HashMap<Lid, State> = HashMap::new();
    for row in rows.iter().filter(|row| lids.contains(&row.lid)) {
        let state = ActionState { counts_left: Some(row.out()), first_use: row.first_use };
        states.entry(row.lid).or_default().actions.insert(row.action.clone(), state);
    }
    states
}

/// What of a title a device may have under a grant.
pub(crate) struct Share {
    /// What it may start from.
    pub(crate) state: State,
    /// The rows as they are when it does, whatever license that is.
    rows: Vec<LedgerRow>,
    /// The license that it has is of this grant, and there is no use of another one.
    stays: bool,
    /// Something is out in it.
    pub(crate) is_out: bool,
}

impl Share {
    /// Whether the license of this ID that the device has stays its own.
    pub(crate) fn stays(&self) -> bool {
        self.stays
    }

    /// The rows to write with a license.
    pub(crate) fn rows(self, lid: Lid) -> Vec<LedgerRow> {
        self.rows.into_iter().map(|row| LedgerRow { lid, ..row }).collect()
    }
}

/// What is left of an action for a device: all that no other one has and this one has not used.
fn left(total: u32, rows: &[LedgerRow], action: &str, device: DeviceId) -> u32 {
    let of = rows.iter().filter(|row| row.action == action);
    let gone: u64 = of.map(|row| if row.device == device { u64::from(row.used) } else { row.charged() }).sum();
    u32::try_from(u64::from(total).saturating_sub(gone)).unwrap_or_default()
}

fn first_use(rows: &[LedgerRow], action: &str) -> Option<i64> {
    rows.iter().filter(|row| row.action == action).filter_map(|row| row.first_use).min()
}

/// What a device may have of a title on the terms of a grant. `rows`: the ledger of both; `current`: the license that it has.
pub(crate) fn share(
    terms: &Terms,
    rows: &[LedgerRow],
    (grant, kid, device): (GrantId, Kid, DeviceId),
    current: Option<Lid>,
) -> Share {
    let mut share = Share { state: State::default(), rows: Vec::new(), stays: current.is_some(), is_out: false };
    for (action, conditions) in terms.actions.iter().filter(|(_, conditions)| conditions.is_stateful()) {
        let own = rows.iter().find(|row| row.action == *action && row.device == device);
        let (used, out) = own.map_or((0, 0), |own| (own.used, own.out()));
        let first_use = first_use(rows, action);
        let left = conditions.count.map(|total| left(total, rows, action, device));
        // What is at hand is not taken away by a smaller allotment.
        let handed = left.map(|left| left.min(terms.allotment.unwrap_or(u32::MAX)).max(out.min(left)));
        let mine = own.is_some_and(|own| Some(own.lid) == current);
        share.stays &= mine && (out > 0 || handed.is_none_or(|handed| handed == 0));
        share.is_out |= mine && out > 0;
        share.state.actions.insert(action.clone(), ActionState { counts_left: handed, first_use });
        let given = handed.map_or(0, |handed| used.saturating_add(handed));
        let (action, lid) = (action.clone(), Lid::new([0; 16]));
        share.rows.push(LedgerRow { grant, kid, action, device, lid, given, used, first_use });
    }
    share
}

/// True if nothing of a grant is left for a device: another grant is better, whatever its terms.
pub(crate) fn is_spent(terms: &Terms, rows: &[LedgerRow], device: DeviceId, now: i64) -> bool {
    let spent = |(action, conditions): &(String, Conditions)| {
        let first = first_use(rows, action);
        let ran_out = first.zip(conditions.seconds_after_first_use);
        let ran_out = ran_out.is_some_and(|(first, seconds)| first.saturating_add_unsigned(seconds) <= now);
        ran_out || conditions.count.is_some_and(|total| left(total, rows, action, device) == 0)
    };
    !terms.actions.is_empty() && terms.actions.iter().all(spent)
}

#[cfg(test)]
mod tests;
