//! What can go wrong on the way to a service and before anything is signed, and how each ends.

use crate::player::Player;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;
use wmlicense::kinds::Remedy;
use wmlicense_testkit::kid;

pub(crate) const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/cose\r\n";

pub(crate) fn acquire(number: u64) -> String {
    format!("acquire {}", kid(number).to_base64())
}

/// Nobody there, connections that break, that drip, that fall silent.
pub(crate) fn on_the_way(player: &mut Player) {
    player.offer(2);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let elsewhere = format!("url http://{closed} {}", kid(2).to_base64());
    player.fails("refused", &elsewhere, "WM_E_UNABLE_TO_ACQUIRE_LICENSE", Remedy::GoOnline as u32);
    let forbidden = format!("url http://license.test {}", kid(2).to_base64());
    player.fails("plain HTTP", &forbidden, "WM_E_URL_NOT_ALLOWED", Remedy::FixCall as u32);

    let half = format!("{HEAD}Content-Length: 1000\r\n\r\nhalf");
    for (trouble, bytes) in [("cut before the head", String::new()), ("cut in the body", half.clone())] {
        player.then_raw(bytes);
        player.fails(trouble, &acquire(2), "WM_E_CONNECTION_LOST", Remedy::Retry as u32);
    }
    let begun = half.clone();
    player.then_take(move |mut stream| {
        let _ = stream.write_all(begun.as_bytes());
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    });
    player.fails("reset in the body", &acquire(2), "WM_E_CONNECTION_LOST", Remedy::Retry as u32);
    assert_eq!(player.ask("set DeadlineMs 700"), "WM_S_OK");
    player.then_take(move |mut stream| {
        let _ = stream.write_all(half.as_bytes());
        // Until the client gives up.
        let _ = stream.read(&mut [0]);
    });
    player.fails("an answer that never completes", &acquire(2), "WM_E_DEADLINE", Remedy::Retry as u32);
    player.then_take(|mut stream| {
        let _ = stream.write_all(format!("{HEAD}Content-Length: 100000\r\n\r\n").as_bytes());
        while stream.write_all(b"x").is_ok() {
            std::thread::park_timeout(Duration::from_millis(100));
        }
    });
    player.fails("a byte at a time", &acquire(2), "WM_E_DEADLINE", Remedy::Retry as u32);
    assert_eq!(player.ask("set DeadlineMs 0"), "WM_S_OK");
}

pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

/// Somebody else answers, or the service does not decide.
pub(crate) fn in_the_answer(player: &mut Player) {
    let html = "Content-Type: text/html\r\n";
    let portal = [
        answer("200 OK", html, "<html>Log in</html>"),
        answer("511 Network Authentication Required", html, "<html>Log in</html>"),
        answer("302 Found", "Location: http://portal.test/\r\n", ""),
    ];
    for page in portal {
        player.then_raw(page);
        player.fails("a login page", &acquire(2), "WM_E_CAPTIVE_PORTAL", Remedy::NetworkSignIn as u32);
    }
    let gzip = "Content-Type: application/cose\r\nContent-Encoding: gzip\r\n";
    for stranger in [answer("200 OK", "Content-Type: application/json\r\n", "{}"), answer("200 OK", gzip, "x")] {
        player.then_raw(stranger);
        player.fails("a wrong type", &acquire(2), "WM_E_ERROR_BAD_NET_RESP", Remedy::GoOnline as u32);
    }
    player.then_raw(format!("{HEAD}Content-Length: 10737418240\r\n\r\n"));
    player.fails("10 GB", &acquire(2), "WM_E_ANSWER_TOO_LARGE", Remedy::ContactIssuer as u32);
    player.then_take(|mut stream| {
        let _ = stream.write_all(format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n").as_bytes());
        let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
        while stream.write_all(&chunk).is_ok() {}
    });
    player.fails("a body without end", &acquire(2), "WM_E_ANSWER_TOO_LARGE", Remedy::ContactIssuer as u32);
    for _ in 0..4 {
        player.then_raw(answer("307 Temporary Redirect", "Location: /v1/licenses\r\n", ""));
    }
    player.fails("redirects without end", &acquire(2), "WM_E_REDIRECT_REFUSED", Remedy::ContactIssuer as u32);

    let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:50:37 GMT\r\n";
    for (status, headers, wait) in [
        ("429 Too Many Requests", "Retry-After: 7\r\n", 7_000),
        ("503 Service Unavailable", date, 60_000),
        ("500 Internal Server Error", "", 0),
    ] {
        player.then_raw(answer(status, headers, ""));
        let told = player.fails(status, &acquire(2), "WM_E_SERVICE_FAILING", Remedy::Retry as u32);
        assert_eq!((told[2], told[3].to_string().as_str(), told[4]), (1, &status[..3], wait), "{status}");
    }
    // What is told to come again does, within the deadline.
    assert_eq!(player.ask("set RetryLimit 1"), "WM_S_OK");
    player.then_raw(answer("503 Service Unavailable", "Retry-After: 0\r\n", ""));
    player.offer(3);
    assert!(player.ask(&acquire(3)).starts_with("WM_S_LICENSE_ACQUIRED "));
    assert_eq!(player.ask("set RetryLimit 0"), "WM_S_OK");
    player.remember();
}
