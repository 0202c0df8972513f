//! The library's C face: a small C program over the shared library of this very build, asked for one figure at a time.

use crate::support::World;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The compiled `bench/c/use.c`.
pub(crate) struct Face {
    folder: TempDir,
    authority: String,
}

impl Face {
    pub(crate) fn new(world: &World) -> Self {
        let folder = TempDir::new().unwrap();
        let (root, library) = (root(), library_folder());
        let mut compiler = Command::new("cc");
        compiler.args(["-std=gnu11", "-O2", "-o"]).arg(folder.path().join("use")).arg(root.join("bench/c/use.c"));
        compiler.arg(format!("-I{}", root.join("include").display())).arg(format!("-L{}", library.display()));
        compiler.arg(format!("-Wl,-rpath,{}", library.display())).arg("-lwmlicense");
        assert!(compiler.status().unwrap().success(), "bench/c/use.c does not compile");
        Self { folder, authority: world.pin().to_base64() }
    }

    /// Runs `verb STORE AUTHORITY words…` and answers the number that it prints.
    pub(crate) fn ask(&self, verb: &str, store: &Path, words: &[&str]) -> f64 {
        let mut program = Command::new(self.folder.path().join("use"));
        // Cargo names folders there in which another build of the library may lie.
        program.env_remove("LD_LIBRARY_PATH").arg(verb).arg(store).arg(&self.authority).args(words);
        let output = program.output().unwrap();
        assert!(output.status.success(), "{program:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().parse().unwrap()
    }
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Where this build put the shared library: beside the dependencies of this program.
fn library_folder() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let folder = program.parent().unwrap().join("deps");
    assert!(folder.join("libwmlicense.so").exists(), "no libwmlicense.so in {}", folder.display());
    folder
}
