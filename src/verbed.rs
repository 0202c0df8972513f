//! What every object with background verbs is: a client, properties, a worker, and what its kind keeps beside them. What the
//! verbs do is in the file of the object's name.

use crate::callback::{Callback, wm_status_callback};
use crate::client::{ClientObject, wm_client};
use crate::detail::Failure;
use crate::object::{self, Base, Handle, Object, resolve};
use crate::prop::names::SERVICE_URL;
use crate::prop::{self, Access, Key, Properties, Specs, Value};
use crate::result::wm_result;
use crate::status::wm_status;
use crate::teller::Outcome;
use crate::worker::Worker;
use std::ffi::c_void;
use std::sync::Arc;
use wmlicense_core::client::{Client, Settings};
use wmlicense_core::operation::Context;

/// A kind of object with background verbs, and what one object of it keeps.
pub(crate) trait Verbs: Default + Send + Sync + 'static {
    /// Its properties.
    const PROPERTIES: Specs;
    /// What a second verb, and who sets a property, is told while a verb runs.
    const BUSY: wm_result;
    /// The value of a property that is not stored but asked for.
    fn computed(_object: &Verbed<Self>, _key: Key) -> Result<Option<Value>, Failure> {
        Ok(None)
    }
}

/// An object with background verbs.
pub(crate) struct Verbed<K> {
    pub(crate) client: Arc<ClientObject>,
    pub(crate) base: Base,
    pub(crate) worker: Worker,
    pub(crate) own: K,
}

impl<K: Verbs> Object for Verbed<K> {
    fn base(&self) -> &Base {
        &self.base
    }

    fn computed(&self, key: Key) -> Result<Option<Value>, Failure> {
        K::computed(self, key)
    }

    fn may_change(&self, _access: Access) -> Result<(), Failure> {
        self.idle()
    }

    fn worker(&self) -> Option<&Worker> {
        Some(&self.worker)
    }
}

/// A verb that is about to start, with the settings of this moment.
pub(crate) struct Verb<'o> {
    pub(crate) client: Arc<Client>,
    pub(crate) settings: Settings,
    worker: &'o Worker,
    busy: wm_result,
}

impl<K: Verbs> Verbed<K> {
    /// Its properties.
    pub(crate) fn properties(&self) -> &Properties {
        &self.base.properties
    }

    /// Fails while a verb runs.
    pub(crate) fn idle(&self) -> Result<(), Failure> {
        self.worker.idle(K::BUSY)
    }

    /// The settings for an operation or a call that begins.
    pub(crate) fn settings(&self) -> Settings {
        self.client.settings(self.properties())
    }

    /// Fails while the client is not open.
    pub(crate) fn verb(&self) -> Result<Verb<'_>, Failure> {
        let client = Arc::clone(self.client.opened()?);
        Ok(Verb { client, settings: self.settings(), worker: &self.worker, busy: K::BUSY })
    }
}

impl Verb<'_> {
    /// Fails while no service is set.
    pub(crate) fn needs_service(&self) -> Result<(), Failure> {
        if self.settings.service_url.is_some() { Ok(()) } else { Err(prop::missing(SERVICE_URL.key())) }
    }

    /// Runs `work` in the background; its outcome is told as `final_status`.
    pub(crate) fn start<R: Into<Outcome>>(
        self,
        final_status: wm_status,
        work: impl FnOnce(&Arc<Client>, &Settings, &Context) -> R + Send + 'static,
    ) -> Result<(), Failure> {
        let Self { client, settings, worker, busy } = self;
        let deadline = settings.network.deadline;
        worker.start(final_status, busy, deadline, move |context| work(&client, &settings, context).into())
    }

    /// As `start`, but returns when the last callback has returned. Not for the object's own callback.
    pub(crate) fn run<R: Into<Outcome>>(
        self,
        final_status: wm_status,
        work: impl FnOnce(&Arc<Client>, &Settings, &Context) -> R + Send + 'static,
    ) -> Result<(), Failure> {
        let Self { client, settings, worker, busy } = self;
        let deadline = settings.network.deadline;
        let work = move |context: &Context| work(&client, &settings, context).into();
        worker.run(final_status, busy, deadline, work)?.into_result().map(drop)
    }
}

/// Creates an object with background verbs.
///
/// The caller guarantees that `out` is NULL or writable, and that the function may be called with this context until the
/// object's release is finished.
pub(crate) unsafe fn create<K: Verbs, H: Handle<Target = Verbed<K>>>(
    client: *mut wm_client,
    callback: wm_status_callback,
    context: *mut c_void,
    out: *mut *mut H,
) -> wm_result {
    // SAFETY: passed on to the caller.
    unsafe {
        object::create(out, || {
            let client = resolve(client)?;
            let base = Base::new(K::PROPERTIES);
            let worker = client.worker(&base, Callback::new(callback, context));
            Ok(Verbed { client, base, worker, own: K::default() })
        })
    }
}
