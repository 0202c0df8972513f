//! Where a minute, five minutes, a day and thirty days end, and what a correction takes back.

use super::*;

const HOUR: i64 = 3600;
const JUMP: i64 = 30 * DAY;

#[test]
fn the_latest_word_of_several_services_holds_a_license_up() {
    let mut record = record();
    record.note_contact(ONE, START + DAY, START + DAY);
    record.note_contact(OTHER, START + 5 * DAY, START + 5 * DAY);
    assert_eq!(behind(&record, START, &[ONE, OTHER]), Some(START + 5 * DAY));
}

#[test]
fn thirty_days_ahead_are_no_jump_and_a_second_more_is_one() {
    let mut used = record();
    assert!(used.note_use(wall(START + JUMP)));
    assert_eq!((used.mark, used.provisional), (START + JUMP, None));
    let mut jumped = record();
    jumped.note_use(wall(START + JUMP + 1000));
    assert_eq!(jumped.mark, START);
    assert_eq!(behind(&jumped, START + JUMP + 1, &[]), Some(START + JUMP + 1000));
    assert_eq!(behind(&jumped, START + JUMP, &[]), None);
}

#[test]
fn a_clock_that_stays_ahead_is_written_once_a_minute() {
    let mut record = record();
    let ahead = START + 400 * DAY;
    assert!(record.note_use(wall(ahead)));
    assert!(!record.note_use(wall(ahead + MARK_INTERVAL - 1)));
    assert!(record.note_use(wall(ahead + 2 * MARK_INTERVAL - 1)));
}

#[test]
fn a_jump_that_was_set_right_before_a_use_is_forgotten() {
    let mut record = record();
    let ahead = START + 400 * DAY;
    record.note_use(wall(ahead));
    assert_eq!(behind(&record, ahead - DAY, &[]), Some(ahead));
    record.note_use(wall(START + DAY));
    assert_eq!(behind(&record, ahead - DAY, &[]), None);
}

#[test]
fn a_service_confirms_a_jump_up_to_the_tolerance() {
    let ahead = START + 400 * DAY;
    for (said, mark) in [(ahead - TOLERANCE, ahead), (ahead - TOLERANCE - 1, START)] {
        let mut record = record();
        record.note_use(wall(ahead));
        record.note_contact(ONE, said, said);
        assert_eq!(record.mark, mark);
    }
}

#[test]
fn what_one_visit_said_against_the_wall_clock_is_believed_a_day_later_and_no_sooner() {
    let mut record = record();
    record.note_contact(ONE, START, START);
    for hours in [10, 30, 33] {
        record.note_contact(ONE, START + hours * HOUR, START);
        assert_eq!(record.beyond_doubt(ONE), START, "after {hours} hours");
    }
    record.note_contact(ONE, START + 34 * HOUR, START);
    assert_eq!(record.beyond_doubt(ONE), START + 10 * HOUR);
    assert_eq!(record.floors[&ONE], START + 34 * HOUR);
}

#[test]
fn a_floor_that_an_anchor_took_back_is_believed_a_day_later() {
    let mut record = doubted();
    // The wall clock speaks against this word too.
    assert!(record.note_anchor(ONE, START + 2 * DAY, boot(1, 100), moment(START, 1, 100)));
    assert_eq!((record.floors[&ONE], record.beyond_doubt(ONE)), (START + 2 * DAY, START));
    record.note_contact(ONE, START + 3 * DAY, START);
    assert_eq!(record.beyond_doubt(ONE), START + 2 * DAY);
}

#[test]
fn an_anchor_within_the_tolerance_leaves_a_floor_in_doubt_where_it_is() {
    let mut record = record();
    record.note_contact(ONE, START - 10 * DAY, START - 10 * DAY);
    record.note_contact(ONE, START + 100, START - 9 * DAY);
    anchored(&mut record, ONE, START, boot(1, 100), boot(1, 100));
    assert_eq!((record.floors[&ONE], record.beyond_doubt(ONE)), (START + 100, START));
}

#[test]
fn a_floor_that_nobody_doubts_is_beyond_doubt() {
    let mut record = record();
    record.note_contact(ONE, START, START);
    assert_eq!(record.beyond_doubt(ONE), START);
    assert_eq!(record.floor_for(ONE, boot(1, 100), moment(START, 1, 100)), START);
}

#[test]
fn an_anchor_that_moves_by_a_minute_is_written() {
    let mut record = record();
    anchored(&mut record, ONE, START, boot(1, 100), boot(1, 100));
    assert!(!anchored(&mut record, ONE, START + 30, boot(1, 189), boot(1, 189)));
    assert!(anchored(&mut record, ONE, START + 30, boot(1, 190), boot(1, 190)));
    assert_eq!(record.read(moment(0, 1, 190), [ONE]).now, START + 30);
}

#[test]
fn an_anchor_that_says_the_same_still_mends_what_was_noted_since() {
    let of = |change: fn(&mut ClockRecord)| {
        let mut record = record();
        anchored(&mut record, ONE, START, boot(1, 100), boot(1, 100));
        change(&mut record);
        let written = anchored(&mut record, ONE, START + 30, boot(1, 130), boot(1, 130));
        (written, record)
    };
    assert!(!of(|_| {}).0);
    let (written, record) = of(|record| record.mark = START + DAY);
    assert_eq!((written, record.mark), (true, START + 30));
    let (written, record) = of(|record| record.provisional = Some(START + 400 * DAY));
    assert_eq!((written, record.provisional), (true, None));
    let (written, record) = of(|record| record.note_contact(ONE, START + 40, START + DAY));
    assert_eq!((written, record.beyond_doubt(ONE)), (true, START + 30));
}

/// Within two seconds, because each clock counts whole ones.
fn is_about(one: i64, other: i64) -> bool {
    one.abs_diff(other) <= 2
}

#[test]
fn the_systems_clocks_are_those_of_the_system() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(is_about(SystemClock.now(), now.try_into().unwrap()));
    if cfg!(target_os = "linux") {
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let uptime: i64 = uptime.split('.').next().unwrap().parse().unwrap();
        assert!(is_about(SystemClock.steady(), uptime));
        let since = SystemClock.since_boot().expect("no time namespace shifts this process");
        assert!(is_about(since.seconds, uptime));
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().replace('-', "");
        assert_eq!(since.boot.map(|byte| format!("{byte:02x}")).concat(), id);
    }
}
