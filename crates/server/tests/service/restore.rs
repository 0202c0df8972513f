//! Restoring to further devices: the limit, the account, and what a record has to prove.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use wmlicense_testkit::daemon::device::{Backup, Device, Held, Known, kid, now};
use wmlicense_testkit::daemon::{COUNTED, Data, ENDED, GOLD, KEY, NO_BACKUP, OPEN};
use wmlicense_wire::answer::{Answer, Outcome, Reason};
use wmlicense_wire::backup::{Record, RecordKey, SectionKeys, ServiceTicket, Ticket};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::license::{InnerKey, State};
use wmlicense_wire::policy::LicenseKind;
use wmlicense_wire::problem::ProblemKind;
use wmlicense_wire::request::{Body, MAX_NAMED, RestoreBatch};
use zeroize::Zeroizing;

fn started() -> (Data, wmlicense_testkit::daemon::Serving, Known) {
    let data = Data::new();
    data.fill();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    (data, serving, known)
}

/// A device with one license for `kid`, and its backup.
fn backed_up(known: &Known, kid: &str) -> (Device, Vec<Held>, Backup) {
    let device = Device::individualized(known);
    let (_, held) = device.acquire(known, &[kid], None);
    let backup = device.back_up(known, &held, None);
    (device, held, backup)
}

fn only_reason((answer, held): &(Answer, Vec<Held>)) -> Reason {
    assert!(held.is_empty());
    assert_eq!(answer.outcome, Outcome::Refused);
    assert_eq!(answer.refusals.len(), 1);
    answer.refusals[0].reason
}

#[test]
fn another_device_gets_the_same_policy_with_a_binding_of_its_own() {
    let (data, _serving, known) = started();
    let (_, held, backup) = backed_up(&known, OPEN);
    let other = Device::individualized(&known);
    let (answer, restored) = other.restore(&known, &backup, None);
    assert_eq!(answer.outcome, Outcome::Done);
    let license = &restored[0].license;
    assert_eq!(license.license.policy, held[0].license.license.policy);
    assert_eq!(license.binding.device_id, other.id());
    assert_eq!(license.key.as_bytes(), kid(KEY).as_bytes());
    assert_eq!(license.binding.state, None);
    let listed = data.json(&["restore", "list"]);
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["device"], other.id().to_hex());
    assert_eq!(listed[0]["devices"], 2);
}

#[test]
fn what_was_restored_can_be_backed_up_and_restored_again() {
    let (_data, _serving, known) = started();
    let (_, _, backup) = backed_up(&known, OPEN);
    let second = Device::individualized(&known);
    let (_, restored) = second.restore(&known, &backup, None);
    let third = Device::individualized(&known);
    let (_, held) = third.restore(&known, &second.back_up(&known, &restored, None), None);
    assert_eq!(held.len(), 1);
}

#[test]
fn the_fifth_device_is_refused_and_the_counted_ones_stay_free() {
    let (data, _serving, known) = started();
    let (first, _, backup) = backed_up(&known, OPEN);
    let others: Vec<Device> = (0..4).map(|_| Device::individualized(&known)).collect();
    for device in &others[..3] {
        assert_eq!(device.restore(&known, &backup, None).1.len(), 1);
    }
    let refused = others[3].restore(&known, &backup, None);
    assert_eq!(only_reason(&refused), Reason::LimitReached);
    assert_eq!(refused.0.refusals[0].url.as_deref(), Some(format!("{}/support", known.url).as_str()));
    for device in others[..3].iter().chain([&first]) {
        assert_eq!(device.restore(&known, &backup, None).1.len(), 1);
    }
    assert_eq!(data.json(&["restore", "list"]).as_array().unwrap().len(), 3);
}

#[test]
fn fifty_devices_at_once_get_exactly_the_seats_there_are() {
    let (data, _serving, known) = started();
    let (_, _, backup) = backed_up(&known, OPEN);
    let barrier = Arc::new(Barrier::new(50));
    let restored: usize = std::thread::scope(|scope| {
        let device = |_| {
            let (known, backup, barrier) = (known.clone(), &backup, Arc::clone(&barrier));
            scope.spawn(move || {
                let device = Device::individualized(&known);
                let bytes = device.sign(&device.restore_request(&known, backup));
                barrier.wait();
                // As a client does: a busy service gets the same bytes again.
                let mut again = (0..1000).map(|_| known.post("restores", &bytes, None));
                let reply = again.find(|reply| reply.status != 503).unwrap();
                let envelope = wmlicense_wire::answer::Envelope::parse(&reply.granted()).unwrap();
                usize::from(!is_refused(&envelope.signed, &known))
            })
        };
        let threads: Vec<_> = (0..50).map(device).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(restored, 3);
    assert_eq!(data.json(&["restore", "list"]).as_array().unwrap().len(), 3);
}

#[test]
fn a_kill_in_the_middle_of_restores_spends_no_seat_twice() {
    let (data, mut serving, known) = started();
    let (_, _, backup) = backed_up(&known, OPEN);
    let devices: Vec<Device> = (0..8).map(|_| Device::individualized(&known)).collect();
    let requests: Vec<_> = devices.iter().map(|device| device.restore_request(&known, &backup)).collect();
    let bytes: Vec<_> = devices.iter().zip(&requests).map(|(device, request)| device.sign(request)).collect();
    let answered = AtomicBool::new(false);
    let mut before: Vec<Option<bool>> = vec![None; devices.len()];
    std::thread::scope(|scope| {
        for (bytes, slot) in bytes.iter().zip(&mut before) {
            let (known, answered) = (&known, &answered);
            scope.spawn(move || {
                let reply = known.try_post("restores", bytes, None).ok().filter(|reply| reply.status == 200);
                if let Some(reply) = reply {
                    let envelope = wmlicense_wire::answer::Envelope::parse(&reply.body).unwrap();
                    *slot = Some(!is_refused(&envelope.signed, known));
                    answered.store(true, Ordering::Release);
                }
            });
        }
        while !answered.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        serving.kill();
    });
    let again = data.serve(&[]);
    let known = Known::discover(&again.url, data.authority);
    let mut granted = 0;
    for (bytes, before) in bytes.iter().zip(&before) {
        let envelope = wmlicense_wire::answer::Envelope::parse(&known.post("restores", bytes, None).granted()).unwrap();
        let now = !is_refused(&envelope.signed, &known);
        assert!(*before != Some(true) || now, "what was granted before the kill is granted again");
        granted += usize::from(now);
    }
    assert_eq!(granted, 3, "the seats beside the first device's");
    assert_eq!(data.json(&["restore", "list"]).as_array().unwrap().len(), 3);
}

fn is_refused(signed: &[u8], known: &Known) -> bool {
    let verified = wmlicense_wire::answer::verify_signed(signed, &known.directory, &[Role::Management]);
    verified.unwrap().0.outcome == Outcome::Refused
}

#[test]
fn an_equal_chunk_gets_an_equivalent_answer_and_counts_once() {
    let (data, _serving, known) = started();
    let (_, _, backup) = backed_up(&known, OPEN);
    let other = Device::individualized(&known);
    let request = other.restore_request(&known, &backup);
    let bytes = other.sign(&request);
    for _ in 0..2 {
        let reply = known.post("restores", &bytes, None).granted();
        assert_eq!(other.verify(&known, Role::Management, &bytes, request.transaction, &reply).1.len(), 1);
    }
    assert_eq!(data.json(&["restore", "list"]).as_array().unwrap().len(), 1);
    let mut changed = other.restore_request(&known, &backup);
    changed.transaction = request.transaction;
    changed.time += 1;
    assert_eq!(known.post("restores", &other.sign(&changed), None).problem(), ProblemKind::Conflict);
}

#[test]
fn a_backup_opens_for_its_account_only() {
    let (data, _serving, known) = started();
    let (owner, thief) = (data.account("owner", &["gold"]), data.account("thief", &["gold"]));
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[GOLD], Some(&owner));
    let (user, lid) = (held[0].license.policy.user, held[0].license.policy.lid);
    let backup = device.back_up(&known, &held, user);
    let other = Device::individualized(&known);
    for (token, reason) in [(None, Reason::AccountRequired), (Some(thief.as_str()), Reason::OtherAccount)] {
        let (answer, meta) = other.preview(&known, &backup, vec![lid], token);
        assert_eq!((answer.refusals[0].reason, meta), (reason, None));
        assert_eq!(only_reason(&other.restore(&known, &backup, token)), reason);
        // A section that claims to be nobody's does not open the way either.
        let nobodys = device.back_up(&known, &held, None);
        assert_eq!(only_reason(&other.restore(&known, &nobodys, token)), reason);
    }
    let (answer, meta) = other.preview(&known, &backup, vec![lid], Some(&owner));
    assert_eq!(meta, Some(backup.meta));
    assert_eq!((answer.verdicts[0].devices_used, answer.verdicts[0].devices_limit), (1, 4));
    assert!(data.json(&["restore", "list"]).as_array().unwrap().is_empty());
    assert_eq!(other.restore(&known, &backup, Some(&owner)).1.len(), 1);
}

#[test]
fn a_preview_tells_that_all_seats_are_taken() {
    let (data, _serving, known) = started();
    data.policy("one", r#"{"backup":true,"restoreDevices":1}"#);
    let alone = "c0000000000000000000000000000009";
    data.open_content(alone, Some("one"));
    let (device, held, backup) = backed_up(&known, alone);
    let lid = held[0].license.policy.lid;
    let other = Device::individualized(&known);
    assert_eq!(other.preview(&known, &backup, vec![lid], None).0.verdicts[0].refusal, Some(Reason::LimitReached));
    assert_eq!(device.preview(&known, &backup, vec![lid], None).0.verdicts[0].refusal, None);
    // The owner's setting decides, not the hint in the license.
    data.policy("one", r#"{"backup":true,"restoreDevices":2}"#);
    assert_eq!(other.preview(&known, &backup, vec![lid], None).0.verdicts[0].refusal, None);
    assert_eq!(other.restore(&known, &backup, None).1.len(), 1);
}

#[test]
fn what_may_not_be_backed_up_or_has_ended_is_refused() {
    let (_data, _serving, known) = started();
    let other = Device::individualized(&known);
    for (kid, reason) in [(NO_BACKUP, Reason::NotAllowed), (ENDED, Reason::Expired)] {
        let (_, _, backup) = backed_up(&known, kid);
        assert_eq!(only_reason(&other.restore(&known, &backup, None)), reason);
    }
}

#[test]
fn counts_start_from_the_strictest_state_known() {
    let (_data, _serving, known) = started();
    let device = Device::individualized(&known);
    let (_, mut held) = device.acquire(&known, &[COUNTED], None);
    let with_counts = |held: &mut Vec<Held>, counts| {
        let mut state = State::initial(&held[0].license.policy);
        state.actions.get_mut("Play").unwrap().counts_left = Some(counts);
        held[0].license.binding.state = Some(state);
        device.back_up(&known, held, None)
    };
    let (used, fresh) = (with_counts(&mut held, 2), with_counts(&mut held, 5));
    let counts =
        |restored: Vec<Held>| restored[0].license.binding.state.as_ref().unwrap().actions["Play"].counts_left.unwrap();
    let other = Device::individualized(&known);
    assert_eq!(counts(other.restore(&known, &used, None).1), 2);
    assert_eq!(counts(other.restore(&known, &fresh, None).1), 2);
    assert_eq!(counts(Device::individualized(&known).restore(&known, &fresh, None).1), 2);
}

#[test]
fn a_first_use_that_a_backup_puts_into_the_future_was_today() {
    let (data, _serving, known) = started();
    data.policy("rent", r#"{"actions":{"Play":{"secondsAfterFirstUse":86400}},"backup":"stateful"}"#);
    data.open_content(OPEN, Some("rent"));
    let device = Device::individualized(&known);
    let (_, mut held) = device.acquire(&known, &[OPEN], None);
    let mut state = State::initial(&held[0].license.policy);
    state.actions.get_mut("Play").unwrap().first_use = Some(1 << 40);
    held[0].license.binding.state = Some(state);
    let (_, restored) = Device::individualized(&known).restore(&known, &device.back_up(&known, &held, None), None);
    let first_use = restored[0].license.binding.state.as_ref().unwrap().actions["Play"].first_use.unwrap();
    assert!((first_use - now()).abs() < 60, "{first_use}");
}

#[test]
fn a_record_that_is_not_what_was_signed_is_refused() {
    let (_data, _serving, known) = started();
    let (device, held, mut backup) = backed_up(&known, OPEN);
    let other = Device::individualized(&known);
    let license = &held[0].license;
    // Sealed as it should be, but not at the place in the manifest where it was signed.
    let elsewhere = device.back_up_as(&known, None, |content| {
        let record = Record::seal(0, 1, license.license.clone(), State::default(), &license.key, &content.records);
        vec![RestoreBatch { signed: held[0].signed.clone(), records: vec![record.encode()], ..RestoreBatch::default() }]
    });
    assert_eq!(only_reason(&other.restore(&known, &elsewhere, None)), Reason::Damaged);
    // A place that the seal of the record does not prove.
    let mut record = Record::decode(&backup.batches[0].records[0]).unwrap();
    record.number = 1;
    let honest = std::mem::replace(&mut backup.batches[0].records[0], record.encode());
    assert_eq!(only_reason(&other.restore(&known, &backup, None)), Reason::Damaged);
    backup.batches[0].records[0] = honest;
    // The signature of the batch, and a device that is not the one it was made for.
    let last = backup.batches[0].signed.len() - 1;
    backup.batches[0].signed[last] ^= 1;
    assert_eq!(only_reason(&other.restore(&known, &backup, None)), Reason::Damaged);
    let forged = other.back_up(&known, &held, None);
    assert_eq!(only_reason(&other.restore(&known, &forged, None)), Reason::Damaged);
    drop(device);
}

#[test]
fn a_license_without_its_key_is_no_license() {
    let (_data, _serving, known) = started();
    let (device, held, honest) = backed_up(&known, OPEN);
    let other = Device::individualized(&known);
    // Anybody can seal a ticket in the name of a device whose signed license he has seen.
    let keys = SectionKeys::random().unwrap();
    let wrong = InnerKey::new(LicenseKind::Content, Zeroizing::new(vec![0; 16])).unwrap();
    let license = &held[0].license;
    let record = Record::seal(
        0,
        license.index,
        license.license.clone(),
        State::default(),
        &wrong,
        &RecordKey::of(&keys.content),
    );
    let (backup_id, thumbprint) = (honest.source.backup_id, device.thumbprint());
    let ticket = ServiceTicket { keys, device_id: device.id(), thumbprint, user: None, created_at: 0 };
    let services = known.directory.services();
    let management = services.iter().find(|service| service.role == Role::Management).unwrap();
    let mut forged = honest;
    forged.source.ticket = Ticket::for_service(management.backup_key.as_ref().unwrap(), backup_id, 0, &ticket).unwrap();
    forged.batches[0].records = vec![record.encode()];
    assert_eq!(only_reason(&other.restore(&known, &forged, None)), Reason::Damaged);
}

#[test]
fn tickets_that_are_damaged_or_for_others_are_refused() {
    let (_data, _serving, known) = started();
    let (_, _, mut backup) = backed_up(&known, OPEN);
    let other = Device::individualized(&known);
    backup.source.section = 1;
    assert_eq!(other.preview(&known, &backup, vec![], None).0.refusals[0].reason, Reason::Damaged);
    backup.source.ticket.recipient = device_signer();
    assert_eq!(only_reason(&other.restore(&known, &backup, None)), Reason::UnknownIssuer);
}

fn device_signer() -> wmlicense_wire::id::SignerId {
    Device::new().thumbprint()
}

#[test]
fn backups_sealed_before_a_renewal_still_open() {
    let (data, mut serving, known) = started();
    let (_, _, backup) = backed_up(&known, OPEN);
    data.admin(&["certificate", "renew"]);
    serving.kill();
    let again = data.serve(&[]);
    let renewed = Known::discover(&again.url, data.authority);
    let other = Device::individualized(&renewed);
    let request = other.restore_request(&renewed, &backup);
    let bytes = other.sign(&request);
    let reply = renewed.post("restores", &bytes, None).granted();
    assert_eq!(other.verify(&renewed, Role::Management, &bytes, request.transaction, &reply).1.len(), 1);
}

#[test]
fn a_preview_of_as_many_as_a_request_may_name_is_answered_for_each_and_of_more_refused() {
    let (_data, _serving, known) = started();
    let (_, held, backup) = backed_up(&known, OPEN);
    let other = Device::individualized(&known);
    let unknown = |number: usize| wmlicense_wire::id::Lid::new((1u128 << 64 | number as u128).to_be_bytes());
    let mut lids: Vec<_> = (1..MAX_NAMED).map(unknown).collect();
    lids.push(held[0].license.policy.lid);
    let (answer, _) = other.preview(&known, &backup, lids.clone(), None);
    assert_eq!(answer.verdicts.len(), MAX_NAMED);
    assert_eq!(answer.verdicts.last().unwrap().refusal, None);
    lids.push(unknown(0));
    let body = Body::RestorePreview { source: backup.source.clone(), lids, usage: Vec::new() };
    let request = other.request(&known, Role::Management, body);
    assert_eq!(known.post("restores/preview", &other.sign(&request), None).problem(), ProblemKind::BadRequest);
}
