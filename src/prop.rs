//! Properties: one registry for every object, with its types, accesses and rules. Which object has which property is in
//! the object's own file, how C sets and reads them in `object/properties.rs`; what a value means is the core's.

mod check;
pub mod names;
mod value;

pub(crate) use check::{
    PROXY_ENVIRONMENT, PROXY_NONE, authorities, device_name, header_text, items, kid_text, kids, number, path, pem,
    protector, proxy_url, service_url, text_only, tls_trust, token, transaction,
};

pub use value::{Access, Spec, TYPES, Value};
pub(crate) use value::{TYPE_BINARY, TYPE_BOOL, TYPE_DWORD, TYPE_QWORD, TYPE_STRING};

use crate::detail::Failure;
use crate::result::{WM_E_INVALID_PROPERTY, WM_E_UNSUPPORTED_PROPERTY};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wmlicense_core::transport::AccountToken;

/// Type of a property or of a status's value: WM_TYPE_*.
pub type wm_attr_type = i32;

/// The stored properties of an object.
pub(crate) struct Properties {
    specs: &'static [Spec],
    values: Mutex<BTreeMap<&'static str, Value>>,
}

impl Properties {
    pub(crate) fn new(specs: &'static [Spec]) -> Self {
        Self { specs, values: Mutex::new(BTreeMap::new()) }
    }

    /// Every property that the object has.
    pub(crate) fn specs(&self) -> &'static [Spec] {
        self.specs
    }

    fn values(&self) -> MutexGuard<'_, BTreeMap<&'static str, Value>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The property with this name.
    pub(crate) fn spec(&self, name: &[u8]) -> Result<&'static Spec, Failure> {
        let found = self.specs.iter().find(|spec| spec.name.as_bytes() == name);
        found.ok_or_else(|| {
            let name = String::from_utf8_lossy(name);
            Failure::with(WM_E_UNSUPPORTED_PROPERTY, format!("The object has no property named {name:?}."))
        })
    }

    /// The value that was set.
    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        self.values().get(name).cloned()
    }

    pub(crate) fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        match self.value(name)? {
            Value::Text(bytes) | Value::Binary(bytes) => Some(bytes),
            Value::Dword(_) | Value::Qword(_) | Value::Bool(_) | Value::Secret(_) => None,
        }
    }

    /// A text that was checked to be UTF-8 when it was set.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        String::from_utf8(self.bytes(name)?).ok()
    }

    pub(crate) fn dword(&self, name: &str) -> Option<u32> {
        if let Value::Dword(value) = self.value(name)? { Some(value) } else { None }
    }

    pub(crate) fn qword(&self, name: &str) -> Option<u64> {
        if let Value::Qword(value) = self.value(name)? { Some(value) } else { None }
    }

    pub(crate) fn is_set(&self, name: &str) -> bool {
        matches!(self.value(name), Some(Value::Bool(true)))
    }

    pub(crate) fn secret(&self, name: &str) -> Option<Arc<AccountToken>> {
        if let Value::Secret(secret) = self.value(name)? { Some(secret) } else { None }
    }

    /// Keeps a value.
    pub(crate) fn keep(&self, spec: &Spec, value: Value) {
        self.values().insert(spec.name, value);
    }

    /// Forgets a value that has done its duty; tells whether there was one.
    pub(crate) fn forget(&self, name: &str) -> bool {
        self.values().remove(name).is_some()
    }

    /// A property that a verb cannot do without.
    pub(crate) fn required(&self, name: &str) -> Result<Vec<u8>, Failure> {
        self.bytes(name).ok_or_else(|| missing(name))
    }
}

/// The failure of a verb that a property is missing for.
pub(crate) fn missing(name: &str) -> Failure {
    Failure::with(WM_E_INVALID_PROPERTY, format!("The property {name} must be set first."))
}
