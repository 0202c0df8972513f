//! What compilers of C++ are asked to complain about.

/// What every C++ source of this project compiles with.
const STRICT: &[&str] = &[
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Werror",
    "-Wold-style-cast",
    "-Wzero-as-null-pointer-constant",
    "-Wconversion",
    "-Wsign-conversion",
    "-Wshadow",
    "-g",
];

/// All that clang knows, but for what no source can help: it may not be C++98, and structs of the binary interface lie as they lie.
const EVERYTHING: &[&str] = &["-Weverything", "-Wno-c++98-compat", "-Wno-c++98-compat-pedantic", "-Wno-padded"];

/// The warnings of one compiler, every one an error.
pub fn of_cpp(compiler: &str) -> Vec<&'static str> {
    let own = if compiler.starts_with("clang") { EVERYTHING } else { &["-Wuseless-cast"] };
    [STRICT, own].concat()
}
