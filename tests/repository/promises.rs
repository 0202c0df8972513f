//! The tests that documents name as proofs exist and are not switched off. That they ran is checked by `ci/test.sh`.

use std::path::Path;

const PROMISES: usize = 8;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a line names behind each file in backticks: the file and a function in it.
fn named(line: &str) -> Vec<(&str, &str)> {
    let (mut file, mut found) = (None, Vec::new());
    for quoted in line.split('`').skip(1).step_by(2) {
        if quoted.ends_with(".rs") || quoted.ends_with(".c") {
            file = Some(quoted);
        } else if let Some(file) =
            file.filter(|_| quoted.chars().all(|c| c.is_ascii_lowercase() || "_0123456789".contains(c)))
        {
            found.push((file, quoted));
        }
    }
    found
}

/// The attributes in front of a Rust function.
fn attributes(text: &str, name: &str) -> Option<String> {
    let before = &text[..text.find(&format!("fn {name}("))?];
    let lines = before.lines().rev().skip(usize::from(!before.ends_with('\n')));
    Some(lines.map(str::trim).take_while(|line| line.starts_with("#[")).collect())
}

fn is_running_test(file: &str, name: &str) -> bool {
    let text = read(file);
    if file.ends_with(".c") {
        // Defined, and called by the program.
        return text.contains(&format!("static void {name}(")) && text.matches(&format!("{name}(")).count() > 1;
    }
    attributes(&text, name).is_some_and(|found| found.contains("test]") && !found.contains("ignore"))
}

#[test]
fn every_promise_has_tests_that_exist_and_are_not_ignored() {
    let document = read("docs/promises.md");
    let promises: Vec<&str> = document.split("\n## ").skip(1).collect();
    assert_eq!(promises.len(), PROMISES);
    for (number, promise) in (1..).zip(promises) {
        assert!(promise.starts_with(&format!("{number}. ")), "promise {number} is missing");
        let tests: Vec<_> = promise.lines().flat_map(named).collect();
        assert!(tests.len() >= 3, "promise {number} has {} tests", tests.len());
        for (file, name) in tests {
            assert!(is_running_test(file, name), "promise {number}: {file} has no test {name} that runs");
        }
    }
}

#[test]
fn every_threat_is_met_by_code_and_a_test_or_is_no_goal() {
    let document = read("docs/threat-model.md");
    let table = document.split("## What meets each threat").nth(1).expect("the table of threats");
    let rows = table.lines().take_while(|line| !line.starts_with("## ")).filter(|line| line.starts_with("| "));
    let mut count = 0;
    for row in rows.skip(2) {
        count += 1;
        let names = named(row);
        let exists = |(file, name): &&(&str, &str)| {
            let text = read(file);
            text.contains(&format!("fn {name}("))
                || text.contains(&format!("fn {name}<"))
                || is_running_test(file, name)
        };
        let dead: Vec<_> = names.iter().filter(|named| !exists(named)).collect();
        assert!(dead.is_empty(), "there is no {dead:?}");
        let tested = names.iter().any(|(file, name)| is_running_test(file, name));
        assert!(tested || row.contains("not a goal"), "nothing proves: {row}");
    }
    assert!(count >= 15, "{count} threats");
}
