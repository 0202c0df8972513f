//! The C face of `wire::kid_text`: key IDs as text and back. Needs no object.

use crate::detail::Failure;
use crate::flags::{WM_KID_BASE64, WM_KID_GUID_ORDER, WM_KID_HEX, WM_KID_UUID};
use crate::gate;
use crate::input::{self, Buffer, Out};
use crate::result::{WM_E_BAD_VALUE, WM_E_INVALIDARG, wm_result};
use std::ffi::c_char;
use wmlicense_wire::kid_text::{self, Form, Order};

/// The form that a number names, none for 0, and the order.
fn read_form(number: u32) -> Result<(Option<Form>, Order), Failure> {
    let order = if number & WM_KID_GUID_ORDER == 0 { Order::Uuid } else { Order::Guid };
    let form = match number & !WM_KID_GUID_ORDER {
        0 => None,
        WM_KID_BASE64 => Some(Form::Base64),
        WM_KID_HEX => Some(Form::Hex),
        WM_KID_UUID => Some(Form::Uuid),
        _ => return Err(Failure::with(WM_E_INVALIDARG, "form is none of WM_KID_*")),
    };
    Ok((form, order))
}

/// Writes a key ID as text, in two calls or one as wm_get_prop. kid: 16 bytes in the order of the UUID text, as all calls have
/// them. form: WM_KID_BASE64, WM_KID_HEX or WM_KID_UUID, with WM_KID_GUID_ORDER or without. Digits are lower-case, and a UUID has
/// no braces. needed_out: receives the size with the NUL; may be NULL.
/// Fails with WM_E_INVALIDARG for NULL or another form, and with WM_E_BUFFER_TOO_SMALL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_kid_to_text(
    kid: *const u8,
    form: u32,
    buf: *mut c_char,
    buf_size: usize,
    needed_out: *mut usize,
) -> wm_result {
    gate::enter(|| {
        // SAFETY: the header makes the caller answer for 16 bytes, the buffer and needed_out.
        let (kid, to) = unsafe { (input::kid(kid)?, Buffer::new(buf.cast(), buf_size, needed_out)?) };
        let (form, order) = read_form(form)?;
        let form = form.ok_or_else(|| Failure::with(WM_E_INVALIDARG, "form names no way to write a key ID"))?;
        to.fill_text(kid_text::write(kid, form, order).as_bytes())
    })
}

/// Reads a key ID from text. form: WM_KID_BASE64, WM_KID_HEX, WM_KID_UUID, or 0 to recognise which it is, each with
/// WM_KID_GUID_ORDER where the text is in that order, or without. Digits are of either case, a UUID may have braces
/// around; nothing else may stand before or behind. kid_out: receives 16 bytes in the order of the UUID text, as all
/// calls want them; untouched on failure.
/// Fails with WM_E_INVALIDARG for NULL or another form, and with WM_E_BAD_VALUE, with what is wrong in the detail, if the text is
/// not one whole key ID.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_kid_from_text(text: *const c_char, form: u32, kid_out: *mut u8) -> wm_result {
    gate::enter(|| {
        // SAFETY: the header makes the caller answer for a NUL-terminated text and a place of 16 bytes.
        let (text, out) = unsafe { (input::text(text, "text")?, Out::new(kid_out.cast::<[u8; 16]>(), "kid_out")?) };
        let (form, order) = read_form(form)?;
        let kid =
            kid_text::read(text, form, order).map_err(|error| Failure::with(WM_E_BAD_VALUE, error.to_string()))?;
        out.write(*kid.as_bytes());
        Ok(())
    })
}
