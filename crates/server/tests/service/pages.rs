//! Pages of a backup in restores: re-bound as records are, whole and cut down, and refused where they are not what was signed or
//! hold what only a record may.

use wmlicense_testkit::daemon::device::{Backup, Device, Held, Known, kid};
use wmlicense_testkit::daemon::{COUNTED, Data, KEY, OPEN};
use wmlicense_wire::answer::{Outcome, Reason};
use wmlicense_wire::backup::page::{PageBuilder, PageView, PagedLicense};
use wmlicense_wire::problem::ProblemKind;
use wmlicense_wire::request::RestoreBatch;

const OTHERS: [&str; 2] = ["c0000000000000000000000000000011", "c0000000000000000000000000000012"];

fn started() -> (Data, wmlicense_testkit::daemon::Serving, Known) {
    let data = Data::new();
    data.fill();
    OTHERS.iter().for_each(|kid| data.open_content(kid, None));
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    (data, serving, known)
}

/// A device with three licenses of one batch, and their backup in one page.
fn backed_up(known: &Known) -> (Device, Vec<Held>, Backup) {
    let device = Device::individualized(known);
    let (_, held) = device.acquire(known, &[OPEN, OTHERS[0], OTHERS[1]], None);
    assert_eq!(held.len(), 3);
    let backup = device.back_up_in_page(known, &held, None);
    (device, held, backup)
}

fn page(backup: &mut Backup) -> &mut Vec<u8> {
    &mut backup.batches[0].pages[0].page
}

/// The page after a change of each license's place, license and wrapped key.
fn rebuilt(page: &[u8], change: impl Fn(usize, &mut (u32, Vec<u8>, Vec<u8>))) -> Vec<u8> {
    let mut builder = PageBuilder::default();
    for (at, PagedLicense { index, license, wrapped }) in PageView::parse(page).unwrap().licenses().enumerate() {
        let mut changed = (index, license.to_vec(), wrapped.to_vec());
        change(at, &mut changed);
        builder.push(changed.0, &changed.1, &changed.2).unwrap();
    }
    builder.finish().unwrap()
}

/// The reasons of the refusals of a restore on another device.
fn refused(known: &Known, backup: &Backup) -> Vec<Reason> {
    let (answer, _) = Device::individualized(known).restore(known, backup, None);
    answer.refusals.iter().map(|refusal| refusal.reason).collect()
}

fn is_malformed(known: &Known, backup: &Backup) -> bool {
    let other = Device::individualized(known);
    let request = other.sign(&other.restore_request(known, backup));
    known.post("restores", &request, None).problem() == ProblemKind::BadRequest
}

#[test]
fn licenses_in_a_page_are_bound_anew_as_those_in_records_are() {
    let (data, _serving, known) = started();
    let (_, held, backup) = backed_up(&known);
    let other = Device::individualized(&known);
    let (answer, restored) = other.restore(&known, &backup, None);
    assert_eq!((answer.outcome, restored.len()), (Outcome::Done, 3));
    for (before, after) in held.iter().zip(&restored) {
        assert!(before.license.license.policy == after.license.license.policy);
        assert_eq!(after.license.binding.device_id, other.id());
        assert_eq!(after.license.key.as_bytes(), kid(KEY).as_bytes());
    }
    assert_eq!(data.json(&["restore", "list"]).as_array().unwrap().len(), 3);
}

#[test]
fn a_page_may_be_cut_down_to_what_is_asked_for_and_asked_for_in_parts_beside_records() {
    let (_data, _serving, known) = started();
    let (device, held, mut backup) = backed_up(&known);
    let other = Device::individualized(&known);
    let whole = page(&mut backup).clone();
    let (view, first) = (PageView::parse(&whole).unwrap(), held[0].license.index);
    *page(&mut backup) = view.keep(|index| index == first).unwrap();
    let (_, restored) = other.restore(&known, &backup, None);
    assert_eq!(restored.len(), 1);
    assert_eq!(restored[0].license.policy.lid, held[0].license.policy.lid);
    // Two parts of one page in one request, under the same key, and a record of another section's making beside them: that one
    // does not open, and hurts nobody else.
    *page(&mut backup) = view.keep(|index| index == held[1].license.index).unwrap();
    let mut rest = backup.batches[0].pages[0].clone();
    rest.page = view.keep(|index| index == held[2].license.index).unwrap();
    backup.batches[0].pages.push(rest);
    let record = device.back_up(&known, &held[..1], None).batches[0].records[0].clone();
    backup.batches[0].records.push(record);
    let (answer, restored) = other.restore(&known, &backup, None);
    assert_eq!(restored.len(), 2);
    let reasons: Vec<_> = answer.refusals.iter().map(|refusal| (refusal.kid, refusal.reason)).collect();
    assert_eq!(reasons, [(Some(kid(OPEN)), Reason::Damaged)]);
}

#[test]
fn a_page_that_is_not_what_was_signed_or_sealed_is_refused_license_by_license() {
    let (data, _serving, known) = started();
    let (_, _, honest) = backed_up(&known);
    let with = |change: &dyn Fn(&mut Backup)| {
        let mut backup = honest.clone();
        change(&mut backup);
        refused(&known, &backup)
    };
    let all = [Reason::Damaged; 3];
    assert_eq!(with(&|backup| backup.batches[0].pages[0].number = 1), all, "the key of another page");
    assert_eq!(with(&|backup| backup.batches[0].pages[0].wrapped_key[5] ^= 1), all);
    let moved = with(&|backup| *page(backup) = rebuilt(page(backup), |at, license| license.0 = at as u32 + 1));
    assert_eq!(moved, all, "places of other licenses");
    let exchanged = with(&|backup| {
        let keys: Vec<Vec<u8>> =
            PageView::parse(page(backup)).unwrap().licenses().map(|license| license.wrapped.to_vec()).collect();
        *page(backup) = rebuilt(page(backup), |at, license| license.2 = keys[(at + 1) % 3].clone());
    });
    assert_eq!(exchanged, all);
    let last = with(&|backup| *page(backup).last_mut().unwrap() ^= 1);
    assert_eq!(last, [Reason::Damaged], "the others are what was signed");
    let batch = with(&|backup| *backup.batches[0].signed.last_mut().unwrap() ^= 1);
    assert_eq!(batch, all);
    assert!(data.json(&["restore", "list"]).as_array().unwrap().len() == 2, "but for the two beside the changed one");
}

#[test]
fn a_license_with_a_state_in_a_page_is_refused_because_nothing_proves_the_state() {
    let (_data, _serving, known) = started();
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[COUNTED, OPEN], None);
    let backup = device.back_up_in_page(&known, &held, None);
    let (answer, restored) = Device::individualized(&known).restore(&known, &backup, None);
    assert_eq!(restored.len(), 1);
    assert_eq!((answer.refusals[0].kid, answer.refusals[0].reason), (Some(kid(COUNTED)), Reason::Damaged));
}

#[test]
fn pages_that_are_none_and_licenses_that_are_there_twice_make_a_malformed_request() {
    let (data, _serving, known) = started();
    let (device, held, honest) = backed_up(&known);
    let with = |change: &dyn Fn(&mut Backup)| {
        let mut backup = honest.clone();
        change(&mut backup);
        is_malformed(&known, &backup)
    };
    assert!(refused(&known, &honest).is_empty());
    assert!(with(&|backup| page(backup).truncate(40)), "cut");
    assert!(with(&|backup| page(backup).push(0)), "extended");
    assert!(with(&|backup| page(backup)[..2].fill(0)), "no licenses");
    assert!(with(&|backup| page(backup)[8..10].copy_from_slice(&[0, 0])), "one place twice");
    assert!(with(&|backup| backup.batches[0].pages[0].wrapped_key.truncate(47)));
    let no_license = |backup: &mut Backup| *page(backup) = rebuilt(page(backup), |_, license| license.1 = vec![0x80]);
    assert!(with(&|backup| no_license(backup)));
    let twice = |backup: &mut Backup| {
        let again = backup.batches[0].pages[0].clone();
        backup.batches[0].pages.push(again);
    };
    assert!(with(&|backup| twice(backup)), "in two pages");
    let record = device.back_up(&known, &held[..1], None).batches.remove(0);
    assert!(with(&|backup| backup.batches[0].records.extend(record.records.clone())), "in a page and a record");
    assert!(with(&|backup| backup.batches.push(RestoreBatch { ..record.clone() })), "in two batches");
    assert_eq!(data.json(&["restore", "list"]).as_array().unwrap().len(), 3, "those of the honest request");
}
