//! What the cipher and the readers of files allocate: nothing for a sample, and less than 64 MB for any file.
#![cfg(test)]

use allocation_counter::measure;
use std::fs::File;
use std::io::Write as _;
use tempfile::NamedTempFile;
use wmlicense_media::SampleReader;
use wmlicense_media::cenc::{SampleCipher, SampleInfo, Scheme, Subsample};

const LIMIT: u64 = 64_000_000;

#[test]
fn a_sample_is_decrypted_without_an_allocation() {
    let cipher = SampleCipher::new(&[7; 16]);
    let maps: [&[Subsample]; 3] = [
        &[],
        &[Subsample { clear: 100, encrypted: 99_900 }],
        &[Subsample { clear: 5, encrypted: 1995 }, Subsample { clear: 2000, encrypted: 96_000 }],
    ];
    let mut data = vec![3; 100_000];
    for (scheme, pattern) in [
        (Scheme::Cenc, 0),
        (Scheme::Cens, 0),
        (Scheme::Cens, 1),
        (Scheme::Cbc1, 0),
        (Scheme::Cbcs, 0),
        (Scheme::Cbcs, 1),
    ] {
        for subsamples in maps {
            let (crypt_byte_block, skip_byte_block) = (pattern, 9 * pattern);
            let info = SampleInfo { scheme, iv: &[9; 16], subsamples, crypt_byte_block, skip_byte_block };
            let taken = measure(|| cipher.decrypt_in_place(&info, &mut data).unwrap());
            assert_eq!(taken.count_total, 0, "{scheme:?} with {} ranges", subsamples.len());
        }
    }
}

fn mp4_box(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&(body.len() as u32 + 8).to_be_bytes()[..], kind, &body].concat()
}

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

fn full(kind: &[u8; 4], flags: u32, parts: &[&[u8]]) -> Vec<u8> {
    mp4_box(kind, &[&words(&[flags]), &parts.concat()])
}

/// A fragmented movie whose only track is protected with these parameters.
fn movie(encryption: &[u8], tables: &[u8]) -> Vec<u8> {
    let schm = full(b"schm", 0, &[b"cenc", &words(&[0x10000])]);
    let schi = mp4_box(b"schi", &[&full(b"tenc", 0, &[encryption])]);
    let sinf = mp4_box(b"sinf", &[&mp4_box(b"frma", &[b"avc1"]), &schm, &schi]);
    let stsd = full(b"stsd", 0, &[&words(&[1]), &mp4_box(b"encv", &[&[0; 78], &sinf])]);
    let stbl = mp4_box(b"stbl", &[&stsd, tables]);
    let hdlr = full(b"hdlr", 0, &[&words(&[0]), b"vide", &[0; 13]]);
    let mdia = mp4_box(b"mdia", &[&hdlr, &mp4_box(b"minf", &[&stbl])]);
    let trak = mp4_box(b"trak", &[&full(b"tkhd", 7, &[&words(&[0, 0, 1]), &[0; 68]]), &mdia]);
    let trex = full(b"trex", 0, &[&words(&[1, 1, 0, 40, 0])]);
    mp4_box(b"moov", &[&trak, &mp4_box(b"mvex", &[&trex])])
}

fn fragment(boxes: &[Vec<u8>]) -> Vec<u8> {
    let tfhd = full(b"tfhd", 0x02_0000, &[&words(&[1])]);
    mp4_box(b"moof", &[&mp4_box(b"traf", &[&tfhd, &boxes.concat()])])
}

fn encryption(iv_size: u8, kid: u32) -> Vec<u8> {
    [&[0, 0, 1, iv_size][..], &[0; 12], &words(&[kid])].concat()
}

/// The most bytes at once that reading the file takes, and the samples found.
fn read(bytes: &[u8]) -> (u64, Result<usize, String>) {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let mut found = Ok(0);
    let taken = measure(|| {
        found = SampleReader::read(File::open(file.path()).unwrap(), 1)
            .map(|reader| reader.samples().filter(|sample| sample.protection.is_some()).count())
            .map_err(|error| error.to_string());
    });
    assert!(taken.bytes_max < LIMIT, "{} bytes for {found:?}", taken.bytes_max);
    (taken.bytes_max, found)
}

#[test]
fn a_million_samples_with_vectors_and_subsamples_fit() {
    let count = 700_000u32;
    let run = full(b"trun", 0, &[&words(&[count / 7])]);
    let entry = [&[1; 8][..], &[0, 1], &[0, 0, 0, 0, 0, 40]].concat();
    let senc = full(b"senc", 2, &[&words(&[count / 7]), &entry.repeat(count as usize / 7)]);
    let bytes = [movie(&encryption(8, 1), &full(b"stsz", 0, &[&words(&[0, 0])])), fragment(&[run, senc]).repeat(7)];
    let (taken, found) = read(&bytes.concat());
    assert_eq!(found, Ok(count as usize));
    assert!(taken > 16 << 20, "{taken}: the measure works");
}

#[test]
fn a_file_that_asks_for_more_is_refused_before_it_gets_it() {
    // Each fragment has the largest number of samples that its size allows, each in a run of its own.
    let runs: Vec<u8> = (0..60_000u32).flat_map(|n| full(b"trun", 1, &[&words(&[1, n * 100])])).collect();
    let entry = [&[1; 16][..], &[0, 40], &[0; 240]].concat();
    let senc = full(b"senc", 2, &[&words(&[60_000]), &entry.repeat(60_000)]);
    let movie = movie(&encryption(16, 1), &full(b"stsz", 0, &[&words(&[0, 0])]));
    let bytes = [movie, fragment(&[runs, senc]).repeat(6)].concat();
    let (_, found) = read(&bytes);
    let error = found.unwrap_err();
    assert!(error.contains("sample tables"), "{error}");
}

#[test]
fn tables_of_a_movie_that_ask_for_more_are_refused_too() {
    let chunks = 1u32 << 20;
    let offsets: Vec<u8> = (0..chunks).flat_map(|n| (n * 1000).to_be_bytes()).collect();
    let groups: Vec<u8> = (0..16_384).flat_map(|n| encryption(16, n)).collect();
    let assignment: Vec<u8> = (0..chunks).flat_map(|n| words(&[1, n % 16_384 + 1])).collect();
    let tables = [
        full(b"stsz", 0, &[&words(&[40, chunks])]),
        full(b"stsc", 0, &[&words(&[1, 1, 1, 1])]),
        full(b"stco", 0, &[&words(&[chunks]), &offsets]),
        full(b"sgpd", 1 << 24, &[b"seig", &words(&[20, 16_384]), &groups]),
        full(b"sbgp", 0, &[b"seig", &words(&[chunks]), &assignment]),
        full(b"saiz", 0, &[&[255], &words(&[chunks])]),
        full(b"saio", 0, &[&words(&[1, 0])]),
    ];
    let mut bytes = movie(&encryption(16, 1), &tables.concat());
    bytes.resize(bytes.len() + (300 << 20), 0);
    let (_, found) = read(&bytes);
    assert!(found.is_err());
}
