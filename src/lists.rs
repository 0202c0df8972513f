//! How a list of the header is declared: once, from which come the constants of Rust, the names, the header and its tests.

use std::ffi::CStr;

/// A number that the header names.
pub(crate) struct Number {
    /// Macro of the header.
    pub(crate) name: &'static CStr,
    /// Its value.
    pub(crate) value: i64,
    /// What it means, without a full stop.
    pub(crate) meaning: &'static str,
}

/// A name that ends with its NUL, as C reads it.
pub(crate) const fn c_name(name: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(name.as_bytes()) {
        Ok(name) => name,
        Err(_) => c"",
    }
}

/// Declares numbers of the header: a constant for each, and the list. The prefix is the header's alone.
macro_rules! numbers {
    ($(#[$about:meta])* $list:ident = $prefix:literal: $type:ty;
     $($constant:ident = $value:expr, $meaning:literal;)*) => {
        // The header may be all that names one of them.
        $(#[allow(dead_code)]
        pub(crate) const $constant: $type = $value;)*

        $(#[$about])*
        pub(crate) const $list: &[$crate::lists::Number] = &[$($crate::lists::Number {
            name: $crate::lists::c_name(concat!($prefix, stringify!($constant), "\0")),
            value: $constant as i64,
            meaning: $meaning,
        }),*];
    };
}

/// Names the values of an enum in the header. One that has no name yet does not compile.
macro_rules! named {
    ($(#[$about:meta])* $list:ident = $prefix:literal of $kind:ident;
     $($name:ident = $variant:ident, $meaning:literal;)*) => {
        $(#[$about])*
        pub(crate) const $list: &[$crate::lists::Number] = &[$($crate::lists::Number {
            name: $crate::lists::c_name(concat!($prefix, stringify!($name), "\0")),
            value: $kind::$variant as i64,
            meaning: $meaning,
        }),*];

        const _: fn($kind) = |value| match value {
            $($kind::$variant => {})*
        };
    };
}

pub(crate) use {named, numbers};
