//! Running an operation to its end: a progress bar for people, and what was reported on the way.

use crate::failure::Failure;
use crate::interrupt;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wmlicense_core::event::LicenseFault;
use wmlicense_core::event::{ClosedSections, LeftOut, RestoreVerdict};
use wmlicense_core::event::{Event, Flow, Network, Progress};
use wmlicense_core::operation::{Canceller, Context, Observer, Operation};
use wmlicense_wire::id::Kid;

/// What an operation reported.
#[derive(Default)]
pub(crate) struct Reported {
    /// Licenses that may not be backed up.
    pub(crate) restricted: Vec<Kid>,
    /// Licenses that a check found damaged.
    pub(crate) damaged: Vec<(Kid, LicenseFault)>,
    /// What a restore would do with each license.
    pub(crate) verdicts: Vec<RestoreVerdict>,
    /// Licenses that a restore left out.
    pub(crate) left_out: Vec<LeftOut>,
    /// Parts of a backup that stayed closed.
    pub(crate) closed: Vec<ClosedSections>,
    /// Licenses whose owner wants them to be renewed by now.
    pub(crate) due: Vec<Kid>,
    /// An answer was decided for nobody although an account was presented.
    pub(crate) account_not_presented: bool,
    /// The service was asked.
    pub(crate) asked_service: bool,
}

/// An operation failed, and what it reported before.
pub(crate) struct Stopped {
    pub(crate) failure: Failure,
    pub(crate) reported: Box<Reported>,
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self { failure, reported: Box::default() }
    }
}

impl From<Stopped> for Failure {
    fn from(stopped: Stopped) -> Self {
        stopped.failure
    }
}

struct Watch {
    reported: Arc<Mutex<Reported>>,
    bar: ProgressBar,
}

impl Watch {
    fn note(&self, note: impl FnOnce(&mut Reported)) {
        note(&mut self.reported.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl<R> Observer<R> for Watch {
    fn begins(&mut self, canceller: Canceller) {
        interrupt::begins(canceller);
    }

    fn event(&mut self, event: &Event) -> Flow {
        match event {
            Event::Progress(Progress { done, total }) => {
                if *total > 0 && self.bar.length().is_none() {
                    self.bar.set_style(style(BAR));
                }
                if *total > 0 {
                    self.bar.set_length(*total);
                }
                self.bar.set_position(*done);
            }
            Event::RestrictedLicense(kid) => self.note(|reported| reported.restricted.push(*kid)),
            Event::RestoreVerdict(verdict) => self.note(|reported| reported.verdicts.push(verdict.clone())),
            Event::LicenseRefused(license) => self.note(|reported| reported.left_out.push(license.clone())),
            Event::SectionsClosed(closed) => self.note(|reported| reported.closed.push(closed.clone())),
            Event::DamagedLicense { kid, fault } => self.note(|reported| reported.damaged.push((*kid, *fault))),
            Event::Connecting => {
                self.note(|reported| reported.asked_service = true);
                self.bar.set_message("asking the license management service");
            }
            Event::Disconnecting => self.bar.set_message(""),
            Event::Network(Network { next_try: Some(pause), attempt, attempts, host, .. }) => {
                let left = if *attempts == 0 { String::new() } else { format!(" of {attempts}") };
                self.bar
                    .set_message(format!("{host} did not answer: try {attempt}{left} again in {} s", pause.as_secs()));
            }
            Event::Network(Network { host, .. }) => self.bar.set_message(format!("asking {host}")),
            Event::RenewalDue(kid) => self.note(|reported| reported.due.push(*kid)),
            Event::AccountNotPresented => self.note(|reported| reported.account_not_presented = true),
            Event::Individualize { .. } => self.bar.set_message("individualizing this device"),
            // The result says the same again.
            Event::BackupRestoreBegin
            | Event::ErrorWithUrl { .. }
            | Event::IndividualizeFailed(_)
            | Event::NeedsIndividualization => {}
        }
        Flow::Continue
    }

    fn finished(&mut self, _: &R) {
        self.bar.finish_and_clear();
    }
}

/// What is shown while nobody knows how much there is to do, and where somebody does.
const SPINNER: &str = "{spinner} {msg}";
const BAR: &str = "{wide_bar} {pos}/{len} {msg}";
/// How often the spinner turns.
const TICK: Duration = Duration::from_millis(120);

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// How an operation ended; nothing if it panicked.
type End<T, E> = Option<Arc<Result<T, E>>>;

/// Runs `work` and gives its result, or its failure, with what it reported.
pub(crate) fn run<T, E>(
    json: bool,
    work: impl FnOnce(&Context) -> Result<T, E> + Send + 'static,
) -> Result<(T, Reported), Stopped>
where
    T: Clone + Send + Sync + 'static,
    E: Send + Sync + 'static,
    for<'e> Failure: From<&'e E>,
{
    run_within(None, json, work)
}

/// As [`run`], for so long at most.
pub(crate) fn run_within<T, E>(
    deadline: Option<Duration>,
    json: bool,
    work: impl FnOnce(&Context) -> Result<T, E> + Send + 'static,
) -> Result<(T, Reported), Stopped>
where
    T: Clone + Send + Sync + 'static,
    E: Send + Sync + 'static,
    for<'e> Failure: From<&'e E>,
{
    let reported = Arc::new(Mutex::new(Reported::default()));
    // On a terminal only; elsewhere the bar shows nothing.
    let target = if json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(None, target).with_style(style(SPINNER));
    if !bar.is_hidden() {
        bar.enable_steady_tick(TICK);
    }
    let watch = Watch { reported: Arc::clone(&reported), bar };
    let operation: Arc<Operation<End<T, E>>> = Operation::new();
    let work = move |context: &Context| Some(Arc::new(work(context)));
    interrupt::listen();
    operation
        .start(deadline, Box::new(watch), work, || None)
        .map_err(|error| Failure::new(error, "try again when the machine is less busy"))?;
    let result = operation.wait(None);
    interrupt::ends();
    let result = result.ok().flatten().ok_or_else(Failure::internal)?;
    let reported = std::mem::take(&mut *reported.lock().unwrap_or_else(PoisonError::into_inner));
    match &*result {
        Ok(value) => Ok((value.clone(), reported)),
        Err(error) => Err(Stopped { failure: error.into(), reported: Box::new(reported) }),
    }
}
