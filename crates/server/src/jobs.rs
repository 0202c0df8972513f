//! A request as one job: on a thread that may wait, from its bytes to where it needs others, such as the one that commits. What a
//! request does is in the roles, whose turn it is in `turns.rs`.

use crate::turns::Turn;
use std::any::Any;
use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::task::JoinError;

thread_local! {
    /// The job that runs on this thread, with what it keeps until it ends.
    static JOB: RefCell<Option<Job>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct Job {
    kept: Option<Box<dyn Any>>,
}

/// A job that began on this thread. It is over with the drop, also where it panics.
struct Begun;

impl Begun {
    fn begin() -> Self {
        JOB.set(Some(Job::default()));
        Self
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        // Dropped behind the taking, because what is kept may ask for its job while it goes.
        drop(JOB.take());
    }
}

/// True on a thread that runs a job: it may compute, and wait for a file.
pub(crate) fn is_here() -> bool {
    JOB.with_borrow(Option::is_some)
}

/// What the job of this thread keeps, which is taken out; nothing where there is none of this type.
pub(crate) fn take<T: 'static>() -> Option<Box<T>> {
    let kept = JOB.with_borrow_mut(|job| job.as_mut().and_then(|job| job.kept.take()));
    kept.and_then(|kept| kept.downcast().ok())
}

/// Keeps something until the job of this thread ends, in place of what it kept before; at once where none runs here.
pub(crate) fn keep<T: 'static>(kept: Box<T>) {
    let kept: Box<dyn Any> = kept;
    let old = JOB.with_borrow_mut(|job| match job {
        Some(job) => job.kept.replace(kept),
        None => Some(kept),
    });
    // Behind the borrow, because what goes may ask for the job as well.
    drop(old);
}

/// Ends what the job of this thread keeps, because what follows needs it no more.
pub(crate) fn let_go() {
    // Behind the borrow, as in [`keep`].
    let kept = JOB.with_borrow_mut(|job| job.as_mut().and_then(|job| job.kept.take()));
    drop(kept);
}

/// Runs a request as a job up to where it first waits for somebody else, and from there on where it is awaited. Whoever goes away
/// meanwhile ends it there.
pub(crate) async fn run<T: Send + 'static>(
    turn: Turn,
    request: impl Future<Output = T> + Send + 'static,
) -> Result<T, JoinError> {
    // Whoever wakes the request wakes whoever awaits it.
    let waker = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
    let span = tracing::Span::current();
    let mut request: Pin<Box<dyn Future<Output = T> + Send>> = Box::pin(request);
    let job = move || {
        // Over with the job, also where nobody waits for it any more.
        let _turn = turn;
        let _begun = Begun::begin();
        let polled = span.in_scope(|| request.as_mut().poll(&mut Context::from_waker(&waker)));
        (polled, request)
    };
    match tokio::task::spawn_blocking(job).await? {
        (Poll::Ready(end), _) => Ok(end),
        // Polled again at once, so that nothing is missed that came meanwhile.
        (Poll::Pending, request) => Ok(request.await),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;
    use crate::turns::Turns;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::oneshot;

    /// Counts the drops of what is kept.
    struct Kept(Arc<AtomicUsize>);

    impl Drop for Kept {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    async fn a_turn(turns: &Arc<Turns>) -> Turn {
        turns.turn(Source::NONE).await.unwrap()
    }

    #[tokio::test]
    async fn what_needs_nobody_ends_in_its_job_with_all_that_it_kept() {
        let (turns, dropped) = (Turns::new(1), Arc::new(AtomicUsize::new(0)));
        let here = std::thread::current().id();
        let counted = Arc::clone(&dropped);
        let request = async move {
            keep(Box::new(Kept(Arc::clone(&counted))));
            assert!(take::<String>().is_none(), "another type is none of its own");
            keep(Box::new(Kept(Arc::clone(&counted))));
            assert!(take::<Kept>().is_some_and(|kept| kept.0.load(Ordering::SeqCst) == 1));
            keep(Box::new(Kept(counted)));
            (is_here(), std::thread::current().id())
        };
        let (was_job, there) = run(a_turn(&turns).await, request).await.unwrap();
        assert!(was_job && there != here && !is_here());
        assert_eq!(dropped.load(Ordering::SeqCst), 3);
        // The turn is over as well.
        a_turn(&turns).await;
    }

    #[tokio::test]
    async fn what_waits_for_others_leaves_its_job_and_its_turn_and_goes_on_outside() {
        let (turns, (tell, told)) = (Turns::new(1), oneshot::channel::<u8>());
        let request = async move {
            let before = is_here();
            (before, told.await.unwrap(), is_here())
        };
        let running = tokio::spawn(run(a_turn(&turns).await, request));
        // Had only when the job is over, though its request is not.
        a_turn(&turns).await;
        tell.send(7).unwrap();
        assert_eq!(running.await.unwrap().unwrap(), (true, 7, false));
    }

    #[tokio::test]
    async fn a_request_that_is_woken_before_its_job_ended_is_not_woken_again_and_goes_on() {
        let turns = Turns::new(1);
        let mut polls = 0;
        let request = poll_fn(move |context| {
            polls += 1;
            context.waker().wake_by_ref();
            if polls == 1 { Poll::Pending } else { Poll::Ready(()) }
        });
        let run = run(a_turn(&turns).await, request);
        tokio::time::timeout(std::time::Duration::from_secs(20), run).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_job_that_panics_ends_and_leaves_its_thread_and_its_turn_to_others() {
        let (turns, dropped) = (Turns::new(1), Arc::new(AtomicUsize::new(0)));
        let kept = Kept(Arc::clone(&dropped));
        let request = async move {
            keep(Box::new(kept));
            assert!(!is_here(), "as it is meant to");
        };
        assert!(run(a_turn(&turns).await, request).await.unwrap_err().is_panic());
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
        assert!(run(a_turn(&turns).await, async { take::<Kept>().is_none() }).await.unwrap());
    }

    #[tokio::test]
    async fn whoever_goes_away_while_it_waits_for_others_ends_the_request() {
        let (turns, (told, tell)) = (Turns::new(1), oneshot::channel::<()>());
        let waiting = tokio::spawn(run(a_turn(&turns).await, async move {
            let _told = told;
            std::future::pending::<()>().await;
        }));
        a_turn(&turns).await;
        waiting.abort();
        assert!(tell.await.is_err(), "what the request held is dropped with it");
    }
}
