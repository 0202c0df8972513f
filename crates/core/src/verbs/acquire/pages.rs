//! A transaction page by page: what an answer brings is stored before the next page is asked for, and a service that asks
//! for patience gets it.

use super::answer::{Then, is_delivery, take};
use super::cursors::Cursors;
use super::{AcquireError, Acquired, Stage};
use crate::contact::{Credentials, Question, Session, transaction};
use crate::operation::Context;
use std::time::{Duration, Instant};
use wmlicense_wire::answer::Envelope;

/// Longest pause that an operation without a deadline makes because the service asks for it.
const MAX_PAUSE: Duration = Duration::from_secs(15 * 60);
/// Shortest pause, doubled each time that the service asks for patience in a row.
const MIN_PAUSE: Duration = Duration::from_millis(200);
const MAX_DOUBLINGS: u32 = 8;

/// Sends a stored request, the first time or again, and takes all that the service answers, page after page.
pub(crate) fn run(
    session: &mut Session<'_>,
    question: Question,
    credentials: &Credentials,
    context: &Context,
) -> Result<Acquired, AcquireError> {
    let mut question = transaction::fresh(session, question, &credentials.identity)?;
    let envelope = transaction::exchange(session, &mut question, None)?;
    take_all(session, question, envelope, credentials, context)
}

/// Takes the answer to `question`, and asks for the pages after it until there is none.
pub(crate) fn take_all(
    session: &mut Session<'_>,
    mut question: Question,
    mut envelope: Envelope,
    credentials: &Credentials,
    context: &Context,
) -> Result<Acquired, AcquireError> {
    let mut acquired = Acquired::nothing(question.content.transaction, Stage::Over);
    let (mut paused, mut cursors) = (0, Cursors::default());
    loop {
        context.check()?;
        match take(session, &question, &envelope, credentials, &mut cursors) {
            Err(AcquireError::Later { from, until, wait: _ }) => {
                pause(session, (from, until), paused, context)?;
                paused += 1;
            }
            result => {
                let taken = result?;
                let many = is_delivery(&question);
                acquired.add(taken.acquired);
                paused = 0;
                let next = match taken.then {
                    Then::End => None,
                    Then::Next(next) => Some(*next),
                    Then::Overtaken => as_stored(session, &question, credentials)?,
                };
                let Some(next) = next else {
                    acquired.stage = Stage::Over;
                    if many {
                        context.progress(acquired.stored, acquired.stored)?;
                    }
                    return Ok(acquired);
                };
                context.progress(acquired.stored, 0)?;
                question = next;
            }
        }
        question = transaction::fresh(session, question, &credentials.identity)?;
        envelope = transaction::exchange(session, &mut question, None)?;
    }
}

/// The request with which the transaction goes on, as another thread or process left it.
fn as_stored(
    session: &Session<'_>,
    question: &Question,
    credentials: &Credentials,
) -> Result<Option<Question>, AcquireError> {
    match session.client().store.transaction(question.content.transaction)? {
        Some(stored) => Ok(transaction::resumed(session, stored, &credentials.identity)?),
        None => Ok(None),
    }
}

/// Waits as the service asks, or gives up where the operation would be over by then.
fn pause(session: &Session<'_>, (from, until): (i64, i64), paused: u32, context: &Context) -> Result<(), AcquireError> {
    let mut random = [0; 8];
    // Without random bytes all devices of that kind come at the same time, which the service can bear.
    let _ = getrandom::fill(&mut random);
    let now = session.client().clock.now();
    let length = length(now, (from, until), paused, u64::from_be_bytes(random));
    let end = Instant::now().checked_add(length);
    match (end, context.deadline()) {
        (Some(end), Some(deadline)) if end < deadline => Ok(context.wait_until(end)?),
        (Some(end), None) if length <= MAX_PAUSE => Ok(context.wait_until(end)?),
        _ => Err(AcquireError::later((from, until), now)),
    }
}

/// How long to wait: until a moment between `from` and `until`, so that devices that were told the same do not come at once.
fn length(now: i64, (from, until): (i64, i64), paused: u32, random: u64) -> Duration {
    let first = u64::try_from(from.saturating_sub(now)).unwrap_or(0);
    let last = u64::try_from(until.saturating_sub(now)).unwrap_or(0).max(first);
    let spread = (last - first).saturating_mul(1000).saturating_add(1);
    let chosen = Duration::from_secs(first).saturating_add(Duration::from_millis(random % spread));
    chosen.max(MIN_PAUSE * (1 << paused.min(MAX_DOUBLINGS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_lies_between_the_times_that_the_service_names() {
        for random in [0, 1, 77_777, u64::MAX] {
            let length = length(1000, (1060, 1120), 0, random);
            assert!((60..=120).contains(&length.as_secs()), "{length:?}");
        }
        assert_ne!(length(0, (10, 100), 0, 1), length(0, (10, 100), 0, 50_000));
    }

    #[test]
    fn a_service_that_asks_for_no_time_is_asked_ever_less_often() {
        let pauses: Vec<_> = (0..4).map(|paused| length(1000, (900, 800), paused, 5)).collect();
        assert_eq!(pauses, [200, 400, 800, 1600].map(Duration::from_millis));
        assert_eq!(length(0, (0, 0), 1000, 0), MIN_PAUSE * 256);
        assert_eq!(length(0, (i64::MAX, i64::MAX), 0, u64::MAX).as_secs(), i64::MAX as u64);
    }
}
