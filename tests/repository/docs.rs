//! Documents name only what exists: functions and constants of the header, make targets, files of the repository.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files_in(folder: &str, ending: &str) -> Vec<PathBuf> {
    let listing = std::fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let paths = listing.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|found| found == ending)).collect()
}

/// The documents a person reads.
fn documents() -> Vec<PathBuf> {
    let mut found = files_in(".", "md");
    found.extend(files_in("docs", "md"));
    found.extend(files_in("gstreamer", "md"));
    found.extend(files_in("python", "md"));
    found
}

/// The words that begin with `wm_` or `WM_`; a bare prefix such as `wm_create_…` is no name.
fn names(text: &str) -> BTreeSet<&str> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .filter(|word| (word.starts_with("wm_") || word.starts_with("WM_")) && !word.ends_with('_'))
        .collect()
}

#[test]
fn every_c_name_in_documents_and_examples_is_in_the_header() {
    let header = read(&root().join("include/wmlicense.h"));
    let mut known = names(&header);
    // The old API has structures that begin alike.
    let old = read(&root().join("include/wmlicense_wmf/wmsdk_drm.h"))
        + &read(&root().join("include/wmlicense_wmf/wmdrmsdk.h"));
    known.extend(names(&old));
    let mut readers = documents();
    readers.extend(files_in("examples-c", "c"));
    readers.extend(files_in("examples-cpp", "cpp"));
    readers.extend(files_in("include/wmlicense", "hpp"));
    for path in readers {
        let text = read(&path);
        let unknown: Vec<&str> = names(&text).difference(&known).copied().collect();
        assert!(unknown.is_empty(), "{}: not in the header: {unknown:?}", path.display());
    }
}

#[test]
fn every_make_target_in_documents_is_in_the_makefile() {
    let makefile = read(&root().join("Makefile"));
    for path in documents() {
        let text = read(&path);
        // Commands stand in backticks or begin a line of a code block, which is every second part between fences.
        let blocks = text.split("```").skip(1).step_by(2).flat_map(str::lines);
        let after = text.split("`make ").skip(1).chain(blocks.filter_map(|line| line.strip_prefix("make ")));
        for rest in after {
            let target: String = rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
            // Options lead to the makefile of another folder.
            if !target.is_empty() && !target.starts_with('-') {
                let rule = format!("\n{target}:");
                assert!(makefile.contains(&rule), "{}: no target `{target}`", path.display());
            }
        }
    }
}

#[test]
fn every_path_in_documents_leads_somewhere() {
    let top: BTreeSet<String> = [
        "abi",
        "bench",
        "ci",
        "crates",
        "debian",
        "deploy",
        "docs",
        "examples-c",
        "examples-cpp",
        "examples-python",
        "ffmpeg",
        "fuzz",
        "gstreamer",
        "include",
        "packaging",
        "python",
        "src",
        "tests",
    ]
    .map(str::to_owned)
    .into();
    for path in documents() {
        for quoted in read(&path).split('`').skip(1).step_by(2) {
            let plain = quoted.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
            let first = quoted.split('/').next().unwrap_or_default();
            if plain && quoted.contains('/') && top.contains(first) {
                assert!(root().join(quoted).exists(), "{}: there is no {quoted}", path.display());
            }
        }
    }
}

/// In the map of the house a name without a folder is of the folder in its heading.
#[test]
fn the_map_names_every_crate_and_only_what_exists() {
    let map = read(&root().join("docs/architecture.md"));
    for part in map.split("\n### ").skip(1) {
        let part = part.split("\n## ").next().unwrap_or_default();
        let heading = part.lines().next().unwrap_or_default();
        let Some(folder) = heading.split('`').nth(1) else { continue };
        for quoted in
            part.split('`').skip(1).step_by(2).filter(|quoted| quoted.ends_with('/') || quoted.ends_with(".rs"))
        {
            let found = root().join(quoted).exists() || root().join(folder).join(quoted).exists();
            assert!(found, "there is no {quoted} in {folder}");
        }
    }
    for found in std::fs::read_dir(root().join("crates")).unwrap() {
        let name = found.unwrap().file_name().into_string().unwrap();
        assert!(map.contains(&format!("| `crates/{name}/` |")), "crates/{name} is not in the map");
    }
}

/// What stands in a source between the beginning of an item and its end.
fn block<'t>(text: &'t str, begins: &str) -> &'t str {
    let begin = text.find(begins).unwrap_or_else(|| panic!("there is no {begins}"));
    let end = ["\n}\n", "\n};\n"].iter().filter_map(|end| text[begin..].find(end)).min().unwrap();
    &text[begin..begin + end]
}

/// The results of the kinds of failure that these sources name, as the one table of results has them.
fn results_of(sources: &str) -> String {
    let table = read(&root().join("src/result.rs"));
    let rows = table.lines().filter_map(|line| {
        let (name, kinds) = line.trim().strip_suffix(';')?.split_once(" = ")?;
        Some((name.to_owned(), kinds.split_once(" is ")?.1.split(" or ").map(str::to_owned).collect::<Vec<_>>()))
    });
    let rows: Vec<_> = rows.collect();
    // Small letters are a function's.
    let kinds =
        sources.split("FailureKind::").skip(1).filter(|rest| rest.starts_with(char::is_uppercase)).map(|rest| {
            let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap();
            let row = rows.iter().find(|(_, kinds)| kinds.iter().any(|kind| *kind == rest[..end]));
            format!("{} ", row.unwrap_or_else(|| panic!("{} has no result", &rest[..end])).0)
        });
    kinds.collect()
}

/// The results and statuses that these sources name.
fn told(text: &str) -> BTreeSet<&str> {
    let prefixes = ["WM_E_", "WM_S_", "WM_STATUS_"];
    names(text).into_iter().filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix))).collect()
}

#[test]
fn every_status_and_result_of_acquisition_is_in_its_table_and_no_other() {
    let explain = |file: &str| read(&root().join("crates/core/src/explain").join(file));
    let contact = explain("contact.rs");
    // Other verbs have words of their own for their service.
    let (others, more) = (block(&contact, "const MANAGEMENT"), block(&contact, "const REVOCATION"));
    let mut explained = contact.replace(others, "").replace(more, "");
    for (file, errors) in [
        ("refusal.rs", &["Reason"][..]),
        ("storage.rs", &["StoreError", "DeviceError", "HeaderError"]),
        ("verbs.rs", &["IndividualizeError", "AcquireError", "RenewError"]),
    ] {
        let text = explain(file);
        explained.extend(errors.iter().map(|error| block(&text, &format!("impl Explain for {error} {{"))));
    }
    let status = read(&root().join("src/status.rs"));
    let told_beside = status.split("Event::AccountNotPresented => {").nth(1).and_then(|rest| rest.split('}').next());
    let mut sources = results_of(&explained) + told_beside.unwrap();
    let mut files = files_in("src/license_request", "rs");
    files.extend(["src/license_request.rs", "src/individualizer.rs"].map(|file| root().join(file)));
    files.iter().for_each(|file| sources += &read(file));
    let document = read(&root().join("docs/acquisition.md"));
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let listed: BTreeSet<&str> = rows.collect();
    let (told, listed) = (told(&sources), listed);
    let missing: Vec<_> = told.difference(&listed).collect();
    let unused: Vec<_> = listed.difference(&told).collect();
    assert!(missing.is_empty() && unused.is_empty(), "not in the table: {missing:?}; in the table only: {unused:?}");
}
