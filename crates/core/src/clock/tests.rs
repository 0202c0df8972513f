//! What uses, services and boots tell about the time, and what a clock that was moved does to it.

mod bounds;
mod settings;

use super::record::{MARK_INTERVAL, TOLERANCE};
use super::*;
use std::sync::Arc;
use wmlicense_wire::id::ServiceId;

const DAY: i64 = 86_400;
const START: i64 = 1_800_000_000;
const ONE: ServiceId = ServiceId::new([1; 16]);
const OTHER: ServiceId = ServiceId::new([2; 16]);

fn record() -> ClockRecord {
    ClockRecord { mark: START, ..ClockRecord::default() }
}

/// A moment of a system that does not tell how long it runs.
fn wall(wall: i64) -> Moment {
    Moment { wall, since_boot: None }
}

fn boot(number: u8, seconds: i64) -> Option<SinceBoot> {
    Some(SinceBoot { boot: [number; 16], seconds })
}

fn moment(wall: i64, number: u8, seconds: i64) -> Moment {
    Moment { wall, since_boot: boot(number, seconds) }
}

/// The wall clock agrees with the service.
fn anchored(
    record: &mut ClockRecord,
    service: ServiceId,
    issued_at: i64,
    asked: Option<SinceBoot>,
    came: Option<SinceBoot>,
) -> bool {
    record.note_anchor(service, issued_at, asked, Moment { wall: issued_at, since_boot: came })
}

fn behind(record: &ClockRecord, at: i64, services: &[ServiceId]) -> Option<i64> {
    record.read(wall(at), services.iter().copied()).behind
}

#[test]
fn a_clock_is_behind_only_beyond_the_tolerance() {
    assert!(behind(&record(), START - TOLERANCE, &[]).is_none());
    assert_eq!(behind(&record(), START - TOLERANCE - 1, &[]), Some(START));
}

#[test]
fn a_service_holds_up_only_its_own_licenses() {
    let mut record = record();
    record.note_contact(ONE, START + DAY, START + DAY);
    record.note_contact(ONE, START, START);
    assert_eq!(behind(&record, START, &[ONE]), Some(START + DAY));
    assert!(behind(&record, START, &[OTHER]).is_none());
}

#[test]
fn the_mark_rises_with_use_but_not_more_often_than_each_minute() {
    let mut record = record();
    assert!(!record.note_use(wall(START + MARK_INTERVAL - 1)));
    assert!(record.note_use(wall(START + MARK_INTERVAL)));
    assert_eq!(record.mark, START + MARK_INTERVAL);
    assert!(!record.note_use(wall(START - DAY)));
    assert_eq!(record.mark, START + MARK_INTERVAL);
}

#[test]
fn a_long_jump_counts_only_when_a_service_confirms_it() {
    let mut record = record();
    let ahead = START + 400 * DAY;
    assert_eq!(record.verdict(wall(ahead)), ClockVerdict::Ahead);
    assert!(record.note_use(wall(ahead)));
    assert!(!record.note_use(wall(ahead + 1)));
    assert!(behind(&record, START + DAY, &[]).is_none(), "set right again, nothing is lost");
    record.note_contact(ONE, START + DAY, START + DAY);
    assert_eq!(record.mark, START);
    record.note_contact(ONE, ahead, ahead);
    assert_eq!((record.mark, record.provisional), (ahead + 1, None));
}

#[test]
fn a_clock_that_jumped_ahead_cannot_live_the_same_days_twice() {
    let mut record = record();
    let ahead = START + 400 * DAY;
    record.note_use(wall(ahead + DAY));
    assert_eq!(behind(&record, ahead, &[]), Some(ahead + DAY));
    assert_eq!(record.verdict(wall(ahead)), ClockVerdict::Behind);
    assert!(behind(&record, ahead + DAY, &[]).is_none());
}

#[test]
fn an_anchor_tells_the_time_whatever_the_wall_clock_says() {
    let mut record = record();
    assert_eq!(record.verdict(moment(START - DAY, 1, 5)), ClockVerdict::Behind);
    assert!(anchored(&mut record, ONE, START + DAY, boot(1, 100), boot(1, 110)));
    for moved in [0, START - DAY, START + DAY, START + 4000 * DAY] {
        let at = moment(moved, 1, 110 + 3600);
        for service in [ONE, OTHER] {
            assert_eq!(record.read(at, [service]), Reading { now: START + DAY + 3600, behind: None });
        }
        assert_eq!(record.verdict(at), ClockVerdict::Good);
    }
}

#[test]
fn an_anchor_ends_with_the_run_of_the_system_and_leaves_the_mark() {
    let mut record = record();
    anchored(&mut record, ONE, START + DAY, boot(1, 100), boot(1, 110));
    assert_eq!((record.mark, record.floors.get(&ONE)), (START + DAY, Some(&(START + DAY))));
    assert_eq!(record.read(moment(START, 2, 110), [OTHER]).behind, Some(START + DAY));
    assert_eq!(record.verdict(moment(START, 2, 110)), ClockVerdict::Behind);
    assert_eq!(record.verdict(moment(START + DAY, 2, 110)), ClockVerdict::Unknown);
    assert!(anchored(&mut record, OTHER, START + 2 * DAY, boot(2, 5), boot(2, 6)));
    assert_eq!(record.anchors.as_ref().map(|anchors| anchors.started.len()), Some(1));
}

#[test]
fn an_answer_that_took_long_or_crossed_a_boot_is_no_anchor() {
    for (asked, came) in [
        (boot(1, 100), boot(1, 161)),
        (boot(1, 100), boot(1, 99)),
        (boot(1, 100), boot(2, 100)),
        (None, boot(1, 100)),
        (boot(1, 100), None),
    ] {
        let mut record = record();
        assert!(!anchored(&mut record, ONE, START + DAY, asked, came));
        assert_eq!(record, self::record());
    }
    assert!(anchored(&mut record(), ONE, START + DAY, boot(1, 100), boot(1, 160)));
}

#[test]
fn an_anchor_takes_a_mark_back_that_a_wrong_clock_left() {
    let mut record = record();
    record.note_use(wall(START + 20 * DAY));
    assert_eq!(behind(&record, START, &[]), Some(START + 20 * DAY));
    anchored(&mut record, ONE, START + 60, boot(1, 100), boot(1, 101));
    assert_eq!(record.mark, START + 60);
    assert_eq!(record.verdict(moment(START + 120, 2, 9)), ClockVerdict::Unknown);
}

#[test]
fn under_an_anchor_a_wrong_wall_clock_leaves_no_mark() {
    let mut record = record();
    anchored(&mut record, ONE, START, boot(1, 100), boot(1, 100));
    assert!(!record.note_use(moment(START + 20 * DAY, 1, 100)));
    assert!(record.note_use(moment(START + 20 * DAY, 1, 200)));
    assert_eq!(record.mark, START + 100);
}

#[test]
fn a_license_believes_its_own_service_before_others() {
    let mut record = record();
    anchored(&mut record, OTHER, START + 100 * DAY, boot(1, 100), boot(1, 100));
    assert_eq!(record.read(moment(START, 1, 100), [ONE]).now, START + 100 * DAY);
    anchored(&mut record, ONE, START + DAY, boot(1, 100), boot(1, 100));
    assert_eq!(record.read(moment(START, 1, 100), [ONE]).now, START + DAY);
}

#[test]
fn another_service_cannot_date_a_license_back() {
    let mut record = record();
    record.note_contact(ONE, START + 5 * DAY, START + 5 * DAY);
    anchored(&mut record, OTHER, START - 90 * DAY, boot(1, 100), boot(1, 100));
    assert_eq!(record.read(moment(START, 1, 100), [ONE]).behind, Some(START + 5 * DAY));
    assert!(record.read(moment(START, 1, 100), [OTHER]).behind.is_none());
}

#[test]
fn a_date_over_a_day_ahead_of_an_anchor_cannot_be() {
    let mut record = record();
    assert!(!record.is_too_far_ahead(START + 900 * DAY, moment(START, 1, 0)), "without an anchor nobody knows");
    anchored(&mut record, ONE, START, boot(1, 0), boot(1, 0));
    assert!(!record.is_too_far_ahead(START + DAY, moment(0, 1, 0)));
    assert!(record.is_too_far_ahead(START + DAY + 1, moment(0, 1, 0)));
    assert!(!record.is_too_far_ahead(START + DAY + 1, moment(0, 2, 0)));
}

#[test]
fn an_anchor_that_says_the_same_is_written_at_most_once_a_minute() {
    let mut record = record();
    assert!(anchored(&mut record, ONE, START, boot(1, 100), boot(1, 100)));
    assert!(!anchored(&mut record, ONE, START + 59, boot(1, 170), boot(1, 170)));
    assert!(anchored(&mut record, ONE, START + 60, boot(1, 170), boot(1, 170)));
    assert_eq!(record.read(moment(START, 2, 0), [ONE]).behind, None);
    assert!(anchored(&mut record, ONE, START + 1000, boot(1, 1100), boot(1, 1100)));
    assert_eq!(record.read(moment(START, 2, 0), [ONE]).behind, Some(START + 1000), "it outlives the run of the system");
}

#[test]
fn anchored_time_that_went_back_is_worth_nothing() {
    let mut record = record();
    anchored(&mut record, ONE, START, boot(1, 1000), boot(1, 1000));
    assert!(record.note_use(moment(START, 1, 5000)));
    assert_eq!(record.longest, boot(1, 5000));
    // Smaller than the longest by one second: the wall clock counts, and is held against mark and floors.
    let shifted = moment(START + 100 * DAY, 1, 4999);
    assert_eq!(record.read(shifted, [ONE]), Reading { now: START + 100 * DAY, behind: None });
    assert_eq!(record.read(moment(START, 1, 4999), [ONE]).behind, Some(START + 4000));
    assert_eq!(record.verdict(moment(START, 1, 4999)), ClockVerdict::Behind);
    let before = record.clone();
    assert!(!record.note_anchor(ONE, START + 4000, boot(1, 4998), moment(START + 4000, 1, 4999)), "nor for an anchor");
    assert_eq!(record, before);
    // The machine's own time goes on, and so does another run of it.
    assert_eq!(record.read(moment(0, 1, 5000), [ONE]), Reading { now: START + 4000, behind: None });
    anchored(&mut record, ONE, START + 5000, boot(2, 10), boot(2, 10));
    assert_eq!(record.verdict(moment(0, 2, 10)), ClockVerdict::Good);
}

#[test]
fn how_long_the_system_runs_is_noted_beside_anchors_only_and_once_a_minute() {
    let mut record = record();
    assert!(!record.note_use(moment(START, 1, 9000)));
    assert_eq!(record.longest, None);
    anchored(&mut record, ONE, START, boot(1, 9000), boot(1, 9000));
    assert!(!record.note_use(moment(START, 1, 9059)));
    // The mark is ahead by then; the time since the start is written by itself.
    record.mark = START + 200;
    assert!(record.note_use(moment(START, 1, 9060)));
    assert_eq!((record.mark, record.longest), (START + 200, boot(1, 9060)));
}

#[test]
fn an_anchor_is_held_against_the_mark_and_the_floors_of_its_services() {
    let mut record = record();
    anchored(&mut record, ONE, START, boot(1, 100), boot(1, 100));
    let at = moment(0, 1, 100);
    record.mark = START + TOLERANCE;
    assert_eq!((record.read(at, [ONE]).behind, record.verdict(at)), (None, ClockVerdict::Good));
    record.mark = START + TOLERANCE + 1;
    assert_eq!((record.read(at, [ONE]).behind, record.verdict(at)), (Some(record.mark), ClockVerdict::Behind));
    record.mark = START;
    record.note_contact(ONE, START + TOLERANCE + 1, START);
    assert_eq!(record.read(at, [ONE]).behind, Some(START + TOLERANCE + 1));
    assert_eq!(record.read(at, [OTHER]).behind, None, "another's floor is nothing to it");
    assert_eq!(record.verdict(at), ClockVerdict::Behind);
    // The next anchor takes mark and floor back, though it says the same as the one before.
    record.mark = START + DAY;
    assert!(anchored(&mut record, ONE, START + 30, boot(1, 130), boot(1, 130)));
    assert_eq!(record.verdict(moment(0, 1, 130)), ClockVerdict::Good);
    assert_eq!(record.mark, START + 30);
}

#[test]
fn two_services_whose_clocks_differ_are_no_clock_that_went_back() {
    let mut record = record();
    anchored(&mut record, OTHER, START + 3600, boot(1, 100), boot(1, 100));
    anchored(&mut record, ONE, START, boot(1, 100), boot(1, 100));
    record.note_use(moment(0, 1, 200));
    assert_eq!(record.mark, START + 3700);
    let at = moment(0, 1, 200);
    assert_eq!(record.read(at, [ONE, OTHER]), Reading { now: START + 100, behind: None });
    assert_eq!(record.verdict(at), ClockVerdict::Good);
}

#[test]
fn a_verdict_looks_at_the_floors_of_all_services() {
    let mut record = record();
    record.note_contact(ONE, START + 5 * DAY, START + 5 * DAY);
    assert_eq!(record.verdict(wall(START + 5 * DAY - TOLERANCE - 1)), ClockVerdict::Behind);
    assert_eq!(record.verdict(wall(START + 5 * DAY - TOLERANCE)), ClockVerdict::Unknown);
    assert_eq!(record.verdict(wall(START + 35 * DAY)), ClockVerdict::Unknown);
    assert_eq!(record.verdict(wall(START + 35 * DAY + 1)), ClockVerdict::Ahead);
}

#[test]
fn under_an_anchor_a_long_jump_is_the_services_word() {
    let mut record = record();
    anchored(&mut record, ONE, START, boot(1, 0), boot(1, 0));
    assert!(record.note_use(moment(0, 1, 40 * DAY)));
    assert_eq!((record.mark, record.provisional), (START + 40 * DAY, None));
}

/// A floor that one answer raised while the wall clock said otherwise.
fn doubted() -> ClockRecord {
    let mut record = record();
    record.note_contact(ONE, START, START);
    record.note_contact(ONE, START + 300 * DAY, START + DAY);
    record
}

#[test]
fn a_fresh_anchor_lowers_a_floor_that_one_visit_raised_against_the_wall_clock() {
    let mut record = doubted();
    assert_eq!(record.read(wall(START + DAY), [ONE]).behind, Some(START + 300 * DAY));
    // The second answer of the same visit is no second witness.
    record.note_contact(ONE, START + 300 * DAY + 5, START + DAY);
    assert!(!record.note_anchor(ONE, START + DAY, boot(1, 100), moment(START + DAY, 1, 161)), "it took too long");
    assert_eq!(record.floors[&ONE], START + 300 * DAY + 5);
    assert!(record.note_anchor(ONE, START + DAY, boot(1, 100), moment(START + DAY, 1, 160)));
    assert_eq!((record.floors[&ONE], record.doubts.len()), (START + DAY, 0));
    assert_eq!(record.verdict(moment(0, 1, 160)), ClockVerdict::Good);
}

#[test]
fn no_anchor_lowers_a_floor_that_was_confirmed() {
    let mut agreed = record();
    agreed.note_contact(ONE, START + DAY, START + DAY - TOLERANCE);
    let mut twice = doubted();
    twice.note_contact(ONE, START + 301 * DAY, START + 2 * DAY);
    for (mut record, floor) in [(agreed, START + DAY), (twice, START + 300 * DAY)] {
        record.note_anchor(ONE, START - DAY, boot(1, 100), moment(0, 1, 100));
        assert_eq!(record.floors[&ONE], floor);
        assert_eq!(record.read(moment(0, 1, 100), [ONE]).behind, Some(floor));
    }
    let mut other = doubted();
    other.note_anchor(OTHER, START, boot(1, 100), moment(START, 1, 100));
    assert_eq!(other.floors[&ONE], START + 300 * DAY, "nor does another service's");
    assert_eq!(other.doubts, doubted().doubts);
}

#[test]
fn a_signer_must_hold_at_the_floor_and_at_what_is_beyond_doubt_of_it_where_its_answer_is_fresh() {
    let record = doubted();
    let at = moment(START + DAY, 1, 100);
    assert_eq!(record.floor_for(ONE, boot(1, 100), at), START);
    assert_eq!(record.floor_for(ONE, boot(1, 39), at), START + 300 * DAY);
    assert_eq!(record.floor_for(ONE, None, at), START + 300 * DAY);
    assert_eq!(record.floor_for(OTHER, None, at), i64::MIN);
}

#[test]
fn an_offset_of_a_time_namespace_is_read() {
    for (offsets, shifted) in [
        ("monotonic           0         0\nboottime            0         0\n", false),
        ("monotonic           0         0\nboottime         -600         0\n", true),
        ("monotonic           1         0\nboottime            0         0\n", true),
        ("monotonic           0         0\nboottime            0         7\n", true),
        ("", false),
    ] {
        assert_eq!(system::has_offset(offsets), shifted, "{offsets}");
    }
}

#[test]
fn the_system_tells_how_long_it_runs() {
    let clock: SharedClock = Arc::new(SystemClock);
    let first = clock.moment().since_boot;
    assert_eq!(first.is_some(), cfg!(target_os = "linux"));
    let second = clock.since_boot();
    assert_eq!(first.map(|at| at.boot), second.map(|at| at.boot));
    assert!(first.zip(second).is_none_or(|(first, second)| first.seconds <= second.seconds));
}
