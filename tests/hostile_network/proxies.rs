//! Which way requests take: through the proxy of the environment or of the property, around it where `no_proxy` says so, and
//! without TLS only where the application allows it. Names that end in `.test` are this machine to the program.

use crate::player::{Player, service};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use wmlicense::kinds::Remedy;
use wmlicense_testkit::c::compile::Form;
use wmlicense_testkit::kid;
use wmlicense_testkit::run;
use wmlicense_testkit::service::Service;

const CHECK_PROXY: u32 = Remedy::CheckProxy as u32;

/// A proxy that leads to one port of this machine, whatever the name, and refuses others.
struct Proxy {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Serves until the test's process ends.
    fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let log = Arc::clone(&log);
                std::thread::spawn(move || tunnel(client.unwrap(), to, &log));
            }
        });
        Self { url, asked }
    }

    /// The hosts asked for since the last call, each once.
    fn asked(&self) -> Vec<String> {
        let mut hosts = std::mem::take(&mut *self.asked.lock().unwrap());
        hosts.dedup();
        hosts
    }
}

fn tunnel(mut client: TcpStream, to: SocketAddr, log: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if client.read(&mut byte).unwrap_or(0) == 0 {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let host = head.strip_prefix("CONNECT ").unwrap().split(' ').next().unwrap().to_owned();
    let known = host.ends_with(&format!(":{}", to.port()));
    log.lock().unwrap().push(host);
    if !known {
        let _ = client.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    let server = TcpStream::connect(to).unwrap();
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    let (from_client, to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || carry(from_client, to_server));
    carry(server, client);
}

/// Until one side ends.
fn carry(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

fn address(service: &Service) -> SocketAddr {
    service.base.strip_prefix("http://").unwrap().parse().unwrap()
}

/// The service calls itself by this name from here on.
fn named(service: &Service, name: &str) -> String {
    let base = format!("http://{name}:{}", address(service).port());
    *service.document.lock().unwrap() = Some(service.service_document(&base, service.now()));
    base
}

#[test]
fn the_proxy_is_the_propertys_or_the_environments_and_exceptions_go_around_it() {
    if !run::has_tool("gcc") {
        return;
    }
    let service = service();
    let (usual, other) = (Proxy::start(address(&service)), Proxy::start(address(&service)));
    let environment = [
        ("http_proxy", usual.url.as_str()),
        ("HTTPS_PROXY", usual.url.as_str()),
        ("no_proxy", "other.test,.direct.test"),
    ];
    let mut player = Player::with(Form::Shared, service, &environment);
    let acquires = |player: &mut Player, name: &str, number: u64| {
        let base = named(&player.service, name);
        player.offer(number);
        let told = player.ask(&format!("url {base} {}", kid(number).to_base64()));
        assert!(told.starts_with("WM_S_LICENSE_ACQUIRED "), "{name}: {told}");
        player.remember();
        format!("{name}:{}", address(&player.service).port())
    };

    let base = named(&player.service, "license.test");
    assert_eq!(player.ask(&format!("text ServiceURL {base}")), "WM_S_OK");
    player.fails("plain HTTP", "individualize", "WM_E_URL_NOT_ALLOWED", Remedy::FixCall as u32);
    assert!(usual.asked().is_empty());
    assert_eq!(player.ask("flag AllowHttp 1"), "WM_S_OK");
    player.prepare();
    let host = acquires(&mut player, "license.test", 1);
    assert_eq!(usual.asked(), [host], "through the environment's proxy");
    let refused = format!("url https://license.test {}", kid(1).to_base64());
    player.fails("refused by the proxy", &refused, "WM_E_PROXY", CHECK_PROXY);
    assert_eq!(usual.asked(), ["license.test:443"], "and what is encrypted as well");
    acquires(&mut player, "a.direct.test", 2);
    assert!(usual.asked().is_empty(), "around it");

    assert_eq!(player.ask(&format!("text Proxy {}", other.url)), "WM_S_OK");
    let host = acquires(&mut player, "b.direct.test", 3);
    assert_eq!(other.asked(), [host], "through the application's proxy, which has no exceptions");
    assert_eq!(player.ask("text Proxy none"), "WM_S_OK");
    acquires(&mut player, "license.test", 4);
    assert_eq!(player.ask("text Proxy environment"), "WM_S_OK");
    let host = acquires(&mut player, "c.license.test", 5);
    assert_eq!((usual.asked(), other.asked()), (vec![host], Vec::new()), "around both, and through the environment's");

    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(player.ask(&format!("text Proxy http://{closed}")), "WM_S_OK");
    player.offer(6);
    let base = named(&player.service, "license.test");
    let lost = format!("url {base} {}", kid(6).to_base64());
    player.fails("a proxy that is not there", &lost, "WM_E_PROXY", CHECK_PROXY);
    player.end();
}
