//! Serves a film to one player on this machine, from a path that nobody can guess. The words of requests and answers are in
//! `request.rs` and `answer.rs`, who a connection belongs to in `peer.rs`.

use super::End;
use super::answer::{Answer, Place, answer};
use super::film::Film;
use super::peer::{self, Peer};
use super::player::Player;
use super::processes;
use super::request::{NoRequest, Requests};
use crate::failure::Failure;
use std::io::{self, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A client that was not started here is done when it has had no connection for so long.
pub(super) const IDLE: Duration = Duration::from_secs(10);
/// Connections at once. A player that seeks opens another one before it closes the last.
const CONNECTION_LIMIT: usize = 16;
/// How long nothing is accepted after that failed, and between two looks for somebody.
const PAUSE: Duration = Duration::from_millis(200);
/// How long nothing passes on a connection before it is looked at whether there is still somebody.
const SILENCE: Duration = Duration::from_secs(5);
/// Looks that find nobody before somebody is gone.
const LOOKS: usize = 3;
/// Random bytes of the path.
const SECRET: usize = 24;
/// Bytes that are made clear at once.
const PART: usize = 256 << 10;

/// A running bridge. It ends with the process.
pub(super) struct Bridge {
    shared: Arc<Shared>,
}

struct Shared {
    film: Arc<Film>,
    place: Place,
    here: SocketAddr,
    players: Mutex<Players>,
    changed: Condvar,
    events: Mutex<Sender<End>>,
}

/// Who may have the film.
#[derive(Default)]
struct Players {
    /// The process that is the player, with those that it starts: the one that was started here, or else the first that
    /// asked.
    process: Option<u32>,
    /// Connections of anybody, and those of the player among them.
    connections: usize,
    of_player: usize,
    /// The player had one.
    began: bool,
    /// Nothing more can be given: the answers that run are the last ones.
    is_over: bool,
}

impl Bridge {
    pub(super) fn start(film: Arc<Film>, events: Sender<End>) -> Result<Self, Failure> {
        let no_place = |error: io::Error| Failure::new(format!("the bridge cannot listen: {error}"), "try again");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(no_place)?;
        let here = listener.local_addr().map_err(no_place)?;
        let place = Place {
            host: here.to_string(),
            path: format!("/{}/film.{}", secret()?, film.ending()),
            length: film.length(),
        };
        let (players, changed) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { film, place, here, players, changed, events: Mutex::new(events) });
        let (accepting, watching) = (Arc::clone(&shared), Arc::clone(&shared));
        spawn("wmlicense-accept", move || accepting.accept(&listener)).map_err(no_place)?;
        spawn("wmlicense-idle", move || watching.watch()).map_err(no_place)?;
        Ok(Self { shared })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}{}", self.shared.place.host, self.shared.place.path)
    }

    /// Starts the player, which nobody can come before.
    pub(super) fn start_player(&self, start: impl FnOnce(&str) -> Result<Player, Failure>) -> Result<Player, Failure> {
        let mut players = self.shared.players();
        let player = start(&self.url())?;
        players.process = Some(player.process());
        Ok(player)
    }
}

/// Random letters, of which a page that guesses for a year finds none.
fn secret() -> Result<String, Failure> {
    use base64::Engine as _;
    let mut bytes = [0; SECRET];
    let none = |_| Failure::new("the system gives no random bytes", "try again when the system has started");
    getrandom::fill(&mut bytes).map_err(none)?;
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

impl Shared {
    fn players(&self) -> MutexGuard<'_, Players> {
        self.players.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, end: End) {
        // Nobody listens any more where the program is about to end.
        let _ = self.events.lock().unwrap_or_else(PoisonError::into_inner).send(end);
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            let Ok(stream) = stream else {
                // Without descriptors there is nothing to do until a connection closes.
                let _ = self.changed.wait_timeout(self.players(), PAUSE);
                continue;
            };
            let mut players = self.players();
            if players.connections >= CONNECTION_LIMIT {
                continue;
            }
            players.connections += 1;
            drop(players);
            let shared = Arc::clone(self);
            let serve = move || {
                let of_player = shared.serve(stream);
                let mut players = shared.players();
                players.connections -= 1;
                players.of_player -= usize::from(of_player);
                shared.changed.notify_all();
            };
            if spawn("wmlicense-serve", serve).is_err() {
                self.players().connections -= 1;
            }
        }
    }

    /// Tells when the player has had no connection for long enough.
    fn watch(&self) {
        let mut players = self.players();
        loop {
            let is_served = |players: &mut Players| !players.began || players.of_player > 0;
            players = self.changed.wait_while(players, is_served).unwrap_or_else(PoisonError::into_inner);
            let idle = if players.is_over { Duration::ZERO } else { IDLE };
            let waited = self.changed.wait_timeout_while(players, idle, |players| players.of_player == 0);
            let result;
            (players, result) = waited.unwrap_or_else(PoisonError::into_inner);
            if result.timed_out() {
                return self.tell(End::Done);
            }
        }
    }

    /// Serves one connection to its end. Answers whether it was counted as the player's.
    fn serve(&self, mut stream: TcpStream) -> bool {
        let mut of_player = false;
        // An error is the end of the connection, whoever made it.
        let _ = self.converse(&mut stream, &mut of_player);
        let _ = stream.shutdown(Shutdown::Both);
        of_player
    }

    fn converse(&self, stream: &mut TcpStream, of_player: &mut bool) -> io::Result<()> {
        let peer = peer::of(stream.peer_addr()?, self.here);
        // Another user of this machine, somebody who hides, or nobody any more.
        if matches!(peer, Peer::Stranger | Peer::Untold) {
            return Ok(());
        }
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(SILENCE))?;
        let mut requests = Requests::new();
        loop {
            if *of_player && requests.is_empty() {
                self.await_more(stream)?;
            }
            let (found, is_head, closes) = match requests.next(stream) {
                Err(NoRequest::Gone) => return Ok(()),
                Err(NoRequest::TooLong) => (Answer::HeadTooLong, false, true),
                Err(NoRequest::Malformed) => (Answer::Malformed, false, true),
                Ok(request) => (answer(&request, &self.place), request.method == "HEAD", request.closes),
            };
            let knows_path = matches!(found, Answer::Whole | Answer::Part(_) | Answer::Outside);
            let found = if knows_path && !*of_player && !self.admit(&peer) { Answer::NotThePlayer } else { found };
            let is_player = knows_path && found != Answer::NotThePlayer;
            *of_player |= is_player;
            let found = if is_player { self.judged(found) } else { found };
            let closes = closes || found.closes();
            self.send(stream, &found, is_head, closes)?;
            if closes {
                return Ok(());
            }
        }
    }

    /// A request begins anew with a right that may be over meanwhile, while answers that run go on as the policy says.
    fn judged(&self, found: Answer) -> Answer {
        let Err(failure) = self.film.judge() else { return found };
        self.players().is_over = true;
        self.tell(End::Failed(failure));
        Answer::Unavailable
    }

    /// Whether a connection is the player's. The first process that comes with the path is the player where none was started.
    fn admit(&self, peer: &Peer) -> bool {
        let mut players = self.players();
        let is_player = match (peer, players.process) {
            (Peer::Processes(all), None) => {
                players.process = all.first().copied();
                true
            }
            _ => players.include(peer),
        };
        if is_player {
            players.of_player += 1;
            players.began = true;
            self.changed.notify_all();
        }
        is_player
    }

    /// Waits for the next request. A player that pauses may be silent for as long as it likes.
    fn await_more(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(SILENCE))?;
        while let Err(error) = stream.peek(&mut [0]) {
            if is_silence(&error)? {
                self.look_for_player(stream)?;
            }
        }
        Ok(())
    }

    /// A connection whose other end nobody has open is at its end: a process closes what it has when it ends, but a socket can be on
    /// its way to another one for ever. Who has it now got it from the player. One look may miss a process that is there.
    fn look_for_player(&self, stream: &TcpStream) -> io::Result<()> {
        let there = stream.peer_addr()?;
        for look in 0..LOOKS {
            if look > 0 {
                std::thread::sleep(PAUSE);
            }
            if !matches!(peer::of(there, self.here), Peer::Stranger) {
                return Ok(());
            }
        }
        Err(io::ErrorKind::NotConnected.into())
    }

    /// Writes all, to a player that pauses too. It is waited for while it is there and its right goes on.
    fn write(&self, stream: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match stream.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) => {
                    if is_silence(&error)? {
                        self.film.goes_on().or_else(|failure| self.ends(failure))?;
                        self.look_for_player(stream)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Nothing of the film can be given any more.
    fn ends(&self, failure: Failure) -> io::Result<()> {
        self.players().is_over = true;
        self.tell(End::Failed(failure));
        Err(io::Error::other("the film ends here"))
    }

    fn send(&self, stream: &mut TcpStream, found: &Answer, is_head: bool, closes: bool) -> io::Result<()> {
        let length = self.place.length;
        let bytes = found.bytes(length);
        if is_head || bytes.is_empty() {
            return self.write(stream, found.head(length, closes).as_bytes());
        }
        let mut reader = self.film.reader();
        let mut buffer = vec![0; PART];
        let (mut at, mut has_head) = (bytes.start, false);
        while at < bytes.end {
            let count = usize::try_from(bytes.end - at).unwrap_or(PART).min(PART);
            let part = buffer.get_mut(..count).unwrap_or_default();
            if let Err(failure) = reader.read_at(at, part) {
                // Once bytes were promised, only a connection that ends before them says that they do not come.
                let refused = if has_head { String::new() } else { Answer::Unavailable.head(length, true) };
                let sent = stream.write_all(refused.as_bytes()).and_then(|()| stream.shutdown(Shutdown::Both));
                return self.ends(failure).and(sent);
            }
            if !has_head {
                self.write(stream, found.head(length, closes).as_bytes())?;
                has_head = true;
            }
            self.write(stream, part)?;
            at += count as u64;
        }
        Ok(())
    }
}

impl Players {
    /// Whether a connection is of the process that is the player, or of one that it started.
    fn include(&self, peer: &Peer) -> bool {
        match (peer, self.process) {
            (Peer::Stranger | Peer::Untold, _) | (Peer::Processes(_), None) => false,
            // Where the system has no list of connections, the path alone tells.
            (Peer::Unknown, _) => true,
            (Peer::Processes(all), Some(process)) => all.iter().any(|one| processes::is_within(*one, process)),
        }
    }
}

/// Of an error on a connection: whether nothing passed for as long as is waited. What only has to be tried again is none, and any
/// other is the connection's end.
fn is_silence(error: &io::Error) -> io::Result<bool> {
    match error.kind() {
        io::ErrorKind::Interrupted => Ok(false),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Ok(true),
        kind => Err(kind.into()),
    }
}
