//! The examples: each builds by the line in its first comment, and together they make the whole journey.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use wmlicense_testkit::c::compile::{build_line, command_of};
use wmlicense_testkit::c::service::Service;
use wmlicense_testkit::c::{sources, stem};
use wmlicense_testkit::daemon::program;
use wmlicense_testkit::{library_dir, root, run};

/// Builds every example by the line its reader is told, with one compiler or the other and every warning an error.
fn build(compiler: &str, out: &Path) {
    for source in sources("examples-c") {
        let line = build_line(&source);
        // Some need more than the library; without them the journey goes on.
        let packages = packages_of(&line);
        if !packages.is_empty() && !run::has_packages(&packages) {
            continue;
        }
        run::succeed(&mut command_of(&line, compiler, &out.join(stem(&source))));
    }
}

/// What a line asks pkg-config for.
fn packages_of(line: &str) -> Vec<&str> {
    let asked = line.split_once("$(pkg-config ").and_then(|(_, rest)| rest.split_once(')'));
    let words = asked.map_or("", |(words, _)| words).split_whitespace();
    words.filter(|word| !word.starts_with('-')).collect()
}

/// A service, the built examples and the stores of some devices.
struct Journey {
    service: Service,
    folder: TempDir,
}

impl Journey {
    fn begin(compiler: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        build(compiler, folder.path());
        std::fs::create_dir(folder.path().join("usb")).unwrap();
        Self { service: Service::start(), folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// An example on the store of this device.
    fn example(&self, name: &str, device: &str) -> Command {
        let mut command = run::limited([self.path(name).to_str().unwrap()]);
        command.arg(self.path(device)).arg(&self.service.authority).current_dir(root());
        command
    }

    fn acquire(&self, device: &str, contents: &[&str]) -> String {
        let mut command = self.example("acquire", device);
        run::succeed(command.args([&self.service.url, &self.service.token]).args(contents))
    }

    /// Decrypts all four tracks and compares each sample with its clear one.
    fn play(&self, device: &str) {
        for (track, samples) in [("cenc-video", 20), ("cenc-audio", 88), ("cbcs-video", 20), ("cbcs-audio", 88)] {
            let mut command = self.example("play", device);
            command.arg(format!("tests/data/media/packager-{track}.mp4")).arg("tests/data/media/src.mp4");
            let printed = run::succeed(&mut command);
            assert!(printed.contains(&format!("equal: {samples} of {samples} samples")), "{track}: {printed}");
        }
    }

    fn restore_online(&self, device: &str) -> Command {
        let mut command = self.example("restore", device);
        command.arg(self.path("usb")).args([&self.service.url, &self.service.token]);
        command
    }

    /// Gives a command of the service's owner.
    fn owner(&self, words: &[&str]) {
        run::succeed(Command::new(program()).args(words).arg("--data").arg(self.service.data()));
    }

    fn copy(&self, from: &str, to: &str) {
        run::succeed(Command::new("cp").arg("-a").arg(self.path(from)).arg(self.path(to)));
    }
}

fn whole_journey(compiler: &str) {
    if !run::has_tool(compiler) {
        return;
    }
    let journey = Journey::begin(compiler);
    let ensure = || {
        let mut command = journey.example("ensure", "device8");
        command.args([&journey.service.url, &journey.service.token]).arg("tests/data/media/packager-cenc-video.mp4");
        run::succeed(&mut command)
    };
    assert_eq!([ensure(), ensure()], ["license acquired\n", "may be played\n"]);
    let printed = journey.acquire("device1", &["tests/data/media/packager-cenc-video.mp4"]);
    assert!(printed.starts_with("individualized: device "), "{printed}");
    // The header of the picture names the key of the tone as well.
    for key_id in ["oaKjpLGywcLR0tPU1dbX2A==", "Dw4NDAsKCQgHBgUEAwIBAA=="] {
        assert!(printed.contains(&format!("\nlicense acquired: {key_id}\n")), "{printed}");
    }
    journey.copy("device1", "device1.before");
    let titles: Vec<String> = (1..=10).map(|number| format!("c0{number:030x}")).collect();
    let mut contents: Vec<&str> = titles.iter().map(String::as_str).collect();
    contents.push("c1000000000000000000000000000001");
    let printed = journey.acquire("device1", &contents);
    assert_eq!(printed.matches("license acquired: ").count(), 11, "{printed}");
    journey.play("device1");

    let usb = journey.path("usb");
    let printed = run::succeed(journey.example("backup", "device1").arg(&usb));
    assert!(printed.contains("not in the backup: Not for backup\n"), "{printed}");
    assert!(printed.contains("backed up: 12 licenses into "), "{printed}");
    let printed = run::fail(journey.example("backup", "device1").arg(&usb));
    assert!(printed.contains("WM_E_BACKUP_EXISTS"), "{printed}");
    run::succeed(journey.example("backup", "device1").arg(&usb).arg("--overwrite"));

    // The same device with its store as it was before most licenses came: nothing is sent.
    std::fs::remove_dir_all(journey.path("device1")).unwrap();
    std::fs::rename(journey.path("device1.before"), journey.path("device1")).unwrap();
    let printed = run::succeed(journey.example("restore", "device1").arg(&usb));
    assert!(printed.contains("restored offline: the store holds 12 licenses\n"), "{printed}");
    journey.play("device1");

    for device in ["device2", "device3", "device4"] {
        let printed = run::succeed(&mut journey.restore_online(device));
        assert!(printed.contains("restored through the service: the store holds 12 licenses\n"), "{device}: {printed}");
    }
    journey.play("device2");
    let printed = run::fail(&mut journey.restore_online("device5"));
    assert!(printed.contains("WM_E_RESTORE_FRAUD"), "{printed}");
    assert!(printed.contains(&format!("more about it: {}", journey.service.url)), "{printed}");

    // One title is taken back: a device that has its seats gets the others, and hears why not that one.
    journey.owner(&["license", "revoke", "--kid", "c000000000000000000000000000000a"]);
    let (code, printed) = run::ended(&mut journey.restore_online("device2"));
    assert_eq!(code, Some(3), "{printed}");
    assert!(printed.contains("refused: wAAAAAAAAAAAAAAAAAAACg==: The license was revoked"), "{printed}");
    assert!(printed.contains("\nrestored in part: 1 licenses refused, 0 parts closed\n"), "{printed}");

    // Everything at once, before it is needed; then there is nothing new.
    let predeliver = || {
        let mut command = journey.example("predeliver", "device6");
        run::succeed(command.args([&journey.service.url, &journey.service.token]))
    };
    let printed = predeliver();
    assert!(printed.starts_with("delivered: ") && printed.contains("\nstored: "), "{printed}");
    assert!(predeliver().starts_with("nothing new\n"));

    // Nothing ends soon; one title is not wanted any more, and the service hears of it.
    journey.acquire("device7", &titles[..2].iter().map(String::as_str).collect::<Vec<_>>());
    let mut command = journey.example("renew", "device7");
    let printed = run::succeed(command.args([&journey.service.url, &journey.service.token]).args(["30", &titles[0]]));
    assert_eq!(printed, "nothing to renew\ngiven back: Title 1\n");

    let mut load = run::limited([journey.path("dynamic_load").to_str().unwrap()]);
    load.arg(library_dir().join("libwmlicense.so")).arg(journey.path("device2")).arg(&journey.service.authority);
    let printed = run::succeed(&mut load);
    assert_eq!(printed.matches("license: ").count(), 12, "{printed}");
    assert!(printed.contains(" Title 7\n"), "{printed}");
}

/// The example that sends its user to the page, with a script in the place of user and browser.
struct WithUser {
    service: Service,
    folder: TempDir,
}

impl WithUser {
    fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let line = build_line(&root().join("examples-c/non_silent.c"));
        run::succeed(&mut command_of(&line, "gcc", &folder.path().join("non_silent")));
        Self { service: Service::start(), folder }
    }

    /// Asks for the title of this key ID, base64.
    fn example(&self, key_id: &str) -> Command {
        let mut command = run::limited([self.folder.path().join("non_silent").to_str().unwrap()]);
        command.arg(self.folder.path().join("store")).args([&self.service.authority, &self.service.url, "-", key_id]);
        command.current_dir(root());
        command
    }
}

/// What follows a label in one of the printed lines.
fn after<'p>(printed: &'p str, label: &str) -> &'p str {
    let found = printed.lines().find_map(|line| line.strip_prefix(label));
    found.unwrap_or_else(|| panic!("no line begins with `{label}` in: {printed}"))
}

#[test]
fn by_example_the_user_accepts_declines_or_gives_up() {
    if !run::has_tool("gcc") || !run::has_tool("python3") {
        return;
    }
    let with_user = WithUser::begin();
    let printed = run::succeed(with_user.example("ygAAAAAAAAAAAAAAAAAAAQ==").arg("ci/user.py"));
    assert!(printed.ends_with("license acquired\n"), "{printed}");
    assert_eq!(after(&printed, "the user sees "), format!("{}: accept", after(&printed, "code: ")));
    // Who accepted is not asked again.
    assert_eq!(run::succeed(&mut with_user.example("ygAAAAAAAAAAAAAAAAAAAQ==")), "license acquired\n");

    let mut command = with_user.example("ygAAAAAAAAAAAAAAAAAAAg==");
    let printed = run::fail(command.arg("ci/user.py").env("DECISION", "decline"));
    assert!(printed.ends_with("no license: The user declined.\n"), "{printed}");

    let mut asking = with_user.example("ygAAAAAAAAAAAAAAAAAAAw==").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(asking.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().starts_with("open: http://127.0.0.1:"));
    assert!(lines.next().unwrap().starts_with("code: "));
    run::succeed(Command::new("kill").args(["-INT", &asking.id().to_string()]));
    assert_eq!(lines.next().as_deref(), Some("cancelled"));
    assert_eq!(asking.wait().unwrap().code(), Some(1));
}

/// Both examples that read the queue in a poll loop end as the one with callbacks does.
#[test]
fn the_examples_with_event_queues_acquire_as_the_others_do() {
    if !run::has_tool("gcc") {
        return;
    }
    let journey = Journey::begin("gcc");
    let key_ids = "oaKjpLGywcLR0tPU1dbX2A==;Dw4NDAsKCQgHBgUEAwIBAA==";
    let last = "WM_STATUS_ACQUIRE_LICENSE WM_S_LICENSE_ACQUIRED\n";
    if run::has_packages(&["glib-2.0"]) {
        let mut command = journey.example("events_glib", "glib");
        let printed = run::succeed(command.args([&journey.service.url, &journey.service.token]).arg(key_ids));
        assert!(printed.ends_with(&format!("request: {last}")), "{printed}");
        assert!(printed.contains("individualizer: WM_STATUS_INDIVIDUALIZE WM_S_INDIVIDUALIZED\n"), "{printed}");
    }
    if run::has_tool("python3") {
        let mut command = run::limited(["python3", "examples-python/events.py"]);
        command.arg(library_dir().join("libwmlicense.so")).arg(journey.path("python")).arg(&journey.service.authority);
        command.args([&journey.service.url, &journey.service.token]).arg(key_ids).current_dir(root());
        let printed = run::succeed(&mut command);
        assert!(printed.ends_with(&format!("{last}licenses: 2\n")), "{printed}");
    }
}

#[test]
fn the_examples_built_by_gcc_make_the_whole_journey() {
    whole_journey("gcc");
}

#[test]
fn the_examples_built_by_clang_make_the_whole_journey() {
    whole_journey("clang");
}
