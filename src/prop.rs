//! Properties: one registry for every object, with its types, accesses and rules. Which object has which property is in
//! the object's own file, how C sets and reads them in `object/properties.rs`; what a value means is the core's.

pub(crate) mod names;
mod parse;
mod spec;
mod value;

pub(crate) use parse::Proxy;
pub(crate) use spec::{Access, Key, Parsed, Prop, Spec, Specs};
pub(crate) use value::{TYPES, Type, Value};

use crate::detail::Failure;
use crate::result::{WM_E_INVALID_PROPERTY, WM_E_UNSUPPORTED_PROPERTY};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Type of a property or of a status's value: WM_TYPE_*.
pub type wm_attr_type = i32;

/// A value that was set.
struct Stored {
    /// A text as C passed it; none where it does not come out again, nor of other types.
    text: Option<Vec<u8>>,
    /// The same as the library uses it.
    parsed: Parsed,
}

/// The stored properties of an object.
pub(crate) struct Properties {
    specs: Specs,
    values: Mutex<BTreeMap<&'static str, Stored>>,
}

impl Properties {
    pub(crate) fn new(specs: Specs) -> Self {
        Self { specs, values: Mutex::new(BTreeMap::new()) }
    }

    /// Every property that the object has.
    pub(crate) fn specs(&self) -> Specs {
        self.specs
    }

    fn values(&self) -> MutexGuard<'_, BTreeMap<&'static str, Stored>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The property with this name.
    pub(crate) fn spec(&self, name: &[u8]) -> Result<&'static dyn Spec, Failure> {
        let found = self.specs.iter().find(|spec| spec.key().name.as_bytes() == name);
        found.copied().ok_or_else(|| {
            let name = String::from_utf8_lossy(name);
            Failure::with(WM_E_UNSUPPORTED_PROPERTY, format!("The object has no property named {name:?}."))
        })
    }

    /// What was set, as C receives it.
    pub(crate) fn shown(&self, key: Key) -> Option<Value> {
        let values = self.values();
        let Stored { text, parsed } = values.get(key.name)?;
        match key.kind {
            Type::String => text.clone().map(Value::Text),
            Type::Dword => parsed.downcast_ref().copied().map(Value::Dword),
            Type::Qword => parsed.downcast_ref().copied().map(Value::Qword),
            Type::Bool => parsed.downcast_ref().copied().map(Value::Bool),
            Type::Binary => parsed.downcast_ref().cloned().map(Value::Binary),
        }
    }

    /// What was set, as the library uses it.
    pub(crate) fn get<T: Clone + 'static>(&self, prop: &Prop<T>) -> Option<T> {
        self.values().get(prop.key().name)?.parsed.downcast_ref().cloned()
    }

    /// A property that a verb cannot do without.
    pub(crate) fn required<T: Clone + 'static>(&self, prop: &Prop<T>) -> Result<T, Failure> {
        self.get(prop).ok_or_else(|| missing(prop.key()))
    }

    /// Keeps a value; `bytes` are what C passed, as the type has it.
    pub(crate) fn keep(&self, spec: &dyn Spec, bytes: &[u8], parsed: Parsed) {
        let comes_out = spec.key().kind == Type::String && spec.access() != Access::WriteOnly;
        let text = comes_out.then(|| bytes.to_vec());
        self.values().insert(spec.key().name, Stored { text, parsed });
    }

    /// Forgets a value; tells whether there was one.
    pub(crate) fn forget(&self, key: Key) -> bool {
        self.values().remove(key.name).is_some()
    }
}

/// The failure of a verb that a property is missing for.
pub(crate) fn missing(key: Key) -> Failure {
    Failure::with(WM_E_INVALID_PROPERTY, format!("The property {} must be set first.", key.name))
}
