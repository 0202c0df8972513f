//! Backups as another program reads and writes them that knows the documents alone: `ci/read_backup.py`.

use super::*;
use std::path::Path;
use std::process::Command;
use wmlicense_core::restore::verify;
use wmlicense_testkit::documents::python;
use wmlicense_testkit::place::restored;
use wmlicense_testkit::root;
use wmlicense_wire::backup::{Header, Version};

/// What the other program printed, sorted.
fn run(python: &Path, words: &[&Path]) -> Vec<String> {
    let output = Command::new(python).arg(root().join("ci/read_backup.py")).args(words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut lines: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// The line of a license.
fn line(policy: &Policy) -> String {
    let key: String = content_key(policy.kid).iter().map(|byte| format!("{byte:02x}")).collect();
    let place = if policy.is_stateful() { "record" } else { "page" };
    format!("{} {} {key} {place}", policy.lid.to_hex(), policy.kid.to_hex())
}

#[test]
fn another_program_reads_what_is_written_here_and_what_it_writes_is_restored_here_and_elsewhere() {
    let Some(python) = python() else { return };
    let world = World::new();
    let home = Home::new(&world);
    let fresh = home.copied();
    let mut policies = plain(&world, 0..300);
    policies.extend((300..303).map(|number| counted(&world, number)));
    home.acquire(&policies).unwrap();
    let more = plain(&world, 400..420);
    home.acquire(&more).unwrap();
    policies.extend(more);
    let gone = world.policy(kid(900));
    home.acquire(std::slice::from_ref(&gone)).unwrap();
    let after = Policy { replaces: Some(gone.lid), ..world.policy(kid(901)) };
    home.acquire(std::slice::from_ref(&after)).unwrap();
    home.client.store.set_title(kid(3), "A title of one's own").unwrap();
    policies.push(after);
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(backed_up(&home, folder.path(), false).0.unwrap().backed_up, policies.len() as u64);

    let mut expected: Vec<String> = policies.iter().map(line).collect();
    expected.sort();
    let file = folder.path().join(FILE_NAME);
    assert_eq!(run(&python, &["read".as_ref(), home.path(), &file]), expected);

    // What it wrote reads alike there, but for what stands in pages, and does here what our own does.
    let in_records: Vec<String> = expected.iter().map(|line| line.replace(" page", " record")).collect();
    for (how, version, lines) in [("write", Version::Pages, &expected), ("write1", Version::Records, &in_records)] {
        let other = tempfile::tempdir().unwrap();
        let written = other.path().join(FILE_NAME);
        assert_eq!(run(&python, &[how.as_ref(), home.path(), &file, &written]), expected);
        assert_eq!(Header::decode(header_of(&std::fs::read(&written).unwrap())).unwrap().version, version);
        assert_eq!(run(&python, &["read".as_ref(), home.path(), &written]), *lines);
        comes_back(&fresh.copied(), &world, &other, &policies);
    }
}

fn header_of(file: &[u8]) -> &[u8] {
    &file[12..12 + Header::body_len(file.first_chunk().unwrap()).unwrap()]
}

/// The backup is whole to the device, and restored by it and by another one.
fn comes_back(fresh: &Home<'_>, world: &World, folder: &TempDir, policies: &[Policy]) {
    let verified = verify(&fresh.client, folder.path(), &Events::default().context(|_| false)).unwrap();
    assert_eq!((verified.licenses, verified.closed_sections), (policies.len() as u64, 0));
    assert_eq!(restored(fresh, folder.path()).0.unwrap().restored, policies.len() as u64);
    let elsewhere = Home::new(world);
    let there = restore_at(&elsewhere, folder, &Fake::new(world)).0.unwrap();
    assert_eq!(there.restored, policies.len() as u64);
    for (place, policy) in [fresh, &elsewhere].into_iter().flat_map(|home| policies.iter().map(move |p| (home, p))) {
        let licenses = place.client.store.licenses(policy.kid).unwrap();
        assert!(licenses.len() == 1 && licenses[0].policy == *policy);
        assert_eq!(place.client.store.unwrap_key(&licenses[0]).unwrap().as_bytes(), content_key(policy.kid));
    }
    assert_eq!(fresh.client.store.title(kid(3)).unwrap().as_deref(), Some("A title of one's own"));
}
