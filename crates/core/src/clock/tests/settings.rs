//! A wall clock that is set at random, between uses, restarts and visits of a service.

use super::*;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Passes(i64),
    SetWall(i64),
    Use,
    Boot,
    Online,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3 * DAY).prop_map(Step::Passes),
        (-900 * DAY..900 * DAY).prop_map(Step::SetWall),
        Just(Step::Use),
        Just(Step::Boot),
        Just(Step::Online),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// However the wall clock is set, a use that the record lets pass is never before the last word of the service, and
    /// going online makes everything right at once.
    #[test]
    fn no_setting_of_the_clock_takes_a_license_back_before_what_its_service_said(steps in prop::collection::vec(step(), 1..60)) {
        let mut record = record();
        let (mut truth, mut shift, mut run, mut up) = (START, 0, 1_u8, 50_i64);
        let mut said = i64::MIN;
        for step in steps {
            match step {
                Step::Passes(seconds) => (truth, up) = (truth + seconds, up + seconds),
                Step::SetWall(by) => shift = by,
                Step::Boot => (run, up) = (run.wrapping_add(1), 1),
                Step::Online => {
                    anchored(&mut record, ONE, truth, boot(run, up), boot(run, up));
                    said = said.max(truth);
                }
                Step::Use => { record.note_use(moment(truth + shift, run, up)); }
            }
            let at = moment(truth + shift, run, up);
            let reading = record.read(at, [ONE]);
            prop_assert!(reading.behind.is_some() || reading.now >= said.saturating_sub(TOLERANCE + MARK_INTERVAL));
            prop_assert_eq!(record.read(at, [ONE]), reading);
            let mut online = record.clone();
            anchored(&mut online, ONE, truth, boot(run, up), boot(run, up));
            let mended = online.read(at, [ONE]);
            prop_assert!(mended.behind.is_none());
            prop_assert!(mended.now.abs_diff(truth) < MARK_INTERVAL as u64);
        }
    }
}
