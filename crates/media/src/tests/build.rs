//! Small files made of boxes, for tests that need one wrong, or rare, in a known place.

/// A box with the parts as its body.
pub(super) fn mp4_box(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&(body.len() as u32 + 8).to_be_bytes()[..], kind, &body].concat()
}

/// A full box of this version and flags.
pub(super) fn full(kind: &[u8; 4], version: u8, flags: u32, parts: &[&[u8]]) -> Vec<u8> {
    mp4_box(kind, &[&words(&[u32::from(version) << 24 | flags]), &parts.concat()])
}

/// Big-endian words.
pub(super) fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

pub(super) const KID: [u8; 16] = [0xA1; 16];
pub(super) const OTHER_KID: [u8; 16] = [0xB2; 16];

/// What `tenc` and `seig` share: pattern byte, protection, IV size, key ID, constant IV.
pub(super) fn encryption(pattern: u8, iv_size: u8, kid: [u8; 16], constant_iv: &[u8]) -> Vec<u8> {
    let constant = if constant_iv.is_empty() { Vec::new() } else { [&[constant_iv.len() as u8], constant_iv].concat() };
    [&[0, pattern, 1, iv_size][..], &kid, &constant].concat()
}

/// A protected video entry.
pub(super) fn protected_entry(scheme: &[u8; 4], encryption: &[u8]) -> Vec<u8> {
    mp4_box(b"encv", &[&[0; 78], &sinf(scheme, encryption)])
}

pub(super) fn sinf(scheme: &[u8; 4], encryption: &[u8]) -> Vec<u8> {
    let schm = full(b"schm", 0, 0, &[scheme, &words(&[0x10000])]);
    mp4_box(b"sinf", &[&mp4_box(b"frma", &[b"avc1"]), &schm, &mp4_box(b"schi", &[&full(b"tenc", 1, 0, &[encryption])])])
}

pub(super) fn clear_entry() -> Vec<u8> {
    mp4_box(b"avc1", &[&[0; 78]])
}

pub(super) fn trak(id: u32, entries: &[Vec<u8>], tables: &[u8]) -> Vec<u8> {
    let tkhd = full(b"tkhd", 0, 7, &[&words(&[0, 0, id]), &[0; 68]]);
    let hdlr = full(b"hdlr", 0, 0, &[&words(&[0]), b"vide", &[0; 13]]);
    let stsd = full(b"stsd", 0, 0, &[&words(&[entries.len() as u32]), &entries.concat()]);
    let stbl = mp4_box(b"stbl", &[&stsd, tables]);
    mp4_box(b"trak", &[&tkhd, &mp4_box(b"mdia", &[&hdlr, &mp4_box(b"minf", &[&stbl])])])
}

/// The tables of a movie whose samples are all in fragments.
pub(super) fn no_samples() -> Vec<u8> {
    full(b"stsz", 0, 0, &[&words(&[0, 0])])
}

/// `ftyp` and `moov` with one fragmented track for each set of entries; track IDs count from 1.
pub(super) fn fragmented(tracks: &[Vec<Vec<u8>>], tables: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut defaults = Vec::new();
    for (id, entries) in (1..).zip(tracks) {
        body.extend(trak(id, entries, &[&no_samples()[..], tables].concat()));
        defaults.extend(full(b"trex", 0, 0, &[&words(&[id, 1, 0, 40, 0])]));
    }
    body.extend(mp4_box(b"mvex", &[&defaults]));
    [mp4_box(b"ftyp", &[b"iso6", &words(&[0])]), mp4_box(b"moov", &[&body])].concat()
}

/// A `traf` whose offsets count from the start of its `moof`.
pub(super) fn traf(track: u32, boxes: &[Vec<u8>]) -> Vec<u8> {
    let tfhd = full(b"tfhd", 0, 0x02_0000, &[&words(&[track])]);
    mp4_box(b"traf", &[&tfhd, &boxes.concat()])
}

/// A `trun` with sizes and a data offset.
pub(super) fn trun(data_offset: u32, sizes: &[u32]) -> Vec<u8> {
    full(b"trun", 0, 0x201, &[&words(&[sizes.len() as u32, data_offset]), &words(sizes)])
}

pub(super) fn moof(trafs: &[Vec<u8>]) -> Vec<u8> {
    mp4_box(b"moof", &[&full(b"mfhd", 0, 0, &[&words(&[1])]), &trafs.concat()])
}

/// A `senc` with a vector of eight equal bytes and one subsample for each sample.
pub(super) fn senc(samples: &[(u8, u16, u32)]) -> Vec<u8> {
    let mut body = words(&[samples.len() as u32]);
    for (iv, clear, encrypted) in samples {
        body.extend([*iv; 8]);
        body.extend(1u16.to_be_bytes());
        body.extend(clear.to_be_bytes());
        body.extend(encrypted.to_be_bytes());
    }
    full(b"senc", 0, 2, &[&body])
}
