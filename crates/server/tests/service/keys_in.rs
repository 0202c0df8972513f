//! Keys of packagers and encoders: files of each kind, CPIX encrypted with another implementation, and keys that go out.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use wmlicense_testkit::daemon::{Data, GOLD, KEY, OPEN, run};
use wmlicense_testkit::{documents, root, run as programs};

const OTHER_KEY: &str = "ffeeddccbbaa99887766554433221100";

/// `ci/cpix.py` with these words.
fn python(words: &[&Path]) -> Option<String> {
    let python = documents::python()?;
    Some(programs::succeed(Command::new(python).arg(root().join("ci/cpix.py")).args(words)))
}

/// Documents of another implementation, and the keys in the good ones as KID:KEY.
fn made(data: &Data) -> Option<(PathBuf, Vec<String>)> {
    let folder = data.path().join("von anderswo – CPIX");
    std::fs::create_dir(&folder).unwrap();
    let printed = python(&["make".as_ref(), &folder])?;
    Some((folder, sorted(&printed)))
}

fn sorted(lines: &str) -> Vec<String> {
    let mut lines: Vec<_> = lines.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Imports with the key and certificate of `whose`.
fn import(data: &Data, file: &Path, folder: &Path, whose: &str) -> Output {
    let (certificate, key) = (folder.join(format!("{whose}.pem")), folder.join(format!("{whose}.key")));
    let words =
        ["content", "import", text(file), "--open", "--cpix-cert", text(&certificate), "--cpix-key", text(&key)];
    run(&words, data.path())
}

/// All content as Bento4 takes it.
fn exported(data: &Data, pairs: &[String]) -> Vec<String> {
    let kids = pairs.iter().map(|pair| pair.split(':').next().unwrap());
    sorted(&data.admin(&["content", "export", "--bento4"].into_iter().chain(kids).collect::<Vec<_>>()))
}

fn complaint(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn lists_of_packagers_are_imported_and_their_keys_are_exported_again() {
    let data = Data::new();
    let file = data.path().join("Liste von Schlüsseln");
    let (open, gold) = (format!("{OPEN}:{KEY}"), format!("{GOLD}:{OTHER_KEY}"));
    std::fs::write(&file, format!("{open}\n{gold}\n")).unwrap();
    let done = data.admin(&["content", "import", text(&file), "--open", "--title", "One film"]);
    assert_eq!(done, "imported: 2 (2 new)\n");
    assert_eq!(data.json(&["content", "list"])[1]["title"], "One film");
    let words = data.admin(&["content", "export", "--shaka", &format!("HD={OPEN}"), GOLD]);
    let expected = format!("--keys=label=HD:key_id={OPEN}:key={KEY},label=:key_id={GOLD}:key={OTHER_KEY}");
    assert_eq!(words, format!("--enable_raw_key_encryption\n{expected}\n"));
    assert_eq!(data.admin(&["content", "export", "--bento4", OPEN, GOLD]), format!("{open}\n{gold}\n"));
    for form in ["--shaka", "--cpix", "--bento4"] {
        let out = data.path().join(form);
        let done = data.admin(&["content", "export", form, OPEN, GOLD, "--out", text(&out)]);
        assert_eq!(done, format!("wrote 2 keys to {}\n", out.display()));
        assert_eq!(std::fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
        let again = data.admin(&["content", "import", text(&out), "--open"]);
        assert_eq!(again, "imported: 2 (0 new)\nunchanged: 2\n", "{form}");
        let refused = data.fails(&["content", "export", form, OPEN, "--out", text(&out)]);
        assert_eq!(refused.0, 1, "a file that is there was written over: {refused:?}");
    }
}

#[test]
fn keys_are_written_into_nothing_that_others_put_in_their_way() {
    let data = Data::new();
    data.open_content(OPEN, None);
    let (target, link) = (data.path().join("of others"), data.path().join("link"));
    std::fs::write(&target, "theirs").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    std::os::unix::fs::symlink(data.path().join("nowhere"), data.path().join("loose")).unwrap();
    for name in ["of others", "link", "loose"] {
        let out = data.path().join(name);
        let (status, complaint) = data.fails(&["content", "export", "--bento4", OPEN, "--out", text(&out)]);
        assert!(status == 1 && complaint.contains(name), "{complaint}");
    }
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "theirs");
    assert!(!data.path().join("nowhere").exists());
}

#[test]
fn keys_come_through_a_pipe_that_has_a_name_and_no_length() {
    let data = Data::new();
    let pipe = data.path().join("pipe");
    programs::succeed(Command::new("mkfifo").arg(&pipe));
    let writing = std::thread::spawn({
        let (pipe, line) = (pipe.clone(), format!("{OPEN},{KEY},{}\n", "T".repeat(100)));
        // Longer than the first piece that is read.
        move || std::fs::write(pipe, line.repeat(2000)).unwrap()
    });
    assert_eq!(data.admin(&["content", "import", text(&pipe), "--open"]), "imported: 2000 (1 new)\n");
    writing.join().unwrap();
}

#[test]
fn keys_that_go_out_are_written_down_and_those_that_are_not_there_are_named() {
    let data = Data::new();
    data.open_content(OPEN, None);
    let (status, complaint) = data.fails(&["content", "export", "--bento4", OPEN, GOLD]);
    assert!(status == 1 && complaint.contains(&format!("there is no content {GOLD}")), "{complaint}");
    assert!(!complaint.contains(KEY));
    let exports = || {
        let rows = data.json(&["audit", "list"]);
        let is_export = |row: &&serde_json::Value| row["act"] == "content export";
        rows.as_array().unwrap().iter().filter(is_export).map(|row| row["about"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(exports(), Vec::<serde_json::Value>::new());
    data.admin(&["content", "export", "--bento4", OPEN]);
    assert_eq!(exports(), [OPEN]);
    data.open_content(GOLD, None);
    data.admin(&["content", "export", "--shaka", OPEN, GOLD]);
    let rows = data.json(&["audit", "list"]);
    assert_eq!(
        (&rows[0]["about"], &rows[0]["became"]),
        (&"2 key IDs".into(), &format!("{OPEN} {GOLD}").into()),
        "{rows}"
    );
    for words in [
        &["--bento4"][..],
        &[OPEN],
        &["--bento4", "--shaka", OPEN],
        &["--shaka", "a:b=c0000000000000000000000000000001"],
    ] {
        assert_eq!(run(&[&["content", "export"], words].concat(), data.path()).status.code(), Some(2), "{words:?}");
    }
}

#[test]
fn a_generated_key_is_new_each_time_and_never_takes_the_place_of_one() {
    let data = Data::new();
    let kid = |printed: &str| printed.trim().strip_prefix("added: ").unwrap().to_owned();
    let first = kid(&data.admin(&["content", "add", "--generate", "--open"]));
    let second = kid(&data.admin(&["content", "add", "--generate", "--open", "--kid", OPEN]));
    assert_ne!(first, second);
    assert_eq!(second, OPEN);
    let pairs = data.admin(&["content", "export", "--bento4", &first, OPEN]);
    let keys: Vec<_> = pairs.lines().map(|line| line.split(':').nth(1).unwrap()).collect();
    assert!(keys[0] != keys[1] && keys.iter().all(|key| key.len() == 32 && *key != "0".repeat(32)), "{pairs}");
    let (status, complaint) = data.fails(&["content", "add", "--generate", "--open", "--kid", OPEN]);
    assert!(status == 1 && complaint.contains("already with another key"), "{complaint}");
    assert_eq!(data.admin(&["content", "export", "--bento4", &first, OPEN]), pairs);
}

#[test]
fn encrypted_documents_of_another_implementation_are_imported() {
    for name in ["sealed", "two", "sha1", "utf16"] {
        let data = Data::new();
        let Some((folder, pairs)) = made(&data) else { return };
        let output = import(&data, &folder.join(format!("{name}.xml")), &folder, "ours");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "imported: 3 (3 new)\n", "{name}: {output:?}");
        assert_eq!(exported(&data, &pairs), pairs, "{name}");
    }
}

#[test]
fn another_implementation_opens_the_documents_that_are_exported() {
    let data = Data::new();
    let Some((folder, pairs)) = made(&data) else { return };
    assert!(import(&data, &folder.join("sealed.xml"), &folder, "ours").status.success());
    let out = folder.join("out.xml");
    let kids = pairs.iter().map(|pair| pair.split(':').next().unwrap());
    let (ours, other) = (folder.join("ours.der"), folder.join("other.pem"));
    let words =
        ["content", "export", "--cpix", "--recipient", text(&ours), "--recipient", text(&other), "--out", text(&out)];
    data.admin(&words.into_iter().chain(kids).collect::<Vec<_>>());
    let document = std::fs::read_to_string(&out).unwrap();
    assert!(!document.contains("PlainValue"));
    for whose in ["ours", "other"] {
        let (certificate, key) = (folder.join(format!("{whose}.pem")), folder.join(format!("{whose}.key")));
        let read = python(&["read".as_ref(), &out, &certificate, &key]).unwrap();
        assert_eq!(sorted(&read), pairs, "{whose}");
    }
}

#[test]
fn encrypted_documents_that_are_wrong_are_refused_and_nothing_of_them_is_taken() {
    let data = Data::new();
    let Some((folder, pairs)) = made(&data) else { return };
    for (name, expected) in [
        ("for-other", "not encrypted to the certificate"),
        ("wrong-mac", "key number 3: the key is not what the sender encrypted"),
        ("no-mac", "key number 1: ValueMAC is missing"),
        ("no-mac-method", "MACMethod is missing"),
        ("short-document-key", "does not open with the key"),
        ("other-oaep", "DocumentKey uses another algorithm"),
        ("sha256", "DocumentKey uses another algorithm"),
        ("other-cipher", "key number 2: EncryptedValue uses another algorithm"),
        ("fifteen", "a key has 16 bytes"),
        ("no-padding", "a key has 16 bytes"),
        ("mixed", "key number 4: a key is in clear"),
        ("grafted", "the key is not what the sender encrypted"),
    ] {
        let complaint = complaint(&import(&data, &folder.join(format!("{name}.xml")), &folder, "ours"));
        assert!(complaint.contains(expected), "{name}: {complaint}");
        for pair in &pairs {
            assert!(!complaint.contains(pair.split(':').nth(1).unwrap()), "{name}: a key is told");
        }
    }
    let sealed = folder.join("sealed.xml");
    let said = complaint(&run(&["content", "import", text(&sealed), "--open"], data.path()));
    assert!(said.contains("--cpix-key") && said.contains("--cpix-cert"), "{said}");
    assert_eq!(data.json(&["content", "list"]), serde_json::json!([]));
}

#[test]
fn keys_and_certificates_of_recipients_that_cannot_be_used_are_named() {
    let data = Data::new();
    let Some((folder, _)) = made(&data) else { return };
    let sealed = folder.join("sealed.xml");
    let with = |certificate: &str, key: &str| {
        let (certificate, key) = (folder.join(certificate), folder.join(key));
        let words =
            ["content", "import", text(&sealed), "--open", "--cpix-cert", text(&certificate), "--cpix-key", text(&key)];
        complaint(&run(&words, data.path()))
    };
    assert!(with("ours.pem", "other.key").contains("not that of the certificate"));
    assert!(with("ours.pem", "ours.pkcs1").contains("openssl pkcs8 -topk8"));
    assert!(with("ours.key", "other.key").contains("ours.key: no certificate"));
    assert!(with("sealed.xml", "ours.key").contains("sealed.xml: no certificate"));
    assert!(with("nothing.pem", "ours.key").contains("nothing.pem"));
    let lone = run(&["content", "import", text(&sealed), "--open", "--cpix-cert", "x"], data.path());
    assert_eq!(lone.status.code(), Some(2));
}

/// The vectors of the DASH-IF, where they are at hand, with the keys that were published for them.
#[test]
fn vectors_of_the_dash_industry_forum_give_their_published_keys() {
    let vectors = root().join("../shared/testdata/cpix");
    if !vectors.exists() {
        return;
    }
    let data = Data::new();
    let file = |name: &str| vectors.join(name);
    for (name, count) in
        [("ClearContentKeysOnly.xml", 4), ("KeyRotationMultiKeySinglePeriod.xml", 2), ("EmptyDocument.xml", 0)]
    {
        let done = data.admin(&["content", "import", text(&file(name)), "--open"]);
        assert_eq!(done, format!("imported: {count} ({count} new)\n"), "{name}");
    }
    let parts = |name: &str| -> [PathBuf; 2] {
        ["-nokeys", "-nocerts"].map(|what| {
            let (source, out) = (file(&format!("{name}.pfx")), data.path().join(format!("{name}{what}.pem")));
            let mut openssl = Command::new("openssl");
            openssl.args(["pkcs12", "-legacy", "-nodes", what, "-in", text(&source), "-passin"]);
            programs::succeed(openssl.arg(format!("pass:{name}")).args(["-out", text(&out)]));
            out
        })
    };
    let published = [
        ("bd5adf51-cf04-410f-aac3-ec63a69e929e", "deb5a81d86ac42e6cee876c91ab1ad2f"),
        ("d2920429-87ab-41e6-a4c5-a8c836b6312e", "3b9c3d15d662c2640ae2e217cc0ce269"),
        ("e17ba4b8-faff-4d30-bcba-7485e3f2e884", "0b0bbfde148105143b4aeac17590f9a3"),
        ("0ae6b9ad-92d2-4ebe-882b-1d07dee70715", "141ebf11c93d63d497cba6d8f1453f33"),
    ];
    let pairs: Vec<String> = published.iter().map(|(kid, key)| format!("{}:{key}", kid.replace('-', ""))).collect();
    let kids = published.iter().map(|(kid, _)| *kid);
    let wrong = file("Invalid_WrongMac.xml");
    for (name, whose) in
        [("EncryptedContentKeys.xml", "Cert1"), ("EncryptedContentKeysWithMultipleRecipients.xml", "Cert3")]
    {
        let [certificate, key] = parts(whose);
        let import = |file: &Path| {
            let recipient = ["--open", "--cpix-cert", text(&certificate), "--cpix-key", text(&key)];
            run(&[&["content", "import", text(file)], &recipient[..]].concat(), data.path())
        };
        let output = import(&file(name));
        assert!(output.status.success(), "{name}: {output:?}");
        complaint(&import(&wrong));
    }
    let found = data.admin(&["content", "export", "--bento4"].into_iter().chain(kids).collect::<Vec<_>>());
    assert_eq!(found, pairs.join("\n") + "\n");
}
