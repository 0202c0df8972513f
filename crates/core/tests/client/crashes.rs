//! Killed at any system call that changes the disk, or refused by the disk there, a store is the old one or the new one.
//! `WM_TEST_CRASH_ALL=1` tries every point; otherwise a spread of them is tried.

use std::path::Path;
use std::sync::Arc;
use wmlicense_core::backup::back_up;
use wmlicense_core::client::{Client, OpenSettings, Settings};
use wmlicense_core::event::Flow;
use wmlicense_core::operation::Context;
use wmlicense_core::restore::restore;
use wmlicense_core::store::{Import, Page, StoreError, TransactionState};
use wmlicense_testkit::crash::{Fault, Point, at_each_call_with, at_each_point, can_trace, copy, folder_of_child};
use wmlicense_testkit::home::{Home, pending};
use wmlicense_testkit::{Asked, ManualClock, NOW, World, content_key, grant, kid};
use wmlicense_wire::answer::{Envelope, Expected};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{Digest, TransactionId};
use wmlicense_wire::license::State;
use wmlicense_wire::policy::{BackupRight, Conditions, Policy};

const LICENSES: u64 = 120;

/// Opens the client of a prepared folder; the pins are in a file beside the store.
fn client(base: &Path) -> Arc<Client> {
    let pin =
        std::fs::read(base.join("pin")).map_or_else(|_| Vec::new(), |pin| vec![Digest::from_slice(&pin).unwrap()]);
    let settings = OpenSettings { store_path: base.join("store"), authorities: pin };
    Client::open(&settings, ManualClock::at(NOW)).unwrap()
}

fn context() -> Context {
    Context::inline(None, |_| Flow::Continue)
}

/// A folder with a closed copy of `home`'s store.
fn base_of(home: Home<'_>) -> tempfile::TempDir {
    let base = tempfile::tempdir().unwrap();
    std::fs::write(base.path().join("pin"), home.world.pin().as_bytes()).unwrap();
    let Home { folder, client, .. } = home;
    drop(client);
    copy(folder.path(), &base.path().join("store"));
    base
}

/// Kills `child` at a spread of points, then fails each of them with a full and with a broken disk.
fn at_all_faults(child: &str, base: &Path, most: usize, check: &mut dyn FnMut(&Path, &Point, bool)) -> usize {
    let faults = [(Fault::Kill, most), (Fault::Error("ENOSPC"), most / 3), (Fault::Error("EIO"), most / 3)];
    faults.into_iter().map(|(fault, most)| at_each_point(child, base, most, fault, check)).sum()
}

fn policies(world: &World) -> Vec<Policy> {
    let counted = Conditions { count: Some(5), ..Conditions::default() };
    let policy = |number| match number % 3 {
        0 => Policy { backup: BackupRight::Stateful, ..world.policy_with(kid(number), counted.clone()) },
        _ => world.policy(kid(number)),
    };
    (0..LICENSES).map(policy).collect()
}

/// Every license gives its key, and the rows are those that the head knows.
fn assert_whole(client: &Client, expected: &[u64], point: &Point) -> u64 {
    client.store.check_integrity().unwrap();
    let count = client.store.license_count().unwrap();
    assert!(expected.contains(&count), "{count} licenses after {point:?}");
    if count == LICENSES {
        for number in 0..LICENSES {
            let found = client.store.licenses(kid(number)).unwrap();
            assert_eq!(client.store.unwrap_key(&found[0]).unwrap().as_bytes(), content_key(kid(number)));
        }
    }
    count
}

fn import(base: &Path) -> Result<(), StoreError> {
    let client = client(base);
    let asked = std::fs::read(base.join("asked")).unwrap();
    let (transaction, request_hash) = asked.split_at(16);
    let transaction = TransactionId::from_slice(transaction).unwrap();
    let authority = client.authorities[0];
    let identity = client.device.identity(authority).unwrap();
    let directory = client.store.directory(authority)?.unwrap();
    let device_id = client.store.device_certificate(authority)?.unwrap().device_id;
    let envelope = Envelope::parse(&std::fs::read(base.join("answer")).unwrap()).unwrap();
    let expected = Expected {
        role: Role::Issuer,
        transaction,
        page: 0,
        request_hash: Digest::from_slice(request_hash).unwrap(),
        thumbprint: identity.keys.thumbprint(),
        floor: 0,
    };
    let verified = envelope.verify(&expected, &directory).unwrap();
    let licenses = verified.open_licenses(&identity.hpke, device_id, &directory).unwrap();
    let end = TransactionState::Answered;
    client
        .store
        .import(&Import { authority, signed: &envelope.signed, licenses, transaction, end, page: Page::default() })
        .map(|_| ())
}

#[test]
#[ignore = "a process of the tests beside it"]
fn child_imports() {
    let Some(base) = folder_of_child() else { return };
    import(&base).unwrap();
}

#[test]
fn an_import_is_whole_or_did_not_happen() {
    if !can_trace() {
        return;
    }
    let world = World::new();
    let home = Home::new(&world);
    let identity = home.identity();
    let asked = Asked::by(home.device_id, &identity.keys);
    let grants: Vec<_> = policies(&world).iter().map(|policy| grant(policy, content_key(policy.kid))).collect();
    let answer = world.answer(&world.issuer, &asked, &grants);
    pending(&home.client, &world, asked.transaction);
    let base = base_of(home);
    std::fs::write(base.path().join("answer"), answer).unwrap();
    let names = [asked.transaction.as_bytes().as_slice(), asked.request_hash.as_bytes()].concat();
    std::fs::write(base.path().join("asked"), names).unwrap();
    let tried = at_all_faults("crashes::child_imports", base.path(), 60, &mut |folder, point, _| {
        let client = client(folder);
        let count = assert_whole(&client, &[0, LICENSES], point);
        assert_eq!(client.store.pending_count().unwrap(), u64::from(count == 0), "after {point:?}");
        drop(client);
        if count == 0 {
            import(folder).unwrap();
            assert_whole(&self::client(folder), &[LICENSES], point);
        }
    });
    assert!(tried >= 20, "{tried} points");
}

#[test]
#[ignore = "a process of the tests beside it"]
fn child_uses_a_license() {
    let Some(base) = folder_of_child() else { return };
    spend(&client(&base)).unwrap();
}

fn spend(client: &Client) -> Result<State, StoreError> {
    let lid = client.store.licenses(kid(0))?[0].policy.lid;
    client.store.change_state(lid, &mut |_, state: &State| {
        let mut next = state.clone();
        let play = next.actions.get_mut("Play").unwrap();
        play.counts_left = play.counts_left.map(|left| left - 1);
        Ok(next)
    })
}

#[test]
fn a_use_counts_or_did_not_happen() {
    if !can_trace() {
        return;
    }
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&policies(&world)).unwrap();
    let base = base_of(home);
    let tried = at_all_faults("crashes::child_uses_a_license", base.path(), 30, &mut |folder, point, ended_well| {
        let client = client(folder);
        assert_whole(&client, &[LICENSES], point);
        let left = spend(&client).unwrap().actions["Play"].counts_left.unwrap();
        assert!([3, 4].contains(&left), "{left} left after {point:?}");
        assert!(!ended_well || left == 3, "a use that was reported is not forgotten after {point:?}");
    });
    assert!(tried >= 10, "{tried} points");
}

#[test]
#[ignore = "a process of the tests beside it"]
fn child_opens_an_empty_folder() {
    let Some(base) = folder_of_child() else { return };
    client(&base).device.create_identity(Digest::of(b"authority")).unwrap();
}

#[test]
fn a_store_that_was_being_made_can_be_made_again() {
    if !can_trace() {
        return;
    }
    let base = tempfile::tempdir().unwrap();
    let tried =
        at_all_faults("crashes::child_opens_an_empty_folder", base.path(), 40, &mut |folder, point, ended_well| {
            let client = client(folder);
            assert_whole(&client, &[0], point);
            let known = client.device.identity(Digest::of(b"authority")).is_some();
            assert!(known || !ended_well, "keys are kept after {point:?}");
            client.device.create_identity(Digest::of(b"authority")).unwrap();
        });
    assert!(tried >= 20, "{tried} points");
}

#[test]
#[ignore = "a process of the tests beside it"]
fn child_backs_up() {
    let Some(base) = folder_of_child() else { return };
    assert_eq!(back_up(&client(&base), &base.join("place"), true, &context()).unwrap().backed_up, LICENSES);
}

/// Restores the backup into a store that lost its licenses; gives what came back.
fn restored(base: &Path) -> u64 {
    let fresh = tempfile::tempdir().unwrap();
    copy(base, fresh.path());
    for end in ["", "-wal", "-shm"] {
        std::fs::remove_file(fresh.path().join(format!("store/licenses.db{end}"))).ok();
    }
    let client = client(fresh.path());
    restore(&client, &Settings::default(), &fresh.path().join("place"), false, &context()).unwrap().restored
}

#[test]
fn a_backup_is_the_old_one_or_the_new_one() {
    if !can_trace() {
        return;
    }
    let world = World::new();
    let home = Home::new(&world);
    let all: Vec<_> = (0..LICENSES).map(|number| world.policy(kid(number))).collect();
    home.acquire(&all[..20]).unwrap();
    let place = tempfile::tempdir().unwrap();
    back_up(&home.client, place.path(), false, &context()).unwrap();
    home.acquire(&all[20..]).unwrap();
    let base = base_of(home);
    copy(place.path(), &base.path().join("place"));
    let tried = at_all_faults("crashes::child_backs_up", base.path(), 30, &mut |folder, point, ended_well| {
        let count = restored(folder);
        assert!(count == LICENSES || !ended_well && count == 20, "{count} licenses after {point:?}");
        assert_whole(&client(folder), &[LICENSES], point);
    });
    assert!(tried >= 10, "{tried} points");
}

/// What changes the disk, but the one call that puts a file in the place of another.
const WITHOUT_EXCHANGE: &str = "write,pwrite64,fsync,fdatasync,ftruncate,renameat2,unlink,unlinkat";

#[test]
fn where_files_are_not_exchanged_there_is_a_whole_backup_at_every_moment() {
    if !can_trace() {
        return;
    }
    let world = World::new();
    let home = Home::new(&world);
    let all: Vec<_> = (0..LICENSES).map(|number| world.policy(kid(number))).collect();
    home.acquire(&all[..20]).unwrap();
    let place = tempfile::tempdir().unwrap();
    back_up(&home.client, place.path(), false, &context()).unwrap();
    home.acquire(&all[20..]).unwrap();
    let base = base_of(home);
    copy(place.path(), &base.path().join("place"));
    let mut check = |folder: &Path, point: &Point, ended_well: bool| {
        let count = restored(folder);
        assert!(count == LICENSES || !ended_well && count == 20, "{count} licenses after {point:?}");
        back_up(&client(folder), &folder.join("place"), true, &context()).unwrap();
        assert_eq!(std::fs::read_dir(folder.join("place")).unwrap().count(), 1, "what is left after {point:?}");
    };
    let refused = [("renameat", "EEXIST")];
    let faults = [(12, Fault::Kill), (5, Fault::Error("ENOSPC")), (5, Fault::Error("EIO"))];
    let tried: usize = faults
        .into_iter()
        .map(|how| {
            at_each_call_with(&refused, WITHOUT_EXCHANGE, "crashes::child_backs_up", base.path(), how, &mut check)
        })
        .sum();
    assert!(tried >= 10, "{tried} points");
}

#[test]
#[ignore = "a process of the tests beside it"]
fn child_restores() {
    let Some(base) = folder_of_child() else { return };
    restore(&client(&base), &Settings::default(), &base.join("place"), false, &context()).unwrap();
}

#[test]
fn a_restore_is_whole_or_did_not_happen() {
    if !can_trace() {
        return;
    }
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&policies(&world)).unwrap();
    let place = tempfile::tempdir().unwrap();
    back_up(&home.client, place.path(), false, &context()).unwrap();
    let base = base_of(home);
    copy(place.path(), &base.path().join("place"));
    let emptied = rusqlite::Connection::open(base.path().join("store/licenses.db")).unwrap();
    wmlicense_testkit::tamper::empty(&emptied);
    drop(emptied);
    let tried = at_all_faults("crashes::child_restores", base.path(), 50, &mut |folder, point, ended_well| {
        let client = client(folder);
        let count = assert_whole(&client, &[0, LICENSES], point);
        assert!(count == LICENSES || !ended_well, "after {point:?}");
        let again = restore(&client, &Settings::default(), &folder.join("place"), false, &context()).unwrap();
        assert_eq!(again.restored, LICENSES, "after {point:?}");
        assert_whole(&client, &[LICENSES], point);
    });
    assert!(tried >= 20, "{tried} points");
}
