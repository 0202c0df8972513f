//! Whose turn it is to compute: so many at a time, and whoever waits comes next to each other source that waits, however many wait
//! of one. What is computed is not here.

use crate::source::Source;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// So many turns at a time, and who waits for one.
pub(crate) struct Turns(Mutex<State>);

struct State {
    free: usize,
    /// Those who wait of each source, in their order.
    by: HashMap<Source, VecDeque<oneshot::Sender<Turn>>>,
    /// The sources of which one waits, each once; first who is next.
    order: VecDeque<Source>,
}

impl State {
    /// Who is next: one of the source that waits longest for a turn, which then waits behind all others again.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let source = self.order.pop_front()?;
        let waiting = self.by.get_mut(&source)?;
        let first = waiting.pop_front();
        if waiting.is_empty() {
            self.by.remove(&source);
        } else {
            self.order.push_back(source);
        }
        first
    }
}

impl Turns {
    /// This many at a time.
    pub(crate) fn new(free: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { free, by: HashMap::new(), order: VecDeque::new() })))
    }

    /// A turn, which is over when it is dropped. Networks of one owner wait in one line.
    pub(crate) async fn turn(self: &Arc<Self>, source: Source) -> Option<Turn> {
        let source = source.site().unwrap_or(source);
        let given = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if state.free > 0 {
                state.free -= 1;
                return Some(Turn(Some(Arc::clone(self))));
            }
            let (give, given) = oneshot::channel();
            let State { by, order, .. } = &mut *state;
            let waiting = by.entry(source).or_default();
            if waiting.is_empty() {
                order.push_back(source);
            }
            waiting.push_back(give);
            given
        };
        given.await.ok()
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.by.values().flatten().filter(|waiting| !waiting.is_closed()).count()
    }

    /// Gives a turn that is over to who is next and still waits.
    fn pass_on(self: &Arc<Self>) {
        loop {
            let next = {
                let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                let next = state.next();
                if next.is_none() {
                    state.free += 1;
                }
                next
            };
            let Some(next) = next else { return };
            match next.send(Turn(Some(Arc::clone(self)))) {
                Ok(()) => return,
                // Who went away has none to give back.
                Err(mut turn) => turn.0 = None,
            }
        }
    }
}

/// A turn, until it is dropped.
pub(crate) struct Turn(Option<Arc<Turns>>);

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.0.take() {
            turns.pass_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(last: u8) -> Source {
        Source::of([192, 0, 2, last].into())
    }

    /// Lets everything run that can.
    async fn settle() {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn who_comes_after_a_hundred_of_one_source_is_next() {
        let turns = Turns::new(1);
        let first = turns.turn(source(1)).await.unwrap();
        let (told, mut order) = tokio::sync::mpsc::unbounded_channel();
        for of in [&[1; 100][..], &[2]].concat() {
            let (turns, told) = (Arc::clone(&turns), told.clone());
            tokio::spawn(async move {
                let turn = turns.turn(source(of)).await;
                told.send(of).unwrap();
                drop(turn);
            });
            settle().await;
        }
        assert_eq!(turns.waiting(), 101);
        drop(first);
        let mut came = Vec::new();
        for _ in 0..101 {
            came.push(order.recv().await.unwrap());
        }
        assert_eq!(came.iter().position(|of| *of == 2), Some(1), "{came:?}");
        settle().await;
        assert_eq!((turns.waiting(), turns.0.lock().unwrap().free), (0, 1));
    }

    #[tokio::test]
    async fn the_turn_of_who_went_away_goes_to_another() {
        let turns = Turns::new(1);
        let first = turns.turn(source(1)).await.unwrap();
        let wait = |of| {
            let turns = Arc::clone(&turns);
            tokio::spawn(async move { turns.turn(source(of)).await })
        };
        let (gone, given, stays) = (wait(2), wait(3), wait(4));
        settle().await;
        gone.abort();
        settle().await;
        assert_eq!(turns.waiting(), 2);
        drop(first);
        // This one has a turn that it never looks at.
        let turn = given.await.unwrap();
        drop(turn);
        assert!(stays.await.unwrap().is_some());
        assert_eq!(turns.0.lock().unwrap().free, 1);
    }

    #[tokio::test]
    async fn networks_of_one_site_wait_in_one_line() {
        let of = |text: &str| Source::of(text.parse().unwrap());
        let turns = Turns::new(1);
        let first = turns.turn(of("2001:db8:1::")).await.unwrap();
        let mut waiting = Vec::new();
        for text in ["2001:db8:1:1::", "2001:db8:1:2::", "2001:db8:2::"] {
            let turns = Arc::clone(&turns);
            waiting.push(tokio::spawn(async move { drop(turns.turn(of(text)).await) }));
            settle().await;
        }
        assert_eq!(turns.0.lock().unwrap().order.len(), 2);
        drop(first);
        for task in waiting {
            task.await.unwrap();
        }
    }
}
