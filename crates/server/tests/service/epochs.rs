//! Copies of a device's store: what shows them, what is forgiven, and what stops when it is not.

use crate::clock::{DAY, Moved, with_clock};
use std::sync::atomic::Ordering;
use wmlicense_testkit::daemon::device::{Backup, Device, Known};
use wmlicense_testkit::daemon::{COUNTED, Data, OPEN};
use wmlicense_wire::answer::{Answer, Outcome, Reason};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{Epoch, TransactionId};
use wmlicense_wire::license::State;
use wmlicense_wire::request::{Body, Request};

/// What a copy of a device's store knows: the newest epoch of each service.
#[derive(Clone, Copy, Default)]
struct Copy {
    issuer: Option<Epoch>,
    management: Option<Epoch>,
}

fn filled() -> Data {
    let data = Data::new();
    data.fill();
    data
}

fn pass(clock: &Moved, seconds: i64) {
    clock.0.fetch_add(seconds, Ordering::SeqCst);
}

fn forks(data: &Data) -> u64 {
    data.json(&["device", "list"])[0]["forks"].as_u64().unwrap()
}

fn post(known: &Known, device: &Device, role: Role, name: &str, request: &Request) -> Answer {
    let bytes = device.sign(request);
    let reply = known.post(name, &bytes, None).granted();
    device.verify(known, role, &bytes, request.transaction, &reply).0
}

impl Copy {
    fn request(&self, known: &Known, device: &Device, kids: &[&str]) -> Request {
        Request { epoch: self.issuer, ..device.licenses_request(known, kids) }
    }

    fn acquire(&mut self, known: &Known, device: &Device, kids: &[&str]) -> Answer {
        let answer = post(known, device, Role::Issuer, "licenses", &self.request(known, device, kids));
        self.issuer = answer.epoch.or(self.issuer);
        answer
    }

    fn restore(&mut self, known: &Known, device: &Device, backup: &Backup) -> Answer {
        let request = Request { epoch: self.management, ..device.restore_request(known, backup) };
        let answer = post(known, device, Role::Management, "restores", &request);
        self.management = answer.epoch.or(self.management);
        answer
    }
}

/// A device whose store was copied and then used on for two epochs: the copy, and what it became.
fn copied(known: &Known, clock: &Moved, device: &Device) -> (Copy, Copy) {
    let mut store = Copy::default();
    store.acquire(known, device, &[OPEN]);
    let image = store;
    for _ in 0..2 {
        pass(clock, 3600);
        store.acquire(known, device, &[OPEN]);
    }
    (image, store)
}

fn reasons(answer: &Answer) -> Vec<Reason> {
    answer.refusals.iter().map(|refusal| refusal.reason).collect()
}

#[test]
fn a_store_that_was_copied_back_shows_at_its_next_contact() {
    let data = filled();
    with_clock(&data, |known, clock| {
        let device = Device::individualized(known);
        let (image, store) = copied(known, clock, &device);
        assert_eq!(forks(&data), 0);
        pass(clock, 3600);
        let mut image = image;
        let answer = image.acquire(known, &device, &[OPEN, COUNTED]);
        assert_eq!((answer.outcome, answer.refusals.len()), (Outcome::Done, 0), "the first ones are forgiven");
        assert!(image.issuer.is_some() && image.issuer != store.issuer);
        assert_eq!(forks(&data), 1);
        // It goes on as any store.
        pass(clock, 7200);
        image.acquire(known, &device, &[OPEN]);
        assert_eq!(forks(&data), 1);
    });
}

#[test]
fn after_four_forks_what_counts_and_restores_stop_and_the_rest_goes_on() {
    let data = filled();
    with_clock(&data, |known, clock| {
        let device = Device::individualized(known);
        let (_, held) = device.acquire(known, &[OPEN], None);
        let backup = device.back_up(known, &held, None);
        let (image, _) = copied(known, clock, &device);
        for number in 1..=4 {
            pass(clock, DAY);
            let answer = { image }.acquire(known, &device, &[OPEN]);
            assert_eq!((answer.outcome, forks(&data)), (Outcome::Done, number));
        }
        pass(clock, DAY);
        let answer = { image }.acquire(known, &device, &[COUNTED, OPEN]);
        assert_eq!((answer.outcome.clone(), reasons(&answer)), (Outcome::Done, vec![Reason::DeviceCopied]));
        let answer = Copy::default().restore(known, &device, &backup);
        assert_eq!((answer.outcome.clone(), reasons(&answer)), (Outcome::Refused, vec![Reason::DeviceCopied]));
        let (answer, unlock) = device.preview(known, &backup, Vec::new(), None);
        assert_eq!((reasons(&answer), unlock), (vec![Reason::DeviceCopied], None));
        assert_eq!(forks(&data), 5);
        assert!(data.admin(&["device", "list"]).contains("lastFork"));
    });
}

#[test]
fn a_copied_device_gets_nothing_that_counts_be_it_new_or_its_own_and_all_of_the_rest() {
    let data = filled();
    let (counted, open) = ("c00000000000000000000000000000aa", "c00000000000000000000000000000ab");
    data.open_content(counted, Some("counted"));
    data.open_content(open, None);
    with_clock(&data, |known, clock| {
        let device = Device::individualized(known);
        let (_, held) = device.acquire(known, &[COUNTED], None);
        let (image, _) = copied(known, clock, &device);
        for _ in 1..=4 {
            pass(clock, DAY);
            { image }.acquire(known, &device, &[OPEN]);
        }
        pass(clock, DAY);
        let mut request = image.request(known, &device, &[COUNTED, counted, OPEN, open]);
        let Body::Licenses { usage, .. } = &mut request.body else { panic!("another body") };
        usage.push((held[0].license.policy.lid, State::initial(&held[0].license.policy)));
        let bytes = device.sign(&request);
        let reply = known.post("licenses", &bytes, None).granted();
        let (answer, licenses, _) = device.verify(known, Role::Issuer, &bytes, request.transaction, &reply);
        assert_eq!(reasons(&answer), [Reason::DeviceCopied, Reason::DeviceCopied]);
        let granted: Vec<_> = licenses.iter().map(|license| license.policy.kid.to_hex()).collect();
        assert_eq!(granted, [OPEN, open]);
    });
}

#[test]
fn a_restore_that_is_the_fifth_fork_is_counted_although_it_is_refused() {
    let data = filled();
    with_clock(&data, |known, clock| {
        let device = Device::individualized(known);
        let (_, held) = device.acquire(known, &[OPEN], None);
        let backup = device.back_up(known, &held, None);
        let mut store = Copy::default();
        store.restore(known, &device, &backup);
        let image = store;
        for _ in 0..2 {
            pass(clock, 3600);
            assert_eq!(store.restore(known, &device, &backup).outcome, Outcome::Done);
        }
        for number in 1..=5 {
            pass(clock, DAY);
            let answer = { image }.restore(known, &device, &backup);
            assert_eq!((answer.outcome == Outcome::Done, forks(&data)), (number <= 4, number));
        }
    });
}

#[test]
fn requests_that_come_again_are_not_checked_again() {
    let data = filled();
    data.policy("asked", r#"{"actions":{"Play":{}},"backup":true,"interaction":"page"}"#);
    let asked = "c00000000000000000000000000000aa";
    data.open_content(asked, Some("asked"));
    with_clock(&data, |known, clock| {
        let device = Device::individualized(known);
        let mut store = Copy::default();
        store.acquire(known, &device, &[OPEN]);
        let (answered, waiting) = (store.request(known, &device, &[OPEN]), store.request(known, &device, &[asked]));
        let first = device.sign(&answered);
        let reply = known.post("licenses", &first, None).granted();
        let outcome = post(known, &device, Role::Issuer, "licenses", &waiting).outcome;
        assert!(matches!(outcome, Outcome::Interaction { .. }));
        for _ in 0..3 {
            pass(clock, 3600);
            store.acquire(known, &device, &[OPEN]);
        }
        assert_eq!(known.post("licenses", &first, None).granted(), reply);
        // The page is over by now; it is the same request all the same.
        let answer = post(known, &device, Role::Issuer, "licenses", &waiting);
        assert_eq!(reasons(&answer), [Reason::NotDecided]);
        assert_eq!(answer.epoch, store.issuer, "who is behind is told the current one");
        assert_eq!(forks(&data), 0);
    });
}

#[test]
fn sixteen_requests_at_once_agree_on_one_epoch() {
    let data = filled();
    with_clock(&data, |known, clock| {
        let device = Device::individualized(known);
        let mut store = Copy::default();
        store.acquire(known, &device, &[OPEN]);
        pass(clock, 3600);
        let bytes: Vec<_> = (0..16).map(|_| store.request(known, &device, &[OPEN])).collect();
        let told: Vec<_> = std::thread::scope(|scope| {
            let asked = |request| {
                let device = &device;
                scope.spawn(move || post(known, device, Role::Issuer, "licenses", request).epoch)
            };
            let threads: Vec<_> = bytes.iter().map(asked).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(told[0].is_some() && told.iter().all(|epoch| *epoch == told[0]), "{told:?}");
        assert_eq!(forks(&data), 0);
    });
}

#[test]
fn a_store_that_is_put_back_for_every_request_is_a_fork_after_three_times_a_day() {
    let data = filled();
    with_clock(&data, |known, clock| {
        let device = Device::individualized(known);
        Copy::default().acquire(known, &device, &[OPEN]);
        let expected = [0, 0, 0, 1, 2, 3];
        for forks_then in expected {
            pass(clock, 1200);
            let request = Copy::default().request(known, &device, &[OPEN]);
            post(known, &device, Role::Issuer, "licenses", &request);
            // The same request again is no other one.
            post(known, &device, Role::Issuer, "licenses", &request);
            assert_eq!(forks(&data), forks_then);
        }
    });
}

#[test]
fn each_role_forgives_its_own_forks() {
    let data = filled();
    with_clock(&data, |known, clock| {
        let device = Device::individualized(known);
        let (_, held) = device.acquire(known, &[OPEN], None);
        let backup = device.back_up(known, &held, None);
        let (issuer, _) = copied(known, clock, &device);
        let mut management = Copy::default();
        management.restore(known, &device, &backup);
        let image = management;
        for _ in 0..2 {
            pass(clock, 3600);
            management.restore(known, &device, &backup);
        }
        for number in 1..=4 {
            pass(clock, DAY);
            { issuer }.acquire(known, &device, &[OPEN]);
            assert_eq!(forks(&data), number);
        }
        pass(clock, DAY);
        assert_eq!({ image }.restore(known, &device, &backup).outcome, Outcome::Done);
        assert_eq!(forks(&data), 5);
    });
}

#[test]
fn answers_that_got_lost_are_forgiven_three_times_every_day_however_many_requests_each() {
    let data = filled();
    with_clock(&data, |known, clock| {
        let device = Device::individualized(known);
        Copy::default().acquire(known, &device, &[OPEN]);
        for _ in 0..3 {
            for _ in 0..3 {
                pass(clock, 1200);
                for _ in 0..2 {
                    Copy::default().acquire(known, &device, &[OPEN]);
                }
            }
            assert_eq!(forks(&data), 0);
            pass(clock, DAY);
        }
    });
}

#[test]
fn the_same_request_is_late_once_however_often_it_comes() {
    for role in [Role::Issuer, Role::Management] {
        let data = filled();
        with_clock(&data, |known, clock| {
            let device = Device::individualized(known);
            let (_, held) = device.acquire(known, &[OPEN], None);
            let backup = device.back_up(known, &held, None);
            // An answer to a restore is made again each time, one of the issuer is kept.
            let (name, request) = match role {
                Role::Management => ("restores", device.restore_request(known, &backup)),
                Role::Issuer | Role::Individualization => ("licenses", device.licenses_request(known, &[OPEN])),
            };
            let another = || Request { transaction: TransactionId::random().unwrap(), ..request.clone() };
            post(known, &device, role, name, &another());
            for _ in 0..6 {
                pass(clock, 1200);
                post(known, &device, role, name, &request);
            }
            for _ in 0..2 {
                pass(clock, 1200);
                post(known, &device, role, name, &another());
            }
            assert_eq!(forks(&data), 0);
            pass(clock, 1200);
            post(known, &device, role, name, &another());
            assert_eq!(forks(&data), 1);
        });
    }
}
