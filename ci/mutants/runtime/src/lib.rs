//! Linked into every crate that has mutants inside: tells each place whether the process is the mutant it could be. Which one that
//! is stands in the environment, so that programs a test starts are the same mutant.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};

/// The number of the mutant.
const CHOICE: &str = "WM_MUTANT";
/// The file to which the numbers of the places that were reached are appended, four bytes each.
const RECORD: &str = "WM_MUTANT_RECORD";

/// Nothing is mutated and nothing recorded.
const NONE: u32 = 0;
/// Numbers of mutants are below this; above stand two states.
const LIMIT: u32 = 1 << 24;
const RECORDING: u32 = LIMIT;
const UNREAD: u32 = LIMIT + 1;

static CHOSEN: AtomicU32 = AtomicU32::new(UNREAD);
/// A bit for each number that is recorded already. Pages that nothing touches take no memory.
static SEEN: [AtomicU32; (LIMIT / 32) as usize] = [const { AtomicU32::new(0) }; (LIMIT / 32) as usize];

/// True in the process that is this mutant.
#[inline]
pub fn is(number: u32) -> bool {
    let chosen = CHOSEN.load(Ordering::Relaxed);
    if chosen < LIMIT { chosen == number } else { asked(number, chosen) }
}

#[cold]
fn asked(number: u32, chosen: u32) -> bool {
    let chosen = if chosen == UNREAD { read() } else { chosen };
    if chosen == RECORDING {
        record(number);
    }
    chosen == number
}

fn read() -> u32 {
    let choice = std::env::var(CHOICE).ok().and_then(|number| number.parse().ok()).filter(|number| *number < LIMIT);
    let recorded = std::env::var_os(RECORD).map_or(NONE, |_| RECORDING);
    let chosen = choice.unwrap_or(recorded);
    CHOSEN.store(chosen, Ordering::Relaxed);
    chosen
}

/// Nothing is open between two calls, because tests count open files.
fn record(number: u32) {
    let Some(word) = SEEN.get((number / 32) as usize) else { return };
    let bit = 1 << (number % 32);
    if word.load(Ordering::Relaxed) & bit != 0 {
        return;
    }
    let Some(path) = std::env::var_os(RECORD) else { return };
    let written = OpenOptions::new().append(true).open(path).and_then(|mut file| file.write_all(&number.to_le_bytes()));
    if written.is_ok() {
        word.fetch_or(bit, Ordering::Relaxed);
    }
}
