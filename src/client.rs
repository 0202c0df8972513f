//! The C face of the client: settings, opening, and what it knows about the device. Everything else hangs on it.

use crate::callback::Callback;
use crate::detail::Failure;
use crate::flags::WM_DELETE_LOCAL;
use crate::gate;
use crate::input::{self, Buffer};
use crate::log_index;
use crate::log_slot::LogSlot;
use crate::memory;
use crate::object::{self, Base, Object, handle, resolve};
use crate::prop::names::*;
use crate::prop::{Access, Key, Properties, Proxy, Specs, Value};
use crate::result::{WM_E_ALREADY_OPEN, WM_E_INVALIDARG, WM_E_NOT_OPEN, WM_S_FALSE, WM_S_OK, wm_result};
use crate::teller::Queue;
use crate::worker::Worker;
use once_cell::sync::OnceCell;
use std::ffi::c_char;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use wmlicense_core::client::{Client, OpenSettings, Settings};
use wmlicense_core::clock::SystemClock;
use wmlicense_core::device::FileProtector;
use wmlicense_core::give_back;
use wmlicense_core::logging::{Keep, Log};
use wmlicense_core::rights::{Application, NO_SECURITY_VERSION};
use wmlicense_core::transport::{AppStack, DEFAULT_RETRY_LIMIT, NetworkSettings, ProxyChoice, ProxyEnvironment};
use wmlicense_wire::id::Kid;

/// One license store, one device, and the settings of everything made from it. Create it, set WM_PROP_STORE_PATH and
/// WM_PROP_AUTHORITY, open it, and make other objects from it. Those keep it alive within, so the order of releases is
/// free. Several clients, in one process or several, may share a store.
pub struct wm_client {
    _opaque: [u8; 0],
}

handle!(wm_client: ClientObject, Client);

pub(crate) const PROPERTIES: Specs = &[
    &STORE_PATH,
    &AUTHORITY,
    &KEY_PROTECTOR,
    &SERVICE_URL,
    &ACCOUNT_TOKEN,
    &APPLICATION_ID,
    &DEVICE_NAME,
    &SECURITY_LEVEL,
    &USER_AGENT,
    &TLS_TRUST,
    &TLS_CA_PEM,
    &PROXY,
    &ALLOW_HTTP,
    &OFFLINE_ONLY,
    &DEADLINE_MS,
    &RETRY_LIMIT,
    &DEVICE_ID,
    &INDIVIDUALIZED,
    &SECURITY_VERSION,
    &CLOCK_VERDICT,
    &PENDING_TRANSACTIONS,
];

/// The object behind a `wm_client`.
pub(crate) struct ClientObject {
    base: Base,
    opened: OnceCell<Arc<Client>>,
    event_queue: Mutex<Weak<Queue>>,
    transport: Mutex<Option<AppStack>>,
    log: Arc<LogSlot>,
    /// Read once: reading the environment races with an application that changes it.
    proxies: Arc<ProxyEnvironment>,
}

impl Object for ClientObject {
    fn base(&self) -> &Base {
        &self.base
    }

    fn computed(&self, key: Key) -> Result<Option<Value>, Failure> {
        let Some(client) = self.opened.get() else {
            return Ok(None);
        };
        let certificate = || client.certificate().map_err(Failure::from);
        Ok(match key {
            DEVICE_ID => certificate()?.map(|found| Value::from(found.device_id.to_base64())),
            INDIVIDUALIZED => Some(Value::Bool(certificate()?.is_some())),
            SECURITY_VERSION => Some(Value::from(self.security_version()?)),
            CLOCK_VERDICT => {
                let verdict = client.store.clock_verdict()?;
                Some(Value::Dword(verdict as u32))
            }
            PENDING_TRANSACTIONS => {
                let count = client.store.pending_count()?;
                Some(Value::Dword(u32::try_from(count).unwrap_or(u32::MAX)))
            }
            _ => None,
        })
    }

    fn released(&self) {
        self.log.clear();
    }

    fn may_change(&self, access: Access) -> Result<(), Failure> {
        if access == Access::FixedOnceBegun && self.opened.get().is_some() {
            return Err(Failure::new(WM_E_ALREADY_OPEN));
        }
        Ok(())
    }
}

impl ClientObject {
    fn new() -> Self {
        Self {
            base: Base::new(PROPERTIES),
            opened: OnceCell::new(),
            event_queue: Mutex::default(),
            transport: Mutex::default(),
            log: Arc::default(),
            proxies: Arc::new(ProxyEnvironment::read()),
        }
    }

    /// Where the application wants its records.
    pub(crate) fn log_slot(&self) -> &LogSlot {
        &self.log
    }

    /// The records of operations and requests.
    fn log(&self) -> Log {
        let sink: Arc<LogSlot> = Arc::clone(&self.log);
        Log::to(sink)
    }

    /// Takes the application's HTTP stack, or goes back to ours.
    pub(crate) fn set_transport(&self, stack: Option<AppStack>) {
        *self.transport.lock().unwrap_or_else(PoisonError::into_inner) = stack;
    }

    fn proxy(&self) -> ProxyChoice {
        match self.base.properties.get(&PROXY).unwrap_or_default() {
            Proxy::Environment => ProxyChoice::Environment(Arc::clone(&self.proxies)),
            Proxy::None => ProxyChoice::None,
            Proxy::Url(url) => ProxyChoice::Url(url),
        }
    }

    /// The queue that the application still holds.
    fn event_queue(&self) -> Option<Arc<Queue>> {
        let known = self.event_queue.lock().unwrap_or_else(PoisonError::into_inner);
        known.upgrade().filter(|queue| !queue.is_closed())
    }

    /// A worker for an object of this client. Without a callback its events go to the client's queue, if there is one.
    pub(crate) fn worker(&self, base: &Base, callback: Callback) -> Worker {
        let queue = if callback.is_null() { self.event_queue() } else { None };
        Worker::new(Arc::clone(&base.life), callback, queue, self.log())
    }

    /// Takes the only queue of a client at a time.
    pub(crate) fn take_event_queue(&self, queue: &Arc<Queue>) -> Result<(), Failure> {
        let mut known = self.event_queue.lock().unwrap_or_else(PoisonError::into_inner);
        if known.upgrade().is_some_and(|queue| !queue.is_closed()) {
            return Err(Failure::with(WM_E_ALREADY_OPEN, "The client has an event queue already."));
        }
        *known = Arc::downgrade(queue);
        Ok(())
    }

    /// The core's client.
    pub(crate) fn opened(&self) -> Result<&Arc<Client>, Failure> {
        self.opened.get().ok_or_else(|| Failure::new(WM_E_NOT_OPEN))
    }

    fn open(&self) -> Result<(), Failure> {
        // What is recorded may be answered with a call that opens the client.
        let _records = Keep::begin();
        let mut first = false;
        self.opened.get_or_try_init(|| {
            first = true;
            memory::check(memory::FOR_AN_OPERATION)?;
            let store_path = self.base.properties.required(&STORE_PATH)?;
            let authorities = self.base.properties.required(&AUTHORITY)?;
            let protector = self.base.properties.get(&KEY_PROTECTOR).unwrap_or_else(|| Arc::new(FileProtector));
            let settings = OpenSettings { store_path, authorities };
            let client = Client::open_with(&settings, protector, Arc::new(SystemClock), self.log())?;
            client.store.watch_with(log_index::watch);
            Ok::<_, Failure>(client)
        })?;
        if first { Ok(()) } else { Err(Failure::new(WM_E_ALREADY_OPEN)) }
    }

    /// The settings for an operation that begins, those of its object first.
    pub(crate) fn settings(&self, own: &Properties) -> Settings {
        let set = |prop| own.get(prop).or_else(|| self.base.properties.get(prop));
        let deadline = set(&DEADLINE_MS).filter(|milliseconds| *milliseconds > 0);
        let all = &self.base.properties;
        Settings {
            service_url: all.get(&SERVICE_URL),
            account_token: all.get(&ACCOUNT_TOKEN).unwrap_or_default(),
            application: self.application(),
            device_name: all.get(&DEVICE_NAME),
            network: NetworkSettings {
                user_agent: all.get(&USER_AGENT).unwrap_or_default(),
                tls_trust: all.get(&TLS_TRUST).unwrap_or_default(),
                tls_ca_pem: all.get(&TLS_CA_PEM),
                proxy: self.proxy(),
                app_stack: self.transport.lock().unwrap_or_else(PoisonError::into_inner).clone(),
                allow_http: all.get(&ALLOW_HTTP).unwrap_or_default(),
                offline_only: all.get(&OFFLINE_ONLY).unwrap_or_default(),
                deadline: deadline.map(|milliseconds| Duration::from_millis(milliseconds.into())),
                retry_limit: set(&RETRY_LIMIT).unwrap_or(DEFAULT_RETRY_LIMIT),
            },
        }
    }

    /// The settings for a call on the client itself.
    pub(crate) fn own_settings(&self) -> Settings {
        self.settings(&self.base.properties)
    }

    /// The application as it names itself.
    pub(crate) fn application(&self) -> Application {
        let level = self.base.properties.get(&SECURITY_LEVEL).unwrap_or(0);
        Application { id: self.base.properties.get(&APPLICATION_ID), level }
    }

    /// Security version of the device; none before it is individualized.
    pub(crate) fn security_version(&self) -> Result<String, Failure> {
        let certificate = self.opened()?.certificate()?;
        Ok(certificate.map_or_else(|| NO_SECURITY_VERSION.to_owned(), |found| found.security_version))
    }
}

/// Creates a client that is not open. *client_out: receives a handle to release. Registers, the first time, the
/// library's only process-wide hook, pthread_atfork.
/// Fails with WM_E_INVALIDARG for NULL and WM_E_OUTOFMEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_create_client(client_out: *mut *mut wm_client) -> wm_result {
    // SAFETY: the header makes the caller answer for the place.
    unsafe {
        object::create(client_out, || {
            gate::watch_forks()?;
            Ok(ClientObject::new())
        })
    }
}

/// Opens the license store and the device's keys, and makes both in an empty folder. Makes no network call.
/// Fails with WM_E_INVALID_PROPERTY while WM_PROP_STORE_PATH or WM_PROP_AUTHORITY is unset, with WM_E_ALREADY_OPEN the
/// second time, with WM_E_PATH_NOT_FOUND, WM_E_PATH_UNUSABLE, WM_E_UNABLE_TO_OPEN_DATA_STORE, WM_E_DATASTORE_CORRUPT,
/// WM_E_STORE_TOO_NEW, WM_E_HDS_KEY_MISMATCH, WM_E_CHECKPOINT_FAILED, WM_E_SECURE_STORE_ERROR, WM_E_SECURE_STORE_NOT_FOUND,
/// WM_E_SECURE_STORE_UNLOCK_ERROR, WM_E_LICENSE_STORE_ERROR, WM_E_DISK_FULL, WM_E_STORE_READ_ONLY, WM_E_NO_DESCRIPTORS,
/// WM_E_OUTOFMEMORY or WM_E_BUSY; then it may be tried again. These are the store errors of all other calls as well.
/// A store that is there opens on a full disk and where nothing may be written too: licenses that need no write can be used, and
/// what must be recorded fails with WM_E_DISK_FULL or WM_E_STORE_READ_ONLY until it can be. Only regular files are opened, and
/// links in the folder are not followed.
/// While another process or thread writes, an operation that has to write waits until it is cancelled or its deadline passes,
/// and every call and operation at most ten seconds, then it fails with WM_E_BUSY. What only reads does not wait.
/// Where the keys are there and the store is not, it is made anew for the same device. A store without its keys, or with those
/// of another device, stays closed: a backup is then restored into an empty folder, with WM_RESTORE_INDIVIDUALIZE, as on
/// another device.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_open_client(client: *mut wm_client) -> wm_result {
    gate::enter(|| resolve(client)?.open())
}

/// Reads the device's security version, four dotted numbers, in two calls or one as wm_get_prop. Before the device is
/// individualized it is 0.0.0.0, which is lower than every demand.
/// Fails with WM_E_NOT_OPEN and with WM_E_BUFFER_TOO_SMALL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_get_security_version(
    client: *mut wm_client,
    buf: *mut c_char,
    buf_size: usize,
    needed_out: *mut usize,
) -> wm_result {
    gate::enter(|| {
        let client = resolve(client)?;
        // SAFETY: the header makes the caller answer for buf and needed_out.
        let to = unsafe { Buffer::new(buf.cast(), buf_size, needed_out)? };
        let version = client.security_version()?;
        to.fill_text(version.as_bytes())
    })
}

/// Gives the content with this key ID a title, for lists and for telling which licenses a status is about. It is shown in
/// place of the one that comes with licenses, is kept when those go, and travels in backups. kid: 16 bytes. title: UTF-8, at
/// most 1024 bytes without control characters; an empty one takes the application's title away.
/// Fails with WM_E_INVALIDARG, WM_E_BAD_VALUE, WM_E_NOT_OPEN, or a store error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_set_content_title(
    client: *mut wm_client,
    kid: *const u8,
    title: *const c_char,
) -> wm_result {
    gate::enter(|| {
        let client = resolve(client)?;
        // SAFETY: the header makes the caller answer for 16 bytes and a NUL-terminated text.
        let (kid, title): (Kid, &str) = unsafe { (input::kid(kid)?, input::line(title, "title")?) };
        client.opened()?.store.set_title(kid, title).map_err(Failure::from)
    })
}

/// Reads the title of the content with this key ID, in two calls or one as wm_get_prop: the application's, else the one that
/// came with a license. kid: 16 bytes. Answers 0, or WM_S_FALSE with an empty text where nobody gave it one.
/// Fails with WM_E_INVALIDARG, WM_E_NOT_OPEN, WM_E_BUFFER_TOO_SMALL, or a store error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_get_content_title(
    client: *mut wm_client,
    kid: *const u8,
    buf: *mut c_char,
    buf_size: usize,
    needed_out: *mut usize,
) -> wm_result {
    gate::enter_with(|| {
        let client = resolve(client)?;
        // SAFETY: the header makes the caller answer for 16 bytes, buf and needed_out.
        let (kid, to) = unsafe { (input::kid(kid)?, Buffer::new(buf.cast(), buf_size, needed_out)?) };
        let title = client.opened()?.store.title(kid)?;
        to.fill_text(title.as_deref().unwrap_or_default().as_bytes())?;
        Ok(if title.is_some() { WM_S_OK } else { WM_S_FALSE })
    })
}

/// Deletes the licenses for a key ID. Makes no network call. kid: 16 bytes. Answers 0, or WM_S_FALSE if there was none.
/// flags 0: for good. The licenses come back from no backup of this device, and a request that gives them back is queued in the
/// same commit, so that the service can count the device out. It is sent by the next acquisition or renewal at that service;
/// WM_PROP_PENDING_TRANSACTIONS counts it until the service has answered. Acquire the content again to get another license.
/// WM_DELETE_LOCAL: from this device only. What was used of them stays known: a license that comes again, from a service or a
/// backup, goes on from there.
/// Fails with WM_E_INVALIDARG, WM_E_NOT_OPEN, WM_E_SECURE_STORE_UNLOCK_ERROR, or a store error; then all of them are still there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_delete_licenses(client: *mut wm_client, kid: *const u8, flags: u32) -> wm_result {
    gate::enter_with(|| {
        let client = resolve(client)?;
        // SAFETY: the header makes the caller answer for 16 bytes.
        let kid = unsafe { input::kid(kid)? };
        let opened = client.opened()?;
        let deleted = match flags {
            0 => {
                let settings = client.own_settings();
                give_back::delete(opened, &settings, kid)?
            }
            WM_DELETE_LOCAL => opened.store.delete(kid)?,
            _ => return Err(Failure::with(WM_E_INVALIDARG, "There is no such flag.")),
        };
        Ok(if deleted > 0 { WM_S_OK } else { WM_S_FALSE })
    })
}
