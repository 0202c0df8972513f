//! The bridge: players that Debian has play through it what they would play of the clear file, and nobody else gets a byte.

mod running;
mod silence;

use super::program::Machine;
use super::terminal::Terminal;
use running::{Running, answers_ranges, refuses_strangers};
use std::io::{BufRead as _, BufReader, Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use wmlicense_media::cenc::SampleCipher;
use wmlicense_media::{ClearReader, ClearView, ContentHeader, SampleReader};
use wmlicense_testkit::c::service::Service;
use wmlicense_testkit::{root, run, skip};

/// The key of the small reported files.
const REPORTED: &str = "11111111222233334444555555555501,0102030405060708090a0b0c0d0e0f10,Reported\n";

fn media(name: &str) -> PathBuf {
    root().join("tests/data/media").join(name)
}

fn reported() -> PathBuf {
    root().join("tests/data/reported/G1s-senc-only-no-saiz.mp4")
}

/// A machine with the licenses of the media files, or with that of the reported ones on these terms.
fn licensed(terms: Option<&str>) -> (Service, Machine) {
    let service = Service::start();
    let machine = Machine::of(&service);
    if let Some(terms) = terms {
        service.import(REPORTED, terms);
    }
    let film = if terms.is_some() { reported() } else { media("packager-cenc-video.mp4") };
    machine.run(&["acquire", "--individualize", film.to_str().unwrap()]).ended(0);
    (service, machine)
}

/// Whether Debian's players are there. They want one dash.
fn has_players() -> bool {
    let has = |name: &str| Command::new(name).arg("-version").output().is_ok_and(|output| output.status.success());
    let found = has("ffmpeg") && has("ffplay");
    if !found {
        skip("ffmpeg and ffplay are missing: run ci/install.sh");
    }
    found
}

/// `wmlicense play` on a file, with a player after it.
fn play(machine: &Machine, film: &Path, player: &[&str]) -> Command {
    let mut words = vec!["play", film.to_str().unwrap()];
    if !player.is_empty() {
        words.push("--");
        words.extend(player);
    }
    machine.command(&words)
}

/// The hash of each frame of a file's picture, or of a stream of this kind.
fn frames(printed: &str) -> Vec<String> {
    let lines = printed.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit(", ").next()).map(|hash| hash.trim().to_owned()).collect()
}

const HASHES: [&str; 8] = ["ffmpeg", "-v", "error", "-nostdin", "-i", "{}", "-map", "0:v"];

#[test]
fn ffmpeg_finds_the_frames_of_the_clear_file() {
    if !has_players() {
        return;
    }
    let (_service, machine) = licensed(None);
    let (source, more) = (media("src.mp4"), ["-f", "framemd5", "-"]);
    let mut clear = Command::new("ffmpeg");
    clear.args(["-v", "error", "-nostdin", "-i"]).arg(&source).args(["-map", "0:v"]).args(more);
    let clear = frames(&run::succeed(&mut clear));
    assert_eq!(clear.len(), 20);
    let schemes = ["cenc", "cens", "cbc1", "cbcs"].map(|scheme| format!("packager-{scheme}-video.mp4"));
    for name in schemes.iter().map(String::as_str).chain(["ffmpeg-cenc-prog.mp4"]) {
        let mut command = play(&machine, &media(name), &[&HASHES[..], &more].concat());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{name}: {said}");
        assert_eq!(frames(&String::from_utf8_lossy(&output.stdout)), clear, "{name}");
    }
}

#[test]
fn ffplay_plays_to_the_end() {
    if !has_players() {
        return;
    }
    let (_service, machine) = licensed(None);
    // One seek into it, which is another connection; the second one of two files has both a picture and a tone.
    for (name, words) in [("packager-cbcs-video.mp4", &["-ss", "0.4"][..]), ("ffmpeg-cenc-prog.mp4", &[])] {
        let player = [&["ffplay", "-v", "error", "-autoexit"][..], words].concat();
        let mut command = play(&machine, &media(name), &player);
        command.env("SDL_VIDEODRIVER", "dummy").env("SDL_AUDIODRIVER", "dummy");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{name}: {output:?}");
        assert!(!String::from_utf8_lossy(&output.stderr).contains("rror"), "{name}: {output:?}");
    }
}

#[test]
fn ranges_are_parts_of_one_clear_file_and_who_is_not_the_player_gets_none() {
    let (_service, machine) = licensed(None);
    let film = media("packager-cbcs-video.mp4");
    let bridge = Running::start(&mut play(&machine, &film, &[]));
    assert!(bridge.host.starts_with("127.0.0.1:") && bridge.path.len() > 32 && bridge.path.ends_with("/film.mp4"));
    // A head that never ends: its sender is left when the patience is over.
    let mut slow = bridge.connect();
    slow.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
    refuses_strangers(&bridge);

    let (head, whole) = bridge.ask("GET", "");
    let length = std::fs::metadata(&film).unwrap().len();
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains(&format!("Content-Length: {length}\r\n")), "{head}");
    assert!(head.contains("Accept-Ranges: bytes\r\n") && !head.contains("Access-Control"), "{head}");
    assert!(!ContentHeader::parse(&whole).unwrap().is_protected());
    let samples = |bytes: &[u8], track| {
        let reader = SampleReader::read(Cursor::new(bytes), track).unwrap();
        let all = reader.samples().flat_map(|one| &bytes[one.offset as usize..][..one.size as usize]);
        all.copied().collect::<Vec<u8>>()
    };
    let clear = std::fs::read(media("src.mp4")).unwrap();
    assert_eq!(samples(&whole, ContentHeader::parse(&whole).unwrap().tracks()[0].id), samples(&clear, 1));
    answers_ranges(&bridge, &whole);

    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest);
    assert!(rest.is_empty());
    // Nobody has a connection any more.
    let output = bridge.ended();
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
}

#[test]
fn who_comes_second_with_the_path_is_refused() {
    let (_service, machine) = licensed(None);
    let bridge = Running::start(&mut play(&machine, &media("packager-cenc-video.mp4"), &[]));
    let (host, port) = bridge.host.split_once(':').unwrap();
    let script = format!("exec 3<>/dev/tcp/{host}/{port}; printf '%s' \"$0\" >&3; head -n 1 <&3; cat");
    let request = bridge.request("GET", "Range: bytes=0-0\r\n").replace("Connection: close\r\n", "");
    let mut first = Command::new("bash");
    let mut first = first.args(["-c", &script, &request]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(first.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 206 Partial Content\r\n");
    let (head, body) = bridge.ask("GET", "");
    assert!(head.starts_with("HTTP/1.1 403 ") && body.is_empty(), "{head}");
    drop(first.stdin.take());
    first.wait().unwrap();
}

/// A player that prints its URL, and ends with its input.
const WAITS: [&str; 4] = ["sh", "-c", "echo \"$1\"; cat; exit 7", "sh"];

#[test]
fn the_bridge_serves_only_the_player_that_it_started_and_ends_with_it() {
    let (_service, machine) = licensed(None);
    let film = media("packager-cenc-video.mp4");
    let mut bridge = Running::start(&mut play(&machine, &film, &WAITS));
    // The right path, from this machine and user, and yet not the player.
    let (head, body) = bridge.ask("GET", "");
    assert!(head.starts_with("HTTP/1.1 403 ") && body.is_empty(), "{head}");
    drop(bridge.input.take());
    let output = bridge.ended();
    assert_eq!(output.status.code(), Some(7), "{output:?}");

    let ran = machine.run(&["play", film.to_str().unwrap(), "--", "/nowhere/a player"]).ended(1);
    assert!(ran.err.contains("/nowhere/a player cannot be started") && ran.err.contains("help: "), "{}", ran.err);
}

#[test]
fn the_player_does_not_learn_the_account_token() {
    let (_service, machine) = licensed(None);
    let token = machine.file("token", "s3cret");
    let film = media("packager-cenc-video.mp4");
    for (name, value) in [("WMLICENSE_TOKEN", "s3cret"), ("WMLICENSE_TOKEN_FILE", &token)] {
        let mut command = play(&machine, &film, &["sh", "-c", "env"]);
        let said = run::succeed(command.env(name, value).env("OF_THE_USER", "kept"));
        assert!(said.contains("OF_THE_USER=kept") && !said.contains("WMLICENSE_TOKEN"), "{said}");
    }
}

#[test]
fn the_terminal_is_as_it_was_whatever_ends_the_player() {
    let (_service, machine) = licensed(None);
    let film = media("packager-cenc-video.mp4");
    // One that ends when it is told to, and one that only a second signal to the bridge ends.
    for (trap, is_stubborn) in [("", false), ("trap 'echo told' TERM; ", true)] {
        let player = format!("{trap}stty -echo; echo bridge $PPID player $$ quiet; while :; do read -r _; done");
        let words = ["play", film.to_str().unwrap(), "--", "sh", "-c", &player];
        let prepare = |setsid| machine.prepared(super::program::cleared(setsid), &[]);
        let mut terminal = Terminal::start(prepare, &words);
        let shown = terminal.shows(" quiet").to_owned();
        let number = |name: &str| shown.split(name).nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
        let (bridge, player) = (number("bridge "), number("player "));
        assert!(!terminal.echoes());
        let end = || run::succeed(Command::new("kill").args(["-TERM", &bridge]));
        end();
        if is_stubborn {
            terminal.shows("told");
            end();
        }
        terminal.shows("ended: 143");
        assert!(terminal.echoes(), "{trap}");
        let status = std::fs::read_to_string(format!("/proc/{player}/status")).unwrap_or_default();
        assert!(status.is_empty() || status.contains("State:\tZ"), "{status}");
        terminal.closes();
    }
}

#[test]
fn a_signal_ends_bridge_and_player() {
    let (_service, machine) = licensed(None);
    let player = ["sh", "-c", "echo \"$1\"; echo $$; exec cat", "sh"];
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let mut bridge = Running::start(&mut play(&machine, &media("packager-cenc-video.mp4"), &player));
        let mut process = String::new();
        bridge.out.read_line(&mut process).unwrap();
        let process = Path::new("/proc").join(process.trim());
        assert!(process.exists());
        run::succeed(Command::new("kill").args([signal, &bridge.child.id().to_string()]));
        let output = bridge.ended();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        // Its parent has waited for it.
        assert!(!process.exists(), "{signal}");
    }
}

/// A shell that waits for a player passes nothing on.
#[test]
fn a_signal_ends_what_the_player_started_as_well() {
    let (_service, machine) = licensed(None);
    let player = ["sh", "-c", "echo \"$1\"; tail -f /dev/null & echo $!; wait", "sh"];
    let mut bridge = Running::start(&mut play(&machine, &media("packager-cenc-video.mp4"), &player));
    let mut process = String::new();
    bridge.out.read_line(&mut process).unwrap();
    let process = process.trim().to_owned();
    run::succeed(Command::new("kill").args(["-TERM", &bridge.child.id().to_string()]));
    let mut wait = Command::new("timeout");
    let (code, _) = run::ended(wait.args(["20", "tail", "-s", "0.1", "--pid", &process, "-f", "/dev/null"]));
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let is_over = code == Some(0) || status.contains("State:\tZ");
    if !is_over {
        run::succeed(Command::new("kill").args(["-KILL", &process]));
    }
    assert!(is_over, "{status}");
    assert_eq!(bridge.ended().status.code(), Some(143));
}

#[test]
fn what_may_not_be_bridged_is_refused_with_a_reason() {
    let play_it = |terms: &str| {
        let (_service, machine) = licensed(Some(terms));
        machine.run(&["play", reported().to_str().unwrap(), "--", "true"]).ended(1).err
    };
    let said = play_it(r#"{"actions":{"Play":{"outputProtection":"aGRjcCA+PSAy"}},"backup":true}"#);
    assert!(said.contains("demands protected outputs") && said.contains("help: play it in an application"), "{said}");
    let said = play_it(r#"{"actions":{"Copy":{}},"backup":true}"#);
    assert!(said.contains("key ID 11111111222233334444555555555501: ") && said.contains("help: "), "{said}");

    let (_service, machine) = licensed(None);
    for (name, reason) in [
        ("src.mp4", "nothing in it is protected"),
        ("packager-webm-video.webm", "there is no clear view of it"),
        ("ffmpeg-cenc-frag.mp4", "no per-sample encryption data"),
        ("missing.mp4", "No such file"),
    ] {
        let ran = machine.run(&["play", media(name).to_str().unwrap()]).ended(1);
        assert!(ran.err.contains(reason) && ran.err.contains("help: ") && ran.out.is_empty(), "{name}: {}", ran.err);
    }
    let ran = machine.run(&["play", reported().to_str().unwrap()]).ended(1);
    assert!(ran.err.contains("key ID 11111111222233334444555555555501: there is no license"), "{}", ran.err);
}

#[test]
fn one_play_is_one_use_however_often_it_is_read() {
    let (_service, machine) = licensed(Some(r#"{"actions":{"Play":{"count":1}},"backup":true}"#));
    let left = || machine.json(0, &["list"])["licenses"][0]["actions"][0]["countsLeft"].clone();
    let bridge = Running::start(&mut play(&machine, &reported(), &[]));
    assert!(bridge.ask("HEAD", "").0.starts_with("HTTP/1.1 200 "));
    assert_eq!(left(), 1);
    let (first, second) = (bridge.ask("GET", ""), bridge.ask("GET", "Range: bytes=900-\r\n"));
    assert!(first.0.starts_with("HTTP/1.1 200 ") && second.0.starts_with("HTTP/1.1 206 "), "{first:?}");
    assert_eq!(left(), 0);
    drop(bridge);
    let ran = machine.run(&["play", reported().to_str().unwrap()]).ended(1);
    assert!(ran.err.contains("used up"), "{}", ran.err);
}

#[test]
fn a_license_that_ends_while_it_plays_ends_the_stream() {
    let terms = r#"{"actions":{"Play":{"secondsAfterFirstUse":1,"closeAtExpiry":true}},"backup":true}"#;
    let (_service, machine) = licensed(Some(terms));
    let bridge = Running::start(&mut play(&machine, &reported(), &[]));
    let bytes = std::fs::read(reported()).unwrap();
    let (_, whole) = bridge.ask("GET", "");
    assert!(whole.len() == bytes.len() && whole != bytes);
    let begin = Instant::now();
    let refusal = loop {
        let (head, body) = bridge.ask("GET", "Range: bytes=0-\r\n");
        if body != whole {
            assert!(body.is_empty(), "{head}");
            break head;
        }
        assert!(begin.elapsed() < Duration::from_secs(60));
    };
    assert!(refusal.starts_with("HTTP/1.1 403 "), "{refusal}");
    let output = bridge.ended();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("key ID 11111111222233334444555555555501: ") && said.contains("end"), "{said}");
}

#[test]
fn whoever_asks_anew_is_judged_anew() {
    // The policy lets an open decryptor go on; the bridge still gives nothing to a request behind the end.
    let (_service, machine) = licensed(Some(r#"{"actions":{"Play":{"secondsAfterFirstUse":1}},"backup":true}"#));
    let bridge = Running::start(&mut play(&machine, &reported(), &[]));
    assert!(bridge.ask("GET", "").0.starts_with("HTTP/1.1 200 "));
    while machine.run(&["play", reported().to_str().unwrap(), "--", "true"]).code == Some(0) {}
    let (head, body) = bridge.ask("GET", "");
    assert!(head.starts_with("HTTP/1.1 403 ") && body.is_empty(), "{head}");
    let output = bridge.ended();
    assert!(output.status.code() == Some(1) && !output.stderr.is_empty(), "{output:?}");

    // A license that is gone.
    let (_service, machine) = licensed(Some(r#"{"actions":{"Play":{}},"backup":true}"#));
    let bridge = Running::start(&mut play(&machine, &reported(), &[]));
    assert!(bridge.ask("GET", "").0.starts_with("HTTP/1.1 200 "));
    machine.run(&["give-back", "--yes", reported().to_str().unwrap()]).ended(0);
    assert!(bridge.ask("HEAD", "").0.starts_with("HTTP/1.1 403 "));
    assert_eq!(bridge.ended().status.code(), Some(1));
}

/// A film of more bytes than the system keeps between two processes, with the key of the reported files.
fn long_film(folder: &Path) -> PathBuf {
    let film = folder.join("long.mp4");
    let (kid, key) = REPORTED.split_once(',').map(|(kid, rest)| (kid, rest.split(',').next().unwrap())).unwrap();
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=25:duration=3"]);
    ffmpeg.args(["-c:v", "mjpeg", "-q:v", "1", "-pix_fmt", "yuvj444p", "-strict", "unofficial"]);
    ffmpeg.args(["-encryption_scheme", "cenc-aes-ctr", "-encryption_key", key, "-encryption_kid", kid]);
    run::succeed(ffmpeg.arg(&film));
    film
}

#[test]
fn a_stream_that_runs_when_the_license_ends_stops_short_of_its_promise() {
    if !has_players() {
        return;
    }
    let terms = r#"{"actions":{"Play":{"secondsAfterFirstUse":1,"closeAtExpiry":true}},"backup":true}"#;
    let (_service, machine) = licensed(Some(terms));
    let film = long_film(&machine.home);
    let bridge = Running::start(&mut play(&machine, &film, &[]));
    let mut stream = bridge.connect();
    stream.write_all(bridge.request("GET", "").as_bytes()).unwrap();
    let mut bytes = vec![0; 1000];
    stream.read_exact(&mut bytes).unwrap();
    // The license is over when another player is refused.
    while machine.run(&["play", film.to_str().unwrap(), "--", "true"]).code == Some(0) {}
    let _ = stream.read_to_end(&mut bytes);
    let at = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let (head, body) = (String::from_utf8_lossy(&bytes[..at]), &bytes[at..]);
    let locked = std::fs::read(&film).unwrap();
    assert!(head.contains(&format!("Content-Length: {}\r\n", locked.len())), "{head}");
    let view = ClearView::read(Cursor::new(&locked[..])).unwrap();
    let cipher = SampleCipher::new(&std::array::from_fn(|index| index as u8 + 1));
    let mut clear = vec![0; body.len()];
    let mut reader = ClearReader::new(&view, Cursor::new(&locked[..]));
    reader.read_at(0, &mut clear, |_, info, data| cipher.decrypt_in_place(info, data)).unwrap();
    assert!(body.len() < locked.len() && body == clear, "{} of {}", body.len(), locked.len());
    let output = bridge.ended();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}
