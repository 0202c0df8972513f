//! What uses, services and boots tell about the time, and what a clock that was moved does to it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use proptest::prelude::*;

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
    record.note_contact(ONE, START + DAY);
    record.note_contact(ONE, START);
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
    assert_eq!(record.verdict(wall(ahead)), Verdict::Ahead);
    assert!(record.note_use(wall(ahead)));
    assert!(!record.note_use(wall(ahead + 1)));
    assert!(behind(&record, START + DAY, &[]).is_none(), "set right again, nothing is lost");
    record.note_contact(ONE, START + DAY);
    assert_eq!(record.mark, START);
    record.note_contact(ONE, ahead);
    assert_eq!((record.mark, record.provisional), (ahead + 1, None));
}

#[test]
fn a_clock_that_jumped_ahead_cannot_live_the_same_days_twice() {
    let mut record = record();
    let ahead = START + 400 * DAY;
    record.note_use(wall(ahead + DAY));
    assert_eq!(behind(&record, ahead, &[]), Some(ahead + DAY));
    assert_eq!(record.verdict(wall(ahead)), Verdict::Behind);
    assert!(behind(&record, ahead + DAY, &[]).is_none());
}

#[test]
fn an_anchor_tells_the_time_whatever_the_wall_clock_says() {
    let mut record = record();
    assert_eq!(record.verdict(moment(START - DAY, 1, 5)), Verdict::Behind);
    assert!(record.note_anchor(ONE, START + DAY, boot(1, 100), boot(1, 110)));
    for moved in [0, START - DAY, START + DAY, START + 4000 * DAY] {
        let at = moment(moved, 1, 110 + 3600);
        for service in [ONE, OTHER] {
            assert_eq!(record.read(at, [service]), Reading { now: START + DAY + 3600, behind: None });
        }
        assert_eq!(record.verdict(at), Verdict::Good);
    }
}

#[test]
fn an_anchor_ends_with_the_run_of_the_system_and_leaves_the_mark() {
    let mut record = record();
    record.note_anchor(ONE, START + DAY, boot(1, 100), boot(1, 110));
    assert_eq!((record.mark, record.floors.get(&ONE)), (START + DAY, Some(&(START + DAY))));
    assert_eq!(record.read(moment(START, 2, 110), [OTHER]).behind, Some(START + DAY));
    assert_eq!(record.verdict(moment(START, 2, 110)), Verdict::Behind);
    assert_eq!(record.verdict(moment(START + DAY, 2, 110)), Verdict::Unknown);
    assert!(record.note_anchor(OTHER, START + 2 * DAY, boot(2, 5), boot(2, 6)));
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
        assert!(!record.note_anchor(ONE, START + DAY, asked, came));
        assert_eq!(record, self::record());
    }
    assert!(record().note_anchor(ONE, START + DAY, boot(1, 100), boot(1, 160)));
}

#[test]
fn an_anchor_takes_a_mark_back_that_a_wrong_clock_left() {
    let mut record = record();
    record.note_use(wall(START + 20 * DAY));
    assert_eq!(behind(&record, START, &[]), Some(START + 20 * DAY));
    record.note_anchor(ONE, START + 60, boot(1, 100), boot(1, 101));
    assert_eq!(record.mark, START + 60);
    assert_eq!(record.verdict(moment(START + 120, 2, 9)), Verdict::Unknown);
}

#[test]
fn under_an_anchor_a_wrong_wall_clock_leaves_no_mark() {
    let mut record = record();
    record.note_anchor(ONE, START, boot(1, 100), boot(1, 100));
    assert!(!record.note_use(moment(START + 20 * DAY, 1, 100)));
    assert!(record.note_use(moment(START + 20 * DAY, 1, 200)));
    assert_eq!(record.mark, START + 100);
}

#[test]
fn a_license_believes_its_own_service_before_others() {
    let mut record = record();
    record.note_anchor(OTHER, START + 100 * DAY, boot(1, 100), boot(1, 100));
    assert_eq!(record.read(moment(START, 1, 100), [ONE]).now, START + 100 * DAY);
    record.note_anchor(ONE, START + DAY, boot(1, 100), boot(1, 100));
    assert_eq!(record.read(moment(START, 1, 100), [ONE]).now, START + DAY);
}

#[test]
fn another_service_cannot_date_a_license_back() {
    let mut record = record();
    record.note_contact(ONE, START + 5 * DAY);
    record.note_anchor(OTHER, START - 90 * DAY, boot(1, 100), boot(1, 100));
    assert_eq!(record.read(moment(START, 1, 100), [ONE]).behind, Some(START + 5 * DAY));
    assert!(record.read(moment(START, 1, 100), [OTHER]).behind.is_none());
}

#[test]
fn a_date_over_a_day_ahead_of_an_anchor_cannot_be() {
    let mut record = record();
    assert!(!record.is_too_far_ahead(START + 900 * DAY, moment(START, 1, 0)), "without an anchor nobody knows");
    record.note_anchor(ONE, START, boot(1, 0), boot(1, 0));
    assert!(!record.is_too_far_ahead(START + DAY, moment(0, 1, 0)));
    assert!(record.is_too_far_ahead(START + DAY + 1, moment(0, 1, 0)));
    assert!(!record.is_too_far_ahead(START + DAY + 1, moment(0, 2, 0)));
}

#[test]
fn an_anchor_that_says_the_same_is_not_written_again() {
    let mut record = record();
    assert!(record.note_anchor(ONE, START, boot(1, 100), boot(1, 100)));
    assert!(!record.note_anchor(ONE, START + 1000, boot(1, 1130), boot(1, 1130)));
    assert!(record.note_anchor(ONE, START + 1000, boot(1, 1600), boot(1, 1600)));
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

#[derive(Debug, Clone)]
enum Step {
    Passes(i64),
    SetWall(i64),
    Use,
    Boot,
    Online,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3 * DAY).prop_map(Step::Passes),
        (-900 * DAY..900 * DAY).prop_map(Step::SetWall),
        Just(Step::Use),
        Just(Step::Boot),
        Just(Step::Online),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// However the wall clock is set, a use that the record lets pass is never before the last word of the service, and
    /// going online makes everything right at once.
    #[test]
    fn no_setting_of_the_clock_takes_a_license_back_before_what_its_service_said(steps in prop::collection::vec(step(), 1..60)) {
        let mut record = record();
        let (mut truth, mut shift, mut run, mut up) = (START, 0, 1_u8, 50_i64);
        let mut said = i64::MIN;
        for step in steps {
            match step {
                Step::Passes(seconds) => (truth, up) = (truth + seconds, up + seconds),
                Step::SetWall(by) => shift = by,
                Step::Boot => (run, up) = (run.wrapping_add(1), 1),
                Step::Online => {
                    record.note_anchor(ONE, truth, boot(run, up), boot(run, up));
                    said = said.max(truth);
                }
                Step::Use => { record.note_use(moment(truth + shift, run, up)); }
            }
            let at = moment(truth + shift, run, up);
            let reading = record.read(at, [ONE]);
            prop_assert!(reading.behind.is_some() || reading.now >= said.saturating_sub(TOLERANCE + MARK_INTERVAL));
            prop_assert_eq!(record.read(at, [ONE]), reading);
            let mut online = record.clone();
            online.note_anchor(ONE, truth, boot(run, up), boot(run, up));
            let mended = online.read(at, [ONE]);
            prop_assert!(mended.behind.is_none());
            prop_assert!(mended.now.abs_diff(truth) < MARK_INTERVAL as u64);
        }
    }
}
