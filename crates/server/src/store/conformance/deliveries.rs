//! Licenses that were delivered many at once: they are what rows would say, until something happens to one of them.

mod over;

use super::super::restores::Asker;
use super::*;
use crate::accounts::NewAccount;
use crate::rules::delivered::{DeliveryId, DeliveryRow, NewDelivery, PageRow, lid_at};
use crate::rules::revocation::{Order, rule};
use crate::rules::seats::Out;
use crate::rules::uses::Told;
use std::collections::BTreeSet;
use wmlicense_wire::id::UserId;
use wmlicense_wire::license::State;
use wmlicense_wire::revocation::Entry;

const USER: UserId = UserId::new([5; 16]);
/// Content of the scope.
const KIDS: u8 = 40;

fn kid(number: u8) -> Kid {
    Kid::new([number; 16])
}

fn kids() -> impl Iterator<Item = Kid> {
    (1..=KIDS).map(kid)
}

fn content(number: u8, scope: &str) -> NewContent {
    let title = Some(format!("Title {number}"));
    NewContent { kid: kid(number), sealed_key: vec![number], title, policy: None, scope: Some(scope.to_owned()) }
}

/// A catalogue of one scope, and an account that has it.
async fn catalogue(store: &Store) {
    let contents = (1..=KIDS).map(|number| content(number, "gold")).collect();
    store.add_content(contents, vec![], 100).await.unwrap();
    let account = NewAccount { user: USER, scopes: vec!["gold".to_owned()] };
    assert!(store.add_account("tom".to_owned(), account, Digest::new([8; 32]), 200).await.unwrap());
}

fn of_account(number: u8, now: i64) -> Exchange {
    Exchange { account: Some(USER), ..exchange(number, now) }
}

fn id(number: u8) -> DeliveryId {
    DeliveryId::new([number; 12])
}

/// The license of a key ID in the delivery of a number.
fn lid_of(delivery: u8, number: u8) -> Lid {
    lid_at(id(delivery), u32::from(number) - 1)
}

fn terms(lid: Lid, kid: Kid) -> Policy {
    let title = Some(format!("Title {}", kid.as_bytes()[0]));
    Policy { lid, kid, user: Some(USER), title, ..policy(0, None) }
}

/// All of the scope, to a device.
fn delivery(number: u8, device: DeviceId, mark: i64) -> NewDelivery {
    let license = |(place, kid): (usize, Kid)| {
        let terms = terms(lid_at(id(number), place as u32), kid);
        let neutral = Policy {
            lid: Lid::new([0; 16]),
            kid: Kid::new([0; 16]),
            title: None,
            user: None,
            first_issued: 0,
            ..terms.clone()
        };
        let issued = Issued::new(terms.lid, Digest::of(&neutral.encode()), terms.encode());
        (terms, NewLicense { kid, user: Some(USER), issued, replaces: None, line: None, state: None })
    };
    let page = PageRow::of(&kids().enumerate().map(license).collect::<Vec<_>>());
    let (count, scope) = (u32::from(KIDS), "gold".to_owned());
    let row = DeliveryRow {
        id: id(number),
        device,
        user: Some(USER),
        scope,
        issued_at: 1000,
        mark,
        page: page.hash,
        kids: (kid(1), kid(KIDS)),
        count,
        live: count,
        gone: Vec::new(),
        withdrawn: None,
    };
    NewDelivery { row, page }
}

async fn mark(store: &Store) -> i64 {
    store.read((), |(), rows| rows.mark(rows::For::Reading)).await.unwrap()
}

async fn deliver_to(store: &Store, number: u8, device: DeviceId, before: u64) -> Committed {
    let delivered = vec![delivery(number, device, mark(store).await)];
    let issue = Issue { delivered, deliveries: before, made_again: true, ..Issue::default() };
    store.issue(of_account(number, 1000), device, issue, vec![]).await.unwrap()
}

/// A catalogue, all of it delivered to the first device.
async fn delivered(world: &World) {
    catalogue(&world.store).await;
    let told = deliver_to(&world.store, 50, OWN, 0).await;
    // After a commit of which nobody was told, the next run finds the delivery and has it decided again.
    assert!(matches!(told, Committed::Done | Committed::Changed), "{told:?}");
}

async fn run(store: &Store, since: Option<i64>, from: Position) -> DeliveryPage {
    let query = DeliveryQuery { scope: None, since, from };
    store.delivery(of_account(100, 5000), OWN, query).await.unwrap()
}

fn first() -> Position {
    Position::Withdrawn(Vec::new())
}

fn withdrawn(page: &DeliveryPage) -> BTreeSet<Lid> {
    page.withdrawn.iter().map(|withdrawn| withdrawn.lid).collect()
}

/// The licenses that the device has by a run over everything.
async fn held(store: &Store) -> Vec<(Kid, Issued)> {
    let page = run(store, None, first()).await;
    page.items.into_iter().filter_map(|(_, kid, offered)| Some((kid, offered.current?))).collect()
}

async fn claim(store: &Store, number: u8, bound: DeviceId, of: u8, limit: u32) -> Seat {
    let lid = lid_of(50, of);
    let policy = terms(lid, kid(of));
    let claim = Claim { lid, kid: kid(of), issued_here: true, bound, limit, state: None, policy, joins: None };
    let claimed = store.claim(exchange(number, 2000), device(number), vec![claim], Told::new()).await.unwrap();
    let Claimed::Seats(mut seats, _) = claimed else { panic!("the claim is not counted") };
    seats.remove(0)
}

async fn licenses_in_rows(store: &Store) -> usize {
    store.read((), |(), rows| rows.any_licenses(None, 1000)).await.unwrap().len()
}

async fn seats_in_rows(store: &Store, of: u8) -> Vec<(DeviceId, bool)> {
    let seats = store.read(lid_of(50, of), |lid, rows| rows.seats(std::slice::from_ref(lid), rows::For::Reading));
    seats.await.unwrap().into_iter().map(|seat| (seat.device, seat.restored)).collect()
}

async fn counted(store: &Store) -> u64 {
    let counts = store.stats().await.unwrap();
    counts.into_iter().find(|(what, _)| *what == "licenses").unwrap().1
}

fn order(entry: Entry, device: Option<DeviceId>) -> Order {
    Order { entry, device }
}

over_each_engine! {
    #[tokio::test]
    async fn what_was_delivered_is_what_its_rows_would_say(world: World) {
        let store = &world.store;
        delivered(&world).await;
        assert_eq!(licenses_in_rows(store).await, 0);
        let held = held(store).await;
        assert_eq!(held.len(), usize::from(KIDS));
        for (number, (of, issued)) in (1..=KIDS).zip(&held) {
            assert_eq!((*of, issued.lid, issued.withdrawn), (kid(number), lid_of(50, number), false));
            assert_eq!(issued.policy, terms(issued.lid, *of).encode(), "the same bytes");
        }
        let backwards: Vec<Kid> = kids().collect::<Vec<_>>().into_iter().rev().collect();
        let offer = store.offer(of_account(2, 2000), OWN, Some(USER), backwards).await.unwrap();
        let lid = |number: usize| offer.items[number].as_ref().unwrap().current.as_ref().unwrap().lid;
        assert_eq!((lid(0), lid(39)), (lid_of(50, KIDS), lid_of(50, 1)));
        let offer = store.offer(of_account(2, 2000), OWN, Some(USER), vec![kid(7), kid(99)]).await.unwrap();
        assert_eq!(offer.items[0].as_ref().unwrap().current.as_ref().unwrap().lid, lid_of(50, 7));
        let nobody = store.offer(exchange(3, 2000), OWN, None, vec![kid(7)]).await.unwrap();
        assert!(nobody.items[0].as_ref().unwrap().current.is_none(), "it is the account's");
        let other = store.offer(of_account(4, 2000), device(9), Some(USER), vec![kid(7)]).await.unwrap();
        assert!(other.items[0].as_ref().unwrap().current.is_none(), "it is the device's");
        let known = store.held(exchange(5, 2000), OWN, vec![lid_of(50, 1), lid_of(50, 41), lid_of(51, 1)]).await.unwrap();
        assert_eq!(known.known, [true, false, false]);
        assert!(!store.held(exchange(6, 2000), device(9), vec![lid_of(50, 1)]).await.unwrap().known[0]);
    }

    #[tokio::test]
    async fn another_title_changes_nothing_of_what_was_delivered(world: World) {
        let store = &world.store;
        delivered(&world).await;
        let before = mark(store).await;
        let renamed = NewContent { title: Some("Another".to_owned()), ..content(7, "gold") };
        store.add_content(vec![renamed], vec![kid(7)], 300).await.unwrap();
        let page = run(store, Some(before), first()).await;
        assert_eq!((page.items.len(), page.withdrawn.len()), (1, 0));
        let current = page.items[0].2.current.as_ref().unwrap();
        assert_eq!(current.policy, terms(lid_of(50, 7), kid(7)).encode());
    }

    #[tokio::test]
    async fn of_two_deliveries_at_once_one_is_written(world: World) {
        let store = &world.store;
        catalogue(store).await;
        let told = tokio::join!(deliver_to(store, 50, OWN, 0), deliver_to(&world.other, 51, OWN, 0));
        let done = [&told.0, &told.1].into_iter().filter(|told| **told == Committed::Done).count();
        assert!(done <= 1, "{told:?}");
        assert_eq!((counted(store).await, held(store).await.len()), (u64::from(KIDS), usize::from(KIDS)));
        // Nor is one written beside a license that came by its key ID meanwhile, or the other way round.
        let mine = || NewLicense { kid: kid(7), user: Some(USER), ..license(9, None) };
        let late = Issue { licenses: vec![mine()], ..Issue::default() };
        let told = store.issue(of_account(9, 1000), OWN, late, vec![9]).await.unwrap();
        assert_eq!(told, Committed::Changed);
        let by_kid = Issue { licenses: vec![mine()], ..Issue::default() };
        written(store.issue(of_account(10, 1000), device(9), by_kid, vec![10]).await.unwrap(), &[10]);
        assert_eq!(deliver_to(store, 52, device(9), 0).await, Committed::Changed);
    }

    #[tokio::test]
    async fn of_devices_that_want_the_last_seat_of_a_delivered_license_one_gets_it(world: World) {
        let store = &world.store;
        delivered(&world).await;
        let preview = async |number| {
            let asker = Asker { device: device(number), bound: OWN, user: Some(USER), now: 2000 };
            let holding = store.holdings(vec![lid_of(50, 7)], asker, Told::new()).await.unwrap().remove(0);
            assert!(holding.issued_here && holding.content.is_some());
            holding.facts.judge(OWN, device(number), 2)
        };
        assert_eq!(preview(10).await, (Ok(()), 1), "its first device is counted");
        let (first, second, third) = tokio::join!(
            claim(store, 10, OWN, 7, 2),
            claim(&world.other, 11, OWN, 7, 2),
            claim(store, 12, OWN, 7, 2),
        );
        let seats = [first, second, third];
        assert_eq!(seats.iter().filter(|seat| **seat == Ok(None)).count(), 1);
        assert_eq!(seats.iter().filter(|seat| **seat == Err(Out::Full)).count(), 2);
        let rows = seats_in_rows(store, 7).await;
        assert_eq!((rows.len(), rows[0], rows[1].1), (2, (OWN, false), true));
        assert_eq!((licenses_in_rows(store).await, counted(store).await), (1, u64::from(KIDS)));
        // The license is the one that it was, and says whose it is.
        let current = held(store).await.remove(6).1;
        assert_eq!((current.lid, current.policy), (lid_of(50, 7), terms(lid_of(50, 7), kid(7)).encode()));
        let restores = store.all::<RestoreEntry>().await.unwrap();
        assert_eq!((restores[0].devices, restores[0].account.as_deref()), (2, Some("tom")));
        // Refused, it gets no rows.
        assert_eq!(claim(store, 13, OWN, 8, 1).await, Err(Out::Full));
        assert_eq!(licenses_in_rows(store).await, 1);
        // A backup that binds it to another device takes that one's seat as well.
        assert_eq!(claim(store, 14, device(20), 9, 2).await, Err(Out::Full));
        assert_eq!(claim(store, 15, device(20), 9, 4).await, Ok(None));
        assert_eq!(seats_in_rows(store, 9).await.len(), 3);
    }

    #[tokio::test]
    async fn different_licenses_of_a_delivery_that_are_wanted_at_once_all_get_their_rows(world: World) {
        let store = &world.store;
        delivered(&world).await;
        let told = tokio::join!(
            claim(store, 10, OWN, 1, 2), claim(&world.other, 11, OWN, 2, 2), claim(store, 12, OWN, 3, 2),
        );
        assert_eq!([told.0, told.1, told.2], [const { Ok(None) }; 3]);
        assert_eq!((licenses_in_rows(store).await, counted(store).await), (3, u64::from(KIDS)), "no bit is lost");
        assert_eq!(held(store).await.len(), usize::from(KIDS));
    }

    #[tokio::test]
    async fn what_is_given_back_of_a_delivery_is_free_and_another_one_comes_in_its_place(world: World) {
        let store = &world.store;
        delivered(&world).await;
        let back = |number: u8, of: DeviceId| {
            let licenses = vec![(lid_of(50, 7), State::default()), (lid_of(50, 77), State::default())];
            store.give_back(exchange(number, 2000), of, licenses, vec![number])
        };
        written(back(60, device(9)).await.unwrap(), &[60]);
        assert_eq!(licenses_in_rows(store).await, 0, "it is another device's");
        written(back(61, OWN).await.unwrap(), &[61]);
        assert!(held(store).await[6].1.withdrawn, "as good as dropped");
        assert_eq!(claim(store, 10, OWN, 7, 4).await, Err(Out::Returned));
        assert!(withdrawn(&run(store, None, first()).await).is_empty());
        let listed = store.all::<LicenseEntry>().await.unwrap();
        let entry = listed.iter().find(|entry| entry.lid == lid_of(50, 7)).unwrap();
        assert_eq!((entry.returned_at, entry.devices, listed.len()), (Some(2000), 0, usize::from(KIDS)));
        let again = NewLicense {
            kid: kid(7), user: Some(USER), replaces: Some(lid_of(50, 7)), line: Some(lid_of(50, 7)), ..license(9, None)
        };
        let issue = Issue { deliveries: 1, ..issued(vec![again]) };
        written(store.issue(of_account(62, 3000), OWN, issue, vec![62]).await.unwrap(), &[62]);
        assert_eq!(held(store).await[6].1.lid, lid(9));
    }

    #[tokio::test]
    async fn a_license_on_other_terms_takes_the_place_of_a_delivered_one(world: World) {
        let store = &world.store;
        delivered(&world).await;
        let other = |number: u8, replaces| NewLicense {
            kid: kid(7), user: Some(USER), replaces: Some(replaces), line: Some(replaces), ..license(number, None)
        };
        let issue = |number, replaces| Issue { deliveries: 1, ..issued(vec![other(number, replaces)]) };
        written(store.issue(of_account(60, 3000), OWN, issue(9, lid_of(50, 7)), vec![60]).await.unwrap(), &[60]);
        let late = store.issue(of_account(61, 3000), OWN, issue(10, lid_of(50, 7)), vec![61]).await.unwrap();
        assert_eq!(late, Committed::Changed);
        assert_eq!((held(store).await[6].1.lid, counted(store).await), (lid(9), u64::from(KIDS)));
        let renewal = store.renewable(of_account(62, 3000), OWN, vec![lid_of(50, 7), lid_of(50, 8)]).await.unwrap();
        let current = |item: &Renewable| match item {
            Renewable::Held(held) => held.current.as_ref().map(|current| current.lid),
            _ => None,
        };
        assert_eq!(renewal.items.iter().map(current).collect::<Vec<_>>(), [Some(lid(9)), Some(lid_of(50, 8))]);
        assert_eq!(renewal.deliveries, 1);
        let stranger = Exchange { account: Some(UserId::new([6; 16])), ..exchange(63, 3000) };
        let renewal = store.renewable(stranger, OWN, vec![lid_of(50, 8)]).await.unwrap();
        assert!(matches!(renewal.items[0], Renewable::OtherAccount(of) if of == kid(8)));
    }

    #[tokio::test]
    async fn delivered_licenses_are_listed_counted_and_found_by_each_filter(world: World) {
        let store = &world.store;
        delivered(&world).await;
        deliver_to(store, 51, device(9), 0).await;
        let more = Issue { licenses: vec![license(1, None)], deliveries: 1, ..Issue::default() };
        written(store.issue(exchange(70, 1000), OWN, more, vec![70]).await.unwrap(), &[70]);
        let all = 2 * usize::from(KIDS) + 1;
        assert_eq!(counted(store).await, all as u64);
        let listed = async |filter: Filter, behind, limit| {
            store.listed::<LicenseEntry>(filter, behind, limit).await.unwrap()
        };
        let any = Filter::default;
        let entries = listed(any(), None, 1000).await;
        assert_eq!(entries.len(), all);
        // In pages of every size the same ones in the same order.
        for size in [1, 7, 40, 81] {
            let (mut paged, mut behind) = (Vec::new(), None);
            loop {
                let page = listed(any(), behind, size).await;
                behind = page.last().map(Listed::key);
                paged.extend(page.iter().map(|entry| (entry.lid, entry.device)));
                if page.len() < size {
                    break;
                }
            }
            assert_eq!(paged, entries.iter().map(|entry| (entry.lid, entry.device)).collect::<Vec<_>>(), "{size}");
        }
        let count = async |filter| listed(filter, None, 1000).await.len();
        assert_eq!(count(Filter { device: Some(OWN), ..any() }).await, usize::from(KIDS) + 1);
        assert_eq!(count(Filter { kid: Some(kid(7)), ..any() }).await, 2);
        assert_eq!(count(Filter { account: Some("tom".to_owned()), ..any() }).await, all - 1);
        assert_eq!(count(Filter { account: Some("eve".to_owned()), ..any() }).await, 0);
        assert_eq!(count(Filter { title: Some("title 17".to_owned()), ..any() }).await, 2);
        assert_eq!(count(Filter { since: Some(1001), ..any() }).await, 0);
        assert_eq!(count(Filter { until: Some(1001), ..any() }).await, all);
        let entry = entries.iter().find(|entry| entry.lid == lid_of(50, 7)).unwrap();
        assert_eq!((entry.title.as_deref(), entry.account.as_deref(), entry.devices), (Some("Title 7"), Some("tom"), 1));
        // Content, accounts and devices are found by what was delivered.
        let of_device = || Filter { device: Some(device(9)), ..any() };
        assert_eq!(store.listed::<ContentEntry>(of_device(), None, 1000).await.unwrap().len(), usize::from(KIDS));
        assert_eq!(store.listed::<AccountEntry>(of_device(), None, 10).await.unwrap().len(), 1);
        let certified = CertifiedDevice {
            device_id: device(9), security_version: "1.0.0.0".to_owned(), assurance: 1, certified_at: 900, replaces: None,
            name: None,
        };
        let keys = Exchange { thumbprint: SignerId::new([77; 32]), ..exchange(77, 900) };
        written(store.certify(keys, certified, vec![77]).await.unwrap(), &[77]);
        let by_kid = |number| Filter { kid: Some(kid(number)), ..any() };
        let devices = store.listed::<DeviceEntry>(by_kid(7), None, 10).await.unwrap();
        assert_eq!((devices.len(), devices[0].accounts.as_slice()), (1, ["tom".to_owned()].as_slice()));
        assert!(store.listed::<DeviceEntry>(by_kid(99), None, 10).await.unwrap().is_empty());
        assert_eq!(store.forget_unused(DeviceId::new([0; 16]), 9000, 10).await.unwrap(), (None, 0), "it has something");
        let of_tom = store.read((), |(), rows| rows.devices_of(USER)).await.unwrap();
        assert!(of_tom.contains(&OWN) && of_tom.contains(&device(9)));
    }

    #[tokio::test]
    async fn the_same_catalogue_is_kept_once_for_all_devices(world: World) {
        let store = &world.store;
        delivered(&world).await;
        deliver_to(store, 51, device(9), 0).await;
        let (one, other) = (delivery(50, OWN, 0), delivery(51, device(9), 0));
        assert_eq!((one.page.hash, &one.page.kids, &one.page.about), (other.page.hash, &other.page.kids, &other.page.about));
        let hashes = vec![one.page.hash];
        assert_eq!(store.read(hashes, |hashes, rows| rows.pages(hashes)).await.unwrap().len(), 1);
    }
}

#[test]
fn a_page_that_is_damaged_is_not_read() {
    let PageRow { hash, kids, about } = delivery(50, OWN, 0).page;
    let read = |kids: &[u8], about: &[u8]| {
        crate::rules::pages::keep_page(&PageRow { hash, kids: kids.to_vec(), about: about.to_vec() }).is_some()
    };
    assert!(read(&kids, &about));
    let mut other = kids.clone();
    other[3] ^= 1;
    assert!(!read(&other, &about), "another key ID");
    assert!(!read(&kids[1..], &about) && !read(&kids[16..], &about) && !read(&kids, &about[1..]) && !read(&kids, b""));
}
