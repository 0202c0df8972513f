//! The model: what a device must hold, what must be left of it and what must play. It knows sets and numbers, no store.

use std::collections::{BTreeMap, BTreeSet};
use wmlicense_wire::id::Lid;
use wmlicense_wire::license::ActionState;
use wmlicense_wire::policy::{Conditions, Policy};

/// How far a clock may stand below what is known (`docs/protocol.md`, Clock).
const TOLERANCE: i64 = 300;
/// The mark rises at most this often.
const MARK_INTERVAL: i64 = 60;
/// A longer jump needs a service's word.
const LONGEST_JUMP: i64 = 30 * super::step::DAY;
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
#[derive(Default)]
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
    mark: i64,
    jumped: Option<i64>,
    floor: i64,
}

impl Belief {
    pub fn at(now: i64) -> Self {
        Self { mark: now, ..Self::default() }
    }

    pub fn policy(&self, lid: Lid) -> &Policy {
        self.granted.iter().find(|policy| policy.lid == lid).unwrap()
    }

    fn conditions(&self, lid: Lid) -> &Conditions {
        self.policy(lid).action("Play").unwrap()
    }

    /// The store is lost and another one made.
    pub fn lose_store(&mut self, now: i64) {
        let kept = std::mem::take(self);
        *self = Self {
            granted: kept.granted,
            uses: kept.uses,
            first_uses: kept.first_uses,
            store: kept.store + 1,
            ..Self::at(now)
        };
    }

    /// An answer of the issuer is verified.
    pub fn contact(&mut self, issued_at: i64) {
        self.floor = self.floor.max(issued_at);
        if let Some(jumped) = self.jumped.filter(|jumped| *jumped <= issued_at + TOLERANCE) {
            self.mark = self.mark.max(jumped);
            self.jumped = None;
        }
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

    /// Whether the clock stands behind what the store knows.
    fn is_behind(&self, now: i64) -> bool {
        now < self.known(now) - TOLERANCE
    }

    /// What uses and answers tell of the time.
    fn known(&self, now: i64) -> i64 {
        // A clock that jumped far ahead must at least go on from there.
        let noted = self.jumped.filter(|_| now > self.mark + LONGEST_JUMP).unwrap_or(self.mark);
        self.mark.max(noted).max(self.floor)
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
    pub fn permits(&self, lid: Lid, now: i64) -> bool {
        let conditions = self.conditions(lid);
        let begun = conditions.not_before.is_none_or(|begin| begin <= now);
        let over = self.end(lid).is_some_and(|end| end <= now);
        let exhausted = self.left.get(&lid).is_some_and(|left| left.counts_left == Some(0));
        let in_time = !conditions.is_dated() || (begun && !over && !self.is_behind(now));
        self.held.contains(&lid) && !exhausted && in_time
    }

    /// A license was used.
    pub fn play(&mut self, lid: Lid, now: i64) {
        let conditions = self.conditions(lid).clone();
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
            self.note_use(now, conditions.is_stateful());
        }
    }

    fn note_use(&mut self, now: i64, counted: bool) {
        if now > self.mark + LONGEST_JUMP {
            // What counts is written anyway; the rest at most once a minute.
            let noted = self.jumped.is_some_and(|jumped| (now - jumped).abs() < MARK_INTERVAL);
            self.jumped = if noted && !counted { self.jumped } else { Some(now) };
        } else if now >= self.mark + MARK_INTERVAL {
            (self.mark, self.jumped) = (now, None);
        }
    }

    /// Whether a cleaning may take a license away.
    pub fn is_over(&self, lid: Lid, now: i64) -> bool {
        let exhausted = self.left.get(&lid).is_some_and(|left| left.counts_left == Some(0));
        let ended = self.end(lid).is_some_and(|end| end + KEPT_AFTER_END <= now);
        exhausted || (ended && !self.is_behind(now))
    }

    /// What goes into a backup.
    pub fn saved(&self) -> Saved {
        let may_go = |lid: &Lid| self.policy(*lid).may_back_up();
        let licenses = self.held.iter().copied().filter(may_go).collect();
        Saved { store: self.store, licenses, left: self.left.clone() }
    }

    /// What a restore without a service does: this store gets everything that nothing forbids; another store of the device
    /// gets what nobody can use up or revoke. What ended is not taken up again.
    pub fn restore(&mut self, saved: &Saved, now: i64) -> Outcome {
        let free = |lid: &&Lid| {
            let policy = self.policy(**lid);
            saved.store == self.store || !policy.is_stateful() && policy.revocation_key.is_none()
        };
        let (takes, rest): (BTreeSet<&Lid>, BTreeSet<&Lid>) = saved.licenses.iter().partition(free);
        if rest.iter().any(|lid| self.policy(**lid).management.is_some()) {
            return Outcome::NeedsService;
        }
        let time = if self.is_behind(now) { self.known(now) } else { now };
        let ended =
            |lid: &Lid| !self.held.contains(lid) && self.end_with(*lid, &saved.left).is_some_and(|end| end <= time);
        let forbidden = |lid: &Lid| self.dead.contains(lid) || ended(lid);
        let takes: BTreeSet<Lid> = takes.into_iter().copied().filter(|lid| !forbidden(lid)).collect();
        for lid in &takes {
            self.put(*lid, self.truly_left(*lid));
        }
        Outcome::Takes(takes)
    }
}
