//! A web site with players and media, as small as these tests need. No test lives here.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wmlicense_testkit::root;

const SHAKA: &str = include_str!("shaka.html");
const DASH: &str = include_str!("dash.html");
const CLEAR: &str = include_str!("clear.html");
/// What all pages have: the end of a film, and a frame of its second half.
const COMMON: &str = include_str!("common.js");

/// It serves until the test ends.
pub(crate) struct Site {
    pub(crate) url: String,
}

impl Site {
    /// With the media of a folder; `None` where the players are missing.
    pub(crate) fn open(media: PathBuf) -> Option<Self> {
        let players = root().join(".tools/players/node_modules");
        if !players.join("shaka-player").exists() {
            assert!(std::env::var_os("WM_TEST_ALL_TOOLS").is_none(), "the players are missing: run ci/install.sh");
            eprintln!("skipped: shaka-player and dashjs are not in .tools; ci/install.sh puts them there");
            return None;
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let folders = Arc::new((players, media));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let folders = Arc::clone(&folders);
                // A browser that goes away in the middle is no fault.
                std::thread::spawn(move || answer(&stream, &folders.0, &folders.1));
            }
        });
        Some(Self { url })
    }
}

/// What is at a path, and its type.
fn found(path: &str, players: &Path, media: &Path) -> Option<(Vec<u8>, &'static str)> {
    let text = |text: &str, kind| Some((text.as_bytes().to_vec(), kind));
    match path {
        "/shaka.html" => text(SHAKA, "text/html"),
        "/dash.html" => text(DASH, "text/html"),
        "/clear.html" => text(CLEAR, "text/html"),
        "/common.js" => text(COMMON, "text/javascript"),
        "/shaka.js" => Some((
            std::fs::read(players.join("shaka-player/dist/shaka-player.compiled.js")).unwrap(),
            "text/javascript",
        )),
        "/dash.js" => {
            Some((std::fs::read(players.join("dashjs/dist/modern/umd/dash.all.min.js")).unwrap(), "text/javascript"))
        }
        path => {
            let name = path.strip_prefix("/media/").filter(|name| !name.contains('/'))?;
            let kind = if name.ends_with(".mpd") { "application/dash+xml" } else { "video/mp4" };
            Some((std::fs::read(media.join(name)).ok()?, kind))
        }
    }
}

/// Answers the requests of a connection, one or both bounds of a range included.
fn answer(stream: &TcpStream, players: &Path, media: &Path) -> Option<()> {
    let mut lines = BufReader::new(stream).lines();
    loop {
        let first = lines.next()?.ok()?;
        let path = first.split(' ').nth(1)?.split('?').next()?.to_owned();
        let mut range = None;
        for line in lines.by_ref() {
            let line = line.ok()?;
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("range")
            {
                let (from, to) = value.trim().strip_prefix("bytes=")?.split_once('-')?;
                range = Some((from.parse::<usize>().ok()?, to.parse::<usize>().ok()));
            }
        }
        let mut out = stream;
        let Some((bytes, kind)) = found(&path, players, media) else {
            out.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").ok()?;
            continue;
        };
        let head = match range {
            None => format!("HTTP/1.1 200 OK\r\nAccept-Ranges: bytes\r\nContent-Length: {}\r\n", bytes.len()),
            Some((from, to)) => {
                let to = to.unwrap_or(usize::MAX).min(bytes.len() - 1);
                let length = to + 1 - from;
                format!(
                    "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{to}/{}\r\nContent-Length: {length}\r\n",
                    bytes.len()
                )
            }
        };
        out.write_all(format!("{head}Content-Type: {kind}\r\nCache-Control: no-store\r\n\r\n").as_bytes()).ok()?;
        let part = match range {
            None => &bytes[..],
            Some((from, to)) => &bytes[from..=to.unwrap_or(usize::MAX).min(bytes.len() - 1)],
        };
        out.write_all(part).ok()?;
    }
}
