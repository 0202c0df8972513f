//! The element `wmdecrypt` in an application (`application.c`): contexts, a seek while a license is awaited, and memory under
//! valgrind and AddressSanitizer.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::gstreamer::{build_plugin, set};
use crate::stage::Stage;
use wmlicense_testkit::c::compile::STRICT;
use wmlicense_testkit::packager::{Options, Packaged};
use wmlicense_testkit::{root, run};

/// The frames in each source.
const FRAMES: &str = "75\n";

impl Stage {
    /// Builds the application, and answers it.
    fn application(&self, name: &str, words: &[&str]) -> PathBuf {
        let program = self.path(name);
        let flags = run::succeed(Command::new("pkg-config").args(["--cflags", "--libs", "gstreamer-1.0"]));
        let mut command = Command::new("gcc");
        command.args(STRICT).args(words).arg(root().join("tests/players/application.c")).arg("-o").arg(&program);
        run::succeed(command.args(flags.split_whitespace()));
        program
    }

    /// The application in one of its ways, after these words, with the plugin of this folder.
    fn apply(&self, before: &[&str], program: &Path, plugins: &str, media: &Path, url: &str, way: &str) -> Command {
        let mut command = run::limited(before.iter().copied().chain([program.to_str().unwrap()]));
        command.arg(media).arg(self.path("device")).args([&self.service.authority, url, &self.service.token, way]);
        command.env("GST_REGISTRY", self.path(&format!("{plugins}-registry")));
        command.env("GST_PLUGIN_PATH", self.path(plugins)).env("GST_REGISTRY_FORK", "no");
        for name in ["STORE_PATH", "AUTHORITY", "SERVICE_URL", "ACCOUNT_TOKEN"] {
            command.env_remove(format!("WMLICENSE_{name}"));
        }
        command
    }

    fn packaged(&self) -> Packaged {
        let packaged = self.media.shaka_mp4("plain", Options::plain("cbcs"));
        self.import(&packaged);
        packaged
    }
}

#[test]
fn a_context_configures_the_element() {
    let Some(stage) = set() else { return };
    let (program, packaged) = (stage.application("application", &[]), stage.packaged());
    for way in ["asked", "given"] {
        let url = stage.service.url.as_str();
        let mut command = stage.apply(&[], &program, "plugins", &packaged.video, url, way);
        assert_eq!(run::succeed(&mut command), FRAMES, "{way}");
        std::fs::remove_dir_all(stage.path("device")).unwrap();
    }
}

#[test]
fn a_seek_ends_the_wait_for_a_license() {
    let Some(stage) = set() else { return };
    let (program, packaged) = (stage.application("application", &[]), stage.packaged());
    // A service that never takes the connection from its queue.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let mut command = stage.apply(&[], &program, "plugins", &packaged.video, &url, "flush");
    // The wait ended, and a sample came after it: another wait, or its refusal where the demuxer describes no sample after a
    // seek (GStreamer 1.22).
    let output = command.output().unwrap();
    let (waits, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let is_refused = waits == "1\n" && said.contains("The demuxer does not tell how a sample is encrypted");
    assert!(output.status.success() && waits == "2\n" || is_refused, "{output:?}");
}

#[test]
fn the_element_is_clean_under_valgrind() {
    let Some(stage) = set() else { return };
    if !run::has_tool("valgrind") {
        return;
    }
    let (program, packaged) = (stage.application("application", &[]), stage.packaged());
    let leaks = ["--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite"];
    let known = format!("--suppressions={}", root().join("tests/players/valgrind.supp").display());
    let valgrind = [&["valgrind", "--quiet", "--error-exitcode=9", known.as_str()][..], &leaks].concat();
    let url = stage.service.url.as_str();
    // First alone: then GStreamer has looked at all of its plugins, which are not the matter here.
    for before in [&[][..], &valgrind] {
        let mut command = stage.apply(before, &program, "plugins", &packaged.video, url, "asked");
        assert_eq!(run::succeed(command.env("G_SLICE", "always-malloc")), FRAMES);
        std::fs::remove_dir_all(stage.path("device")).unwrap();
    }
}

#[test]
fn the_element_is_clean_under_address_sanitizer() {
    let Some(stage) = set() else { return };
    // GStreamer's macros read words at any address where the machine can.
    let words = ["-fsanitize=address,undefined", "-fno-sanitize=alignment"];
    build_plugin(&stage.path("sanitized"), &format!("{} -fno-sanitize-recover=all", words.join(" ")));
    let (program, packaged) = (stage.application("sanitized-application", &words), stage.packaged());
    let mut command = stage.apply(&[], &program, "sanitized", &packaged.video, &stage.service.url, "given");
    // Other plugins leak; that this one does not is valgrind's matter.
    assert_eq!(run::succeed(command.env("ASAN_OPTIONS", "detect_leaks=0")), FRAMES);
}

#[test]
fn an_installed_element_is_found() {
    let Some(stage) = set() else { return };
    let (place, folder) = (stage.path("root"), "/usr/lib/gstreamer-1.0");
    let mut make = Command::new("make");
    make.args(["--silent", "-C", "gstreamer", "install"]).current_dir(root());
    make.arg(format!("OUT={}", stage.path("plugins").display())).arg(format!("PLUGINDIR={folder}"));
    run::succeed(make.arg(format!("DESTDIR={}", place.display())));
    let mut inspect = run::limited(["gst-inspect-1.0", "wmdecrypt"]);
    inspect.env("GST_REGISTRY", stage.path("registry"));
    inspect.env("GST_PLUGIN_PATH", place.join(folder.trim_start_matches('/')));
    let printed = run::succeed(&mut inspect);
    for property in ["store-path", "authority", "service-url", "account-token", "silent-acquire", "no-clear-lead"] {
        assert!(printed.contains(&format!("  {property} ")), "{property}: {printed}");
    }
}
