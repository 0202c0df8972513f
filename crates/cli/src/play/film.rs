//! A licensed file as a player may have it: the clear view, and what decrypts its samples. Nothing is sent here.

use crate::failure::Failure;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use wmlicense_core::client::Client;
use wmlicense_core::decryptor::{Decryptor, UseError};
use wmlicense_core::rights::action::PLAY;
use wmlicense_core::rights::{Application, Refusal};
use wmlicense_media::cenc::SampleInfo;
use wmlicense_media::{ClearError, ClearReader, ClearView, HeaderError};
use wmlicense_wire::id::Kid;

/// An open file with a decryptor for each of its keys. The first sample of a key counts as its use, once for all readers.
pub(super) struct Film {
    path: PathBuf,
    file: Arc<Mutex<File>>,
    view: ClearView,
    client: Arc<Client>,
    uses: Vec<Use>,
}

/// The use of one key.
struct Use {
    kid: Kid,
    decryptor: Decryptor,
    /// Set when the first sample is clear and its conditions were judged: why other licenses could not be used then.
    began: OnceLock<Vec<Refusal>>,
}

impl Film {
    /// Opens a file whose licenses permit to play it on outputs that nobody protects.
    pub(super) fn open(client: &Arc<Client>, path: &Path) -> Result<Self, Failure> {
        let unreadable = |error: &io::Error| Failure::of_file(path, error, "give a media file that you may read");
        let file = File::open(path).map_err(|error| unreadable(&error))?;
        let file = Arc::new(Mutex::new(file));
        let view = ClearView::read(Shared::new(&file)).map_err(|error| match error {
            HeaderError::Io(error) => unreadable(&error),
            error => {
                let sentence = format!("{}: there is no clear view of it: {error}", path.display());
                Failure::new(sentence, "play it in an application that uses the library, or by its GStreamer element")
            }
        })?;
        if view.kids().is_empty() {
            let sentence = format!("{}: nothing in it is protected", path.display());
            return Err(Failure::new(sentence, "give the file itself to the player"));
        }
        let mut uses = Vec::new();
        for kid in view.kids() {
            check_outputs(client, *kid)?;
            let decryptor = Decryptor::create(client, *kid, PLAY, &Application::default());
            let decryptor = decryptor.map_err(|error| about(*kid, error))?;
            uses.push(Use { kid: *kid, decryptor, began: OnceLock::new() });
        }
        Ok(Self { path: path.to_path_buf(), file, view, client: Arc::clone(client), uses })
    }

    /// Whether the film may be given to somebody who asks anew. Counts nothing: of a use that began, only the count that it
    /// has paid may be gone.
    pub(super) fn judge(&self) -> Result<(), Failure> {
        for one in &self.uses {
            check_outputs(&self.client, one.kid)?;
            let began = one.began.get();
            let is_known = |refusal: &Refusal| {
                began.is_some_and(|before| *refusal == Refusal::Exhausted || before.contains(refusal))
            };
            let refusal = refusals(&self.client, one.kid)?.into_iter().find(|refusal| !is_known(refusal));
            refusal.map_or(Ok(()), |refusal| Err(about(one.kid, UseError::Refused(refusal))))?;
        }
        Ok(())
    }

    /// Whether a part that was begun may still be given, behind its end too where the policy says so. Counts nothing.
    pub(super) fn goes_on(&self) -> Result<(), Failure> {
        self.uses.iter().try_for_each(|one| one.decryptor.goes_on().map_err(|error| about(one.kid, error)))
    }

    /// Bytes of the file.
    pub(super) fn length(&self) -> u64 {
        self.view.length()
    }

    /// The ending of the file's name, where it may stand in a URL.
    pub(super) fn ending(&self) -> &str {
        let ending = self.path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let is_plain = (1..=4).contains(&ending.len()) && ending.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if is_plain { ending } else { "mp4" }
    }

    pub(super) fn reader(&self) -> FilmReader<'_> {
        FilmReader { film: self, reader: ClearReader::new(&self.view, Shared::new(&self.file)) }
    }
}

impl Use {
    /// The first sample chooses among the licenses that are there then, so their conditions are judged behind it: before that
    /// no byte may be given away.
    fn decrypt(&self, client: &Client, info: &SampleInfo<'_>, data: &mut [u8]) -> Result<(), Failure> {
        self.decryptor.decrypt(info, data).map_err(|error| about(self.kid, error))?;
        if self.began.get().is_none() {
            check_outputs(client, self.kid)?;
            // Another reader may have been first.
            let _ = self.began.set(refusals(client, self.kid)?);
        }
        Ok(())
    }
}

/// The action must not want outputs protected by any license that may be chosen for it: behind the bridge nobody protects them.
fn check_outputs(client: &Client, kid: Kid) -> Result<(), Failure> {
    if !client.query_protected_outputs(kid, PLAY)? {
        return Ok(());
    }
    let sentence =
        format!("a license for key ID {kid} demands protected outputs, and a stream to another program has none");
    let remedy = "play it in an application that protects its outputs, or ask the issuer for other terms";
    Err(Failure::new(sentence, remedy))
}

fn refusals(client: &Client, kid: Kid) -> Result<Vec<Refusal>, Failure> {
    Ok(client.query_allowed(kid, PLAY, &Application::default())?)
}

fn about(kid: Kid, error: UseError) -> Failure {
    let mut failure = Failure::from(error);
    failure.sentence = format!("key ID {kid}: {}", failure.sentence);
    failure
}

/// Reads one part of a film after another.
pub(super) struct FilmReader<'f> {
    film: &'f Film,
    reader: ClearReader<'f, Shared>,
}

impl FilmReader<'_> {
    /// Fills `buffer` with the clear bytes from `offset` on. On a failure nothing of it may be given away; it holds zeros.
    pub(super) fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), Failure> {
        let film = self.film;
        let mut failed = None;
        let result = self.reader.read_at(offset, buffer, |kid, info, data| {
            // The view names no other key.
            let known = film.uses.iter().find(|known| known.kid == kid).ok_or(())?;
            known.decrypt(&film.client, info, data).map_err(|failure| failed = Some(failure))
        });
        match result {
            Ok(()) => Ok(()),
            Err(ClearError::Io(error)) => {
                Err(Failure::of_file(&film.path, &error, "see whether the file is still there"))
            }
            Err(error @ ClearError::Truncated { .. }) => {
                Err(Failure::new(format!("{}: {error}", film.path.display()), "get the whole file"))
            }
            Err(ClearError::Decrypt { .. }) => Err(failed.unwrap_or_else(Failure::internal)),
        }
    }
}

/// The open file with a place of its own.
struct Shared {
    file: Arc<Mutex<File>>,
    place: u64,
}

impl Shared {
    fn new(file: &Arc<Mutex<File>>) -> Self {
        Self { file: Arc::clone(file), place: 0 }
    }
}

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.place))?;
        let count = file.read(buffer)?;
        self.place = self.place.saturating_add(count as u64);
        Ok(count)
    }
}

impl Seek for Shared {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.place = match to {
            SeekFrom::Start(place) => place,
            // Relative to where this reader is, not to where another one left the file.
            SeekFrom::Current(by) => self.place.saturating_add_signed(by),
            SeekFrom::End(_) => self.file.lock().unwrap_or_else(PoisonError::into_inner).seek(to)?,
        };
        Ok(self.place)
    }
}
