//! The library's C face: small C programs over the shared library of this very build.

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use wmlicense_testkit::World;

const PROGRAM: &str = "program";

/// A compiled program of `bench/c`.
pub(crate) struct Face {
    folder: TempDir,
    authority: String,
}

impl Face {
    /// `use.c`, which is asked for one figure at a time.
    pub(crate) fn new(world: &World) -> Self {
        Self::of(world, "use.c")
    }

    pub(crate) fn of(world: &World, source: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let library = library();
        let library = library.parent().unwrap().display();
        let words = [format!("-L{library}"), format!("-Wl,-rpath,{library}"), "-lwmlicense".to_owned()];
        compile(source, &folder.path().join(PROGRAM), &words.each_ref().map(String::as_str));
        Self { folder, authority: world.pin().to_base64() }
    }

    pub(crate) fn program(&self) -> PathBuf {
        self.folder.path().join(PROGRAM)
    }

    /// Runs `verb STORE AUTHORITY words…` and answers the number that it prints.
    pub(crate) fn ask(&self, verb: &str, store: &Path, words: &[&str]) -> f64 {
        let mut program = Command::new(self.program());
        // Cargo names folders there in which another build of the library may lie.
        program.env_remove("LD_LIBRARY_PATH").arg(verb).arg(store).arg(&self.authority).args(words);
        let output = program.output().unwrap();
        assert!(output.status.success(), "{program:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().parse().unwrap()
    }
}

/// Compiles a program of `bench/c`.
pub(crate) fn compile(source: &str, program: &Path, words: &[&str]) {
    let root = root();
    let mut compiler = Command::new("cc");
    compiler.args(["-std=gnu11", "-O2", "-o"]).arg(program).arg(root.join("bench/c").join(source));
    compiler.arg(format!("-I{}", root.join("include").display())).args(words);
    assert!(compiler.status().unwrap().success(), "bench/c/{source} does not compile");
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Where this build put the shared library: beside the dependencies of this program.
pub(crate) fn library() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let file = program.parent().unwrap().join("deps/libwmlicense.so");
    assert!(file.exists(), "no {}", file.display());
    file
}
