//! The C face of `core::decryptor`. The path of a sample is a lookup and a call of the core: it allocates nothing.

use crate::client::{ClientObject, wm_client};
use crate::detail::Failure;
use crate::gate;
use crate::input;
use crate::object::{self, Base, Object, handle, resolve};
use crate::prop::names::OUTPUT_PROTECTION;
use crate::prop::{Key, Specs, Value};
use crate::registers;
use crate::result::{WM_E_UNSUPPORTED_ALGORITHM, wm_result};
use std::ffi::{c_char, c_void};
use std::sync::Arc;
use wmlicense_core::decryptor::Decryptor;
use wmlicense_media::cenc::{SampleInfo, Scheme, Subsample};
use wmlicense_wire::id::Kid;

/// Decrypts the samples of one key ID for one action. Any number of threads may use one decryptor at the same time. It
/// counts as one use: share it among tracks with the same key ID. Once the first sample is decrypted it stays usable until
/// it is released, expiry included, unless the license's policy says otherwise: it may end with the right, and so many seconds
/// of use may make another count, which the first sample after them commits.
pub struct wm_decryptor {
    _opaque: [u8; 0],
}

handle!(wm_decryptor: DecryptorObject, Decryptor);

/// Bytes in the clear, followed by encrypted ones.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wm_subsample {
    /// Bytes in the clear.
    pub clear: u32,
    /// Encrypted bytes after them.
    pub encrypted: u32,
}

const _: () = assert!(
    size_of::<wm_subsample>() == size_of::<Subsample>()
        && align_of::<wm_subsample>() == align_of::<Subsample>()
        && std::mem::offset_of!(wm_subsample, encrypted) == std::mem::offset_of!(Subsample, encrypted),
    "C's subsamples are read in place"
);

/// How a sample is encrypted, as its container tells. Set struct_size to sizeof(wm_sample).
#[repr(C)]
pub struct wm_sample {
    /// Size of the struct that the caller knows, in bytes.
    pub struct_size: usize,
    /// Initialization vector.
    pub iv: *const u8,
    /// Its bytes: 8 or 16.
    pub iv_size: usize,
    /// Ranges of the sample, in order.
    pub subsamples: *const wm_subsample,
    /// Their number; 0 if the whole sample is encrypted.
    pub subsample_count: usize,
    /// Encrypted blocks of a pattern; 0 and 0 for none.
    pub crypt_byte_block: u32,
    /// Clear blocks of a pattern.
    pub skip_byte_block: u32,
    /// WM_SCHEME_*: four-character code of the scheme as a big-endian number, 'cenc' is 0x63656E63.
    pub scheme: u32,
}

pub(crate) const PROPERTIES: Specs = &[&OUTPUT_PROTECTION];

/// The object behind a `wm_decryptor`.
pub(crate) struct DecryptorObject {
    base: Base,
    decryptor: Decryptor,
}

impl Object for DecryptorObject {
    fn base(&self) -> &Base {
        &self.base
    }

    fn computed(&self, key: Key) -> Result<Option<Value>, Failure> {
        Ok(match key {
            OUTPUT_PROTECTION => self.decryptor.output_protection().map(|bytes| Value::Binary(bytes.to_vec())),
            _ => None,
        })
    }
}

impl DecryptorObject {
    fn create(client: &ClientObject, kid: Kid, action: &str) -> Result<Self, Failure> {
        let decryptor = Decryptor::create(client.opened()?, kid, action, &client.application());
        registers::clear();
        let decryptor = decryptor.map_err(|error| Failure::from(error).about(kid))?;
        Ok(Self { base: Base::new(PROPERTIES), decryptor })
    }
}

/// The core's form of a sample's description.
///
/// The caller guarantees what the header says of `wm_sample`.
unsafe fn sample_info<'a>(sample: &wm_sample) -> Result<SampleInfo<'a>, Failure> {
    // SAFETY: passed on to the caller; the layouts of both subsample types are equal, as asserted above.
    let (iv, subsamples) = unsafe {
        let iv = input::bytes(sample.iv.cast(), sample.iv_size, "iv")?;
        (iv, input::array::<Subsample>(sample.subsamples.cast(), sample.subsample_count, "subsamples")?)
    };
    Ok(SampleInfo {
        scheme: Scheme::from_fourcc(sample.scheme).ok_or_else(|| Failure::new(WM_E_UNSUPPORTED_ALGORITHM))?,
        iv,
        subsamples,
        crypt_byte_block: sample.crypt_byte_block,
        skip_byte_block: sample.skip_byte_block,
    })
}

/// Creates a decryptor: chooses a stored license that permits the action and opens its key. Reserves nothing, and makes no
/// network call. kid: 16 bytes. action: UTF-8, WM_ACTION_* or another name that a policy has. *out: receives a handle to release.
/// Fails with WM_E_LICENSE_REQUIRED if there is no license, WM_E_LICENSE_OUTOFDATE, WM_E_LICENSE_INCORRECT_RIGHTS if none grants
/// the action, WM_E_LICENSE_NOTENABLED before it begins, WM_E_USED_UP, WM_E_CLOCK, WM_E_LICENSE_APPSECLOW,
/// WM_E_NEEDS_INDIVIDUALIZATION, WM_E_NO_UPLINK_LICENSE if the subscription's root license is missing,
/// WM_E_LICENSE_UNUSABLE, WM_E_NOT_OPEN, WM_E_INVALIDARG, WM_E_BAD_VALUE, or a store error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_create_decryptor(
    client: *mut wm_client,
    kid: *const u8,
    action: *const c_char,
    out: *mut *mut wm_decryptor,
) -> wm_result {
    // SAFETY: the header makes the caller answer for 16 bytes, a NUL-terminated text and the place.
    unsafe {
        object::create(out, || {
            let client = resolve(client)?;
            DecryptorObject::create(&client, input::kid(kid)?, input::action(action)?)
        })
    }
}

/// Decrypts one sample in place. The first one evaluates the license again and commits the use durably, so it alone may take
/// as long as a disk does, and may fail as wm_create_decryptor or with a store error. Nobody else may use the sample's
/// bytes meanwhile. Fails with WM_E_UNSUPPORTED_ALGORITHM for another scheme than cenc, cens, cbc1 and cbcs, with
/// WM_E_INVALID_DATA if the description does not fit the sample, and with WM_E_INVALIDARG. On every failure the sample is
/// as it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_decrypt_sample(
    decryptor: *mut wm_decryptor,
    sample: *const wm_sample,
    data: *mut c_void,
    size: usize,
) -> wm_result {
    gate::enter(|| {
        // What is wrong with the handle is told before what is wrong with the sample.
        // SAFETY: the header makes the caller answer for the description, everything it points to, and the sample.
        let described = || unsafe {
            let sample = input::sized_in(sample)?;
            Ok::<_, Failure>((sample_info(&sample)?, input::bytes_mut(data, size, "data")?))
        };
        // A running use neither waits nor tells anybody anything, so the object need not be held.
        let running = object::look(decryptor, |object| {
            let (info, data) = described()?;
            object.decryptor.decrypt_running(&info, data).transpose().map_err(Failure::from)
        })?;
        let decrypted = match running {
            Ok(Some(())) => Ok(()),
            Ok(None) => {
                let object: Arc<DecryptorObject> = resolve(decryptor)?;
                let (info, data) = described()?;
                object.decryptor.decrypt(&info, data).map_err(Failure::from)
            }
            Err(failure) => Err(failure),
        };
        registers::clear();
        decrypted
    })
}
