use super::*;
use crate::rules::epochs::{DAY, YEAR};
use crate::rules::returns::{counts_after, give_back};
use crate::rules::revocation::rule;
use crate::rules::rows::{AgainRow, Booked};
use proptest::prelude::*;
use std::collections::BTreeMap;
use wmlicense_testkit::policy::{played, policy};
use wmlicense_wire::policy::Conditions;
use wmlicense_wire::revocation::Entry;

const BOUND: DeviceId = DeviceId::new([1; 16]);
const HOLDER: DeviceId = DeviceId::new([2; 16]);
const NEW: DeviceId = DeviceId::new([3; 16]);

fn seat(device: DeviceId) -> SeatRow {
    let (lid, kid) = (Lid::new([7; 16]), Kid::new([8; 16]));
    SeatRow {
        lid,
        device,
        kid,
        restored: false,
        elsewhere: false,
        since: 0,
        line: None,
        returned_at: None,
        freed: false,
        withdrawn: None,
    }
}

#[test]
fn what_nobody_can_change_is_told_before_what_other_devices_do() {
    let full = vec![seat(BOUND), seat(HOLDER)];
    let again = Some(Again { times: 2, from: 77 });
    let facts = Facts { seats: full, taken_back: true, over: Some(Reason::UsedUp), again };
    let judged = |facts: &Facts, device| facts.judge(BOUND, device, 2).0;
    assert_eq!(judged(&facts, NEW), Err(Out::TakenBack));
    let facts = Facts { taken_back: false, ..facts };
    assert_eq!(judged(&facts, NEW), Err(Out::Over(Reason::UsedUp)));
    let facts = Facts { over: None, ..facts };
    assert_eq!(judged(&facts, NEW), Err(Out::Full));
    assert_eq!(judged(&facts, HOLDER), Err(Out::TooOften(77)));
    let facts = Facts { again: Some(Again { times: 1, from: 77 }), ..facts };
    assert_eq!(judged(&facts, HOLDER), Ok(()));
}

#[test]
fn the_bound_device_counts_and_has_room_though_nothing_is_written_of_it() {
    assert_eq!(room(&[], BOUND, NEW, 1), (Room::Full, 1));
    assert_eq!(room(&[], BOUND, NEW, 2), (Room::Free, 1));
    assert_eq!(room(&[seat(HOLDER)], BOUND, BOUND, 1), (Room::Free, 2));
}

#[test]
fn a_device_that_is_counted_has_room_and_a_freed_one_needs_it() {
    let seats = [seat(BOUND), seat(HOLDER)];
    assert_eq!(room(&seats, BOUND, HOLDER, 2), (Room::Free, 2));
    assert_eq!(room(&seats, BOUND, NEW, 2), (Room::Full, 2));
    let freed = [seat(BOUND), SeatRow { returned_at: Some(5), freed: true, ..seat(HOLDER) }, seat(NEW)];
    assert_eq!(room(&freed, BOUND, HOLDER, 2), (Room::Full, 2));
    assert_eq!(room(&freed, BOUND, HOLDER, 3), (Room::Free, 2));
    // One over the limit of its license's year is given back but counts on.
    let kept = [seat(BOUND), SeatRow { returned_at: Some(5), ..seat(HOLDER) }];
    assert_eq!(room(&kept, BOUND, HOLDER, 2), (Room::Free, 2));
}

#[test]
fn the_backup_of_a_device_that_gave_the_license_back_has_room_for_nobody() {
    let seats = [SeatRow { returned_at: Some(5), freed: true, ..seat(BOUND) }, seat(HOLDER)];
    for device in [BOUND, HOLDER, NEW] {
        assert_eq!(room(&seats, BOUND, device, 9), (Room::Returned, 1));
    }
}

#[test]
fn a_device_that_gave_its_seat_back_and_is_counted_on_needs_no_other() {
    let seats = [seat(BOUND), SeatRow { returned_at: Some(5), ..seat(HOLDER) }, seat(NEW)];
    assert_eq!(room(&seats, BOUND, HOLDER, 3), (Room::Free, 3));
    assert_eq!(room(&seats, BOUND, DeviceId::new([4; 16]), 3), (Room::Full, 3));
    assert_eq!(room(&seats, BOUND, DeviceId::new([4; 16]), 4), (Room::Free, 3));
}

const LID: Lid = Lid::new([7; 16]);
const LINE: Lid = Lid::new([9; 16]);
const KID: Kid = Kid::new([8; 16]);
const NOW: i64 = 50_000;

/// A device that asks, of whom nothing is told, taken back or answered before.
fn asking<'a>(device: DeviceId, told: &'a Told, rules: &'a [Order]) -> Asking<'a> {
    Asking { rules, device, now: NOW, told, answered_at: None }
}

fn nothing_booked() -> Bookings {
    Bookings::new(NOW, [])
}

/// A license of so many uses that may be used as long as one likes.
fn uses(count: u32) -> Policy {
    let play = Conditions { count: Some(count), ..Conditions::default() };
    Policy { lid: LID, kid: KID, ..policy(&[("Play", play)]) }
}

fn left(count: u32) -> State {
    played(Some(count), None)
}

fn kept(seats: Vec<SeatRow>) -> Kept {
    Kept { seats, ..Kept::default() }
}

fn facts_of(
    asking: &Asking<'_>,
    policy: Option<&Policy>,
    kept: &Kept,
    in_file: Option<&State>,
) -> (Facts, Option<State>) {
    let license = Named { lid: LID, kid: Some(KID), policy };
    asking.facts(&license, BOUND, kept, in_file, &nothing_booked())
}

#[test]
fn a_license_starts_from_the_least_that_is_known_of_it() {
    let (told, five) = (Told::new(), uses(5));
    let asking = asking(NEW, &told, &[]);
    let start = |known: Option<State>, in_file: Option<State>| {
        let kept = Kept { state: known, ..Kept::default() };
        facts_of(&asking, Some(&five), &kept, in_file.as_ref()).1
    };
    assert_eq!(start(None, None), Some(left(5)), "nobody used it");
    assert_eq!(start(None, Some(left(3))), Some(left(3)));
    assert_eq!(start(Some(left(2)), None), Some(left(2)));
    assert_eq!(start(Some(left(2)), Some(left(3))), Some(left(2)));
    assert_eq!(start(Some(left(4)), Some(left(3))), Some(left(3)));
    let free = policy(&[("Play", Conditions::default())]);
    assert_eq!(facts_of(&asking, Some(&free), &kept(vec![]), Some(&left(0))).1, None, "nothing of it is counted");
    assert_eq!(facts_of(&asking, None, &kept(vec![]), Some(&left(0))).1, None, "its terms are not known");
}

#[test]
fn what_is_used_up_is_over_and_what_no_terms_are_known_of_is_not() {
    let (told, five) = (Told::new(), uses(5));
    let asking = asking(NEW, &told, &[]);
    let over = |policy, state: u32| facts_of(&asking, policy, &kept(vec![]), Some(&left(state))).0.over;
    assert_eq!(over(Some(&five), 0), Some(Reason::UsedUp));
    assert_eq!(over(Some(&five), 1), None);
    assert_eq!(over(None, 0), None);
    let ended = policy(&[("Play", Conditions { not_after: Some(NOW), ..Conditions::default() })]);
    assert_eq!(over(Some(&ended), 0), Some(Reason::Expired));
}

#[test]
fn getting_it_again_counts_for_a_device_that_had_it_and_does_not_tell_that_it_has() {
    let (nothing, five) = (Told::new(), uses(5));
    let counts = |device, told: &Told, kept: &Kept, policy: &Policy| {
        facts_of(&asking(device, told, &[]), Some(policy), kept, None).0.again.is_some()
    };
    let held = kept(vec![seat(BOUND), SeatRow { line: Some(LINE), ..seat(HOLDER) }]);
    assert!(counts(BOUND, &nothing, &kept(vec![]), &five), "the backup is its own");
    assert!(counts(HOLDER, &nothing, &held, &five));
    assert!(!counts(NEW, &nothing, &held, &five), "it never had it");
    assert!(!counts(HOLDER, &Told::from([LINE]), &held, &five), "it still has it");
    assert!(counts(HOLDER, &Told::from([LID]), &held, &five), "it goes by the line");
    let returned = kept(vec![SeatRow { returned_at: Some(5), ..seat(HOLDER) }]);
    assert!(!counts(HOLDER, &nothing, &returned, &five), "it gave it back");
    let free = policy(&[("Play", Conditions::default())]);
    assert!(!counts(HOLDER, &nothing, &held, &free), "nothing of it is counted");
}

#[test]
fn the_same_request_again_is_not_handed_out_again_where_it_was_granted() {
    let (told, five) = (Told::new(), uses(5));
    let again = |answered_at, seat: SeatRow, booked: Option<Booked>| {
        let asking = Asking { answered_at, ..asking(HOLDER, &told, &[]) };
        let license = Named { lid: LID, kid: Some(KID), policy: Some(&five) };
        let bookings = Bookings::new(NOW, booked);
        asking.facts(&license, BOUND, &kept(vec![seat]), None, &bookings).0.again.is_some()
    };
    let restored = || SeatRow { restored: true, since: 40_000, ..seat(HOLDER) };
    assert!(again(None, restored(), None), "it is the first time");
    assert!(!again(Some(40_000), restored(), None), "the seat came with that answer");
    assert!(again(Some(39_999), restored(), None), "the seat came with another one");
    assert!(again(Some(40_000), SeatRow { restored: false, ..restored() }, None), "the seat came with the license");
    let booked = |lid, at| Some(Booked { line: LID, lid, at });
    assert!(!again(Some(30_000), restored(), booked(LID, 30_000)), "it was booked");
    assert!(again(Some(30_000), restored(), booked(LINE, 30_000)), "another license was booked");
    assert!(again(Some(30_000), restored(), booked(LID, 30_001)), "it was booked for another request");
}

#[test]
fn what_is_taken_back_from_the_device_or_from_the_one_that_made_the_backup_stays_out() {
    let (told, five) = (Told::new(), uses(5));
    let by_id = |device| Order { entry: Entry::License(LID), device };
    let by_rule = |kid: Option<Kid>, device| Order { entry: rule(None, kid, None), device };
    let taken_back = |rules: &[Order], orders: &[Order], policy| {
        let kept = Kept { orders: orders.to_vec(), ..Kept::default() };
        facts_of(&asking(NEW, &told, rules), policy, &kept, None).0.taken_back
    };
    for policy in [Some(&five), None] {
        assert!(!taken_back(&[], &[], policy));
        for device in [None, Some(NEW), Some(BOUND)] {
            assert!(taken_back(&[], &[by_id(device)], policy), "{device:?}");
            assert!(
                taken_back(&[by_rule(Some(KID), Some(HOLDER)), by_rule(Some(KID), device)], &[], policy),
                "{device:?}"
            );
        }
        assert!(
            !taken_back(&[by_rule(Some(KID), Some(HOLDER))], &[by_id(Some(HOLDER))], policy),
            "from another device"
        );
        assert!(!taken_back(&[by_rule(Some(Kid::new([4; 16])), None)], &[], policy), "other content");
    }
}

fn wish(limit: u32) -> Claim {
    Claim { lid: LID, kid: KID, issued_here: true, bound: BOUND, limit, state: None, policy: uses(5), joins: None }
}

fn taken(asking: &Asking<'_>, claim: &Claim, kept: &Kept) -> (Seat, Taken) {
    let (mut bookings, mut taken) = (nothing_booked(), Taken::default());
    (asking.take(claim, kept, &mut bookings, &mut taken), taken)
}

#[test]
fn a_claim_seats_the_device_and_the_one_that_the_backup_names() {
    let told = Told::new();
    let (given, changes) = taken(&asking(NEW, &told, &[]), &wish(2), &kept(vec![]));
    assert_eq!(given, Ok(Some(left(5))));
    let own = SeatRow { restored: true, since: NOW, ..seat(NEW) };
    assert_eq!(changes.new, [SeatRow { since: NOW, ..seat(BOUND) }, own]);
    assert_eq!((changes.changed, changes.states), (vec![], vec![(LID, left(5))]));
    let elsewhere = Claim { issued_here: false, ..wish(2) };
    let (_, changes) = taken(&asking(NEW, &told, &[]), &elsewhere, &kept(vec![]));
    assert!(changes.new.iter().all(|seat| seat.elsewhere));
    let (given, changes) = taken(&asking(BOUND, &told, &[]), &wish(1), &kept(vec![seat(BOUND)]));
    assert_eq!((given, changes.new, changes.changed), (Ok(Some(left(5))), vec![], vec![]), "it has its seat");
}

#[test]
fn who_finds_no_room_seats_only_whom_the_backup_names_and_changes_nothing_of_what_is_left() {
    let told = Told::new();
    let in_file = Claim { state: Some(left(1)), ..wish(1) };
    let (given, changes) = taken(&asking(NEW, &told, &[]), &in_file, &kept(vec![]));
    assert_eq!(given, Err(Out::Full));
    assert_eq!((changes.new, changes.states), (vec![SeatRow { since: NOW, ..seat(BOUND) }], vec![]));
    let used_up = Claim { state: Some(left(0)), ..wish(9) };
    let (given, changes) = taken(&asking(NEW, &told, &[]), &used_up, &kept(vec![]));
    assert_eq!((given, changes.states), (Err(Out::Over(Reason::UsedUp)), vec![(LID, left(0))]), "that is known now");
}

#[test]
fn what_was_taken_back_or_given_back_seats_nobody_and_tells_nothing() {
    let told = Told::new();
    let orders = [Order { entry: Entry::License(LID), device: None }];
    let (given, changes) = taken(&asking(NEW, &told, &orders), &wish(9), &kept(vec![]));
    assert_eq!((given, changes.new, changes.states), (Err(Out::TakenBack), vec![], vec![]));
    let returned = kept(vec![SeatRow { returned_at: Some(5), ..seat(BOUND) }]);
    let (given, changes) = taken(&asking(NEW, &told, &[]), &wish(9), &returned);
    assert_eq!((given, changes.new, changes.states), (Err(Out::Returned), vec![], vec![]));
}

#[test]
fn what_came_in_another_devices_backup_again_takes_the_seat_that_was_given_back() {
    let told = Told::new();
    let before = SeatRow { returned_at: Some(5), withdrawn: Some(6), freed: true, line: Some(LINE), ..seat(NEW) };
    let kept = kept(vec![seat(BOUND), before.clone()]);
    let (given, changes) = taken(&asking(NEW, &told, &[]), &wish(2), &kept);
    assert_eq!((given, changes.new), (Ok(Some(left(5))), vec![]));
    let own = SeatRow { returned_at: None, withdrawn: None, freed: false, restored: true, since: NOW, ..before };
    assert_eq!(changes.changed, [own]);
}

#[test]
fn what_is_handed_out_again_is_booked_and_the_third_time_stays_out() {
    let told = Told::new();
    let kept = kept(vec![SeatRow { line: Some(LINE), ..seat(BOUND) }]);
    let mut bookings = Bookings::new(NOW, [Booked { line: LINE, lid: LINE, at: NOW - 10 }]);
    let asking = asking(BOUND, &told, &[]);
    let take = |bookings: &mut Bookings| asking.take(&wish(9), &kept, bookings, &mut Taken::default());
    assert_eq!(take(&mut bookings), Ok(Some(left(5))));
    assert_eq!(take(&mut bookings), Err(Out::TooOften(NOW - 10 + YEAR)));
    let rows = bookings.into_rows();
    assert_eq!(rows, [AgainRow { line: LINE, lid: LID, granted_at: NOW, state: left(5) }]);
    let mut fresh = nothing_booked();
    let free = Claim { policy: policy(&[("Play", Conditions::default())]), ..wish(9) };
    assert_eq!(asking.take(&free, &kept, &mut fresh, &mut Taken::default()), Ok(None));
    assert_eq!(fresh.into_rows(), [], "nothing of it is counted");
}

#[test]
fn a_license_was_issued_here_or_elsewhere_as_its_seats_say() {
    assert_eq!(kept(vec![]).origin(), None);
    assert_eq!(kept(vec![seat(BOUND)]).origin(), Some((KID, true)));
    assert_eq!(kept(vec![SeatRow { elsewhere: true, ..seat(BOUND) }]).origin(), Some((KID, false)));
    let all = kept(vec![SeatRow { line: Some(LINE), ..seat(BOUND) }, seat(HOLDER)]);
    assert_eq!([BOUND, HOLDER, NEW].map(|device| all.line(device, LID)), [LINE, LID, LID]);
}

#[test]
fn who_stays_out_is_told_why_and_from_when_on_time_alone_helps() {
    assert_eq!(Out::TakenBack.told(), (Reason::Revoked, None));
    assert_eq!(Out::Returned.told(), (Reason::Returned, None));
    assert_eq!(Out::Over(Reason::Expired).told(), (Reason::Expired, None));
    assert_eq!(Out::Full.told(), (Reason::LimitReached, None));
    assert_eq!(Out::TooOften(77).told(), (Reason::GrantedTooOften, Some(77)));
}

proptest! {
    /// Whatever devices of one license do in whatever order: those that are counted are never more than allowed, and no more
    /// seats are freed within a year than two.
    #[test]
    fn devices_that_come_and_go_are_never_more_than_allowed(
        limit in 1_u32..5,
        steps in prop::collection::vec((1_u8..8, any::<bool>(), 0_i64..200 * DAY), 1..60),
    ) {
        let (told, mut now) = (Told::new(), NOW);
        let mut rows: BTreeMap<DeviceId, SeatRow> = BTreeMap::from([(BOUND, seat(BOUND))]);
        let mut freed: Vec<i64> = Vec::new();
        for (number, comes, pause) in steps {
            now += pause;
            // The device of the backup keeps its own, or nobody else could have it.
            let device = DeviceId::new([number; 16]);
            let kept = kept(rows.values().cloned().collect());
            let counted = |rows: &BTreeMap<DeviceId, SeatRow>| rows.values().filter(|seat| !seat.freed).count();
            if comes {
                let asking = Asking { rules: &[], device, now, told: &told, answered_at: None };
                let had_place = rows.get(&device).is_some_and(|seat| !seat.freed);
                let free = Claim { policy: policy(&[("Play", Conditions::default())]), ..wish(limit) };
                let before = counted(&rows);
                let (given, changes) = taken(&asking, &free, &kept);
                prop_assert_eq!(given.is_ok(), had_place || before < limit as usize);
                rows.extend(changes.new.into_iter().chain(changes.changed).map(|seat| (seat.device, seat)));
            } else if device != BOUND && let Some(own) = rows.get(&device).cloned() {
                let lately = freed.iter().filter(|at| **at > counts_after(now)).count() as u64;
                if let Some(returned) = give_back(own, lately, None, &State::default(), now) {
                    freed.extend(returned.seat.freed.then_some(now));
                    rows.insert(device, returned.seat);
                }
            }
            prop_assert!(counted(&rows) <= limit as usize);
            prop_assert!(freed.iter().filter(|at| **at > now - YEAR).count() <= 2);
        }
    }
}
