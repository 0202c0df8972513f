//! What work sees of its operation: telling events, noticing a cancel, waiting. Threads and results are not here.

use super::Cancelled;
use super::control::{Control, lock};
use super::patience::Entered;
use crate::event::{Event, Flow, Network, Progress};
use crate::sync::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Least time between two progress events.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

type Sink = Box<dyn FnMut(&Event) -> Flow + Send>;

/// Progress, at its pace.
#[derive(Default)]
struct Paced {
    told: Option<(Instant, Progress)>,
    /// What came too soon after it.
    untold: Option<Progress>,
}

/// What work sees of its operation.
pub struct Context {
    control: Arc<Control>,
    deadline: Option<Instant>,
    /// Held while an event is told, so that there is one call at a time; nothing that a receiver can call takes it.
    sink: Arc<Mutex<Sink>>,
    network: Arc<Mutex<Option<(Instant, Network)>>>,
    progress: Mutex<Paced>,
    /// The waits of the thread that made it are waits of this operation.
    _entered: Entered,
}

impl Context {
    pub(super) fn new(control: Arc<Control>, deadline: Option<Duration>, sink: Sink) -> Self {
        let deadline = deadline.and_then(|deadline| Instant::now().checked_add(deadline));
        let entered = Entered::new(&control, deadline);
        let (sink, network) = (Arc::new(Mutex::new(sink)), Arc::new(Mutex::new(None)));
        Self { control, deadline, sink, network, progress: Mutex::new(Paced::default()), _entered: entered }
    }

    /// A context for work on the caller's own thread (command line, tests): events go to `event`.
    pub fn inline(deadline: Option<Duration>, event: impl FnMut(&Event) -> Flow + Send + 'static) -> Self {
        Self::new(Control::new(), deadline, Box::new(event))
    }

    /// A handle that cancels this context from another thread.
    pub fn canceller(&self) -> Canceller {
        Canceller(Arc::clone(&self.control))
    }

    /// Tells an event; a receiver that answers [`Flow::Cancel`] cancels the operation. A cancelled operation tells no
    /// more events.
    pub fn emit(&self, event: Event) -> Result<(), Cancelled> {
        emit(&self.control, &self.sink, &event)
    }

    /// What tells of requests, also where the context itself cannot be borrowed.
    pub(crate) fn network_teller(&self) -> NetworkTeller {
        let (control, sink) = (Arc::clone(&self.control), Arc::clone(&self.sink));
        NetworkTeller { control, sink, last: Arc::clone(&self.network) }
    }

    /// Tells progress, at most every 100 ms unless `done == total`. What came too soon is told at the end of the operation, if
    /// nothing came after it.
    pub fn progress(&self, done: u64, total: u64) -> Result<(), Cancelled> {
        self.check()?;
        let progress = Progress { done, total };
        {
            let mut paced = lock(&self.progress);
            let now = Instant::now();
            if let Some((time, told)) = paced.told
                && (told == progress || (done != total && now.duration_since(time) < PROGRESS_INTERVAL))
            {
                paced.untold = Some(progress).filter(|progress| *progress != told);
                return Ok(());
            }
            *paced = Paced { told: Some((now, progress)), untold: None };
        }
        self.emit(Event::Progress(progress))
    }

    /// Tells how far the work came, if that came too soon after what was told of it.
    pub(super) fn last_progress(&self) -> Result<(), Cancelled> {
        let Some(progress) = lock(&self.progress).untold.take() else { return Ok(()) };
        self.emit(Event::Progress(progress))
    }

    /// Fails once the operation was cancelled. Long loops ask at least every 10 ms.
    pub fn check(&self) -> Result<(), Cancelled> {
        self.control.check()
    }

    /// When the operation must be over.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Waits until `until`, or until cancelled.
    pub fn wait_until(&self, until: Instant) -> Result<(), Cancelled> {
        self.control.wait_until(until)
    }

    /// Calls `action` when the operation is cancelled (at once if it is already), until the guard is dropped. The action
    /// runs on the thread that cancels, so it must not block; a cancel that has begun may still run it after the drop.
    pub fn on_cancel(&self, action: Arc<dyn Fn() + Send + Sync>) -> CancelGuard {
        self.canceller().on_cancel(action)
    }
}

fn emit(control: &Control, sink: &Mutex<Sink>, event: &Event) -> Result<(), Cancelled> {
    control.check()?;
    let flow = {
        let mut sink = lock(sink);
        control.call(|| (*sink)(event))
    };
    if flow == Some(Flow::Cancel) {
        control.cancel();
    }
    control.check()
}

/// Tells how far a request is. It must be gone before the operation ends.
#[derive(Clone)]
pub(crate) struct NetworkTeller {
    control: Arc<Control>,
    sink: Arc<Mutex<Sink>>,
    /// What was told last, and when.
    last: Arc<Mutex<Option<(Instant, Network)>>>,
}

impl NetworkTeller {
    /// Tells every change of phase, attempt and host, and of bytes at most one every 100 ms.
    pub(crate) fn tell(&self, network: Network) -> Result<(), Cancelled> {
        self.control.check()?;
        {
            let mut last = lock(&self.last);
            let now = Instant::now();
            if let Some((time, told)) = &*last
                && (told.phase, told.attempt, &told.host) == (network.phase, network.attempt, &network.host)
                && now.duration_since(*time) < PROGRESS_INTERVAL
            {
                return Ok(());
            }
            *last = Some((now, network.clone()));
        }
        emit(&self.control, &self.sink, &Event::Network(network))
    }
}

/// Cancels a [`Context::inline`] from another thread, or from a signal handler's thread of a command line.
#[derive(Clone)]
pub struct Canceller(pub(super) Arc<Control>);

impl Canceller {
    /// Cancels; never waits.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// True once the operation was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// As [`Context::on_cancel`].
    pub fn on_cancel(&self, action: Arc<dyn Fn() + Send + Sync>) -> CancelGuard {
        let id = self.0.register(Arc::clone(&action));
        if id.is_none() {
            action();
        }
        CancelGuard { control: Arc::clone(&self.0), id }
    }
}

/// Keeps an action registered with [`Context::on_cancel`].
pub struct CancelGuard {
    control: Arc<Control>,
    id: Option<u64>,
}

impl Drop for CancelGuard {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.control.forget(id);
        }
    }
}
