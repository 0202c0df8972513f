//! Linker flags of the shared library, nothing else.

fn main() {
    // A host that unloads a Rust library while a thread that used it lives on crashes when that thread ends: the
    // library's thread-local destructors would be gone.
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
