//! What the head remembers comes back from its bytes, other bytes are refused, and failures of the system are told apart.

use super::super::clock_bytes::{
    decode_anchors, decode_floors, decode_rest, encode_anchors, encode_floors, encode_rest,
};
use super::super::head::{Head, SeenHead};
use super::super::kept::{Kept, KeptKind};
use super::*;
use crate::clock::{Anchors, ClockRecord, Doubt, SinceBoot};
use rusqlite::ffi;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};

fn service(number: u8) -> ServiceId {
    ServiceId::new([number; 16])
}

fn tampered<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Tampered))
}

#[test]
fn what_services_told_of_the_time_comes_back_from_its_bytes() {
    let floors = BTreeMap::from([(service(1), -5), (service(2), i64::MAX)]);
    let bytes = encode_floors(&floors);
    assert_eq!(decode_floors(&bytes).unwrap(), floors);
    assert!(tampered(decode_floors(&bytes[1..])));
    let anchors = Anchors { boot: [7; 16], started: floors };
    for anchors in [None, Some(Anchors { started: BTreeMap::new(), ..anchors.clone() }), Some(anchors)] {
        let bytes = encode_anchors(anchors.as_ref());
        assert_eq!(decode_anchors(&bytes).unwrap(), anchors);
        assert!(bytes.is_empty() || tampered(decode_anchors(&bytes[1..])));
    }
}

#[test]
fn doubts_and_the_longest_run_come_back_each_without_the_other_too() {
    let longest = SinceBoot { boot: [3; 16], seconds: 77 };
    let doubts = BTreeMap::from([(service(1), Doubt { confirmed: -1, since: 9 })]);
    for (longest, doubts) in [
        (None, BTreeMap::new()),
        (Some(longest), BTreeMap::new()),
        (None, doubts.clone()),
        (Some(longest), doubts.clone()),
        // Of the first second of a run, and of a run whose name is zeros.
        (Some(SinceBoot { seconds: 0, ..longest }), BTreeMap::new()),
        (Some(SinceBoot { boot: [0; 16], ..longest }), doubts),
    ] {
        let clock = ClockRecord { longest, doubts: doubts.clone(), ..ClockRecord::default() };
        let bytes = encode_rest(&clock);
        assert_eq!(bytes.is_empty(), longest.is_none() && doubts.is_empty());
        assert_eq!(decode_rest(&bytes).unwrap(), (longest, doubts));
        assert!(bytes.is_empty() || tampered(decode_rest(&bytes[1..])));
        assert!(tampered(decode_rest(&[&bytes[..], &[0]].concat())));
    }
}

fn kept(kind: KeptKind, id: u8, number: u64) -> Kept {
    Kept { kind, id: [id; 32], number, taken_at: -3, hash: Digest::of(&[id]) }
}

#[test]
fn kept_documents_come_back_from_their_bytes_and_unknown_kinds_are_refused() {
    let all = [kept(KeptKind::Revocation, 1, 10), kept(KeptKind::StatusList, 2, u64::MAX)];
    let bytes = Kept::encode_all(&all);
    assert_eq!(Kept::decode_all(&bytes).unwrap(), all);
    assert!(tampered(Kept::decode_all(&bytes[..bytes.len() - 1])));
    for kind in [0, 3] {
        let mut other = bytes.clone();
        other[0] = kind;
        assert!(tampered(Kept::decode_all(&other)));
    }
}

#[test]
fn the_status_list_of_an_authority_is_found_among_those_of_others() {
    let room = Room::new();
    let inner = &*room.store.inner;
    let id = |number: u8| [number; 32];
    inner
        .write(|connection| {
            let mut head = Head::load(connection, &inner.integrity)?;
            head.keep(kept(KeptKind::StatusList, 1, 10));
            head.keep(kept(KeptKind::StatusList, 2, 20));
            head.keep(kept(KeptKind::Revocation, 3, 30));
            assert_eq!(head.find_kept(KeptKind::StatusList, &id(2)).map(|kept| kept.number), Some(20));
            head.save(connection, &inner.integrity)
        })
        .unwrap();
    let connection = room.sql();
    let mut seen: Option<SeenHead> = None;
    let head = Head::load_current(&connection, &inner.integrity, &mut seen).unwrap();
    let number = |authority: u8| head.status_list(&id(authority)).map(|kept| kept.number);
    assert_eq!([number(1), number(2), number(3), number(4)], [Some(10), Some(20), None, None]);
}

#[test]
fn each_change_of_the_head_is_another_generation() {
    let room = Room::new();
    let generation = || -> i64 { room.sql().query_row("SELECT generation FROM head", [], |row| row.get(0)).unwrap() };
    let first = generation();
    room.store.note_contact(room.world.issuer.id, NOW).unwrap();
    assert_eq!(generation(), first + 1);
    room.store.set_title(kid(1), "A title").unwrap();
    room.store.note_contact(room.world.issuer.id, NOW).unwrap();
    assert_eq!(generation(), first + 1, "what changes nothing of the head is none");
    // The time of a use is written at most once a minute.
    for (now, written) in [(NOW + 59, 1), (NOW + 60, 2), (NOW + 61, 2)] {
        room.set_clock(now);
        room.store.note_use().unwrap();
        assert_eq!(generation(), first + written, "at {now}");
    }
}

#[test]
fn what_the_database_reports_says_what_can_be_done() {
    let of = |code| StoreError::from(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
    assert!(matches!(of(ffi::SQLITE_FULL), StoreError::Full));
    assert!(matches!(of(ffi::SQLITE_IOERR_SHMSIZE), StoreError::Full));
    for code in [ffi::SQLITE_NOMEM, ffi::SQLITE_IOERR_NOMEM, ffi::SQLITE_IOERR_SHMMAP] {
        assert!(matches!(of(code), StoreError::NoMemory), "{code}");
    }
    for code in [ffi::SQLITE_BUSY, ffi::SQLITE_LOCKED, ffi::SQLITE_PROTOCOL] {
        assert!(matches!(of(code), StoreError::Busy), "{code}");
    }
    for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB] {
        assert!(matches!(of(code), StoreError::Damaged(_)), "{code}");
    }
    assert!(matches!(of(ffi::SQLITE_READONLY), StoreError::ReadOnly));
    for code in [ffi::SQLITE_CANTOPEN, ffi::SQLITE_PERM] {
        assert!(matches!(of(code), StoreError::Open(_)), "{code}");
    }
    assert!(matches!(of(ffi::SQLITE_IOERR_READ), StoreError::Io(_)));
    assert!(matches!(StoreError::from(rusqlite::Error::QueryReturnedNoRows), StoreError::Damaged(_)));
}

#[test]
fn what_the_system_reports_says_what_can_be_done_and_whether_reading_goes_on() {
    let of = |number| io::Error::from_raw_os_error(number);
    assert!(matches!(StoreError::from(of(libc::ENOSPC)), StoreError::Full));
    assert!(matches!(StoreError::from(of(libc::EDQUOT)), StoreError::Full));
    assert!(matches!(StoreError::from(of(libc::ENOMEM)), StoreError::NoMemory));
    assert!(matches!(StoreError::from(of(libc::EMFILE)), StoreError::NoDescriptor));
    assert!(matches!(StoreError::from(of(libc::EROFS)), StoreError::ReadOnly));
    assert!(matches!(StoreError::from(of(libc::EIO)), StoreError::Io(_)));
    // Of a file that is to be opened, what has no other name says that it does not open.
    assert!(matches!(StoreError::opening(of(libc::EIO)), StoreError::Open(_)));
    assert!(matches!(StoreError::opening(io::Error::from(ErrorKind::StorageFull)), StoreError::Full));
    for error in [StoreError::Full, StoreError::ReadOnly, StoreError::Open(String::new())] {
        assert!(error.forbids_writing(), "{error}");
    }
    for error in [StoreError::Busy, StoreError::NoDescriptor, StoreError::Damaged(String::new())] {
        assert!(!error.forbids_writing(), "{error}");
    }
}
