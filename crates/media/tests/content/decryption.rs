//! Files that other packagers protect at test time, with keys that nobody has used before, decrypt byte for byte to what
//! went in.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use wmlicense_media::cenc::SampleCipher;
use wmlicense_media::{ContentHeader, SampleReader};
use wmlicense_testkit::packager::{Media, Options, Packaged, SCHEMES};

/// The samples of a track in the clear.
struct Decrypted {
    samples: Vec<Vec<u8>>,
    protected: usize,
    kids: BTreeSet<[u8; 16]>,
}

fn decrypt(path: &Path, handler: &[u8; 4], keys: Option<&Packaged>) -> Decrypted {
    let bytes = std::fs::read(path).unwrap();
    let header = ContentHeader::read(File::open(path).unwrap()).unwrap();
    let track = header.tracks().iter().find(|track| track.handler == *handler).unwrap();
    let reader = SampleReader::read(File::open(path).unwrap(), track.id).unwrap();
    let (mut protected, mut kids) = (0, BTreeSet::new());
    let samples = reader.samples().map(|sample| {
        let mut data = bytes[sample.offset as usize..][..sample.size as usize].to_vec();
        if let Some(protection) = sample.protection {
            let kid = protection.kid.as_bytes();
            let key = keys.and_then(|keys| keys.key(kid)).expect("only the packager's keys are named");
            SampleCipher::new(&key).decrypt_in_place(&protection.info, &mut data).unwrap();
            protected += 1;
            kids.insert(*kid);
        }
        data
    });
    let samples = samples.collect();
    Decrypted { samples, protected, kids }
}

fn assert_same(found: &Decrypted, expected: &Decrypted, what: &str) {
    assert_eq!(found.samples.len(), expected.samples.len(), "{what}");
    assert_eq!(expected.protected, 0);
    for (index, (found, expected)) in found.samples.iter().zip(&expected.samples).enumerate() {
        assert!(found == expected, "sample {index} of {what}");
    }
}

/// Checks both tracks. Returns the picture, then the tone.
fn check(media: &Media, packaged: &Packaged, what: &str) -> [Decrypted; 2] {
    [(&packaged.video, b"vide"), (&packaged.audio, b"soun")].map(|(path, handler)| {
        let found = decrypt(path, handler, Some(packaged));
        assert_same(&found, &decrypt(&media.clear_mp4(), handler, None), what);
        found
    })
}

#[test]
fn fresh_files_of_every_scheme_decrypt_byte_for_byte() {
    let Some(media) = Media::new() else { return };
    for scheme in SCHEMES {
        let packaged = media.shaka_mp4(scheme, Options::plain(scheme));
        assert_ne!(packaged.video_keys, packaged.audio_keys);
        for track in check(&media, &packaged, scheme) {
            assert_eq!(track.protected, track.samples.len(), "{scheme}");
            assert_eq!(track.kids.len(), 1, "{scheme}");
        }
    }
}

#[test]
fn fresh_files_with_a_clear_lead_decrypt_byte_for_byte() {
    let Some(media) = Media::new() else { return };
    for scheme in SCHEMES {
        for segments in [false, true] {
            let options = Options { clear_lead: true, segments, ..Options::plain(scheme) };
            let packaged = media.shaka_mp4(&format!("{scheme}-{segments}"), options);
            for track in check(&media, &packaged, scheme) {
                assert!(track.protected > 0 && track.protected < track.samples.len(), "{scheme}");
            }
        }
    }
}

#[test]
fn fresh_files_whose_key_changes_every_second_decrypt_byte_for_byte() {
    let Some(media) = Media::new() else { return };
    for scheme in SCHEMES {
        for segments in [false, true] {
            let options = Options { rotation: true, segments, ..Options::plain(scheme) };
            let packaged = media.shaka_mp4(&format!("{scheme}-{segments}"), options);
            for track in check(&media, &packaged, scheme) {
                assert_eq!(track.protected, track.samples.len(), "{scheme}");
                assert!(track.kids.len() >= wmlicense_testkit::packager::SECONDS, "{scheme}: {}", track.kids.len());
            }
        }
    }
}

#[test]
fn fresh_webm_files_decrypt_byte_for_byte() {
    let Some(media) = Media::new() else { return };
    let (video, audio) = media.clear_webm();
    for (clear_lead, segments) in [(false, false), (true, false), (true, true)] {
        let options = Options { clear_lead, segments, ..Options::plain("cenc") };
        let packaged = media.shaka_webm(&format!("{clear_lead}-{segments}"), options);
        for (path, clear, handler) in [(&packaged.video, &video, b"vide"), (&packaged.audio, &audio, b"soun")] {
            let found = decrypt(path, handler, Some(&packaged));
            assert_same(&found, &decrypt(clear, handler, None), "webm");
            // Small frames of VP9 are all header, which stays clear; a clear lead is a third of all frames.
            let clear = found.samples.len() - found.protected;
            assert_eq!(clear * 4 > found.samples.len(), clear_lead, "{clear} of {}", found.samples.len());
            assert!(found.protected > 0);
        }
    }
}

#[test]
fn a_fresh_progressive_file_of_ffmpeg_decrypts_byte_for_byte() {
    let Some(media) = Media::new() else { return };
    let packaged = media.ffmpeg_mp4("progressive");
    for track in check(&media, &packaged, "ffmpeg") {
        assert_eq!(track.protected, track.samples.len());
    }
}
