//! Using licenses: what counts, counts once, however many threads, processes and decryptors there are.

use std::process::{Command, Stdio};
use wmlicense_core::decryptor::{Decryptor, UseError};
use wmlicense_core::rights::{Application, Refusal};
use wmlicense_core::store::StoreError;
use wmlicense_media::cenc::{SampleInfo, Scheme};
use wmlicense_testkit::home::{Home, open};
use wmlicense_testkit::{ManualClock, NOW, World, content_key, kid};
use wmlicense_wire::id::Kid;
use wmlicense_wire::policy::{Conditions, Policy};

const SAMPLE: &[u8; 20] = b"a sample of 20 bytes";

fn info() -> SampleInfo<'static> {
    SampleInfo { scheme: Scheme::Cenc, iv: &[7; 8], subsamples: &[], crypt_byte_block: 0, skip_byte_block: 0 }
}

/// The sample as a packager would have encrypted it: in counter mode both ways are the same.
fn encrypted(kid: Kid) -> Vec<u8> {
    let mut data = SAMPLE.to_vec();
    wmlicense_media::cenc::SampleCipher::new(&content_key(kid)).decrypt_in_place(&info(), &mut data).unwrap();
    data
}

fn play(decryptor: &Decryptor, kid: Kid) -> Result<(), UseError> {
    let mut data = encrypted(kid);
    decryptor.decrypt(&info(), &mut data)?;
    assert_eq!(data, SAMPLE);
    Ok(())
}

fn refusal<T>(result: Result<T, UseError>) -> Refusal {
    match result.err().expect("a refusal") {
        UseError::Refused(refusal) => refusal,
        error => panic!("{error}"),
    }
}

fn create(home: &Home<'_>, kid: Kid) -> Result<Decryptor, UseError> {
    Decryptor::create(&home.client, kid, "Play", &Application::default())
}

fn with(world: &World, set: impl FnOnce(&mut Conditions)) -> Policy {
    let mut conditions = Conditions::default();
    set(&mut conditions);
    world.policy_with(kid(1), conditions)
}

/// The files of the store as they are on the disk.
fn disk(home: &Home<'_>) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(home.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.to_string_lossy().ends_with("-shm"))
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_stateless_license_decrypts_without_a_write() {
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&[world.policy(kid(1))]).unwrap();
    let before = disk(&home);
    for _ in 0..3 {
        play(&create(&home, kid(1)).unwrap(), kid(1)).unwrap();
    }
    assert!(disk(&home) == before);
    assert_eq!(refusal(create(&home, kid(2))), Refusal::NoLicense);
    assert_eq!(refusal(Decryptor::create(&home.client, kid(1), "Copy", &Application::default())), Refusal::NoRight);
}

#[test]
fn a_decryptor_counts_once_and_creating_one_reserves_nothing() {
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&[with(&world, |c| c.count = Some(1))]).unwrap();
    let (first, second) = (create(&home, kid(1)).unwrap(), create(&home, kid(1)).unwrap());
    for _ in 0..5 {
        play(&first, kid(1)).unwrap();
    }
    assert_eq!(refusal(play(&second, kid(1))), Refusal::Exhausted);
    assert_eq!(refusal(create(&home, kid(1))), Refusal::Exhausted);
    assert_eq!(refusal(create(&home.again(), kid(1))), Refusal::Exhausted);
    play(&first, kid(1)).unwrap();
}

#[test]
fn concurrent_first_samples_of_one_decryptor_count_once() {
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&[with(&world, |c| c.count = Some(2))]).unwrap();
    let decryptor = create(&home, kid(1)).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| play(&decryptor, kid(1)).unwrap());
        }
    });
    play(&create(&home, kid(1)).unwrap(), kid(1)).unwrap();
    assert_eq!(refusal(create(&home, kid(1))), Refusal::Exhausted);
}

#[test]
fn a_license_used_up_in_between_gives_way_to_another() {
    let world = World::new();
    let home = Home::new(&world);
    let soon = with(&world, |c| (c.count, c.not_after) = (Some(1), Some(NOW + 100)));
    let late = with(&world, |c| (c.count, c.not_after) = (Some(1), Some(NOW + 900)));
    home.acquire(&[late, soon]).unwrap();
    let decryptors = [create(&home, kid(1)).unwrap(), create(&home, kid(1)).unwrap(), create(&home, kid(1)).unwrap()];
    play(&decryptors[0], kid(1)).unwrap();
    play(&decryptors[1], kid(1)).unwrap();
    assert_eq!(refusal(play(&decryptors[2], kid(1))), Refusal::Exhausted);
}

#[test]
fn an_open_decryptor_outlives_the_right_unless_the_policy_closes_it() {
    let world = World::new();
    for closes in [false, true] {
        let home = Home::new(&world);
        home.acquire(&[with(&world, |c| (c.not_after, c.close_at_expiry) = (Some(NOW + 10), closes))]).unwrap();
        let (used, unused) = (create(&home, kid(1)).unwrap(), create(&home, kid(1)).unwrap());
        play(&used, kid(1)).unwrap();
        home.clock.set(NOW + 10);
        match closes {
            false => play(&used, kid(1)).unwrap(),
            true => assert_eq!(refusal(play(&used, kid(1))), Refusal::Expired),
        }
        assert_eq!(refusal(play(&unused, kid(1))), Refusal::Expired);
        assert_eq!(refusal(create(&home, kid(1))), Refusal::Expired);
    }
}

#[test]
fn the_first_use_starts_the_time_and_later_ones_do_not() {
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&[with(&world, |c| c.seconds_after_first_use = Some(100))]).unwrap();
    home.clock.advance(1000);
    play(&create(&home, kid(1)).unwrap(), kid(1)).unwrap();
    home.clock.advance(60);
    play(&create(&home, kid(1)).unwrap(), kid(1)).unwrap();
    home.clock.advance(40);
    assert_eq!(refusal(create(&home, kid(1))), Refusal::Expired);
}

#[test]
fn a_long_use_takes_another_count_each_time_its_seconds_are_over() {
    let world = World::new();
    let home = Home::new(&world);
    home.clock.boot(1, 50);
    home.acquire(&[with(&world, |c| (c.count, c.seconds_per_count) = (Some(3), Some(60)))]).unwrap();
    let left = || home.client.store.licenses(kid(1)).unwrap()[0].state.clone().unwrap().actions["Play"].counts_left;
    let decryptor = create(&home, kid(1)).unwrap();
    for (seconds, wall, counts) in [(50, 0, 2), (109, 999, 2), (110, 0, 1), (150, -999, 1)] {
        home.clock.set(NOW + wall);
        home.clock.boot(1, seconds);
        play(&decryptor, kid(1)).unwrap();
        assert_eq!(left(), Some(counts), "after {seconds}");
    }
    // However many threads notice at once, and however long the pause, it is one count.
    home.clock.boot(1, 9000);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| play(&decryptor, kid(1)).unwrap());
        }
    });
    assert_eq!((left(), play(&decryptor, kid(1)).is_ok()), (Some(0), true));
    home.clock.boot(1, 9060);
    assert_eq!(refusal(play(&decryptor, kid(1))), Refusal::Exhausted);
}

#[test]
fn a_decryptor_that_closes_with_the_right_is_not_held_open_by_the_wall_clock() {
    let world = World::new();
    let home = Home::new(&world);
    home.clock.boot(1, 50);
    home.acquire(&[with(&world, |c| (c.not_after, c.close_at_expiry) = (Some(NOW + 10), true))]).unwrap();
    let decryptor = create(&home, kid(1)).unwrap();
    play(&decryptor, kid(1)).unwrap();
    home.clock.boot(1, 59);
    play(&decryptor, kid(1)).unwrap();
    home.clock.boot(1, 60);
    assert_eq!(refusal(play(&decryptor, kid(1))), Refusal::Expired);
}

#[test]
fn a_clock_set_back_deletes_only_where_the_policy_says_so_and_only_at_a_use() {
    let world = World::new();
    let home = Home::new(&world);
    let mut delete = with(&world, |c| {
        (c.not_after, c.grace_seconds) = (Some(NOW + 10 * 86_400), Some(1000));
        c.on_clock_rollback = wmlicense_wire::policy::OnClockRollback::Delete;
    });
    let disable = with(&world, |c| c.not_after = Some(NOW + 10 * 86_400));
    delete.priority = 1;
    home.acquire(&[delete.clone(), disable.clone(), world.policy(kid(2))]).unwrap();
    let stored = || home.client.store.licenses(kid(1)).unwrap().len();
    home.clock.advance(-900);
    play(&create(&home, kid(1)).unwrap(), kid(1)).unwrap();
    home.clock.advance(-101);
    assert_eq!(stored(), 2, "looking deletes nothing");
    assert_eq!(refusal(create(&home, kid(1))), Refusal::Clock);
    assert_eq!(stored(), 1);
    home.clock.set(NOW);
    play(&create(&home, kid(1)).unwrap(), kid(1)).unwrap();
    assert_eq!(home.acquire(&[delete]).unwrap().forbidden, 1, "a tombstone keeps it away");
    play(&create(&home, kid(2)).unwrap(), kid(2)).unwrap();
    home.client.store.check_integrity().unwrap();
}

#[test]
fn a_clock_set_back_closes_dated_licenses_and_no_others() {
    let world = World::new();
    let home = Home::new(&world);
    let dated = with(&world, |c| c.not_after = Some(NOW + 10 * 86_400));
    home.acquire(&[dated, world.policy(kid(2))]).unwrap();
    home.clock.advance(86_400);
    play(&create(&home, kid(1)).unwrap(), kid(1)).unwrap();
    home.clock.advance(-3600);
    assert_eq!(refusal(create(&home, kid(1))), Refusal::Clock);
    assert_eq!(refusal(create(&home.again(), kid(1))), Refusal::Clock);
    play(&create(&home, kid(2)).unwrap(), kid(2)).unwrap();
    home.clock.advance(3400);
    play(&create(&home, kid(1)).unwrap(), kid(1)).unwrap();
}

#[test]
fn a_clock_behind_the_services_own_word_is_not_trusted() {
    let world = World::new();
    let home = Home::new(&world);
    let dated = with(&world, |c| c.not_after = Some(NOW + 10 * 86_400));
    home.acquire_at(&[dated], NOW + 3600).unwrap();
    assert_eq!(refusal(create(&home, kid(1))), Refusal::Clock);
    home.clock.set(NOW + 3600);
    play(&create(&home, kid(1)).unwrap(), kid(1)).unwrap();
}

#[test]
fn a_demanded_security_version_is_compared_with_the_certificate() {
    let world = World::new();
    let home = Home::new(&world);
    let demand = |number, version: &str| {
        let conditions = Conditions { minimum_security_version: Some(version.into()), ..Conditions::default() };
        world.policy_with(kid(number), conditions)
    };
    home.acquire(&[demand(1, "1.0.0.0"), demand(2, "1.0.0.1")]).unwrap();
    play(&create(&home, kid(1)).unwrap(), kid(1)).unwrap();
    assert_eq!(refusal(create(&home, kid(2))), Refusal::NeedsIndividualization);
}

/// Uses of one license until it refuses.
fn spend_all(decryptor: impl Fn() -> Result<Decryptor, UseError>) -> u32 {
    let mut uses = 0;
    loop {
        match decryptor().and_then(|decryptor| play(&decryptor, kid(1))) {
            Ok(()) => uses += 1,
            Err(UseError::Refused(Refusal::Exhausted)) => return uses,
            Err(error) => panic!("{error}"),
        }
    }
}

const CHILD_FOLDER: &str = "WM_TEST_SPEND_FOLDER";

/// Not a test of its own: the body of the processes that the next test starts.
#[test]
#[ignore = "a process of the tests beside it"]
fn child_spends_until_refused() {
    let Some(folder) = std::env::var_os(CHILD_FOLDER) else { return };
    let settings = wmlicense_core::client::OpenSettings { store_path: folder.into(), authorities: Vec::new() };
    let client = wmlicense_core::client::Client::open(&settings, ManualClock::at(NOW)).unwrap();
    let uses: u32 = std::thread::scope(|scope| {
        let spend = || spend_all(|| Decryptor::create(&client, kid(1), "Play", &Application::default()));
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(spend)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    println!("uses={uses};");
}

#[test]
fn processes_and_threads_together_get_exactly_the_uses_there_are() {
    const USES: u32 = 60;
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&[with(&world, |c| c.count = Some(USES))]).unwrap();
    let children: Vec<_> = (0..3)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "use_of_licenses::child_spends_until_refused", "--nocapture", "--ignored"])
                .env(CHILD_FOLDER, home.path())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut total = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let (_, after) = text.split_once("uses=").unwrap();
        total += after.split_once(';').unwrap().0.parse::<u32>().unwrap();
    }
    assert_eq!(total, USES);
    home.client.store.check_integrity().unwrap();
}

#[test]
fn a_changed_head_refuses_a_counted_use_and_nothing_is_lost() {
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&[with(&world, |c| c.count = Some(1))]).unwrap();
    let decryptor = create(&home, kid(1)).unwrap();
    let blocker = rusqlite::Connection::open(home.path().join("licenses.db")).unwrap();
    blocker.execute_batch("UPDATE head SET generation = generation + 1").unwrap();
    let result = play(&decryptor, kid(1));
    assert!(matches!(result, Err(UseError::Store(StoreError::Tampered))), "{result:?}");
    blocker.execute_batch("UPDATE head SET generation = generation - 1").unwrap();
    play(&decryptor, kid(1)).unwrap();
    drop(open(&world, home.path(), &home.clock).unwrap());
}
