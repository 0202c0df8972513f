use super::*;
use proptest::prelude::*;

const PERIOD: i64 = 3600;
const KEYS: SignerId = SignerId::new([7; 32]);

/// The service's side of one device: what the database does with the rules.
#[derive(Default)]
struct Desk {
    epochs: Option<Epochs>,
    forks: Vec<(i64, Option<Epoch>)>,
    late: Vec<i64>,
    made: u128,
}

impl Desk {
    fn ask(&mut self, epoch: Option<Epoch>, now: i64) -> Standing {
        self.made += 1;
        let fresh = Epoch::new(self.made.to_be_bytes());
        let device = DeviceId::new([1; 16]);
        let presented = Presented { role: Role::Issuer, device, certified_at: 0, epoch, period: PERIOD, name: None };
        let forks = self.forks.iter().filter(|(at, _)| *at > now - YEAR).count() as u64;
        let known = self.forks.iter().any(|(at, of)| *of == epoch && *at > now - presented.tolerance());
        let epochs = self.epochs.clone();
        let late = self.late.iter().filter(|at| **at > now - DAY).count() as u64;
        let is_late = self.late.iter().any(|at| *at > now - presented.tolerance());
        let history = History { epochs, forks, most_forks: forks, late, is_late, ..History::default() };
        let mut judged = judge(&history, &presented, KEYS, now, fresh);
        if judged.is_news() && known {
            judged = judge(&History { known, ..history }, &presented, KEYS, now, fresh);
        }
        if judged.standing.fork {
            self.forks.push((now, epoch));
        }
        if judged.late {
            self.late.push(now);
        }
        self.epochs = judged.next.or(self.epochs.take());
        judged.standing
    }

    /// The answer reaches the device.
    fn tell(&mut self, newest: &mut Option<Epoch>, now: i64) -> Standing {
        let standing = self.ask(*newest, now);
        *newest = standing.epoch.or(*newest);
        standing
    }
}

#[test]
fn an_epoch_is_replaced_once_an_hour_by_who_presents_it() {
    let (mut desk, mut device) = (Desk::default(), None);
    desk.tell(&mut device, 0);
    let first = device;
    assert!(first.is_some());
    assert_eq!(desk.tell(&mut device, 0).epoch, None, "nothing new within the second");
    assert_eq!(desk.tell(&mut device, 3599).epoch, None, "nothing new within the hour");
    assert!(desk.tell(&mut device, 3600).epoch.is_some());
    assert_ne!(device, first);
    assert_eq!(desk.tell(&mut device, 3601).epoch, None);
    assert!(desk.forks.is_empty());
}

#[test]
fn who_never_got_the_answer_is_told_the_same_epoch_again_however_late() {
    let (mut desk, mut device) = (Desk::default(), None);
    desk.tell(&mut device, 0);
    let lost = desk.ask(device, 4000);
    for late in [4001, 8000, 90_000, 40 * YEAR] {
        assert_eq!(desk.ask(device, late), lost, "{late}");
    }
}

#[test]
fn the_predecessor_counts_until_ten_minutes_after_its_successor_was_presented() {
    let (mut desk, mut device) = (Desk::default(), None);
    desk.tell(&mut device, 0);
    let old = device;
    desk.tell(&mut device, 4000);
    assert!(!desk.ask(old, 5000).fork, "the successor was not presented yet");
    desk.tell(&mut device, 5000);
    desk.tell(&mut device, 5300);
    assert_eq!(desk.ask(old, 5599), Standing { epoch: device, ..Standing::default() });
    assert!(desk.ask(old, 5600).fork);
}

#[test]
fn a_copy_that_is_put_back_again_and_again_is_a_fork_after_three_times_a_day() {
    let (mut desk, mut device) = (Desk::default(), None);
    desk.tell(&mut device, 0);
    for time in 1..=5 {
        let now = 10_000 + time * 600;
        assert_eq!(desk.ask(None, now).fork, time > 3, "{time}");
        assert!(!desk.ask(None, now + 599).fork, "one time, however many requests");
    }
    assert_eq!(desk.late.len(), 3, "what is a fork was not late as well");
}

#[test]
fn three_lost_answers_a_day_are_forgiven_every_day() {
    let (mut desk, mut device) = (Desk::default(), None);
    desk.tell(&mut device, 0);
    for day in 1..50 {
        for time in 0..3 {
            assert!(!desk.ask(None, day * DAY + time * 600).fork, "{day} {time}");
        }
    }
}

#[test]
fn no_epoch_is_the_predecessor_of_the_first_one_and_a_fork_after_that() {
    let (mut desk, mut device) = (Desk::default(), None);
    desk.tell(&mut device, 0);
    desk.tell(&mut device, 10);
    assert!(!desk.ask(None, 609).fork);
    assert!(desk.ask(None, 610).fork);
}

#[test]
fn processes_of_a_store_that_was_put_back_are_one_fork() {
    let (mut desk, mut device) = (Desk::default(), None);
    desk.tell(&mut device, 0);
    let image = device;
    for now in [4000, 8000, 12_000] {
        desk.tell(&mut device, now);
    }
    let first = desk.ask(image, 20_000);
    assert!(first.fork);
    for now in [20_000, 20_001, 20_599] {
        let again = desk.ask(image, now);
        assert_eq!((again.fork, again.epoch), (false, first.epoch));
    }
    let mut restored = first.epoch;
    assert!(!desk.tell(&mut restored, 20_700).fork);
    // The copy that went on before is the other one now.
    assert!(desk.ask(device, 30_000).fork);
}

#[test]
fn a_request_that_was_made_before_a_late_first_presentation_is_no_fork() {
    let (mut desk, mut device) = (Desk::default(), None);
    let first = desk.tell(&mut device, 0).epoch;
    // Presented for the first time when it is old enough to be replaced at once.
    assert!(desk.ask(first, 3700).epoch.is_some());
    assert!(!desk.ask(None, 4299).fork, "within the tolerance");
    assert!(desk.ask(Some(Epoch::new([77; 16])), 4299).fork, "what nobody was told is one at any time");
    assert!(desk.ask(None, 4300).fork);
}

#[test]
fn four_forks_a_year_are_forgiven_and_the_fifth_stops_until_the_first_is_a_year_old() {
    let (mut desk, mut device) = (Desk::default(), None);
    desk.tell(&mut device, 0);
    desk.tell(&mut device, 4000);
    let mut at = 10_000;
    for number in 0..4 {
        let standing = desk.ask(None, at + number * 1000);
        assert_eq!((standing.fork, standing.stopped), (true, false), "fork {number}");
    }
    assert!(!desk.tell(&mut device, 15_000).stopped);
    at += 6000;
    let fifth = desk.ask(None, at);
    assert_eq!((fifth.fork, fifth.stopped), (true, true));
    assert!(desk.tell(&mut device, at + 1).stopped, "whoever asks with these keys");
    assert!(desk.tell(&mut device, 10_000 + YEAR - 1).stopped);
    assert!(!desk.tell(&mut device, 10_000 + YEAR).stopped);
}

#[test]
fn a_service_that_lost_its_rows_takes_what_it_is_told() {
    let (mut desk, mut device) = (Desk::default(), Some(Epoch::new([9; 16])));
    let standing = desk.tell(&mut device, 0);
    assert!(!standing.fork && standing.epoch.is_some());
    assert!(!desk.ask(Some(Epoch::new([9; 16])), 1).fork);
}

#[test]
fn a_clock_that_jumps_makes_no_fork_of_a_device_that_asks_one_after_the_other() {
    let (mut desk, mut device) = (Desk::default(), None);
    for now in [1_000_000, 5_000_000, 2_000_000, 2_000_001, 9_000_000, 10, 4000, 9_000_000] {
        assert!(!desk.tell(&mut device, now).fork, "{now}");
    }
}

#[test]
fn a_clock_that_went_back_makes_an_epoch_old_at_once() {
    let (mut desk, mut device) = (Desk::default(), None);
    desk.tell(&mut device, 1_000_000);
    assert_eq!(desk.tell(&mut device, 1_000_001).epoch, None);
    // It would stand for as long as the clock was ahead.
    assert!(desk.tell(&mut device, 1000).epoch.is_some());
    assert_eq!(desk.tell(&mut device, 1001).epoch, None);
    assert!(desk.tell(&mut device, 1000 + PERIOD).epoch.is_some());
    assert!(desk.forks.is_empty());
}

#[test]
fn requests_that_cross_are_not_late_and_those_behind_them_are() {
    let (mut desk, mut device) = (Desk::default(), None);
    desk.tell(&mut device, 0);
    assert!(!desk.ask(None, 599).fork && desk.late.is_empty(), "it was on its way when the epoch was made");
    assert!(!desk.ask(None, 600).fork);
    assert_eq!(desk.late, [600]);
}

/// A predecessor, presented long after its successor was made and before that was presented.
fn late() -> (History, Presented) {
    let epoch = |byte| Epoch::new([byte; 16]);
    let epochs = Epochs {
        thumbprint: KEYS,
        certified_at: 0,
        current: epoch(2),
        predecessor: Some(epoch(1)),
        replaced_at: 1000,
        older: None,
        older_until: 0,
        presented_at: None,
    };
    let presented = Presented {
        role: Role::Issuer,
        device: DeviceId::new([1; 16]),
        certified_at: 0,
        epoch: Some(epoch(1)),
        period: PERIOD,
        name: None,
    };
    (History { epochs: Some(epochs), ..History::default() }, presented)
}

#[test]
fn a_request_that_was_checked_before_is_neither_late_nor_a_fork_once_more() {
    let judged = |history: History, presented| {
        let judged = judge(&history, &presented, KEYS, 2000, Epoch::new([9; 16]));
        (judged.late, judged.standing.fork, judged.is_news())
    };
    let (history, presented) = late();
    assert_eq!(judged(history, presented), (true, false, true));
    let (history, presented) = late();
    assert_eq!(judged(History { known: true, ..history }, presented), (false, false, false));
    let (history, presented) = late();
    let copied = Presented { epoch: Some(Epoch::new([7; 16])), ..presented };
    assert_eq!(judged(history, copied), (false, true, true));
    let (history, presented) = late();
    let copied = Presented { epoch: Some(Epoch::new([7; 16])), ..presented };
    assert_eq!(judged(History { known: true, ..history }, copied), (false, false, false));
}

/// What is remembered of these rows and of what was noticed, for a request of [`KEYS`] at the issuer.
fn remembered(rows: Vec<EpochRow>, noticed: &Noticed, now: i64) -> History {
    let (_, presented) = late();
    History::of(&Presented { certified_at: 500, ..presented }, KEYS, now, rows, noticed)
}

#[test]
fn the_epochs_of_the_keys_that_ask_are_those_at_the_role_that_is_asked() {
    let (history, _) = late();
    let known = history.epochs.unwrap();
    let row = |role: Role, epochs: &Epochs| EpochRow { role: role as i64, epochs: epochs.clone() };
    let elsewhere = Epochs { current: Epoch::new([5; 16]), ..known.clone() };
    let rows = vec![row(Role::Issuer, &known), row(Role::Management, &elsewhere)];
    let history = remembered(rows, &Noticed::default(), 2000);
    assert_eq!((history.epochs, history.replaced), (Some(known.clone()), false));
    assert_eq!(remembered(vec![row(Role::Management, &elsewhere)], &Noticed::default(), 2000).epochs, None);
    // Of two keys of a device the later certified one counts, at whatever role it asked.
    let other = Epochs { thumbprint: SignerId::new([8; 32]), ..known };
    for (certified_at, replaced) in [(499, false), (500, false), (501, true)] {
        let other = Epochs { certified_at, ..other.clone() };
        for rows in [
            vec![row(Role::Issuer, &other)],
            vec![row(Role::Management, &other), row(Role::Issuer, &elsewhere)],
            vec![row(Role::Issuer, &elsewhere), row(Role::Management, &other)],
        ] {
            let has_own = rows.len() > 1;
            let history = remembered(rows, &Noticed::default(), 2000);
            assert_eq!((history.replaced, history.epochs.is_some()), (replaced, has_own), "{certified_at}");
        }
    }
}

#[test]
fn forks_count_at_their_role_and_for_all_at_the_role_that_has_most() {
    let of = |forks: &[(Role, u64)]| {
        let forks = forks.iter().map(|(role, count)| (*role as i64, *count)).collect();
        let history = remembered(vec![], &Noticed { forks, ..Noticed::default() }, 2000);
        (history.forks, history.most_forks)
    };
    assert_eq!(of(&[]), (0, 0));
    assert_eq!(of(&[(Role::Issuer, 2)]), (2, 2));
    assert_eq!(of(&[(Role::Issuer, 2), (Role::Management, 5)]), (2, 5));
    assert_eq!(of(&[(Role::Issuer, 3), (Role::Management, 1)]), (3, 3));
    assert_eq!(of(&[(Role::Management, 1)]), (0, 1));
    assert!(is_copied(&[(1, 0), (2, 5)]) && is_copied(&[(1, 5), (2, 0)]));
    assert!(!is_copied(&[(1, 4), (2, 4)]) && !is_copied(&[]));
}

#[test]
fn a_request_belongs_to_a_late_one_within_the_tolerance() {
    let of = |last_late, now| {
        let history = remembered(vec![], &Noticed { late: 2, last_late, ..Noticed::default() }, now);
        (history.late, history.is_late)
    };
    assert_eq!(of(None, 2000), (2, false));
    assert_eq!(of(Some(1401), 2000), (2, true));
    assert_eq!(of(Some(1400), 2000), (2, false), "it was ten minutes ago");
}

#[test]
fn a_device_that_was_copied_too_often_or_has_other_keys_learns_that_with_its_first_request_too() {
    let (_, presented) = late();
    let judged = |history: History| judge(&history, &presented, KEYS, 2000, Epoch::new([9; 16]));
    let first = judged(History { most_forks: 5, replaced: true, ..History::default() });
    let expected = Standing { epoch: Some(Epoch::new([9; 16])), fork: false, stopped: true, replaced: true };
    assert_eq!((first.standing, first.late), (expected, false));
    let first = judged(History { most_forks: 4, ..History::default() });
    assert!(!first.standing.stopped && !first.standing.replaced);
    let written = first.next.unwrap();
    assert_eq!(
        (written.current, written.predecessor, written.presented_at),
        (Epoch::new([9; 16]), presented.epoch, None)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Many processes of one device ask side by side; answers come late, out of order or, three a day, never, but within the
    /// tolerance or not at all, and a newer epoch is never overwritten by an older one.
    #[test]
    fn honest_processes_side_by_side_are_never_taken_for_copies(
        steps in prop::collection::vec((0_i64..2 * PERIOD, any::<bool>(), 0_i64..590), 1..80),
    ) {
        let (mut desk, mut stored, mut now) = (Desk::default(), (None, -1), 0);
        let mut flying: Vec<(i64, Option<Epoch>, bool)> = Vec::new();
        // What is lost shows when the next request comes, at most two hours later.
        let (mut losses, shown) = (Vec::new(), DAY + 2 * PERIOD + 590);
        for (pause, lost, flight) in steps {
            let end = now + pause;
            // A request takes up to ten minutes from its making to its arrival, while others come and go.
            flying.push((now + flight, stored.0, lost));
            flying.sort_by_key(|(at, ..)| *at);
            while let Some((at, epoch, lost)) = flying.first().copied().filter(|(at, ..)| *at <= end) {
                flying.remove(0);
                let standing = desk.ask(epoch, at);
                prop_assert!(!standing.fork, "a fork at {at}");
                let lost = lost && losses.iter().filter(|lost| **lost > at - shown).count() < 3;
                if let Some(told) = standing.epoch.filter(|_| !lost && at >= stored.1) {
                    stored = (Some(told), at);
                } else if lost && standing.epoch.is_some() {
                    losses.push(at);
                }
            }
            now = end;
        }
    }

    /// Two copies that both go on are noticed once one of them asked three times before the other. Copies that take turns
    /// look like processes of one store whose answers get lost.
    #[test]
    fn two_copies_that_both_go_on_are_noticed(
        turns in prop::collection::vec((any::<bool>(), PERIOD..10 * PERIOD), 0..20),
        first in any::<bool>(),
    ) {
        let (mut desk, mut device) = (Desk::default(), None);
        desk.tell(&mut device, 0);
        let mut now = PERIOD;
        desk.tell(&mut device, now);
        let mut copies = [device, device];
        for (which, pause) in turns.into_iter().chain([(first, PERIOD), (first, PERIOD), (first, PERIOD), (!first, PERIOD)]) {
            now += pause;
            desk.tell(&mut copies[usize::from(which)], now);
        }
        prop_assert!(!desk.forks.is_empty());
    }
}
