//! `wmlicense` with a real `wmlicensed`: licenses that one device acquired are backed up and restored on others, until the
//! service refuses one more.

use super::support::run;
use super::support::service::Service;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use wmlicense_core::acquire::{LicenseWish, acquire};
use wmlicense_core::client::{Client, OpenSettings, Settings};
use wmlicense_core::clock::SystemClock;
use wmlicense_core::event::Flow;
use wmlicense_core::individualize::individualize;
use wmlicense_core::operation::Context;
use wmlicense_core::transport::AccountToken;
use wmlicense_wire::id::{Digest, Kid};

/// Titles that every service of the tests offers to anybody, one of them not for backup.
const KIDS: [&str; 3] =
    ["c0000000000000000000000000000001", "c0000000000000000000000000000002", "c1000000000000000000000000000001"];

/// Makes a store in `folder` that holds the licenses.
fn stock(folder: &Path, service: &Service) {
    let authorities = vec![Digest::from_base64(&service.authority).unwrap()];
    let settings = OpenSettings { store_path: folder.to_path_buf(), authorities };
    let client = Client::open(&settings, Arc::new(SystemClock)).unwrap();
    let account_token = Arc::new(AccountToken::new(service.token.clone()));
    let settings = Settings { service_url: Some(service.url.clone()), account_token, ..Settings::default() };
    let context = || Context::inline(None, |_| Flow::Continue);
    individualize(&client, &settings, false, &context()).unwrap();
    let kids = KIDS.iter().map(|kid| Kid::from_hex(kid).unwrap()).collect();
    let wish = LicenseWish { kids, ..LicenseWish::default() };
    assert_eq!(acquire(&client, &settings, &wish, &context()).unwrap().stored, 3);
}

#[test]
fn the_command_line_moves_licenses_to_as_many_devices_as_the_service_allows() {
    let service = Service::start();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    stock(Path::new(&path("device1")), &service);
    std::fs::write(path("token"), &service.token).unwrap();
    std::fs::create_dir(path("backup")).unwrap();
    let program = run::built("wmlicense");
    let wmlicense = |words: &[&str]| {
        let mut command = Command::new(&program);
        command.args(words);
        command
    };

    let made = run::succeed(&mut wmlicense(&["backup", "--store", &path("device1"), "--to", &path("backup")]));
    assert!(made.starts_with("2 licenses in ") && made.contains("(Not for backup)"), "{made}");
    let here = run::succeed(&mut wmlicense(&["restore", "--store", &path("device1"), "--from", &path("backup")]));
    assert_eq!(here, "2 licenses restored\n");

    let restore = |device: &str| {
        let (store, from, token) = (path(device), path("backup"), path("token"));
        wmlicense(&[
            "restore",
            "--store",
            &store,
            "--from",
            &from,
            "--service",
            &service.url,
            "--authority",
            &service.authority,
            "--token-file",
            &token,
            "--individualize",
        ])
    };
    for device in ["device2", "device3", "device4"] {
        assert_eq!(run::succeed(&mut restore(device)), "2 licenses restored\n", "{device}");
    }
    let listed = run::succeed(&mut wmlicense(&["list", "--store", &path("device2")]));
    assert!(listed.ends_with("2 licenses\n"), "{listed}");
    // A device that has them asks free of a seat; one more device has none left.
    assert_eq!(run::succeed(&mut restore("device2")), "2 licenses restored\n");
    let refused = run::fail(&mut restore("device5"));
    assert!(refused.contains("as many devices as allowed hold it") && refused.contains("/support"), "{refused}");
    let empty = run::succeed(&mut wmlicense(&["list", "--store", &path("device5")]));
    assert_eq!(empty, "0 licenses\n");
}
