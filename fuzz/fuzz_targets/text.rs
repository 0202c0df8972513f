//! Playlists, manifests and JSON: no crash, no key ID twice, and nothing that C could take for the end of a text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::collections::BTreeSet;
use wmlicense_media::ContentHeader;

/// Beginnings that lead to each reader.
const FRONTS: [&[u8]; 5] = [b"", b"#EXT-X-KEY:", b"<ContentProtection ", b"{\"kids\":[", b"<MPD><ContentProtection>"];

fuzz_target!(|data: &[u8]| {
    for front in FRONTS {
        let Ok(header) = ContentHeader::parse(&[front, data].concat()) else { continue };
        let unique: BTreeSet<_> = header.kids().iter().collect();
        assert_eq!(unique.len(), header.kids().len());
        let texts = header.license_urls().iter().map(|url| url.url.as_str()).chain(header.content_id());
        assert!(
            texts
                .chain(header.attributes().iter().flat_map(|(name, value)| [*name, *value]))
                .all(|text| !text.contains('\0'))
        );
    }
});
