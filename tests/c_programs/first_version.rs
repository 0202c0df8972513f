//! Programs that were built with the header of the first version run with this library: `tests/data/first_version`. What abidiff says of
//! the last release's types is in `tests/repository/abi_types.rs`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use wmlicense_testkit::c::compile::STRICT;
use wmlicense_testkit::c::service::Service;
use wmlicense_testkit::{root, run};

use crate::install::install;

fn fixture() -> PathBuf {
    root().join("tests/data/first_version")
}

fn header_of(folder: &Path) -> String {
    let text = std::fs::read_to_string(folder.join("wmlicense.h")).unwrap();
    // Without comments.
    let mut code = String::new();
    for (at, part) in text.split("/*").enumerate() {
        code += if at == 0 { part } else { part.split_once("*/").unwrap().1 };
    }
    code
}

/// The four programs, linked to what is installed.
struct Programs {
    folder: TempDir,
    service: Service,
}

impl Programs {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let prefix = folder.path().join("installed");
        install(folder.path(), &prefix);
        for name in ["acquire", "backup", "restore", "play"] {
            let mut compile = Command::new("cc");
            compile.args(STRICT).arg("-I").arg(fixture().join("include")).arg(fixture().join(format!("{name}.c")));
            compile.arg("-L").arg(prefix.join("lib")).arg("-lwmlicense").arg("-o").arg(folder.path().join(name));
            run::succeed(&mut compile);
        }
        std::fs::create_dir(folder.path().join("usb")).unwrap();
        Self { folder, service: Service::start() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program on the store of this device.
    fn program(&self, name: &str, device: &str) -> Command {
        let mut command = run::limited([self.path(name).to_str().unwrap()]);
        command.env("LD_LIBRARY_PATH", self.path("installed/lib")).current_dir(root());
        command.arg(self.path(device)).arg(&self.service.authority);
        command
    }

    fn play(&self, device: &str) {
        let mut command = self.program("play", device);
        let printed =
            run::succeed(command.args(["tests/data/media/packager-cenc-video.mp4", "tests/data/media/src.mp4"]));
        assert!(printed.contains("equal: 20 of 20 samples"), "{printed}");
    }
}

#[test]
fn programs_of_the_first_version_make_their_journey_with_this_library() {
    let old = Programs::new();
    let needed = run::succeed(Command::new("readelf").args(["-d", "-V"]).arg(old.path("acquire")));
    assert!(needed.contains("[libwmlicense.so.0.1]") && needed.contains("WMLICENSE_0.1"), "{needed}");
    let mut acquire = old.program("acquire", "device1");
    acquire.args([&old.service.url, &old.service.token]).arg("tests/data/media/packager-cenc-video.mp4");
    let printed = run::succeed(&mut acquire);
    assert!(printed.starts_with("individualized: device ") && printed.contains("\nlicense acquired: "), "{printed}");
    old.play("device1");

    let printed = run::succeed(old.program("backup", "device1").arg(old.path("usb")));
    assert!(printed.contains("backed up: 2 licenses into "), "{printed}");
    let printed = run::fail(old.program("backup", "device1").arg(old.path("usb")));
    assert!(printed.contains("WM_E_BACKUP_EXISTS"), "{printed}");

    let printed = run::succeed(old.program("restore", "device1").arg(old.path("usb")));
    assert!(printed.contains("restored offline: the store holds 2 licenses\n"), "{printed}");
    let mut elsewhere = old.program("restore", "device2");
    elsewhere.arg(old.path("usb")).args([&old.service.url, &old.service.token]);
    let printed = run::succeed(&mut elsewhere);
    assert!(printed.contains("restored through the service: the store holds 2 licenses\n"), "{printed}");
    old.play("device2");
    let printed = run::fail(old.program("restore", "device3").arg(old.path("nothing here")));
    assert!(printed.contains("restore"), "{printed}");
}

/// A program that prints each constant of the first version, and where each field of its structs lies.
fn told(code: &str) -> String {
    let mut lines = String::new();
    for define in code.lines().filter_map(|line| line.strip_prefix("#define WM_")) {
        let (name, value) = define.split_once(' ').unwrap_or((define, ""));
        let plain = !name.contains('(') && !value.is_empty() && name != "VERSION";
        if plain && value.starts_with('"') {
            let _ = writeln!(lines, "  printf(\"%s = %s\\n\", \"WM_{name}\", WM_{name});");
        } else if plain {
            let _ = writeln!(lines, "  printf(\"%s = %lld\\n\", \"WM_{name}\", (long long)WM_{name});");
        }
    }
    for body in code.split("typedef struct ").skip(1) {
        let Some((name, rest)) = body.split_once(" {\n") else { continue };
        if name.contains([';', '\n']) {
            continue;
        }
        for field in rest.split("\n}").next().unwrap().lines() {
            let field = field.trim_end_matches(';').split('[').next().unwrap();
            let field = field.rsplit([' ', '*']).next().unwrap();
            let place = format!("{name}, {field}");
            let size = format!("sizeof((({name} *)0)->{field})");
            let _ = writeln!(lines, "  printf(\"%s = %zu, %zu\\n\", \"{place}\", offsetof({place}), {size});");
        }
    }
    format!("#include <stdio.h>\n#include <wmlicense.h>\nint main(void) {{\n{lines}  return 0;\n}}\n")
}

#[test]
fn no_constant_field_or_function_of_the_first_version_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    let [old, new] = [fixture().join("include"), root().join("include")];
    let first = header_of(&old);
    let source = folder.path().join("told.c");
    std::fs::write(&source, told(&first)).unwrap();
    let printed = |include: &Path| {
        let program = folder.path().join("told");
        run::succeed(Command::new("cc").args(STRICT).arg("-I").arg(include).arg(&source).arg("-o").arg(&program));
        run::succeed(&mut Command::new(program))
    };
    let before = printed(&old);
    assert!(before.contains("WM_E_BUSY = ") && before.contains("wm_sample, iv_size = "), "{before}");
    let changed: Vec<_> = before.lines().map(str::to_owned).collect();
    let now = printed(&new);
    let now: Vec<&str> = now.lines().collect();
    let changed: Vec<_> = changed.iter().filter(|line| !now.contains(&line.as_str())).collect();
    assert!(changed.is_empty(), "other values than programs were built with: {changed:?}");

    // Declarations, whatever lines they stand on.
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let now = words(&header_of(&new));
    let declarations = words(&first);
    let functions: Vec<&str> =
        declarations.split("; ").filter(|one| one.contains("(") && !one.contains(['{', '#'])).collect();
    assert!(functions.len() > 50, "{functions:?}");
    let changed: Vec<_> = functions.iter().filter(|one| !now.contains(**one)).collect();
    assert!(changed.is_empty(), "declared otherwise: {changed:?}");
}
