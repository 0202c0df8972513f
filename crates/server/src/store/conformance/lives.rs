//! Random lives of accounts: grants come, change and end; devices come, go offline, are lost, made anew. Whatever happens, all
//! devices together never use more than a grant gave, and nothing is refused that the ledger has.

use super::*;
use crate::accounts::NewAccount;
use crate::policy::parse;
use crate::rules::granted::{GrantId, GrantRow, NewOffer, OFFERS_ONLY, Right};
use crate::rules::ledger::{Share, share};
use crate::rules::licenses::UsesOut;
use std::collections::HashMap;
use wmlicense_wire::id::UserId;
use wmlicense_wire::license::{ActionState, State};

const LIVES: u64 = 200;
const STEPS: u64 = 24;

/// Numbers that look random, the same for the same life.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// A device as it really is, online or not.
#[derive(Clone)]
struct Real {
    id: DeviceId,
    /// License, its grant, and what is left in it.
    held: Option<(Lid, GrantId, u32)>,
    /// What the service was told is left.
    told: u32,
}

/// What really happened under a grant.
#[derive(Default)]
struct Fact {
    used: u32,
    /// The most that it ever gave.
    most: u32,
}

struct Life<'w> {
    store: &'w Store,
    dice: Dice,
    now: i64,
    next: u32,
    kid: Kid,
    user: UserId,
    name: String,
    devices: Vec<Real>,
    /// Those of whom nobody hears again, and that nobody declared lost.
    gone: Vec<Real>,
    grants: Vec<GrantId>,
    facts: HashMap<GrantId, Fact>,
    replaced: HashMap<(DeviceId, GrantId), u32>,
}

/// What tells terms apart: so many uses in all.
fn terms_of(grant: &GrantRow) -> Digest {
    Digest::of(&grant.uses.unwrap_or_default().to_be_bytes())
}

fn left(counts_left: u32) -> State {
    State { actions: [("Play".to_owned(), ActionState { counts_left: Some(counts_left), first_use: None })].into() }
}

impl Life<'_> {
    fn number(&mut self) -> [u8; 16] {
        self.next += 1;
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&self.next.to_be_bytes());
        bytes[8..].copy_from_slice(&self.user.as_bytes()[..8]);
        bytes
    }

    fn exchange(&mut self) -> Exchange {
        let number = self.number();
        let mut hash = [0; 32];
        hash[..16].copy_from_slice(&number);
        let (transaction, request_hash) = (TransactionId::new(number), Digest::new(hash));
        Exchange { transaction, request_hash, account: Some(self.user), ..exchange(1, self.now) }
    }

    async fn grant(&mut self) {
        let (id, uses) = (GrantId::new(self.number()), self.dice.roll(6) as u32 + 1);
        let until = (self.dice.roll(3) == 0).then(|| self.now + self.dice.roll(40) as i64 + 1);
        let terms = GrantTerms { uses: Some(uses), until, ..GrantTerms::default() };
        let of = (self.name.clone(), "ten".to_owned());
        assert_eq!(self.store.add_grant(id, of, terms, self.now).await.unwrap(), Granting::Done);
        self.grants.push(id);
        self.facts.insert(id, Fact { used: 0, most: uses });
    }

    async fn change(&mut self) {
        if self.grants.is_empty() {
            return;
        }
        let id = self.grants[self.dice.roll(self.grants.len() as u64) as usize];
        if self.dice.roll(4) == 0 {
            self.store.end_grant(id, self.now).await.unwrap();
            return;
        }
        let uses = self.dice.roll(8) as u32 + 1;
        let change = GrantChange { uses: Some(Some(uses)), ..GrantChange::default() };
        if self.store.change_grant(id, change, self.now).await.unwrap() == Granting::Done {
            let fact = self.facts.get_mut(&id).unwrap();
            fact.most = fact.most.max(uses);
        }
    }

    async fn report(&mut self, at: usize) {
        let device = &mut self.devices[at];
        if let Some((lid, _, left_now)) = device.held {
            self.store.report(device.id, vec![(lid, left(left_now))], self.now).await.unwrap();
            device.told = left_now;
        }
    }

    /// Asks as `roles/issue/grant.rs` does, and takes what it gets.
    async fn ask(&mut self, at: usize) {
        self.report(at).await;
        for _ in 0..8 {
            let (exchange, device) = (self.exchange(), self.devices[at].id);
            let offer = self.store.offer(exchange.clone(), device, Some(self.user), vec![self.kid]).await.unwrap();
            let offered = offer.items.into_iter().next().unwrap().unwrap();
            let Right::Granted(grant) = offered.content.right.clone() else { return };
            let terms = offered.content.bound(parse(&offered.content.policy.as_ref().unwrap().1).unwrap());
            let current = offered.current.as_ref().filter(|current| !current.withdrawn);
            let share = share(
                &terms,
                &offered.content.ledger,
                (grant.id, self.kid, device),
                current.map(|current| current.lid),
            );
            let counts = share.state.actions["Play"].counts_left.unwrap();
            let is_same = current.is_some_and(|current| current.terms == terms_of(&grant));
            if share.stays() && is_same {
                let of_license = current.and_then(|current| current.state.clone()).unwrap();
                let counts = of_license.actions["Play"].counts_left.unwrap();
                let held = self.devices[at].held.filter(|(_, of, _)| *of == grant.id);
                assert_eq!(held.map_or(0, |(.., left)| left), counts, "it has what the ledger says");
                if counts == 0 {
                    self.check_refusal(at, &grant);
                }
                return;
            }
            if counts == 0 {
                self.check_refusal(at, &grant);
                return;
            }
            if self.take(at, exchange, &grant, (offered, share, counts)).await {
                return;
            }
        }
        panic!("nobody else asks, so that one of so many runs is written");
    }

    async fn take(&mut self, at: usize, exchange: Exchange, grant: &GrantRow, of: (Offered, Share, u32)) -> bool {
        let (Offered { content, current, .. }, share, counts) = of;
        let (lid, device) = (Lid::new(self.number()), self.devices[at].id);
        let replaces = current.as_ref().map(|current| current.lid);
        let line = current.as_ref().map(|current| current.line);
        let issued = Issued::new(lid, terms_of(grant), policy(1, Some(10)).encode());
        let license = NewLicense {
            kid: self.kid,
            user: Some(self.user),
            issued,
            replaces,
            line,
            state: Some(share.state.clone()),
        };
        let uses = UsesOut { grant: grant.id, kid: self.kid, seen: content.ledger, rows: share.rows(lid) };
        let issue = Issue { licenses: vec![license], uses: vec![uses], ..Issue::default() };
        let told = self.store.issue(exchange, device, issue, vec![1]).await.unwrap();
        let is_written = told == Committed::Done || told == Committed::Prior(Prior::Answered(Some(vec![1])));
        if is_written {
            if let Some((_, before, left)) = self.devices[at].held.filter(|(_, before, _)| *before != grant.id) {
                *self.replaced.entry((device, before)).or_default() += left;
            }
            self.replaced.remove(&(device, grant.id));
            self.devices[at].held = Some((lid, grant.id, counts));
            self.devices[at].told = counts;
        }
        is_written
    }

    /// Nothing that the ledger has is refused: all that is not used is at hand on other devices.
    fn check_refusal(&self, at: usize, grant: &GrantRow) {
        let others = self.devices.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, device)| device);
        let held = others.chain(&self.gone).filter_map(|device| device.held);
        let out: u32 = held.filter(|(_, of, _)| *of == grant.id).map(|(.., left)| left).sum();
        let own = self.devices[at].held.filter(|(_, of, _)| *of == grant.id).map_or(0, |(.., left)| left);
        let replaced = self.replaced(self.devices[at].id, grant.id);
        assert!(
            self.facts[&grant.id].used + out + own + replaced >= grant.uses.unwrap(),
            "{} used, {out} out, of {:?}",
            self.facts[&grant.id].used,
            grant.uses
        );
    }

    /// Uses that other devices had in licenses of this grant when one of another grant took their place: they may have them again.
    fn replaced(&self, device: DeviceId, grant: GrantId) -> u32 {
        let of = self.replaced.iter().filter(|((by, of), _)| *by != device && *of == grant);
        of.map(|(_, left)| left).sum()
    }

    fn play(&mut self, at: usize) {
        let wanted = self.dice.roll(3) as u32 + 1;
        if let Some((_, grant, left)) = &mut self.devices[at].held {
            let used = wanted.min(*left);
            *left -= used;
            let fact = self.facts.get_mut(grant).unwrap();
            fact.used += used;
            assert!(fact.used <= fact.most, "{} uses of {}", fact.used, fact.most);
        }
    }

    async fn give_back(&mut self, at: usize) {
        let exchange = self.exchange();
        let device = &mut self.devices[at];
        let Some((lid, _, counts)) = device.held.take() else { return };
        let told = self.store.give_back(exchange, device.id, vec![(lid, left(counts))], vec![1]).await.unwrap();
        written(told, &[1]);
    }

    async fn lose(&mut self, at: usize) {
        let lost = self.devices.swap_remove(at);
        // What it used and told nobody nobody ever hears of.
        if let Some((_, grant, left)) = lost.held {
            self.facts.get_mut(&grant).unwrap().used -= lost.told - left;
        }
        self.store.lose_device(lost.id, self.now).await.unwrap();
        self.replaced.retain(|(device, _), _| *device != lost.id);
    }

    async fn step(&mut self) {
        self.now += self.dice.roll(5) as i64;
        if self.devices.is_empty() || (self.devices.len() < 4 && self.dice.roll(6) == 0) {
            let id = DeviceId::new(self.number());
            self.devices.push(Real { id, held: None, told: 0 });
        }
        let at = self.dice.roll(self.devices.len() as u64) as usize;
        match self.dice.roll(12) {
            0 => self.grant().await,
            1 => self.change().await,
            2..=5 => self.ask(at).await,
            6..=8 => self.play(at),
            9 => self.report(at).await,
            10 => self.give_back(at).await,
            // Its store was deleted: what it is then is a new device, and what it had is out until somebody says that it is lost.
            11 if self.dice.roll(2) == 0 => {
                let gone = self.devices.swap_remove(at);
                self.gone.push(gone);
            }
            11 => self.lose(at).await,
            _ => unreachable!(),
        }
    }
}

async fn live(store: &Store, number: u64) {
    let mut user = [0; 16];
    user[..8].copy_from_slice(&(number + 1).to_be_bytes());
    let (user, kid, name) = (UserId::new(user), Kid::new([3; 16]), format!("account {number}"));
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&(number + 1).to_be_bytes());
    let account = NewAccount { user, scopes: vec![] };
    assert!(store.add_account(name.clone(), account, Digest::new(hash), 10).await.unwrap());
    let dice = Dice(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (devices, gone) = (Vec::new(), Vec::new());
    let (grants, facts) = (Vec::new(), HashMap::new());
    let mut life = Life {
        store,
        dice,
        now: 1000,
        next: 0,
        kid,
        user,
        name,
        devices,
        gone,
        grants,
        facts,
        replaced: HashMap::new(),
    };
    for _ in 0..STEPS {
        life.step().await;
    }
}

over_each_engine! {
    #[tokio::test]
    async fn lives_of_accounts_never_use_more_than_was_granted_nor_are_refused_what_is_left(world: World) {
        let store = &world.store;
        let scope = Some(OFFERS_ONLY.to_owned());
        let content = NewContent { kid: Kid::new([3; 16]), sealed_key: vec![1], title: None, policy: None, scope };
        store.add_content(vec![content], vec![], 10).await.unwrap();
        let terms = r#"{"actions":{"Play":{"count":10}}}"#.to_owned();
        store.set_policy("ten".to_owned(), terms, None, 10).await.unwrap();
        let (name, policy, kids) = ("ten".to_owned(), Some("ten".to_owned()), vec![Kid::new([3; 16])]);
        let offer = NewOffer { name, policy, open: false, scopes: vec![], kids };
        store.set_offer(offer, 10).await.unwrap();
        for number in 0..LIVES {
            live(store, number).await;
        }
    }
}
