//! The model: what a device must hold, what must be left of it and what must play. It knows sets and numbers, no store.

use super::time::{At, Time};
use std::collections::{BTreeMap, BTreeSet};
use wmlicense_wire::id::Lid;
use wmlicense_wire::license::ActionState;
use wmlicense_wire::policy::{Conditions, Policy};

/// A cleaning leaves what ended less than this ago.
const KEPT_AFTER_END: i64 = 30 * super::step::DAY;

/// A backup as it was made.
#[derive(Clone)]
pub struct Saved {
    pub store: u32,
    pub licenses: BTreeSet<Lid>,
    /// What was left of them.
    left: BTreeMap<Lid, ActionState>,
}

/// What a restore does.
#[derive(PartialEq, Eq)]
pub enum Outcome {
    /// Nothing: the service would have to be asked for some of it.
    NeedsService,
    /// These are taken, the rest stays out.
    Takes(BTreeSet<Lid>),
}

/// All that is believed of one device.
pub struct Belief {
    /// Every license that was ever granted, in the order of the grants.
    pub granted: Vec<Policy>,
    /// Uses of each license, whatever store they were made in.
    pub uses: BTreeMap<Lid, u32>,
    /// First use of each license, likewise.
    pub first_uses: BTreeMap<Lid, i64>,
    /// Number of the store: a lost one is followed by another.
    pub store: u32,
    /// What the store holds.
    pub held: BTreeSet<Lid>,
    /// What is left, of every license that the store ever held.
    pub left: BTreeMap<Lid, ActionState>,
    /// What must never be in this store again.
    pub dead: BTreeSet<Lid>,
    /// What is known of the time.
    pub time: Time,
}

impl Belief {
    pub fn at(now: i64) -> Self {
        Self {
            granted: Vec::new(),
            uses: BTreeMap::new(),
            first_uses: BTreeMap::new(),
            store: 0,
            held: BTreeSet::new(),
            left: BTreeMap::new(),
            dead: BTreeSet::new(),
            time: Time::at(now),
        }
    }

    pub fn policy(&self, lid: Lid) -> &Policy {
        self.granted.iter().find(|policy| policy.lid == lid).unwrap()
    }

    fn conditions(&self, lid: Lid) -> &Conditions {
        self.policy(lid).action("Play").unwrap()
    }

    /// The store is lost and another one made.
    pub fn lose_store(&mut self, now: i64) {
        let kept = std::mem::replace(self, Self::at(now));
        *self = Self {
            granted: kept.granted,
            uses: kept.uses,
            first_uses: kept.first_uses,
            store: kept.store + 1,
            ..Self::at(now)
        };
    }

    /// A license comes, from the service or from a backup. `left` is what whoever sends it knows to be left.
    pub fn put(&mut self, lid: Lid, left: ActionState) {
        if self.dead.contains(&lid) {
            return;
        }
        self.held.insert(lid);
        if self.conditions(lid).is_stateful() {
            self.left.entry(lid).or_insert(left);
        }
        if let Some(replaced) = self.policy(lid).replaces {
            self.bury(replaced);
        }
    }

    /// What is left by all that was ever used.
    pub fn truly_left(&self, lid: Lid) -> ActionState {
        let uses = self.uses.get(&lid).copied().unwrap_or_default();
        let counts_left = self.conditions(lid).count.map(|count| count - uses);
        ActionState { counts_left, first_use: self.first_uses.get(&lid).copied() }
    }

    pub fn bury(&mut self, lid: Lid) {
        self.held.remove(&lid);
        self.dead.insert(lid);
    }

    fn end(&self, lid: Lid) -> Option<i64> {
        self.end_with(lid, &self.left)
    }

    fn end_with(&self, lid: Lid, left: &BTreeMap<Lid, ActionState>) -> Option<i64> {
        let conditions = self.conditions(lid);
        let first_use = left.get(&lid).and_then(|left| left.first_use);
        let runs = first_use.zip(conditions.seconds_after_first_use).map(|(begin, length)| begin + length as i64);
        conditions.not_after.into_iter().chain(runs).min()
    }

    /// Whether this license permits playing.
    pub fn permits(&self, lid: Lid, at: At) -> bool {
        let dated = self.conditions(lid).is_dated();
        let exhausted = self.left.get(&lid).is_some_and(|left| left.counts_left == Some(0));
        let in_time = !dated || (self.time.behind(at).is_none() && !self.is_outside(lid, at));
        self.held.contains(&lid) && !exhausted && in_time
    }

    /// Whether a license is refused because it ended or has not begun.
    pub fn tells_time(&self, lid: Lid, at: At) -> bool {
        self.conditions(lid).is_dated() && self.time.behind(at).is_none() && self.is_outside(lid, at)
    }

    fn is_outside(&self, lid: Lid, at: At) -> bool {
        let now = self.time.now(at);
        let begun = self.conditions(lid).not_before.is_none_or(|begin| begin <= now);
        !begun || self.end(lid).is_some_and(|end| end <= now)
    }

    /// A license was used.
    pub fn play(&mut self, lid: Lid, at: At) {
        let conditions = self.conditions(lid).clone();
        let now = if conditions.is_dated() { self.time.now(at) } else { at.wall };
        if conditions.is_stateful() {
            let granted = conditions.count;
            let uses = self.uses.entry(lid).or_default();
            *uses += 1;
            assert!(granted.is_none_or(|granted| *uses <= granted), "{uses} uses of {granted:?}");
            // A first use that lies in the future was made by a clock that was ahead: the time begins with this one.
            let begun = self.first_uses.entry(lid).or_insert(now);
            *begun = now.min(*begun);
            let left = self.left.get_mut(&lid).unwrap();
            left.counts_left = left.counts_left.map(|counts| counts - 1);
            left.first_use = Some(left.first_use.map_or(now, |begun| begun.min(now)));
        }
        if conditions.is_stateful() || conditions.is_dated() {
            self.time.seen(at, conditions.is_stateful());
        }
    }

    /// Whether a cleaning may take a license away.
    pub fn is_over(&self, lid: Lid, at: At) -> bool {
        let exhausted = self.left.get(&lid).is_some_and(|left| left.counts_left == Some(0));
        let sound = self.time.behind(at).is_none() && !self.time.is_ahead(at);
        exhausted || (sound && self.end(lid).is_some_and(|end| end + KEPT_AFTER_END <= self.time.now(at)))
    }

    /// What goes into a backup.
    pub fn saved(&self) -> Saved {
        let may_go = |lid: &Lid| self.policy(*lid).may_back_up();
        let licenses = self.held.iter().copied().filter(may_go).collect();
        Saved { store: self.store, licenses, left: self.left.clone() }
    }

    /// What a restore without a service does: this store gets everything that nothing forbids; another store of the device
    /// gets what nobody can use up or revoke. What ended is not taken up again.
    pub fn restore(&mut self, saved: &Saved, at: At) -> Outcome {
        let free = |lid: &&Lid| {
            let policy = self.policy(**lid);
            saved.store == self.store || !policy.is_stateful() && policy.revocation_key.is_none()
        };
        let (takes, rest): (BTreeSet<&Lid>, BTreeSet<&Lid>) = saved.licenses.iter().partition(free);
        if rest.iter().any(|lid| self.policy(**lid).management.is_some()) {
            return Outcome::NeedsService;
        }
        let time = self.time.known(at);
        let ended =
            |lid: &Lid| !self.held.contains(lid) && self.end_with(*lid, &saved.left).is_some_and(|end| end <= time);
        let forbidden = |lid: &Lid| self.dead.contains(lid) || ended(lid);
        let left_out = takes.iter().any(|lid| ended(lid));
        let takes: BTreeSet<Lid> = takes.into_iter().copied().filter(|lid| !forbidden(lid)).collect();
        for lid in &takes {
            self.put(*lid, self.truly_left(*lid));
        }
        if left_out {
            self.time.seen(at, true);
        }
        Outcome::Takes(takes)
    }
}
