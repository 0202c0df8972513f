//! What is left out is told with its own reason, and what needs no service goes in whatever becomes of it.

use super::*;
use std::cell::Cell;
use std::time::Duration;
use wmlicense_core::contact::{AnswerFault, SessionError};
use wmlicense_core::device::DeviceError;
use wmlicense_core::event::RestoreVerdict;
use wmlicense_core::failure::Explain as _;
use wmlicense_core::individualize::IndividualizeError;
use wmlicense_core::restore::Preview;
use wmlicense_core::restore::through::{Management, NotConnected};
use wmlicense_core::transport::ServiceFailure;
use wmlicense_wire::id::UserId;

/// A backup of a device whose store is to be lost: of its licenses, three go in without the service and two do not.
fn keeps_and_asks(world: &World) -> (Home<'_>, TempDir, Vec<Policy>) {
    let home = Home::new(world);
    let mut policies = plain(world, 0..3);
    policies.extend([counted(world, 8), counted(world, 9)]);
    home.acquire(&policies).unwrap();
    let folder = tempfile::tempdir().unwrap();
    backed_up(&home, folder.path(), false).0.unwrap();
    (home, folder, policies)
}

/// Each way in which the service cannot be asked.
fn failures() -> Vec<RestoreError> {
    let unreachable = || TransportError::Unreachable("nobody listens".into());
    let individualize = |error| RestoreError::Individualize(error);
    vec![
        RestoreError::Service(SessionError::Transport(unreachable())),
        RestoreError::Service(SessionError::Transport(TransportError::Offline)),
        RestoreError::Service(SessionError::NeedsIndividualization),
        RestoreError::Service(SessionError::NoService),
        RestoreError::Service(SessionError::AuthorityNotTrusted),
        RestoreError::Service(SessionError::BadAnswer(AnswerFault::ServiceClock)),
        individualize(IndividualizeError::Service(SessionError::Transport(unreachable()))),
        individualize(IndividualizeError::Service(SessionError::NoService)),
        individualize(IndividualizeError::Service(SessionError::AuthorityNotTrusted)),
        individualize(IndividualizeError::Service(SessionError::BadAnswer(AnswerFault::Signer))),
        individualize(IndividualizeError::Refused(Reason::QuotaUsedUp, ServiceFailure::default())),
    ]
}

/// Restores where the service cannot be asked for this reason; `told`: after the application heard that it is.
fn restore_without(
    home: &Home<'_>,
    folder: &TempDir,
    error: RestoreError,
    told: bool,
) -> (Result<Restored, RestoreError>, Events) {
    let (events, error) = (Events::default(), Cell::new(Some(error)));
    let context = events.context(|_| false);
    let connect = || -> Result<Box<dyn Management>, NotConnected> {
        if told {
            context.emit(Event::Connecting)?;
        }
        Err(NotConnected { error: error.take().unwrap(), told })
    };
    let result = through::restore(&home.client, folder.path(), &connect, &context);
    (result, events)
}

#[test]
fn where_the_service_cannot_be_asked_what_needs_none_goes_in_and_the_rest_is_told_with_the_reason() {
    let world = World::new();
    let (home, folder, policies) = keeps_and_asks(&world);
    for (number, (error, same)) in failures().into_iter().zip(failures()).enumerate() {
        let (fresh, told) = (home.without_store(), number % 2 == 0);
        let why = Why::Unasked(same.explain());
        let (result, events) = restore_without(&fresh, &folder, error, told);
        let restored = result.unwrap();
        let left = vec![left_out(8, why.clone()), left_out(9, why)];
        assert_eq!(restored, Restored { restored: 3, left_out: left.clone(), ..Restored::default() });
        assert!(restored.is_partial());
        let asked = if told { vec![Event::Connecting, Event::Disconnecting] } else { Vec::new() };
        let refused = left.into_iter().map(Event::LicenseRefused);
        let expected: Vec<_> = asked.into_iter().chain([Event::BackupRestoreBegin]).chain(refused).collect();
        assert_eq!(events.milestones(), expected);
        assert!(policies[..3].iter().all(|policy| opens(&fresh.client.store, policy)));
        // Later, with the service, the rest comes as well.
        assert_eq!(restore_at(&fresh, &folder, &Fake::new(&world)).0.unwrap().restored, 5);
    }
}

#[test]
fn where_nothing_goes_in_without_the_service_the_restore_fails_as_the_contact_does() {
    let world = World::new();
    let (_home, folder, _) = keeps_and_asks(&world);
    let other = Home::new(&world);
    for (error, same) in failures().into_iter().zip(failures()) {
        let result = restore_without(&other, &folder, error, true).0;
        assert_eq!(result.err().map(|error| error.to_string()), Some(same.to_string()));
    }
    assert_eq!(other.client.store.license_count().unwrap(), 0);
}

#[test]
fn what_is_wrong_with_this_device_itself_ends_the_restore() {
    let world = World::new();
    let (home, folder, _) = keeps_and_asks(&world);
    for error in [
        RestoreError::Service(SessionError::Keys),
        RestoreError::Service(SessionError::Store(StoreError::Full)),
        RestoreError::Service(SessionError::Cancelled),
        RestoreError::NotRestorable,
        RestoreError::Individualize(IndividualizeError::Device(DeviceError::KeyGeneration)),
        RestoreError::Individualize(IndividualizeError::Service(SessionError::Keys)),
        RestoreError::Individualize(IndividualizeError::Service(SessionError::Cancelled)),
    ] {
        let fresh = home.without_store();
        assert!(restore_without(&fresh, &folder, error, false).0.is_err());
        assert_eq!(fresh.client.store.license_count().unwrap(), 0);
    }
    // So it does where the contact was made already.
    let fresh = home.without_store();
    let result = restore_at(&fresh, &folder, &Fake::new(&world).with(Manner::WithoutKeys)).0;
    assert!(matches!(result, Err(RestoreError::Service(SessionError::Keys))), "{result:?}");
    assert_eq!(fresh.client.store.license_count().unwrap(), 0);
}

/// What a preview says: whole, each license's reason, and the events.
fn look(
    home: &Home<'_>,
    folder: &TempDir,
    fake: &Fake<'_>,
) -> (Result<Preview, RestoreError>, Vec<RestoreVerdict>, Events) {
    let events = Events::default();
    let context = events.context(|_| false);
    let result = through::preview(&home.client, folder.path(), &|| fake.connect(home, &context), &context);
    let verdict = |event| if let Event::RestoreVerdict(verdict) = event { Some(verdict) } else { None };
    (result, events.all().into_iter().filter_map(verdict).collect(), events)
}

#[test]
fn a_preview_without_the_service_answers_what_it_can_and_leaves_the_rest_undecided() {
    let world = World::new();
    let (home, folder, _) = keeps_and_asks(&world);
    for (error, same) in failures().into_iter().zip(failures()) {
        let (fresh, events, error) = (home.without_store(), Events::default(), Cell::new(Some(error)));
        let context = events.context(|_| false);
        let connect = || -> Result<Box<dyn Management>, NotConnected> { Err(error.take().unwrap().into()) };
        let found = through::preview(&fresh.client, folder.path(), &connect, &context).unwrap();
        assert_eq!(found, Preview { restorable: 3, undecided: 2, ..Preview::default() });
        assert!(found.is_partial());
        let why = Why::Unasked(same.explain());
        let undecided = |event: &Event| {
            matches!(event, Event::RestoreVerdict(of)
                if of.refusal.as_ref() == Some(&why) && (of.devices_used, of.devices_limit) == (0, 0))
        };
        assert_eq!(events.all().iter().filter(|event| undecided(event)).count(), 2);
    }
    let other = Home::new(&world);
    let context = Events::default().context(|_| false);
    let connect =
        || -> Result<Box<dyn Management>, NotConnected> { Err(RestoreError::Service(SessionError::NoService).into()) };
    let result = through::preview(&other.client, folder.path(), &connect, &context);
    assert!(matches!(result, Err(RestoreError::Service(SessionError::NoService))), "nothing can be said: {result:?}");
}

#[test]
fn a_contact_that_breaks_keeps_what_was_granted_and_tells_the_rest() {
    let world = World::new();
    let home = Home::new(&world);
    let bulky = |number| {
        let custom = (0..3).map(|n| (format!("name{n}"), "x".repeat(1024))).collect();
        Policy { custom, ..counted(&world, number) }
    };
    let mut policies = plain(&world, 0..2);
    policies.extend((10..1310).map(bulky));
    home.acquire(&policies[..700]).unwrap();
    home.acquire(&policies[700..]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    backed_up(&home, folder.path(), false).0.unwrap();
    for manner in [Manner::FailAfter(0), Manner::FailAfter(1), Manner::AddLicense] {
        let fresh = home.without_store();
        let honest = matches!(manner, Manner::FailAfter(_));
        let fake = Fake::new(&world).with(manner);
        let (result, events) = restore_at(&fresh, &folder, &fake);
        let restored = result.unwrap();
        assert_eq!(restored.restored + restored.left_out.len() as u64, 1302);
        assert!(restored.left_out.iter().all(|license| matches!(license.why, Why::Unasked(_))));
        assert_eq!(fresh.client.store.license_count().unwrap(), restored.restored);
        let told = events.all().iter().filter(|event| matches!(event, Event::LicenseRefused(_))).count();
        assert_eq!(told, restored.left_out.len());
        // Of an answer that lies nothing is taken.
        assert!(honest || restored.restored == 2, "{}", restored.restored);
        assert!(opens(&fresh.client.store, &policies[0]) && opens(&fresh.client.store, &policies[1]));
    }
}

#[test]
fn a_refusal_for_a_time_says_how_long_in_statuses_outcome_and_preview() {
    let world = World::new();
    let (home, folder, _) = keeps_and_asks(&world);
    let (fresh, reason) = (home.without_store(), Reason::GrantedTooOften);
    let fake = Fake::new(&world).with(Manner::Later(reason));
    let wait = u64::try_from(fake::WAIT).ok().map(Duration::from_secs);
    let why = Why::Refused { reason, wait };
    let (found, verdicts, seen) = look(&fresh, &folder, &fake);
    assert_eq!(found.unwrap(), Preview { restorable: 3, refused: 2, ..Preview::default() });
    assert_eq!(verdicts.iter().filter(|verdict| verdict.refusal.as_ref() == Some(&why)).count(), 2);
    assert!(!seen.all().iter().any(|event| matches!(event, Event::BackupRestoreBegin)));
    let (result, events) = restore_at(&fresh, &folder, &fake);
    let left = vec![left_out(8, why.clone()), left_out(9, why)];
    assert_eq!(result.unwrap(), Restored { restored: 3, left_out: left.clone(), ..Restored::default() });
    let told = events.milestones();
    assert!(left.into_iter().all(|left_out| told.contains(&Event::LicenseRefused(left_out))));
    assert!(told.contains(&page(reason)), "{told:?}");
    // Where nothing at all is given the failure says it.
    let other = Home::new(&world);
    let result = restore_at(&other, &folder, &fake).0;
    let said =
        matches!(&result, Err(RestoreError::Refused { reason: Reason::GrantedTooOften, wait: of, .. }) if *of == wait);
    assert!(said, "{result:?}");
}

#[test]
fn a_section_that_the_service_keeps_shut_is_told_with_its_reason_size_and_page() {
    let world = World::new();
    let of = |number, user| Policy { user, ..world.policy(kid(number)) };
    let (first, second) = (Some(UserId::new([1; 16])), Some(UserId::new([2; 16])));
    let policies = [of(0, first), of(1, second), of(2, second)];
    let folder = backup_of(&world, &policies);
    let other = Home::new(&world);
    for section in 0..2 {
        let fake = Fake::new(&world).with(Manner::RefuseSection(section, Reason::OtherAccount));
        let (result, events) = restore_at(&other, &folder, &fake);
        let restored = result.unwrap();
        assert!(restored.is_partial() && restored.left_out.is_empty());
        let [closed] = restored.closed.as_slice() else { panic!("{:?}", restored.closed) };
        assert_eq!((&closed.why, closed.sections), (&Why::from(Reason::OtherAccount), 1));
        assert_eq!(closed.url.as_deref(), Some(fake::URL));
        assert!(closed.bytes > 0);
        assert!(events.milestones().contains(&Event::SectionsClosed(closed.clone())));
        assert!(events.milestones().contains(&page(Reason::OtherAccount)));
        let (found, verdicts, seen) = look(&other, &folder, &fake);
        let found = found.unwrap();
        assert_eq!((found.restorable, &found.closed), (restored.restored, &restored.closed));
        assert_eq!(verdicts.len() as u64, restored.restored);
        assert!(seen.all().contains(&Event::SectionsClosed(closed.clone())));
        assert!(seen.all().contains(&page(Reason::OtherAccount)));
    }
}

#[test]
fn what_the_backup_shows_to_be_used_up_is_said_before() {
    let world = World::new();
    let home = Home::new(&world);
    let mut policies = plain(&world, 0..2);
    policies.push(counted(&world, 9));
    home.acquire(&policies).unwrap();
    let spend = &mut |_: &Policy, state: &State| {
        let mut next = state.clone();
        next.actions.get_mut("Play").unwrap().counts_left = Some(0);
        Ok::<_, StoreError>(next)
    };
    home.client.store.change_state(policies[2].lid, spend).unwrap();
    let folder = tempfile::tempdir().unwrap();
    backed_up(&home, folder.path(), false).0.unwrap();
    let (honest, full) = (Fake::new(&world), Fake::new(&world));
    full.fill(policies[2].lid);
    // That no seat is free helps nobody to know where a seat would not help.
    for fake in [honest, full] {
        let (found, verdicts, _) = look(&Home::new(&world), &folder, &fake);
        assert_eq!(found.unwrap(), Preview { restorable: 2, refused: 1, ..Preview::default() });
        let refused: Vec<_> =
            verdicts.into_iter().filter_map(|verdict| Some((verdict.kid, verdict.refusal?))).collect();
        assert_eq!(refused, [(kid(9), Why::from(Reason::UsedUp))]);
    }
}
