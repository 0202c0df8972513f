//! Events as a queue: for bindings that cannot take callbacks on foreign threads, and for poll loops. The queue itself is
//! in `teller/queue.rs`.

use crate::client::wm_client;
use crate::detail::{self, Failure};
use crate::flags::WM_INFINITE;
use crate::gate;
use crate::input::{Out, SizedOut};
use crate::object::{self, Base, Object, handle, resolve};
use crate::prop::wm_attr_type;
use crate::result::{self, WM_E_OPERATION_CANCELED, WM_E_OUTOFMEMORY, WM_E_TIMEOUT, wm_result};
use crate::status::{Told, wm_status};
use crate::teller::{BOUND, NextError, Queue};
use std::ffi::{c_int, c_void};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wmlicense_core::shortage::Shortage;

/// Receives the events of objects that have no callback, for reading at a time and on a thread of the application's
/// choice. Create it before those objects; call wm_next_event, or watch the descriptor of wm_event_queue_fd in a poll loop.
pub struct wm_event_queue {
    _opaque: [u8; 0],
}

handle!(wm_event_queue: EventQueueObject, EventQueue);

/// One event. Set struct_size to sizeof(wm_event) before the call.
#[repr(C)]
pub struct wm_event {
    /// Size of the struct that the caller knows, in bytes.
    pub struct_size: usize,
    /// Handle of the object that it is about. It may have been released since.
    pub object: *mut c_void,
    /// The context that was given when the object was created.
    pub context: *mut c_void,
    /// WM_STATUS_*.
    pub status: wm_status,
    /// 0 or the reason.
    pub result: wm_result,
    /// WM_TYPE_*: type of the value.
    pub type_: wm_attr_type,
    /// What comes with the status; NULL if there is nothing. Valid until the next wm_next_event on this queue or its release.
    pub value: *const c_void,
    /// Size of the value in bytes; of a STRING with its NUL.
    pub size: usize,
}

/// A value in the form of C, aligned for every struct of the interface.
struct Held {
    words: Box<[u64]>,
    kind: wm_attr_type,
    size: usize,
}

impl Held {
    fn of(told: &Told) -> Self {
        told.payload.with_c_form(|kind, value, size| {
            let mut words = vec![0_u64; size.div_ceil(size_of::<u64>())].into_boxed_slice();
            if size > 0 {
                // SAFETY: the payload tells `size` bytes of its own, and the words have room for them.
                unsafe { words.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(value.cast(), size) };
            }
            Self { words, kind, size }
        })
    }

    fn address(&self) -> *const c_void {
        if self.size == 0 { std::ptr::null() } else { self.words.as_ptr().cast() }
    }
}

/// The object behind a `wm_event_queue`.
pub(crate) struct EventQueueObject {
    base: Base,
    queue: Arc<Queue>,
    /// The value that was given out last.
    held: Mutex<Option<Held>>,
}

impl Object for EventQueueObject {
    fn base(&self) -> &Base {
        &self.base
    }

    fn released(&self) {
        self.queue.close();
    }
}

impl EventQueueObject {
    fn next(&self, timeout: Option<Duration>, event: SizedOut<wm_event>) -> Result<(), Failure> {
        let entry = self.queue.next(timeout).map_err(|error| match error {
            NextError::Timeout => Failure::with(WM_E_TIMEOUT, "No event came in time."),
            NextError::Closed => Failure::with(WM_E_OPERATION_CANCELED, "The event queue was released."),
        })?;
        let (held, struct_size) = (Held::of(&entry.told), event.struct_size());
        event.write(wm_event {
            struct_size,
            object: object::as_handle(entry.token),
            context: entry.callback.context(),
            status: entry.told.status,
            result: entry.told.result,
            type_: held.kind,
            value: held.address(),
            size: held.size,
        });
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
        if entry.told.detail.is_some() {
            detail::set(entry.told.detail);
        }
        Ok(())
    }
}

/// Creates the client's event queue. Objects with a background verb that are created from now on with callback NULL deliver
/// their events to it, in order, with the context given for them; objects that have a callback, or that are older, do
/// not. 1024 events wait at most: an operation that has one more pauses until there is room, it is cancelled, or the
/// queue is released; final statuses always have room. Whoever waits for an operation with wm_wait must see to it that
/// somebody reads. After the queue's release its objects tell nothing. *out: receives a handle to release.
/// Fails with WM_E_INVALIDARG for NULL, WM_E_INVALID_HANDLE, WM_E_OUTOFMEMORY, and WM_E_ALREADY_OPEN while the client has
/// a queue; further queues belong to further clients, which may share the store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_create_event_queue(client: *mut wm_client, out: *mut *mut wm_event_queue) -> wm_result {
    // SAFETY: the header makes the caller answer for the place.
    unsafe {
        object::create(out, || {
            let (client, queue) = (resolve(client)?, Arc::new(Queue::new(BOUND)));
            client.take_event_queue(&queue)?;
            Ok(EventQueueObject { base: Base::new(&[]), queue, held: Mutex::default() })
        })
    }
}

/// Takes the oldest event out of the queue. timeout_ms: 0 asks without waiting, WM_INFINITE waits for ever. event: receives
/// it. The final status of a verb comes when the object is ready for the next one. If the event's result is a
/// failure, its detail becomes that of the calling thread. One thread reads at a time: each call ends the value of the
/// one before.
/// Fails with WM_E_INVALIDARG for NULL or a struct_size that is not set, WM_E_INVALID_HANDLE, WM_E_TIMEOUT if no event
/// came in time, and WM_E_OPERATION_CANCELED if the queue is released meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_next_event(queue: *mut wm_event_queue, timeout_ms: u32, event: *mut wm_event) -> wm_result {
    gate::enter(|| {
        let queue = resolve(queue)?;
        // SAFETY: the header makes the caller answer for the event and its struct_size.
        let event = unsafe { SizedOut::new(event)? };
        let timeout = (timeout_ms != WM_INFINITE).then(|| Duration::from_millis(timeout_ms.into()));
        queue.next(timeout, event)
    })
}

/// Tells a file descriptor that poll, select or epoll finds readable exactly while events wait. On readable, call
/// wm_next_event with 0 until it answers WM_E_TIMEOUT, or once: the descriptor stays readable while more wait. It is the
/// same each time, belongs to the queue, closes on exec and with the last release; never read, write or close it.
/// Fails with WM_E_INVALIDARG for NULL, WM_E_INVALID_HANDLE, and WM_E_NO_DESCRIPTORS or WM_E_OUTOFMEMORY if the system has
/// none left.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_event_queue_fd(queue: *mut wm_event_queue, fd_out: *mut c_int) -> wm_result {
    gate::enter(|| {
        let queue = resolve(queue)?;
        // SAFETY: the header makes the caller answer for the place.
        let out = unsafe { Out::new(fd_out, "fd_out")? };
        let without = |error: std::io::Error| {
            let lacking = Shortage::of(&error).map_or(WM_E_OUTOFMEMORY, |shortage| result::of(shortage.into()));
            Failure::with(lacking, error.to_string())
        };
        let fd = queue.queue.fd().map_err(without)?;
        out.write(fd);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::Callback;
    use crate::prop::Type;
    use crate::result::WM_S_OK;
    use crate::status::{self, Payload};
    use crate::teller::Entry;
    use std::ptr::null_mut;

    fn next(handle: *mut wm_event_queue, event: &mut wm_event) -> wm_result {
        // SAFETY: the event has as many bytes as it says, or more.
        unsafe { wm_next_event(handle, 0, event) }
    }

    #[test]
    fn an_event_comes_with_its_object_its_context_and_its_failure_as_far_as_the_caller_knows_events() {
        let queue = Arc::new(Queue::new(BOUND));
        let object = EventQueueObject { base: Base::new(&[]), queue: Arc::clone(&queue), held: Mutex::default() };
        let handle = object::hand_out::<wm_event_queue>(object).unwrap();
        // SAFETY: there is no function to call.
        let callback = unsafe { Callback::new(None, std::ptr::without_provenance_mut(5)) };
        let failed = || {
            let payload = Payload::Text("value".to_owned());
            let detail = Some(Failure::new(WM_E_TIMEOUT).into_detail());
            Entry {
                token: 77,
                callback,
                told: Told { status: status::PROGRESS, result: WM_E_TIMEOUT, payload, detail },
            }
        };
        // SAFETY: zeros are an event.
        let mut event: wm_event = unsafe { std::mem::zeroed() };
        event.struct_size = size_of::<wm_event>();
        assert_eq!(next(handle, &mut event), WM_E_TIMEOUT, "none waits");
        detail::set(None);
        queue.push_last(failed());
        assert_eq!(next(handle, &mut event), WM_S_OK);
        assert_eq!((event.struct_size, event.object.addr(), event.context.addr()), (size_of::<wm_event>(), 77, 5));
        assert_eq!((event.status, event.result, event.size), (status::PROGRESS, WM_E_TIMEOUT, 6));
        // SAFETY: the value has this size until the next call.
        assert_eq!(unsafe { std::slice::from_raw_parts(event.value.cast::<u8>(), event.size) }, b"value\0");
        assert_eq!(detail::last().map(|detail| detail.result), Some(WM_E_TIMEOUT));
        // Who knows less of events gets less of them.
        queue.push_last(failed());
        (event.struct_size, event.object, event.status) = (std::mem::offset_of!(wm_event, status), null_mut(), 0);
        assert_eq!(next(handle, &mut event), WM_S_OK);
        assert_eq!((event.struct_size, event.object.addr()), (std::mem::offset_of!(wm_event, status), 77));
        assert_eq!(event.status, 0);
        // SAFETY: any value may be released.
        assert_eq!(unsafe { object::wm_release(handle.cast()) }, WM_S_OK);
        assert!(queue.is_closed() && next(handle, &mut event) < 0);
    }

    #[test]
    fn values_are_given_as_c_reads_them() {
        let payload = Payload::Text("value".to_owned());
        let held = Held::of(&Told { status: status::PROGRESS, result: WM_S_OK, payload, detail: None });
        assert_eq!((held.kind, held.size), (Type::String.number(), 6));
        assert!(!held.address().is_null());
    }
}
