//! Clear views: every byte of one is what a file would have that was never protected, whatever range is asked for.

use super::build::*;
use super::*;
use crate::cenc::{SampleCipher, SampleError, SampleInfo};
use crate::clear::{ClearError, ClearReader, ClearView};
use std::io::Cursor;

/// Files that can be viewed, with the number of their tracks.
const WHOLE: [&str; 9] = [
    "packager-cenc-video.mp4",
    "packager-cenc-audio.mp4",
    "packager-cens-video.mp4",
    "packager-cens-audio.mp4",
    "packager-cbc1-video.mp4",
    "packager-cbc1-audio.mp4",
    "packager-cbcs-video.mp4",
    "packager-cbcs-audio.mp4",
    "ffmpeg-cenc-prog.mp4",
];

/// The published keys: of the media files, and of the reported ones.
fn decrypt(kid: Kid, info: &SampleInfo<'_>, data: &mut [u8]) -> Result<(), SampleError> {
    let hex = |text: &str| *Kid::from_hex(text).unwrap().as_bytes();
    let key = match kid.to_hex().as_str() {
        VIDEO => hex("00112233445566778899aabbccddeeff"),
        AUDIO => hex("ffeeddccbbaa99887766554433221100"),
        reported => {
            let number = Kid::from_hex(reported).unwrap().as_bytes()[15] - 1;
            std::array::from_fn(|index| number * 16 + index as u8 + 1)
        }
    };
    SampleCipher::new(&key).decrypt_in_place(info, data)
}

/// The whole view, read in ranges of this many bytes.
fn viewed(bytes: &[u8], step: usize) -> Vec<u8> {
    let view = ClearView::read(Cursor::new(bytes)).unwrap();
    let mut reader = ClearReader::new(&view, Cursor::new(bytes));
    let mut all = vec![0; bytes.len()];
    for (index, range) in all.chunks_mut(step).enumerate() {
        reader.read_at((index * step) as u64, range, decrypt).unwrap();
    }
    all
}

/// Samples of a track, decrypted where they are protected.
fn samples_of(bytes: &[u8], track: u32) -> Vec<u8> {
    let reader = SampleReader::parse(bytes, track).unwrap();
    let samples = reader.samples().flat_map(|sample| {
        let mut data = bytes[sample.offset as usize..][..sample.size as usize].to_vec();
        if let Some(protection) = sample.protection {
            decrypt(protection.kid, &protection.info, &mut data).unwrap();
        }
        data
    });
    samples.collect()
}

#[test]
fn a_view_is_a_clear_file_with_the_samples_of_the_protected_one() {
    for name in WHOLE {
        let bytes = std::fs::read(media(name)).unwrap();
        let view = viewed(&bytes, bytes.len());
        let (locked, clear) = (ContentHeader::parse(&bytes).unwrap(), ContentHeader::parse(&view).unwrap());
        assert!(locked.is_protected() && !clear.is_protected(), "{name}");
        assert!(clear.kids().is_empty() && clear.systems().is_empty(), "{name}: {:?}", clear.kids());
        for (was, is) in locked.tracks().iter().zip(clear.tracks()) {
            assert_eq!(was.entries[0].format, is.entries[0].format, "{name}");
            assert_eq!(samples_of(&view, is.id), samples_of(&bytes, was.id), "{name}");
        }
        // Nothing but codes and samples is another byte.
        let samples: u64 = locked.tracks().iter().map(|track| samples_of(&bytes, track.id).len() as u64).sum();
        let others = bytes.iter().zip(&view).filter(|(was, is)| was != is).count() as u64;
        assert!(others > 100 && others < samples + 1000, "{name}: {others} of {samples}");
    }
}

#[test]
fn every_range_is_a_part_of_the_whole_view() {
    for name in ["packager-cbcs-video.mp4", "packager-cenc-audio.mp4", "ffmpeg-cenc-prog.mp4"] {
        let bytes = std::fs::read(media(name)).unwrap();
        let whole = viewed(&bytes, bytes.len());
        for step in [1, 3, 1000, 4096, 65536] {
            assert!(viewed(&bytes, step) == whole, "{name} in steps of {step}");
        }
        // From the end to the beginning, as a player that looks for an index, and over and over again.
        let view = ClearView::read(Cursor::new(&bytes[..])).unwrap();
        let mut reader = ClearReader::new(&view, Cursor::new(&bytes[..]));
        for offset in (0..bytes.len() - 700).rev().step_by(311) {
            let mut range = [0; 700];
            reader.read_at(offset as u64, &mut range, decrypt).unwrap();
            assert!(range[..] == whole[offset..offset + 700], "{name} at {offset}");
        }
    }
}

#[test]
fn reported_files_give_their_clear_samples_or_no_view() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/reported");
    let clear = std::fs::read(folder.join("clear.bin")).unwrap();
    let mut seen = Vec::new();
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = std::fs::read(path).unwrap();
        let Ok(view) = ClearView::read(Cursor::new(&bytes[..])) else { continue };
        // Of a key that is nowhere, and of files without a sample, there is nothing to see.
        if name.starts_with("S-") || name.starts_with('I') {
            continue;
        }
        assert_eq!(view.length(), bytes.len() as u64);
        let times = if name.starts_with("G11b") { 2 } else { 1 };
        assert_eq!(samples_of(&viewed(&bytes, 100), 1), clear.repeat(times), "{name}");
        seen.push(name.split('-').next().unwrap().to_owned());
    }
    seen.sort();
    assert_eq!(seen, ["G11b", "G1s", "M14", "M15b", "M6", "M8b", "Z1", "Z2"]);
}

#[test]
fn keys_are_listed_once_and_those_named_elsewhere_by_their_name() {
    let kids = |name: &str| ClearView::read(File::open(media(name)).unwrap()).unwrap().kids().to_vec();
    assert_eq!(kids("packager-cenc-audio.mp4"), [kid(AUDIO)]);
    assert_eq!(kids("ffmpeg-cenc-prog.mp4"), [kid(VIDEO)]);
    assert!(kids("src.mp4").is_empty());
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/reported");
    let view = ClearView::read(File::open(folder.join("Z1-zero-kid-one-key-in-pssh.mp4")).unwrap()).unwrap();
    assert_eq!(view.kids(), [kid("11111111222233334444555555555501")]);
}

#[test]
fn a_failure_leaves_nothing_of_the_file() {
    let bytes = std::fs::read(media("packager-cenc-video.mp4")).unwrap();
    let view = ClearView::read(Cursor::new(&bytes[..])).unwrap();
    let mut reader = ClearReader::new(&view, Cursor::new(&bytes[..]));
    let mut range = vec![1; bytes.len()];
    let mut left = 3;
    let result = reader.read_at(0, &mut range, |_, _, _| {
        left -= 1;
        if left > 0 { Ok(()) } else { Err("ended") }
    });
    assert!(matches!(result, Err(ClearError::Decrypt { cause: "ended", .. })));
    assert!(range.iter().all(|byte| *byte == 0));
    // A sample that did not become clear is not kept for the next range either.
    let sample = SampleReader::parse(&bytes, 1).unwrap().samples().next().map(|sample| sample.offset).unwrap();
    let mut part = [1; 8];
    for _ in 0..2 {
        assert!(reader.read_at(sample + 1, &mut part, |_, _, _| Err("ended")).is_err());
        assert_eq!(part, [0; 8]);
    }
    let beyond = reader.read_at(bytes.len() as u64 - 7, &mut part, decrypt);
    assert!(matches!(beyond, Err(ClearError::Truncated { .. })));
    // The file became shorter behind the view.
    let mut reader = ClearReader::new(&view, Cursor::new(&bytes[..1000]));
    assert!(matches!(reader.read_at(998, &mut part, decrypt), Err(ClearError::Io(_))));
}

fn refused(bytes: &[u8]) -> HeaderError {
    ClearView::read(Cursor::new(bytes)).err().unwrap()
}

/// A fragment of one track with runs at these places of the file, each of one sample of this size.
fn with_runs(runs: &[(u32, u32)]) -> Vec<u8> {
    let movie = fragmented(&[vec![protected_entry(b"cenc", &encryption(0, 8, KID, &[]))]], &[]);
    let mut boxes: Vec<Vec<u8>> = runs.iter().map(|(offset, size)| trun(*offset, &[*size])).collect();
    boxes.push(full(b"senc", 0, 0, &[&words(&[runs.len() as u32]), &[1].repeat(8 * runs.len())]));
    [movie, moof(&[traf(1, &boxes)]), mp4_box(b"mdat", &[&[7; 4000]])].concat()
}

#[test]
fn what_has_no_clear_view_is_refused_with_the_reason() {
    let webm = refused(&std::fs::read(media("packager-webm-video.webm")).unwrap());
    assert!(matches!(webm, HeaderError::NotSupported { .. }), "{webm}");
    let undescribed = refused(&std::fs::read(media("ffmpeg-cenc-frag.mp4")).unwrap());
    assert!(matches!(undescribed, HeaderError::NoSampleData { .. }), "{undescribed}");
    let miscounted = refused(&std::fs::read(media("ffmpeg8-cenc-frag.mp4")).unwrap());
    assert!(matches!(miscounted, HeaderError::SampleCountMismatch { .. }), "{miscounted}");
    let text = refused(b"#EXTM3U\n#EXT-X-KEY:METHOD=NONE\n");
    assert!(matches!(text, HeaderError::NotSupported { .. }), "{text}");

    assert!(ClearView::read(Cursor::new(with_runs(&[(500, 10), (600, 10)]))).is_ok());
    for runs in [[(600, 10), (500, 10)], [(500, 10), (505, 10)], [(500, 10), (500, 10)]] {
        let error = refused(&with_runs(&runs));
        assert!(matches!(error, HeaderError::NotSupported { .. }), "{runs:?}: {error}");
    }
    let error = refused(&with_runs(&[(500, 10), (600, (32 << 20) + 1)]));
    assert!(matches!(error, HeaderError::TooLarge { field: "sample", .. }), "{error}");
    // Two tracks say that the same bytes are theirs.
    let entry = || vec![protected_entry(b"cenc", &encryption(0, 8, KID, &[]))];
    let part = |track, offset| traf(track, &[trun(offset, &[10]), full(b"senc", 0, 0, &[&words(&[1]), &[1; 8]])]);
    for (second, shares) in [(510, false), (509, true), (495, true)] {
        let parts = [fragmented(&[entry(), entry()], &[]), moof(&[part(1, 500), part(2, second)])].concat();
        let result = ClearView::read(Cursor::new([parts, mp4_box(b"mdat", &[&[7; 900]])].concat()));
        assert_eq!(result.is_err(), shares, "{second}");
    }
    // Two tracks of one ID, of which the first is clear: samples of the second would be shown as they are.
    let movie = |first, second| {
        mp4_box(b"moov", &[&trak(first, &[clear_entry()], &no_samples()), &trak(second, &entry(), &no_samples())])
    };
    assert!(ClearView::read(Cursor::new(movie(1, 2))).is_ok());
    let error = refused(&movie(1, 1));
    assert!(matches!(error, HeaderError::NotSupported { field: "two tracks of one ID", .. }), "{error}");
    // A key that is named nowhere.
    let movie = fragmented(&[vec![protected_entry(b"cenc", &encryption(0, 8, [0; 16], &[]))]], &[]);
    let nowhere = [movie, moof(&[part(1, 200)]), mp4_box(b"mdat", &[&[7; 900]])].concat();
    let error = refused(&nowhere);
    assert!(!matches!(error, HeaderError::Io(_)), "{error}");
}

#[test]
fn a_sample_beyond_the_end_is_told_when_it_is_read() {
    let bytes = with_runs(&[(500, 10), (3000, 100_000)]);
    let view = ClearView::read(Cursor::new(&bytes[..])).unwrap();
    let mut reader = ClearReader::new(&view, Cursor::new(&bytes[..]));
    let nothing = |_, _: &SampleInfo<'_>, _: &mut [u8]| Ok::<_, ()>(());
    let base = bytes.windows(4).position(|four| four == b"moof").unwrap() - 4;
    let mut range = [0; 100];
    reader.read_at(base as u64 + 2900, &mut range, nothing).unwrap();
    let error = reader.read_at(base as u64 + 2901, &mut range, nothing).unwrap_err();
    assert!(matches!(error, ClearError::Truncated { .. }), "{error}");
}

#[test]
fn a_view_is_read_in_little_memory() {
    let bytes = std::fs::read(media("packager-cenc-video.mp4")).unwrap();
    let view = ClearView::read(Cursor::new(&bytes[..])).unwrap();
    let mut range = vec![0; 4096];
    let largest = SampleReader::parse(&bytes, 1).unwrap().samples().map(|sample| u64::from(sample.size)).max().unwrap();
    let taken = allocation_counter::measure(|| {
        let mut reader = ClearReader::new(&view, Cursor::new(&bytes[..]));
        for offset in (0..bytes.len() - range.len()).step_by(range.len()) {
            reader.read_at(offset as u64, &mut range, |_, _, _| Ok::<_, ()>(())).unwrap();
        }
    });
    assert!(taken.bytes_max <= largest + 1024, "{taken:?}, the largest sample has {largest}");
}
