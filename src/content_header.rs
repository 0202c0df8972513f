//! The C face of content headers: what a media file says about its protection.

use crate::detail::Failure;
use crate::gate;
use crate::input::{self, Out};
use crate::object::{self, Base, Object, handle};
use crate::prop::names::{CONTENT_ID, KIDS, LICENSE_URL, NOTES, SCHEME, SECURITY_VERSION, SYSTEM};
use crate::prop::{Key, Specs, Value};
use crate::result::{WM_S_FALSE, WM_S_OK, wm_result};
use std::ffi::{OsStr, c_char, c_void};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use wmlicense_core::file::open_named;
use wmlicense_media::{ContentHeader, HeaderError};
use wmlicense_wire::id::Kid;

/// What content says about its protection, read once from a file or from bytes. Needs no client. Its properties can only
/// be read: WM_PROP_KIDS, WM_PROP_LICENSE_URL, WM_PROP_SCHEME, WM_PROP_SYSTEM, WM_PROP_CONTENT_ID, WM_PROP_SECURITY_VERSION,
/// WM_PROP_NOTES, and custom elements of the content's owner under their own names, as wm_get_prop_name lists them.
pub struct wm_content_header {
    _opaque: [u8; 0],
}

handle!(wm_content_header: ContentHeaderObject, ContentHeader);

pub(crate) const PROPERTIES: Specs = &[&KIDS, &LICENSE_URL, &SCHEME, &SYSTEM, &CONTENT_ID, &SECURITY_VERSION, &NOTES];

/// The object behind a `wm_content_header`.
pub(crate) struct ContentHeaderObject {
    base: Base,
    header: ContentHeader,
}

impl Object for ContentHeaderObject {
    fn base(&self) -> &Base {
        &self.base
    }

    fn computed(&self, key: Key) -> Result<Option<Value>, Failure> {
        let header = &self.header;
        let text = match key {
            KIDS => joined(header.kids().iter().map(|kid| kid.to_base64()), ";"),
            LICENSE_URL => header.license_url().map(str::to_owned),
            SCHEME => header.scheme().map(|scheme| scheme.to_string()),
            SYSTEM => joined(header.system_ids().iter().map(|system| system.to_string()), ";"),
            NOTES => joined(header.notes().map(|note| note.to_string()), "\n"),
            CONTENT_ID => header.content_id().map(str::to_owned),
            SECURITY_VERSION => header.security_version().map(str::to_owned),
            _ => None,
        };
        Ok(text.map(Value::from))
    }

    fn foreign(&self) -> Vec<(String, String)> {
        let pairs = self.header.attributes().into_iter();
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

/// A list with this between its parts; an empty one is no value.
fn joined(parts: impl Iterator<Item = String>, between: &str) -> Option<String> {
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join(between))
}

impl ContentHeaderObject {
    /// Its key IDs.
    pub(crate) fn kids(&self) -> &[Kid] {
        self.header.kids()
    }

    fn new(header: ContentHeader) -> Self {
        Self { base: Base::new(PROPERTIES), header }
    }
}

fn read_file(path: &[u8]) -> Result<ContentHeader, Failure> {
    let file = open_named(Path::new(OsStr::from_bytes(path))).map_err(HeaderError::from);
    file.and_then(ContentHeader::read).map_err(Failure::from)
}

/// Reads protection data from memory: the header of an MP4, WebM or ASF file, `pssh` boxes, a PlayReady Object, a WRMHEADER, W3C
/// initialization data (`cenc`, `keyids`, `webm`), an HLS playlist or its key tags, a DASH or Smooth Streaming manifest or
/// its protection elements. The bytes are not kept. *out: receives a handle to release. What cannot be read beside the rest
/// is in WM_PROP_NOTES; where nothing else names a key ID, it is the failure.
/// Fails with WM_E_MALFORMED_CONTENT_HEADER, whose detail names byte and field; WM_E_CONTENT_HEADER_TOO_NEW for a version
/// of WRMHEADER that is not known; and WM_E_INVALIDARG for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_create_content_header(
    data: *const c_void,
    size: usize,
    out: *mut *mut wm_content_header,
) -> wm_result {
    // SAFETY: the header makes the caller answer for `size` bytes and for the place.
    unsafe {
        object::create(out, || {
            let bytes = input::bytes(data, size, "data")?;
            ContentHeader::parse(bytes).map(ContentHeaderObject::new).map_err(Failure::from)
        })
    }
}

/// Reads protection data from a regular file of any kind that wm_create_content_header takes; media data is skipped.
/// path: any bytes.
/// *out: receives a handle to release.
/// Fails as wm_create_content_header, and with WM_E_PATH_NOT_FOUND and WM_E_PATH_UNUSABLE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_create_content_header_from_file(
    path: *const c_char,
    out: *mut *mut wm_content_header,
) -> wm_result {
    // SAFETY: the header makes the caller answer for a NUL-terminated path and for the place.
    unsafe { object::create(out, || Ok(ContentHeaderObject::new(read_file(input::c_bytes(path, "path")?)?))) }
}

/// Tells whether a media file, playlist or manifest needs a license to be played. Answers 0 and true, or WM_S_FALSE and false.
/// Protection of a kind that is not known counts as well: false means that nothing says so.
/// Fails as wm_create_content_header_from_file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_is_content_protected(path: *const c_char, protected_out: *mut bool) -> wm_result {
    gate::enter_with(|| {
        // SAFETY: the header makes the caller answer for a NUL-terminated path and for the place.
        let (path, out) = unsafe { (input::c_bytes(path, "path")?, Out::new(protected_out, "protected_out")?) };
        let protected = read_file(path)?.is_protected();
        out.write(protected);
        Ok(if protected { WM_S_OK } else { WM_S_FALSE })
    })
}
