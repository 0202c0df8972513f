//! What may happen to a device, and in what proportion.

use proptest::prelude::*;
use wmlicense_wire::policy::{BackupRight, Conditions};

pub const DAY: i64 = 86_400;
/// Key IDs: few, so that several licenses meet at one.
pub const SLOTS: u64 = 2;
pub const PLACES: usize = 2;

/// Terms of a license to be granted. Times are seconds from the moment of the grant.
#[derive(Debug, Clone)]
pub struct Terms {
    pub count: Option<u32>,
    pub begins: Option<i64>,
    pub ends: Option<i64>,
    pub after_first_use: Option<u64>,
    pub backup: BackupRight,
    /// A management service may bind it again.
    pub managed: bool,
    /// Its owner can revoke it.
    pub revocable: bool,
}

impl Terms {
    pub fn conditions(&self, now: i64) -> Conditions {
        Conditions {
            not_before: self.begins.map(|after| now + after),
            not_after: self.ends.map(|after| now + after),
            seconds_after_first_use: self.after_first_use,
            count: self.count,
            ..Conditions::default()
        }
    }
}

/// `which` numbers the licenses granted so far, modulo their number.
#[derive(Debug, Clone)]
pub enum Step {
    /// The service grants a license.
    Acquire {
        slot: u64,
        terms: Terms,
    },
    /// The service grants one in place of another.
    Replace {
        which: usize,
        terms: Terms,
    },
    /// The service sends a license again.
    Again {
        which: usize,
    },
    /// The service takes a license back.
    Withdraw {
        which: usize,
    },
    /// The user deletes the licenses of a key ID; they may be fetched again.
    Delete {
        slot: u64,
    },
    /// The user gives the licenses of a key ID up for good.
    GiveBack {
        slot: u64,
    },
    /// The first sample of something is decrypted.
    Play {
        slot: u64,
    },
    BackUp {
        place: usize,
        cancelled: bool,
    },
    Restore {
        place: usize,
        cancelled: bool,
    },
    /// The disk of the store is lost; the device's keys are not.
    LoseStore,
    /// The process is killed between two operations.
    Crash,
    /// The process ends and another begins.
    Reopen,
    /// Time passes, for the device as well.
    Pass {
        seconds: i64,
    },
    /// The device's clock is set, nobody else's.
    SetClock {
        offset: i64,
    },
    /// The system starts again.
    Boot,
    /// The time since the start is seen through a time namespace that does not tell its offset.
    Shift {
        seconds: i64,
    },
    /// The service tells the time.
    Online,
    Clean,
}

/// One step, or a backup and a restore around one.
pub fn some() -> impl Strategy<Value = Vec<Step>> {
    let around = (place(), any()).prop_map(|(place, between)| {
        vec![Step::BackUp { place, cancelled: false }, between, Step::Restore { place, cancelled: false }]
    });
    prop_oneof![12 => any().prop_map(|step| vec![step]), 3 => around]
}

fn slot() -> impl Strategy<Value = u64> {
    0..SLOTS
}

fn place() -> impl Strategy<Value = usize> {
    0..PLACES
}

fn any() -> impl Strategy<Value = Step> {
    let which = || 0usize..16;
    let rarely = || prop::bool::weighted(0.15);
    prop_oneof![
        12 => (slot(), terms()).prop_map(|(slot, terms)| Step::Acquire { slot, terms }),
        2 => (which(), terms()).prop_map(|(which, terms)| Step::Replace { which, terms }),
        2 => which().prop_map(|which| Step::Again { which }),
        2 => which().prop_map(|which| Step::Withdraw { which }),
        1 => slot().prop_map(|slot| Step::Delete { slot }),
        1 => slot().prop_map(|slot| Step::GiveBack { slot }),
        10 => slot().prop_map(|slot| Step::Play { slot }),
        2 => (place(), rarely()).prop_map(|(place, cancelled)| Step::BackUp { place, cancelled }),
        3 => (place(), rarely()).prop_map(|(place, cancelled)| Step::Restore { place, cancelled }),
        1 => Just(Step::LoseStore),
        1 => Just(Step::Crash),
        1 => Just(Step::Reopen),
        3 => prop::sample::select(vec![30, 400, DAY, 2 * DAY]).prop_map(|seconds| Step::Pass { seconds }),
        3 => offset().prop_map(|offset| Step::SetClock { offset }),
        2 => Just(Step::Clean),
        2 => Just(Step::Boot),
        2 => prop::sample::select(vec![0, 0, -600, -3 * DAY, 3600, 45 * DAY]).prop_map(|seconds| Step::Shift { seconds }),
        3 => Just(Step::Online),
    ]
}

/// Right in most cases; otherwise wrong by what a time zone, a flat battery or a sly user does.
fn offset() -> impl Strategy<Value = i64> {
    prop_oneof![
        3 => Just(0),
        3 => prop::sample::select(vec![-250, -3600, -2 * DAY, -40 * DAY, -400 * DAY]),
        2 => prop::sample::select(vec![250, 5 * DAY, 29 * DAY, 45 * DAY, 400 * DAY]),
    ]
}

fn terms() -> impl Strategy<Value = Terms> {
    let count = prop_oneof![2 => Just(None), 3 => (1u32..4).prop_map(Some)];
    let begins = prop_oneof![6 => Just(None), 1 => Just(Some(DAY))];
    let ends =
        prop_oneof![2 => Just(None), 2 => prop::sample::select(vec![100, DAY, 10 * DAY, 100 * DAY]).prop_map(Some)];
    let after_first_use =
        prop_oneof![4 => Just(None), 1 => prop::sample::select(vec![60, 2 * DAY as u64]).prop_map(Some)];
    let backup = prop_oneof![
        1 => Just(BackupRight::No),
        2 => Just(BackupRight::Stateless),
        3 => Just(BackupRight::Stateful),
    ];
    let rights = (backup, prop::bool::weighted(0.4), prop::bool::weighted(0.15));
    (count, begins, ends, after_first_use, rights).prop_map(
        |(count, begins, ends, after_first_use, (backup, managed, revocable))| Terms {
            count,
            begins,
            ends,
            after_first_use,
            backup,
            managed,
            revocable,
        },
    )
}
