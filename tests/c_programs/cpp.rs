//! The C++ header as applications use it: its tests and examples with two compilers, two standards and sanitizers, against a service.

use std::path::{Path, PathBuf};
use std::process::Command;

use wmlicense_testkit::c::compile::{build_line, command_of};
use wmlicense_testkit::c::service::Service;
use wmlicense_testkit::c::{self, cpp, sources_of, stem};
use wmlicense_testkit::{library_dir, root, run};

/// Compiles the tests with a compiler and a form, and runs each in a folder of its own.
fn tests_pass(compiler: &str, words: &[&str], which: &[&str]) {
    if !run::has_tool(compiler) {
        return;
    }
    let service = Service::start();
    let out = tempfile::tempdir().unwrap();
    let sources = sources_of("tests/cpp", "cpp").into_iter().chain(sources_of("examples-cpp", "cpp"));
    for source in sources.filter(|source| which.contains(&stem(source))) {
        let program = cpp::compile(compiler, words, &source, out.path());
        let printed = if source.starts_with(root().join("tests")) {
            c::harness(&["env", THREADS], &program, &service)
        } else {
            run::succeed(&mut prefetch(&program, &out.path().join("store"), &service))
        };
        assert!(!printed.contains("WARNING: ThreadSanitizer"), "{printed}");
    }
}

fn prefetch(program: &Path, store: &Path, service: &Service) -> Command {
    let mut command = run::limited(["env", THREADS, program.to_str().unwrap()]);
    command.arg(store).args([&service.authority, &service.url, &service.token]);
    command.args((1..=6).map(|number| format!("c0{number:030x}")));
    command
}

#[test]
fn the_tests_of_cpp_pass_with_gcc_and_its_address_sanitizer() {
    tests_pass("g++", &["-std=c++17", SANITIZED, "-fno-sanitize-recover=all"], &["callbacks", "logs", "values"]);
}

#[test]
fn the_tests_of_cpp_pass_with_clang_and_its_address_sanitizer() {
    tests_pass("clang++", &["-std=c++20", SANITIZED, "-fno-sanitize-recover=all"], &["callbacks", "logs", "values"]);
}

/// For ThreadSanitizer: the library itself is not compiled for it, so what it calls says nothing.
const THREADS: &str = "TSAN_OPTIONS=ignore_noninstrumented_modules=1";

/// Where memory is watched, and what has no defined meaning.
const SANITIZED: &str = "-fsanitize=address,undefined";

#[test]
fn callbacks_and_threads_of_cpp_pass_with_thread_sanitizer() {
    tests_pass("clang++", &["-std=c++17", "-fsanitize=thread"], &["callbacks", "logs", "prefetch"]);
}

/// The examples, built by the line in their first comment, and a service.
struct Examples {
    service: Service,
    folder: tempfile::TempDir,
}

impl Examples {
    fn build(compiler: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for source in sources_of("examples-cpp", "cpp") {
            let line = build_line(&source);
            let needs_libav = line.contains("libavformat");
            if needs_libav && !run::has_packages(&["libavformat", "libavcodec", "libavutil"]) {
                continue;
            }
            run::succeed(&mut command_of(&line, compiler, &folder.path().join(stem(&source))));
        }
        std::fs::create_dir(folder.path().join("usb of señor")).unwrap();
        Self { service: Service::start(), folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// An example on the store of this device.
    fn run(&self, name: &str, device: &str) -> Command {
        let mut command = run::limited([self.path(name).to_str().unwrap()]);
        command.arg(self.path(device)).arg(&self.service.authority).current_dir(root());
        command
    }

    /// The same with a service.
    fn online(&self, name: &str, device: &str) -> Command {
        let mut command = self.run(name, device);
        command.args([&self.service.url, &self.service.token]);
        command
    }
}

fn whole_journey(compiler: &str) {
    if !run::has_tool(compiler) {
        return;
    }
    let examples = Examples::build(compiler);
    let usb = examples.path("usb of señor");
    let mut acquire = examples.online("acquire", "device1");
    let printed =
        run::succeed(acquire.args(["tests/data/media/packager-cenc-video.mp4", "c1000000000000000000000000000001"]));
    assert!(printed.starts_with("individualized: device "), "{printed}");
    assert_eq!(printed.matches("license acquired: ").count(), 3, "{printed}");

    if examples.path("play").exists() {
        for (track, packets) in [("cenc-video", 20), ("cenc-audio", 88), ("cbcs-video", 20), ("cbcs-audio", 88)] {
            let mut play = examples.run("play", "device1");
            play.arg(format!("tests/data/media/packager-{track}.mp4")).arg("tests/data/media/src.mp4");
            let printed = run::succeed(&mut play);
            assert!(printed.contains(&format!("equal: {packets} of {packets} packets")), "{track}: {printed}");
        }
    }

    let printed = run::succeed(examples.run("backup", "device1").arg(&usb));
    assert!(printed.starts_with("not in the backup: Not for backup\nbacked up: 2 licenses into "), "{printed}");
    let printed = run::fail(examples.run("backup", "device1").arg(&usb));
    assert!(printed.starts_with("WM_E_BACKUP_EXISTS: "), "{printed}");
    run::succeed(examples.run("backup", "device1").arg(&usb).arg("--overwrite"));

    let printed = run::succeed(examples.run("restore", "device1").arg(&usb));
    assert_eq!(printed, "restored: the store holds 3 licenses\n");
    for device in ["device2", "device3", "device4"] {
        let mut restore = examples.run("restore", device);
        restore.arg(&usb).args([&examples.service.url, &examples.service.token]);
        assert_eq!(run::succeed(&mut restore), "restored: the store holds 2 licenses\n");
    }
    let mut restore = examples.run("restore", "device5");
    let printed = run::fail(restore.arg(&usb).args([&examples.service.url, &examples.service.token]));
    assert!(printed.contains("WM_E_RESTORE_FRAUD") && printed.contains("more about it: http://"), "{printed}");

    let mut events = examples.online("events", "device6");
    let printed = run::succeed(events.args(["c0000000000000000000000000000001", "c0000000000000000000000000000002"]));
    assert!(printed.contains("individualizer: WM_STATUS_INDIVIDUALIZE WM_S_INDIVIDUALIZED\n"), "{printed}");
    assert!(printed.ends_with("request: WM_STATUS_ACQUIRE_LICENSE WM_S_LICENSE_ACQUIRED\n"), "{printed}");
    let mut prefetch = prefetch(&examples.path("prefetch"), &examples.path("device7"), &examples.service);
    let printed = run::succeed(&mut prefetch);
    assert_eq!(printed.matches("license acquired: ").count(), 6, "{printed}");
    assert!(printed.ends_with("decrypted: 4 samples on 4 threads\n"), "{printed}");
    for example in ["acquire", "backup", "restore", "events", "prefetch"] {
        let (code, printed) = run::ended(&mut Command::new(examples.path(example)));
        assert!(code == Some(2) && printed.starts_with("usage: "), "{example}: {printed}");
    }
}

#[test]
fn the_examples_of_cpp_built_by_gcc_make_the_whole_journey() {
    whole_journey("g++");
}

#[test]
fn the_examples_of_cpp_built_by_clang_make_the_whole_journey() {
    whole_journey("clang++");
}

/// The example that looks at outcomes needs no exceptions, nor does the header.
#[test]
fn without_exceptions_outcomes_tell_what_failed() {
    for compiler in ["g++", "clang++"].into_iter().filter(|compiler| run::has_tool(compiler)) {
        let out = tempfile::tempdir().unwrap();
        let words = ["-std=c++17", "-fno-exceptions", "-fno-rtti"];
        let program = cpp::compile(compiler, &words, &root().join("examples-cpp/restore.cpp"), out.path());
        let authority = Service::start().authority;
        let mut command = Command::new(&program);
        command.arg(out.path().join("store")).arg(authority).arg(out.path());
        let printed = run::fail(&mut command);
        assert!(printed.starts_with("restore: WM_E_BACKUP_NOT_FOUND: "), "{printed}");
    }
}

/// What the header promises not to compile does not, and the reason is in the message.
#[test]
fn a_property_that_does_not_fit_does_not_compile() {
    let out = tempfile::tempdir().unwrap();
    for (statement, reason) in [
        ("client.set(wm::prop::device_id, \"x\");", "this property can only be read"),
        ("client.get(wm::prop::account_token);", "this property can only be set"),
        ("client.set(wm::prop::backup_path, \"x\");", "this object has no such property"),
        ("client.set(wm::prop::allow_http, std::string());", "cannot convert"),
        ("wm::client other = client;", "deleted"),
    ] {
        let source = out.path().join("wrong.cpp");
        let text = format!("#include <wmlicense.hpp>\nint main() {{\n  wm::client client;\n  {statement}\n}}\n");
        std::fs::write(&source, text).unwrap();
        let mut command = Command::new("g++");
        command
            .args(["-std=c++17", "-fsyntax-only"])
            .arg(format!("-I{}", root().join("include").display()))
            .arg(&source);
        let printed = run::fail(command.env("LC_ALL", "C"));
        assert!(printed.contains(reason), "{statement}: {printed}");
    }
}

#[test]
fn an_older_standard_is_told_what_is_needed() {
    let include = format!("-I{}", root().join("include").display());
    let mut command = Command::new("g++");
    command.args(["-std=c++14", "-fsyntax-only", &include, "-x", "c++"]).arg(root().join("include/wmlicense.hpp"));
    let printed = run::fail(command.env("LC_ALL", "C"));
    assert!(printed.contains("wmlicense.hpp needs C++17"), "{printed}");
}

/// Whichever unit the linker sees first, what a callback throws comes out where exceptions are compiled in.
#[test]
fn units_with_and_without_exceptions_may_be_one_program() {
    let without = "void keep(const char *folder) {
        wm::client client;
        wm::store_keeper keeper(client, [](const wm::status &) {});
        if (client.try_set(wm::prop::store_path, folder) && client.try_open()) (void)keeper.try_check();
        (void)keeper.try_wait();
    }";
    let with = r#"void keep(const char *folder);
    int main(int, char **words) {
        keep(words[1]);
        wm::client client;
        client.set(wm::prop::store_path, words[1]);
        client.set(wm::prop::authority, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        client.open();
        wm::store_keeper keeper(client, [](const wm::status &) { throw std::out_of_range("of the application"); });
        keeper.check();
        try {
            keeper.wait();
        } catch (const std::out_of_range &) {
            return 0;
        }
        return 1;
    }"#;
    for compiler in ["g++", "clang++"].into_iter().filter(|compiler| run::has_tool(compiler)) {
        let out = tempfile::tempdir().unwrap();
        let object = |name: &str, text: &str, words: &[&str]| {
            let (source, made) = (out.path().join(format!("{name}.cpp")), out.path().join(format!("{name}.o")));
            std::fs::write(&source, format!("#include <wmlicense.hpp>\n{text}\n")).unwrap();
            let mut command = Command::new(compiler);
            command.args(["-std=c++17", "-c"]).args(words).arg(format!("-I{}", root().join("include").display()));
            run::succeed(command.arg(source).arg("-o").arg(&made));
            made
        };
        let with = object("with", with, &[]);
        let without = object("without", without, &["-fno-exceptions", "-fno-rtti"]);
        for (name, objects) in [("first", [&with, &without]), ("last", [&without, &with])] {
            let (program, folder) = (out.path().join(name), library_dir().display().to_string());
            let mut command = Command::new(compiler);
            command.args(objects).args([format!("-L{folder}"), format!("-Wl,-rpath,{folder}")]).arg("-lwmlicense");
            run::succeed(command.arg("-o").arg(&program));
            run::succeed(Command::new(&program).arg(out.path().join(format!("store {name}"))));
        }
    }
}

/// Two units of a program, one of them a shared object, may include the header: callbacks of both arrive.
#[test]
fn two_units_of_a_program_may_include_the_header() {
    let out = tempfile::tempdir().unwrap();
    let unit = |name: &str, text: &str| {
        let path = out.path().join(name);
        std::fs::write(&path, format!("#include <wmlicense.hpp>\n{text}\n")).unwrap();
        path
    };
    let body = r#"{
        wm::client client;
        std::atomic<int> records{0};
        client.set_log_callback([&](std::uint32_t, const char *, const char *) { records++; }, WM_LOG_DEBUG);
        client.set(wm::prop::store_path, folder);
        client.set(wm::prop::authority, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        client.open();
        int statuses = 0;
        wm::store_keeper keeper(client, [&](const wm::status &) { statuses++; });
        keeper.check();
        keeper.wait();
        return records > 0 && statuses > 0;
    }"#;
    let exported = "__attribute__((visibility(\"default\"))) bool other(const char *folder)";
    let other = unit("other.cpp", &format!("#include <atomic>\n{exported};\n{exported} {body}"));
    let both = "int main(int, char **words) { return own(words[1]) && other(words[2]) ? 0 : 1; }";
    let main = unit(
        "main.cpp",
        &format!(
            "#include <atomic>\nbool other(const char *folder);\nstatic bool own(const char *folder) {body}\n{both}"
        ),
    );
    let (library, include) = (library_dir(), format!("-I{}", root().join("include").display()));
    let link =
        [format!("-L{}", library.display()), format!("-Wl,-rpath,{}:{}", library.display(), out.path().display())];
    let mut command = Command::new("g++");
    command.args(["-std=c++17", "-shared", "-fPIC", "-fvisibility=hidden"]);
    run::succeed(
        command.arg(&include).arg(other).args(&link).arg("-lwmlicense").arg("-o").arg(out.path().join("libother.so")),
    );
    let mut command = Command::new("g++");
    command.args(["-std=c++17", &include]).arg(main).arg(format!("-L{}", out.path().display())).args(&link);
    let program = out.path().join("program");
    run::succeed(command.args(["-lother", "-lwmlicense", "-o"]).arg(&program));
    run::succeed(Command::new(&program).arg(out.path().join("one")).arg(out.path().join("two")));
}
