//! Versions of the library and of its binary interface.

use std::ffi::{CStr, c_char};

/// Number of the binary interface. It rises when a program built against an older header could misbehave.
pub(crate) const ABI_VERSION: u32 = 1;

/// Major, minor and patch number of this crate.
pub(crate) const VERSION: [u32; 3] = [
    number(env!("CARGO_PKG_VERSION_MAJOR")),
    number(env!("CARGO_PKG_VERSION_MINOR")),
    number(env!("CARGO_PKG_VERSION_PATCH")),
];

const TEXT: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(text) => text,
    Err(_) => c"",
};

/// Reads a decimal number of the package's version.
const fn number(text: &str) -> u32 {
    let bytes = text.as_bytes();
    let (mut value, mut at) = (0, 0);
    while at < bytes.len() {
        value = value * 10 + (bytes[at] - b'0') as u32;
        at += 1;
    }
    value
}

/// Version of the library at run time: major << 16 | minor << 8 | patch. Compare with WM_VERSION of the header.
#[unsafe(no_mangle)]
pub extern "C" fn wm_version() -> u32 {
    let [major, minor, patch] = VERSION;
    major << 16 | minor << 8 | patch
}

/// Version of the library as text, such as "0.1.0". Static: never freed, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wm_version_string() -> *const c_char {
    TEXT.as_ptr()
}

/// Number of the binary interface. A program that loads the library with dlopen stops if it is not WM_ABI_VERSION.
#[unsafe(no_mangle)]
pub extern "C" fn wm_abi_version() -> u32 {
    ABI_VERSION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_text_of_the_version_agree() {
        let version = wm_version();
        let text = format!("{}.{}.{}", version >> 16, version >> 8 & 255, version & 255);
        assert_eq!(text, env!("CARGO_PKG_VERSION"));
        assert_eq!(TEXT.to_str(), Ok(text.as_str()));
    }
}
