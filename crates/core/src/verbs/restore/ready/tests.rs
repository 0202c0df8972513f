//! How reading and putting in meet, and how either ends the other.

use super::*;
use crate::event::Flow;
use crate::operation::Cancelled;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use wmlicense_wire::id::Kid;

/// Many times what two threads have under way.
const MANY: usize = 200;
/// Far more than anything here takes: what is still not there then hangs.
const HANGS: Duration = Duration::from_secs(60);

fn title(number: usize) -> Ready {
    Ready::Title(Kid::new([0; 16]), format!("{number} {}", "x".repeat(GROUP / 3)))
}

fn titles(give: &mut Give<'_>) -> Result<(), RestoreError> {
    (0..MANY).try_for_each(|number| give(title(number)))
}

fn number(ready: &Ready) -> usize {
    let Ready::Title(_, title) = ready else { panic!("no title") };
    title.split(' ').next().unwrap().parse().unwrap()
}

fn quiet() -> Context {
    Context::inline(None, |_| Flow::Continue)
}

fn all(
    mut read: impl FnMut(&mut Give<'_>) -> Result<(), RestoreError> + Send,
    put: &mut Give<'_>,
) -> Result<(), RestoreError> {
    beside(&mut read, |incoming| incoming.each(&quiet(), put))
}

#[test]
fn what_is_read_is_put_in_once_and_in_its_order_by_one_thread_or_two() {
    let (mut beside, mut here) = (Vec::new(), Vec::new());
    let note = |put: &mut Vec<usize>, ready: &Ready| {
        put.push(number(ready));
        Ok(())
    };
    all(titles, &mut |ready| note(&mut beside, &ready)).unwrap();
    Incoming::here(&mut titles).each(&quiet(), &mut |ready| note(&mut here, &ready)).unwrap();
    assert_eq!(beside, (0..MANY).collect::<Vec<_>>());
    assert_eq!(here, beside);
}

#[test]
fn the_reading_goes_on_while_something_is_put_in() {
    let (passed, seen) = channel();
    let read = move |give: &mut Give<'_>| {
        // The first fills a group, the second ends it.
        (0..6).try_for_each(|number| give(title(number)))?;
        passed.send(()).unwrap();
        Ok(())
    };
    let mut first = true;
    let done = all(read, &mut |_| {
        if std::mem::take(&mut first) {
            seen.recv_timeout(HANGS).expect("the reading waits for what is put in");
        }
        Ok(())
    });
    done.unwrap();
}

#[test]
fn what_the_reading_ends_with_comes_after_all_that_it_gave_and_before_the_end_of_the_putting() {
    for beside_it in [true, false] {
        let mut put = 0;
        let mut read = |give: &mut Give<'_>| {
            titles(give)?;
            Err(RestoreError::Corrupt("its footer".into()))
        };
        let mut take = |incoming: Incoming<'_>| {
            let ended = incoming.each(&quiet(), &mut |_| {
                put += 1;
                Ok(())
            });
            // The transaction is still open here.
            assert!(matches!(&ended, Err(RestoreError::Corrupt(why)) if why == "its footer"), "{ended:?}");
            ended
        };
        let done = if beside_it { beside(&mut read, take) } else { take(Incoming::here(&mut read)) };
        assert!(matches!(done, Err(RestoreError::Corrupt(why)) if why == "its footer"));
        assert_eq!(put, MANY);
    }
}

#[test]
fn what_the_putting_fails_with_ends_the_reading_and_is_told() {
    let mut put = 0;
    let done = all(titles, &mut |_| {
        put += 1;
        if put < 5 { Ok(()) } else { Err(Cancelled.into()) }
    });
    assert!(matches!(done, Err(RestoreError::Service(error)) if error.is_cancelled()));
    assert_eq!(put, 5);
    // Where it does not even begin.
    let none = beside(&mut titles, |_| Err::<(), _>(RestoreError::NotFound));
    assert!(matches!(none, Err(RestoreError::NotFound)));
}

/// What a putting ends with that waits for a medium which gives nothing more until that end.
fn stalled(context: &Context, patience: Duration, begin: impl Fn() + Send + Sync) -> RestoreError {
    let (over, wait) = channel();
    let wait = std::sync::Mutex::new(wait);
    let mut read = |give: &mut Give<'_>| {
        (0..4).try_for_each(|number| give(title(number)))?;
        begin();
        wait.lock().unwrap().recv_timeout(HANGS).expect("the putting waits for the medium");
        titles(give)
    };
    let done = beside_for(patience, &mut read, |incoming| {
        let ended = incoming.each(context, &mut |_| Ok(()));
        over.send(()).unwrap();
        ended
    });
    done.unwrap_err()
}

#[test]
fn a_cancel_ends_the_putting_while_the_medium_gives_nothing() {
    let context = quiet();
    let canceller = context.canceller();
    let error = stalled(&context, HANGS, || canceller.cancel());
    assert!(matches!(&error, RestoreError::Service(error) if error.is_cancelled()), "{error:?}");
}

#[test]
fn a_medium_that_gives_nothing_for_long_has_failed() {
    let error = stalled(&quiet(), 2 * LOOK, || {});
    assert!(matches!(&error, RestoreError::Medium(error) if error.kind() == io::ErrorKind::TimedOut), "{error:?}");
}

#[test]
fn a_panic_of_either_thread_is_one_of_the_caller_and_leaves_none_behind() {
    let broken = || -> Result<(), RestoreError> { panic!("on purpose") };
    let reading = catch_unwind(|| all(|_| broken(), &mut |_| Ok(())));
    let putting = catch_unwind(AssertUnwindSafe(|| all(titles, &mut |_| broken())));
    for panic in [reading.map(drop).unwrap_err(), putting.map(drop).unwrap_err()] {
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"on purpose"));
    }
}
