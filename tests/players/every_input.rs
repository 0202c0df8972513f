//! Every player on every input: the header vectors, the reported files, the media files and copies of them in which one thing
//! is odd. Each ends with an error, or gives exactly what is clear; nothing encrypted is ever handed on as clear.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
use wmlicense_media::SampleReader;
use wmlicense_wire::id::Kid;

use crate::gstreamer::build_plugin;
use wmlicense_testkit::c::compile::{STRICT, build_line, command_of};
use wmlicense_testkit::c::service::Service;
use wmlicense_testkit::vectors;
use wmlicense_testkit::{root, run};

/// Terms without any limit.
pub(crate) const TERMS: &str = r#"{"actions":{"Play":{}},"backup":true}"#;
/// The keys of the reported files, and the key IDs of the media files, whose keys the service has already.
pub(crate) const REPORTED: &str = "11111111222233334444555555555501,0102030405060708090a0b0c0d0e0f10,T1\n\
                        11111111222233334444555555555502,1112131415161718191a1b1c1d1e1f20,T2\n\
                        11111111222233334444555555555503,2122232425262728292a2b2c2d2e2f30,T3\n";
pub(crate) const VIDEO: &str = "a1a2a3a4b1b2c1c2d1d2d3d4d5d6d7d8";
pub(crate) const AUDIO: &str = "0f0e0d0c0b0a09080706050403020100";
/// Sizes of the samples in `tests/data/reported/clear.bin`.
const SIZES: [usize; 6] = [200, 237, 274, 311, 348, 385];
/// Inputs are played by so many threads.
const THREADS: usize = 4;

/// Built players, and a store with the licenses for all keys that are known.
struct Players {
    folder: TempDir,
    authority: String,
    inspect: PathBuf,
    has_ffmpeg: bool,
    has_gstreamer: bool,
}

/// What `wmlicense inspect` says.
#[derive(Clone, Copy)]
enum Says {
    Protected,
    Clear,
    Refuses,
    /// That it is protected, or nothing at all.
    NeverClear,
}

/// What is played, and what is right.
struct Input {
    name: String,
    path: PathBuf,
    demuxer: &'static str,
    /// All that is clear, sample after sample; empty where no player finds a sample.
    clear: Vec<u8>,
    /// Bytes of it that a demuxer may leave out at the ends, where an edit list has silence.
    may_lack: usize,
    /// The same as a file that is not fragmented, for `play.c`.
    clear_file: Option<PathBuf>,
    /// The frames of the clear source, for `play_ffmpeg.c`.
    frames: Option<Vec<String>>,
    says: Says,
}

impl Players {
    fn build() -> Option<Self> {
        if !run::has_tool("gcc") || !run::has_tool("make") {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let service = Service::start();
        service.import(REPORTED, TERMS);
        let has_ffmpeg = run::has_packages(&["libavformat", "libavcodec", "libavutil"]);
        let has_gstreamer = run::has_packages(&["gstreamer-1.0", "gstreamer-base-1.0"]);
        let authority = service.authority.clone();
        let players = Self { folder, authority, inspect: run::built("wmlicense"), has_ffmpeg, has_gstreamer };
        for name in ["acquire", "play"].into_iter().chain(has_ffmpeg.then_some("play_ffmpeg")) {
            let line = build_line(&root().join("examples-c").join(format!("{name}.c")));
            run::succeed(&mut command_of(&line, "gcc", &players.path(name)));
        }
        if has_gstreamer {
            build_plugin(&players.path("plugins"), "");
            let flags = run::succeed(Command::new("pkg-config").args(["--cflags", "--libs", "gstreamer-1.0"]));
            let mut gcc = Command::new("gcc");
            gcc.args(STRICT).arg(root().join("tests/players/launch.c")).arg("-o").arg(players.path("launch"));
            run::succeed(gcc.args(flags.split_whitespace()));
        }
        let mut acquire = run::limited([players.path("acquire").to_str().unwrap()]);
        acquire.arg(players.path("device")).args([&service.authority, &service.url, &service.token]);
        run::succeed(acquire.args([VIDEO, AUDIO]).args(REPORTED.lines().map(|line| line.split_once(',').unwrap().0)));
        Some(players)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn play(&self, words: &[&Path]) -> Output {
        let mut command = run::limited([self.path("play").to_str().unwrap()]);
        command.arg(self.path("device")).arg(&self.authority).args(words).output().unwrap()
    }

    fn play_ffmpeg(&self, media: &Path) -> Output {
        let mut command = run::limited([self.path("play_ffmpeg").to_str().unwrap()]);
        command.arg(self.path("device")).arg(&self.authority).args(["-", "-"]).arg(media).output().unwrap()
    }

    /// A chain with this behind the source, whose buffers go to a file. Answers those, too.
    fn launch(&self, media: &Path, chain: &str, out: &str) -> (Output, Vec<u8>) {
        let out = self.path(out);
        let mut command = run::limited([self.path("launch").to_str().unwrap()]);
        let (media, place) = (media.display(), out.display());
        command.arg(format!("filesrc location=\"{media}\" ! {chain} ! filesink location=\"{place}\""));
        command.env("GST_REGISTRY", self.path("registry")).env("GST_PLUGIN_PATH", self.path("plugins"));
        command.env("WMLICENSE_STORE_PATH", self.path("device")).env("WMLICENSE_AUTHORITY", &self.authority);
        command.env_remove("WMLICENSE_SERVICE_URL").env_remove("WMLICENSE_ACCOUNT_TOKEN").env_remove("DISPLAY");
        let output = command.output().unwrap();
        let bytes = std::fs::read(&out).unwrap_or_default();
        // There is none where the chain never began.
        let _ = std::fs::remove_file(out);
        (output, bytes)
    }

    /// The frames of a stream that the player decodes.
    fn frames(&self, media: &Path, stream: usize) -> Vec<String> {
        let output = self.play_ffmpeg(media);
        assert!(output.status.success(), "{}: {output:?}", media.display());
        let text = String::from_utf8_lossy(&output.stdout);
        let of_stream = text.lines().filter(|line| line.starts_with(&format!("{stream}, ")));
        of_stream.filter_map(|line| line.rsplit_once(", ")).map(|(_, hash)| hash.to_owned()).collect()
    }

    /// What is wrong with each player's answer; and which players played the input.
    fn check(&self, number: usize, input: &Input, played: &mut Vec<String>) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut expect = |player: &str, fine: bool, played_it: bool, said: &dyn std::fmt::Debug| {
            if !fine {
                wrong.push(format!("{}: {player}: {:.900}", input.name, format!("{said:?}")));
            }
            if fine && played_it {
                played.push(format!("{player} {}", input.name));
            }
        };
        let inspected = Command::new(&self.inspect).arg("inspect").arg(&input.path).output().unwrap();
        expect("inspect", says_so(&inspected, input.says), false, &inspected);
        let output = self.play(&[&input.path]);
        let played_it = output.status.success();
        let is_right = |clear: &PathBuf| self.play(&[&input.path, clear]).status.success();
        expect("play", !played_it || input.clear_file.as_ref().is_some_and(is_right), played_it, &output);
        if self.has_ffmpeg {
            let output = self.play_ffmpeg(&input.path);
            let (found, played_it) = (hashes(&output), output.status.success());
            // A track without samples, or without a decoder, gives none.
            let right = input.frames.as_ref().map_or(found.is_empty(), |frames| {
                is_subset(&found, frames) && (!played_it || found.is_empty() || found.len() >= frames.len())
            });
            let played_it = played_it && !found.is_empty();
            expect("play_ffmpeg", right, played_it, &output);
        }
        if self.has_gstreamer {
            let out = format!("out-{number}");
            let (output, bytes) = self.launch(&input.path, &format!("{} ! wmdecrypt", input.demuxer), &out);
            let played_it = output.status.success();
            let is_clear = bytes.is_empty() || input.clear.windows(bytes.len()).any(|window| window == bytes);
            let is_right = is_clear && (!played_it || bytes.len() + input.may_lack >= input.clear.len());
            expect("wmdecrypt", is_right, played_it && !bytes.is_empty(), &(bytes.len(), &output));
        }
        wrong
    }
}

fn says_so(output: &Output, says: Says) -> bool {
    let text = String::from_utf8_lossy(&output.stdout);
    let first = text.lines().next().filter(|_| output.status.success());
    let (protected, clear) = (": protected", ": not protected");
    match (says, first) {
        (Says::Protected, first) => first.is_some_and(|first| first.contains(protected)),
        (Says::Clear, first) => first.is_some_and(|first| first.contains(clear)),
        (Says::NeverClear, Some(first)) => first.contains(protected),
        (Says::NeverClear | Says::Refuses, None) => !output.status.success() && !output.stderr.is_empty(),
        (Says::Refuses, Some(_)) => false,
    }
}

/// The hashes of frames that `play_ffmpeg` printed: `STREAM, PTS, MD5`.
fn hashes(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter_map(|line| line.rsplit_once(", ")).map(|(_, hash)| hash.to_owned()).collect()
}

/// Packagers drop what says how much silence an encoder put around a tone, so its first and last frames may differ.
fn is_subset(found: &[String], frames: &[String]) -> bool {
    found.iter().filter(|hash| !frames.contains(hash)).count() <= 2
}

/// A box of these parts.
fn mp4_box(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&(body.len() as u32 + 8).to_be_bytes()[..], kind, &body].concat()
}

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

/// The reported samples, so many times, as a file that is not fragmented.
fn clear_movie(samples: &[u8], times: usize) -> Vec<u8> {
    let count = (SIZES.len() * times) as u32;
    let sizes: Vec<u32> = SIZES.repeat(times).iter().map(|size| *size as u32).collect();
    let build = |offset: u32| {
        let tables = [
            mp4_box(b"stsz", &[&words(&[0, 0, count]), &words(&sizes)]),
            mp4_box(b"stsc", &[&words(&[0, 1, 1, count, 1])]),
            mp4_box(b"stco", &[&words(&[0, 1, offset])]),
        ];
        let minf = mp4_box(b"minf", &[&mp4_box(b"stbl", &[&tables.concat()])]);
        let mdia = mp4_box(b"mdia", &[&mp4_box(b"hdlr", &[&words(&[0, 0]), b"soun", &[0; 13]]), &minf]);
        mp4_box(b"moov", &[&mp4_box(b"trak", &[&mdia])])
    };
    let offset = build(0).len() as u32 + 8;
    [build(offset), mp4_box(b"mdat", &[&samples.repeat(times)])].concat()
}

fn vector_inputs(players: &Players) -> Vec<Input> {
    let all: BTreeMap<_, _> = vectors::load_all(&root().join("tests/vectors/headers"));
    assert!(all.len() > 150);
    let input = |(name, vector): (String, vectors::Vector)| {
        let is_protected = vector.gives().contains(&("protected".to_owned(), "yes".to_owned()));
        let says = match vector.field("expect") {
            "ok" if is_protected => Says::Protected,
            "ok" => Says::Clear,
            _ => Says::Refuses,
        };
        let (path, clear) = (players.write(&name, &vector.bytes), Vec::new());
        Input { name, path, demuxer: "qtdemux", clear, may_lack: 0, clear_file: None, frames: None, says }
    };
    all.into_iter().map(input).collect()
}

fn reported_inputs(players: &Players) -> Vec<Input> {
    let folder = root().join("tests/data/reported");
    let clear = std::fs::read(folder.join("clear.bin")).unwrap();
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut inputs = Vec::new();
    for path in files.filter(|path| path.extension().is_some_and(|ending| ending != "bin" && ending != "md")) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let is_movie = name.ends_with(".mp4") && !name.starts_with("S-") && !name.starts_with('I');
        let times = if name.starts_with("G11b") { 2 } else { usize::from(is_movie) };
        let clear_file = is_movie.then(|| players.write(&format!("clear-{times}.mp4"), &clear_movie(&clear, times)));
        // No decoder takes these samples.
        let (clear, frames, says) = (clear.repeat(times), None, Says::Protected);
        inputs.push(Input { name, path, demuxer: "qtdemux", clear, may_lack: 0, clear_file, frames, says });
    }
    inputs
}

/// Takes these bytes for those, wherever they stand.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    while let Some(place) = bytes[at..].windows(from.len()).position(|window| window == from) {
        bytes[at + place..][..to.len()].copy_from_slice(to);
        at += place + to.len();
    }
    bytes
}

fn without(bytes: &[u8], kinds: &[&[u8; 4]]) -> Vec<u8> {
    kinds.iter().fold(bytes.to_vec(), |bytes, kind| replaced(&bytes, *kind, b"free"))
}

/// Copies of a packaged file in which one thing is odd. None of this makes anything clear.
fn odd_copies(bytes: &[u8], scheme: &str, kid: &[u8], other: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let fourcc = scheme.as_bytes();
    let named = |code: &[u8]| replaced(bytes, &[fourcc, &[0, 1, 0, 0]].concat(), &[code, &[0, 1, 0, 0]].concat());
    // One key ID in all boxes, and none in the sample entry.
    let one_key = replaced(bytes, other, kid);
    let at = one_key.windows(4).position(|window| window == b"tenc").unwrap() + 12;
    let mut zero_kid = one_key;
    zero_kid[at..at + 16].fill(0);
    let mut later = bytes.to_vec();
    let at = later.windows(4).position(|window| window == b"tenc").unwrap() + 4;
    later[at] = 7;
    let mut compact = bytes.to_vec();
    while let Some(at) = compact.windows(4).position(|window| window == b"tfdt") {
        compact[at..at + 12].copy_from_slice(b"csgp\0\0\0\0seig");
    }
    vec![
        ("senc only", without(bytes, &[b"saiz", b"saio"])),
        ("saiz only", without(bytes, &[b"saio", b"senc"])),
        ("saiz and saio only", without(bytes, &[b"senc"])),
        ("no tables", without(bytes, &[b"saiz", b"saio", b"senc"])),
        ("no boxes of systems", without(bytes, &[b"pssh"])),
        ("boxes of a later version", replaced(bytes, b"pssh\0", b"pssh\x09")),
        ("scheme piff", named(b"piff")),
        ("scheme unknown", named(b"abcd")),
        ("key named elsewhere", zero_kid),
        ("a later tenc", later),
        ("no schm", without(bytes, &[b"schm"])),
        ("no schi", without(bytes, &[b"schi"])),
        ("no tenc", without(bytes, &[b"tenc"])),
        ("no sinf", without(bytes, &[b"sinf"])),
        ("an unknown protected entry", replaced(&replaced(bytes, b"encv", b"encz"), b"enca", b"encz")),
        ("groups in a compact box", compact),
    ]
}

/// All samples of a clear track.
fn samples(path: &Path, track: u32) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    let reader = SampleReader::parse(&bytes, track).unwrap();
    reader.samples().flat_map(|sample| &bytes[sample.offset as usize..][..sample.size as usize]).copied().collect()
}

fn media_inputs(players: &Players) -> Vec<Input> {
    let folder = root().join("tests/data/media");
    let (source, webm) = (folder.join("src.mp4"), folder.join("src.webm"));
    let frames = |path: &Path, stream| players.has_ffmpeg.then(|| players.frames(path, stream));
    let (name, path) = ("packager-webm-video.webm".to_owned(), folder.join("packager-webm-video.webm"));
    let (clear, may_lack, clear_file, says) = (samples(&webm, 1), 0, None, Says::Protected);
    let frames_webm = frames(&webm, 0);
    let mut inputs =
        vec![Input { name, path, demuxer: "matroskademux", clear, may_lack, clear_file, frames: frames_webm, says }];
    let [video, audio] = [VIDEO, AUDIO].map(|kid| Kid::from_hex(kid).unwrap());
    // The tone has silence at its ends.
    for (stream, kind, kid, other, may_lack) in [(0, "video", video, audio, 0), (1, "audio", audio, video, 300)] {
        let (clear, frames) = (samples(&source, stream as u32 + 1), frames(&source, stream));
        for scheme in ["cenc", "cens", "cbc1", "cbcs"] {
            let file = format!("packager-{scheme}-{kind}.mp4");
            let bytes = std::fs::read(folder.join(&file)).unwrap();
            let copies = odd_copies(&bytes, scheme, kid.as_bytes(), other.as_bytes());
            for (number, (odd, bytes)) in [("as it is", bytes)].into_iter().chain(copies).enumerate() {
                let path = players.write(&format!("{number}-{file}"), &bytes);
                let (name, clear, frames) = (format!("{file}, {odd}"), clear.clone(), frames.clone());
                let (demuxer, clear_file, says) = ("qtdemux", Some(source.clone()), Says::NeverClear);
                inputs.push(Input { name, path, demuxer, clear, may_lack, clear_file, frames, says });
            }
        }
    }
    inputs
}

#[test]
fn every_input_fails_or_is_right_in_every_player() {
    let Some(players) = Players::build() else { return };
    let inputs = [vector_inputs(&players), reported_inputs(&players), media_inputs(&players)];
    let inputs: Vec<_> = inputs.into_iter().flatten().enumerate().collect();
    let (mut wrong, mut played) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        let work = |part: usize| {
            let (players, inputs) = (&players, &inputs);
            scope.spawn(move || {
                let mut played = Vec::new();
                let mine = inputs.iter().skip(part).step_by(THREADS);
                (mine.flat_map(|(number, input)| players.check(*number, input, &mut played)).collect(), played)
            })
        };
        for thread in (0..THREADS).map(work).collect::<Vec<_>>() {
            let (more, played_it): (Vec<_>, _) = thread.join().unwrap();
            wrong.extend(more);
            played.extend(played_it);
        }
    });
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    // A player that refuses everything would be right as well.
    let mut expected = vec![
        "play packager-cbcs-video.mp4, as it is",
        "play packager-cenc-video.mp4, boxes of a later version",
        "play G1s-senc-only-no-saiz.mp4",
        "play M6-cbcs-constant-iv-empty-senc.mp4",
    ];
    if players.has_ffmpeg {
        expected.extend([
            "play_ffmpeg packager-cens-audio.mp4, as it is",
            "play_ffmpeg packager-webm-video.webm",
            "play_ffmpeg packager-cenc-video.mp4, key named elsewhere",
            "play_ffmpeg packager-cenc-video.mp4, senc only",
            "play_ffmpeg packager-cbcs-audio.mp4, senc only",
        ]);
    }
    if players.has_gstreamer {
        expected.extend([
            "wmdecrypt packager-cenc-audio.mp4, as it is",
            "wmdecrypt packager-cbcs-video.mp4, as it is",
            "wmdecrypt Z1-zero-kid-one-key-in-pssh.mp4",
            "wmdecrypt packager-cenc-video.mp4, key named elsewhere",
        ]);
    }
    for name in expected {
        assert!(played.iter().any(|found| found == name), "not played: {name}; played: {played:#?}");
    }
}
