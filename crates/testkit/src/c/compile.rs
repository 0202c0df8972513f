//! Compiling C programs against the library: two compilers, three forms of linking, sanitizers.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{stem, warnings};
use crate::{library_dir, root, run};

/// How every C source of this project must compile.
pub const STRICT: &[&str] = &["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g"];

/// What a program links beside the static archive; README prints the same words.
pub const STATIC_LIBRARIES: &[&str] = &["-lpthread", "-ldl", "-lm"];

/// How a program gets at the library.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Linked to the shared library.
    Shared,
    /// The archive becomes part of the program.
    Static,
    /// Nothing is linked: every function is looked up in the library that `dlopen` loaded.
    Dlopen,
    /// As `Static`, with the program's own code under AddressSanitizer and UndefinedBehaviorSanitizer.
    Sanitized,
}

/// Compiles one source into `out` and answers the program's path; a warning is a failure.
pub fn compile(compiler: &str, form: Form, source: &Path, out: &Path) -> PathBuf {
    let program = out.join(stem(source));
    let mut command = Command::new(compiler);
    command.args(STRICT).arg(format!("-I{}", root().join("include").display())).arg(source).arg("-o").arg(&program);
    let libraries = library_dir();
    match form {
        Form::Shared => {
            let folder = libraries.display();
            command.args([format!("-L{folder}"), format!("-Wl,-rpath,{folder}"), "-lwmlicense".to_owned()]);
            command.arg("-lpthread");
        }
        Form::Static => {
            command.arg(libraries.join("libwmlicense.a")).args(STATIC_LIBRARIES);
        }
        Form::Dlopen => {
            command.arg(trampolines(out)).args(["-lpthread", "-ldl"]);
        }
        Form::Sanitized => {
            command.args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]);
            command.arg(libraries.join("libwmlicense.a")).args(STATIC_LIBRARIES);
        }
    }
    run::succeed(&mut command);
    program
}

/// Name of the folder that stands for a reader's clone. It holds blanks, as readers' folders do.
const CLONE: &str = "a clone with blanks";

/// The command of a `cc …` or `c++ …` line that a reader is told to type, with this build's library and another name for the program.
/// The shell runs it as it stands in a folder that looks like a clone, beside the program.
pub fn command_of(line: &str, compiler: &str, program: &Path) -> Command {
    let clone = program.with_file_name(CLONE);
    if !clone.exists() {
        std::fs::create_dir_all(clone.join("target")).expect("the output folder is writable");
        let links = ["include", "examples-c", "examples-cpp", "ffmpeg"].map(|name| (name, root().join(name)));
        for (name, place) in links.into_iter().chain([("target/release", library_dir())]) {
            std::os::unix::fs::symlink(place, clone.join(name)).expect("the output folder is writable");
        }
    }
    if line.contains(" -lwmlicense-av ") {
        build_av(&library_dir(), "");
    }
    let (words, _) = line.rsplit_once(" -o ").expect("the line names its program");
    let (begin, words) = words.split_once(' ').expect("the line begins with the compiler");
    let strict = match begin {
        "cc" => STRICT.to_vec(),
        "c++" => warnings::of_cpp(compiler),
        other => panic!("{other} is no compiler of this project"),
    };
    let typed = format!("{compiler} {} {words} -o \"$1\"", strict.join(" "));
    let mut command = Command::new("sh");
    command.args(["-ec", &typed, "sh"]).arg(program).current_dir(clone);
    command
}

/// Builds `libwmlicense-av` into `out`, with these compiler flags and every warning an error. What is current is not built again.
pub fn build_av(out: &Path, flags: &str) {
    let mut make = Command::new("make");
    make.args(["--silent", "-C", "ffmpeg"]).arg(format!("BUILT={}", library_dir().display())).current_dir(root());
    make.arg(format!("OUT={}", out.display())).arg(format!("CFLAGS=-g -O1 -Werror {flags}"));
    run::succeed(&mut make);
}

/// The line in the first comment of an example that tells how to build it.
pub fn build_line(source: &Path) -> String {
    let text = std::fs::read_to_string(source).expect("a readable source");
    let line = text.lines().find_map(|line| line.strip_prefix(" * Build:  ")).expect("an example says how to build it");
    let name = stem(source);
    let begins = line.starts_with("cc -std=c11 ") || line.starts_with("c++ -std=c++17 ");
    assert!(begins && line.ends_with(&format!(" -o {name}")), "{name}: {line}");
    line.to_owned()
}

/// A C file that defines every exported function as a jump to the address `dlsym` found in `WM_TEST_LIBRARY`, so that
/// the same harness programs run against a library that was loaded, not linked.
fn trampolines(out: &Path) -> PathBuf {
    let symbols = exported_symbols();
    let mut text = String::from(
        "#include <dlfcn.h>\n#include <stdio.h>\n#include <stdlib.h>\n\
         void *wm_test_slots[];\nstatic const char *const names[] = {\n",
    );
    for symbol in &symbols {
        let _ = writeln!(text, "  \"{symbol}\",");
    }
    let _ = writeln!(text, "}};\nvoid *wm_test_slots[{}];", symbols.len());
    for (index, symbol) in symbols.iter().enumerate() {
        let offset = index * 8;
        let jump = if cfg!(target_arch = "aarch64") {
            format!("adrp x16, wm_test_slots+{offset}\\n  ldr x16, [x16, :lo12:wm_test_slots+{offset}]\\n  br x16\\n")
        } else {
            format!("jmp *wm_test_slots+{offset}(%rip)\\n")
        };
        let _ =
            writeln!(text, "__asm__(\".text\\n.globl {symbol}\\n.type {symbol}, %function\\n{symbol}:\\n  {jump}\");");
    }
    text.push_str(
        "__attribute__((constructor)) static void load(void) {\n\
         \x20 void *library = dlopen(getenv(\"WM_TEST_LIBRARY\"), RTLD_NOW | RTLD_LOCAL);\n\
         \x20 for (size_t i = 0; library != NULL && i < sizeof names / sizeof *names; i++)\n\
         \x20   if ((wm_test_slots[i] = dlsym(library, names[i])) == NULL) library = NULL;\n\
         \x20 if (library == NULL) { fprintf(stderr, \"%s\\n\", dlerror()); _Exit(3); }\n\
         }\n",
    );
    let path = out.join("trampolines.c");
    std::fs::write(&path, text).expect("the output folder is writable");
    path
}

/// The functions that the shared library exports.
pub fn exported_symbols() -> Vec<String> {
    let library = library_dir().join("libwmlicense.so");
    let listing = run::succeed(Command::new("nm").args(["-D", "--defined-only"]).arg(library));
    let symbols: Vec<String> = listing
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2))
        .filter(|symbol| symbol.starts_with("wm_"))
        .map(str::to_owned)
        .collect();
    assert!(!symbols.is_empty(), "the shared library exports nothing");
    symbols
}
