//! Work on what is made at the same time: on a thread beside the one that makes it, or on that one itself where the system gives no
//! other. What the work is, is not known here.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::Builder;

/// Takes what is made, in its order.
pub(super) trait Work: Send {
    type Thing: Send;
    type Error: Send;

    fn take(&mut self, thing: Self::Thing) -> Result<(), Self::Error>;
}

/// The work failed and takes nothing more. What it failed with is given by [`beside`].
#[derive(Debug)]
pub(super) struct Ended;

/// Hands over what is made.
pub(super) enum Hand<'w, W: Work> {
    Beside(SyncSender<W::Thing>),
    Here(&'w mut Result<W, W::Error>),
}

impl<W: Work> Hand<'_, W> {
    pub(super) fn over(&mut self, thing: W::Thing) -> Result<(), Ended> {
        match self {
            Self::Beside(things) => things.send(thing).map_err(|_| Ended),
            Self::Here(worked) => go_on(worked, thing),
        }
    }
}

fn go_on<W: Work>(worked: &mut Result<W, W::Error>, thing: W::Thing) -> Result<(), Ended> {
    let work = worked.as_mut().map_err(|_| Ended)?;
    work.take(thing).map_err(|error| {
        *worked = Err(error);
        Ended
    })
}

/// What the other thread gets: bytes of stack, and how many things may wait for it.
pub(super) struct Room {
    pub(super) stack: usize,
    pub(super) things: usize,
}

/// Runs `make` and has `work` take all that this hands over. Gives what both ended with; what the work failed with is the cause of
/// whatever the handing over failed with.
pub(super) fn beside<W: Work, T>(
    work: W,
    room: &Room,
    make: impl FnOnce(&mut Hand<'_, W>) -> T,
) -> (T, Result<W, W::Error>) {
    let mut worked = Ok(work);
    let begun = std::thread::scope(|scope| {
        let (things, arriving) = sync_channel(room.things);
        let worked = &mut worked;
        let working = move || {
            let _ = arriving.into_iter().try_for_each(|thing| go_on(worked, thing));
        };
        let Ok(thread) = Builder::new().stack_size(room.stack).spawn_scoped(scope, working) else {
            return Err(make);
        };
        let mut hand = Hand::Beside(things);
        let made = make(&mut hand);
        drop(hand);
        match thread.join() {
            Ok(()) => Ok(made),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    });
    let made = match begun {
        Ok(made) => made,
        Err(make) => make(&mut Hand::Here(&mut worked)),
    };
    (made, worked)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room { stack: 256 * 1024, things: 2 };

    /// Takes numbers in their order, and none from one on.
    struct Count {
        next: u32,
        most: u32,
    }

    impl Work for Count {
        type Thing = u32;
        type Error = String;

        fn take(&mut self, thing: u32) -> Result<(), String> {
            assert_eq!(thing, self.next);
            self.next += 1;
            if self.next > self.most { Err(format!("{thing}")) } else { Ok(()) }
        }
    }

    fn count(hand: &mut Hand<'_, Count>) -> Result<(), Ended> {
        (0..100).try_for_each(|number| hand.over(number))
    }

    #[test]
    fn all_that_is_made_is_taken_in_its_order_by_one_thread_or_two() {
        let (made, worked) = beside(Count { next: 0, most: 100 }, &ROOM, count);
        assert!(made.is_ok() && worked.is_ok_and(|count| count.next == 100));
        let mut worked = Ok(Count { next: 0, most: 100 });
        assert!(count(&mut Hand::Here(&mut worked)).is_ok() && worked.is_ok_and(|count| count.next == 100));
    }

    #[test]
    fn what_the_work_fails_with_ends_the_making_and_is_given() {
        let (made, worked) = beside(Count { next: 0, most: 3 }, &ROOM, count);
        assert!(made.is_err() && worked.is_err_and(|error| error == "3"));
        let mut worked = Ok(Count { next: 0, most: 3 });
        assert!(count(&mut Hand::Here(&mut worked)).is_err());
        assert!(Hand::Here(&mut worked).over(4).is_err(), "nothing follows");
        assert!(worked.is_err_and(|error| error == "3"));
    }
}
