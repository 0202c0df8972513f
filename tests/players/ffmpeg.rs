//! `examples-c/play_ffmpeg.c` on freshly packaged media: frames and clear copies, missing and refused licenses.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::stage::Stage;
use wmlicense_testkit::c::compile::{build_line, command_of};
use wmlicense_testkit::packager::{Options, SCHEMES};
use wmlicense_testkit::{root, run};

/// Everything a test needs, with the player built; `None` where a tool is missing.
fn set() -> Option<Stage> {
    if !run::has_tool("gcc") || !run::has_packages(&["libavformat", "libavcodec", "libavutil"]) {
        return None;
    }
    let stage = Stage::set()?;
    let line = build_line(&root().join("examples-c/play_ffmpeg.c"));
    run::succeed(&mut command_of(&line, "gcc", &stage.path("play_ffmpeg")));
    Some(stage)
}

impl Stage {
    /// The player on the store of this device, with the service and after these words.
    fn player(&self, before: &[&str], device: &str, media: &Path) -> Command {
        let program = self.path("play_ffmpeg");
        let mut command = run::limited(before.iter().copied().chain([program.to_str().unwrap()]));
        command.arg(self.path(device)).arg(&self.service.authority);
        command.args([&self.service.url, &self.service.token]).arg(media);
        command
    }

    /// The player with what the store has.
    fn offline_player(&self, device: &str, media: &Path) -> Command {
        let mut command = run::limited([self.path("play_ffmpeg").to_str().unwrap()]);
        command.arg(self.path(device)).arg(&self.service.authority).args(["-", "-"]).arg(media);
        command
    }

    /// The hashes of the frames of one stream of a clear file.
    fn clear_frames(&self, media: &Path, stream: usize) -> Vec<String> {
        frames(&run::succeed(&mut self.offline_player("clear", media)), stream)
    }

    /// Plays a protected track, and then its clear copy, and expects the frames of the clear source from both.
    fn expect_frames(&self, media: &Path, clear: &[String]) {
        let ending = media.extension().unwrap().to_str().unwrap();
        let copy = self.path("copy").with_extension(ending);
        let printed = run::succeed(self.player(&[], "device", media).arg("--out").arg(&copy));
        expect_same(&frames(&printed, 0), clear, media);
        expect_same(&self.clear_frames(&copy, 0), clear, media);
        std::fs::remove_file(&copy).unwrap();
    }

    /// The frames of picture and tone of the clear MP4.
    fn clear_mp4(&self) -> [Vec<String>; 2] {
        [0, 1].map(|stream| self.clear_frames(&self.media.clear_mp4(), stream))
    }
}

/// The hashes that the player printed for a stream.
fn frames(printed: &str, stream: usize) -> Vec<String> {
    let prefix = format!("{stream}, ");
    let lines = printed.lines().filter_map(|line| line.strip_prefix(&prefix));
    lines.map(|line| line.rsplit(", ").next().unwrap().to_owned()).collect()
}

/// Packagers drop what says how much silence an encoder put before and behind a tone, so such a track may begin with one
/// frame more, and its last frame may be longer.
fn expect_same(found: &[String], clear: &[String], media: &Path) {
    let tone = media.file_stem().unwrap() == "audio";
    assert!(clear.len() > 50, "{}: the source has {} frames", media.display(), clear.len());
    let more = usize::from(tone && found.len() > clear.len());
    let length = clear.len() - usize::from(tone);
    assert_eq!(found.len(), clear.len() + more, "{}", media.display());
    assert_eq!(found[more..][..length], clear[..length], "{}", media.display());
}

#[test]
fn every_scheme_plays_like_the_clear_source() {
    let Some(stage) = set() else { return };
    let [picture, tone] = stage.clear_mp4();
    for scheme in SCHEMES {
        for (name, clear_lead) in [("whole", false), ("lead", true)] {
            let options = Options { clear_lead, ..Options::plain(scheme) };
            let packaged = stage.media.shaka_mp4(&format!("{scheme}-{name}"), options);
            stage.import(&packaged);
            stage.expect_frames(&packaged.video, &picture);
            stage.expect_frames(&packaged.audio, &tone);
        }
    }
}

/// Words of `wmlicensed` on the data of the stage's service.
fn owner(stage: &Stage, words: &[&str]) -> String {
    run::succeed(Command::new(run::built("wmlicensed")).args(words).arg("--data").arg(stage.service.data()))
}

#[test]
fn keys_that_the_service_made_go_to_the_packager_and_play() {
    let Some(stage) = set() else { return };
    let [picture, _] = stage.clear_mp4();
    let added = owner(&stage, &["content", "add", "--generate", "--title", "Made here", "--open"]);
    let kid = added.trim().strip_prefix("added: ").unwrap();
    let flags = stage.path("keys of a title");
    owner(&stage, &["content", "export", "--shaka", &format!("video={kid}"), "--out", flags.to_str().unwrap()]);
    let out = stage.path("exported.mp4");
    let mut packager = Command::new(stage.media.tools().packager());
    let source = stage.media.clear_mp4();
    packager.arg(format!("in={},stream=video,output={},drm_label=video", source.display(), out.display()));
    packager.args(["--quiet", "--protection_scheme", "cbcs", "--clear_lead", "0"]);
    packager.arg(format!("--flagfile={}", flags.display()));
    run::succeed(packager.stdin(std::process::Stdio::null()));
    stage.expect_frames(&out, &picture);
}

#[test]
fn segments_that_were_joined_play_like_the_clear_source() {
    let Some(stage) = set() else { return };
    let [picture, tone] = stage.clear_mp4();
    let packaged = stage.media.shaka_mp4("joined", Options { segments: true, ..Options::plain("cenc") });
    stage.import(&packaged);
    stage.expect_frames(&packaged.video, &picture);
    stage.expect_frames(&packaged.audio, &tone);
}

#[test]
fn keys_that_rotate_play_like_the_clear_source() {
    let Some(stage) = set() else { return };
    let [picture, tone] = stage.clear_mp4();
    for scheme in SCHEMES {
        let packaged = stage.media.shaka_mp4(scheme, Options { rotation: true, ..Options::plain(scheme) });
        stage.import(&packaged);
        let printed = run::output_of(&mut stage.player(&[], "first", &packaged.video));
        assert!(printed.matches("license acquired: ").count() > 2, "{scheme}: {printed}");
        stage.expect_frames(&packaged.video, &picture);
        stage.expect_frames(&packaged.audio, &tone);
    }
}

#[test]
fn webm_and_progressive_files_play_like_the_clear_source() {
    let Some(stage) = set() else { return };
    let (picture, tone) = stage.media.clear_webm();
    let (picture, tone) = (stage.clear_frames(&picture, 0), stage.clear_frames(&tone, 0));
    for (name, clear_lead) in [("whole", false), ("lead", true)] {
        let packaged = stage.media.shaka_webm(name, Options { clear_lead, ..Options::plain("cenc") });
        stage.import(&packaged);
        stage.expect_frames(&packaged.video, &picture);
        stage.expect_frames(&packaged.audio, &tone);
    }
    let packaged = stage.media.ffmpeg_mp4("progressive");
    stage.import(&packaged);
    let printed = run::succeed(&mut stage.player(&[], "device", &packaged.video));
    for (stream, clear) in stage.clear_mp4().iter().enumerate() {
        expect_same(&frames(&printed, stream), clear, &packaged.video);
    }
}

#[test]
fn the_frames_are_those_that_ffmpeg_itself_decodes() {
    let Some(stage) = set() else { return };
    let mut ffmpeg = Command::new(stage.media.tools().ffmpeg());
    ffmpeg.args(["-v", "error", "-i"]).arg(stage.media.clear_mp4()).args(["-map", "0:v", "-f", "framemd5", "-"]);
    let printed = run::succeed(&mut ffmpeg);
    let listed = printed.lines().filter(|line| !line.starts_with('#'));
    let hashes: Vec<String> = listed.map(|line| line.rsplit(", ").next().unwrap().trim().to_owned()).collect();
    assert_eq!(hashes, stage.clear_frames(&stage.media.clear_mp4(), 0));
}

#[test]
fn a_missing_license_is_named_acquired_and_then_used_offline() {
    let Some(stage) = set() else { return };
    let packaged = stage.media.shaka_mp4("plain", Options::plain("cenc"));

    let printed = expect_refusal(&mut stage.offline_player("device", &packaged.video));
    assert!(
        printed.contains("WM_E_LICENSE_REQUIRED") && printed.contains("what helps: acquire a license"),
        "{printed}"
    );
    // The service does not know the content yet.
    let printed = expect_refusal(&mut stage.player(&[], "device", &packaged.video));
    assert!(printed.contains("WM_E_LICENSE_UNAVAILABLE"), "{printed}");

    stage.import(&packaged);
    let printed = run::output_of(&mut stage.player(&[], "device", &packaged.video));
    let at = |text: &str| printed.find(text).unwrap_or_else(|| panic!("no {text} in {printed}"));
    assert!(at("WM_E_LICENSE_REQUIRED") < at("license acquired: "), "{printed}");
    let printed = run::succeed(&mut stage.offline_player("device", &packaged.video));
    expect_same(&frames(&printed, 0), &stage.clear_mp4()[0], &packaged.video);
}

#[test]
fn another_authority_is_not_trusted() {
    let Some(stage) = set() else { return };
    let packaged = stage.media.shaka_mp4("plain", Options::plain("cbcs"));
    stage.import(&packaged);
    let mut command = run::limited([stage.path("play_ffmpeg").to_str().unwrap()]);
    command.arg(stage.path("device")).arg("A".repeat(43) + "=").args([&stage.service.url, &stage.service.token]);
    let printed = expect_refusal(command.arg(&packaged.video));
    assert!(printed.contains("WM_E_AUTHORITY_NOT_TRUSTED"), "{printed}");
}

#[test]
fn playing_is_clean_under_valgrind() {
    let Some(stage) = set() else { return };
    if !run::has_tool("valgrind") {
        return;
    }
    let packaged = stage.media.shaka_mp4("rotating", Options { rotation: true, ..Options::plain("cbcs") });
    stage.import(&packaged);
    let valgrind =
        ["valgrind", "--quiet", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite"];
    run::succeed(stage.player(&valgrind, "device", &packaged.audio).arg("--out").arg(stage.path("copy.mp4")));
}

#[test]
fn a_damaged_file_ends_with_a_message() {
    let Some(stage) = set() else { return };
    let packaged = stage.media.shaka_mp4("rotating", Options { rotation: true, ..Options::plain("cbcs") });
    stage.import(&packaged);
    let whole = std::fs::read(&packaged.video).unwrap();
    let damaged: PathBuf = stage.path("damaged.mp4");
    // Sizes and counts of the boxes that the groups are read from, each made as large as it can be.
    for name in [b"moof", b"traf", b"sgpd", b"sbgp", b"tfhd"] {
        let at = whole.windows(4).position(|four| four == name).unwrap();
        let mut bytes = whole.clone();
        bytes[at - 4..at].fill(0xFE);
        std::fs::write(&damaged, bytes).unwrap();
        let printed = run::fail(&mut stage.player(&[], "device", &damaged));
        assert!(printed.contains("damaged.mp4: "), "{printed}");
    }
    let printed = run::fail(&mut stage.player(&[], "device", &root().join("tests/data/media/ffmpeg-cenc-frag.mp4")));
    assert!(printed.contains("stream 0: WM_E_INVALID_DATA: It is not known how a sample is encrypted"), "{printed}");
}

/// Runs a player that must be refused a license, and answers its last line.
fn expect_refusal(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{command:?}: {printed}");
    printed.lines().last().unwrap_or_default().to_owned()
}
