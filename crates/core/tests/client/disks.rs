//! Stores on disks that are full or may not be written: what needs no write goes on, and what must be recorded says why it cannot.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use wmlicense_core::client::{Client, OpenError, OpenSettings};
use wmlicense_core::decryptor::{Decryptor, UseError};
use wmlicense_core::rights::Application;
use wmlicense_core::store::StoreError;
use wmlicense_media::cenc::{SampleCipher, SampleInfo, Scheme};
use wmlicense_testkit::disk::{fill, has_own_mounts, mount_small, set_read_only};
use wmlicense_testkit::home::{Home, open};
use wmlicense_testkit::{ManualClock, NOW, World, content_key, kid};
use wmlicense_wire::policy::Conditions;

const SAMPLE: &[u8; 20] = b"a sample of 20 bytes";
/// Key IDs of a license without conditions, of one with an end, and of one with a count.
const PLAIN: u64 = 1;
const DATED: u64 = 2;
const COUNTED: u64 = 3;
/// What SQLite left of a store when its last process ended: nothing, a log, a log and its index.
const LEFT: [&[&str]; 3] = [&[], &["-wal"], &["-wal", "-shm"]];

fn stocked(world: &World) -> Home<'_> {
    let home = Home::new(world);
    let dated = Conditions { not_after: Some(NOW + 1000), ..Conditions::default() };
    let counted = Conditions { count: Some(5), ..Conditions::default() };
    home.acquire(&[
        world.policy(kid(PLAIN)),
        world.policy_with(kid(DATED), dated),
        world.policy_with(kid(COUNTED), counted),
    ])
    .unwrap();
    home
}

/// Copies the files of a store, those of its log as `left` says.
fn copy(home: &Home<'_>, to: &Path, left: &[&str]) {
    std::fs::create_dir(to).unwrap();
    if left.is_empty() {
        // The last connection copies the log into the database.
        let whole = tempfile::tempdir().unwrap();
        copy(home, &whole.path().join("store"), &["-wal"]);
        drop(open(home.world, &whole.path().join("store"), &home.clock).unwrap());
        assert!(!whole.path().join("store/licenses.db-wal").exists());
        return copy_files(&whole.path().join("store"), to, &|_| true);
    }
    copy_files(home.path(), to, &|name| !name.contains("db-") || left.iter().any(|suffix| name.ends_with(suffix)));
}

fn copy_files(from: &Path, to: &Path, wanted: &dyn Fn(&str) -> bool) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        if wanted(entry.file_name().to_str().unwrap()) {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

fn play(client: &Arc<Client>, number: u64) -> Result<(), UseError> {
    let info =
        SampleInfo { scheme: Scheme::Cenc, iv: &[7; 8], subsamples: &[], crypt_byte_block: 0, skip_byte_block: 0 };
    let mut data = SAMPLE.to_vec();
    SampleCipher::new(&content_key(kid(number))).decrypt_in_place(&info, &mut data).unwrap();
    Decryptor::create(client, kid(number), "Play", &Application::default())?.decrypt(&info, &mut data)?;
    assert_eq!(data, SAMPLE);
    Ok(())
}

/// Plays what may be played without a write, and gives why the rest cannot.
fn refused(client: &Arc<Client>) -> StoreError {
    for number in [PLAIN, DATED, PLAIN] {
        play(client, number).unwrap_or_else(|error| panic!("{number}: {error}"));
    }
    assert_eq!(client.store.title(kid(PLAIN)).unwrap(), None);
    let Err(UseError::Store(error)) = play(client, COUNTED) else { panic!("a use was not recorded") };
    error
}

/// Counts in what the disk has when it can be written again, as another process would see it.
fn counts(home: &Home<'_>, client: &Arc<Client>, folder: &Path) {
    (0..5).for_each(|_| play(client, COUNTED).unwrap());
    let other = open(home.world, folder, &home.clock).unwrap();
    assert!(matches!(play(&other, COUNTED), Err(UseError::Refused(_))), "each use counted once");
    [PLAIN, DATED].into_iter().for_each(|number| play(client, number).unwrap());
}

#[test]
fn on_a_full_disk_only_what_must_count_waits_for_room() {
    if !has_own_mounts("disks::on_a_full_disk_only_what_must_count_waits_for_room") {
        return;
    }
    let world = World::new();
    let home = stocked(&world);
    for left in LEFT {
        let disk = tempfile::tempdir().unwrap();
        mount_small(disk.path(), "size=2m");
        let (store, filling) = (disk.path().join("store"), disk.path().join("filling"));
        copy(&home, &store, left);
        fill(&filling);
        let client = open(&world, &store, &home.clock).unwrap_or_else(|error| panic!("{left:?}: {error}"));
        let error = refused(&client);
        assert!(matches!(error, StoreError::Full), "{left:?}: {error:?}");
        std::fs::remove_file(&filling).unwrap();
        counts(&home, &client, &store);
    }
}

#[test]
fn a_disk_that_fills_up_meanwhile_says_that_it_is_full() {
    if !has_own_mounts("disks::a_disk_that_fills_up_meanwhile_says_that_it_is_full") {
        return;
    }
    let world = World::new();
    let home = stocked(&world);
    let disk = tempfile::tempdir().unwrap();
    mount_small(disk.path(), "size=2m");
    let (store, filling) = (disk.path().join("store"), disk.path().join("filling"));
    copy(&home, &store, &[]);
    let client = open(&world, &store, &home.clock).unwrap();
    play(&client, COUNTED).unwrap();
    fill(&filling);
    // What is left of the log's last page takes a few small commits.
    let error = (0..64).find_map(|number| client.store.set_title(kid(number), &"t".repeat(500)).err());
    assert!(matches!(error, Some(StoreError::Full)), "{error:?}");
    [PLAIN, DATED].into_iter().for_each(|number| play(&client, number).unwrap());
    let identity = client.device.coming_identity(world.pin());
    let full = |error: &std::io::Error| error.kind() == std::io::ErrorKind::StorageFull;
    let Err(wmlicense_core::device::DeviceError::Io(error)) = identity else { panic!("keys were stored") };
    assert!(full(&error), "{error:?}");
    let error = client
        .store
        .stage(wmlicense_wire::id::Digest::of(b"header"))
        .and_then(|mut staging| (0..2000).try_for_each(|_| staging.put_batch(world.pin(), &[7; 4096])));
    assert!(matches!(error, Err(StoreError::Full)), "{error:?}");
}

#[test]
fn where_nothing_can_be_written_only_what_must_count_is_refused() {
    if !has_own_mounts("disks::where_nothing_can_be_written_only_what_must_count_is_refused") {
        return;
    }
    let world = World::new();
    let home = stocked(&world);
    for left in LEFT {
        let disk = tempfile::tempdir().unwrap();
        mount_small(disk.path(), "size=4m");
        // Characters that mean something in a URI.
        let store = disk.path().join("a store?with=100%&more#");
        copy(&home, &store, left);
        set_read_only(disk.path(), true);
        let client = open(&world, &store, &home.clock).unwrap_or_else(|error| panic!("{left:?}: {error}"));
        let error = refused(&client);
        assert!(matches!(error, StoreError::ReadOnly), "{left:?}: {error:?}");
        set_read_only(disk.path(), false);
        counts(&home, &client, &store);
    }
}

#[test]
fn a_folder_of_another_user_is_read_as_it_is() {
    if !has_own_mounts("disks::a_folder_of_another_user_is_read_as_it_is") {
        return;
    }
    let world = World::new();
    let home = stocked(&world);
    for left in LEFT {
        let disk = tempfile::tempdir().unwrap();
        let store = disk.path().join("store");
        copy(&home, &store, left);
        let files = || std::fs::read_dir(&store).unwrap().map(|entry| entry.unwrap().path());
        files().for_each(|file| std::fs::set_permissions(file, Permissions::from_mode(0o400)).unwrap());
        std::fs::set_permissions(&store, Permissions::from_mode(0o500)).unwrap();
        assert!(std::fs::write(store.join("more"), b"").is_err(), "the test may write whatever the modes say");
        let client = open(&world, &store, &home.clock).unwrap_or_else(|error| panic!("{left:?}: {error}"));
        let error = refused(&client);
        assert!(matches!(error, StoreError::ReadOnly), "{left:?}: {error:?}");
        std::fs::set_permissions(&store, Permissions::from_mode(0o700)).unwrap();
        files().for_each(|file| std::fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap());
        counts(&home, &client, &store);
    }
}

#[test]
fn what_another_process_writes_is_seen_where_this_one_may_not_write() {
    const NAME: &str = "disks::what_another_process_writes_is_seen_where_this_one_may_not_write";
    const STORE: &str = "WM_TEST_STORE";
    const TITLE: &str = "WM_TEST_TITLE";
    if let (Some(store), Ok(title)) = (std::env::var_os(STORE), std::env::var(TITLE)) {
        let settings = OpenSettings { store_path: store.into(), authorities: Vec::new() };
        let client = Client::open(&settings, ManualClock::at(NOW)).unwrap();
        client.store.set_title(kid(PLAIN), &title).unwrap();
        return;
    }
    if !has_own_mounts(NAME) {
        return;
    }
    let world = World::new();
    let home = stocked(&world);
    for left in LEFT {
        let disk = tempfile::tempdir().unwrap();
        let (store, seen) = (disk.path().join("store"), disk.path().join("seen"));
        copy(&home, &store, left);
        std::fs::create_dir(&seen).unwrap();
        let mount = |command: &mut Command| assert!(command.status().unwrap().success());
        mount(Command::new("mount").arg("--bind").args([&store, &seen]));
        mount(Command::new("mount").args(["-o", "remount,bind,ro"]).arg(&seen));
        let reader = open(&world, &seen, &home.clock).unwrap_or_else(|error| panic!("{left:?}: {error}"));
        assert_eq!(reader.store.title(kid(PLAIN)).unwrap(), None);
        for title in ["one", "two"] {
            let mut other = Command::new(std::env::current_exe().unwrap());
            other.args(["--exact", NAME]).env(STORE, &store).env(TITLE, title);
            assert!(other.output().unwrap().status.success());
            assert_eq!(reader.store.title(kid(PLAIN)).unwrap().as_deref(), Some(title), "{left:?}");
        }
        play(&reader, PLAIN).unwrap();
    }
}

#[test]
fn a_store_cannot_be_made_where_nothing_can_be_written() {
    if !has_own_mounts("disks::a_store_cannot_be_made_where_nothing_can_be_written") {
        return;
    }
    let world = World::new();
    let clock = ManualClock::at(NOW);
    let disk = tempfile::tempdir().unwrap();
    mount_small(disk.path(), "size=1m");
    let store = disk.path().join("store");
    fill(&disk.path().join("filling"));
    let full = open(&world, &store, &clock).map(drop);
    assert!(matches!(&full, Err(OpenError::Device(error)) if error.to_string().contains("No space")), "{full:?}");
    set_read_only(disk.path(), true);
    let read_only = open(&world, &disk.path().join("other"), &clock).map(drop);
    let Err(OpenError::Folder { reason, .. }) = &read_only else { panic!("{read_only:?}") };
    assert_eq!(reason.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
}
