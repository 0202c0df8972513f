//! Setting, reading and listing the properties of any object. What a property is, and what it holds, is in `prop.rs`.

use super::{Object, resolve_any};
use crate::detail::Failure;
use crate::gate;
use crate::input::{self, Buffer, Out};
use crate::prop::{Access, Key, Spec, Type, Value, wm_attr_type};
use crate::result::{WM_E_BAD_VALUE, WM_E_INVALIDARG, WM_E_UNSUPPORTED_PROPERTY, WM_E_WRONG_TYPE, wm_result};
use std::ffi::{c_char, c_void};

fn read(object: &dyn Object, spec: &dyn Spec) -> Result<Option<Value>, Failure> {
    match spec.access() {
        Access::WriteOnly => Ok(None),
        Access::ReadOnly => object.computed(spec.key()),
        Access::Settable | Access::FixedOnceBegun => match object.base().properties.shown(spec.key()) {
            None => object.computed(spec.key()),
            set => Ok(set),
        },
    }
}

fn only_read(key: Key) -> Failure {
    Failure::with(WM_E_UNSUPPORTED_PROPERTY, format!("The property {} can only be read.", key.name))
}

fn bad(key: Key) -> impl Fn(&'static str) -> Failure {
    move |why| Failure::with(WM_E_BAD_VALUE, format!("{}: {why}.", key.name))
}

fn set(object: &dyn Object, name: &[u8], kind: Option<wm_attr_type>, bytes: &[u8]) -> Result<(), Failure> {
    let spec = object.base().properties.spec(name)?;
    let key = spec.key();
    if kind.is_some_and(|kind| kind != key.kind.number()) {
        return Err(Failure::with(WM_E_WRONG_TYPE, format!("The property {} has another type.", key.name)));
    }
    let bytes = key.kind.checked(bytes).map_err(bad(key))?;
    let parsed = spec.parse(bytes).ok_or_else(|| only_read(key))?.map_err(bad(key))?;
    object.may_change(spec.access())?;
    object.base().properties.keep(spec, bytes, parsed);
    Ok(())
}

/// The bytes in which a property of this type holds a number.
fn number_bytes(key: Key, value: u64) -> Result<Vec<u8>, Failure> {
    match key.kind {
        Type::Qword => Ok(value.to_ne_bytes().to_vec()),
        Type::Dword => match u32::try_from(value) {
            Ok(value) => Ok(value.to_ne_bytes().to_vec()),
            Err(_) => Err(Failure::with(WM_E_BAD_VALUE, format!("{} has 32 bits.", key.name))),
        },
        Type::Bool | Type::String | Type::Binary => {
            Err(Failure::with(WM_E_WRONG_TYPE, format!("The property {} is no number.", key.name)))
        }
    }
}

fn present(object: &dyn Object) -> Vec<String> {
    let specs = object.base().properties.specs().iter();
    let known = specs.filter(|spec| matches!(read(object, **spec), Ok(Some(_)))).map(|spec| spec.key().name);
    let mut names: Vec<String> = known.map(str::to_owned).collect();
    let foreign = object.foreign().into_iter().map(|(name, _)| name);
    names.extend(foreign.filter(|name| object.base().properties.spec(name.as_bytes()).is_err()));
    names
}

/// The text of a property whose name came with the content.
fn foreign(object: &dyn Object, name: &[u8]) -> Option<Value> {
    let found = object.foreign().into_iter().find(|(known, _)| known.as_bytes() == name);
    found.map(|(_, text)| Value::from(text))
}

/// Sets a property. name: WM_PROP_*. type: WM_TYPE_*. The bytes are copied; a STRING may end with one NUL.
/// Fails with WM_E_UNSUPPORTED_PROPERTY if the object has no such property or it is read-only, with WM_E_WRONG_TYPE, with
/// WM_E_BAD_VALUE if value or size is not acceptable, with the busy code while an operation runs, with WM_E_ALREADY_OPEN
/// if it is too late, and with WM_E_INVALIDARG for NULL. Then the property keeps its value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_set_prop(
    object: *mut c_void,
    name: *const c_char,
    type_: wm_attr_type,
    value: *const c_void,
    size: usize,
) -> wm_result {
    gate::enter(|| {
        let object = resolve_any(object)?;
        // SAFETY: the header makes the caller answer for name, value and size.
        let (name, bytes) = unsafe { (input::c_bytes(name, "name")?, input::bytes(value, size, "value")?) };
        set(object.as_ref(), name, Some(type_), bytes)
    })
}

/// Sets a STRING property from NUL-terminated text. Fails as wm_set_prop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_set_string_prop(
    object: *mut c_void,
    name: *const c_char,
    value: *const c_char,
) -> wm_result {
    gate::enter(|| {
        let object = resolve_any(object)?;
        // SAFETY: the header makes the caller answer for both texts.
        let (name, text) = unsafe { (input::c_bytes(name, "name")?, input::c_bytes(value, "value")?) };
        set(object.as_ref(), name, Some(Type::String.number()), text)
    })
}

/// Sets a BOOL property. Fails as wm_set_prop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_set_bool_prop(object: *mut c_void, name: *const c_char, value: bool) -> wm_result {
    gate::enter(|| {
        let object = resolve_any(object)?;
        // SAFETY: the header makes the caller answer for the name.
        let name = unsafe { input::c_bytes(name, "name")? };
        set(object.as_ref(), name, Some(Type::Bool.number()), &i32::from(value).to_ne_bytes())
    })
}

/// Sets a DWORD or QWORD property, whichever it is. Fails as wm_set_prop; a number that does not fit is a bad value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_set_number_prop(object: *mut c_void, name: *const c_char, value: u64) -> wm_result {
    gate::enter(|| {
        let object = resolve_any(object)?;
        // SAFETY: the header makes the caller answer for the name.
        let name = unsafe { input::c_bytes(name, "name")? };
        let bytes = number_bytes(object.base().properties.spec(name)?.key(), value)?;
        set(object.as_ref(), name, None, &bytes)
    })
}

/// Reads a property, in two calls or one: with buf NULL and buf_size 0 it only tells size and type.
/// type_out, needed_out: may be NULL; written on success and with WM_E_BUFFER_TOO_SMALL, which leaves buf as it was. The
/// size of a STRING includes its NUL. Allowed while an operation runs.
/// Fails with WM_E_UNSUPPORTED_PROPERTY if the object has no such property, it has no value, or it is write-only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_get_prop(
    object: *mut c_void,
    name: *const c_char,
    type_out: *mut wm_attr_type,
    buf: *mut c_void,
    buf_size: usize,
    needed_out: *mut usize,
) -> wm_result {
    gate::enter(|| {
        let object = resolve_any(object)?;
        // SAFETY: the header makes the caller answer for name, buf and needed_out.
        let (name, to) = unsafe { (input::c_bytes(name, "name")?, Buffer::new(buf, buf_size, needed_out)?) };
        let (kind, value) = match (object.base().properties.spec(name), foreign(object.as_ref(), name)) {
            (Ok(spec), _) => (spec.key().kind, read(object.as_ref(), spec)?),
            (Err(_), Some(text)) => (Type::String, Some(text)),
            (Err(failure), None) => return Err(failure),
        };
        let value = value.ok_or_else(|| Failure::new(WM_E_UNSUPPORTED_PROPERTY))?;
        // SAFETY: the header makes the caller answer for a place that is not NULL.
        unsafe { input::write_if_wanted(type_out, kind.number()) };
        value.write(to)
    })
}

/// Counts the properties that can be read at present: those that are set and those that the object knows itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_get_prop_count(object: *mut c_void, count_out: *mut usize) -> wm_result {
    gate::enter(|| {
        let object = resolve_any(object)?;
        // SAFETY: the header makes the caller answer for a place that is not NULL.
        let out = unsafe { Out::new(count_out, "count_out")? };
        out.write(present(object.as_ref()).len());
        Ok(())
    })
}

/// Names one of the properties that wm_get_prop_count counts, in two calls or one as wm_get_prop.
/// index: from 0; the order changes only when properties come or go. Fails with WM_E_INVALIDARG beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_get_prop_name(
    object: *mut c_void,
    index: usize,
    buf: *mut c_char,
    buf_size: usize,
    needed_out: *mut usize,
) -> wm_result {
    gate::enter(|| {
        let object = resolve_any(object)?;
        // SAFETY: the header makes the caller answer for buf and needed_out.
        let to = unsafe { Buffer::new(buf.cast(), buf_size, needed_out)? };
        let names = present(object.as_ref());
        let name = names.get(index).ok_or_else(|| Failure::with(WM_E_INVALIDARG, "The index is too large."))?;
        to.fill_text(name.as_bytes())
    })
}

/// Removes a property's value; a default applies again. Fails with WM_E_UNSUPPORTED_PROPERTY if there is none, else as
/// wm_set_prop.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_remove_prop(object: *mut c_void, name: *const c_char) -> wm_result {
    gate::enter(|| {
        let object = resolve_any(object)?;
        // SAFETY: the header makes the caller answer for the name.
        let spec = object.base().properties.spec(unsafe { input::c_bytes(name, "name")? })?;
        if spec.access() == Access::ReadOnly {
            return Err(only_read(spec.key()));
        }
        object.may_change(spec.access())?;
        if object.base().properties.forget(spec.key()) { Ok(()) } else { Err(Failure::new(WM_E_UNSUPPORTED_PROPERTY)) }
    })
}

/// Removes every value that may be removed at present. Fails with the busy code while an operation runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_remove_all_props(object: *mut c_void) -> wm_result {
    gate::enter(|| {
        let object = resolve_any(object)?;
        let properties = &object.base().properties;
        for spec in properties.specs().iter().filter(|spec| spec.access() != Access::ReadOnly) {
            match object.may_change(spec.access()) {
                Ok(()) => _ = properties.forget(spec.key()),
                Err(_) if spec.access() == Access::FixedOnceBegun => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests;
