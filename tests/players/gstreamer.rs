//! The element `wmdecrypt` on freshly packaged media, headless: `gst-launch-1.0` with a chain of its own and with `playbin`.

use std::io::Read as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::stage::Stage;
use wmlicense_testkit::packager::{Options, Packaged};
use wmlicense_testkit::{library_dir, root, run};

const PICTURE: [&str; 5] = ["h264parse", "!", "avdec_h264", "!", "checksumsink"];
const TONE: [&str; 5] = ["aacparse", "!", "avdec_aac", "!", "checksumsink"];

/// Everything a test needs, with the plugin built against this build's library; `None` where a tool is missing.
pub(crate) fn set() -> Option<Stage> {
    let packages = ["gstreamer-1.0", "gstreamer-base-1.0"];
    if !run::has_tool("make") || !run::has_tool("gst-launch-1.0") || !run::has_packages(&packages) {
        return None;
    }
    let stage = Stage::set()?;
    build_plugin(&stage.path("plugins"), "");
    Some(stage)
}

/// Builds the plugin in a new folder, with these words for the compiler.
pub(crate) fn build_plugin(folder: &Path, words: &str) {
    std::fs::create_dir(folder).unwrap();
    let mut make = Command::new("make");
    make.args(["--silent", "-C", "gstreamer"]).arg(format!("CFLAGS=-O1 -g -Werror {words}")).current_dir(root());
    run::succeed(make.arg(format!("BUILT={}", library_dir().display())).arg(format!("OUT={}", folder.display())));
}

impl Stage {
    /// `gst-launch-1.0` with a registry of its own, on a store of its own.
    fn launch(&self, service: Option<&str>) -> Command {
        let mut command = run::limited(["gst-launch-1.0", "-m"]);
        command.env("GST_REGISTRY", self.path("registry")).env("GST_PLUGIN_PATH", self.path("plugins"));
        command.env("WMLICENSE_STORE_PATH", self.path("device")).env("WMLICENSE_AUTHORITY", &self.service.authority);
        command.env_remove("WMLICENSE_SERVICE_URL").env("WMLICENSE_ACCOUNT_TOKEN", &self.service.token);
        command.env_remove("DISPLAY").stdin(Stdio::null());
        if let Some(url) = service {
            command.env("WMLICENSE_SERVICE_URL", url);
        }
        command
    }

    fn online(&self) -> Command {
        self.launch(Some(&self.service.url))
    }

    /// A clear track through the same decoder; hashes of its frames.
    fn clear(&self, media: &Path, demuxer: &str, decoder: &[&str]) -> Vec<String> {
        let mut command = self.launch(None);
        let frames = frames(&run::succeed(chain(&mut command, media, &[demuxer]).args(decoder)));
        assert!(frames.len() > 50, "{}: {} frames", media.display(), frames.len());
        frames
    }

    fn clear_tracks(&self) -> [Vec<String>; 2] {
        [&PICTURE, &TONE].map(|decoder| self.clear(&self.media.clear_mp4(), "qtdemux", decoder))
    }

    /// Both tracks, by a chain with the element in it and by `playbin`, which has to find the element.
    fn expect_tracks(&self, packaged: &Packaged, clear: &[Vec<String>; 2]) {
        for (track, decoder, clear) in [(&packaged.video, PICTURE, &clear[0]), (&packaged.audio, TONE, &clear[1])] {
            let mut command = self.online();
            let printed = run::succeed(chain(&mut command, track, &["qtdemux", "!", "wmdecrypt"]).args(decoder));
            expect_same(&frames(&printed), clear, track);
            expect_same(&frames(&run::succeed(&mut self.playbin(self.online(), track))), clear, track);
        }
    }

    fn playbin(&self, mut command: Command, media: &Path) -> Command {
        command.args(["playbin", &format!("uri=file://{}", media.display())]);
        command.args(["video-sink=checksumsink", "audio-sink=checksumsink"]);
        command
    }
}

/// `filesrc ! elements… !`
fn chain<'c>(command: &'c mut Command, media: &Path, elements: &[&str]) -> &'c mut Command {
    command.arg("filesrc").arg(format!("location={}", media.display())).arg("!").args(elements).arg("!")
}

/// The hashes that `checksumsink` printed: `TIME SHA1`, which may stand behind the beginning of a message.
fn frames(printed: &str) -> Vec<String> {
    let words = printed.split_whitespace();
    let hashes = words.filter(|word| word.len() == 40 && word.bytes().all(|byte| byte.is_ascii_hexdigit()));
    hashes.map(str::to_owned).collect()
}

/// Packagers drop what says how much silence an encoder put before and behind a tone, so such a track may have one frame more
/// at its end, and one frame of its ends is another: the first sounds of what the decoder had before it, or the last is longer.
fn expect_same(found: &[String], clear: &[String], media: &Path) {
    let tone = usize::from(media.file_stem().unwrap() == "audio");
    let counts = clear.len()..=clear.len() + tone;
    assert!(counts.contains(&found.len()), "{}: {} frames, not {counts:?}", media.display(), found.len());
    let others: Vec<usize> = (0..clear.len()).filter(|&at| found[at] != clear[at]).collect();
    let allowed = others.len() <= tone && others.iter().all(|&at| at == 0 || at == clear.len() - 1);
    assert!(allowed, "{}: frames {others:?} are others", media.display());
}

/// Runs a pipeline that must end with an error, and answers all it printed.
fn expect_error(command: &mut Command) -> String {
    let printed = run::fail(command);
    assert!(printed.contains("ERROR") && frames(&printed).is_empty(), "{printed}");
    printed
}

#[test]
fn cenc_and_cbcs_play_like_the_clear_source() {
    let Some(stage) = set() else { return };
    let clear = stage.clear_tracks();
    for options in [
        Options::plain("cenc"),
        Options::plain("cbcs"),
        Options { clear_lead: true, ..Options::plain("cenc") },
        Options { segments: true, ..Options::plain("cenc") },
    ] {
        let name = format!("{}-{}-{}", options.scheme, options.clear_lead, options.segments);
        let packaged = stage.media.shaka_mp4(&name, options);
        stage.import(&packaged);
        stage.expect_tracks(&packaged, &clear);
    }
}

#[test]
fn a_clear_lead_of_cbcs_plays_or_is_refused_but_never_wrong() {
    let Some(stage) = set() else { return };
    let [picture, _] = stage.clear_tracks();
    let packaged = stage.media.shaka_mp4("lead", Options { clear_lead: true, ..Options::plain("cbcs") });
    stage.import(&packaged);
    let mut command = stage.online();
    let printed = run::succeed(chain(&mut command, &packaged.video, &["qtdemux", "!", "wmdecrypt"]).args(PICTURE));
    expect_same(&frames(&printed), &picture, &packaged.video);
    expect_same(&frames(&run::succeed(&mut stage.playbin(stage.online(), &packaged.video))), &picture, &packaged.video);
    // A clear tone looks like an encrypted one.
    let printed = expect_error(&mut stage.playbin(stage.online(), &packaged.audio));
    assert!(printed.contains("The beginning is clear"), "{printed}");
}

#[test]
fn caps_that_name_cbcs_are_taken() {
    let Some(stage) = set() else { return };
    let packaged = stage.media.shaka_mp4("plain", Options::plain("cbcs"));
    stage.import(&packaged);
    let mut command = stage.online();
    let renamed = [
        "qtdemux",
        "!",
        "capssetter",
        "join=false",
        "caps=application/x-cbcs",
        "!",
        "application/x-cbcs",
        "!",
        "wmdecrypt",
    ];
    let printed = run::succeed(chain(&mut command, &packaged.video, &renamed).args(PICTURE));
    expect_same(&frames(&printed), &stage.clear_tracks()[0], &packaged.video);
}

#[test]
fn a_tone_that_does_not_come_from_a_file_needs_a_promise() {
    let Some(stage) = set() else { return };
    let tone = &stage.clear_tracks()[1];
    let packaged = stage.media.shaka_mp4("plain", Options::plain("cbcs"));
    stage.import(&packaged);
    let play = |promise| {
        let mut command = stage.online();
        let input = std::fs::File::open(&packaged.audio).unwrap();
        command.stdin(input).args(["fdsrc", "!", "qtdemux", "!", "wmdecrypt", promise, "!"]).args(TONE);
        command
    };
    let printed = expect_error(&mut play("no-clear-lead=false"));
    assert!(printed.contains("set no-clear-lead"), "{printed}");
    expect_same(&frames(&run::succeed(&mut play("no-clear-lead=true"))), tone, &packaged.audio);
}

#[test]
fn webm_plays_like_the_clear_source() {
    let Some(stage) = set() else { return };
    let sources = [stage.media.noisy_webm(), stage.media.clear_webm().1];
    let decoders = [["vp9dec", "!", "checksumsink"], ["opusdec", "!", "checksumsink"]];
    let clear = [0, 1].map(|track| stage.clear(&sources[track], "matroskademux", &decoders[track]));
    for (name, clear_lead) in [("whole", false), ("lead", true)] {
        let options = Options { clear_lead, ..Options::plain("cenc") };
        let packaged = stage.media.shaka([&sources[0], &sources[1]], name, "webm", options);
        stage.import(&packaged);
        for (track, media) in [&packaged.video, &packaged.audio].into_iter().enumerate() {
            let mut command = stage.online();
            let chain = chain(&mut command, media, &["matroskademux", "!", "wmdecrypt"]);
            expect_same(&frames(&run::succeed(chain.args(decoders[track]))), &clear[track], media);
            // Its decoder may be another one, but all frames are there.
            let printed = run::succeed(&mut stage.playbin(stage.online(), media));
            assert_eq!(frames(&printed).len(), clear[track].len(), "{printed}");
        }
    }
}

#[test]
fn frames_that_a_demuxer_drops_are_noticed() {
    let Some(stage) = set() else { return };
    // Here some frames are so small that all of them stays clear: they are encrypted, but have no partition.
    let source = stage.media.clear_webm().0;
    let decoder = ["vp9dec", "!", "checksumsink"];
    let clear = stage.clear(&source, "matroskademux", &decoder);
    let packaged = stage.media.shaka_webm("small", Options::plain("cenc"));
    stage.import(&packaged);
    let mut command = stage.online();
    let chain = chain(&mut command, &packaged.video, &["matroskademux", "!", "wmdecrypt"]).args(decoder);
    let output = chain.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let shown = frames(&printed);
    assert!(clear.starts_with(&shown), "{shown:?} {clear:?}");
    // A demuxer that drops nothing is as good.
    assert!(
        output.status.success() && shown == clear || printed.contains("Frames of this WebM are missing"),
        "{printed}"
    );
}

#[test]
fn a_missing_license_is_told_acquired_and_then_used_offline() {
    let Some(stage) = set() else { return };
    let packaged = stage.media.shaka_mp4("plain", Options::plain("cenc"));
    let media = &packaged.video;

    let printed = expect_error(&mut stage.playbin(stage.launch(None), media));
    assert!(printed.contains("There is no license for this content."), "{printed}");
    assert!(printed.contains("WM_E_LICENSE_REQUIRED, key ID "), "{printed}");
    // The service does not know the content yet.
    let printed = expect_error(&mut stage.playbin(stage.online(), media));
    assert!(printed.contains("WM_E_LICENSE_UNAVAILABLE"), "{printed}");

    stage.import(&packaged);
    // Without the permission to ask, nothing is asked.
    let mut command = stage.online();
    chain(&mut command, media, &["qtdemux", "!", "wmdecrypt", "silent-acquire=false"]).args(PICTURE);
    assert!(expect_error(&mut command).contains("WM_E_LICENSE_REQUIRED"));

    let printed = run::succeed(&mut stage.playbin(stage.online(), media));
    let at = |text: &str| printed.find(text).unwrap_or_else(|| panic!("no {text} in {printed}"));
    assert!(at("license-missing") < at("license-acquired"), "{printed}");
    let printed = run::succeed(&mut stage.playbin(stage.launch(None), media));
    expect_same(&frames(&printed), &stage.clear_tracks()[0], media);
    assert!(!printed.contains("license-missing"), "{printed}");
}

#[test]
fn what_cannot_be_played_says_why() {
    let Some(stage) = set() else { return };
    let packaged = stage.media.shaka_mp4("plain", Options::plain("cenc"));
    stage.import(&packaged);

    let mut command = stage.playbin(stage.online(), &packaged.video);
    let printed = expect_error(command.env("WMLICENSE_AUTHORITY", "A".repeat(43) + "="));
    assert!(printed.contains("WM_E_AUTHORITY_NOT_TRUSTED"), "{printed}");

    let mut command = stage.playbin(stage.online(), &packaged.video);
    let printed = expect_error(command.env_remove("WMLICENSE_STORE_PATH"));
    assert!(printed.contains("The license store and the authority to trust are not set."), "{printed}");

    let rotating = stage.media.shaka_mp4("rotating", Options { rotation: true, ..Options::plain("cenc") });
    stage.import(&rotating);
    let printed = expect_error(&mut stage.playbin(stage.online(), &rotating.video));
    assert!(printed.contains("The keys rotate"), "{printed}");
    // The same where the sample entry names the first of the keys, which then only the groups in the file contradict.
    let mut bytes = std::fs::read(&rotating.video).unwrap();
    let tenc = bytes.windows(4).position(|four| four == b"tenc").unwrap();
    bytes[tenc + 12..tenc + 28].copy_from_slice(&rotating.video_keys[0].kid);
    std::fs::write(&rotating.video, bytes).unwrap();
    let printed = expect_error(&mut stage.playbin(stage.online(), &rotating.video));
    assert!(printed.contains("The keys rotate"), "{printed}");
}

/// A child that does not outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing to do about a failure: the process is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn stopping_ends_the_wait_for_a_license() {
    let Some(stage) = set() else { return };
    let packaged = stage.media.shaka_mp4("plain", Options::plain("cenc"));
    // A service that takes the connection and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    // Run without `timeout`, so that the signal below reaches the player itself.
    let limited = stage.playbin(stage.launch(Some(&url)), &packaged.video);
    let words: Vec<_> = limited.get_args().skip_while(|word| *word != "gst-launch-1.0").skip(1).collect();
    let mut command = Command::new("gst-launch-1.0");
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped());
    for (name, value) in limited.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let mut player = Running(command.spawn().unwrap());
    let (_connection, _) = silent.accept().unwrap();
    run::succeed(Command::new("kill").args(["-INT", &player.0.id().to_string()]));
    // The end of the output is the end of the player: a wait that nothing ended would show as a test without an end.
    let mut printed = String::new();
    player.0.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    assert!(printed.contains("Freeing pipeline"), "{printed}");
    assert!(printed.contains("license-missing") && !printed.contains("license-acquired"), "{printed}");
}
