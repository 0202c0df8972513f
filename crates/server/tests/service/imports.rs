//! Lists of content: what an import would change, what it may change, and keys that nobody else sees.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use wmlicense_testkit::daemon::{Data, GOLD, KEY, OPEN, program, run};

fn list(data: &Data, text: &str) -> String {
    let file = data.path().join("ein Film – Liste.csv");
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

fn fed(data: &Data, words: &[&str], input: &str) -> Output {
    let mut child = Command::new(program())
        .args(words)
        .arg("--data")
        .arg(data.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses its words reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

#[test]
fn an_import_opens_nothing_that_was_closed_unless_it_is_told_to() {
    let data = Data::new();
    let third = "c0000000000000000000000000000033";
    let path = list(&data, &format!("{OPEN},{KEY},One\n{GOLD},{KEY},Two\n"));
    data.admin(&["content", "import", &path, "--scope", "gold"]);
    let before = data.json(&["content", "list"]);
    let path = list(&data, &format!("{OPEN},{KEY},One\n{GOLD},{KEY},2\n{third},{KEY},Three\n"));
    let dry = data.admin(&["content", "import", &path, "--open", "--dry-run"]);
    let moved = "other terms: 2\n  from no policy, scope gold to no policy, open to all: 2\n";
    assert_eq!(dry, format!("would import: 3 (1 new)\n{moved}"));
    let (status, complaint) = data.fails(&["content", "import", &path, "--open"]);
    assert!(status == 1 && complaint.contains("scope gold to no policy, open to all: 2"), "{complaint}");
    assert!(complaint.contains("--replace") && complaint.contains("nothing was changed"), "{complaint}");
    assert_eq!(data.json(&["content", "list"]), before);
    let same = data.admin(&["content", "import", &path, "--scope", "gold"]);
    assert_eq!(same, "imported: 3 (1 new)\nunchanged: 1\nanother title: 1\n");
    let done = data.admin(&["content", "import", &path, "--open", "--replace"]);
    assert!(done.starts_with("imported: 3 (0 new)\nother terms: 3\n"), "{done}");
    // Back again somebody loses it, which is said.
    let back = data.admin(&["content", "import", &path, "--scope", "gold", "--dry-run"]);
    assert!(back.ends_with("lost by those who have not the scope named now: 3\n"), "{back}");
    assert_eq!(data.json(&["content", "list"])[0]["open"], true);
}

#[test]
fn all_wrong_lines_of_a_list_are_told_at_once() {
    let data = Data::new();
    let path = list(&data, &format!("kid,key,title\nshort,{KEY}\n{OPEN},{KEY}\n{GOLD},zz\n{OPEN},{GOLD}\n{GOLD}\n"));
    let (status, complaint) = data.fails(&["content", "import", &path, "--open"]);
    assert_eq!(status, 1);
    for line in ["line 2: the key ID", "line 4: the key is", "line 5: key ID", "line 6: kid,key,title"] {
        assert!(complaint.lines().any(|told| told.trim_start().starts_with(line)), "{line}: {complaint}");
    }
    assert!(!complaint.contains(KEY), "{complaint}");
    assert_eq!(data.json(&["content", "list"]), serde_json::json!([]));
}

#[test]
fn keys_come_from_files_or_standard_input_and_one_on_the_command_line_is_warned_of() {
    let data = Data::new();
    let add = |more: &[&str]| run(&[&["content", "add", "--kid", OPEN, "--open"], more].concat(), data.path());
    let warned = add(&["--key", KEY]);
    assert!(warned.status.success());
    let warning = String::from_utf8(warned.stderr).unwrap();
    assert!(warning.contains("--key-file") && !warning.contains(KEY), "{warning}");
    let file = data.path().join("key file");
    std::fs::write(&file, format!("{KEY}\n")).unwrap();
    let quiet = add(&["--key-file", file.to_str().unwrap()]);
    assert_eq!(
        (quiet.stdout.as_slice(), quiet.stderr.as_slice()),
        (format!("unchanged: {OPEN}\n").as_bytes(), &b""[..])
    );
    let piped = fed(&data, &["content", "add", "--kid", GOLD, "--open", "--key-file", "-"], KEY);
    assert_eq!(String::from_utf8(piped.stdout).unwrap(), format!("added: {GOLD}\n"));
    let wrong = fed(&data, &["content", "add", "--kid", GOLD, "--open", "--key-file", "-"], "no key");
    assert!(String::from_utf8(wrong.stderr).unwrap().contains("32 hexadecimal digits"));
    let imported = fed(&data, &["content", "import", "-", "--open"], &format!("{GOLD},{KEY},Title\n"));
    assert_eq!(String::from_utf8(imported.stdout).unwrap(), "imported: 1 (0 new)\nanother title: 1\n");
    let (status, complaint) = data.fails(&["content", "add", "--kid", OPEN, "--open"]);
    assert!(status == 2 && complaint.contains("--key-file"), "{complaint}");
    assert_eq!(add(&["--key", KEY, "--key-file", "-"]).status.code(), Some(2));
}
