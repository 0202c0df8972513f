//! Media files, `pssh` boxes and `keyids` JSON: no crash, no key ID twice, and boxes survive being written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::collections::BTreeSet;
use wmlicense_media::{ContentHeader, HeaderError};

fuzz_target!(|data: &[u8]| {
    let Ok(header) = ContentHeader::parse(data) else { return };
    let unique: BTreeSet<_> = header.kids().iter().collect();
    assert_eq!(unique.len(), header.kids().len());
    let _ = (header.is_protected(), header.scheme(), header.license_url());
    for system in header.systems() {
        match ContentHeader::parse(&system.to_bytes()) {
            Ok(again) => assert_eq!(again.systems().len(), 1),
            // Alone, bad data of a foreign system hides its key ID; beside others it was noted.
            Err(HeaderError::Inside { .. }) => {}
            Err(error) => panic!("a box that was read is read again: {error}"),
        }
    }
});
