//! Checked ways to read what C passes and to write what C receives. NULL, sizes and encodings are judged here only.

use crate::detail::Failure;
use crate::result::{WM_E_BAD_VALUE, WM_E_BUFFER_TOO_SMALL, WM_E_INVALIDARG};
use std::ffi::{CStr, c_char, c_void};
use std::mem::MaybeUninit;
use wmlicense_core::rights::action_name;
use wmlicense_wire::cbor::check_text;
use wmlicense_wire::id::Kid;

/// Largest `struct_size` accepted: no struct of this interface comes near it, so a larger one was not set at all.
const MAX_STRUCT_SIZE: usize = 4096;

fn null(what: &'static str) -> Failure {
    Failure::with(WM_E_INVALIDARG, format!("The argument {what} is NULL."))
}

/// The bytes of a C string without its NUL.
///
/// The caller guarantees that `text` is NULL or points to a NUL-terminated string that outlives the result.
pub(crate) unsafe fn c_bytes<'a>(text: *const c_char, what: &'static str) -> Result<&'a [u8], Failure> {
    if text.is_null() {
        return Err(null(what));
    }
    // SAFETY: not NULL; the caller answers for the rest.
    Ok(unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// A C string that must be UTF-8. Same duty of the caller as [`c_bytes`].
pub(crate) unsafe fn text<'a>(text: *const c_char, what: &'static str) -> Result<&'a str, Failure> {
    // SAFETY: passed on to the caller.
    let bytes = unsafe { c_bytes(text, what)? };
    std::str::from_utf8(bytes)
        .map_err(|_| Failure::with(WM_E_BAD_VALUE, format!("The argument {what} is not valid UTF-8.")))
}

/// As [`text`], of what goes into documents.
pub(crate) unsafe fn line<'a>(text: *const c_char, what: &'static str) -> Result<&'a str, Failure> {
    // SAFETY: passed on to the caller.
    let text = unsafe { self::text(text, what)? };
    let bad = |why| Failure::with(WM_E_BAD_VALUE, format!("The argument {what} cannot be used: {why}."));
    check_text(text).map(|()| text).map_err(bad)
}

/// The name of an action as policies have it. Same duty of the caller as [`c_bytes`].
pub(crate) unsafe fn action<'a>(action: *const c_char) -> Result<&'a str, Failure> {
    // SAFETY: passed on to the caller.
    unsafe { line(action, "action") }.map(action_name)
}

/// `size` bytes at `data`; NULL is allowed for none.
///
/// The caller guarantees that a `data` that is not NULL points to `size` readable bytes that outlive the result.
pub(crate) unsafe fn bytes<'a>(data: *const c_void, size: usize, what: &'static str) -> Result<&'a [u8], Failure> {
    match (data.is_null(), size) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(null(what)),
        (false, size) if size > isize::MAX as usize => Err(Failure::new(WM_E_INVALIDARG)),
        // SAFETY: not NULL and of a possible size; the caller answers for the rest.
        (false, size) => Ok(unsafe { std::slice::from_raw_parts(data.cast(), size) }),
    }
}

/// As [`bytes`], for `count` values of a type that any bytes are valid for. They must be aligned as C aligns them.
pub(crate) unsafe fn array<'a, T>(data: *const T, count: usize, what: &'static str) -> Result<&'a [T], Failure> {
    match (data.is_null(), count) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(null(what)),
        (false, count) if count > isize::MAX as usize / size_of::<T>() || !data.is_aligned() => {
            Err(Failure::new(WM_E_INVALIDARG))
        }
        // SAFETY: not NULL, aligned and of a possible size; the caller answers for the rest.
        (false, count) => Ok(unsafe { std::slice::from_raw_parts(data, count) }),
    }
}

/// As [`bytes`], writable. The caller guarantees that nobody else uses the bytes meanwhile.
pub(crate) unsafe fn bytes_mut<'a>(
    data: *mut c_void,
    size: usize,
    what: &'static str,
) -> Result<&'a mut [u8], Failure> {
    match (data.is_null(), size) {
        (_, 0) => Ok(&mut []),
        (true, _) => Err(null(what)),
        (false, size) if size > isize::MAX as usize => Err(Failure::new(WM_E_INVALIDARG)),
        // SAFETY: not NULL and of a possible size; the caller answers for the rest.
        (false, size) => Ok(unsafe { std::slice::from_raw_parts_mut(data.cast(), size) }),
    }
}

/// A key ID: 16 bytes in the byte order of the UUID text. The caller guarantees NULL or 16 readable bytes.
pub(crate) unsafe fn kid(kid: *const u8) -> Result<Kid, Failure> {
    if kid.is_null() {
        return Err(null("kid"));
    }
    // SAFETY: not NULL; the caller answers for 16 bytes. Bytes have no alignment.
    Ok(Kid::new(unsafe { kid.cast::<[u8; 16]>().read() }))
}

/// Whether the only flag that a function has is given.
pub(crate) fn flag(flags: u32, known: u32) -> Result<bool, Failure> {
    match flags & !known {
        0 => Ok(flags & known != 0),
        _ => Err(Failure::with(WM_E_INVALIDARG, "There is no such flag.")),
    }
}

/// A place for one output. Checked before the work, written after it.
pub(crate) struct Out<T>(*mut T);

impl<T> Out<T> {
    /// The caller guarantees that `place` is NULL or writable until the call returns.
    pub(crate) unsafe fn new(place: *mut T, what: &'static str) -> Result<Self, Failure> {
        if place.is_null() { Err(null(what)) } else { Ok(Self(place)) }
    }

    pub(crate) fn write(self, value: T) {
        // SAFETY: `new` made the caller answer for the place; unaligned places are written as well.
        unsafe { self.0.write_unaligned(value) }
    }
}

/// A place for an output that the caller may leave out. The caller guarantees that `place` is NULL or writable.
pub(crate) unsafe fn write_if_wanted<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: not NULL; the caller answers for the rest.
        unsafe { place.write_unaligned(value) }
    }
}

/// The caller's buffer of the two-call idiom.
pub(crate) struct Buffer {
    buf: *mut u8,
    size: usize,
    needed_out: *mut usize,
}

impl Buffer {
    /// The caller guarantees that `buf` is NULL or has `size` writable bytes, and `needed_out` is NULL or writable.
    pub(crate) unsafe fn new(buf: *mut c_void, size: usize, needed_out: *mut usize) -> Result<Self, Failure> {
        if buf.is_null() && size > 0 {
            return Err(null("buf"));
        }
        Ok(Self { buf: buf.cast(), size, needed_out })
    }

    /// Gives the parts joined: their size always, themselves if there is a buffer and they fit.
    pub(crate) fn fill(self, parts: &[&[u8]]) -> Result<(), Failure> {
        let needed = parts.iter().map(|part| part.len()).sum();
        // SAFETY: `new` made the caller answer for the place.
        unsafe { write_if_wanted(self.needed_out, needed) };
        if self.buf.is_null() {
            return Ok(());
        }
        if self.size < needed {
            return Err(Failure::with(WM_E_BUFFER_TOO_SMALL, format!("The buffer needs {needed} bytes.")));
        }
        let mut at = self.buf;
        for part in parts {
            // SAFETY: the buffer has `needed` bytes and is not the library's own memory.
            unsafe {
                at.copy_from_nonoverlapping(part.as_ptr(), part.len());
                at = at.add(part.len());
            }
        }
        Ok(())
    }

    /// Gives text with its NUL.
    pub(crate) fn fill_text(self, text: &[u8]) -> Result<(), Failure> {
        self.fill(&[text, b"\0"])
    }
}

fn struct_size(place: *const c_void) -> Result<usize, Failure> {
    if place.is_null() {
        return Err(null("struct"));
    }
    // SAFETY: every sized struct begins with its size, which the caller set.
    let size = unsafe { place.cast::<usize>().read_unaligned() };
    if !(size_of::<usize>()..=MAX_STRUCT_SIZE).contains(&size) {
        return Err(Failure::with(WM_E_INVALIDARG, "struct_size is not set"));
    }
    Ok(size)
}

/// A sized struct to be written: what the caller knows of it is filled, what it has beyond is zeroed.
pub(crate) struct SizedOut<T> {
    place: *mut T,
    size: usize,
}

impl<T> SizedOut<T> {
    /// `T` begins with `struct_size: usize`. The caller guarantees that `place` is NULL or has as many writable bytes as
    /// the `struct_size` in it says.
    pub(crate) unsafe fn new(place: *mut T) -> Result<Self, Failure> {
        Ok(Self { place, size: struct_size(place.cast())? })
    }

    /// What the caller's struct keeps as its size.
    pub(crate) fn struct_size(&self) -> usize {
        self.size
    }

    pub(crate) fn write(self, value: T) {
        let known = size_of::<T>().min(self.size);
        let value = MaybeUninit::new(value);
        // SAFETY: `new` made the caller answer for `size` bytes; `known` bytes are within both structs.
        unsafe {
            let to = self.place.cast::<u8>();
            to.copy_from_nonoverlapping(value.as_ptr().cast(), known);
            to.add(known).write_bytes(0, self.size - known);
        }
    }
}

/// Reads a sized struct: fields beyond the caller's size are zero; bytes beyond ours must be.
///
/// `T` begins with `struct_size: usize` and is valid for any bytes. The caller guarantees that `place` is NULL or has as
/// many readable bytes as the `struct_size` in it says.
pub(crate) unsafe fn sized_in<T>(place: *const T) -> Result<T, Failure> {
    let size = struct_size(place.cast())?;
    let known = size_of::<T>().min(size);
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: the caller answers for `size` readable bytes; `T` is valid for any bytes, so also for partly zeroed ones.
    let (value, beyond) = unsafe {
        value.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(place.cast(), known);
        (value.assume_init(), std::slice::from_raw_parts(place.cast::<u8>().add(known), size - known))
    };
    if beyond.iter().any(|byte| *byte != 0) {
        return Err(Failure::with(WM_E_INVALIDARG, "the struct has fields that this version does not know"));
    }
    Ok(value)
}

/// Text for a fixed field: cut between characters, always with a NUL.
pub(crate) fn fixed_text<const N: usize>(text: &str) -> [c_char; N] {
    let mut end = text.len().min(N - 1);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut field = [0; N];
    for (to, from) in field.iter_mut().zip(&text.as_bytes()[..end]) {
        *to = *from as c_char;
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Sized3 {
        struct_size: usize,
        first: u64,
        second: u64,
    }

    #[test]
    fn a_shorter_output_gets_what_fits_and_a_longer_one_zeros() {
        let mut place = [0xeeee_eeee_u64; 5];
        place[0] = 16;
        // SAFETY: the place has 40 bytes and says 16, then 40.
        unsafe {
            let out = SizedOut::<Sized3>::new(place.as_mut_ptr().cast()).unwrap();
            out.write(Sized3 { struct_size: 16, first: 1, second: 2 });
            assert_eq!(place, [16, 1, 0xeeee_eeee, 0xeeee_eeee, 0xeeee_eeee]);
            place[0] = 40;
            let out = SizedOut::<Sized3>::new(place.as_mut_ptr().cast()).unwrap();
            out.write(Sized3 { struct_size: 40, first: 1, second: 2 });
            assert_eq!(place, [40, 1, 2, 0, 0]);
        }
    }

    #[test]
    fn a_longer_input_is_accepted_if_the_excess_is_zero() {
        let mut place = [40_u64, 1, 2, 0, 0];
        // SAFETY: the place has as many bytes as it says.
        unsafe {
            let read = |place: &[u64; 5]| sized_in::<Sized3>(place.as_ptr().cast());
            assert_eq!(read(&place).unwrap(), Sized3 { struct_size: 40, first: 1, second: 2 });
            place[4] = 1;
            assert_eq!(read(&place).unwrap_err().result(), WM_E_INVALIDARG);
            place[0] = 16;
            assert_eq!(read(&place).unwrap(), Sized3 { struct_size: 16, first: 1, second: 0 });
            for wrong in [0, 7, 4097, u64::MAX] {
                place[0] = wrong;
                assert_eq!(read(&place).unwrap_err().result(), WM_E_INVALIDARG);
            }
        }
    }

    #[test]
    fn a_buffer_is_filled_whole_or_not_at_all() {
        let (mut buf, mut needed) = ([b'x'; 4], 0);
        // SAFETY: the buffer has the size given.
        unsafe {
            let small = Buffer::new(buf.as_mut_ptr().cast(), 3, &mut needed).unwrap();
            assert_eq!(small.fill_text(b"abc").unwrap_err().result(), WM_E_BUFFER_TOO_SMALL);
            assert_eq!((&buf, needed), (b"xxxx", 4));
            Buffer::new(buf.as_mut_ptr().cast(), 4, std::ptr::null_mut()).unwrap().fill_text(b"abc").unwrap();
            assert_eq!(&buf, b"abc\0");
            assert!(Buffer::new(std::ptr::null_mut(), 1, &mut needed).is_err());
        }
    }

    #[test]
    fn a_buffer_that_is_asked_for_its_size_only_is_told_it() {
        let mut needed = 0;
        // SAFETY: NULL is never written.
        unsafe {
            Buffer::new(std::ptr::null_mut(), 0, &mut needed).unwrap().fill(&[b"ab", b"cde"]).unwrap();
            assert_eq!(needed, 5);
            Buffer::new(std::ptr::null_mut(), 0, std::ptr::null_mut()).unwrap().fill_text(b"abc").unwrap();
        }
        let mut buf = [b'x'; 6];
        // SAFETY: the buffer has the size given.
        unsafe { Buffer::new(buf.as_mut_ptr().cast(), 6, &mut needed).unwrap().fill(&[b"ab", b"cde"]).unwrap() };
        assert_eq!((&buf, needed), (b"abcdex", 5));
    }

    #[test]
    fn a_flag_is_given_or_not_and_every_other_one_is_refused() {
        assert_eq!((flag(0, 4).ok(), flag(4, 4).ok()), (Some(false), Some(true)));
        for wrong in [1, 2, 8, 5, u32::MAX] {
            assert_eq!(flag(wrong, 4).unwrap_err().result(), WM_E_INVALIDARG);
        }
    }

    #[test]
    fn null_is_no_struct() {
        // SAFETY: NULL is never read.
        unsafe {
            assert!(SizedOut::<Sized3>::new(std::ptr::null_mut()).is_err());
            assert!(sized_in::<Sized3>(std::ptr::null()).is_err());
        }
    }

    #[test]
    fn null_is_nothing_only_where_nothing_is_asked_for() {
        // SAFETY: NULL is never read.
        unsafe {
            assert_eq!(bytes(std::ptr::null(), 0, "data").unwrap(), b"");
            assert!(bytes(std::ptr::null(), 1, "data").is_err());
            assert!(bytes([0_u8].as_ptr().cast(), usize::MAX, "data").is_err());
            assert!(kid(std::ptr::null()).is_err());
            assert!(text(std::ptr::null(), "text").is_err());
        }
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let field: [c_char; 4] = fixed_text("aéé");
        assert_eq!(field.map(|byte| byte as u8), [b'a', 0xc3, 0xa9, 0]);
        let field: [c_char; 4] = fixed_text("aaé");
        assert_eq!(field.map(|byte| byte as u8), [b'a', b'a', 0, 0]);
    }
}
