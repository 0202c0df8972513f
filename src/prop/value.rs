//! The types of values, and their forms: as C passes them, as C receives them.

use super::wm_attr_type;
use crate::detail::Failure;
use crate::input::Buffer;
use crate::lists::named;

/// Type of a property or of a status's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Type {
    /// 32 bits.
    Dword = 0,
    /// Text.
    String = 1,
    /// Bytes.
    Binary = 2,
    /// Yes or no.
    Bool = 3,
    /// 64 bits.
    Qword = 4,
}

named! {
    /// What C passes for each type.
    TYPES = "WM_TYPE_" of Type;
    DWORD = Dword, "uint32_t";
    STRING = String, "text with its NUL";
    BINARY = Binary, "bytes";
    BOOL = Bool, "int32_t, 0 or 1";
    QWORD = Qword, "uint64_t";
}

/// Longest text and longest bytes that a property takes.
const MAX_TEXT: usize = 1 << 20;
const MAX_BINARY: usize = 16 << 20;

impl Type {
    /// Its number.
    pub(crate) const fn number(self) -> wm_attr_type {
        self as wm_attr_type
    }

    /// What C passed, if it is right for the type; of a text without its NUL.
    pub(crate) fn checked(self, bytes: &[u8]) -> Result<&[u8], &'static str> {
        let sized = |size| if bytes.len() == size { Ok(bytes) } else { Err("a value of this type has another size") };
        match self {
            Self::Dword => sized(size_of::<u32>()),
            Self::Qword => sized(size_of::<u64>()),
            Self::Bool => sized(size_of::<i32>()),
            Self::Binary if bytes.len() <= MAX_BINARY => Ok(bytes),
            Self::Binary => Err("the value is too long"),
            Self::String => match bytes.strip_suffix(b"\0").unwrap_or(bytes) {
                text if text.len() > MAX_TEXT => Err("the text is too long"),
                text if text.contains(&0) => Err("the text has a NUL in it"),
                text => Ok(text),
            },
        }
    }
}

/// Value of a property on its way to C.
pub(crate) enum Value {
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
}

impl Value {
    /// Gives the value to C.
    pub(crate) fn write(&self, to: Buffer) -> Result<(), Failure> {
        match self {
            Self::Dword(value) => to.fill(&[&value.to_ne_bytes()]),
            Self::Qword(value) => to.fill(&[&value.to_ne_bytes()]),
            Self::Bool(value) => to.fill(&[&i32::from(*value).to_ne_bytes()]),
            Self::Text(text) => to.fill_text(text),
            Self::Binary(bytes) => to.fill(&[bytes]),
        }
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into_bytes())
    }
}
