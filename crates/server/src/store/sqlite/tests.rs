use super::super::epoch::{Presented, Standing};
use super::super::mailbox::{Addressee, Mailbox as _, Recipient, Waiting};
use super::super::{
    Admin as _, CertifiedDevice, Committed, Issue, Issued, NewLicense, Prior, Returns as _, Store as _, Withdrawn,
};
use super::*;
use crate::policy::{Facts, Terms};
use std::sync::Arc;
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{DeviceId, Epoch, Kid, Lid, ServiceId, SignerId, TransactionId};
use wmlicense_wire::policy::{LicenseKind, Policy};

pub(super) fn exchange(number: u8, now: i64) -> Exchange {
    Exchange {
        thumbprint: SignerId::new([1; 32]),
        transaction: TransactionId::new([number; 16]),
        page: 0,
        request_hash: Digest::new([number; 32]),
        account: None,
        now,
        presented: None,
        fresh: Epoch::new([0; 16]),
        standing: Standing::default(),
    }
}

fn device() -> CertifiedDevice {
    CertifiedDevice {
        device_id: DeviceId::new([2; 16]),
        security_version: "1.0.0.0".to_owned(),
        assurance: 1,
        certified_at: 1000,
        replaces: None,
        name: None,
    }
}

/// Terms of a license that plays without conditions.
pub(super) fn policy(lid: u8) -> Policy {
    Terms::of_no_policy().policy(Facts {
        lid: Lid::new([lid; 16]),
        kid: Kid::new([3; 16]),
        kind: LicenseKind::Content,
        root_kid: None,
        issuer: ServiceId::new([4; 16]),
        management: None,
        revocation: None,
        title: None,
        user: None,
        first_issued: 1000,
        replaces: None,
    })
}

pub(super) fn license(lid: u8, replaces: Option<u8>) -> NewLicense {
    let issued = Issued::new(Lid::new([lid; 16]), Digest::new([lid; 32]), policy(lid).encode());
    let replaces = replaces.map(|lid| Lid::new([lid; 16]));
    NewLicense { kid: Kid::new([3; 16]), user: None, issued, replaces, line: replaces, state: None }
}

pub(super) fn issued(licenses: Vec<NewLicense>) -> Issue {
    Issue { licenses, ..Issue::default() }
}

pub(super) fn store() -> (tempfile::TempDir, Arc<SqliteStore>) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::create(&folder.path().join("test.db")).unwrap();
    (folder, Arc::new(store))
}

#[tokio::test]
async fn an_answer_is_kept_for_thirty_days_and_its_row_for_ever() {
    let (_folder, store) = store();
    store.certify(exchange(1, 1000), device(), b"answer".to_vec()).await.unwrap();
    let prior = async |now| store.known_device(exchange(1, now), None).await.unwrap().0;
    assert_eq!(prior(1000 + ANSWER_LIFETIME - 1).await, Prior::Answered(Some(b"answer".to_vec())));
    assert_eq!(prior(1000 + ANSWER_LIFETIME).await, Prior::Gone);
    assert_eq!(store.drop_answers(1000).await.unwrap(), 0);
    assert_eq!(store.drop_answers(1001).await.unwrap(), 1);
    assert_eq!(prior(1000).await, Prior::Gone);
    let again = store.certify(exchange(1, 2000), device(), b"other".to_vec()).await.unwrap();
    assert_eq!(again, Committed::Prior(Prior::Gone));
}

#[tokio::test]
async fn a_decision_that_was_overtaken_is_told_and_leaves_nothing() {
    let (_folder, store) = store();
    let device = DeviceId::new([2; 16]);
    let issue = async |number, license| {
        store.issue(exchange(number, 1000), device, issued(vec![license]), vec![number]).await.unwrap()
    };
    assert_eq!(issue(1, license(1, None)).await, Committed::Done);
    assert_eq!(issue(2, license(2, None)).await, Committed::Changed);
    assert_eq!(issue(3, license(3, Some(9))).await, Committed::Changed);
    assert_eq!(store.known_device(exchange(3, 1000), None).await.unwrap().0, Prior::None);
    assert_eq!(issue(4, license(4, Some(1))).await, Committed::Done);
    assert_eq!(issue(4, license(5, Some(4))).await, Committed::Prior(Prior::Answered(Some(vec![4]))));
    // What was written before the overtaken one goes with it: the license, its seat and the answer.
    let first = NewLicense { kid: Kid::new([9; 16]), ..license(6, None) };
    let both = issued(vec![first, license(7, Some(1))]);
    assert_eq!(store.issue(exchange(5, 1000), device, both, vec![5]).await.unwrap(), Committed::Changed);
    assert_eq!(store.known_device(exchange(5, 1000), None).await.unwrap().0, Prior::None);
    let held = store.held(exchange(6, 1000), device, vec![Lid::new([6; 16]), Lid::new([4; 16])]).await.unwrap();
    assert_eq!(held.known, [false, true]);
    let licenses = store.licenses().await.unwrap();
    assert_eq!((licenses.len(), licenses[0].lid), (1, Lid::new([4; 16])));
}

#[tokio::test]
async fn what_is_withdrawn_must_be_the_devices_license_at_that_time() {
    let (_folder, store) = store();
    let device = DeviceId::new([2; 16]);
    store.issue(exchange(1, 1000), device, issued(vec![license(1, None)]), vec![1]).await.unwrap();
    let withdraw = async |number, lid| {
        let withdrawn = vec![Withdrawn { lid: Lid::new([lid; 16]), kid: Kid::new([3; 16]), user: None }];
        let issue = Issue { withdrawn, ..Issue::default() };
        store.issue(exchange(number, 1000), device, issue, vec![number]).await.unwrap()
    };
    assert_eq!(withdraw(2, 9).await, Committed::Changed);
    assert_eq!(store.known_device(exchange(2, 1000), None).await.unwrap().0, Prior::None);
    assert_eq!(withdraw(3, 1).await, Committed::Done);
}

#[tokio::test]
async fn an_answer_that_tells_another_epoch_than_there_is_by_now_is_made_again() {
    let (_folder, store) = store();
    let device = DeviceId::new([2; 16]);
    let presented = Presented { role: Role::Issuer, device, certified_at: 0, epoch: None, period: 3600, name: None };
    let asked = |number| Exchange { presented: Some(presented.clone()), ..exchange(number, 1000) };
    assert_eq!(
        store.issue(asked(1), device, issued(vec![license(1, None)]), vec![1]).await.unwrap(),
        Committed::Changed
    );
    assert_eq!(store.note(asked(1)).await.unwrap(), Committed::Changed);
    assert_eq!(store.licenses().await.unwrap().len(), 0);
    let (_, first) = store.standing(asked(1)).await.unwrap();
    let (_, second) = store.standing(Exchange { fresh: Epoch::new([9; 16]), ..asked(2) }).await.unwrap();
    assert_ne!(first.standing, second.standing);
    assert_eq!(store.note(first).await.unwrap(), Committed::Done);
    // Both were decided when there was none yet; the one that came first made it.
    assert_eq!(store.note(second).await.unwrap(), Committed::Changed);
    let (_, second) = store.standing(asked(2)).await.unwrap();
    assert_eq!(store.note(second).await.unwrap(), Committed::Done);
}

#[tokio::test]
async fn keys_that_belong_to_another_device_or_a_revoked_one_are_not_certified_again() {
    let (_folder, store) = store();
    store.certify(exchange(1, 1000), device(), vec![1]).await.unwrap();
    let other = CertifiedDevice { device_id: DeviceId::new([9; 16]), ..device() };
    assert_eq!(store.certify(exchange(2, 1000), other, vec![2]).await.unwrap(), Committed::Changed);
    assert!(store.revoke_device(DeviceId::new([2; 16]), 0, None, 1500).await.unwrap());
    assert_eq!(store.certify(exchange(3, 1600), device(), vec![3]).await.unwrap(), Committed::Changed);
    assert!(store.read(|connection| issue::is_revoked(connection, DeviceId::new([2; 16]))).await.unwrap());
}

#[tokio::test]
async fn changes_that_come_together_are_kept_or_undone_one_by_one() {
    let (_folder, store) = store();
    let tasks: Vec<_> = (0..100_u8)
        .map(|number| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                // Two of three contradict the first one of their key.
                let license = NewLicense { kid: Kid::new([number / 3; 16]), ..license(number, None) };
                let device = DeviceId::new([2; 16]);
                store.issue(exchange(number, 1000), device, issued(vec![license]), vec![number]).await.unwrap()
            })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += usize::from(task.await.unwrap() == Committed::Done);
    }
    assert_eq!(done, 34);
    assert_eq!(store.licenses().await.unwrap().len(), 34);
}

#[test]
fn a_database_can_be_made_by_several_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| SqliteStore::create(&path).unwrap());
        }
    });
}

#[tokio::test]
async fn a_change_that_panics_is_undone_and_the_next_one_runs() {
    let (_folder, store) = store();
    let broken = store.write(|connection| -> Result<Verdict<()>, StoreError> {
        connection.execute("INSERT INTO policy (name, definition, changed_at) VALUES ('p', '{}', 0)", [])?;
        panic!("a defect")
    });
    assert!(matches!(broken.await, Err(StoreError::NotCommitted)));
    assert_eq!(store.policy("p".to_owned()).await.unwrap(), None);
    assert!(store.set_policy("q".to_owned(), "{}".to_owned(), None, 0).await.unwrap());
}

#[tokio::test]
async fn a_database_of_each_earlier_schema_opens_with_what_it_has() {
    for version in 1..SCHEMA_VERSION {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let old = Connection::open(&path).unwrap();
        MIGRATIONS[..version as usize].iter().for_each(|step| old.execute_batch(step).unwrap());
        old.pragma_update(None, "user_version", version).unwrap();
        let insert = "INSERT INTO seat (lid, device_id, kid, restored, since) VALUES (?1, ?2, ?2, 0, 1)";
        old.execute(insert, ([7; 16], [2; 16])).unwrap();
        drop(old);
        let store = SqliteStore::open(&path).unwrap();
        let (device, lid) = (DeviceId::new([2; 16]), Lid::new([7; 16]));
        let line = store.read(move |connection| again::line(connection, device, lid)).await.unwrap();
        assert_eq!(line, Some(lid), "schema {version}");
    }
}

#[tokio::test]
async fn what_is_given_is_written_whole_and_waits_thirty_days() {
    let (_folder, store) = store();
    let (device, thumbprint) = (DeviceId::new([2; 16]), SignerId::new([1; 32]));
    let give = async |number, license| {
        let issue = issued(vec![license]);
        store.give(exchange(number, 1000), device, issue, vec![number], true).await.unwrap()
    };
    let recipient = Recipient { thumbprint, device, certificate: vec![9], revoked: false, copied: false };
    let waiting = async |now| store.waiting(thumbprint, vec![9], now).await.unwrap();
    assert_eq!(waiting(1000).await, Waiting::default());
    store.know(recipient, 500).await.unwrap();
    assert_eq!(give(1, license(1, None)).await, Committed::Done);
    // What was decided from another state leaves neither a license nor a letter.
    assert_eq!(give(2, license(2, None)).await, Committed::Changed);
    assert_eq!(waiting(1000).await, Waiting { letters: vec![vec![1]], known: true });
    assert_eq!(store.licenses().await.unwrap().len(), 1);
    // With a newer certificate it is the same device; an older one does not come back.
    assert!(!store.waiting(thumbprint, vec![8], 1000).await.unwrap().known);
    let older = Recipient { thumbprint, device, certificate: vec![7], revoked: false, copied: false };
    store.know(older, 400).await.unwrap();
    assert_eq!(store.recipients(Addressee::Device(device)).await.unwrap()[0].certificate, [9]);
    assert!(waiting(1000 + ANSWER_LIFETIME).await.letters.is_empty());
    store.drop_answers(1000).await.unwrap();
    assert_eq!(waiting(1000).await.letters.len(), 1);
    assert_eq!(store.taken(DeviceId::new([3; 16]), vec![TransactionId::new([1; 16])]).await.unwrap(), 0);
    store.drop_answers(1001).await.unwrap();
    assert!(waiting(1000).await.letters.is_empty());
}
