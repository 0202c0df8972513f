//! `wmlicense play`: one licensed file for one local player, which reads the clear bytes from a URL on the loopback interface.
//! What the bytes are is in `play/film.rs`, who may have them in `play/bridge.rs`; nothing clear is written anywhere.

mod answer;
mod bridge;
mod film;
mod peer;
mod player;
mod processes;
mod request;
mod terminal;

use crate::exit::Code;
use crate::failure::Failure;
use crate::open;
use crate::output::Output;
use crate::settings::{Common, Settings, StoreOptions};
use bridge::{Bridge, IDLE};
use clap::ValueHint;
use film::Film;
use player::Player;
use serde_json::{Value, json};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use terminal::Terminal;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    store: StoreOptions,
    /// The protected MP4.
    #[arg(value_hint = ValueHint::FilePath)]
    file: PathBuf,
    /// The player with its words, after `--`. `{}` in them becomes the URL; where there is none, the URL comes last. Without a
    /// player the URL is printed, for the first one that asks; with --json as one JSON object, and with a player only a failure is.
    #[arg(last = true, value_name = "PLAYER", value_hint = ValueHint::CommandWithArguments)]
    player: Vec<OsString>,
}

/// Why the bridge ends.
enum End {
    /// A signal of this number came.
    Signal(u8),
    /// The player ended with this exit code.
    Player(u8),
    /// The client that was not started here is done.
    Done,
    /// Bytes of the file cannot be given.
    Failed(Failure),
}

pub(crate) fn run(arguments: &Arguments, common: &Common) -> Result<Output, Failure> {
    let client = open::open(&Settings::of_store(common, &arguments.store)?)?;
    let film = Arc::new(Film::open(&client, &arguments.file)?);
    let (events, ends) = channel();
    let bridge = Bridge::start(film, events.clone())?;
    let terminal = Arc::new(Terminal::keep());
    let started = Arc::new(OnceLock::new());
    listen(events.clone(), Arc::clone(&terminal), Arc::clone(&started));
    let code = match arguments.player.split_first() {
        None => serve(&bridge, &ends, common.json)?,
        Some((program, words)) => {
            let player = bridge.start_player(|url| Player::start(program, words, url, events))?;
            let code = play(started.get_or_init(|| player), &ends);
            restore(&terminal);
            code?
        }
    };
    Ok(Output { text: String::new(), json: Value::Null, code })
}

fn restore(terminal: &Option<Terminal>) {
    terminal.iter().for_each(Terminal::restore);
}

/// From here on signals end the bridge; a second one ends it at once, with the player.
fn listen(events: Sender<End>, terminal: Arc<Option<Terminal>>, player: Arc<OnceLock<Player>>) {
    // Without it a signal ends the program at once; then the player finds its source gone.
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) else { return };
    let tell = move || {
        for (number, signal) in signals.forever().enumerate() {
            let signal = u8::try_from(signal).unwrap_or(0);
            if number > 0 || events.send(End::Signal(signal)).is_err() {
                player.get().into_iter().for_each(Player::kill);
                restore(&terminal);
                std::process::exit(Code::Signal(signal).number().into());
            }
        }
    };
    let _ = std::thread::Builder::new().name("wmlicense-signals".to_owned()).spawn(tell);
}

/// Serves whoever comes first, until it is done.
fn serve(bridge: &Bridge, ends: &Receiver<End>, as_json: bool) -> Result<Code, Failure> {
    let url = bridge.url();
    let line = if as_json { json!({ "url": url }).to_string() } else { url };
    let unheard = |error: io::Error| Failure::new(format!("the URL cannot be printed: {error}"), "");
    writeln!(io::stdout(), "{line}").and_then(|()| io::stdout().flush()).map_err(unheard)?;
    let until = IDLE.as_secs();
    // Who does not see this line has the URL.
    let _ = writeln!(
        io::stderr(),
        "serving one player on this machine; ends {until} seconds after its last connection, or with Ctrl-C"
    );
    let mut failure = None;
    loop {
        match ends.recv() {
            Ok(End::Signal(signal)) => return Ok(Code::Signal(signal)),
            // What runs still comes to its end.
            Ok(End::Failed(failed)) => failure = failure.or(Some(failed)),
            Ok(End::Done | End::Player(_)) | Err(_) => return failure.map_or(Ok(Code::Done), Err),
        }
    }
}

/// Waits for the player. What it could not be given is told when it has ended.
fn play(player: &Player, ends: &Receiver<End>) -> Result<Code, Failure> {
    let mut failure = None;
    loop {
        match ends.recv() {
            Ok(End::Failed(failed)) => failure = failure.or(Some(failed)),
            Ok(End::Player(code)) => {
                return match failure {
                    Some(failure) => Err(failure),
                    None => Ok(Code::Player(code)),
                };
            }
            Ok(End::Signal(signal)) => {
                player.end(ends);
                return Ok(Code::Signal(signal));
            }
            Ok(End::Done) => {}
            Err(_) => return Err(Failure::internal()),
        }
    }
}
