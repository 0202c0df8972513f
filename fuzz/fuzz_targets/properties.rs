//! The boundary: properties of every kind of object with any name, type, value and length, and structs of any size.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::ffi::{CString, c_char, c_void};
use std::ptr::{null, null_mut};
use std::sync::LazyLock;
use wmlicense::client::wm_create_client;
use wmlicense::error_info::{wm_error_info, wm_get_error_info};
use wmlicense::object::properties::{
    wm_get_prop, wm_get_prop_count, wm_get_prop_name, wm_remove_all_props, wm_remove_prop, wm_set_bool_prop,
    wm_set_number_prop, wm_set_prop, wm_set_string_prop,
};
use wmlicense::object::{wm_add_ref, wm_release};

/// Every name that the header lists, and what each begins with.
static NAMES: LazyLock<Vec<CString>> = LazyLock::new(|| {
    let header = include_str!("../../include/wmlicense.h");
    let lines = header.lines().filter(|line| line.starts_with("#define WM_PROP_"));
    let names = lines.filter_map(|line| line.split('"').nth(1)).filter_map(|name| CString::new(name).ok());
    names.collect()
});

fuzz_target!(|data: &[u8]| {
    let mut client = null_mut();
    // SAFETY: the pointer is written, and what it names is released below.
    let made = unsafe { wm_create_client(&raw mut client) };
    assert!(made >= 0 && !client.is_null());
    let object: *mut c_void = client.cast();
    let mut rest = data;
    while let Some((head, more)) = rest.split_first_chunk::<5>() {
        let (value, more) = more.split_at(more.len().min(u16::from_be_bytes([head[3], head[4]]).into()));
        step(object, [head[0], head[1], head[2]], value);
        rest = more;
    }
    // SAFETY: the object lives, and the last reference goes.
    unsafe {
        assert_eq!(wm_add_ref(object), 0);
        wm_release(object);
        wm_release(object);
        assert!(wm_remove_all_props(object) < 0, "a released object answers");
    }
});

/// Names of the header by number; beyond them the value itself is the name.
fn name_of(number: u8, value: &[u8]) -> CString {
    NAMES
        .get(usize::from(number))
        .cloned()
        .unwrap_or_else(|| CString::new(value.split(|b| *b == 0).next().unwrap_or(value)).expect("no NUL"))
}

fn step(object: *mut c_void, [kind, name, more]: [u8; 3], value: &[u8]) {
    let name = name_of(name, value);
    let name = name.as_ptr();
    // SAFETY: the object lives, names end with NUL, and each length is that of its buffer.
    unsafe {
        match kind % 8 {
            0 => drop(wm_set_prop(object, name, i32::from(more.cast_signed()), value.as_ptr().cast(), value.len())),
            1 => {
                let text = CString::new(value.split(|byte| *byte == 0).next().unwrap_or(value)).expect("no NUL");
                wm_set_string_prop(object, name, text.as_ptr());
            }
            2 => drop(wm_set_bool_prop(object, name, more & 1 != 0)),
            3 => {
                let mut number = [0; 8];
                number[..value.len().min(8)].copy_from_slice(&value[..value.len().min(8)]);
                wm_set_number_prop(object, name, u64::from_le_bytes(number));
            }
            4 => read(object, name, more.into()),
            5 => drop(wm_remove_prop(object, name)),
            6 => names(object, more.into()),
            _ => sized(u16::from_be_bytes([more, value.first().copied().unwrap_or(0)]).into()),
        }
    }
}

/// Reads a property into a buffer of any size: it is written whole or not at all, and nothing beside it.
fn read(object: *mut c_void, name: *const c_char, size: usize) {
    let mut buffer = vec![0xa5_u8; size + 8];
    let (mut kind, mut needed) = (0, usize::MAX);
    // SAFETY: as in `step`.
    let result = unsafe { wm_get_prop(object, name, &raw mut kind, buffer.as_mut_ptr().cast(), size, &raw mut needed) };
    assert!(buffer[size..].iter().all(|byte| *byte == 0xa5), "written beyond the buffer");
    assert!(result < 0 || needed <= size);
    assert!(result >= 0 || buffer.iter().all(|byte| *byte == 0xa5), "written although it failed");
}

fn names(object: *mut c_void, index: usize) {
    let (mut count, mut buffer, mut needed) = (0, [0 as c_char; 64], 0);
    // SAFETY: as in `step`.
    unsafe {
        assert!(wm_get_prop_count(object, &raw mut count) >= 0);
        let result = wm_get_prop_name(object, index, buffer.as_mut_ptr(), buffer.len(), &raw mut needed);
        assert!(index < count || result < 0);
        assert!(wm_get_prop_name(object, index, null_mut(), 0, null_mut()) < 0 || index < count);
        assert!(wm_get_prop_count(null_mut(), &raw mut count) < 0 && wm_remove_prop(object, null()) < 0);
    }
}

/// A struct of a caller from another version: only what it has is written.
fn sized(size: usize) {
    let room = size_of::<wm_error_info>().max(4096) + 8;
    let mut memory = vec![0xa5a5_a5a5_a5a5_a5a5_u64; room / 8];
    memory[0] = size as u64;
    // SAFETY: the memory is larger than any struct that is told, and aligned for one.
    let result = unsafe { wm_get_error_info(memory.as_mut_ptr().cast()) };
    let bytes: Vec<u8> = memory.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let written = if result >= 0 { size } else { 8 };
    assert!(bytes[written.clamp(8, 4096)..].iter().all(|byte| *byte == 0xa5), "{size}: written beyond the struct");
}
