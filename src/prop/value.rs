//! What a property is, and the forms of its value: as C passes it, as the library keeps it, as C receives it.

use super::{number, wm_attr_type};
use crate::detail::Failure;
use crate::input::Buffer;
use crate::result::{WM_E_BAD_VALUE, WM_E_UNSUPPORTED_PROPERTY, WM_E_WRONG_TYPE};
use std::sync::Arc;
use wmlicense_core::transport::AccountToken;

pub(crate) const TYPE_DWORD: wm_attr_type = 0;
pub(crate) const TYPE_STRING: wm_attr_type = 1;
pub(crate) const TYPE_BINARY: wm_attr_type = 2;
pub(crate) const TYPE_BOOL: wm_attr_type = 3;
pub(crate) const TYPE_QWORD: wm_attr_type = 4;

/// Names and numbers of the types.
pub const TYPES: &[(&str, wm_attr_type, &str)] = &[
    ("WM_TYPE_DWORD", TYPE_DWORD, "uint32_t"),
    ("WM_TYPE_STRING", TYPE_STRING, "text with its NUL"),
    ("WM_TYPE_BINARY", TYPE_BINARY, "bytes"),
    ("WM_TYPE_BOOL", TYPE_BOOL, "int32_t, 0 or 1"),
    ("WM_TYPE_QWORD", TYPE_QWORD, "uint64_t"),
];

/// Longest text and longest bytes that a property takes.
const MAX_TEXT: usize = 1 << 20;
const MAX_BINARY: usize = 16 << 20;

/// Who may do what with a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read and set.
    Settable,
    /// Set until the object is open or has begun, read always.
    FixedOnceBegun,
    /// Set only.
    WriteOnly,
    /// Read only.
    ReadOnly,
}

/// One property of an object.
pub struct Spec {
    /// Name.
    pub name: &'static str,
    /// Type.
    pub kind: wm_attr_type,
    /// Who may do what.
    pub access: Access,
    /// Says what is wrong with a value of the right type.
    pub check: fn(&Value) -> Result<(), &'static str>,
}

impl Spec {
    pub(crate) const fn new(
        name: &'static str,
        kind: wm_attr_type,
        access: Access,
        check: fn(&Value) -> Result<(), &'static str>,
    ) -> Self {
        Self { name, kind, access, check }
    }

    /// A property that is read only.
    pub(crate) const fn read_only(name: &'static str, kind: wm_attr_type) -> Self {
        Self::new(name, kind, Access::ReadOnly, number)
    }
}

/// Value of a property.
#[derive(Clone)]
pub enum Value {
    /// 32 bits.
    Dword(u32),
    /// 64 bits.
    Qword(u64),
    /// Yes or no.
    Bool(bool),
    /// Text without its NUL; paths are any bytes.
    Text(Vec<u8>),
    /// Bytes.
    Binary(Vec<u8>),
    /// Goes in and never comes out.
    Secret(Arc<AccountToken>),
}

impl Value {
    /// Reads what C passed.
    pub(crate) fn read(spec: &Spec, bytes: &[u8]) -> Result<Self, Failure> {
        let bad = |why: &str| Failure::with(WM_E_BAD_VALUE, format!("{}: {why}.", spec.name));
        let wrong_size = || bad("a value of this type has another size");
        let value = match spec.kind {
            TYPE_DWORD => Self::Dword(u32::from_ne_bytes(bytes.try_into().map_err(|_| wrong_size())?)),
            TYPE_QWORD => Self::Qword(u64::from_ne_bytes(bytes.try_into().map_err(|_| wrong_size())?)),
            TYPE_BOOL => Self::Bool(i32::from_ne_bytes(bytes.try_into().map_err(|_| wrong_size())?) != 0),
            TYPE_STRING => {
                let text = bytes.strip_suffix(b"\0").unwrap_or(bytes);
                if text.len() > MAX_TEXT {
                    return Err(bad("the text is too long"));
                }
                if text.contains(&0) {
                    return Err(bad("the text has a NUL in it"));
                }
                Self::Text(text.to_vec())
            }
            TYPE_BINARY if bytes.len() <= MAX_BINARY => Self::Binary(bytes.to_vec()),
            TYPE_BINARY => return Err(bad("the value is too long")),
            _ => return Err(Failure::new(WM_E_WRONG_TYPE)),
        };
        (spec.check)(&value).map_err(bad)?;
        Ok(value)
    }

    /// Gives the value to C.
    pub(crate) fn write(&self, to: Buffer) -> Result<(), Failure> {
        match self {
            Self::Dword(value) => to.fill(&[&value.to_ne_bytes()]),
            Self::Qword(value) => to.fill(&[&value.to_ne_bytes()]),
            Self::Bool(value) => to.fill(&[&i32::from(*value).to_ne_bytes()]),
            Self::Text(text) => to.fill_text(text),
            Self::Binary(bytes) => to.fill(&[bytes]),
            Self::Secret(_) => Err(Failure::new(WM_E_UNSUPPORTED_PROPERTY)),
        }
    }
}
