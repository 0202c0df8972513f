//! Where each field of each struct of the header lies on 64-bit systems: `tests/c/layout.c` has the numbers, C compilers hold the
//! header against them there, and this holds what Rust makes of the structs against the same list.

use crate::declared::header;
use std::collections::BTreeSet;
use std::mem::offset_of;
use wmlicense_testkit::root;

/// A struct or a field: its name, where it begins, its size.
type Place = (String, usize, usize);

/// The places that the list names: `SIZE(type, size);` and `FIELD(type, field, offset, size);`.
fn listed() -> BTreeSet<Place> {
    let text = std::fs::read_to_string(root().join("tests/c/layout.c")).expect("the list is committed");
    let entries = text.lines().filter_map(|line| line.strip_suffix(");")?.split_once('('));
    let places = entries.filter_map(|(what, rest)| {
        let words: Vec<&str> = rest.split(", ").collect();
        let number = |word: &str| word.parse().ok();
        match (what, &words[..]) {
            ("SIZE", [kind, size]) => Some(((*kind).to_owned(), 0, number(size)?)),
            ("FIELD", [kind, field, offset, size]) => Some((format!("{kind}.{field}"), number(offset)?, number(size)?)),
            _ => None,
        }
    });
    places.collect()
}

/// The size of what a function finds in a struct.
fn size_of_found<T, F>(_: fn(&T) -> &F) -> usize {
    size_of::<F>()
}

macro_rules! places {
    ($($module:ident :: $name:ident { $($field:ident),* $(,)? })*) => {{
        let mut found = BTreeSet::new();
        $({
            use wmlicense::$module::$name;
            found.insert((stringify!($name).to_owned(), 0, size_of::<$name>()));
            $(found.insert((
                concat!(stringify!($name), ".", stringify!($field)).to_owned(),
                offset_of!($name, $field),
                size_of_found(|value: &$name| &value.$field),
            ));)*
        })*
        found
    }};
}

/// The same as Rust has them. Rust calls a field `kind` nowhere that C calls `type`: the names are those of the header.
fn of_rust() -> BTreeSet<Place> {
    places! {
        error_info::wm_error_info {
            struct_size, result, category, remedy, retryable, retry_after_ms, http_status, server_code, has_kid, kid, request_id, message,
        }
        license_query::wm_license_state {
            struct_size, category, count_count, counts, date_count, dates, seconds_after_first_use, vague,
        }
        decryptor::wm_subsample { clear, encrypted }
        decryptor::wm_sample {
            struct_size, iv, iv_size, subsamples, subsample_count, crypt_byte_block, skip_byte_block, scheme,
        }
        event_queue::wm_event { struct_size, object, context, status, result, type_, value, size }
        transport::wm_http_header { name, value }
        transport::wm_http_request {
            struct_size, method, url, headers, header_count, body, body_size, timeout_ms, max_body_size,
        }
        transport::wm_transport { struct_size, send, context }
        status::wm_progress { struct_size, done, total }
        status::wm_network_progress {
            struct_size, http_phase, attempt, attempts, reserved, bytes, bytes_total, next_try_ms, host,
        }
        status::wm_restore_verdict { struct_size, kid, devices_used, devices_limit, title }
        status::wm_section_closed { struct_size, sections, reserved, bytes, url }
        status::wm_individualize_progress {
            struct_size, result, phase, requests, http_phase, bytes, bytes_total,
        }
    }
}

#[test]
fn structs_lie_in_rust_as_c_was_promised() {
    let found: BTreeSet<Place> =
        of_rust().into_iter().map(|(name, offset, size)| (name.replace(".type_", ".type"), offset, size)).collect();
    let listed = listed();
    let other: Vec<_> = found.symmetric_difference(&listed).collect();
    assert!(other.is_empty(), "tests/c/layout.c and Rust differ in {other:#?}");
}

#[test]
fn every_struct_and_field_of_the_header_is_pinned() {
    let listed: BTreeSet<String> = listed().into_iter().map(|(name, ..)| name).collect();
    let mut declared = BTreeSet::new();
    for found in header().structs.iter().filter(|found| !found.fields.is_empty()) {
        declared.insert(found.name.clone());
        declared.extend(found.fields.iter().map(|field| format!("{}.{}", found.name, field.name())));
    }
    assert!(declared.len() > 80, "the header has {} structs and fields", declared.len());
    assert_eq!(listed, declared);
}
