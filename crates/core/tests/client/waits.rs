//! Locks that others hold, and pipes where files should be: every wait ends with the operation's cancel or deadline, or a bound.

use rusqlite::Connection;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use wmlicense_core::client::{OpenError, Settings};
use wmlicense_core::decryptor::{Decryptor, UseError};
use wmlicense_core::device::DeviceError;
use wmlicense_core::event::Flow;
use wmlicense_core::failure::{Explain as _, FailureKind};
use wmlicense_core::file::open_named;
use wmlicense_core::give_back;
use wmlicense_core::operation::Context;
use wmlicense_core::rights::Application;
use wmlicense_core::store::StoreError;
use wmlicense_media::cenc::{SampleInfo, Scheme};
use wmlicense_testkit::home::{Home, open};
use wmlicense_testkit::place::{backed_up, restored};
use wmlicense_testkit::{ManualClock, NOW, World, kid};
use wmlicense_wire::id::Digest;
use wmlicense_wire::policy::Conditions;

const SOON: Duration = Duration::from_millis(200);
/// Far below the bound of a wait, far above what a loaded machine takes to notice the end of one.
const AT_ONCE: Duration = Duration::from_secs(5);
const BOUND: Duration = Duration::from_secs(10);

/// Runs `work`, which has to come back: what hangs fails the test instead of stopping it.
fn comes_back<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, receive) = channel();
    std::thread::spawn(move || send.send(work()));
    receive.recv_timeout(2 * BOUND).unwrap_or_else(|_| panic!("{what} hangs"))
}

/// Runs `work` for an operation with a deadline, and for one that is cancelled meanwhile; both end soon.
fn for_a_while<T>(work: impl Fn() -> T) -> [T; 2] {
    let timed = |context: &Context| {
        let begun = Instant::now();
        let result = work();
        assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
        assert!(begun.elapsed() >= SOON || context.check().is_err());
        result
    };
    let deadline = Context::inline(Some(SOON), |_| Flow::Continue);
    let late = timed(&deadline);
    drop(deadline);
    let cancelled = Context::inline(None, |_| Flow::Continue);
    let canceller = cancelled.canceller();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::park_timeout(SOON);
            canceller.cancel();
        });
        [late, timed(&cancelled)]
    })
}

/// Another process that writes the store, as far as locks go.
fn writing(home: &Home<'_>) -> Connection {
    let other = Connection::open(home.path().join("licenses.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other
}

fn locked(path: PathBuf) -> File {
    let file = File::options().create(true).truncate(false).write(true).open(path).unwrap();
    file.lock().unwrap();
    file
}

#[test]
fn a_wait_for_the_keys_ends_with_the_operation() {
    let world = World::new();
    let home = Home::new(&world);
    let held = locked(home.path().join("device.lock"));
    let [late, cancelled] = for_a_while(|| home.client.device.coming_identity(world.pin()).map(drop));
    assert!(matches!(late, Err(DeviceError::DeadlinePassed)), "{late:?}");
    assert!(matches!(cancelled, Err(DeviceError::Cancelled)), "{cancelled:?}");
    drop(held);
    home.client.device.coming_identity(world.pin()).unwrap();
}

#[test]
fn a_wait_for_the_store_ends_with_the_operation() {
    let world = World::new();
    let home = Home::new(&world);
    let other = writing(&home);
    let [late, cancelled] = for_a_while(|| home.client.store.set_title(kid(1), "title"));
    assert!(matches!(late, Err(StoreError::DeadlinePassed)), "{late:?}");
    assert!(matches!(cancelled, Err(StoreError::Cancelled)), "{cancelled:?}");
    drop(other);
    home.client.store.set_title(kid(1), "title").unwrap();
}

#[test]
fn licenses_that_could_not_be_deleted_while_the_store_is_written_are_a_failure() {
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&[world.policy(kid(1))]).unwrap();
    let other = writing(&home);
    let kinds = for_a_while(|| {
        let deleted = give_back::delete(&home.client, &Settings::default(), kid(1));
        deleted.map_err(|error| error.explain().kind)
    });
    assert_eq!(kinds, [Err(FailureKind::DeadlinePassed), Err(FailureKind::Cancelled)]);
    drop(other);
    assert_eq!(home.client.store.licenses(kid(1)).unwrap().len(), 1);
}

#[test]
fn a_wait_for_another_thread_that_waits_ends_with_the_operation() {
    let world = World::new();
    let home = Home::new(&world);
    let other = writing(&home);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| home.client.store.set_title(kid(1), "first"));
        // One of the two has the connection and waits for the other process, the other waits for the connection.
        let [late, cancelled] = for_a_while(|| home.client.store.set_title(kid(1), "second"));
        assert!(matches!(late, Err(StoreError::DeadlinePassed)), "{late:?}");
        assert!(matches!(cancelled, Err(StoreError::Cancelled)), "{cancelled:?}");
        drop(other);
        first.join().unwrap().unwrap();
    });
}

#[test]
fn a_call_that_is_no_operation_waits_for_locks_until_a_bound() {
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&[world.policy_with(kid(1), Conditions { count: Some(5), ..Conditions::default() })]).unwrap();
    let (other, held) = (writing(&home), locked(home.path().join("device.lock")));
    let decryptor = Decryptor::create(&home.client, kid(1), "Play", &Application::default()).unwrap();
    let info =
        SampleInfo { scheme: Scheme::Cenc, iv: &[7; 8], subsamples: &[], crypt_byte_block: 0, skip_byte_block: 0 };
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let title = scope.spawn(|| home.client.store.set_title(kid(1), "title"));
        let keys = scope.spawn(|| home.client.device.coming_identity(world.pin()).map(drop));
        let uses = [(); 2].map(|()| scope.spawn(|| decryptor.decrypt(&info, &mut [0; 20])));
        // What only reads waits for nobody.
        home.client.store.licenses(kid(1)).unwrap();
        assert!(begun.elapsed() < AT_ONCE);
        assert!(matches!(keys.join().unwrap(), Err(DeviceError::Busy)));
        assert!(matches!(title.join().unwrap(), Err(StoreError::Busy)));
        for used in uses {
            assert!(matches!(used.join().unwrap(), Err(UseError::Store(StoreError::Busy))));
        }
    });
    // However many locks there are: the decryptor's own, the connection within the process, the store among processes.
    assert!(begun.elapsed() < BOUND + AT_ONCE, "{:?}", begun.elapsed());
    drop((other, held));
    decryptor.decrypt(&info, &mut [0; 20]).unwrap();
}

fn pipe(path: &Path) {
    let _ = std::fs::remove_file(path);
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn a_pipe_in_the_place_of_a_file_of_the_store_is_refused_at_once() {
    let world = World::new();
    let home = Home::new(&world);
    for name in
        ["device.key", "device.lock", "licenses.db", "licenses.db-wal", "licenses.db-shm", "licenses.db-journal"]
    {
        let (folder, opened) = home.copied_without(|copied| copied.contains("db-"));
        drop(opened.unwrap());
        pipe(&folder.path().join(name));
        let (path, pin) = (folder.path().to_path_buf(), world.pin());
        let opened = comes_back(name, move || {
            let settings = wmlicense_core::client::OpenSettings { store_path: path, authorities: vec![pin] };
            let client = wmlicense_core::client::Client::open(&settings, ManualClock::at(NOW))?;
            client.device.coming_identity(pin).map(drop).map_err(OpenError::Device)
        });
        match opened {
            Err(OpenError::Device(DeviceError::Io(error))) if name.starts_with("device") => {
                assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{name}");
            }
            Err(OpenError::Store(StoreError::Open(_))) if name.starts_with("licenses") => {}
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn a_link_in_the_place_of_a_file_of_the_store_is_not_followed() {
    let world = World::new();
    let home = Home::new(&world);
    for name in ["device.key", "licenses.db"] {
        let (folder, opened) = home.copied_without(|copied| copied == name);
        drop(opened);
        let _ = std::fs::remove_file(folder.path().join(name));
        std::os::unix::fs::symlink(home.path().join(name), folder.path().join(name)).unwrap();
        let opened = open(&world, folder.path(), &home.clock).map(drop);
        let refused =
            matches!(opened, Err(OpenError::Device(DeviceError::Io(_)) | OpenError::Store(StoreError::Open(_))));
        assert!(refused, "{name}: {opened:?}");
    }
}

#[test]
fn a_pipe_in_the_place_of_what_a_restore_put_aside_is_refused_at_once() {
    let world = World::new();
    let home = Home::new(&world);
    pipe(&home.path().join("restore.chunks"));
    let again = home.again();
    let client = std::sync::Arc::clone(&again.client);
    let staged = comes_back("a restore", move || client.store.stage(Digest::of(b"header")).map(drop));
    assert!(matches!(staged, Err(StoreError::Io(_))), "{staged:?}");
}

#[test]
fn a_pipe_in_the_place_of_a_backup_is_refused_at_once() {
    let world = World::new();
    let home = Home::new(&world);
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("pipe");
    pipe(&place);
    pipe(&folder.path().join(wmlicense_wire::backup::FILE_NAME));
    for place in [place.as_path(), folder.path()] {
        assert!(backed_up(&home, place, true).0.is_err());
        assert!(restored(&home, place).0.is_err());
    }
}

#[test]
fn content_is_read_from_regular_files_only() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("pipe");
    pipe(&place);
    for path in [place, "/dev/zero".into(), "/dev/tty".into(), folder.path().into()] {
        let name = path.display().to_string();
        let error = comes_back(&name, move || open_named(&path).map(drop)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{name}: {error:?}");
    }
}
