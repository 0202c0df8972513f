//! What `make install` puts in place: found by pkg-config, with a soname, and nothing visible but the C API.

use std::path::Path;
use std::process::Command;

use wmlicense_testkit::c::compile::{STRICT, exported_symbols};
use wmlicense_testkit::{library_dir, root, run};

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

#[test]
fn an_installed_library_is_found_by_pkg_config_and_shows_the_api_only() {
    let place = tempfile::tempdir().unwrap();
    let install = root().join("ci/package.sh");
    let mut command = Command::new(install);
    command.arg("--built").arg(library_dir()).env("DESTDIR", place.path()).env("PREFIX", "/usr");
    run::succeed(command.env_remove("LIBDIR"));

    let libraries = place.path().join("usr/lib");
    let mut wanted = exported_symbols();
    wanted.sort();
    assert_eq!(symbols(&libraries.join("libwmlicense.so"), &["-D"]), wanted);
    assert_eq!(symbols(&libraries.join("libwmlicense.a"), &[]), wanted);

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
    let version = env!("CARGO_PKG_VERSION").rsplit_once('.').unwrap().0;
    assert!(needed.contains(&format!("[libwmlicense.so.{version}]")), "{needed}");
}
