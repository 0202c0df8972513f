//! Programs in the style of the Windows Media Format SDK's time, which differ from their originals in the include and the link line
//! alone: what they print is compared. Programs that hold the header to a contract beside them.

use std::path::{Path, PathBuf};
use std::process::Command;

use wmlicense_testkit::c::service::Service;
use wmlicense_testkit::c::{stem, with_service};
use wmlicense_testkit::{library_dir, root, run};

/// A compiler and what it is told besides.
type Kind<'k> = (&'k str, &'k [&'k str]);

const ADDRESS: &[&str] = &["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"];
const THREAD: &[&str] = &["-fsanitize=thread"];
const GCC: Kind = ("g++", &[]);
const GCC_SHORT: Kind = ("g++", &["-fshort-wchar"]);
const GCC_ADDRESS: Kind = ("g++", ADDRESS);
const GCC_THREAD: Kind = ("g++", THREAD);
const CLANG: Kind = ("clang++", &[]);
const CLANG_ADDRESS: Kind = ("clang++", ADDRESS);
const CLANG_SHORT_ADDRESS: Kind = ("clang++", &["-fshort-wchar", ADDRESS[0], ADDRESS[1], ADDRESS[2]]);
const CLANG_THREAD: Kind = ("clang++", THREAD);
/// With the statuses that old code does not know.
const CLANG_THREAD_ALL: Kind = ("clang++", &["-fsanitize=thread", "-DWMLICENSE_WMF_ALL_STATUSES"]);
const EVERY: &[Kind] =
    &[GCC, GCC_SHORT, GCC_ADDRESS, GCC_THREAD, CLANG, CLANG_ADDRESS, CLANG_SHORT_ADDRESS, CLANG_THREAD];

/// A service, and a folder in which programs are compiled and run.
struct Stage {
    service: Service,
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let stage = Self { service: Service::start(), folder: tempfile::tempdir().unwrap() };
        for (name, kid) in [
            ("title1.wmv", "c0000000000000000000000000000001"),
            ("title2.wmv", "c0000000000000000000000000000002"),
            ("kept.wmv", "c1000000000000000000000000000001"),
            ("twice.wmv", "c2000000000000000000000000000001"),
            ("demanding.wmv", "c8000000000000000000000000000001"),
            ("revocable1.wmv", "d1000000000000000000000000000001"),
            ("revocable2.wmv", "d1000000000000000000000000000002"),
            ("asked1.wmv", "ca000000000000000000000000000001"),
            ("asked2.wmv", "ca000000000000000000000000000002"),
            ("asked3.wmv", "ca000000000000000000000000000003"),
            ("unknown.wmv", "cf000000000000000000000000000001"),
        ] {
            std::fs::write(stage.path(name), header(kid)).unwrap();
        }
        std::fs::copy(root().join("tests/data/media/src.mp4"), stage.path("clear.mp4")).unwrap();
        std::fs::create_dir(stage.path("a backup \u{e4}\u{20ac}")).unwrap();
        let titles =
            [("c1000000000000000000000000000001", "Not for backup"), ("c2000000000000000000000000000001", "Twice")];
        let lines: String = titles.iter().map(|(kid, title)| format!("{}\t{title}\n", guid_order(kid))).collect();
        std::fs::write(stage.path("titles.txt"), lines).unwrap();
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Compiles one of `tests/c/wmf`. A warning is a failure.
    fn compile(&self, (compiler, words): Kind, name: &str) -> PathBuf {
        let source = root().join("tests/c/wmf").join(name);
        let program = self.path(stem(&source));
        let libraries = library_dir();
        let mut command = Command::new(compiler);
        command.args(["-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g"]).args(words);
        command.arg(format!("-I{}", root().join("include").display())).arg(&source).arg("-o").arg(&program);
        command.arg(format!("-L{}", libraries.display())).arg(format!("-Wl,-rpath,{}", libraries.display()));
        run::succeed(command.args(["-lwmlicense", "-lpthread"]));
        program
    }

    fn run(&self, program: &Path, words: &[&str]) -> String {
        let suppressions = root().join("tests/c/wmf/tsan.supp");
        let mut command = run::limited([program.to_str().unwrap()]);
        with_service(&mut command, &self.service);
        command.env("TSAN_OPTIONS", format!("suppressions={} halt_on_error=1", suppressions.display()));
        run::succeed(command.args(words).current_dir(self.folder.path()))
    }

    /// Compiles and runs; what it prints.
    fn prints(&self, kind: Kind, name: &str, words: &[&str]) -> String {
        let program = self.compile(kind, name);
        self.run(&program, words)
    }
}

/// A file that is nothing but the header of old protected content.
fn header(kid: &str) -> String {
    format!(
        "<WRMHEADER version=\"2.0.0.0\"><DATA><KID>{}</KID><LAINFO>https://la.example/old</LAINFO><CID>WMID:7</CID>\
         <SECURITYVERSION>2.2</SECURITYVERSION><Title>A film</Title></DATA></WRMHEADER>",
        guid_order(kid)
    )
}

/// Base64 of the bytes of a GUID in the memory of Windows, as old content and catalogues have it.
fn guid_order(hex: &str) -> String {
    use base64::Engine as _;
    let mut bytes: Vec<u8> = (0..16).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn has_compilers() -> bool {
    run::has_tool("g++") && run::has_tool("clang++")
}

fn individualizes(stage: &Stage, kind: Kind) {
    let printed = stage.prints(kind, "individualize.cpp", &["store", "title1.wmv"]);
    assert_eq!(
        printed,
        "individualized: 0x000D2727, began 1 times, progress seen\n\
         individualized: 0x000D2727, began 0 times, progress none\n"
    );
}

fn plays(stage: &Stage, kind: Kind) {
    let player = stage.compile(kind, "reader.cpp");
    let play = |user: &str, file: &str| stage.run(&player, &["store", user, file]);
    let opened = "opened: 0x00000000\nends: 0x00000000\nclosed\n";
    let acquired = format!("protected: 0x00000000 1\nno rights: 0xC00D0BBE\nacquired: 0x000D2726\n{opened}");
    for file in ["title1.wmv", "kept.wmv", "twice.wmv", "demanding.wmv"] {
        assert_eq!(play("silent", file), acquired);
    }
    assert_eq!(play("silent", "title1.wmv"), format!("protected: 0x00000000 1\n{opened}"));
    assert_eq!(play("silent", "clear.mp4"), format!("protected: 0x00000001 0\n{opened}"));
    let refused = "protected: 0x00000000 1\nno rights: 0xC00D0BBE\nacquired: 0xC00D28A2\nends: 0xC00D28A2\nclosed\n";
    assert_eq!(play("silent", "unknown.wmv"), refused);
    let page = "protected: 0x00000000 1\nno rights: 0xC00D0BBE\nsilently: 0xC00D2759\npage: of the service\n";
    assert_eq!(play("page", "asked1.wmv"), format!("{page}monitored: 0x000D2726\n{opened}"));
    let declined = format!("{page}monitored: 0xC00D271E\nends: 0xC00D271E\nclosed\n");
    assert_eq!(play("decline", "asked2.wmv"), declined);
    let later = format!("{page}monitored: 0x000D2746\nacquired: 0x000D2726\n{opened}");
    assert_eq!(play("later", "asked3.wmv"), later);
    // Another device, whose first way leads through individualization.
    let first = "protected: 0x00000000 1\nneeds individualization\nindividualized\nno rights: 0xC00D0BBE\n";
    let printed = stage.run(&player, &["second store", "silent", "title1.wmv"]);
    assert_eq!(printed, format!("{first}acquired: 0x000D2726\n{opened}"));
}

fn inspects(stage: &Stage, kind: Kind) {
    let inspector = stage.compile(kind, "inspector.cpp");
    let head = "license URL: https://la.example/old\ncontent ID: WMID:7\nsecurity version: 2.2\ndistributor: none\n\
                title: A film\n";
    assert_eq!(
        stage.run(&inspector, &["store", "title1.wmv"]),
        format!(
            "DRM: yes\nkey ID: AAAAwAAAAAAAAAAAAAAAAQ==\n{head}play allowed: yes\ncopy allowed: no\nCD allowed: no\n\
             SDMI device allowed: no\nother device allowed: no\nplaylist allowed: no\nbackup allowed: yes\n\
             play left: category 1\ncopy left: category 0\nCD left: category 0\nthumbnail left: category 0\n"
        )
    );
    assert_eq!(
        stage.run(&inspector, &["store", "demanding.wmv"]),
        format!(
            "DRM: yes\nkey ID: AAAAyAAAAAAAAAAAAAAAAQ==\n{head}play allowed: yes\ncopy allowed: yes\nCD allowed: yes\n\
             SDMI device allowed: no\nother device allowed: no\nplaylist allowed: no\nbackup allowed: no\n\
             play left: category 8 count 5 from 2001-01-01 00:00:00 day 1 until 2090-01-01 00:00:00 day 0 outputs\n\
             copy left: category 2 count 1 outputs\nCD left: category 2 count 2 outputs\n\
             thumbnail left: category 9 count 1 outputs\n"
        )
    );
    assert_eq!(stage.run(&inspector, &["store", "clear.mp4"]), "DRM: no\n");
}

fn backs_up(stage: &Stage, kind: Kind) {
    let program = stage.compile(kind, "backup.cpp");
    let place = "a backup \u{e4}\u{20ac}";
    let both = |store: &str, what: &str| stage.run(&program, &[store, what, place, "titles.txt"]);
    // The titles without a line in the database are the demanding one's.
    let made = "begin\nnot backed up: \nnot backed up: Not for backup\nnot backed up: Twice\nbackup: 0x00000000\n";
    assert_eq!(both("store", "backup"), made);
    assert_eq!(both("store", "backup"), format!("backup: 0xC00D2742\n{made}"));
    assert_eq!(both("store", "restore"), "begin\nrestore: 0x00000000, succeeded\n");
    assert_eq!(
        both("third store", "restore"),
        "connecting\ndisconnecting\nbegin\nindividualized on the way\nrestore: 0x00000000, succeeded\n"
    );
}

fn revokes(stage: &Stage, kind: Kind) {
    let [player, backup, agent] = ["reader.cpp", "backup.cpp", "revocation.cpp"].map(|name| stage.compile(kind, name));
    let played = |file: &str, expected: &str| {
        let printed = stage.run(&player, &["revoked store", "silent", file]);
        assert!(printed.contains(expected), "{printed}");
    };
    let moved = |store: &str, what: &str| stage.run(&backup, &[store, what, "a backup \u{e4}\u{20ac}", "titles.txt"]);
    played("title1.wmv", "acquired: 0x000D2726\n");
    for (way, file, kid) in [
        ("agent", "revocable1.wmv", "d1000000000000000000000000000001"),
        ("extended", "revocable2.wmv", "d1000000000000000000000000000002"),
    ] {
        played(file, "acquired: 0x000D2726\n");
        moved("revoked store", "backup");
        let words = ["license", "revoke", "--kid", kid, "--reason", "test", "--data"];
        run::succeed(Command::new(wmlicense_testkit::daemon::program()).args(words).arg(stage.service.data()));
        let printed = stage.run(&agent, &["revoked store", way]);
        assert_eq!(printed, "service: 200\nservice: 204\nrevocation: 0x00000000\n");
        played(file, "no rights: 0xC00D0BBE\nacquired: 0xC00D27E1\n");
    }
    // Elsewhere it stays away too, and the rest comes: a success that is not S_OK.
    let printed = moved("restored store", "restore");
    let begun = "connecting\ndisconnecting\nbegin\nsee http://127.0.0.1:";
    let ended = "/support: 0xC00D27E1\nindividualized on the way\nrestore: 0x000D2A00, succeeded\n";
    assert!(printed.starts_with(begun) && printed.ends_with(ended), "{printed}");
}

fn works_with_the_extended_api(stage: &Stage, kind: Kind) {
    let (open, page) = (guid_order("c0000000000000000000000000000003"), guid_order("ca000000000000000000000000000004"));
    let printed = stage.prints(kind, "extended.cpp", &["fourth store", &open, &page, "a backup \u{e4}\u{20ac}"]);
    assert_eq!(
        printed,
        "security version before: 0.0.0.0\n\
         security update: 0x000D2727, progress seen\n\
         allowed: 0x00000000 play 3, CD 3\n\
         for a security version: 0x00000000 play 3\n\
         states: play 0, CD 0\n\
         acquisition: 0x000D2726, without a page\n\
         allowed: 0x00000000 play 0, CD 5\n\
         for a security version: 0x00000000 play 0\n\
         states: play 1, CD 0\n\
         acquisition: 0xC00D2759, with a page\n\
         acquisition: 0x00000000, with a page\n\
         monitor: 0x000D2746\n\
         monitor: 0x000D2726\n\
         monitor: 0x000D2726\n\
         listed: the key ID\n\
         licenses: 2, of the key ID 1\n\
         backup: 0x00000000, begin and end seen, restricted 1\n\
         deleted: 0x00000000\n\
         deleted: 0x8004C013\n\
         cleaned: 0x00000000, with both flags 0x80070057\n\
         after shutdown: 0xC00D3E85\n\
         all in all: 0x00000000\n"
    );
}

/// Programs that check for themselves and print nothing.
fn keep_the_contracts(stage: &Stage, [reader, backup, extended]: [Kind; 3]) {
    let (open, page) = (guid_order("c0000000000000000000000000000002"), guid_order("ca000000000000000000000000000005"));
    let place = "a backup \u{e4}\u{20ac}";
    stage.prints(extended, "contract_lifetimes.cpp", &["eighth store", "clear.mp4"]);
    // It stands in for a function of the system, as sanitizers do.
    stage.prints(GCC, "contract_no_thread.cpp", &["ninth store", "clear.mp4"]);
    stage.prints(backup, "contract_limits.cpp", &["tenth store"]);
    stage.prints(reader, "contract_reader.cpp", &["fifth store", "title2.wmv", "asked2.wmv", "clear.mp4"]);
    let player = stage.compile(GCC, "reader.cpp");
    for file in ["title1.wmv", "kept.wmv"] {
        stage.run(&player, &["sixth store", "silent", file]);
    }
    stage.prints(backup, "contract_backup.cpp", &["sixth store", place]);
    let held = guid_order("c0000000000000000000000000000001");
    stage.prints(extended, "contract_unneeded.cpp", &["sixth store", "title1.wmv", &held]);
    stage.prints(backup, "contract_properties.cpp", &["sixth store", "title1.wmv", "unknown.wmv", "clear.mp4"]);
    let limited = "cb000000000000000000000000000001";
    let dates = r#""notBefore":"2001-01-01T00:00:00Z","notAfter":"2090-01-01T00:00:00Z""#;
    let terms = format!(r#"{{"actions":{{"Play":{{"count":5,"secondsAfterFirstUse":5400,{dates}}}}},"backup":true}}"#);
    stage.service.import(&format!("{limited},00112233445566778899aabbccddeeff,Limited\n"), &terms);
    stage.prints(extended, "contract_extended.cpp", &["seventh store", &open, &page, &guid_order(limited)]);
}

#[test]
fn programs_of_the_old_sdk_print_what_they_did() {
    if has_compilers() {
        let stage = Stage::new();
        individualizes(&stage, CLANG);
        plays(&stage, GCC_THREAD);
        inspects(&stage, GCC_SHORT);
        backs_up(&stage, CLANG_SHORT_ADDRESS);
    }
}

#[test]
fn revocation_and_the_extended_api_of_the_old_sdk_work_as_they_did() {
    if has_compilers() {
        let stage = Stage::new();
        individualizes(&stage, GCC);
        revokes(&stage, GCC_ADDRESS);
        works_with_the_extended_api(&stage, CLANG_ADDRESS);
    }
}

#[test]
fn the_old_api_keeps_its_contracts() {
    if has_compilers() {
        keep_the_contracts(&Stage::new(), [CLANG_ADDRESS, CLANG_THREAD_ALL, GCC_THREAD]);
    }
}

/// A program may include the header anywhere, as often as it likes, and be as strict as it likes.
#[test]
fn the_old_api_may_be_included_by_strict_programs_in_every_unit() {
    if !has_compilers() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let unit = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("#include <wmlicense_wmf.h>\n#include <wmlicense_wmf.h>\n{text}\n")).unwrap();
        path
    };
    let one = unit("one.cpp", "HRESULT other();\nint main() { return other() == NS_E_DRM_NOT_CONFIGURED ? 0 : 1; }");
    let other = "HRESULT other();\nHRESULT other() {\n  IWMReader *reader = nullptr;\n  return WMCreateReader(nullptr, 0, &reader);\n}";
    let two = unit("two.cpp", other);
    let strict = [
        "-Wall",
        "-Wextra",
        "-Wpedantic",
        "-Werror",
        "-Wshadow",
        "-Wconversion",
        "-Wsign-conversion",
        "-Wold-style-cast",
    ];
    for (compiler, standard) in [("g++", "-std=c++17"), ("clang++", "-std=c++20")] {
        let program = folder.path().join(compiler);
        let libraries = library_dir();
        let mut command = Command::new(compiler);
        command.arg(standard).args(strict).arg(format!("-I{}", root().join("include").display())).args([&one, &two]);
        command.arg(format!("-L{}", libraries.display())).arg(format!("-Wl,-rpath,{}", libraries.display()));
        run::succeed(command.args(["-lwmlicense", "-lpthread", "-o"]).arg(&program));
        run::succeed(&mut run::limited([program.to_str().unwrap()]));
    }
}

/// The script of the guide makes of a catalogue what the service imports, and old content gets its licenses.
#[test]
fn a_catalogue_of_rights_manager_is_imported_by_the_guides_script() {
    if !has_compilers() {
        return;
    }
    let stage = Stage::new();
    let guide = std::fs::read_to_string(root().join("docs/porting.md")).unwrap();
    let script = guide.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let kid = "fbefbe00112233445566778899aabbff";
    std::fs::write(stage.path("old.wmv"), header(kid)).unwrap();
    // As tools of the time wrote it, and with what CSV has to quote.
    let old = guid_order(kid).replace('+', "!").replace('/', "*");
    assert!(old.contains('!') && old.contains('*'), "{old}");
    std::fs::write(stage.path("catalogue.txt"), format!("{old}\tOld, \"but\" good\n")).unwrap();
    let mut python = Command::new("python3");
    python.args(["-c", script]).stdin(std::fs::File::open(stage.path("catalogue.txt")).unwrap());
    let list = run::succeed(&mut python);
    assert!(list.starts_with(&format!("{kid},")) && list.trim_end().ends_with("\"Old, \"\"but\"\" good\""), "{list}");
    stage.service.import(&list, r#"{"actions":{"Play":{}},"backup":true}"#);
    let printed = stage.prints(GCC, "reader.cpp", &["store", "silent", "old.wmv"]);
    assert!(printed.contains("acquired: 0x000D2726\n"), "{printed}");
}

/// Every program in every form.
#[test]
#[ignore = "takes minutes; ci/test_porting.sh runs it"]
fn programs_of_the_old_sdk_work_in_every_form() {
    assert!(has_compilers(), "g++ and clang++ are needed");
    for kind in EVERY {
        let stage = Stage::new();
        individualizes(&stage, *kind);
        plays(&stage, *kind);
        inspects(&stage, *kind);
        backs_up(&stage, *kind);
        revokes(&stage, *kind);
        works_with_the_extended_api(&stage, *kind);
        keep_the_contracts(&Stage::new(), [*kind; 3]);
    }
    keep_the_contracts(&Stage::new(), [CLANG, CLANG_THREAD_ALL, CLANG]);
}
