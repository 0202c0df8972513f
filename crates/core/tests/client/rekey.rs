//! New keys for the same device: what they take over, what stays of the old ones, and what becomes of what these had begun.

use wmlicense_core::backup::back_up;
use wmlicense_core::contact::Credentials;
use wmlicense_core::device::Device;
use wmlicense_core::event::Flow;
use wmlicense_core::give_back::delete;
use wmlicense_core::individualize::{IndividualizeError, Individualized};
use wmlicense_core::operation::Context;
use wmlicense_core::restore::restore;
use wmlicense_testkit::desk::Desk;
use wmlicense_testkit::service::Step;
use wmlicense_testkit::{content_key, kid};
use wmlicense_wire::answer::{Outcome, Reason, Refusal};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::SignerId;
use wmlicense_wire::problem::ProblemKind;
use wmlicense_wire::request::Body;

fn credentials(desk: &Desk) -> Credentials {
    Credentials::load(&desk.client, desk.world.pin()).unwrap().unwrap()
}

fn thumbprint(desk: &Desk) -> SignerId {
    credentials(desk).certificate.thumbprint()
}

fn refuses(desk: &Desk, reason: Reason) {
    desk.service.then_answer(move |service, post| {
        let refusal = Refusal { subject: None, kid: None, reason, url: None, again: None };
        service.ends(post, Role::Individualization, Outcome::Refused, vec![refusal])
    });
}

#[test]
fn forced_individualization_gives_the_same_device_new_keys() {
    let mut desk = Desk::certified();
    desk.service.offer(kid(1));
    desk.acquire(&[kid(1)]).unwrap();
    let (old, id) = (thumbprint(&desk), credentials(&desk).certificate.device_id);
    assert_eq!(desk.individualize(true).unwrap(), Individualized::Certified);
    assert!(thumbprint(&desk) != old && credentials(&desk).certificate.device_id == id);
    desk.restart();
    assert_eq!(desk.key(kid(1)).unwrap(), content_key(kid(1)), "what is stored opens");
    desk.service.offer(kid(2));
    desk.acquire(&[kid(2)]).unwrap();
    let last = desk.service.posts().pop().unwrap();
    assert_eq!(last.request.device_certificate, Some(credentials(&desk).certificate.bytes));
    assert_eq!(desk.client.device.all_identities().len(), 2);
}

#[test]
fn a_backup_of_the_old_keys_is_restored_without_a_network() {
    let desk = Desk::certified();
    desk.service.offer(kid(1));
    desk.acquire(&[kid(1)]).unwrap();
    let place = tempfile::tempdir().unwrap();
    let context = || Context::inline(None, |_| Flow::Continue);
    back_up(&desk.client, place.path(), false, &context()).unwrap();
    desk.individualize(true).unwrap();
    let contacts = desk.service.contacts();
    let restored = restore(&desk.client, &desk.settings, place.path(), false, &context()).unwrap();
    assert_eq!((restored.restored, desk.service.contacts()), (1, contacts));
    // And one of the new keys as well.
    let later = tempfile::tempdir().unwrap();
    back_up(&desk.client, later.path(), false, &context()).unwrap();
    assert_eq!(restore(&desk.client, &desk.settings, later.path(), false, &context()).unwrap().restored, 1);
}

#[test]
fn new_keys_that_were_not_certified_yet_are_asked_for_again_with_the_same_bytes() {
    let mut desk = Desk::certified();
    desk.service.offer(kid(1));
    let old = thumbprint(&desk);
    for step in [Step::Lose, Step::Problem(ProblemKind::Unavailable)] {
        desk.service.then(step);
        desk.individualize(true).unwrap_err();
        assert_eq!(thumbprint(&desk), old, "the old keys go on");
        desk.restart();
    }
    desk.acquire(&[kid(1)]).unwrap();
    desk.individualize(true).unwrap();
    let posts = desk.service.posts();
    let asked: Vec<_> = posts.iter().filter(|post| post.path == "/v1/individualize").skip(1).collect();
    assert!(asked.len() == 3 && asked.iter().all(|post| post.bytes == asked[0].bytes));
    assert_eq!((desk.client.device.all_identities().len(), desk.pending()), (2, 0));
}

#[test]
fn a_device_whose_keys_a_copy_replaced_becomes_another_device() {
    let desk = Desk::certified();
    let id = credentials(&desk).certificate.device_id;
    refuses(&desk, Reason::KeyReplaced);
    assert_eq!(desk.individualize(true).unwrap(), Individualized::Certified);
    assert_ne!(credentials(&desk).certificate.device_id, id);
    let last = desk.service.posts().pop().unwrap();
    let Body::Individualize { current, rekey, .. } = last.request.body else { panic!() };
    assert_eq!((current, rekey), (None, None));
}

#[test]
fn a_revoked_device_stays_what_it_is() {
    let desk = Desk::certified();
    let old = thumbprint(&desk);
    refuses(&desk, Reason::DeviceRevoked);
    let result = desk.individualize(true);
    assert!(matches!(result, Err(IndividualizeError::Refused(Reason::DeviceRevoked, _))), "{result:?}");
    assert_eq!(thumbprint(&desk), old);
}

#[test]
fn what_the_old_keys_were_to_give_back_the_new_ones_give_back() {
    let desk = Desk::certified();
    let policy = desk.service.offer(kid(1));
    desk.service.offer(kid(2));
    desk.acquire(&[kid(1)]).unwrap();
    assert_eq!(delete(&desk.client, &desk.settings, kid(1)).unwrap(), 1);
    desk.individualize(true).unwrap();
    desk.acquire(&[kid(2)]).unwrap();
    let posts = desk.service.posts();
    let back = posts.iter().find(|post| post.path == "/v1/returns").unwrap();
    let Body::Returns { licenses } = &back.request.body else { panic!() };
    assert_eq!(licenses[0].0, policy.lid);
    assert_eq!(back.request.device_certificate, Some(credentials(&desk).certificate.bytes));
    assert_eq!(desk.pending(), 0);
}

#[test]
fn the_oldest_keys_go_when_there_are_too_many() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::open(folder.path(), true).unwrap();
    let authority = wmlicense_wire::id::Digest::new([1; 32]);
    let first = device.create_identity(authority).unwrap();
    for _ in 0..65 {
        let coming = device.coming_identity(authority).unwrap();
        device.install(authority, &coming.keys).unwrap();
    }
    let left = Device::open(folder.path(), false).unwrap().all_identities();
    assert_eq!(left.len(), 65);
    assert!(left.iter().all(|(_, identity)| identity.keys != first.keys));
}
