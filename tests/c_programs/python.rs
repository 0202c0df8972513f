//! The package for Python: its wheel is built and installed into a fresh environment, its own tests (`python/tests/`) run there
//! against a live service, and a type checker reads all of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use wmlicense_testkit::c::service::Service;
use wmlicense_testkit::c::with_service;
use wmlicense_testkit::{library_dir, root, run, skip};

/// What a wheel is made of.
const SOURCES: [&str; 4] = ["pyproject.toml", "setup.py", "README.md", "wmlicense"];

/// The project's own Python with what builds wheels and checks types.
fn tools() -> Option<PathBuf> {
    let python = root().join(".venv/bin/python");
    let has_all = |python: &Path| {
        let import = "import mypy, setuptools.command.bdist_wheel";
        Command::new(python).args(["-c", import]).output().is_ok_and(|output| output.status.success())
    };
    if !has_all(&python) {
        skip(".venv lacks mypy or setuptools: run ci/install.sh");
        return None;
    }
    Some(python)
}

/// A fresh environment in which nothing is but the package, installed from its wheel.
struct Installed {
    tools: PathBuf,
    folder: TempDir,
}

impl Installed {
    fn new() -> Option<Self> {
        let installed = Self { tools: tools()?, folder: tempfile::tempdir().unwrap() };
        let wheel = installed.wheel("libwmlicense.so");
        let name = wheel.file_name().unwrap().to_str().unwrap();
        assert!(name.contains("-py3-none-linux_"), "{name} is not for every Python on this kind of machine");
        run::succeed(Command::new(&installed.tools).args(["-m", "venv", "--without-pip"]).arg(installed.environment()));
        let mut install = installed.pip();
        install
            .arg("--python")
            .arg(installed.python())
            .args(["install", "--quiet", "--no-index", "--no-deps"])
            .arg(wheel);
        run::succeed(&mut install);
        Some(installed)
    }

    fn environment(&self) -> PathBuf {
        self.folder.path().join("environment")
    }

    fn python(&self) -> PathBuf {
        self.environment().join("bin/python")
    }

    fn pip(&self) -> Command {
        let mut pip = Command::new(&self.tools);
        pip.args(["-m", "pip", "--disable-pip-version-check"]);
        pip
    }

    /// Builds the wheel without the internet, from a copy, because building leaves files beside the sources.
    fn wheel(&self, library: &str) -> PathBuf {
        let (sources, wheels) = (self.folder.path().join(library).join("python"), self.folder.path().join("wheels"));
        std::fs::create_dir_all(&sources).unwrap();
        let copied = SOURCES.map(|name| root().join("python").join(name));
        run::succeed(Command::new("cp").arg("-R").args(copied).arg(&sources));
        for license in ["LICENSE-MIT", "LICENSE-APACHE"] {
            std::fs::copy(root().join(license), sources.join("..").join(license)).unwrap();
        }
        let mut build = self.pip();
        build.args(["wheel", "--quiet", "--no-build-isolation", "--no-index", "--no-deps", "--wheel-dir"]);
        build.arg(&wheels).arg(&sources);
        let named = if library == "none" { PathBuf::from(library) } else { library_dir().join(library) };
        run::succeed(build.env("WMLICENSE_BUILD_LIBRARY", named));
        let wheel = std::fs::read_dir(&wheels).unwrap().next().expect("a wheel").unwrap().path();
        let kept = self.folder.path().join(wheel.file_name().unwrap());
        std::fs::rename(wheel, &kept).unwrap();
        kept
    }

    /// Everything is typed, strictly, and applications see the types.
    fn check_types(&self, files: &[PathBuf]) {
        let mut mypy = Command::new(&self.tools);
        mypy.args(["-m", "mypy", "--strict", "--no-error-summary", "--cache-dir"]);
        mypy.arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("mypy")).arg("--python-executable").arg(self.python());
        run::succeed(mypy.args(files).current_dir(self.folder.path()));
    }
}

fn tests() -> Vec<PathBuf> {
    let listing = std::fs::read_dir(root().join("python/tests")).unwrap();
    let paths = listing.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "py")).collect()
}

#[test]
fn the_python_package_passes_its_tests_in_a_fresh_environment() {
    let Some(installed) = Installed::new() else { return };
    let service = Service::start();
    let python = installed.python();
    let mut command =
        run::limited([python.to_str().unwrap(), "-X", "dev", "-m", "unittest", "discover", "--start-directory"]);
    command.arg(root().join("python/tests")).env("WM_TEST_ROOT", root()).env("PYTHONDONTWRITEBYTECODE", "1");
    with_service(&mut command, &service);
    let printed = run::output_of(command.current_dir(installed.folder.path()));
    let ran = printed.lines().find_map(|line| line.strip_prefix("Ran ")?.split(' ').next()?.parse().ok());
    assert!(ran > Some(100) && printed.ends_with("OK\n"), "{printed}");
}

#[test]
fn the_python_package_is_typed_throughout() {
    let Some(installed) = Installed::new() else { return };
    let package = root().join("python/wmlicense");
    installed.check_types(&[package, root().join("python/generate.py")]);
    installed.check_types(&tests());
    installed.check_types(&[root().join("examples-python/restore.py")]);
    // A mistake of an application is seen.
    let wrong = installed.folder.path().join("wrong.py");
    std::fs::write(&wrong, "import wmlicense\nwmlicense.kid_to_text(7)\n").unwrap();
    let mut mypy = Command::new(&installed.tools);
    mypy.args(["-m", "mypy", "--strict", "--python-executable"]).arg(installed.python()).arg(wrong);
    assert!(run::fail(mypy.current_dir(installed.folder.path())).contains("[arg-type]"));
}

#[test]
fn a_wheel_without_the_library_is_for_every_machine() {
    let Some(tools) = tools() else { return };
    let bare = Installed { tools, folder: tempfile::tempdir().unwrap() };
    let wheel = bare.wheel("none");
    assert!(wheel.ends_with("wmlicense-0.1.0-py3-none-any.whl"), "{}", wheel.display());
    let listed = run::succeed(Command::new(&bare.tools).args(["-m", "zipfile", "--list"]).arg(&wheel));
    assert!(listed.contains("wmlicense/py.typed") && !listed.contains("libwmlicense"), "{listed}");
}
