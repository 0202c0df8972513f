//! Certificates, service documents and revocations: each is kept whole, found again, and none stands for another.

use super::*;
use wmlicense_wire::id::SignerId;
use wmlicense_wire::key::{DualSigningKey, KeyKind};
use wmlicense_wire::revocation::{Entry, Revocation, Rule};

#[test]
fn an_authority_is_kept_before_its_services_and_what_is_new_of_it_is_added() {
    let room = Room::new();
    let other = World::new();
    let services = || room.store.directory(other.pin()).unwrap().map(|directory| directory.services().len());
    assert_eq!(services(), None);
    room.store.save_directory(&Directory::new(other.authority.clone())).unwrap();
    assert_eq!(services(), Some(0));
    room.store.save_directory(&other.directory).unwrap();
    assert_eq!(services(), Some(3));
    room.store.save_directory(&other.directory).unwrap();
    assert_eq!((services(), room.count("service_certificate")), (Some(3), 6));
    assert_eq!(room.again().directory(other.pin()).unwrap().unwrap().services().len(), 3);
}

#[test]
fn every_service_document_is_kept_and_the_newest_of_each_url() {
    let room = Room::new();
    assert!(room.store.service_documents().unwrap().is_empty());
    for (url, document, issued_at) in [("b", b"one", 10), ("a", b"two", 10), ("b", b"old", 9), ("b", b"new", 11)] {
        room.store.save_service_document(url, document, (issued_at, NOW)).unwrap();
    }
    assert_eq!(room.store.service_documents().unwrap(), [b"two", b"new"]);
}

fn revocable(room: &Room, number: u64, key: SignerId) -> Policy {
    Policy { revocation_key: Some(key), ..room.world.policy(kid(number)) }
}

#[test]
fn what_a_revocation_took_back_is_counted_and_named_up_to_a_limit() {
    let room = Room::new();
    let signer = DualSigningKey::generate().unwrap();
    let key = signer.verifying_key().signer_id(KeyKind::Revocation);
    let policies: Vec<_> = (0..4).map(|number| revocable(&room, number, key)).collect();
    room.acquire(&policies, None);
    assert_eq!(room.store.taken_back_by(key, 9).unwrap(), None);
    let blob = |number: u64, policies: &[Policy]| {
        let entries = policies.iter().map(|policy| Entry::License(policy.lid)).collect();
        Revocation { number, target: None, entries }.sign(&signer).unwrap()
    };
    let take = |bytes: &[u8]| room.store.take_revocation(&Revocation::verify(bytes).unwrap(), bytes).unwrap();
    let first = blob(1, &policies[..2]);
    assert_eq!(take(&first), 2);
    room.set_clock(NOW + 60);
    // The same one again says nothing new, nor at another time.
    assert_eq!(take(&first), 0);
    assert_eq!(room.store.taken_back_by(key, 9).unwrap().map(|(taken_at, count, _)| (taken_at, count)), Some((NOW, 2)));
    assert_eq!(take(&blob(2, &policies[..3])), 1);
    let mut lids: Vec<Lid> = policies[..3].iter().map(|policy| policy.lid).collect();
    lids.sort();
    assert_eq!(room.store.taken_back_by(key, 3).unwrap(), Some((NOW + 60, 3, lids.clone())));
    assert_eq!(room.store.taken_back_by(key, 2).unwrap(), Some((NOW + 60, 3, lids[..2].to_vec())));
    // Only what stays away counts: a tombstone that is gone shows nothing.
    room.sql().execute("DELETE FROM tombstone WHERE lid = ?1", [lids[0].as_bytes()]).unwrap();
    assert_eq!(room.store.taken_back_by(key, 9).unwrap(), Some((NOW + 60, 2, lids[1..].to_vec())));
    assert_eq!(room.store.license_count().unwrap(), 1);
}

#[test]
fn a_license_that_only_mentions_a_key_is_not_taken_back_by_it() {
    let room = Room::new();
    let key = SignerId::new([b'k'; 32]);
    let mentions = Policy { title: Some("k".repeat(32)), ..room.world.policy(kid(1)) };
    room.acquire(std::slice::from_ref(&mentions), None);
    assert_eq!(room.store.revocation_key_of(key).unwrap(), None);
    let named = revocable(&room, 2, key);
    room.acquire(std::slice::from_ref(&named), None);
    assert_eq!(room.store.revocation_key_of(key).unwrap(), Some(Some(room.world.pin())));
    // Whoever holds the key takes back what names it.
    let blob = wmlicense_wire::revocation::VerifiedRevocation {
        key,
        content: Revocation { number: 1, target: None, entries: vec![Entry::Rule(Rule::default())] },
    };
    assert_eq!(room.store.take_revocation(&blob, b"kept as it was signed").unwrap(), 1);
    assert_eq!(room.store.revocation_key_of(key).unwrap(), Some(None));
    assert_eq!(room.store.licenses(kid(1)).unwrap().len(), 1);
}

#[test]
fn a_tombstone_that_was_changed_keeps_every_license_of_its_id_out() {
    let room = Room::new();
    let gone = room.world.policy(kid(1));
    room.acquire(std::slice::from_ref(&gone), None);
    let next = Policy { replaces: Some(gone.lid), ..room.world.policy(kid(2)) };
    room.acquire(std::slice::from_ref(&next), None);
    let forbids = |issuer| room.store.forbids(gone.lid, issuer).unwrap();
    assert!(forbids(gone.issuer) && !forbids(room.world.management.id));
    assert_eq!(room.store.kids(&[gone.lid, next.lid]).unwrap(), [kid(2)], "what is gone is passed over");
    room.sql().execute("UPDATE tombstone SET content = x'80'", []).unwrap();
    assert!(forbids(gone.issuer) && forbids(room.world.management.id));
}

#[test]
fn a_revocation_that_comes_behind_its_licenses_in_one_restore_takes_them_back() {
    let room = Room::new();
    let signer = DualSigningKey::generate().unwrap();
    let key = signer.verifying_key().signer_id(KeyKind::Revocation);
    let policies: Vec<_> = (0..3).map(|number| revocable(&room, number, key)).collect();
    let (_, signed, licenses) = room.answer(&room.world.management, Role::Management, &policies, NOW);
    let entries = vec![Entry::License(policies[1].lid)];
    let blob = Revocation { number: 1, target: None, entries }.sign(&signer).unwrap();
    let put = |putting: &mut Putting<'_>| {
        putting.put_batch(room.world.pin(), &signed)?;
        for OpenedLicense { index, license, key, .. } in &licenses {
            putting.put_license(&StagedLicense { index: *index, license, state: &State::default(), key })?;
        }
        putting.put_revocation(&Revocation::verify(&blob).unwrap(), &blob)
    };
    room.store.stage(Digest::new([1; 32])).unwrap().commit_with(put).unwrap();
    let there = |number| room.store.licenses(kid(number)).unwrap().len();
    assert_eq!([there(0), there(1), there(2)], [1, 0, 1]);
    assert_eq!(room.store.taken_back_by(key, 9).unwrap(), Some((NOW, 1, vec![policies[1].lid])));
}
