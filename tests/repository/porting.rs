//! The guide for code of the Windows Media Format SDK names what the header has, and calls not portable only what it lacks.

use std::collections::BTreeSet;
use std::path::Path;
use wmlicense_testkit::root;

/// What the guide names that is of this system, of Windows or of old linking, and so in no header here.
const ELSEWHERE: &[&str] = &["HANDLE", "WaitForSingleObject"];
/// What is told of in the section about what is not portable although a part of it is.
const IN_PART: &[&str] = &["IWMReader"];

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').collect()
}

fn headers() -> String {
    let mut all = read(&root().join("include/wmlicense.h")) + &read(&root().join("include/wmlicense_wmf.h"));
    for entry in std::fs::read_dir(root().join("include/wmlicense_wmf")).unwrap() {
        all += &read(&entry.unwrap().path());
    }
    all
}

/// Quoted names that a program could write: with a capital letter, and nothing but a name.
fn names(text: &str) -> BTreeSet<&str> {
    let prose = text.split("```").step_by(2);
    let quoted = prose.flat_map(|part| part.split('`').skip(1).step_by(2));
    let plain = |name: &&str| {
        name.len() > 3
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
            && name.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && name.contains(|letter: char| letter.is_ascii_uppercase())
    };
    quoted.filter(plain).collect()
}

#[test]
fn the_porting_guide_names_only_what_the_header_has() {
    let (guide, headers) = (read(&root().join("docs/porting.md")), headers());
    let (before, rest) = guide.split_once("\n## What is not portable").unwrap();
    let (gone, after) = rest.split_once("\n## ").unwrap();
    let known = words(&headers);
    let mut unknown: Vec<&str> = names(before).into_iter().chain(names(after)).collect();
    unknown.retain(|name| !known.contains(name) && !ELSEWHERE.contains(name));
    assert!(unknown.is_empty(), "not in the header: {unknown:?}");
    let old = ["IWM", "DRM_", "WMDRM_", "Create", "GetMachine"];
    let mut there: Vec<&str> = names(gone).into_iter().collect();
    assert!(there.len() > 10, "{there:?}");
    there.retain(|name| {
        old.iter().any(|prefix| name.starts_with(prefix)) && known.contains(name) && !IN_PART.contains(name)
    });
    assert!(there.is_empty(), "portable after all: {there:?}");
}

#[test]
fn every_function_and_interface_of_the_old_api_is_in_the_guide() {
    let guide = read(&root().join("docs/porting.md"));
    let told = words(&guide);
    let headers = headers();
    let interfaces = headers.lines().filter_map(|line| line.strip_prefix("struct IWM")?.split(' ').next());
    let mut all: BTreeSet<String> = interfaces.map(|name| format!("IWM{name}")).collect();
    let functions = headers.split("inline HRESULT ").skip(1).filter_map(|rest| rest.split('(').next());
    all.extend(functions.filter(|name| name.starts_with("WM")).map(str::to_owned));
    // What values of statuses have, and what applications implement.
    let small = [
        "IWMOutputMediaProps;",
        "IWMStatusCallback",
        "IWMReaderCallback",
        "IWMDRMIndividualizationStatus",
        "IWMDRMLicenseBackupRestoreStatus",
        "IWMDRMNonSilentLicenseAquisition",
    ];
    let missing: Vec<&String> =
        all.iter().filter(|name| !told.contains(name.as_str()) && !small.contains(&name.as_str())).collect();
    assert!(all.len() > 15 && missing.is_empty(), "{missing:?} of {}", all.len());
}
