//! Whoever builds against an installed library that was moved: C and C++ by pkg-config, projects of CMake and Meson, a program beside
//! another Rust archive. The prefix has blanks and letters beyond ASCII, before and after.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use wmlicense_testkit::run;

use crate::install::install;

/// A user in C and in C++: an object is made and goes again.
const USER: &str = r#"
#include <stdio.h>
#include <wmlicense.h>
int main(void) {
  wm_client *client = NULL;
  if (wm_create_client(&client) != 0 || wm_release(client) != 0 || wm_live_objects() != 0) return 1;
  puts(wm_version_string());
  return 0;
}
"#;

const CMAKE: &str = r#"
cmake_minimum_required(VERSION 3.16)
project(user LANGUAGES C CXX)
set(CMAKE_CXX_STANDARD 17)
find_package(wmlicense @VERSION@ REQUIRED CONFIG)
foreach(form wmlicense static)
  add_executable(c_${form} user.c)
  target_link_libraries(c_${form} PRIVATE wmlicense::${form})
  add_executable(cpp_${form} user.cpp)
  target_link_libraries(cpp_${form} PRIVATE wmlicense::${form})
endforeach()
"#;

/// By pkg-config, and by the files of CMake.
const MESON: &str = r#"
project('user', 'c', 'cpp', default_options : ['c_std=c11', 'cpp_std=c++17', 'werror=true', 'warning_level=2'])
if get_option('method') == 'cmake'
  shared = dependency('wmlicense', version : '>= @VERSION@', method : 'cmake', modules : 'wmlicense::wmlicense')
  fixed = dependency('wmlicense', method : 'cmake', modules : 'wmlicense::static')
else
  shared = dependency('wmlicense', version : '>= @VERSION@')
  fixed = dependency('wmlicense', static : true)
endif
executable('c_wmlicense', 'user.c', dependencies : shared)
executable('cpp_wmlicense', 'user.cpp', dependencies : shared)
executable('c_static', 'user.c', dependencies : fixed)
executable('cpp_static', 'user.cpp', dependencies : fixed)
"#;

/// An archive of Rust that has a panic of its own to catch, as any other library in Rust may.
const OTHER: &str = r#"
#[unsafe(no_mangle)]
pub extern "C" fn other_caught(number: u32) -> u32 {
    std::panic::set_hook(Box::new(|_| {}));
    let caught = std::panic::catch_unwind(|| if number > 3 { panic!("too large") } else { number });
    std::thread::spawn(move || caught.unwrap_or(99)).join().unwrap_or(0)
}
"#;

/// Both archives have work to do; the library writes and reads a database, so that its SQLite is there too.
const BESIDE: &str = r#"
#include <stdio.h>
#include <wmlicense.h>
unsigned other_caught(unsigned number);
int main(int argc, char **argv) {
  wm_client *client = NULL;
  if (argc != 2 || other_caught(2) != 2 || other_caught(7) != 99) return 1;
  if (wm_create_client(&client) != 0) return 2;
  if (wm_set_string_prop(client, WM_PROP_STORE_PATH, argv[1]) != 0) return 3;
  if (wm_set_string_prop(client, WM_PROP_AUTHORITY, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=") != 0) return 4;
  if (wm_open_client(client) != 0) return 5;
  wm_release(client);
  if (wm_live_objects() != 0) return 6;
  puts("beside");
  return 0;
}
"#;

/// A library that was installed in one folder and moved to another one.
struct Moved {
    place: TempDir,
    prefix: PathBuf,
}

impl Moved {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let first = place.path().join("ein Präfix");
        install(place.path(), &first);
        let prefix = place.path().join("an einem anderen Ort ☂");
        std::fs::rename(first, &prefix).unwrap();
        Self { place, prefix }
    }

    /// A new folder with these files and the user's sources.
    fn project(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let folder = self.place.path().join(format!("ein Projekt mit {name}"));
        std::fs::create_dir(&folder).unwrap();
        for (file, text) in [("user.c", USER), ("user.cpp", USER)].iter().chain(files) {
            std::fs::write(folder.join(file), text.replace("@VERSION@", env!("CARGO_PKG_VERSION"))).unwrap();
        }
        folder
    }

    /// A command that knows where the library is, and nothing else.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("PKG_CONFIG_PATH", self.prefix.join("lib/pkgconfig")).env("CMAKE_PREFIX_PATH", &self.prefix);
        command.env("LD_LIBRARY_PATH", self.prefix.join("lib"));
        command
    }

    /// Runs these programs of a folder: those that are linked to the archive need no library.
    fn run_all(&self, folder: &Path) {
        for name in ["c_wmlicense", "cpp_wmlicense", "c_static", "cpp_static"] {
            let mut command = self.command(folder.join(name).to_str().unwrap());
            if name.ends_with("static") {
                command.env_remove("LD_LIBRARY_PATH");
                let needed = run::succeed(Command::new("readelf").arg("-d").arg(folder.join(name)));
                assert!(!needed.contains("libwmlicense"), "{name}: {needed}");
            }
            assert_eq!(run::succeed(&mut command), format!("{}\n", env!("CARGO_PKG_VERSION")), "{name}");
        }
    }

    /// By pkg-config, as one types it in a shell.
    fn by_pkg_config(&self) {
        let folder = self.project("pkg-config", &[]);
        for (compiler, source) in [("cc -std=c11", "user.c"), ("c++ -std=c++17", "user.cpp")] {
            let name = source.strip_prefix("user.").unwrap();
            let line = format!(
                "eval \"{compiler} -Wall -Wextra -Werror {source} $(pkg-config --cflags --libs wmlicense) -o {name}_wmlicense\"
                 eval \"{compiler} {source} $(pkg-config --cflags wmlicense) \
                 $(pkg-config --variable=libdir wmlicense)/libwmlicense.a -lpthread -ldl -lm -o {name}_static\""
            );
            run::succeed(self.command("sh").args(["-ec", &line]).current_dir(&folder));
        }
        self.run_all(&folder);
    }

    fn by_cmake(&self) {
        if !run::has_tool("cmake") {
            return;
        }
        let folder = self.project("CMake", &[("CMakeLists.txt", CMAKE)]);
        run::succeed(self.command("cmake").args(["-S", ".", "-B", "out"]).current_dir(&folder));
        run::succeed(self.command("cmake").args(["--build", "out"]).current_dir(&folder));
        self.run_all(&folder.join("out"));
        // Another soname is another library.
        let wanted = CMAKE.replace("@VERSION@", "99.0");
        let folder = self.project("einer anderen Fassung", &[("CMakeLists.txt", &wanted)]);
        let printed = run::fail(self.command("cmake").args(["-S", ".", "-B", "out"]).current_dir(&folder));
        assert!(printed.contains("compatible with requested") && printed.contains("99.0"), "{printed}");
    }

    fn by_meson(&self) {
        if !run::has_tool("meson") || !run::has_tool("ninja") {
            return;
        }
        let options = "option('method', type : 'string')\n";
        let folder = self.project("Meson", &[("meson.build", MESON), ("meson_options.txt", options)]);
        // pkgconf 1.8 puts a backslash before each byte beyond ASCII, which Meson 1.0 does not read: it goes by a link with blanks.
        let plain = self.place.path().join("a plain name");
        symlink(&self.prefix, &plain).unwrap();
        for method in ["pkg-config", "cmake"] {
            let mut setup = self.command("meson");
            setup.args(["setup", method, &format!("-Dmethod={method}")]).current_dir(&folder);
            run::succeed(setup.env("PKG_CONFIG_PATH", plain.join("lib/pkgconfig")));
            run::succeed(self.command("ninja").args(["-C", method]).current_dir(&folder));
            self.run_all(&folder.join(method));
        }
    }

    /// The archive of the library before another one of Rust, and after it.
    fn beside_another_archive(&self) {
        let folder = self.project("zwei Archiven", &[("other.rs", OTHER), ("beside.c", BESIDE)]);
        let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc.args(["--edition=2024", "--crate-type=staticlib", "-O", "other.rs"]).current_dir(&folder);
        run::succeed(&mut rustc);
        let (ours, other) = (self.prefix.join("lib/libwmlicense.a"), folder.join("libother.a"));
        for (name, archives) in [("first", [&ours, &other]), ("second", [&other, &ours])] {
            let mut link = Command::new("cc");
            link.args(["-std=c11", "-I"]).arg(self.prefix.join("include")).arg(folder.join("beside.c")).args(archives);
            run::succeed(link.args(["-lpthread", "-ldl", "-lm", "-o"]).arg(folder.join(name)));
            let store = folder.join(format!("store {name}"));
            assert_eq!(run::succeed(Command::new(folder.join(name)).arg(store)), "beside\n", "{name}");
        }
    }
}

/// One installation for all of them: making the libraries takes longest.
#[test]
fn a_library_that_was_moved_is_found_by_every_build_system_and_links_beside_another_archive_of_rust() {
    let moved = Moved::new();
    moved.by_pkg_config();
    moved.by_cmake();
    moved.by_meson();
    moved.beside_another_archive();
}
