//! A real device that takes each step, and the comparison of what it then has with the belief.

use super::belief::{Belief, Outcome, Saved};
use super::step::{PLACES, SLOTS, Step, Terms};
use super::time::At;
use std::collections::BTreeMap;
use tempfile::TempDir;
use wmlicense_core::backup::back_up;
use wmlicense_core::client::Settings;
use wmlicense_core::clock::SinceBoot;
use wmlicense_core::contact::SessionError;
use wmlicense_core::decryptor::{Decryptor, UseError};
use wmlicense_core::event::Event;
use wmlicense_core::operation::Context;
use wmlicense_core::restore::{RestoreError, restore};
use wmlicense_core::rights::Application;
use wmlicense_media::cenc::{SampleInfo, Scheme};
use wmlicense_testkit::home::{Home, open};
use wmlicense_testkit::place::{Events, backed_up, restored};
use wmlicense_testkit::{NOW, World, content_key, grant, kid};
use wmlicense_wire::id::{Kid, Lid, SignerId};
use wmlicense_wire::license::{ActionState, State};
use wmlicense_wire::policy::Policy;

/// How often what happened, so that a run in which nothing happens is noticed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    played: u32,
    counted: u32,
    refused: u32,
    behind_or_over: u32,
    restored: u32,
    kept_out: u32,
    lost: u32,
    into_another_store: u32,
    needed_service: u32,
    cleaned: u32,
    /// Runs of the system, anchors, questions under a time since the start that went back, refusals for the time.
    booted: u32,
    anchored: u32,
    went_back: u32,
    noted: u32,
}

impl Seen {
    /// What every run meets happened, and in a long one everything.
    pub fn is_enough(&self, long: bool) -> bool {
        let common = [
            self.played,
            self.counted,
            self.refused,
            self.restored,
            self.kept_out,
            self.lost,
            self.booted,
            self.anchored,
        ];
        let rare = [
            self.behind_or_over,
            self.into_another_store,
            self.needed_service,
            self.cleaned,
            self.went_back,
            self.noted,
        ];
        common.into_iter().all(|times| times > 0) && (!long || rare.into_iter().all(|times| times > 0))
    }
}

impl std::ops::Add for Seen {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            played: self.played + other.played,
            counted: self.counted + other.counted,
            refused: self.refused + other.refused,
            behind_or_over: self.behind_or_over + other.behind_or_over,
            restored: self.restored + other.restored,
            kept_out: self.kept_out + other.kept_out,
            lost: self.lost + other.lost,
            into_another_store: self.into_another_store + other.into_another_store,
            needed_service: self.needed_service + other.needed_service,
            cleaned: self.cleaned + other.cleaned,
            booted: self.booted + other.booted,
            anchored: self.anchored + other.anchored,
            went_back: self.went_back + other.went_back,
            noted: self.noted + other.noted,
        }
    }
}

type Left = BTreeMap<Lid, Option<ActionState>>;

pub struct Life<'w> {
    home: Home<'w>,
    places: Vec<(TempDir, Option<Saved>)>,
    belief: Belief,
    /// The time at the service; only the device's clock goes wrong.
    true_time: i64,
    offset: i64,
    /// Run of the system, and the true time at which it began.
    run: (u8, i64),
    /// What a time namespace adds to the time since then.
    shift: i64,
    pub seen: Seen,
}

impl<'w> Life<'w> {
    pub fn begin(world: &'w World) -> Self {
        let places = (0..PLACES).map(|_| (TempDir::new().unwrap(), None)).collect();
        let belief = Belief::at(NOW);
        let (run, seen) = ((1, NOW - 1000), Seen::default());
        let life = Self { home: Home::new(world), places, belief, true_time: NOW, offset: 0, run, shift: 0, seen };
        life.show();
        life
    }

    pub fn take(&mut self, step: &Step) {
        match step {
            Step::Acquire { slot, terms } => self.acquire(kid(*slot), terms, None),
            Step::Replace { which, terms } => {
                if let Some(old) = self.granted(*which) {
                    self.acquire(old.kid, terms, Some(old.lid));
                }
            }
            Step::Again { which } => {
                if let Some(policy) = self.granted(*which) {
                    self.import(&policy);
                }
            }
            Step::Withdraw { which } => self.withdraw(*which),
            Step::Delete { slot } => {
                let gone = self.of_slot(*slot);
                assert_eq!(self.home.client.store.delete(kid(*slot)).unwrap(), gone.len() as u64);
                self.belief.held.retain(|lid| !gone.contains(lid));
            }
            Step::GiveBack { slot } => self.give_back(*slot),
            Step::Play { slot } => self.play(*slot),
            Step::BackUp { place, cancelled } => self.back_up(*place, *cancelled),
            Step::Restore { place, cancelled } => self.restore(*place, *cancelled),
            Step::LoseStore => {
                self.home = self.home.without_store();
                self.belief.lose_store(self.at().wall);
                self.seen.lost += 1;
            }
            Step::Crash => self.home = self.home.copied(),
            Step::Reopen => {
                self.home.client = open(self.home.world, self.home.path(), &self.home.clock).unwrap();
            }
            Step::Pass { seconds } => {
                self.true_time += seconds;
                self.show();
            }
            Step::SetClock { offset } => {
                self.offset = *offset;
                self.show();
            }
            Step::Boot => {
                self.run = (self.run.0 + 1, self.true_time - 5);
                self.show();
                self.seen.booted += 1;
            }
            Step::Shift { seconds } => {
                self.shift = *seconds;
                self.show();
            }
            Step::Online => self.online(),
            Step::Clean => self.clean(),
        }
    }

    /// What the device's clocks show.
    fn at(&self) -> At {
        At { wall: self.true_time + self.offset, run: self.run.0, up: self.true_time - self.run.1 + self.shift }
    }

    fn show(&self) {
        let at = self.at();
        self.home.clock.set(at.wall);
        self.home.clock.boot(at.run, at.up);
    }

    /// The service tells the time.
    fn online(&mut self) {
        let (at, issuer) = (self.at(), self.home.world.issuer.id);
        let asked = Some(SinceBoot { boot: [at.run; 16], seconds: at.up });
        self.home.client.store.note_anchor(issuer, self.true_time, asked).unwrap();
        self.belief.time.online(self.true_time, at);
        self.seen.anchored += u32::from(self.belief.time.anchored(at).is_some());
        self.seen.went_back += u32::from(self.belief.time.anchored(at).is_none());
    }

    fn granted(&self, which: usize) -> Option<Policy> {
        let granted = &self.belief.granted;
        granted.get(which.checked_rem(granted.len())?).cloned()
    }

    fn of_slot(&self, slot: u64) -> Vec<Lid> {
        let is_of = |lid: &Lid| self.belief.policy(*lid).kid == kid(slot);
        self.belief.held.iter().copied().filter(is_of).collect()
    }

    fn acquire(&mut self, kid: Kid, terms: &Terms, replaces: Option<Lid>) {
        let world = self.home.world;
        let policy = Policy {
            backup: terms.backup,
            management: terms.managed.then_some(world.management.id),
            revocation_key: terms.revocable.then_some(SignerId::new([7; 32])),
            first_issued: self.true_time,
            replaces,
            ..world.policy_with(kid, terms.conditions(self.true_time))
        };
        self.belief.granted.push(policy.clone());
        self.import(&policy);
    }

    /// The service sends a license. It says what is left where this store cannot know.
    fn import(&mut self, policy: &Policy) {
        let (lid, now, at) = (policy.lid, self.true_time, self.at());
        let left = self.belief.truly_left(lid);
        let tells = policy.is_stateful() && !self.belief.left.contains_key(&lid);
        let state = tells.then(|| State { actions: [("Play".to_owned(), left)].into() });
        let grant = wmlicense_wire::answer::Grant { state, ..grant(policy, content_key(policy.kid)) };
        let report = self.home.import(self.home.receive(&[grant], now)).unwrap();
        let forbidden = self.belief.dead.contains(&lid);
        assert_eq!((report.stored, report.forbidden), (u64::from(!forbidden), u64::from(forbidden)));
        self.belief.time.contact(now, at.wall);
        self.belief.put(lid, left);
    }

    fn withdraw(&mut self, which: usize) {
        let Some(policy) = self.granted(which) else { return };
        let received = self.home.receive_withdrawing(vec![policy.lid]);
        self.home.import(received).unwrap();
        // This answer is dated when every world begins.
        let wall = self.at().wall;
        self.belief.time.contact(NOW, wall);
        self.belief.bury(policy.lid);
    }

    fn give_back(&mut self, slot: u64) {
        let gone = self.of_slot(slot);
        let settings = Settings::default();
        let count = wmlicense_core::give_back::delete(&self.home.client, &settings, kid(slot)).unwrap();
        assert_eq!(count, gone.len() as u64);
        gone.into_iter().for_each(|lid| self.belief.bury(lid));
    }

    fn play(&mut self, slot: u64) {
        let (of_slot, at) = (self.of_slot(slot), self.at());
        let permitting: Vec<Lid> = of_slot.iter().copied().filter(|lid| self.belief.permits(*lid, at)).collect();
        let before = self.left(slot);
        let result = decrypt(&self.home, kid(slot));
        assert_eq!(result.is_ok(), !permitting.is_empty(), "{result:?}");
        if let Err(error) = result {
            assert!(matches!(error, UseError::Refused(_)), "{error}");
            self.seen.refused += 1;
            self.seen.behind_or_over += u32::from(!of_slot.is_empty());
            if of_slot.iter().any(|lid| self.belief.tells_time(*lid, at)) {
                self.belief.time.seen(at, false);
                self.seen.noted += 1;
            }
            return;
        }
        self.seen.played += 1;
        let after = self.left(slot);
        let changed: Vec<Lid> = after.keys().copied().filter(|lid| before[lid] != after[lid]).collect();
        let used = match (self.earliest_free(&permitting), &changed[..]) {
            // What is free is used before what counts.
            (Some(free), []) => free,
            (None, []) => permitting.into_iter().find(|lid| self.runs_uncounted(*lid)).expect("an uncounted use"),
            // Which of several is used is the store's choice among those that permit it.
            (None, [one]) if permitting.contains(one) => *one,
            _ => panic!("{changed:?} changed where {permitting:?} permit a use"),
        };
        self.seen.counted += changed.len() as u32;
        self.belief.play(used, at);
    }

    /// Runs from its first use, which was, and counts nothing.
    fn runs_uncounted(&self, lid: Lid) -> bool {
        self.belief.left.get(&lid).is_some_and(|left| left.counts_left.is_none() && left.first_use.is_some())
    }

    /// Of the stateless licenses the one that is used: it ends first.
    fn earliest_free(&self, permitting: &[Lid]) -> Option<Lid> {
        let end = |lid: &Lid| self.belief.policy(*lid).action("Play").unwrap().not_after;
        let free = permitting.iter().copied().filter(|lid| !self.belief.policy(*lid).is_stateful());
        free.min_by_key(|lid| (end(lid).is_none(), end(lid), *lid))
    }

    fn back_up(&mut self, place: usize, cancelled: bool) {
        let (folder, saved) = &mut self.places[place];
        if cancelled {
            let result = back_up(&self.home.client, folder.path(), true, &cancelling());
            assert!(result.is_err());
            return;
        }
        let now = self.belief.saved();
        let report = backed_up(&self.home, folder.path(), true).0.unwrap();
        assert_eq!(report.backed_up, now.licenses.len() as u64);
        assert_eq!(report.restricted, (self.belief.held.len() - now.licenses.len()) as u64);
        // A backup of nothing never takes the place of another.
        if saved.is_none() || !now.licenses.is_empty() {
            *saved = Some(now);
        }
    }

    fn restore(&mut self, place: usize, cancelled: bool) {
        let (folder, saved) = &self.places[place];
        if cancelled {
            let result = restore(&self.home.client, &Settings::default(), folder.path(), false, &cancelling());
            assert!(result.is_err());
            return;
        }
        let result = restored(&self.home, folder.path()).0;
        let Some(saved) = saved.clone() else {
            assert!(matches!(result, Err(RestoreError::NotFound)));
            return;
        };
        match self.belief.restore(&saved, self.at()) {
            Outcome::NeedsService => {
                assert!(matches!(result, Err(RestoreError::Service(SessionError::NoService))), "{result:?}");
                self.seen.needed_service += 1;
            }
            Outcome::Takes(taken) => {
                assert_eq!(result.is_ok(), !taken.is_empty() || saved.licenses.is_empty(), "{result:?}");
                self.seen.restored += u32::from(!taken.is_empty());
                self.seen.kept_out += u32::from(taken.len() < saved.licenses.len());
                self.seen.into_another_store += u32::from(saved.store != self.belief.store && !taken.is_empty());
            }
        }
    }

    fn clean(&mut self) {
        let context = Events::default().context(|_| false);
        let cleaned = wmlicense_core::store_keeper::clean(&self.home.client, &context).unwrap();
        let at = self.at();
        let over: Vec<Lid> = self.belief.held.iter().copied().filter(|lid| self.belief.is_over(*lid, at)).collect();
        assert_eq!(cleaned.removed, over.len() as u64);
        self.belief.held.retain(|lid| !over.contains(lid));
        if !over.is_empty() {
            self.belief.time.seen(at, false);
        }
        self.seen.cleaned += u32::from(cleaned.removed > 0);
    }

    /// What the store says is left of the licenses of a slot.
    fn left(&self, slot: u64) -> Left {
        let licenses = self.home.client.store.licenses(kid(slot)).unwrap();
        let left = |state: &State| state.actions.get("Play").copied();
        licenses.iter().map(|license| (license.policy.lid, license.state.as_ref().and_then(left))).collect()
    }

    /// Everything that is believed is so, and nothing else.
    pub fn compare(&self) {
        let store = &self.home.client.store;
        store.check_integrity().unwrap();
        self.belief.time.compare(store, self.home.world.issuer.id, self.at());
        assert_eq!(store.license_count().unwrap(), self.belief.held.len() as u64);
        for slot in 0..SLOTS {
            let licenses = store.licenses(kid(slot)).unwrap();
            let mut lids: Vec<Lid> = licenses.iter().map(|license| license.policy.lid).collect();
            lids.sort_unstable();
            assert_eq!(lids, self.of_slot(slot));
            for license in &licenses {
                assert_eq!(license.policy, *self.belief.policy(license.policy.lid));
                assert_eq!(store.unwrap_key(license).unwrap().as_bytes(), content_key(kid(slot)));
            }
            for (lid, left) in self.left(slot) {
                assert_eq!(left, self.belief.left.get(&lid).copied(), "what is left of {lid:?}");
            }
        }
    }
}

fn cancelling() -> Context {
    Events::default().context(|event| *event == Event::BackupRestoreBegin)
}

/// Plays one sample.
fn decrypt(home: &Home<'_>, kid: Kid) -> Result<(), UseError> {
    let info =
        SampleInfo { scheme: Scheme::Cenc, iv: &[7; 8], subsamples: &[], crypt_byte_block: 0, skip_byte_block: 0 };
    Decryptor::create(&home.client, kid, "Play", &Application::default())?.decrypt(&info, &mut [0; 20])
}
