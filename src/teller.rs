//! What an operation tells: its events as statuses, the end of what it does on the way, and the final status. They go to the
//! callback in turns (`teller/turn.rs`), or to the event queue (`teller/queue.rs`).

mod queue;
mod turn;

use crate::callback::Callback;
use crate::detail::{Detail, Failure};
use crate::life::Live;
use crate::result::{self, WM_E_OPERATION_CANCELED, WM_S_INDIVIDUALIZED, WM_S_OK, wm_result};
use crate::status::{self, Payload, Told, phases, wm_individualize_progress, wm_status};
pub(crate) use queue::{BOUND, NextError, Queue};
use std::borrow::Cow;
use std::sync::Arc;
pub(crate) use turn::{Aside, Turn};
use wmlicense_core::event::{Event, Flow, IndividualizePhase};
use wmlicense_core::logging::{Level, Log, target};
use wmlicense_core::operation::{Canceller, Observer};

/// How an operation ended.
#[derive(Clone)]
pub(crate) struct Outcome {
    /// Result of the final status.
    pub(crate) result: wm_result,
    /// Detail, if the result is a failure.
    pub(crate) detail: Option<Arc<Detail>>,
    /// URL that comes with the final status.
    pub(crate) url: Option<String>,
}

impl Outcome {
    /// Ended with this success.
    pub(crate) fn success(result: wm_result) -> Self {
        Self { result, detail: None, url: None }
    }

    /// Ended without doing what was asked. A cancelled acquisition is a success by its number and has no detail.
    pub(crate) fn failure(failure: impl Into<Failure>) -> Self {
        let failure = failure.into();
        let result = failure.result();
        Self { result, detail: (result < 0).then(|| failure.into_detail()), url: None }
    }

    /// What a function answers that waited for it.
    pub(crate) fn into_result(self) -> Result<wm_result, Failure> {
        self.detail.map_or(Ok(self.result), |detail| Err(Failure::of_detail(&detail)))
    }

    /// The final status carries this URL.
    pub(crate) fn with_url(mut self, url: Option<String>) -> Self {
        self.url = url;
        self
    }
}

impl From<Result<wm_result, Failure>> for Outcome {
    fn from(ended: Result<wm_result, Failure>) -> Self {
        ended.map_or_else(Self::failure, Self::success)
    }
}

/// One event of one object, on its way through a queue.
pub(crate) struct Entry {
    pub(crate) token: u64,
    pub(crate) callback: Callback,
    pub(crate) told: Told,
}

/// The queue that gets the events of an object without a callback.
pub(crate) struct Mailbox {
    queue: Arc<Queue>,
    token: u64,
    canceller: Option<Canceller>,
}

/// Turns events into statuses and the outcome into the final one.
pub(crate) struct Teller {
    callback: Callback,
    turn: Arc<Turn>,
    mailbox: Option<Mailbox>,
    log: Log,
    final_status: wm_status,
    progress: wm_individualize_progress,
    /// An individualization within another operation was told of, and its end was not.
    individualizing: bool,
    /// Keeps the object counted until the last status was told.
    _live: Arc<Live>,
}

impl Mailbox {
    pub(crate) fn new(queue: &Arc<Queue>, token: u64) -> Self {
        Self { queue: Arc::clone(queue), token, canceller: None }
    }
}

impl Teller {
    /// Tells an operation of the object that `live` keeps counted.
    pub(crate) fn new(
        (callback, turn): (Callback, Arc<Turn>),
        mailbox: Option<Mailbox>,
        log: Log,
        final_status: wm_status,
        live: Arc<Live>,
    ) -> Self {
        let (progress, individualizing) = (nothing_yet(), false);
        Self { callback, turn, mailbox, log, final_status, progress, individualizing, _live: live }
    }

    fn name(&self) -> Cow<'static, str> {
        status::name(self.final_status).to_string_lossy()
    }

    fn log_end(&self, outcome: &Outcome) {
        let level = if outcome.result < 0 { Level::Error } else { Level::Info };
        let row = result::row(outcome.result).map_or(c"unknown result", |row| row.name).to_string_lossy();
        let why = outcome.detail.as_ref().map_or("", |detail| &detail.message);
        self.log.record(level, target::OPERATION, format_args!("{} {row} {why}", self.name()));
    }

    fn tell(&mut self, told: Told) -> Flow {
        let Some(mailbox) = &mut self.mailbox else {
            return self.turn.during(|| self.callback.tell(&told));
        };
        let entry = Entry { token: mailbox.token, callback: self.callback, told };
        match &mailbox.canceller {
            Some(canceller) => mailbox.queue.push(entry, canceller),
            None => mailbox.queue.push_last(entry),
        }
        Flow::Continue
    }

    fn end_of_individualization(&self, outcome: &Outcome) -> Told {
        let (result, detail) = (outcome.result, outcome.detail.clone());
        let phase = match result {
            WM_E_OPERATION_CANCELED => phases::CANCEL,
            result if result < 0 => phases::FAIL,
            _ => phases::SUCCEED,
        };
        let payload = Payload::Individualize(wm_individualize_progress { result, phase, ..self.progress });
        Told { status: status::INDIVIDUALIZE, result, payload, detail }
    }

    /// Tells what the end of the operation brings.
    fn tell_last(&mut self, told: Told) {
        match &mut self.mailbox {
            Some(mailbox) => mailbox.queue.push_last(Entry { token: mailbox.token, callback: self.callback, told }),
            // The operation is over: whether the application would go on makes no difference.
            None => drop(self.turn.during(|| self.callback.tell(&told))),
        }
    }
}

impl Observer<Outcome> for Teller {
    fn log(&self) -> Log {
        self.log.clone()
    }

    fn begins(&mut self, canceller: Canceller) {
        self.log.record(Level::Info, target::OPERATION, format_args!("begins, to end in {}", self.name()));
        if let Some(mailbox) = &mut self.mailbox {
            mailbox.canceller = Some(canceller);
        }
    }

    fn event(&mut self, event: &Event) -> Flow {
        let told = Told::of(event);
        let is_all = self.final_status == status::INDIVIDUALIZE;
        if let Payload::Individualize(progress) = told.payload {
            self.progress = progress;
            self.individualizing = !is_all;
        }
        let ended = individualized(event);
        match ended {
            None => self.tell(told),
            // Its end is told once, by the final status, which carries the result.
            Some(_) if is_all => Flow::Continue,
            Some(outcome) => {
                self.individualizing = false;
                let told = self.end_of_individualization(&outcome);
                self.tell(told)
            }
        }
    }

    fn closing(&mut self, outcome: &Outcome) {
        if self.individualizing {
            let told = self.end_of_individualization(outcome);
            self.tell_last(told);
        }
    }

    fn finished(&mut self, outcome: &Outcome) {
        self.log_end(outcome);
        let told = if self.final_status == status::INDIVIDUALIZE {
            self.end_of_individualization(outcome)
        } else {
            let payload = outcome.url.clone().map_or(Payload::Nothing, Payload::Text);
            let (result, detail) = (outcome.result, outcome.detail.clone());
            Told { status: self.final_status, result, payload, detail }
        };
        self.tell_last(told);
    }
}

/// How an individualization ended, where the event says so.
fn individualized(event: &Event) -> Option<Outcome> {
    if let Event::IndividualizeFailed(why) = event {
        return Some(Outcome::failure(why));
    }
    let succeeded = matches!(event, Event::Individualize { phase: IndividualizePhase::Succeed, .. });
    succeeded.then(|| Outcome::success(WM_S_INDIVIDUALIZED))
}

fn nothing_yet() -> wm_individualize_progress {
    wm_individualize_progress {
        struct_size: size_of::<wm_individualize_progress>(),
        result: WM_S_OK,
        phase: phases::BEGIN,
        requests: 0,
        http_phase: 0,
        bytes: 0,
        bytes_total: 0,
    }
}

#[cfg(test)]
mod tests;
