//! The manual pages in `docs/man` and the topics of the HTML reference: made from the header and the tables in `src/`, equal to
//! the committed ones byte by byte, and read without complaint by both programs that show manual pages.
//! `UPDATE_HEADER=1 cargo test --workspace --test repository manual` rewrites them.

mod mdoc;
mod overview;
mod page;
mod pages;
mod topics;

use crate::declared::header;
use mdoc::Mdoc;
use page::Tables;
use pages::{PAGES, page_of};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use wmlicense_testkit::{root, run};

/// What stands in the pages as the day of their last change: the release sets it to its own.
const DATE: &str = "November 30, 2026";

fn folder() -> PathBuf {
    root().join("docs/man")
}

pub(crate) fn tables() -> Tables {
    Tables {
        header: header(),
        results: wmlicense::reference::results(),
        properties: wmlicense::reference::properties(),
    }
}

/// Every page: its file below `docs/man`, and its text.
fn generated() -> BTreeMap<String, String> {
    let tables = tables();
    let begin = |name: &str, section| Mdoc::new(name, section, DATE, env!("CARGO_PKG_VERSION"));
    let objects = PAGES.iter().map(|page| (format!("man3/{}.3", page.name), tables.write(page, begin(page.name, 3))));
    let mut pages: BTreeMap<String, String> = objects.collect();
    pages.insert("man7/wmlicense.7".to_owned(), overview::contracts(&tables, begin("wmlicense", 7)));
    pages.insert("man7/wmlicense_errors.7".to_owned(), overview::errors(&tables, begin("wmlicense_errors", 7)));
    pages
}

fn committed(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_committed_manual_is_the_generated_one() {
    let pages = generated();
    if std::env::var_os("UPDATE_HEADER").is_some() {
        for (name, text) in &pages {
            let path = folder().join(name);
            std::fs::create_dir_all(path.parent().expect("a page is in a folder")).expect("the folder can be made");
            std::fs::write(path, text).expect("the page is writable");
        }
    }
    for (name, text) in &pages {
        assert!(
            committed(&folder().join(name)) == *text,
            "docs/man/{name} differs: UPDATE_HEADER=1 cargo test --workspace --test repository, then read it"
        );
    }
    for section in ["man3", "man7"] {
        for entry in std::fs::read_dir(folder().join(section)).expect("the folder is committed") {
            let name = format!("{section}/{}", entry.expect("readable").file_name().display());
            assert!(pages.contains_key(&name), "docs/man/{name} is made by nobody");
        }
    }
}

#[test]
fn every_function_property_status_and_result_has_its_place_in_the_manual() {
    let (tables, pages) = (tables(), generated());
    let all: String = pages.values().map(String::as_str).collect();
    for function in &tables.header.functions {
        let text = &pages[&format!("man3/{}.3", page_of(function).name)];
        for place in
            [format!(".Nm {}", function.name), format!(".Fo {}", function.name), format!(".Ss {}", function.name)]
        {
            assert!(text.lines().any(|line| line.trim_end_matches(" ,") == place), "{}: no {place}", function.name);
        }
    }
    for property in &tables.properties {
        for object in &property.objects {
            let text = &pages[&format!("man3/{object}.3")];
            assert!(
                text.contains(&format!("\n.It Dv {} Pq {}", property.define, property.kind)),
                "{object}: {}",
                property.define
            );
        }
    }
    for define in &tables.header.defines {
        let is_explained = all.contains(&format!("\n.It Dv {}\n", define.name))
            || all.contains(&format!("\n.It Dv {} Pq", define.name));
        assert!(
            is_explained || define.name == "WM_LICENSE_STORED" || define.name.ends_with('_'),
            "{} is explained on no page",
            define.name
        );
    }
    for found in tables.header.structs.iter().filter(|found| !found.fields.is_empty()) {
        assert!(all.contains(&format!("\n.Ss struct {}\n", found.name)), "{} is on no page", found.name);
    }
    let errors = &pages["man7/wmlicense_errors.7"];
    for row in &tables.results {
        assert!(errors.contains(&format!("\n.It Dv {} Pq ", row.name)), "{}", row.name);
        assert!(row.remedy.is_empty() || errors.contains(&format!("\n.It Dv {}\n", row.remedy)), "{}", row.remedy);
    }
}

#[test]
fn programs_that_show_manual_pages_have_no_complaint() {
    for name in generated().into_keys() {
        let path = folder().join(&name);
        if run::has_tool("groff") {
            let printed = run::output_of(Command::new("groff").args(["-mandoc", "-Tutf8", "-ww", "-z"]).arg(&path));
            assert!(printed.is_empty(), "{printed}");
        }
        // It knows no option that only names its version.
        if run::has_program("mandoc") {
            let (_, printed) = run::ended(Command::new("mandoc").args(["-T", "lint", "-W", "style"]).arg(&path));
            // The other pages are installed nowhere yet.
            let complaints: Vec<&str> =
                printed.lines().filter(|line| !line.contains("referenced manual not found")).collect();
            assert!(complaints.is_empty(), "{complaints:#?}");
        }
    }
}

/// Every function, struct and callback leads to its page when the pages are installed, also below a folder with blanks.
#[test]
fn installed_pages_are_found_under_every_name() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let folder = place.path().join("share of señor/man");
    run::succeed(Command::new(root().join("ci/man.sh")).arg(&folder));
    let tables = tables();
    for page in PAGES {
        for name in tables.names(page) {
            let text = committed(&folder.join(format!("man3/{name}.3")));
            let expected = format!(".so man3/{}.3\n", page.name);
            assert!(name == page.name || text == expected, "{name}: {text}");
        }
    }
    if run::has_tool("man") {
        let mut command = Command::new("man");
        command.arg("-M").arg(&folder).arg("wm_acquire_license").env("MANWIDTH", "400").env("LC_ALL", "C.UTF-8");
        let shown = run::succeed(&mut command);
        assert!(shown.contains("acquiring and renewing licenses"), "{shown}");
    }
    let complaint = run::fail(&mut Command::new(root().join("ci/man.sh")));
    assert!(complaint.starts_with("usage: "), "{complaint}");
}
