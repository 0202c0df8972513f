//! What the tests of the page share: a service over TLS, the owner's terms of use, and devices that ask. No test lives here.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use wmlicense_testkit::c;
use wmlicense_testkit::c::compile::{Form, compile};
use wmlicense_testkit::c::service::Service;
use wmlicense_testkit::{root, run};

/// What the page says of itself where the owner's terms of use are.
pub(crate) const TERMS_TITLE: &str = "Terms of use of the owner";
/// Titles for accounts with the scope `gold`; `dc…01` and so on.
const GOLD_TITLE: &str = "Songs of the Forest";
const GOLD_TERMS: &str = r#"{"actions":{"Play":{"count":9,"notAfter":"2090-01-01T00:00:00Z"}},"interaction":"page"}"#;
const GOLD_COUNT: u8 = 4;

/// Content that asks its user: for everybody, or for those who sign in with a token of the scope `gold`.
#[derive(Clone, Copy)]
pub(crate) enum Content {
    /// The nth of `crates/testkit/src/c/service.rs`.
    Open(u8),
    /// The nth here.
    Gold(u8),
}

/// A running service and a program for its devices.
pub(crate) struct Stage {
    pub(crate) service: Service,
    folder: TempDir,
    certificate: PathBuf,
    program: PathBuf,
}

impl Stage {
    /// `words` go to `wmlicensed serve`.
    pub(crate) fn set(words: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let (cert_word, key_word, terms) = (certificate.to_str().unwrap(), key.to_str().unwrap(), terms_of_use());
        let own = ["--tls-cert", cert_word, "--tls-key", key_word, "--terms-url", &terms];
        let service = Service::start_with(&[&own, words].concat());
        let list: String =
            (1..=GOLD_COUNT).map(|number| format!("dc{number:030x},{number:032x},{GOLD_TITLE}\n")).collect();
        service.import_for(&["--scope", "gold"], &list, GOLD_TERMS);
        let program = compile("gcc", Form::Shared, &root().join("tests/c/browser/asks.c"), folder.path());
        Self { service, folder, certificate, program }
    }

    /// A new device that asks for content and waits for its user; `returns` where the page is to lead back to it.
    pub(crate) fn device(&self, content: Content, returns: bool) -> Device {
        let (first, last) = match content {
            Content::Open(number) => ("ca", number),
            Content::Gold(number) => ("dc", number),
        };
        let store = self.folder.path().join(format!("{first}-{last}"));
        std::fs::create_dir(&store).unwrap();
        // It gives up by itself, and nothing may stand between it and the end of a test.
        let mut command = Command::new(&self.program);
        command.env_remove("LD_LIBRARY_PATH").env("WM_TEST_TLS_CA", &self.certificate);
        c::with_service(&mut command, &self.service);
        command.arg(store).args([first, &last.to_string()]);
        if returns {
            command.arg("returns");
        }
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut printed = BufReader::new(child.stdout.take().unwrap());
        let (page, code) = (line(&mut printed), line(&mut printed));
        Device { page, code, child, printed }
    }

    /// Changes what the service holds of the interaction of a device's page.
    pub(crate) fn change(&self, device: &Device, assignment: &str) {
        let id = device.page.rsplit('/').next().unwrap();
        let statement = format!("PRAGMA busy_timeout = 20000; UPDATE interaction SET {assignment} WHERE id = '{id}'");
        let database = self.service.data().join("wmlicensed.db");
        run::succeed(Command::new("sqlite3").arg(database).arg(statement));
    }
}

fn line(printed: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    printed.read_line(&mut line).unwrap();
    assert!(line.ends_with('\n'), "the device ended early");
    line.trim_end().to_owned()
}

/// A device whose user is asked.
pub(crate) struct Device {
    /// The page's URL.
    pub(crate) page: String,
    /// The six digits.
    pub(crate) code: String,
    child: Child,
    printed: BufReader<ChildStdout>,
}

impl Device {
    /// How its monitor ended: result, number, whether the content can be played, the detail.
    pub(crate) fn ended(mut self) -> String {
        let ended = line(&mut self.printed);
        assert!(self.child.wait().unwrap().success());
        ended
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // Most have ended by themselves.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The owner's own page, served until the process ends; answers its URL.
fn terms_of_use() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/terms", listener.local_addr().unwrap());
    let page = format!("<!doctype html><html lang=\"en\"><title>{TERMS_TITLE}</title><h1>{TERMS_TITLE}</h1></html>");
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n";
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // A browser opens connections ahead and may send nothing on them.
            let _ = stream.set_read_timeout(Some(Duration::from_millis(500)));
            if stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {
                let _ = write!(stream, "{head}Content-Length: {}\r\n\r\n{page}", page.len());
            }
        }
    });
    url
}
