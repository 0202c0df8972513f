//! A large restore through a proxy that takes requests of a length only, as those in front of services do: what the preview says
//! is what the restore gives, whatever the proxy takes.

use super::large_restore::{Device, LICENSES, backed_up, quiet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use wmlicense_core::contact::SessionError;
use wmlicense_core::restore::{Preview, RestoreError, preview};
use wmlicense_core::transport::TransportError;
use wmlicense_testkit::c::service::Service;

/// What a usual proxy takes.
const USUAL: usize = 1024 * 1024;
const PAGE: &[u8] = b"<html>too large</html>";

/// A proxy in front of a service.
#[derive(Default)]
struct Proxy {
    /// Longest body that it takes, in bytes.
    limit: AtomicUsize,
    service: OnceLock<String>,
    /// Lengths of the restore requests that came, and whether they were taken.
    seen: Mutex<Vec<(usize, bool)>>,
}

impl Proxy {
    /// The proxy and its URL; it serves until the test's process ends.
    fn start() -> (Arc<Self>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let proxy = Arc::new(Self { limit: AtomicUsize::new(USUAL), ..Self::default() });
        let own = Arc::clone(&proxy);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let proxy = Arc::clone(&own);
                std::thread::spawn(move || proxy.serve(client));
            }
        });
        (proxy, url)
    }

    /// Takes one request of a connection.
    fn serve(&self, client: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(client.try_clone().ok()?);
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            match line.as_str() {
                "\r\n" => break,
                line if line.to_ascii_lowercase().starts_with("connection:") => {}
                line => head += line,
            }
        }
        let taken = length <= self.limit.load(Ordering::SeqCst);
        if head.starts_with("POST /v1/restores ") {
            self.seen.lock().ok()?.push((length, taken));
        }
        let mut body = vec![0; length];
        if !taken {
            return refuse(client, reader);
        }
        reader.read_exact(&mut body).ok()?;
        let mut service = TcpStream::connect(self.service.get()?).ok()?;
        service.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).ok()?;
        service.write_all(&body).ok()?;
        let mut client = client;
        std::io::copy(&mut service, &mut client).ok()?;
        client.shutdown(Shutdown::Both).ok()
    }

    /// Restore requests since the last call: all of them, and those that were not taken.
    fn asked(&self) -> (Vec<usize>, usize) {
        let seen = std::mem::take(&mut *self.seen.lock().expect("no thread panicked"));
        let refused = seen.iter().filter(|(_, taken)| !taken).count();
        (seen.into_iter().map(|(length, _)| length).collect(), refused)
    }
}

/// Says so at once, and lets the client finish, as proxies do.
fn refuse(mut client: TcpStream, mut reader: BufReader<TcpStream>) -> Option<()> {
    let length = PAGE.len();
    let head = format!(
        "HTTP/1.1 413 Request Entity Too Large\r\nContent-Type: text/html\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    client.write_all(&[head.as_bytes(), PAGE].concat()).ok()?;
    client.shutdown(Shutdown::Write).ok()?;
    std::io::copy(&mut reader, &mut std::io::sink()).ok().map(drop)
}

#[test]
fn a_large_restore_comes_through_proxies_that_take_little_and_the_preview_says_so() {
    let (proxy, url) = Proxy::start();
    let service = Service::start_with(&["--public-url", &url]);
    proxy.service.set(service.url.trim_start_matches("http://").to_owned()).expect("set once");
    let first = Device::by_way_of(&service, &url);
    let place = backed_up(&service, &first);
    let second = Device::by_way_of(&service, &url);
    let all = Preview { restorable: LICENSES, ..Preview::default() };
    let previewed = || preview(&second.client, &second.settings, place.path(), true, &quiet()).expect("it answers");

    // No request is longer than a usual proxy takes: nothing has to be said twice.
    assert_eq!(previewed(), all);
    assert_eq!(second.restore(place.path()).0.expect("all is granted").restored, LICENSES);
    let (lengths, refused) = proxy.asked();
    assert!(lengths.len() > 1 && refused == 0, "{lengths:?}");
    assert!(lengths.iter().all(|length| *length <= USUAL) && lengths.iter().sum::<usize>() > USUAL, "{lengths:?}");

    // One that takes less is asked in halves, and what came through once is the measure from then on.
    proxy.limit.store(USUAL / 3, Ordering::SeqCst);
    assert_eq!(previewed(), all);
    assert_eq!(second.restore(place.path()).0.expect("all is granted").restored, LICENSES);
    let (lengths, refused) = proxy.asked();
    assert!((1..=3).contains(&refused) && lengths.len() < 12, "{lengths:?}");

    // Where not even a single license comes through, that is what is said, and nothing was changed.
    proxy.limit.store(8 * 1024, Ordering::SeqCst);
    let (result, _) = second.restore(place.path());
    let Err(RestoreError::Service(SessionError::Transport(TransportError::Refused(failure)))) = result else {
        panic!("{result:?}");
    };
    assert!(failure.http_status == 413 && failure.message.contains("longer than"), "{failure:?}");
    assert_eq!(second.client.store.license_count().expect("the store reads"), LICENSES);
}
