use super::*;
use crate::object::{self, Base, handle, wm_release};
use crate::prop::names::{
    ACCOUNT_TOKEN, ALLOW_HTTP, CUSTOM_DATA, DEADLINE_MS, DEVICE_ID, FILTER_EXPIRING_BEFORE, LICENSE_URL, SERVICE_URL,
};
use crate::result::{WM_E_ALREADY_OPEN, WM_E_BUFFER_TOO_SMALL, WM_E_BUSY, WM_S_OK};
use std::ffi::{CStr, CString};
use std::ptr::null_mut;
use std::sync::Mutex;

/// An object with a property of each type and access; it borrows the kind of one that C knows.
struct Tested {
    base: Base,
    /// What the first of what may be changed is told, and what is fixed once it has begun.
    refused: Mutex<(Option<wm_result>, Option<wm_result>)>,
}

struct TestedHandle;

handle!(TestedHandle: Tested, StoreKeeper);

impl Object for Tested {
    fn base(&self) -> &Base {
        &self.base
    }

    fn computed(&self, key: Key) -> Result<Option<Value>, Failure> {
        Ok((key == DEVICE_ID || key == SERVICE_URL.key()).then(|| Value::from("computed".to_owned())))
    }

    fn foreign(&self) -> Vec<(String, String)> {
        let pairs = [("Author", "Ann"), ("AccountToken", "stolen"), ("Year", "2003")];
        pairs.map(|(name, text)| (name.to_owned(), text.to_owned())).into()
    }

    fn may_change(&self, access: Access) -> Result<(), Failure> {
        let refused = self.refused.lock().unwrap();
        let result = if access == Access::FixedOnceBegun { refused.1 } else { refused.0 };
        result.map_or(Ok(()), |result| Err(Failure::new(result)))
    }
}

/// The handle of an object, for as long as a test has it.
struct Held(*mut c_void);

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: any value may be released.
        assert_eq!(unsafe { wm_release(self.0) }, WM_S_OK);
    }
}

fn name(key: Key) -> CString {
    CString::new(key.name).unwrap()
}

impl Held {
    fn new() -> Self {
        let base = Base::new(&[
            &SERVICE_URL,
            &ALLOW_HTTP,
            &DEADLINE_MS,
            &FILTER_EXPIRING_BEFORE,
            &CUSTOM_DATA,
            &ACCOUNT_TOKEN,
            &DEVICE_ID,
            &LICENSE_URL,
        ]);
        let tested = Tested { base, refused: Mutex::default() };
        Self(object::hand_out::<TestedHandle>(tested).unwrap().cast())
    }

    fn refusing(self, settable: Option<wm_result>, fixed: Option<wm_result>) -> Self {
        *object::resolve::<TestedHandle>(self.0.cast()).unwrap().refused.lock().unwrap() = (settable, fixed);
        self
    }

    fn set(&self, key: Key, kind: Type, bytes: &[u8]) -> wm_result {
        // SAFETY: the name ends with NUL, and the bytes are there.
        unsafe { wm_set_prop(self.0, name(key).as_ptr(), kind.number(), bytes.as_ptr().cast(), bytes.len()) }
    }

    fn set_text(&self, key: Key, text: &CStr) -> wm_result {
        // SAFETY: both texts end with NUL.
        unsafe { wm_set_string_prop(self.0, name(key).as_ptr(), text.as_ptr()) }
    }

    fn set_number(&self, key: Key, number: u64) -> wm_result {
        // SAFETY: the name ends with NUL.
        unsafe { wm_set_number_prop(self.0, name(key).as_ptr(), number) }
    }

    fn set_flag(&self, key: Key, flag: bool) -> wm_result {
        // SAFETY: the name ends with NUL.
        unsafe { wm_set_bool_prop(self.0, name(key).as_ptr(), flag) }
    }

    /// Type and bytes, read in two calls.
    fn get(&self, name: &str) -> Result<(wm_attr_type, Vec<u8>), wm_result> {
        let (name, mut kind, mut needed) = (CString::new(name).unwrap(), -1, 0);
        // SAFETY: the name ends with NUL, and the places are writable.
        match unsafe { wm_get_prop(self.0, name.as_ptr(), &mut kind, null_mut(), 0, &mut needed) } {
            WM_S_OK => {}
            failed => return Err(failed),
        }
        let mut bytes = vec![0; needed];
        // SAFETY: the name ends with NUL, and the buffer has the size given.
        let read =
            unsafe { wm_get_prop(self.0, name.as_ptr(), null_mut(), bytes.as_mut_ptr().cast(), needed, null_mut()) };
        assert_eq!(read, WM_S_OK);
        Ok((kind, bytes))
    }

    fn count(&self) -> usize {
        let mut count = usize::MAX;
        // SAFETY: the place is writable.
        assert_eq!(unsafe { wm_get_prop_count(self.0, &mut count) }, WM_S_OK);
        count
    }

    fn name_at(&self, index: usize) -> Result<String, wm_result> {
        let (mut buf, mut needed) = ([0_u8; 32], 0);
        // SAFETY: the buffer has the size given.
        match unsafe { wm_get_prop_name(self.0, index, buf.as_mut_ptr().cast(), buf.len(), &mut needed) } {
            WM_S_OK => Ok(String::from_utf8(buf[..needed - 1].to_vec()).unwrap()),
            failed => Err(failed),
        }
    }

    fn names(&self) -> Vec<String> {
        let names: Vec<String> = (0..self.count()).map(|index| self.name_at(index).unwrap()).collect();
        assert_eq!(self.name_at(names.len()), Err(WM_E_INVALIDARG));
        names
    }

    fn remove(&self, key: Key) -> wm_result {
        // SAFETY: the name ends with NUL.
        unsafe { wm_remove_prop(self.0, name(key).as_ptr()) }
    }

    fn remove_all(&self) -> wm_result {
        // SAFETY: any value may be passed.
        unsafe { wm_remove_all_props(self.0) }
    }
}

const URL: &CStr = c"https://license.test/";

#[test]
fn every_type_is_read_as_it_was_set() {
    let held = Held::new();
    assert_eq!(held.set_text(SERVICE_URL.key(), URL), WM_S_OK);
    assert_eq!(held.get("ServiceURL"), Ok((Type::String.number(), URL.to_bytes_with_nul().to_vec())));
    assert_eq!(held.set(SERVICE_URL.key(), Type::String, b"https://other.test/\0"), WM_S_OK);
    assert_eq!(held.get("ServiceURL"), Ok((Type::String.number(), b"https://other.test/\0".to_vec())));
    for flag in [true, false] {
        assert_eq!(held.set_flag(ALLOW_HTTP.key(), flag), WM_S_OK);
        assert_eq!(held.get("AllowHttp"), Ok((Type::Bool.number(), i32::from(flag).to_ne_bytes().to_vec())));
    }
    assert_eq!(held.set_number(DEADLINE_MS.key(), u32::MAX.into()), WM_S_OK);
    assert_eq!(held.get("DeadlineMs"), Ok((Type::Dword.number(), u32::MAX.to_ne_bytes().to_vec())));
    assert_eq!(held.set_number(FILTER_EXPIRING_BEFORE.key(), u64::MAX - 7), WM_S_OK);
    assert_eq!(held.get("FilterExpiringBefore"), Ok((Type::Qword.number(), (u64::MAX - 7).to_ne_bytes().to_vec())));
    assert_eq!(held.set(CUSTOM_DATA.key(), Type::Binary, &[0, 1, 2]), WM_S_OK);
    assert_eq!(held.get("CustomData"), Ok((Type::Binary.number(), vec![0, 1, 2])));
}

#[test]
fn a_value_that_does_not_fit_leaves_the_one_before() {
    let held = Held::new();
    assert_eq!(held.set_number(DEADLINE_MS.key(), 7), WM_S_OK);
    assert_eq!(held.set(DEADLINE_MS.key(), Type::Qword, &7_u64.to_ne_bytes()), WM_E_WRONG_TYPE);
    assert_eq!(held.set(DEADLINE_MS.key(), Type::Dword, &[1, 2, 3]), WM_E_BAD_VALUE);
    assert_eq!(held.set_number(DEADLINE_MS.key(), 1 << 32), WM_E_BAD_VALUE);
    assert_eq!(held.set_text(DEADLINE_MS.key(), URL), WM_E_WRONG_TYPE);
    assert_eq!(held.set_flag(DEADLINE_MS.key(), true), WM_E_WRONG_TYPE);
    assert_eq!(held.get("DeadlineMs"), Ok((Type::Dword.number(), 7_u32.to_ne_bytes().to_vec())));
    assert_eq!(held.set_text(SERVICE_URL.key(), c"no URL"), WM_E_BAD_VALUE);
    for key in [SERVICE_URL.key(), ALLOW_HTTP.key(), CUSTOM_DATA.key()] {
        assert_eq!(held.set_number(key, 1), WM_E_WRONG_TYPE, "{}", key.name);
    }
}

#[test]
fn what_can_only_be_read_or_only_be_set_is_refused_the_other_way() {
    let held = Held::new();
    assert_eq!(held.set_text(DEVICE_ID, c"mine"), WM_E_UNSUPPORTED_PROPERTY);
    assert_eq!(held.remove(DEVICE_ID), WM_E_UNSUPPORTED_PROPERTY);
    assert_eq!(held.get("DeviceID"), Ok((Type::String.number(), b"computed\0".to_vec())));
    assert_eq!(held.get("LicenseURL"), Err(WM_E_UNSUPPORTED_PROPERTY), "it has no value");
    assert_eq!(held.set_text(ACCOUNT_TOKEN.key(), c"secret"), WM_S_OK);
    assert_eq!(held.get("AccountToken"), Err(WM_E_UNSUPPORTED_PROPERTY));
    assert_eq!(held.get("Nothing"), Err(WM_E_UNSUPPORTED_PROPERTY));
    assert_eq!(held.get("DeadlineMs"), Err(WM_E_UNSUPPORTED_PROPERTY), "it was not set");
}

#[test]
fn what_was_set_comes_before_what_the_object_knows_and_a_removal_brings_that_back() {
    let held = Held::new();
    let computed = Ok((Type::String.number(), b"computed\0".to_vec()));
    assert_eq!(held.get("ServiceURL"), computed);
    assert_eq!(held.set_text(SERVICE_URL.key(), URL), WM_S_OK);
    assert_eq!(held.get("ServiceURL"), Ok((Type::String.number(), URL.to_bytes_with_nul().to_vec())));
    assert_eq!(held.remove(SERVICE_URL.key()), WM_S_OK);
    assert_eq!(held.get("ServiceURL"), computed);
    assert_eq!(held.remove(SERVICE_URL.key()), WM_E_UNSUPPORTED_PROPERTY, "nothing is set");
}

#[test]
fn names_of_the_content_are_read_and_listed_but_hide_none_of_the_objects() {
    let held = Held::new();
    assert_eq!(held.names(), ["ServiceURL", "DeviceID", "Author", "Year"]);
    assert_eq!(held.set_number(DEADLINE_MS.key(), 7), WM_S_OK);
    assert_eq!(held.set_text(ACCOUNT_TOKEN.key(), c"secret"), WM_S_OK);
    assert_eq!(held.names(), ["ServiceURL", "DeadlineMs", "DeviceID", "Author", "Year"]);
    assert_eq!(held.get("Author"), Ok((Type::String.number(), b"Ann\0".to_vec())));
    assert_eq!(held.get("Year"), Ok((Type::String.number(), b"2003\0".to_vec())));
    assert_eq!(held.get("AccountToken"), Err(WM_E_UNSUPPORTED_PROPERTY));
}

#[test]
fn a_buffer_that_is_too_small_stays_as_it_was_and_the_size_is_told() {
    let held = Held::new();
    let (mut buf, mut needed, mut kind) = ([b'x'; 8], 0, -1);
    // SAFETY: the buffer has the size given.
    let read = unsafe {
        wm_get_prop(held.0, c"DeviceID".as_ptr(), &mut kind, buf.as_mut_ptr().cast(), buf.len(), &mut needed)
    };
    assert_eq!((read, needed, kind, &buf), (WM_E_BUFFER_TOO_SMALL, 9, Type::String.number(), b"xxxxxxxx"));
}

#[test]
fn while_a_verb_runs_nothing_changes() {
    let held = Held::new();
    assert_eq!(held.set_number(DEADLINE_MS.key(), 7), WM_S_OK);
    let held = held.refusing(Some(WM_E_BUSY), Some(WM_E_BUSY));
    assert_eq!(held.set_number(DEADLINE_MS.key(), 8), WM_E_BUSY);
    assert_eq!((held.remove(DEADLINE_MS.key()), held.remove_all()), (WM_E_BUSY, WM_E_BUSY));
    assert_eq!(held.get("DeadlineMs"), Ok((Type::Dword.number(), 7_u32.to_ne_bytes().to_vec())));
}

#[test]
fn all_that_may_be_removed_is_removed_and_what_is_fixed_by_now_stays() {
    let held = Held::new();
    let before = || held.set_number(FILTER_EXPIRING_BEFORE.key(), 5);
    assert_eq!((before(), held.set_number(DEADLINE_MS.key(), 7)), (WM_S_OK, WM_S_OK));
    assert_eq!(held.remove_all(), WM_S_OK);
    assert!(held.get("FilterExpiringBefore").is_err() && held.get("DeadlineMs").is_err());
    assert_eq!((before(), held.set_number(DEADLINE_MS.key(), 7)), (WM_S_OK, WM_S_OK));
    let held = held.refusing(None, Some(WM_E_ALREADY_OPEN));
    assert_eq!(held.remove_all(), WM_S_OK);
    assert!(held.get("FilterExpiringBefore").is_ok() && held.get("DeadlineMs").is_err());
    assert_eq!(held.set_number(FILTER_EXPIRING_BEFORE.key(), 6), WM_E_ALREADY_OPEN);
    assert_eq!(held.set_number(DEADLINE_MS.key(), 6), WM_S_OK);
}
