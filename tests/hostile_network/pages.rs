//! The page on which a user should act: one that nobody completes, one that the service closes, and a network that breaks
//! while the user is at it.

use crate::player::Player;
use crate::scenarios::HEAD;
use std::io::{Read as _, Write as _};
use wmlicense::kinds::Remedy;
use wmlicense_testkit::c::compile::Form;
use wmlicense_testkit::kid;
use wmlicense_testkit::run;
use wmlicense_wire::answer::{Outcome, Reason, Refusal};
use wmlicense_wire::certificate::Role;

const RETRY: u32 = Remedy::Retry as u32;

/// The next answer sends the user to a page.
fn user_must_act(player: &Player) {
    player.then_answer(|service, post| {
        let page = Outcome::Interaction { url: "https://page.test/i/1".to_owned() };
        service.ends(post, Role::Issuer, page, Vec::new())
    });
}

#[test]
fn a_page_that_nobody_completes_ends_and_a_broken_network_does_not_end_it() {
    if !run::has_tool("gcc") {
        return;
    }
    let mut player = Player::start(Form::Shared);
    player.offer(2);
    let monitor = format!("monitor {}", kid(2).to_base64());
    assert_eq!(player.ask("set DeadlineMs 700"), "WM_S_OK");
    user_must_act(&player);
    user_must_act(&player);
    player.fails("nobody acts", &monitor, "WM_E_DEADLINE", RETRY);
    user_must_act(&player);
    player.then_take(|mut stream| {
        let _ = stream.write_all(format!("{HEAD}Content-Length: 1000\r\n\r\nhalf").as_bytes());
        // Until the client gives up.
        let _ = stream.read(&mut [0]);
    });
    player.fails("nobody acts, and the service falls silent", &monitor, "WM_E_DEADLINE", RETRY);
    assert_eq!(player.ask("set DeadlineMs 0"), "WM_S_OK");

    user_must_act(&player);
    player.then_answer(|service, post| {
        let late = Refusal { subject: None, kid: None, reason: Reason::NotDecided, url: None, again: None };
        service.ends(post, Role::Issuer, Outcome::Refused, vec![late])
    });
    player.fails("the page was closed", &monitor, "WM_E_LICENSE_NOTACQUIRED", Remedy::Reacquire as u32);

    user_must_act(&player);
    player.then_raw("");
    assert!(player.ask(&monitor).starts_with("WM_S_LICENSE_ACQUIRED "), "the service is asked again");
    player.end();
}
