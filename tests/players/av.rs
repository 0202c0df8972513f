//! The library `wmlicense-av` in an application of its own (`av.c`): the packets that it hands out, byte for byte; seeking,
//! refusals, stopping, wrong calls, damaged files, memory, and installing.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
use wmlicense_media::cenc::SampleCipher;
use wmlicense_media::{ContentHeader, SampleReader};

use crate::every_input::{AUDIO, REPORTED, TERMS, VIDEO};
use wmlicense_testkit::c::compile::{STRICT, build_av, build_line, command_of};
use wmlicense_testkit::c::service::Service;
use wmlicense_testkit::{library_dir, root, run, skip};

const VIDEO_KEY: &str = "00112233445566778899aabbccddeeff";
const AUDIO_KEY: &str = "ffeeddccbbaa99887766554433221100";
const FFMPEG: [&str; 3] = ["libavformat", "libavcodec", "libavutil"];

/// The built application, a service, and stores.
struct Stage {
    folder: TempDir,
    service: Service,
}

impl Stage {
    /// `None` where a tool is missing.
    fn set() -> Option<Self> {
        if !run::has_tool("gcc") || !run::has_tool("make") || !run::has_packages(&FFMPEG) {
            return None;
        }
        let stage = Self { folder: tempfile::tempdir().unwrap(), service: Service::start() };
        stage.service.import(REPORTED, TERMS);
        let line = build_line(&root().join("examples-c/acquire.c"));
        run::succeed(&mut command_of(&line, "gcc", &stage.path("acquire")));
        build_av(&library_dir(), "");
        stage.build("gcc", "av", &library_dir(), &[]);
        Some(stage)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Compiles the application against the libraries in this folder.
    fn build(&self, compiler: &str, name: &str, av: &Path, words: &[&str]) {
        let flags = run::succeed(Command::new("pkg-config").args(["--cflags", "--libs"]).args(FFMPEG));
        let mut command = Command::new(compiler);
        command.args(STRICT).args(words).args(["-Iinclude", "-Iffmpeg", "tests/players/av.c"]).current_dir(root());
        for folder in [av, &library_dir()] {
            command.arg(format!("-L{0}", folder.display())).arg(format!("-Wl,-rpath,{}", folder.display()));
        }
        command.args(["-lwmlicense-av", "-lwmlicense", "-lpthread"]).args(flags.split_whitespace());
        run::succeed(command.arg("-o").arg(self.path(name)));
    }

    /// A store with the licenses for these key IDs.
    fn acquire(&self, store: &str, kids: &[&str]) {
        let mut command = run::limited([self.path("acquire").to_str().unwrap()]);
        command.arg(self.path(store)).args([&self.service.authority, &self.service.url, &self.service.token]);
        run::succeed(command.args(kids));
    }

    fn acquire_all(&self) {
        let reported = REPORTED.lines().map(|line| line.split_once(',').unwrap().0);
        self.acquire("store", &[VIDEO, AUDIO].into_iter().chain(reported).collect::<Vec<_>>());
    }

    /// The application `name` after these words.
    fn command(&self, before: &[&str], name: &str, store: &str, media: &Path, words: &[&str]) -> Command {
        let mut command = run::limited(before.iter().copied().chain([self.path(name).to_str().unwrap()]));
        command.arg(self.path(store)).arg(&self.service.authority).arg(media).args(words);
        command
    }

    /// What the application says of a file.
    fn av(&self, store: &str, media: &Path, words: &[&str]) -> String {
        run::succeed(&mut self.command(&[], "av", store, media, words))
    }

    /// The packets of a file in this way, with all that came of the run.
    fn packets(&self, media: &Path, way: &str) -> (Output, [Vec<u8>; 3]) {
        let out = self.path("out");
        let output = self.command(&[], "av", "store", media, &[way, out.to_str().unwrap()]).output().unwrap();
        let packets = [0, 1, 2].map(|stream| {
            let path = self.path(&format!("out-{stream}"));
            let bytes = std::fs::read(&path).unwrap_or_default();
            // A stream without packets has no file.
            let _ = std::fs::remove_file(path);
            bytes
        });
        (output, packets)
    }
}

fn media(name: &str) -> PathBuf {
    root().join("tests/data/media").join(name)
}

fn reported() -> Vec<PathBuf> {
    let files = std::fs::read_dir(root().join("tests/data/reported")).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|ending| ending == "mp4")).collect()
}

fn unhex(text: &str) -> [u8; 16] {
    std::array::from_fn(|index| u8::from_str_radix(&text[2 * index..][..2], 16).unwrap())
}

/// The clear samples of a track of one of the media files, read by the crate and decrypted with the published keys.
fn clear(path: &Path, track: u32) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    let reader = SampleReader::parse(&bytes, track).unwrap();
    let mut clear = Vec::new();
    for sample in reader.samples() {
        let mut data = bytes[sample.offset as usize..][..sample.size as usize].to_vec();
        if let Some(protection) = sample.protection {
            let key = if protection.kid.as_bytes()[..] == unhex(VIDEO) { VIDEO_KEY } else { AUDIO_KEY };
            SampleCipher::new(&unhex(key)).decrypt_in_place(&protection.info, &mut data).unwrap();
        }
        clear.extend(data);
    }
    clear
}

#[test]
fn every_media_file_gives_exactly_its_clear_samples() {
    let Some(stage) = Stage::set() else { return };
    stage.acquire_all();
    let names = ["cenc", "cens", "cbc1", "cbcs"]
        .map(|scheme| [format!("packager-{scheme}-video.mp4"), format!("packager-{scheme}-audio.mp4")]);
    let more = ["ffmpeg-cenc-prog.mp4", "packager-webm-video.webm", "src.mp4", "src.webm"].map(str::to_owned);
    for name in names.into_iter().flatten().chain(more) {
        let path = media(&name);
        let header = ContentHeader::parse(&std::fs::read(&path).unwrap()).unwrap();
        for way in ["packets", "memory"] {
            let (output, packets) = stage.packets(&path, way);
            assert!(output.status.success(), "{name}: {output:?}");
            assert!(!String::from_utf8_lossy(&output.stdout).contains("still "), "{name}: {output:?}");
            for (stream, track) in header.tracks().iter().enumerate() {
                let clear = clear(&path, track.id);
                assert!(!clear.is_empty() && packets[stream] == clear, "{name}, stream {stream}, {way}: {output:?}");
            }
        }
    }
}

#[test]
fn every_reported_file_gives_its_clear_samples_or_none() {
    let Some(stage) = Stage::set() else { return };
    stage.acquire_all();
    let clear = std::fs::read(root().join("tests/data/reported/clear.bin")).unwrap();
    let playable = ["G1s", "M14", "M15b", "M6", "M8b", "Z1", "Z2", "G11b"];
    let mut played = 0;
    for path in reported() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let (output, packets) = stage.packets(&path, "packets");
        let times = if name.starts_with("G11b") { 2 } else { 1 };
        if playable.iter().any(|start| name.starts_with(&format!("{start}-"))) {
            assert!(output.status.success() && packets[0] == clear.repeat(times), "{name}: {output:?}");
            played += 1;
        } else {
            assert!(packets.iter().all(Vec::is_empty), "{name}: {output:?}");
        }
    }
    assert_eq!(played, playable.len());
}

#[test]
fn a_cover_is_handed_out_beside_protected_tracks() {
    let Some(stage) = Stage::set() else { return };
    let ffmpeg = || Command::new("ffmpeg");
    if !ffmpeg().arg("-version").output().is_ok_and(|output| output.status.success()) {
        return skip("ffmpeg is missing: run ci/install.sh");
    }
    stage.acquire_all();
    let (cover, film) = (stage.path("cover.png"), stage.path("film.mp4"));
    let picture = ["-f", "lavfi", "-i", "testsrc=size=64x64:rate=1:duration=1", "-frames:v", "1"];
    run::succeed(ffmpeg().args(["-v", "error", "-nostdin"]).args(picture).arg(&cover));
    let mut mux = ffmpeg();
    mux.args(["-v", "error", "-nostdin", "-i"]).arg(media("src.mp4")).arg("-i").arg(&cover);
    mux.args(["-map", "0", "-map", "1", "-c", "copy", "-disposition:v:1", "attached_pic"]);
    mux.args(["-encryption_scheme", "cenc-aes-ctr", "-encryption_key", VIDEO_KEY, "-encryption_kid", VIDEO]);
    run::succeed(mux.arg(&film));
    let (output, packets) = stage.packets(&film, "packets");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(packets, [clear(&film, 1), clear(&film, 2), std::fs::read(&cover).unwrap()]);
}

#[test]
fn what_cannot_be_followed_is_refused_with_a_sentence() {
    let Some(stage) = Stage::set() else { return };
    stage.acquire_all();
    for (name, why) in [
        ("ffmpeg-cenc-frag.mp4", "the file does not describe how each sample is encrypted"),
        ("ffmpeg8-cenc-frag.mp4", "the file describes another number of samples than it has"),
    ] {
        let (output, packets) = stage.packets(&media(name), "packets");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && said.contains("WM_E_INVALID_DATA") && said.contains(why), "{name}: {said}");
        let bytes = std::fs::read(media(name)).unwrap();
        for packets in packets.iter().filter(|packets| packets.len() >= 64) {
            assert!(!bytes.windows(64).any(|window| window == &packets[..64]), "{name}: ciphertext");
        }
    }
    let text = stage.path("notes.txt");
    std::fs::write(&text, "no media at all").unwrap();
    let said = run::fail(&mut stage.command(&[], "av", "store", &text, &["kids"]));
    assert!(said.contains("The file is neither MP4 nor WebM."), "{said}");
}

#[test]
fn a_seek_hands_out_the_same_packets() {
    let Some(stage) = Stage::set() else { return };
    stage.acquire_all();
    let names =
        ["packager-cbcs-video.mp4", "packager-cenc-audio.mp4", "ffmpeg-cenc-prog.mp4", "packager-webm-video.webm"];
    for path in names.map(media) {
        assert_eq!(stage.av("store", &path, &["seek"]), "the same\n", "{}", path.display());
    }
}

#[test]
fn a_refused_packet_is_kept_until_its_stream_is_left_out() {
    let Some(stage) = Stage::set() else { return };
    let kids: Vec<_> = REPORTED.lines().map(|line| line.split_once(',').unwrap().0).collect();
    stage.acquire("half", &kids[1..2]);
    let rotating = reported().into_iter().find(|path| path.ends_with("G11b-rotation-default-kid.mp4")).unwrap();
    assert_eq!(stage.av("half", &rotating, &["kids"]).lines().collect::<Vec<_>>(), kids);
    let said = stage.av("half", &rotating, &["kept"]);
    // Half of its samples have this key.
    assert_eq!(said, "stream 0: WM_E_LICENSE_REQUIRED\n6\n");
    // Both tracks of this one have the same key.
    let said = stage.av("half", &media("ffmpeg-cenc-prog.mp4"), &["kept"]);
    assert_eq!(said, "stream 0: WM_E_LICENSE_REQUIRED\nstream 1: WM_E_LICENSE_REQUIRED\n0\n");
}

#[test]
fn another_thread_stops_opening_and_reading() {
    let Some(stage) = Stage::set() else { return };
    stage.acquire_all();
    let said = stage.av("store", &media("packager-cenc-video.mp4"), &["stop"]);
    assert!(
        said.contains("Immediate exit requested: WM_E_OPERATION_CANCELED") && said.ends_with("stopped\n"),
        "{said}"
    );
    // A server that never takes the connection from its queue.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/film.mp4", silent.local_addr().unwrap());
    let said = stage.av("store", Path::new(&url), &["stop"]);
    assert!(said.contains("WM_E_OPERATION_CANCELED") && said.ends_with("stopped\n"), "{said}");
}

#[test]
fn wrong_calls_are_answered() {
    let Some(stage) = Stage::set() else { return };
    stage.acquire_all();
    let said = stage.av("store", &media("packager-cenc-video.mp4"), &["wrong"]);
    let (fine, all) = said.trim().split_once(" of ").unwrap_or_else(|| panic!("{said}"));
    assert!(fine == all && all != "0", "{said}");
}

#[test]
fn damaged_files_harm_no_memory() {
    let Some(stage) = Stage::set() else { return };
    stage.acquire_all();
    let words = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let sanitized = stage.path("sanitized");
    std::fs::create_dir(&sanitized).unwrap();
    build_av(&sanitized, &words.join(" "));
    stage.build("gcc", "av-sanitized", &sanitized, &words);
    let names = ["G11b", "M14", "M15b", "M8b", "Z1", "Z2"];
    let files = reported().into_iter().filter(|path| {
        names.iter().any(|name| path.file_name().unwrap().to_str().unwrap().starts_with(&format!("{name}-")))
    });
    for (path, most) in files.map(|path| (path, "1500")).chain([(media("packager-webm-video.webm"), "700")]) {
        // What libavformat itself forgets is not the matter here.
        let mut command = stage.command(&[], "av-sanitized", "store", &path, &["damaged", most]);
        command.env("ASAN_OPTIONS", "detect_leaks=0:allocator_may_return_null=1");
        assert_eq!(run::succeed(&mut command), "some played, some failed\n", "{}", path.display());
    }
}

#[test]
fn the_library_is_clean_under_valgrind() {
    let Some(stage) = Stage::set() else { return };
    if !run::has_tool("valgrind") {
        return;
    }
    stage.acquire("half", &[VIDEO]);
    let valgrind =
        ["valgrind", "--quiet", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite"];
    for (name, way) in
        [("ffmpeg-cenc-prog.mp4", "kept"), ("ffmpeg-cenc-frag.mp4", "kids"), ("packager-cenc-video.mp4", "wrong")]
    {
        run::succeed(&mut stage.command(&valgrind, "av", "half", &media(name), &[way]));
    }
}

#[test]
fn both_compilers_take_the_library_without_a_warning() {
    let Some(stage) = Stage::set() else { return };
    for compiler in ["gcc", "clang"].into_iter().filter(|compiler| run::has_tool(compiler)) {
        let mut make = Command::new("make");
        make.args(["--silent", "-C", "ffmpeg", "CFLAGS=-O2 -Werror -Wshadow -Wvla -Wstrict-prototypes"])
            .current_dir(root());
        make.arg(format!("CC={compiler}")).arg(format!("OUT={}", stage.path(compiler).display()));
        run::succeed(make.arg(format!("BUILT={}", library_dir().display())));
    }
}

impl Stage {
    /// Installs the library of this build, and answers the folder that it is installed below.
    fn install(&self) -> PathBuf {
        let place = self.path("a root");
        let mut make = Command::new("make");
        make.args(["--silent", "-C", "ffmpeg", "install", "PREFIX=/usr"]).current_dir(root());
        make.arg(format!("BUILT={}", library_dir().display())).arg(format!("DESTDIR={}", place.display()));
        run::succeed(&mut make);
        place.join("usr")
    }
}

#[test]
fn an_installed_library_shows_only_the_names_of_its_header() {
    let Some(stage) = Stage::set() else { return };
    let place = stage.install();
    let library = place.join("lib/libwmlicense-av.so");
    let listed = run::succeed(Command::new("nm").args(["-D", "--defined-only"]).arg(&library));
    let header = std::fs::read_to_string(place.join("include/wmlicense_av.h")).unwrap();
    let names: Vec<_> = listed.lines().filter_map(|line| line.rsplit(' ').next()?.split('@').next()).collect();
    assert!(names.contains(&"wmav_read_packet"), "{listed}");
    for name in names.into_iter().filter(|name| *name != "WMLICENSE_AV") {
        assert!(header.contains(&format!("{name}(")), "{name} is not in the header");
    }
    let dynamic = run::succeed(Command::new("readelf").arg("-d").arg(&library));
    assert!(dynamic.contains("[libwmlicense-av.so.0."), "{dynamic}");
}

#[test]
fn an_installed_library_is_found_by_pkg_config_in_c_and_in_cpp() {
    let Some(stage) = Stage::set() else { return };
    let (place, built) = (stage.install(), library_dir());
    let packages = place.join("lib/pkgconfig");
    // The library of this build in place of an installed one.
    let (include, libraries) = (root().join("include"), built.display().to_string());
    let own = format!("Cflags: -I{}\nLibs: -L{libraries} -lwmlicense\n", include.display());
    std::fs::write(packages.join("wmlicense.pc"), format!("Name: wmlicense\nDescription: -\nVersion: 0\n{own}"))
        .unwrap();
    let mut tell = Command::new("pkg-config");
    tell.args(["--cflags", "--libs", "wmlicense-av"]).env("PKG_CONFIG_PATH", &packages);
    let flags = run::succeed(&mut tell);
    assert!(flags.contains("-lwmlicense-av") && flags.contains("-lavformat"), "{flags}");
    let (source, program) = (stage.path("ten.c"), stage.path("ten"));
    let text = "#include <wmlicense_av.h>\nint main(void) { return wmav_version() != WM_VERSION; }\n";
    std::fs::write(&source, text).unwrap();
    for (compiler, language) in [("gcc", "c"), ("g++", "c++")] {
        let mut command = Command::new(compiler);
        command.args(["-Wall", "-Wextra", "-Werror", "-x", language]).arg(&source).args(["-x", "none", "-I"]);
        command.arg(place.join("include")).arg("-L").arg(place.join("lib"));
        run::succeed(command.args(flags.split_whitespace()).arg("-o").arg(&program));
        let folders = std::env::join_paths([place.join("lib"), built.clone()]).unwrap();
        run::succeed(Command::new(&program).env("LD_LIBRARY_PATH", folders));
    }
}
