//! Running programs: what they printed on success, everything about them on failure, an end to those that hang.

use std::path::PathBuf;
use std::process::{Command, Output};

use crate::{library_dir, root, skip};

/// Runs a command and answers its standard output; panics with both outputs when it fails.
pub fn succeed(command: &mut Command) -> String {
    let output = output(command);
    assert!(
        output.status.success(),
        "{command:?}\n{}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// Runs a command that must fail and answers what it printed on both outputs.
pub fn fail(command: &mut Command) -> String {
    let output = output(command);
    let printed = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.code().is_some_and(|code| code != 0), "{command:?} did not fail\n{printed}");
    printed
}

/// The same with what it printed on both outputs.
pub fn output_of(command: &mut Command) -> String {
    let output = output(command);
    let printed = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{}\n{printed}", output.status);
    printed
}

/// Runs a command and answers its exit code with what it printed on both outputs.
pub fn ended(command: &mut Command) -> (Option<i32>, String) {
    let output = output(command);
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Starts `words` with a limit of ten minutes: a hang becomes a failure, not a stuck build.
pub fn limited<'w>(words: impl IntoIterator<Item = &'w str>) -> Command {
    let mut command = Command::new("timeout");
    // Cargo names folders there in which an older build of the library may lie; the program's own search path names the
    // one that belongs to this test.
    command.env_remove("LD_LIBRARY_PATH");
    command.args(["--kill-after=5", "600"]).args(words);
    command
}

/// Whether a tool is there. Where everything was installed (`ci/test.sh`), a missing tool is a failure.
pub fn has_tool(name: &str) -> bool {
    let found = Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        skip(&format!("{name} is missing: run ci/install.sh"));
    }
    found
}

/// The same for a program that cannot name its version.
pub fn has_program(name: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths).any(|folder| folder.join(name).is_file());
    if !found {
        skip(&format!("{name} is missing: run ci/install.sh"));
    }
    found
}

/// Where a server is that `ci/install.sh` only unpacks, below the sources: installing it would start it. One of the system will do.
pub fn unpacked(name: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let tools = root().join(".tools/usr");
    let own = [tools.join("sbin"), tools.join("bin"), "/usr/sbin".into()];
    let found = std::env::split_paths(&paths).chain(own).map(|folder| folder.join(name)).find(|path| path.is_file());
    if found.is_none() {
        skip(&format!("{name} is missing: run ci/install.sh"));
    }
    found
}

/// Whether `pkg-config` knows these libraries; a missing one is a failure as a missing tool is.
pub fn has_packages(names: &[&str]) -> bool {
    let found = Command::new("pkg-config").arg("--exists").args(names).status().is_ok_and(|status| status.success());
    if !found {
        skip(&format!("{names:?} are missing: run ci/install.sh"));
    }
    found
}

/// A program of this build, built now if it is not there yet. A run of the whole workspace (`ci/test.sh`) has built all
/// programs before the first test starts; building them alone would compile half of the dependencies again, because
/// fewer of their features are asked for.
pub fn built(name: &str) -> PathBuf {
    // Cargo tells the tests of a package about its programs, and a program that is no test was built with its neighbours.
    if let Some(program) = std::env::var_os(format!("CARGO_BIN_EXE_{name}")) {
        return program.into();
    }
    let here = library_dir();
    if !here.ends_with("deps") {
        return here.join(name);
    }
    let profile = here.parent().expect("deps is in a profile folder").to_path_buf();
    if std::env::var_os("WM_TEST_PROGRAMS_BUILT").is_some() {
        return profile.join(name);
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--workspace", "--bin", name]).current_dir(root());
    cargo.arg("--target-dir").arg(profile.parent().expect("a profile folder is in the target folder"));
    match profile.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => {}
        Some(name) => {
            cargo.args(["--profile", name]);
        }
    }
    succeed(&mut cargo);
    profile.join(name)
}
