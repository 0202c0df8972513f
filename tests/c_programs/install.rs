//! What `make install` puts in place and `make uninstall` takes away: libraries with nothing visible but the C API, programs, pages,
//! documents; versions beside each other. Who finds them from elsewhere is in `relocation.rs`.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use wmlicense_testkit::c::compile::{STRICT, exported_symbols};
use wmlicense_testkit::{library_dir, root, run};

/// A folder that looks like the one of a release build: this build's library, and its programs.
pub(crate) fn built(place: &Path) -> PathBuf {
    let folder = place.join("built");
    std::fs::create_dir(&folder).unwrap();
    symlink(library_dir().join("libwmlicense.a"), folder.join("libwmlicense.a")).unwrap();
    for program in ["wmlicensed", "wmlicense"] {
        symlink(run::built(program), folder.join(program)).unwrap();
    }
    folder
}

/// `ci/package.sh` of a tree of sources, below this prefix.
pub(crate) fn package(sources: &Path, prefix: &Path) -> Command {
    let mut command = Command::new(sources.join("ci/package.sh"));
    command.env("PREFIX", prefix).env_remove("LIBDIR").env_remove("DESTDIR");
    command
}

/// Installs this build below a prefix.
pub(crate) fn install(place: &Path, prefix: &Path) {
    run::succeed(package(root(), prefix).arg("--built").arg(built(place)));
}

/// The names of defined global symbols, without their version.
fn symbols(library: &Path, words: &[&str]) -> Vec<String> {
    let listing = run::succeed(Command::new("nm").args(["-g", "--defined-only"]).args(words).arg(library));
    let names = listing.lines().filter_map(|line| match line.split_whitespace().collect::<Vec<_>>()[..] {
        [_, kind, name] if kind != "A" => name.split('@').next().map(str::to_owned),
        _ => None,
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// Every file, link and folder below a place, relative to it.
fn tree(place: &Path) -> BTreeSet<String> {
    let listing = run::succeed(Command::new("find").arg(place).args(["-mindepth", "1", "-printf", "%P\\n"]));
    listing.lines().map(str::to_owned).collect()
}

fn version() -> (&'static str, &'static str) {
    let whole = env!("CARGO_PKG_VERSION");
    (whole, whole.rsplit_once('.').unwrap().0)
}

/// Compiles a C source against what is installed below a prefix, by its shared library.
fn compile(source: &Path, prefix: &Path, program: &Path) {
    let mut compile = Command::new("cc");
    compile.args(STRICT).arg("-I").arg(prefix.join("include")).arg(source).arg("-L").arg(prefix.join("lib"));
    run::succeed(compile.arg("-lwmlicense").arg("-o").arg(program));
}

#[test]
fn an_installed_library_is_found_by_pkg_config_and_shows_the_api_only() {
    let place = tempfile::tempdir().unwrap();
    let mut command = package(root(), Path::new("/usr"));
    command.arg("--built").arg(built(place.path())).env("DESTDIR", place.path());
    run::succeed(&mut command);

    let libraries = place.path().join("usr/lib");
    let mut wanted = exported_symbols();
    wanted.sort();
    assert_eq!(symbols(&libraries.join("libwmlicense.so"), &["-D"]), wanted);
    assert_eq!(symbols(&libraries.join("libwmlicense.a"), &[]), wanted);
    assert_eq!(run::output_of(Command::new("nm").arg(libraries.join("libwmlicense.so"))).matches(" T ").count(), 0);

    for (form, words) in [("shared", &[][..]), ("static", &["--static"][..])] {
        let mut ask = Command::new("pkg-config");
        ask.args(words).args(["--cflags", "--libs", "wmlicense"]);
        ask.env("PKG_CONFIG_PATH", libraries.join("pkgconfig")).env("PKG_CONFIG_SYSROOT_DIR", place.path());
        let flags = run::succeed(&mut ask);
        let archive = libraries.join("libwmlicense.a").display().to_string();
        let flags = if form == "static" { flags.replace("-lwmlicense", &archive) } else { flags };
        let program = place.path().join(form);
        let mut compile = Command::new("cc");
        compile.args(STRICT).arg(root().join("examples-c/backup.c")).args(flags.split_whitespace());
        run::succeed(compile.arg("-o").arg(&program));
        let printed = run::fail(Command::new(&program).env("LD_LIBRARY_PATH", &libraries));
        assert!(printed.starts_with("usage: "), "{form}: {printed}");
    }
    let needed = run::succeed(Command::new("readelf").arg("-d").arg(place.path().join("shared")));
    assert!(needed.contains(&format!("[libwmlicense.so.{}]", version().1)), "{needed}");
}

#[test]
fn uninstalling_removes_what_was_installed_and_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    let prefix = place.path().join("ein Präfix");
    let strangers = ["include/other.h", "share/man/man1/other.1", "bin/other"].map(|name| prefix.join(name));
    for stranger in &strangers {
        std::fs::create_dir_all(stranger.parent().unwrap()).unwrap();
        std::fs::write(stranger, "another's").unwrap();
    }
    let before = tree(&prefix);
    install(place.path(), &prefix);
    let installed = tree(&prefix);
    let some = ["share/doc/wmlicense/LICENSE-MIT", "share/doc/wmlicense/LICENSE-APACHE", "share/man/man7/wmlicense.7"];
    let mut wanted = some.map(str::to_owned).to_vec();
    for (folder, below) in [("include", "include"), ("examples-c", "share/doc/wmlicense/examples-c")] {
        let names = std::fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        wanted.extend(names.map(|name| format!("{below}/{}", name.to_str().unwrap())));
    }
    for program in ["wmlicense", "wmlicensed"] {
        wanted.push(format!("bin/{program}"));
        wanted.push(format!("share/man/man1/{program}.1"));
        wanted.push(format!("share/bash-completion/completions/{program}"));
        wanted.push(format!("share/zsh/site-functions/_{program}"));
        wanted.push(format!("share/fish/vendor_completions.d/{program}.fish"));
    }
    let missing: Vec<&String> = wanted.iter().filter(|name| !installed.contains(*name)).collect();
    assert!(missing.is_empty(), "not installed: {missing:?}");

    run::succeed(package(root(), &prefix).arg("--uninstall"));
    assert_eq!(tree(&prefix), before);
    let printed = run::fail(package(root(), &prefix).arg("--uninstall"));
    assert!(printed.contains("is not installed below") && printed.contains("PREFIX"), "{printed}");
}

/// A copy of all that `ci/package.sh` reads, as another version of the project.
fn sources_of(place: &Path, version: &str) -> PathBuf {
    let copy = place.join(format!("sources of {version}"));
    std::fs::create_dir(&copy).unwrap();
    let entries = std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    for path in
        entries.filter(|path| !path.ends_with("target") && !path.ends_with("Cargo.toml") && !path.ends_with("ci"))
    {
        symlink(&path, copy.join(path.file_name().unwrap())).unwrap();
    }
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let line = |version: &str| format!("\n[workspace.package]\nversion = \"{version}\"\n");
    assert!(manifest.contains(&line(env!("CARGO_PKG_VERSION"))));
    std::fs::write(copy.join("Cargo.toml"), manifest.replace(&line(env!("CARGO_PKG_VERSION")), &line(version)))
        .unwrap();
    std::fs::create_dir(copy.join("ci")).unwrap();
    for script in ["package.sh", "link.sh", "man.sh"] {
        std::fs::copy(root().join("ci").join(script), copy.join("ci").join(script)).unwrap();
    }
    copy
}

/// A program that is linked to one version and loads the other one as well.
const BOTH: &str = r#"
#include <dlfcn.h>
#include <stdio.h>
#include <wmlicense.h>
int main(int argc, char **argv) {
  void *other = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  wm_client *client = NULL;
  wm_result (*create)(wm_client **) = NULL;
  size_t (*live)(void) = NULL;
  if (other == NULL) return 3;
  *(void **)&create = dlsym(other, "wm_create_client");
  *(void **)&live = dlsym(other, "wm_live_objects");
  if (create == NULL || live == NULL || create == wm_create_client) return 4;
  if (wm_create_client(&client) != 0 || wm_live_objects() != 1 || live() != 0) return 5;
  wm_client *second = NULL;
  if (create(&second) != 0 || live() != 1 || wm_live_objects() != 1) return 6;
  wm_release(client);
  if (wm_live_objects() != 0 || live() != 1) return 7;
  puts("both");
  return 0;
}
"#;

struct Two {
    place: TempDir,
    prefix: PathBuf,
    built: PathBuf,
}

impl Two {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let (prefix, built) = (place.path().join("prefix"), built(place.path()));
        Self { place, prefix, built }
    }

    fn install(&self, version: &str) -> PathBuf {
        let sources = sources_of(self.place.path(), version);
        run::succeed(package(&sources, &self.prefix).arg("--built").arg(&self.built));
        sources
    }

    fn program(&self, name: &str) -> PathBuf {
        let source = self.place.path().join("both.c");
        std::fs::write(&source, BOTH).unwrap();
        let program = self.place.path().join(name);
        compile(&source, &self.prefix, &program);
        program
    }

    fn run(&self, program: &Path, other: &str) -> Command {
        let libraries = self.prefix.join("lib");
        let mut command = Command::new(program);
        command.arg(libraries.join(other)).env("LD_LIBRARY_PATH", libraries);
        command
    }
}

#[test]
fn two_versions_are_installed_and_used_side_by_side_and_a_patch_takes_the_place_of_its_own() {
    let two = Two::new();
    let first = two.install("7.1.0");
    let old = two.program("old");
    let older = two.install("7.1.1");
    let libraries = two.prefix.join("lib");
    assert_eq!(std::fs::read_link(libraries.join("libwmlicense.so.7")).unwrap(), Path::new("libwmlicense.so.7.1.1"));
    let newer = two.install("8.0.0");
    let new = two.program("new");
    for (program, own, other) in [(&old, "7", "libwmlicense.so.8"), (&new, "8", "libwmlicense.so.7")] {
        let needed = run::succeed(Command::new("readelf").args(["-d", "-V"]).arg(program));
        assert!(needed.contains(&format!("[libwmlicense.so.{own}]")), "{needed}");
        assert!(needed.contains(&format!("WMLICENSE_{own}")), "{needed}");
        assert_eq!(run::succeed(&mut two.run(program, other)), "both\n");
    }
    // What is built is the newest one's; what runs is each one's own.
    run::succeed(package(&newer, &two.prefix).arg("--uninstall"));
    let left = tree(&two.prefix);
    assert!(left.contains("lib/libwmlicense.so.7.1.1") && !left.contains("lib/libwmlicense.so"), "{left:?}");
    std::fs::write(two.prefix.join("other"), "").unwrap();
    assert_eq!(run::ended(&mut two.run(&old, "libwmlicense.so.8")).0, Some(3));
    run::succeed(package(&first, &two.prefix).arg("--uninstall"));
    assert!(libraries.join("libwmlicense.so.7").exists());
    run::succeed(package(&older, &two.prefix).arg("--uninstall"));
    assert_eq!(tree(&two.prefix), BTreeSet::from(["other".to_owned()]));
}
