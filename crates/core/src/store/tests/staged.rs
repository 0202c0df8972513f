//! What a restore puts aside: a log that a crash left is taken up or emptied, and what is taken over follows the rules of the
//! store.

use super::*;
use wmlicense_wire::policy::BackupRight;

const LOG: &str = "restore.chunks";

fn header(number: u8) -> Digest {
    Digest::new([number; 32])
}

fn log(room: &Room) -> Vec<u8> {
    std::fs::read(room.folder.path().join(LOG)).unwrap()
}

fn write_log(room: &Room, bytes: &[u8]) {
    std::fs::write(room.folder.path().join(LOG), bytes).unwrap();
}

/// Licenses as the management service binds them anew.
fn rebound(room: &Room, policies: &[Policy]) -> (Vec<u8>, Vec<OpenedLicense>) {
    let (_, signed, licenses) = room.answer(&room.world.management, Role::Management, policies, NOW);
    (signed, licenses)
}

fn put_chunk(room: &Room, staging: &mut Staging, number: u32, policies: &[Policy]) {
    let (signed, licenses) = rebound(room, policies);
    staging.put_chunk(0, number, room.world.pin(), &signed, &licenses).unwrap();
}

#[test]
fn what_is_answered_is_done_from_then_on_and_in_the_log() {
    let room = Room::new();
    let mut staging = room.store.stage(header(1)).unwrap();
    assert!(log(&room).is_empty());
    put_chunk(&room, &mut staging, 0, &[room.world.policy(kid(1))]);
    let one = log(&room).len();
    assert!(staging.chunk_done(0, 0).unwrap() && !staging.chunk_done(0, 1).unwrap());
    put_chunk(&room, &mut staging, 1, &[room.world.policy(kid(2))]);
    assert!(staging.chunk_done(0, 1).unwrap() && log(&room).len() > one);
    assert_eq!(staging.commit().unwrap().restored, 2);
    assert!(log(&room).is_empty());
}

#[test]
fn a_log_without_a_whole_chunk_is_emptied_when_the_store_opens_and_one_with_chunks_is_kept() {
    let room = Room::new();
    let mut staging = room.store.stage(header(1)).unwrap();
    put_chunk(&room, &mut staging, 0, &[room.world.policy(kid(1))]);
    let whole = log(&room);
    drop(staging);
    for torn in [b"torn".to_vec(), whole[..60].to_vec(), [&whole[..40], &[0xff; 100]].concat()] {
        write_log(&room, &torn);
        drop(room.again());
        assert!(log(&room).is_empty(), "{} bytes", torn.len());
    }
    write_log(&room, &whole);
    assert!(room.again().stage(header(1)).unwrap().chunk_done(0, 0).unwrap());
    // A restore that is under way keeps its log, whatever is in it so far.
    let staging = room.store.stage(header(1)).unwrap();
    write_log(&room, b"torn");
    drop(room.again());
    assert_eq!(log(&room), b"torn");
    drop(staging);
}

#[test]
fn what_is_torn_at_the_end_gives_way_to_what_is_answered_next() {
    let room = Room::new();
    let mut staging = room.store.stage(header(1)).unwrap();
    put_chunk(&room, &mut staging, 0, &[room.world.policy(kid(1))]);
    let one = log(&room);
    put_chunk(&room, &mut staging, 1, &[room.world.policy(kid(2)), room.world.policy(kid(3))]);
    let two = log(&room);
    drop(staging);
    write_log(&room, &two[..two.len() - 1]);
    let mut staging = room.store.stage(header(1)).unwrap();
    put_chunk(&room, &mut staging, 1, &[room.world.policy(kid(4))]);
    assert_eq!(log(&room)[..one.len()], one);
    let kept = log(&room);
    drop(staging);
    write_log(&room, &kept);
    assert_eq!(room.store.stage(header(1)).unwrap().commit().unwrap().restored, 2);
    assert!(room.store.licenses(kid(2)).unwrap().is_empty());
    assert_eq!(room.store.licenses(kid(4)).unwrap().len(), 1);
}

#[test]
fn no_code_of_a_chunk_holds_for_another_backup_or_with_other_bytes() {
    let room = Room::new();
    let mut staging = room.store.stage(header(1)).unwrap();
    put_chunk(&room, &mut staging, 0, &[room.world.policy(kid(1))]);
    let whole = log(&room);
    drop(staging);
    // The name of another backup in the front does not make it that backup's.
    let mut renamed = whole.clone();
    renamed[8..40].copy_from_slice(header(2).as_bytes());
    for (bytes, backup) in [(&whole, 2), (&renamed, 2), (&renamed, 1)] {
        write_log(&room, bytes);
        assert!(!room.store.stage(header(backup)).unwrap().chunk_done(0, 0).unwrap());
    }
    for place in (40..whole.len()).step_by(7) {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        write_log(&room, &changed);
        assert!(!room.store.stage(header(1)).unwrap().chunk_done(0, 0).unwrap(), "byte {place}");
    }
}

/// Restores licenses that a backup of another store of the device holds, with their first state.
fn restore(room: &Room, policies: &[Policy]) -> RestoreReport {
    let (signed, licenses) = rebound(room, policies);
    let mut staging = room.store.stage(header(9)).unwrap();
    staging.put_batch(room.world.pin(), &signed).unwrap();
    for opened in &licenses {
        let state = State::initial(&opened.policy);
        let (license, key) = (&opened.license, &opened.key);
        staging.put_license(&StagedLicense { index: opened.index, license, state: &state, key }).unwrap();
    }
    staging.commit().unwrap()
}

fn until(room: &Room, number: u64, not_after: i64) -> Policy {
    room.world.policy_with(kid(number), Conditions { not_after: Some(not_after), ..Conditions::default() })
}

#[test]
fn a_license_goes_in_until_the_second_of_its_end_and_one_that_is_there_stays() {
    let room = Room::new();
    let (ends_now, ends_later) = (until(&room, 1, NOW), until(&room, 2, NOW + 1));
    let both = [ends_now.clone(), ends_later.clone()];
    let report = restore(&room, &both);
    assert_eq!((report.restored, report.ended), (1, vec![(ends_now.lid, ends_now.kid)]));
    room.set_clock(NOW + 1000);
    let report = restore(&room, &both);
    assert_eq!((report.restored, report.ended.len()), (1, 1), "one that is there may still be renewed");
    // A time that was seen cannot be lived through again.
    let seen = until(&room, 3, NOW + 500);
    assert_eq!(restore(&room, std::slice::from_ref(&seen)).ended.len(), 1);
    room.set_clock(NOW);
    assert_eq!(restore(&room, std::slice::from_ref(&seen)).ended.len(), 1);
}

#[test]
fn a_preview_leaves_out_what_a_restore_leaves_out_and_not_what_is_there() {
    let room = Room::new();
    let (stored, ended, lasting) = (until(&room, 1, NOW + 10), until(&room, 1, NOW + 10), room.world.policy(kid(1)));
    room.acquire(&[stored.clone(), lasting.clone()], None);
    let out = |policy: &Policy| room.store.leaves_out_ended(policy, None).unwrap();
    room.set_clock(NOW + 9);
    assert!(!out(&ended) && !out(&stored) && !out(&lasting));
    room.set_clock(NOW + 10);
    assert!(out(&ended) && !out(&stored) && !out(&lasting));
    room.set_clock(NOW + 1000);
    assert!(out(&ended));
    room.set_clock(NOW);
    assert!(out(&ended), "a time that was seen");
}

#[test]
fn what_the_store_knows_of_the_use_of_licenses_is_told_of_those_that_are_asked_about() {
    let room = Room::new();
    let policy = Policy { backup: BackupRight::Stateful, ..room.counted(1) };
    room.acquire(&[policy.clone(), room.counted(2), room.world.policy(kid(3))], None);
    let initial = State::initial(&policy);
    let other = Lid::new([9; 16]);
    let staging = room.store.stage(header(1)).unwrap();
    assert_eq!(staging.usage(&[other, policy.lid]).unwrap(), [(policy.lid, initial.clone())]);
    drop(staging);
    room.store.delete(kid(1)).unwrap();
    assert_eq!(room.store.usage_of(&[policy.lid, other]).unwrap(), [(policy.lid, initial)]);
}
