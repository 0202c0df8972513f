//! Random lives of devices beside a model of what the service must answer: whatever is deleted, restored, given back, copied or
//! rekeyed, nobody uses more than the policy and the year allow.

use std::collections::HashMap;
use std::sync::Mutex;
use wmlicense_testkit::daemon::device::{Backup, Device, Held, Known};
use wmlicense_testkit::daemon::{COUNTED, Data};
use wmlicense_wire::answer::{Answer, Reason};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::Lid;
use wmlicense_wire::license::{ActionState, State};
use wmlicense_wire::request::{Body, Request};

const LIVES: u64 = 1000;
const STEPS: usize = 24;
/// Of the policy.
const COUNT: u32 = 5;
/// Times a year beside the first one.
const AGAIN: u32 = 2;

/// Marsaglia's xorshift64, so that a life that fails can be lived again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn play(left: u32) -> State {
    State { actions: [("Play".to_owned(), ActionState { counts_left: Some(left), first_use: None })].into() }
}

fn send(known: &Known, device: &Device, role: Role, name: &str, request: &Request) -> (Answer, Option<Held>) {
    let bytes = device.sign(request);
    let reply = known.post(name, &bytes, None).granted();
    let (answer, licenses, envelope) = device.verify(known, role, &bytes, request.transaction, &reply);
    let held = licenses.into_iter().map(|license| Held { signed: envelope.signed.clone(), license });
    (answer, held.collect::<Vec<_>>().pop())
}

/// What a store has: the license, and what is left of it.
type Stored = Option<(Lid, u32)>;

/// One of a life's devices: its store, and what the service booked.
struct Home {
    device: Device,
    store: Stored,
    copy: Option<Stored>,
    /// Times that a license came to a store that did not have it.
    outs: u32,
    /// Licenses of the line that the service knows here, the last one being current.
    line: Vec<Lid>,
    returned: bool,
    again: u32,
    put_back: u32,
}

impl Home {
    fn new(known: &Known) -> Self {
        let device = Device::individualized(known);
        let (store, copy, line) = (None, None, Vec::new());
        Self { device, store, copy, outs: 0, line, returned: false, again: 0, put_back: 0 }
    }

    /// What its requests tell.
    fn usage(&self) -> Vec<(Lid, State)> {
        self.store.iter().map(|(lid, left)| (*lid, play(*left))).collect()
    }
}

struct Life<'k> {
    known: &'k Known,
    homes: Vec<Home>,
    /// The strictest state that the service was told of each license.
    told: HashMap<Lid, u32>,
    /// Backups, each with its license, what was left of it, and whose it is.
    backups: Vec<(Backup, Lid, u32, usize)>,
    last: HashMap<Lid, Held>,
    uses: u32,
    /// Answers that a year's limit refused.
    too_often: u32,
}

/// What the service must say: the state that a license starts from, or a reason.
type Verdict = Result<u32, Reason>;

impl Life<'_> {
    fn left(&self, lid: Lid) -> u32 {
        self.told.get(&lid).copied().unwrap_or(COUNT)
    }

    fn tell(&mut self, lid: Lid, left: u32) {
        let known = self.left(lid);
        self.told.insert(lid, known.min(left));
    }

    /// What the device tells is kept where it is the device's; true if it tells of this line.
    fn report(&mut self, at: usize) -> bool {
        let Some((lid, left)) = self.homes[at].store else { return false };
        let known = self.homes[at].line.contains(&lid);
        if known {
            self.tell(lid, left);
        }
        known
    }

    fn again(&mut self, at: usize, tells: bool, left: u32) -> Verdict {
        let home = &mut self.homes[at];
        match (left, tells, home.again < AGAIN) {
            (0, ..) => Err(Reason::UsedUp),
            (_, true, _) => Ok(left),
            (_, false, true) => {
                home.again += 1;
                Ok(left)
            }
            (_, false, false) => Err(Reason::GrantedTooOften),
        }
    }

    fn acquire(&mut self, at: usize) {
        let mut request = self.homes[at].device.licenses_request(self.known, &[COUNTED]);
        let Body::Licenses { usage, .. } = &mut request.body else { unreachable!() };
        *usage = self.homes[at].usage();
        let tells = self.report(at);
        let current = self.homes[at].line.last().copied();
        let expected = match current.map(|lid| self.left(lid)) {
            None => Ok(COUNT),
            Some(0) if self.homes[at].returned => Err(Reason::UsedUp),
            Some(left) if self.homes[at].returned => Ok(left),
            Some(left) => self.again(at, tells, left),
        };
        let (answer, held) = send(self.known, &self.homes[at].device, Role::Issuer, "licenses", &request);
        if let Some(held) = &held {
            let lid = held.license.policy.lid;
            if current != Some(lid) {
                assert!(current.is_none() || self.homes[at].returned, "another license without a reason");
                self.homes[at].line.push(lid);
                self.homes[at].returned = false;
                if let Some(left) = current.map(|lid| self.left(lid)) {
                    self.tell(lid, left);
                }
            }
        }
        self.take(at, expected, &answer, held);
    }

    fn restore(&mut self, at: usize, backup: usize) {
        let (file, lid, left, owner) = &self.backups[backup];
        let (lid, left, owner) = (*lid, *left, *owner);
        let mut request = self.homes[at].device.restore_request(self.known, file);
        let Body::Restore { usage, .. } = &mut request.body else { unreachable!() };
        *usage = self.homes[at].usage();
        let tells = self.report(at);
        let is_own = at == owner;
        let was_returned = self.homes[owner].line.last() != Some(&lid) || self.homes[owner].returned;
        let expected = if was_returned {
            Err(Reason::Returned)
        } else {
            self.tell(lid, left);
            let left = self.left(lid);
            let had = is_own || self.homes[at].line.contains(&lid);
            let tells = tells || !had;
            let verdict = self.again(at, tells, left);
            if verdict.is_ok() && !had {
                self.homes[at].line = vec![lid];
            }
            verdict
        };
        let (answer, held) = send(self.known, &self.homes[at].device, Role::Management, "restores", &request);
        self.take(at, expected, &answer, held);
    }

    /// Holds an answer against what it must be, and puts the license into the store as a client does.
    fn take(&mut self, at: usize, expected: Verdict, answer: &Answer, held: Option<Held>) {
        let Some(held) = held else {
            assert_eq!(expected, Err(answer.refusals[0].reason));
            self.too_often += u32::from(expected == Err(Reason::GrantedTooOften));
            return;
        };
        let lid = held.license.policy.lid;
        let start = held.license.binding.state.as_ref().map_or(Some(COUNT), |state| state.actions["Play"].counts_left);
        assert_eq!(expected.ok(), start);
        let home = &mut self.homes[at];
        let start = start.unwrap();
        home.store = match home.store {
            Some((known, left)) if known == lid => Some((lid, left.min(start))),
            Some(_) | None => {
                home.outs += 1;
                Some((lid, start))
            }
        };
        self.last.insert(lid, held);
    }

    fn give_back(&mut self, at: usize) {
        let home = &mut self.homes[at];
        let (Some((lid, left)), true) = (home.store, at == 0) else { return };
        let licenses = vec![(lid, play(left))];
        let request = home.device.request(self.known, Role::Issuer, Body::Returns { licenses });
        send(self.known, &home.device, Role::Issuer, "returns", &request);
        home.store = None;
        // A copy may give back again what was replaced since; that changes nothing.
        if home.line.last() == Some(&lid) && !home.returned {
            home.returned = true;
            self.tell(lid, left);
        }
    }

    fn rekey(&mut self, at: usize) {
        let mut new = Device::new();
        let request = self.homes[at].device.rekey_request(self.known, &new);
        new.certify(self.known, &request);
        assert_eq!(new.id(), self.homes[at].device.id());
        self.homes[at].device = new;
    }

    fn step(&mut self, random: &mut Random) {
        // The second device has what it has from backups of the first.
        let at = usize::from(random.below(3) == 0);
        match random.below(16) {
            0..4 if at == 0 => self.acquire(at),
            0..7 if !self.backups.is_empty() => {
                let backup = random.below(self.backups.len() as u64) as usize;
                self.restore(at, backup);
            }
            7..9 => {
                if let Some((_, left)) = &mut self.homes[at].store {
                    let times = (*left).min(1 + random.below(u64::from(COUNT)) as u32);
                    *left -= times;
                    self.uses += times;
                }
            }
            9..12 => self.homes[at].store = None,
            12 => {
                if let (Some((lid, left)), 0) = (self.homes[at].store, at) {
                    let mut held = self.last.remove(&lid).unwrap();
                    held.license.binding.state = Some(play(left));
                    // Its record is sealed for the keys that it came to.
                    if held.license.binding.thumbprint == self.homes[at].device.thumbprint() {
                        let backup = self.homes[at].device.back_up(self.known, std::slice::from_ref(&held), None);
                        self.backups.push((backup, lid, left, at));
                    }
                    self.last.insert(lid, held);
                }
            }
            13 => self.give_back(at),
            14 => {
                let home = &mut self.homes[at];
                match home.copy.take() {
                    None => home.copy = Some(home.store),
                    Some(copy) => {
                        home.put_back += u32::from(copy.is_some());
                        home.store = copy;
                    }
                }
            }
            15 => self.rekey(at),
            _ => {}
        }
        self.check();
    }

    /// No device got more than its first one and two a year, and no more is used than that, and what copies of a store bring.
    fn check(&self) {
        let mut allowed = 0;
        for home in &self.homes {
            assert!(home.again <= AGAIN);
            allowed += COUNT * (home.outs + home.put_back);
        }
        assert!(self.uses <= allowed, "{} of {allowed}", self.uses);
        if self.homes.iter().all(|home| home.put_back == 0) {
            assert!(self.uses <= COUNT * (1 + AGAIN) * self.homes.len() as u32, "{} uses", self.uses);
        }
    }
}

fn begun(known: &Known) -> Life<'_> {
    let homes = vec![Home::new(known), Home::new(known)];
    Life { known, homes, told: HashMap::new(), backups: Vec::new(), last: HashMap::new(), uses: 0, too_often: 0 }
}

#[test]
fn no_life_of_devices_uses_more_than_policy_and_year_allow() {
    let data = Data::new();
    data.fill();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let next = Mutex::new(1);
    let refused = Mutex::new(0);
    std::thread::scope(|scope| {
        let live = || loop {
            let seed = {
                let mut next = next.lock().unwrap();
                *next += 1;
                *next - 1
            };
            if seed > LIVES {
                return;
            }
            let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let mut life = begun(&known);
            let lived = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                (0..STEPS).for_each(|_| life.step(&mut random));
            }));
            assert!(lived.is_ok(), "the life of seed {seed}");
            *refused.lock().unwrap() += life.too_often;
        };
        for _ in 0..4 {
            scope.spawn(live);
        }
    });
    let refused = *refused.lock().unwrap();
    assert!(refused > 50, "{refused}: lives that never meet the limit show nothing");
}

#[test]
fn a_thief_who_deletes_the_store_gets_exactly_what_a_year_allows() {
    let data = Data::new();
    data.fill();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let mut life = begun(&known);
    life.acquire(0);
    let (lid, left) = life.homes[0].store.unwrap();
    let held = life.last.remove(&lid).unwrap();
    let backup = life.homes[0].device.back_up(&known, &[held], None);
    life.backups.push((backup, lid, left, 0));
    for round in 0..12 {
        let at = round % 2;
        if round > 3 && at == 0 {
            life.rekey(at);
        }
        if life.homes[at].store.is_none() {
            life.restore(at, 0);
        }
        life.uses += life.homes[at].store.take().map_or(0, |(_, left)| left);
        life.check();
    }
    assert_eq!(life.uses, 2 * COUNT * (1 + AGAIN));
}
