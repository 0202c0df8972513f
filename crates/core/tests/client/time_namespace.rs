//! A real store with the system's own clocks, in a process whose time since the start of the system a time namespace turns back.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use wmlicense_core::client::{Client, OpenSettings};
use wmlicense_core::clock::{Clock as _, ClockVerdict, SystemClock};
use wmlicense_core::decryptor::{Decryptor, UseError};
use wmlicense_core::rights::{Application, Refusal};
use wmlicense_media::cenc::{SampleInfo, Scheme};
use wmlicense_testkit::{World, kid};
use wmlicense_wire::policy::Conditions;

/// The folder with the store, for the process in the namespace.
const FOLDER: &str = "WM_TEST_TIME_NAMESPACE";
/// The service's clock is that much ahead of this machine's, so that only an anchor shows its time.
const AHEAD: i64 = 3600;
/// The license ended that long before.
const ENDED: i64 = 300;
/// What the namespace takes away: more than the license is over.
const BACK: &str = "--boottime=-600";
/// One that goes ahead shows that it is the offset that counts, and not what was seen before.
const AHEAD_OF_ALL: &str = "--boottime=600";

fn open(folder: &Path) -> Arc<Client> {
    let settings = OpenSettings { store_path: folder.to_path_buf(), authorities: Vec::new() };
    Client::open(&settings, Arc::new(SystemClock)).unwrap()
}

fn play(client: &Arc<Client>) -> Result<(), UseError> {
    let info =
        SampleInfo { scheme: Scheme::Cenc, iv: &[7; 8], subsamples: &[], crypt_byte_block: 0, skip_byte_block: 0 };
    Decryptor::create(client, kid(1), "Play", &Application::default())?.decrypt(&info, &mut [0; 20])
}

/// A store with a license that is over by its service's anchor, and is not by the wall clock.
fn prepare(folder: &Path) {
    let now = SystemClock.now();
    let world = World::at(now);
    let home = wmlicense_testkit::home::Home::over(&world, open(folder));
    let ends = Conditions { not_after: Some(now + AHEAD - ENDED), ..Conditions::default() };
    home.acquire_at(&[world.policy_with(kid(1), ends)], now).unwrap();
    home.client.store.note_anchor(world.issuer.id, now + AHEAD, SystemClock.since_boot()).unwrap();
    assert_eq!(home.client.store.clock_verdict().unwrap(), ClockVerdict::Good);
    assert!(matches!(play(&home.client), Err(UseError::Refused(Refusal::Expired))));
}

/// Runs this test again, in the namespace; `before` is done there first.
fn run_shifted(folder: &Path, offset: &str, before: &str) -> Output {
    let test = std::env::current_exe().unwrap();
    let script = format!("{before} exec \"$0\" --exact time_namespace::a_time_namespace_gives_no_expired_license_back");
    Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "--time", offset, "sh", "-ec", &script])
        .arg(test)
        .env(FOLDER, folder)
        .output()
        .unwrap()
}

fn can_unshare() -> bool {
    let made = Command::new("unshare").args(["--user", "--map-root-user", "--mount", "--time", BACK, "true"]).output();
    let can = made.is_ok_and(|made| made.status.success());
    assert!(can || std::env::var_os("WM_TEST_ALL_TOOLS").is_none(), "time namespaces cannot be made here");
    if !can {
        eprintln!("not run: time namespaces cannot be made here");
    }
    can
}

#[test]
fn a_time_namespace_gives_no_expired_license_back() {
    if let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) {
        let client = open(&folder);
        let (result, verdict) = (play(&client), client.store.clock_verdict().unwrap());
        assert!(matches!(result, Err(UseError::Refused(Refusal::Clock))), "{result:?}");
        assert_eq!(verdict, ClockVerdict::Behind);
        return;
    }
    if !can_unshare() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    // The system tells the offset; then it does not, and the longest time that was seen tells.
    let hidden = "mount --bind /dev/null /proc/$$/timens_offsets;";
    for (offset, before) in [(BACK, ""), (AHEAD_OF_ALL, ""), (BACK, hidden)] {
        let output = run_shifted(folder.path(), offset, before);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{offset} {before} {text}");
    }
    assert!(matches!(play(&open(folder.path())), Err(UseError::Refused(Refusal::Expired))), "outside it is as before");
}
