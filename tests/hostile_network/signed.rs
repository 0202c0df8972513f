//! Answers that are signed, and wrong; pages without end; terms that this version cannot keep.

use crate::player::Player;
use crate::scenarios::{HEAD, acquire, answer};
use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex};
use wmlicense::kinds::Remedy;
use wmlicense_testkit::service::Post;
use wmlicense_testkit::{TestDevice, World, content_key, grant, kid};
use wmlicense_wire::answer::{Answer, Beside, Envelope, Outcome, seal};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::Lid;
use wmlicense_wire::policy::{Conditions, Policy};

const DAY: i64 = 86_400;
const CONTACT: u32 = Remedy::ContactIssuer as u32;
const RETRY: u32 = Remedy::Retry as u32;

/// Whom an answer is by, to and for.
pub(crate) fn in_who_answers_whom(player: &mut Player) {
    player.then_raw(answer("200 OK", "Content-Type: application/cose\r\n", "nonsense"));
    player.fails("no document", &acquire(2), "WM_E_INVALID_LICENSE_ACQUIRED", CONTACT);
    let policy = player.service.world.policy(kid(2));
    let earlier: Vec<Post> = player.service.posts();
    let (replayed, terms) = (earlier.into_iter().find(|post| post.path.ends_with("licenses")).unwrap(), policy.clone());
    player.then_answer(move |service, _| service.granted(&replayed, &[terms], Vec::new(), Role::Issuer));
    player.fails("an answer to an earlier request", &acquire(2), "WM_E_ANSWER_REPLAYED", RETRY);
    heard_before(player);

    let terms = policy.clone();
    player.then_answer(move |service, post| {
        let stranger = TestDevice::new();
        let to = Answer { ..service.to(post, stranger.keys.thumbprint()) };
        let grants = [grant(&terms, content_key(terms.kid))];
        let key = &service.world.issuer.key;
        seal(to, stranger.device_id, &stranger.keys, &grants, None, &Beside::default(), key).unwrap()
    });
    player.fails("licenses for another device", &acquire(2), "WM_E_INVALID_MACHINE", CONTACT);

    let terms = policy.clone();
    player.then_answer(move |service, post| {
        let (to, keys) = service.answer_for(post);
        let grants = [grant(&terms, content_key(terms.kid))];
        seal(to, TestDevice::new().device_id, &keys, &grants, None, &Beside::default(), &service.world.issuer.key)
            .unwrap()
    });
    player.fails("a license for another device", &acquire(2), "WM_E_INVALID_MACHINE", CONTACT);

    let terms = policy.clone();
    player.then_answer(move |service, post| service.granted(post, &[terms], Vec::new(), Role::Management));
    player.fails("a signature by the wrong role", &acquire(2), "WM_E_ANSWER_SIGNER", CONTACT);

    player.then_answer(move |service, post| {
        let (stranger, device) = (World::at(service.now()), TestDevice::new());
        let to = service.to(post, device.keys.thumbprint());
        seal(to, device.device_id, &device.keys, &[], None, &Beside::default(), &stranger.issuer.key).unwrap()
    });
    player.fails("a signature by nobody known", &acquire(2), "WM_E_ANSWER_SIGNER", CONTACT);

    player.then_answer(move |service, post| {
        let mut bytes = service.granted(post, &[policy], Vec::new(), Role::Issuer);
        let signed = Envelope::parse(&bytes).unwrap().signed;
        let at = bytes.windows(signed.len()).position(|window| window == signed).unwrap();
        bytes[at + signed.len() - 1] ^= 1;
        bytes
    });
    player.fails("a signature that does not verify", &acquire(2), "WM_E_SIGNATURE_FAILURE", RETRY);
}

/// The very bytes that an earlier request for the same was answered with.
fn heard_before(player: &mut Player) {
    let heard: Arc<Mutex<Vec<u8>>> = Arc::default();
    let kept = Arc::clone(&heard);
    player.offer(8);
    player.then_answer(move |service, post| {
        *kept.lock().unwrap() = service.answer(post);
        kept.lock().unwrap().clone()
    });
    assert!(player.ask(&acquire(8)).starts_with("WM_S_LICENSE_ACQUIRED "));
    player.remember();
    player.then_answer(move |_, _| heard.lock().unwrap().clone());
    player.fails("an answer that came before", &acquire(8), "WM_E_ANSWER_REPLAYED", RETRY);
}

/// The licenses of an answer.
pub(crate) fn in_what_is_granted(player: &mut Player) {
    let world = Arc::clone(&player.service.world);
    let policy = world.policy(kid(2));
    let (terms, encoded) = (policy.clone(), policy.encode());
    player.then_answer(move |service, post| {
        let mut bytes = service.granted(post, &[terms], Vec::new(), Role::Issuer);
        let at = bytes.windows(encoded.len()).position(|window| window == encoded).unwrap();
        bytes[at + encoded.len() - 1] ^= 1;
        bytes
    });
    player.fails("licenses that the manifest does not name", &acquire(2), "WM_E_ANSWER_MANIFEST", RETRY);

    let terms = world.policy(kid(9));
    player.then_answer(move |service, post| service.granted(post, &[terms], Vec::new(), Role::Issuer));
    player.fails("a license that nobody asked for", &acquire(2), "WM_E_LICENSE_UNASKED", CONTACT);

    let other = Policy { issuer: world.management.id, ..policy };
    player.then_answer(move |service, post| service.granted(post, &[other], Vec::new(), Role::Issuer));
    player.fails("a license of another issuer", &acquire(2), "WM_E_LICENSE_ISSUER", CONTACT);

    let first = world.policy(kid(5));
    let second = Policy { lid: first.lid, ..world.policy(kid(6)) };
    player.then_answer(move |service, post| service.granted(post, &[first, second], Vec::new(), Role::Issuer));
    let both = format!("acquire {};{}", kid(5).to_base64(), kid(6).to_base64());
    player.fails("one LID twice", &both, "WM_E_LICENSE_TWICE", CONTACT);

    let stored = player.service.catalogue.lock().unwrap()[&kid(1)].clone();
    let other = Policy { priority: stored.priority + 1, ..stored };
    player.then_answer(move |service, post| service.granted(post, &[other], Vec::new(), Role::Issuer));
    player.fails("a stored LID with other terms", &acquire(1), "WM_E_LICENSE_TERMS", CONTACT);
    assert!(player.ask(&acquire(1)).starts_with("WM_S_LICENSE_ACQUIRED "), "the next request is answered anew");
    player.remember();

    player.then_answer(|service, post| service.granted(post, &[], Vec::new(), Role::Issuer));
    player.fails("neither granted nor refused", &acquire(2), "WM_E_INVALID_LICENSE_ACQUIRED", CONTACT);
}

/// Clocks that are far off: outside the service's own certificate, or only ahead of what services said before.
pub(crate) fn in_the_time(player: &mut Player) {
    let policy = player.service.world.policy(kid(2));
    let off =
        [(-20 * 365, "WM_E_LICENSE_CERT_EXPIRED"), (7, "WM_E_SERVICE_CLOCK"), (20 * 365, "WM_E_LICENSE_CERT_EXPIRED")];
    for (days, result) in off {
        let terms = policy.clone();
        player.then_answer_off(days * DAY, |service, post| service.granted(post, &[terms], Vec::new(), Role::Issuer));
        player.fails("a clock far off", &acquire(2), result, CONTACT);
    }
    assert!(player.ask(&acquire(2)).starts_with("WM_S_LICENSE_ACQUIRED "), "the honest answer is still welcome");
    player.remember();
}

/// A delivery that would never end: pages that bring nothing, that lead to themselves, that go round in a circle.
pub(crate) fn in_the_pages(player: &mut Player) {
    let page = |player: &Player, cursor: &'static [u8], withdrawn: Vec<Lid>| {
        player.then_answer(move |service, post| {
            service.page(post, &[], |answer| Answer { withdrawn, next_cursor: Some(cursor.to_vec()), ..answer })
        });
    };
    let something = || vec![Lid::random().unwrap()];
    page(player, b"next", Vec::new());
    player.fails("a page that brings nothing", "deliver", "WM_E_ENDLESS_ANSWER", CONTACT);
    page(player, b"same", something());
    page(player, b"same", something());
    player.fails("a cursor that stands still", "deliver", "WM_E_ENDLESS_ANSWER", CONTACT);
    for cursor in [b"a", b"b", b"c", b"a", b"b", b"c", b"a"] {
        page(player, cursor, something());
    }
    player.fails("pages in a circle", "deliver", "WM_E_ENDLESS_ANSWER", CONTACT);
    player.service.steps.lock().unwrap().clear();
    player
        .then_answer(|service, post| service.page(post, &[], |answer| Answer { next_cursor: Some(vec![1]), ..answer }));
    player.fails("a page of what was named", &acquire(7), "WM_E_ENDLESS_ANSWER", CONTACT);
    unfinished(player);
}

/// A page that never completes: what came before it stays, and the next time goes on from there.
fn unfinished(player: &mut Player) {
    let world = Arc::clone(&player.service.world);
    *player.service.pages.lock().unwrap() = (20..22).map(|number| vec![world.policy(kid(number))]).collect();
    let hang = |player: &Player| {
        player.then_take(|mut stream| {
            let _ = stream.write_all(format!("{HEAD}Content-Length: 100000\r\n\r\nhalf").as_bytes());
            // Until the client gives up.
            let _ = stream.read(&mut [0]);
        });
    };
    assert_eq!(player.ask("set DeadlineMs 700"), "WM_S_OK");
    hang(player);
    player.fails("a page that never completes", "deliver", "WM_E_DEADLINE", RETRY);
    player.then_answer(|service, post| service.answer(post));
    hang(player);
    assert!(player.ask("deliver").starts_with("WM_E_DEADLINE "));
    let stored = player.ask("list");
    let holds = |stored: &str, number: u64| stored.contains(&format!(" {}:", kid(number).to_base64()));
    assert!(holds(&stored, 20) && !holds(&stored, 21), "{stored}");
    assert_eq!(player.ask("set DeadlineMs 0"), "WM_S_OK");
    let before = player.service.posts().len();
    assert!(player.ask("deliver").starts_with("WM_S_LICENSE_ACQUIRED "));
    assert_eq!(player.service.posts().len(), before + 1, "only the open page is asked for");
    player.remember();
    let stored = player.ask("list");
    assert!(holds(&stored, 20) && holds(&stored, 21), "{stored}");
}

/// Terms that this version cannot keep are not granted; equal names do not make two of one license.
pub(crate) fn in_the_terms(player: &mut Player) {
    let mut policy =
        player.service.world.policy_with(kid(4), Conditions { not_before: Some(1), ..Conditions::default() });
    policy.first_issued = player.service.now();
    player.then_answer(move |service, post| {
        let mut granted = grant(&policy, content_key(policy.kid));
        // A condition is [number, critical, value]: this one gets a number that nobody knows.
        let at = granted.policy.windows(3).position(|item| item[0] == 0x83 && item[2] == 0xf5).unwrap();
        granted.policy[at + 1] = 0x17;
        service.sealed(post, &[granted], Vec::new(), Role::Issuer, Outcome::Done)
    });
    assert!(player.ask(&acquire(4)).starts_with("WM_S_LICENSE_ACQUIRED "));
    player.remember();
    let used = player.ask(&format!("use {}", kid(4).to_base64()));
    assert_eq!(used, format!("WM_E_NEED_UPGRADE_PD {}", Remedy::Update as u32));
}
