//! The application's own HTTP stack: its callback, and the exchange that the callback answers through. What an answer means,
//! and what is repeated, is the core's.

use crate::callback::as_callback;
use crate::client::wm_client;
use crate::detail::Failure;
use crate::gate;
use crate::input::{self, Out};
use crate::object::{self, Base, Object, handle, resolve};
use crate::result::{
    WM_E_ANSWER_TOO_LARGE, WM_E_BAD_VALUE, WM_E_CONNECTION_LOST, WM_E_DEADLINE, WM_E_ERROR_BAD_NET_RESP,
    WM_E_INVALIDARG, WM_E_OPERATION_CANCELED, WM_E_SERVER_CERTIFICATE, WM_E_TIMEOUT, wm_result,
};
use std::ffi::{c_char, c_void};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wmlicense_core::transport::{AppFailure, AppRequest, AppResponse, AppStack, AppTransport};
use zeroize::Zeroizing;

/// Longest names and values of headers kept, in bytes, and most headers.
const MAX_HEADER: usize = 8 * 1024;
const MAX_HEADERS: usize = 100;

/// One HTTP request that the application's transport callback carries out. Valid until the callback returns.
pub struct wm_exchange {
    _opaque: [u8; 0],
}

handle!(wm_exchange: ExchangeObject, Exchange);

/// A header of a request.
#[repr(C)]
pub struct wm_http_header {
    /// Its name.
    pub name: *const c_char,
    /// Its value. That of Authorization is a secret.
    pub value: *const c_char,
}

/// A request to send. Everything in it is valid until the callback returns.
#[repr(C)]
pub struct wm_http_request {
    /// Size of this struct as the library knows it, in bytes.
    pub struct_size: usize,
    /// "GET" or "POST".
    pub method: *const c_char,
    /// Absolute URL, checked: https, or http where that is allowed.
    pub url: *const c_char,
    /// Headers to send, besides Host and Content-Length.
    pub headers: *const wm_http_header,
    /// Count of headers.
    pub header_count: usize,
    /// Body; NULL if there is none.
    pub body: *const c_void,
    /// Size of the body in bytes.
    pub body_size: usize,
    /// Milliseconds that are left for it.
    pub timeout_ms: u32,
    /// Longest body of an answer that is taken, in bytes.
    pub max_body_size: u64,
}

/// Sends one request and answers it through the exchange: wm_exchange_set_status once, wm_exchange_add_header and
/// wm_exchange_write as often as needed, from any thread; then returns 0, whatever the HTTP status is. It blocks a thread
/// of the library, asks wm_exchange_cancelled at least every 100 ms, and does not follow redirects. Without an answer it
/// returns WM_E_OPERATION_CANCELED after a cancel, WM_E_DEADLINE when the time is over, WM_E_CONNECTION_LOST,
/// WM_E_SERVER_CERTIFICATE, WM_E_ERROR_BAD_NET_RESP if what came is no HTTP, or any other failure if nobody can be reached.
/// Called by several threads at once. It must not throw or longjmp.
pub type wm_transport_callback = Option<
    unsafe extern "C" fn(
        exchange: *mut wm_exchange,
        request: *const wm_http_request,
        context: *mut c_void,
    ) -> wm_result,
>;

/// An HTTP stack of the application. Set struct_size to sizeof(wm_transport).
#[repr(C)]
pub struct wm_transport {
    /// Size of the struct that the caller knows, in bytes.
    pub struct_size: usize,
    /// Sends one request.
    pub send: wm_transport_callback,
    /// Passed to it.
    pub context: *mut c_void,
}

/// What was received so far.
#[derive(Default)]
struct Received {
    response: AppResponse,
    too_large: bool,
    /// The callback has returned: nothing more counts.
    over: bool,
}

/// The object behind a `wm_exchange`.
pub(crate) struct ExchangeObject {
    base: Base,
    cap: usize,
    cancelled: Arc<dyn Fn() -> bool + Send + Sync>,
    received: Arc<Mutex<Received>>,
}

impl Object for ExchangeObject {
    fn base(&self) -> &Base {
        &self.base
    }
}

fn lock(received: &Mutex<Received>) -> MutexGuard<'_, Received> {
    received.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ExchangeObject {
    fn receive(&self, take: impl FnOnce(&mut Received) -> Result<(), Failure>) -> Result<(), Failure> {
        let mut received = lock(&self.received);
        if received.over {
            return Err(Failure::with(WM_E_OPERATION_CANCELED, "The callback has returned."));
        }
        take(&mut received)
    }
}

/// The application's function and its context.
struct AppSend {
    function: unsafe extern "C" fn(*mut wm_exchange, *const wm_http_request, *mut c_void) -> wm_result,
    context: *mut c_void,
}

// SAFETY: the header says that the function is called on threads of the library; what the context points to is never
// touched here.
unsafe impl Send for AppSend {}
// SAFETY: as above.
unsafe impl Sync for AppSend {}

/// A text as C reads it, wiped afterwards.
fn c_text(text: &str) -> Zeroizing<Vec<u8>> {
    // URLs and headers are checked before: none has a NUL.
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() + 1));
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(0);
    bytes
}

impl AppTransport for AppSend {
    fn exchange(&self, request: &AppRequest<'_>) -> Result<AppResponse, AppFailure> {
        let received: Arc<Mutex<Received>> = Arc::default();
        let object = ExchangeObject {
            base: Base::new(&[]),
            cap: request.cap,
            cancelled: Arc::clone(&request.cancelled),
            received: Arc::clone(&received),
        };
        let exchange = object::hand_out::<wm_exchange>(object).map_err(|_| AppFailure::Unreachable)?;
        let result = self.send(exchange, request);
        let ended = {
            let mut received = lock(&received);
            received.over = true;
            std::mem::take(&mut *received)
        };
        object::take_back(exchange);
        match result {
            _ if ended.too_large => Err(AppFailure::TooLarge),
            result if result >= 0 && ended.response.status != 0 => Ok(ended.response),
            // It says that it did, and gave no answer.
            result if result >= 0 => Err(AppFailure::Broken),
            WM_E_OPERATION_CANCELED => Err(AppFailure::Cancelled),
            WM_E_DEADLINE | WM_E_TIMEOUT => Err(AppFailure::TimedOut),
            WM_E_CONNECTION_LOST => Err(AppFailure::Broken),
            WM_E_SERVER_CERTIFICATE => Err(AppFailure::Certificate),
            WM_E_ANSWER_TOO_LARGE => Err(AppFailure::TooLarge),
            WM_E_ERROR_BAD_NET_RESP => Err(AppFailure::NotHttp),
            _ => Err(AppFailure::Unreachable),
        }
    }
}

impl AppSend {
    fn send(&self, exchange: *mut wm_exchange, request: &AppRequest<'_>) -> wm_result {
        let method = c_text(request.method);
        let url = c_text(request.url);
        let texts: Vec<_> = request.headers.iter().map(|(name, value)| (c_text(name), c_text(value))).collect();
        let headers: Vec<wm_http_header> = texts
            .iter()
            .map(|(name, value)| wm_http_header { name: name.as_ptr().cast(), value: value.as_ptr().cast() })
            .collect();
        let asked = wm_http_request {
            struct_size: size_of::<wm_http_request>(),
            method: method.as_ptr().cast(),
            url: url.as_ptr().cast(),
            headers: headers.as_ptr(),
            header_count: headers.len(),
            body: if request.body.is_empty() { std::ptr::null() } else { request.body.as_ptr().cast() },
            body_size: request.body.len(),
            timeout_ms: u32::try_from(request.timeout.as_millis()).unwrap_or(u32::MAX),
            max_body_size: request.cap as u64,
        };
        as_callback(|| {
            // SAFETY: the application answers for the function and its context; the request lives until it returns.
            unsafe { (self.function)(exchange, &asked, self.context) }
        })
    }
}

/// Sends all requests of operations that start later through the application's own HTTP stack; NULL goes back to the
/// library's. Which URLs may be asked, the deadline, repetitions, redirects, the types and lengths of answers, and every
/// signature stay the library's matter; TLS and proxies become the application's (WM_PROP_TLS_TRUST, WM_PROP_TLS_CA_PEM and
/// WM_PROP_PROXY have no effect). WM_PROP_OFFLINE_ONLY keeps the callback from being called. The struct is copied. Function
/// and context are used until operations that started before they were replaced, or before the objects of the client
/// were released, are over.
/// Fails with WM_E_INVALIDARG for a NULL client or function or a struct_size that is not set, and WM_E_INVALID_HANDLE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_set_transport(client: *mut wm_client, transport: *const wm_transport) -> wm_result {
    gate::enter(|| {
        let client = resolve(client)?;
        let stack = if transport.is_null() {
            None
        } else {
            // SAFETY: the header makes the caller answer for the struct and its struct_size; NULL is a valid function here.
            let given: wm_transport = unsafe { input::sized_in(transport)? };
            let function = given.send.ok_or_else(|| Failure::with(WM_E_INVALIDARG, "The function is NULL."))?;
            Some(AppStack(Arc::new(AppSend { function, context: given.context })))
        };
        client.set_transport(stack);
        Ok(())
    })
}

/// Tells whether the operation was cancelled, its deadline not included: then the callback gives up and returns
/// WM_E_OPERATION_CANCELED. Fails with WM_E_INVALIDARG for NULL and WM_E_INVALID_HANDLE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_exchange_cancelled(exchange: *mut wm_exchange, cancelled_out: *mut bool) -> wm_result {
    gate::enter(|| {
        let exchange = resolve(exchange)?;
        // SAFETY: the header makes the caller answer for the place.
        let out = unsafe { Out::new(cancelled_out, "cancelled_out")? };
        out.write((exchange.cancelled)());
        Ok(())
    })
}

/// Gives the HTTP status of the answer, 200 to 599. Fails with WM_E_BAD_VALUE for another one, WM_E_OPERATION_CANCELED after
/// the callback has returned, and as wm_exchange_cancelled.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_exchange_set_status(exchange: *mut wm_exchange, http_status: u32) -> wm_result {
    gate::enter(|| {
        let exchange = resolve(exchange)?;
        let status = u16::try_from(http_status).ok().filter(|status| (200..600).contains(status));
        let status = status.ok_or_else(|| Failure::with(WM_E_BAD_VALUE, "This is no final HTTP status."))?;
        exchange.receive(|received| {
            received.response.status = status;
            Ok(())
        })
    })
}

/// Gives one header of the answer; Content-Type, Location, Retry-After and X-Request-Id matter. Headers that say how the
/// connection carried the body are of no concern, Content-Encoding excepted: an encoded body is refused.
/// Fails with WM_E_BAD_VALUE for more than 100 headers or more than 8 KiB in one, and as wm_exchange_set_status.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_exchange_add_header(
    exchange: *mut wm_exchange,
    name: *const c_char,
    value: *const c_char,
) -> wm_result {
    gate::enter(|| {
        let exchange = resolve(exchange)?;
        // SAFETY: the header makes the caller answer for both texts.
        let (name, value) = unsafe { (input::text(name, "name")?, input::c_bytes(value, "value")?) };
        exchange.receive(|received| {
            if name.len() + value.len() > MAX_HEADER || received.response.headers.len() >= MAX_HEADERS {
                return Err(Failure::with(WM_E_BAD_VALUE, "The answer has too many or too long headers."));
            }
            received.response.headers.push((name.to_owned(), value.to_vec()));
            Ok(())
        })
    })
}

/// Adds bytes to the body of the answer. Fails with WM_E_ANSWER_TOO_LARGE beyond max_body_size, after which the callback
/// stops, and as wm_exchange_set_status.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_exchange_write(exchange: *mut wm_exchange, data: *const c_void, size: usize) -> wm_result {
    gate::enter(|| {
        let exchange = resolve(exchange)?;
        // SAFETY: the header makes the caller answer for the bytes.
        let bytes = unsafe { input::bytes(data, size, "data")? };
        exchange.receive(|received| {
            if received.too_large || bytes.len() > exchange.cap - received.response.body.len() {
                received.too_large = true;
                return Err(Failure::new(WM_E_ANSWER_TOO_LARGE));
            }
            received.response.body.extend_from_slice(bytes);
            Ok(())
        })
    })
}
