//! Media files, `pssh` boxes and `keyids` JSON: no crash, no key ID twice, and boxes survive being written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::collections::BTreeSet;
use wmlicense_core::header::ContentHeader;

fuzz_target!(|data: &[u8]| {
    let Ok(header) = ContentHeader::parse(data) else { return };
    let unique: BTreeSet<_> = header.kids().iter().collect();
    assert_eq!(unique.len(), header.kids().len());
    let _ = (header.is_protected(), header.scheme(), header.license_url());
    for system in header.systems() {
        let again = ContentHeader::parse(&system.to_bytes()).expect("a box that was read is read again");
        assert_eq!(again.systems().len(), 1);
    }
});
