//! Who is connected: how many connections there are in all and of each source, and which one goes where another comes. It moves
//! no bytes.

use crate::source::Source;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// A room for so many.
pub(crate) struct Crowd {
    in_all: usize,
    of_one: usize,
    present: Mutex<Present>,
}

#[derive(Default)]
struct Present {
    count: usize,
    /// Counts what happens, as the time by which the one is found that waits longest.
    time: u64,
    by: HashMap<Source, Vec<Arc<Member>>>,
}

/// A connection as the crowd knows it.
pub(crate) struct Member {
    /// A request runs on it.
    busy: AtomicBool,
    /// Since when it waits for a request.
    since: AtomicU64,
    /// Requests begun on it.
    requests: AtomicU64,
    leave: Notify,
}

impl Member {
    /// True while a request runs on it.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Acquire)
    }

    /// Requests begun on it.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Acquire)
    }
}

impl Crowd {
    /// Room for this many connections in all and of each source.
    pub(crate) fn new(in_all: usize, of_one: usize) -> Arc<Self> {
        Arc::new(Self { in_all, of_one, present: Mutex::default() })
    }

    /// A place for a connection of a source, which may be one that has as many as there is room for: a proxy's. Where there is
    /// no room, the connection of the same source, or of the one of which most wait for a request, that waits longest has to go.
    /// None where a request runs on each.
    pub(crate) fn admit(self: &Arc<Self>, source: Source, is_proxy: bool) -> Option<Place> {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let own = present.by.get(&source).map_or(0, Vec::len);
        let from = if own >= self.of_one && !is_proxy {
            Some(source)
        } else if present.count >= self.in_all {
            Some(present.most_waiting()?)
        } else {
            None
        };
        if let Some(from) = from {
            present.send_away(from)?;
        }
        present.time += 1;
        let member = Arc::new(Member {
            busy: AtomicBool::new(false),
            since: AtomicU64::new(present.time),
            requests: AtomicU64::new(0),
            leave: Notify::new(),
        });
        present.by.entry(source).or_default().push(Arc::clone(&member));
        present.count += 1;
        Some(Place { crowd: Arc::clone(self), source, member })
    }

    /// How many connections there are.
    #[cfg(test)]
    fn count(&self) -> usize {
        self.present.lock().unwrap_or_else(PoisonError::into_inner).count
    }
}

impl Present {
    /// The source of which most connections wait for a request. Who has most and works on each makes no room, and that is no
    /// reason to keep those who only sit there.
    fn most_waiting(&self) -> Option<Source> {
        let waiting = |members: &[Arc<Member>]| members.iter().filter(|member| !member.is_busy()).count();
        let counted = self.by.iter().map(|(source, members)| (waiting(members), *source));
        counted.max_by_key(|(waiting, _)| *waiting).filter(|(waiting, _)| *waiting > 0).map(|(_, source)| source)
    }

    /// Lets the connection go that waits longest for a request; none where a request runs on each.
    fn send_away(&mut self, source: Source) -> Option<()> {
        let members = self.by.get(&source)?;
        let waiting = members.iter().filter(|member| !member.is_busy());
        let first = Arc::clone(waiting.min_by_key(|member| member.since.load(Ordering::Relaxed))?);
        first.leave.notify_one();
        self.remove(source, &first);
        Some(())
    }

    /// Forgets a connection, where that was not done before.
    fn remove(&mut self, source: Source, member: &Arc<Member>) {
        let Some(members) = self.by.get_mut(&source) else { return };
        let Some(at) = members.iter().position(|other| Arc::ptr_eq(other, member)) else { return };
        members.swap_remove(at);
        self.count -= 1;
        if members.is_empty() {
            self.by.remove(&source);
        }
    }
}

/// A place in the crowd, free again when it is dropped.
pub(crate) struct Place {
    crowd: Arc<Crowd>,
    source: Source,
    member: Arc<Member>,
}

impl Place {
    pub(crate) fn member(&self) -> Arc<Member> {
        Arc::clone(&self.member)
    }

    /// Ready when another one needs the place.
    pub(crate) async fn taken(&self) {
        self.member.leave.notified().await;
    }

    /// A request begins.
    pub(crate) fn begin(self: &Arc<Self>) -> Request {
        self.member.requests.fetch_add(1, Ordering::AcqRel);
        self.member.busy.store(true, Ordering::Release);
        Request(Arc::clone(self))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut present = self.crowd.present.lock().unwrap_or_else(PoisonError::into_inner);
        present.remove(self.source, &self.member);
    }
}

/// A request that runs until this is dropped.
pub(crate) struct Request(Arc<Place>);

impl Drop for Request {
    fn drop(&mut self) {
        let Place { crowd, member, .. } = &*self.0;
        let mut present = crowd.present.lock().unwrap_or_else(PoisonError::into_inner);
        present.time += 1;
        member.since.store(present.time, Ordering::Relaxed);
        member.busy.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(last: u8) -> Source {
        Source::of([192, 0, 2, last].into())
    }

    async fn is_sent_away(place: &Place) -> bool {
        tokio::time::timeout(std::time::Duration::ZERO, place.taken()).await.is_ok()
    }

    #[tokio::test]
    async fn who_comes_beyond_the_room_of_a_source_takes_the_place_of_who_waits_longest() {
        let crowd = Crowd::new(10, 2);
        let first = Arc::new(crowd.admit(source(1), false).unwrap());
        let second = crowd.admit(source(1), false).unwrap();
        drop(first.begin());
        let _third = crowd.admit(source(1), false).unwrap();
        assert!(is_sent_away(&second).await && !is_sent_away(&first).await, "a request made the first one the later");
        assert_eq!(crowd.count(), 2);
        drop(second);
        assert_eq!(crowd.count(), 2, "it was counted out when it was sent away");
    }

    #[tokio::test]
    async fn nobody_takes_a_place_on_which_a_request_runs() {
        let crowd = Crowd::new(10, 2);
        let busy: Vec<_> = (0..2).map(|_| Arc::new(crowd.admit(source(1), false).unwrap())).collect();
        let requests: Vec<_> = busy.iter().map(Place::begin).collect();
        assert!(crowd.admit(source(1), false).is_none());
        assert!(crowd.admit(source(1), true).is_some(), "a proxy has as many as there is room for");
        assert!(crowd.admit(source(2), false).is_some());
        drop(requests);
        assert!(crowd.admit(source(1), false).is_some());
    }

    #[tokio::test]
    async fn in_a_full_room_those_who_sit_there_make_room_though_another_has_most_and_works() {
        let crowd = Crowd::new(5, 3);
        let busy: Vec<_> = (0..3).map(|_| Arc::new(crowd.admit(source(1), false).unwrap())).collect();
        let requests: Vec<_> = busy.iter().map(Place::begin).collect();
        let idle = Arc::new(crowd.admit(source(2), false).unwrap());
        let other = Arc::new(crowd.admit(source(3), false).unwrap());
        let running = other.begin();
        let next = crowd.admit(source(4), false).expect("one of them only waits");
        assert!(is_sent_away(&idle).await);
        let _request = Arc::new(next).begin();
        assert!(crowd.admit(source(5), false).is_none(), "a request runs on each");
        drop((requests, running));
    }

    #[tokio::test]
    async fn in_a_full_room_who_has_most_makes_room() {
        let crowd = Crowd::new(4, 3);
        let one = crowd.admit(source(1), false).unwrap();
        let many: Vec<_> = (0..3).map(|_| crowd.admit(source(2), false).unwrap()).collect();
        let _other = crowd.admit(source(3), false).unwrap();
        assert!(!is_sent_away(&one).await && is_sent_away(&many[0]).await);
        assert_eq!(crowd.count(), 4);
    }
}
