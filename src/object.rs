//! Objects as C sees them: handles, references, waiting and cancelling. How a handle becomes an object is in
//! `object/table.rs`, what is set on it in `object/properties.rs`; what an object can do is in the file of its name.

pub mod properties;
mod table;

use crate::detail::{self, Failure};
use crate::flags::WM_INFINITE;
use crate::gate;
use crate::input::{self, Out};
use crate::life::{self, Life};
use crate::memory;
use crate::prop::{Access, Key, Properties, Specs, Value};
use crate::result::{WM_E_INVALID_HANDLE, WM_E_INVALIDARG, WM_E_NO_OPERATION, WM_E_OUTOFMEMORY, WM_S_OK, wm_result};
use crate::worker::Worker;
use std::any::Any;
use std::ffi::c_void;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use table::{Reader, Table, TableError, Token};

/// What a handle may stand for. The numbers are part of each token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Client = 1,
    Individualizer = 2,
    ContentHeader = 3,
    LicenseRequest = 4,
    LicenseEnumerator = 5,
    BackupRestorer = 6,
    Decryptor = 7,
    RevocationAgent = 9,
    EventQueue = 10,
    Exchange = 11,
    StoreKeeper = 8,
}

/// A type that C knows only by name. It pairs the name with the object behind it, so that a mix-up does not compile.
pub(crate) trait Handle {
    /// The object behind the handle.
    type Target: Object;
    /// Its kind.
    const KIND: Kind;
}

/// Says which object is behind a type that C knows only by name.
macro_rules! handle {
    ($name:ident: $target:ty, $kind:ident) => {
        impl $crate::object::Handle for $name {
            type Target = $target;
            const KIND: $crate::object::Kind = $crate::object::Kind::$kind;
        }
    };
}
pub(crate) use handle;

/// What every object has. Operations share it; they do not keep the object.
pub(crate) struct Base {
    /// Whether the application still holds it.
    pub(crate) life: Arc<Life>,
    /// Its stored properties.
    pub(crate) properties: Arc<Properties>,
}

impl Base {
    /// Of a new object with these properties.
    pub(crate) fn new(specs: Specs) -> Self {
        Self { life: Arc::new(Life::new()), properties: Arc::new(Properties::new(specs)) }
    }
}

/// What every object can do.
pub(crate) trait Object: Any + Send + Sync {
    /// What it has as every object has it.
    fn base(&self) -> &Base;
    /// The value of a property that is not stored but asked for.
    fn computed(&self, _key: Key) -> Result<Option<Value>, Failure> {
        Ok(None)
    }
    /// Texts that can be read like properties under names that the object's content chose.
    fn foreign(&self) -> Vec<(String, String)> {
        Vec::new()
    }
    /// Whether a property may be changed at present.
    fn may_change(&self, _access: Access) -> Result<(), Failure> {
        Ok(())
    }
    /// Its operations, if it has verbs that run in the background.
    fn worker(&self) -> Option<&Worker> {
        None
    }
    /// The application let go of it: nothing may be told through it any more.
    fn released(&self) {}
}

static OBJECTS: LazyLock<Table<Arc<dyn Object>>> = LazyLock::new(Table::new);

thread_local! {
    static READER: Reader = OBJECTS.reader();
}

/// Shows the object behind a handle, which stays as long as `look` runs: see [`Table::with`] for what `look` must not do.
fn look_at<R>(token: Token, kind: Option<Kind>, look: impl FnOnce(&Arc<dyn Object>) -> R) -> Result<R, Failure> {
    let kind = kind.map(|kind| kind as u8);
    let mut look = Some(look);
    let mut once = |object: &Arc<dyn Object>| look.take().map(|look| look(object));
    // A thread that is about to end may have no reader any more.
    let found = READER.try_with(|reader| OBJECTS.with(reader, (token, kind), &mut once));
    let found = found.unwrap_or_else(|_| OBJECTS.get(token, kind).map(|object| once(&object)));
    found.map_err(refused)?.ok_or_else(|| Failure::new(WM_E_INVALID_HANDLE))
}

/// As [`look_at`], at an object of a known type.
pub(crate) fn look<H: Handle, R>(handle: *mut H, look: impl FnOnce(&H::Target) -> R) -> Result<R, Failure> {
    let looked = look_at(not_null(handle)?, Some(H::KIND), |object| {
        let object: &dyn Any = object.as_ref();
        object.downcast_ref().map(look)
    });
    looked?.ok_or_else(|| Failure::new(WM_E_INVALID_HANDLE))
}

fn refused(error: TableError) -> Failure {
    Failure::new(match error {
        TableError::Invalid => WM_E_INVALID_HANDLE,
        TableError::Full => WM_E_OUTOFMEMORY,
    })
}

fn not_null<T>(handle: *mut T) -> Result<u64, Failure> {
    if handle.is_null() { Err(Failure::with(WM_E_INVALIDARG, "The handle is NULL.")) } else { Ok(handle.addr() as u64) }
}

/// Gives an object its first handle.
pub(crate) fn hand_out<H: Handle>(object: H::Target) -> Result<*mut H, Failure> {
    let object = Arc::new(object);
    let token = OBJECTS.insert(H::KIND as u8, Arc::<H::Target>::clone(&object)).map_err(refused)?;
    if let Some(worker) = object.worker() {
        worker.known_as(token);
    }
    Ok(as_handle(token))
}

/// Makes a handle invalid that the library itself held.
pub(crate) fn take_back<H: Handle>(handle: *mut H) {
    if let Ok(Some(object)) = not_null(handle).and_then(|token| OBJECTS.release(token).map_err(refused)) {
        let_go(object.as_ref());
    }
}

/// What C holds of a token.
pub(crate) fn as_handle<H>(token: u64) -> *mut H {
    std::ptr::without_provenance_mut(token as usize)
}

/// The object behind a handle of a known type.
pub(crate) fn resolve<H: Handle>(handle: *mut H) -> Result<Arc<H::Target>, Failure> {
    let object: Arc<dyn Any + Send + Sync> = look_at(not_null(handle)?, Some(H::KIND), Arc::clone)?;
    object.downcast().map_err(|_| Failure::new(WM_E_INVALID_HANDLE))
}

/// The object behind a handle of any type.
pub(crate) fn resolve_any(handle: *mut c_void) -> Result<Arc<dyn Object>, Failure> {
    look_at(not_null(handle)?, None, Arc::clone)
}

/// Ends an object that the application let go of.
fn let_go(object: &dyn Object) {
    // Counted until all of this is over.
    let _live = object.base().life.hold().take();
    if let Some(worker) = object.worker() {
        worker.end();
    }
    object.released();
}

/// Counts valid handles and objects whose release is still finishing: 0 when everything was released. Works in a forked
/// child too.
#[unsafe(no_mangle)]
pub extern "C" fn wm_live_objects() -> usize {
    life::count()
}

/// Adds a reference: one more wm_release is due. Works on every object.
/// Fails with WM_E_INVALIDARG for NULL and WM_E_INVALID_HANDLE for everything that is not a valid handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_add_ref(object: *mut c_void) -> wm_result {
    gate::enter(|| OBJECTS.add_reference(not_null(object)?).map_err(refused))
}

/// Gives a reference back; the last one makes the handle invalid. NULL is allowed and does nothing.
/// The last release from outside any callback cancels a running operation, lets its final status run and returns after it.
/// Inside any callback of the library it never waits: of the callback's own object no further status comes, its final one
/// included; another object is cancelled, and its final status may still run after the release returned. Never make the
/// last release while holding a lock, or on a thread, that the object's callback needs.
/// In a forked child it does nothing and answers 0. Fails with WM_E_INVALID_HANDLE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_release(object: *mut c_void) -> wm_result {
    if object.is_null() || gate::is_forked() {
        return WM_S_OK;
    }
    gate::enter(|| {
        if let Some(object) = OBJECTS.release(not_null(object)?).map_err(refused)? {
            let_go(object.as_ref());
        }
        Ok(())
    })
}

/// Asks the object's running operation to stop, and never waits: the final status tells that it has. On an object
/// without a running operation it answers 0 and has no effect.
/// Fails with WM_E_INVALIDARG for NULL and WM_E_INVALID_HANDLE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_cancel(object: *mut c_void) -> wm_result {
    gate::enter(|| {
        let working = |object: &Arc<dyn Object>| object.worker().is_some().then(|| Arc::clone(object));
        let working = look_at(not_null(object)?, None, working)?;
        if let Some(worker) = working.as_ref().and_then(|object| object.worker()) {
            worker.cancel();
        }
        Ok(())
    })
}

/// Waits until the object's operation is over and its last callback has returned.
/// timeout_ms: 0 asks without waiting, WM_INFINITE waits for ever. operation_result_out: receives the result of the final
/// status, success codes included; may be NULL. Repeated waits give the same result again. If it is a failure, its
/// detail becomes that of the calling thread.
/// Fails with WM_E_TIMEOUT, with WM_E_NO_OPERATION if nothing was ever started, and with WM_E_WOULD_DEADLOCK inside the
/// object's own callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_wait(
    object: *mut c_void,
    timeout_ms: u32,
    operation_result_out: *mut wm_result,
) -> wm_result {
    gate::enter(|| {
        let object = resolve_any(object)?;
        let timeout = (timeout_ms != WM_INFINITE).then(|| Duration::from_millis(timeout_ms.into()));
        let outcome = object.worker().ok_or_else(|| Failure::new(WM_E_NO_OPERATION))?.wait(timeout)?;
        if outcome.detail.is_some() {
            detail::set(outcome.detail);
        }
        // SAFETY: the header makes the caller answer for a place that is not NULL.
        unsafe { input::write_if_wanted(operation_result_out, outcome.result) };
        Ok(())
    })
}

/// Hands a new object to C: the place is checked first and written last.
///
/// The caller guarantees that `out` is NULL or writable.
pub(crate) unsafe fn create<H: Handle>(
    out: *mut *mut H,
    make: impl FnOnce() -> Result<H::Target, Failure>,
) -> wm_result {
    gate::enter(|| {
        // SAFETY: passed on to the caller.
        let out = unsafe { Out::new(out, "out")? };
        memory::check(memory::FOR_A_CALL)?;
        out.write(hand_out::<H>(make()?)?);
        Ok(())
    })
}

#[cfg(test)]
mod tests;
