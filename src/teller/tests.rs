use super::*;
use crate::life::Life;
use crate::prop::{Type, wm_attr_type};
use crate::result::{WM_E_BAD_VALUE, WM_S_FALSE};
use std::ffi::c_void;
use std::fmt;
use std::sync::Mutex;
use wmlicense_core::contact::SessionError;
use wmlicense_core::event::HttpPhase;
use wmlicense_core::failure::Explain as _;
use wmlicense_core::logging::LogSink;
use wmlicense_core::operation::Context;

/// One status as an application receives it.
#[derive(Debug, Clone, PartialEq)]
struct Heard {
    status: wm_status,
    result: wm_result,
    kind: wm_attr_type,
    value: Vec<u8>,
}

/// What an application heard, and what it answers.
#[derive(Default)]
struct Application {
    heard: Mutex<Vec<Heard>>,
    answer: wm_result,
}

unsafe extern "C" fn hear(
    status: wm_status,
    result: wm_result,
    kind: wm_attr_type,
    value: *const c_void,
    size: usize,
    context: *mut c_void,
) -> wm_result {
    // SAFETY: every test keeps its application longer than its teller.
    let application = unsafe { &*context.cast::<Application>() };
    // SAFETY: where there is a value, it has this size.
    let bytes = (size > 0).then(|| unsafe { std::slice::from_raw_parts(value.cast::<u8>(), size) });
    let value = bytes.unwrap_or_default().to_vec();
    application.heard.lock().unwrap().push(Heard { status, result, kind, value });
    application.answer
}

#[derive(Default)]
struct Records(Mutex<Vec<(Level, String)>>);

impl LogSink for Records {
    fn wants(&self, _: Level) -> bool {
        true
    }
    fn record(&self, level: Level, _: &str, message: fmt::Arguments<'_>) {
        self.0.lock().unwrap().push((level, message.to_string()));
    }
}

impl Application {
    fn callback(&self) -> Callback {
        // SAFETY: every test keeps its application longer than its teller.
        unsafe { Callback::new(Some(hear), std::ptr::from_ref(self).cast_mut().cast()) }
    }

    fn teller(&self, final_status: wm_status) -> Teller {
        let live = Life::new().hold().clone().unwrap();
        Teller::new((self.callback(), Arc::default()), None, Log::default(), final_status, live)
    }

    fn heard(&self) -> Vec<Heard> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }

    /// The only status that was heard, of an individualization: its result, and how far that is.
    #[track_caller]
    fn individualization(&self) -> (wm_result, wm_individualize_progress) {
        let heard = self.heard();
        let [Heard { status: status::INDIVIDUALIZE, result, kind, value }] = &heard[..] else { panic!("{heard:?}") };
        assert_eq!((*kind, value.len()), (Type::Binary.number(), size_of::<wm_individualize_progress>()));
        // SAFETY: the value is this struct.
        (*result, unsafe { value.as_ptr().cast::<wm_individualize_progress>().read_unaligned() })
    }
}

fn downloading() -> Event {
    let (phase, http) = (IndividualizePhase::Download, HttpPhase::Receiving);
    Event::Individualize { phase, requests: 2, http, bytes: 30, bytes_total: 40 }
}

fn succeeded() -> Event {
    let (phase, http) = (IndividualizePhase::Succeed, HttpPhase::Completed);
    Event::Individualize { phase, requests: 3, http, bytes: 40, bytes_total: 40 }
}

fn failed(result: wm_result) -> Outcome {
    Outcome::failure(Failure::new(result))
}

#[test]
fn a_failing_answer_to_an_event_cancels() {
    for (answer, flow) in [(WM_S_OK, Flow::Continue), (WM_S_FALSE, Flow::Continue), (WM_E_BAD_VALUE, Flow::Cancel)] {
        let application = Application { answer, ..Application::default() };
        assert_eq!(application.teller(status::BACKUPRESTORE_END).event(&Event::Connecting), flow);
        let heard = application.heard();
        assert_eq!((heard.len(), heard[0].status), (1, status::BACKUPRESTORE_CONNECTING));
    }
}

#[test]
fn an_individualization_within_another_operation_ends_with_that_where_nothing_else_ended_it() {
    for (result, phase) in [(WM_E_BAD_VALUE, phases::FAIL), (WM_E_OPERATION_CANCELED, phases::CANCEL)] {
        let application = Application::default();
        let mut teller = application.teller(status::ACQUIRE_LICENSE);
        assert_eq!(teller.event(&downloading()), Flow::Continue);
        let (told, progress) = application.individualization();
        assert_eq!((told, progress.phase, progress.requests), (WM_S_OK, phases::DOWNLOAD, 2));
        teller.closing(&failed(result));
        let (told, progress) = application.individualization();
        assert_eq!((told, progress.result, progress.phase), (result, result, phase));
        assert_eq!((progress.requests, progress.bytes, progress.bytes_total), (2, 30, 40), "as far as it came");
    }
}

#[test]
fn what_ended_within_another_operation_is_told_once() {
    let application = Application::default();
    let mut teller = application.teller(status::ACQUIRE_LICENSE);
    teller.closing(&failed(WM_E_BAD_VALUE));
    assert_eq!(application.heard(), [], "there was no individualization");
    teller.event(&succeeded());
    let (told, progress) = application.individualization();
    assert_eq!((told, progress.result), (WM_S_INDIVIDUALIZED, WM_S_INDIVIDUALIZED));
    assert_eq!((progress.phase, progress.requests), (phases::SUCCEED, 3));
    teller.closing(&failed(WM_E_BAD_VALUE));
    assert_eq!(application.heard(), []);
    teller.event(&downloading());
    application.heard();
    teller.event(&Event::IndividualizeFailed(SessionError::NeedsIndividualization.explain()));
    let (told, progress) = application.individualization();
    assert_eq!((told, progress.phase), (crate::result::WM_E_NEEDS_INDIVIDUALIZATION, phases::FAIL));
    teller.closing(&failed(WM_E_BAD_VALUE));
    assert_eq!(application.heard(), []);
}

#[test]
fn the_final_status_of_an_individualization_is_its_end() {
    let application = Application::default();
    let mut teller = application.teller(status::INDIVIDUALIZE);
    teller.event(&downloading());
    application.heard();
    assert_eq!(teller.event(&succeeded()), Flow::Continue);
    teller.closing(&Outcome::success(WM_S_INDIVIDUALIZED));
    assert_eq!(application.heard(), [], "it is told once");
    teller.finished(&Outcome::success(WM_S_INDIVIDUALIZED));
    let (told, progress) = application.individualization();
    assert_eq!((told, progress.result, progress.phase), (WM_S_INDIVIDUALIZED, WM_S_INDIVIDUALIZED, phases::SUCCEED));
}

#[test]
fn an_individualization_that_is_over_before_it_began_tells_no_progress() {
    for (outcome, phase) in [
        (Outcome::success(WM_S_OK), phases::SUCCEED),
        (failed(WM_E_BAD_VALUE), phases::FAIL),
        (failed(WM_E_OPERATION_CANCELED), phases::CANCEL),
    ] {
        let application = Application::default();
        application.teller(status::INDIVIDUALIZE).finished(&outcome);
        let (told, progress) = application.individualization();
        assert_eq!((told, progress.result, progress.phase), (outcome.result, outcome.result, phase));
        assert_eq!((progress.requests, progress.http_phase, progress.bytes, progress.bytes_total), (0, 0, 0, 0));
        assert_eq!(progress.struct_size, size_of::<wm_individualize_progress>());
    }
}

#[test]
fn the_final_status_carries_the_page_where_there_is_one() {
    let application = Application::default();
    let teller = || application.teller(status::ACQUIRE_LICENSE);
    teller().finished(&Outcome::success(WM_S_OK));
    let nothing = Heard { status: status::ACQUIRE_LICENSE, result: WM_S_OK, kind: Type::Dword.number(), value: vec![] };
    assert_eq!(application.heard(), [nothing]);
    teller().finished(&failed(WM_E_BAD_VALUE).with_url(Some("https://license.test/".to_owned())));
    let heard = application.heard();
    assert_eq!((heard[0].result, heard[0].kind), (WM_E_BAD_VALUE, Type::String.number()));
    assert_eq!(heard[0].value, b"https://license.test/\0");
}

#[test]
fn who_waited_for_an_operation_gets_its_success_or_its_failure() {
    assert_eq!(Outcome::success(7).into_result().ok(), Some(7));
    let failure = Outcome::failure(Failure::with(WM_E_BAD_VALUE, "It does not fit.")).into_result().unwrap_err();
    assert_eq!((failure.result(), failure.into_detail().message.as_ref()), (WM_E_BAD_VALUE, "It does not fit."));
    assert_eq!(Outcome::from(Ok(7)).result, 7);
    assert_eq!(Outcome::from(Err(Failure::new(WM_E_BAD_VALUE))).result, WM_E_BAD_VALUE);
}

#[test]
fn beginning_and_end_are_recorded_and_only_a_failure_is_one() {
    let recorded = |outcome: &Outcome| {
        let (records, application) = (Arc::new(Records::default()), Application::default());
        let live = Life::new().hold().clone().unwrap();
        let log = Log::to(Arc::<Records>::clone(&records));
        let mut teller =
            Teller::new((application.callback(), Arc::default()), None, log, status::BACKUPRESTORE_END, live);
        teller.begins(Context::inline(None, |_: &Event| Flow::Continue).canceller());
        teller.finished(outcome);
        std::mem::take(&mut *records.0.lock().unwrap())
    };
    for (outcome, level, text) in [
        (Outcome::success(WM_S_OK), Level::Info, "WM_STATUS_BACKUPRESTORE_END WM_S_OK "),
        (
            Outcome::failure(Failure::with(WM_E_BAD_VALUE, "It does not fit.")),
            Level::Error,
            "WM_STATUS_BACKUPRESTORE_END WM_E_BAD_VALUE It does not fit.",
        ),
    ] {
        let records = recorded(&outcome);
        assert_eq!(records[0], (Level::Info, "begins, to end in WM_STATUS_BACKUPRESTORE_END".to_owned()));
        assert_eq!(records[1..], [(level, text.to_owned())]);
    }
}

#[test]
fn without_a_callback_what_is_told_waits_in_the_queue_under_the_objects_handle() {
    // SAFETY: there is no function to call.
    let callback = unsafe { Callback::new(None, std::ptr::null_mut()) };
    let queue = Arc::new(Queue::new(BOUND));
    let live = Life::new().hold().clone().unwrap();
    let mailbox = Some(Mailbox::new(&queue, 77));
    let mut teller = Teller::new((callback, Arc::default()), mailbox, Log::default(), status::ACQUIRE_LICENSE, live);
    let next = || queue.next(Some(std::time::Duration::ZERO)).map(|entry| (entry.token, entry.told.status));
    let context = Context::inline(None, |_: &Event| Flow::Continue);
    teller.begins(context.canceller());
    assert_eq!(teller.event(&downloading()), Flow::Continue);
    assert_eq!((next(), next()), (Ok((77, status::INDIVIDUALIZE)), Err(NextError::Timeout)));
    // Of a cancelled operation only the end comes.
    context.canceller().cancel();
    teller.event(&Event::Connecting);
    assert_eq!(next(), Err(NextError::Timeout));
    teller.closing(&failed(WM_E_OPERATION_CANCELED));
    teller.finished(&failed(WM_E_OPERATION_CANCELED));
    assert_eq!((next(), next()), (Ok((77, status::INDIVIDUALIZE)), Ok((77, status::ACQUIRE_LICENSE))));
    assert_eq!(next(), Err(NextError::Timeout));
}
