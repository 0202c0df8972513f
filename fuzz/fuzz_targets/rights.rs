//! What a policy permits, beside a naive reading of docs/protocol.md, 5 and 11, in numbers that never overflow.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wmlicense_core::clock::Reading;
use wmlicense_core::fuzzing::permits;
use wmlicense_core::rights::Environment;
use wmlicense_wire::license::{ActionState, State};
use wmlicense_wire::policy::{Conditions, Policy};

/// What decides beside the policy: from the front of the input.
struct Circumstances {
    state: Option<ActionState>,
    reading: Reading,
    level: u32,
    version: [u8; 4],
}

impl Circumstances {
    fn split(data: &[u8]) -> Option<(Self, &[u8])> {
        let (front, policy) = data.split_first_chunk::<34>()?;
        let number = |at: usize| i64::from_be_bytes(front[at..at + 8].try_into().expect("8 bytes"));
        let flags = front[0];
        let state = ActionState {
            counts_left: (flags & 1 != 0).then_some(u32::from(front[1] & 3)),
            first_use: (flags & 2 != 0).then(|| number(2)),
        };
        let (now, behind) = (number(10), number(18));
        // Behind is what lies over 300 seconds after now.
        let behind = Some(behind).filter(|behind| flags & 8 != 0 && i128::from(*behind) - i128::from(now) > 300);
        let version = front[26..30].try_into().expect("4 bytes");
        let level = u32::from(front[30]);
        Some((
            Self { state: (flags & 4 != 0).then_some(state), reading: Reading { now, behind }, level, version },
            policy,
        ))
    }

    fn environment(&self) -> Environment {
        let [a, b, c, d] = self.version;
        Environment {
            now: self.reading.now,
            security_version: format!("{a}.{b}.{c}.{d}").into(),
            application_level: self.level,
            barred_by: Vec::new(),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((circumstances, policy)) = Circumstances::split(data) else { return };
    let Ok(policy) = Policy::decode(policy) else { return };
    let environment = circumstances.environment();
    for (action, conditions) in &policy.actions {
        let actions = circumstances.state.map(|state| (action.clone(), state));
        let state = State { actions: actions.into_iter().collect() };
        let found = permits(&policy, &state, circumstances.reading, action, &environment);
        assert_eq!(
            found,
            naive(&policy, conditions, &circumstances),
            "{action:?} {conditions:?} {:?}",
            circumstances.reading
        );
        if !found && circumstances.reading.behind.is_none() {
            ended_stays_ended(&policy, conditions, &state, action, &circumstances);
        }
    }
    assert!(
        !permits(&policy, &State::default(), circumstances.reading, "no such action", &environment)
            || policy.action("no such action").is_some()
    );
});

/// Once a right has begun and is refused for the time, no later time brings it back.
fn ended_stays_ended(
    policy: &Policy,
    conditions: &Conditions,
    state: &State,
    action: &str,
    circumstances: &Circumstances,
) {
    let begun = conditions.not_before.is_none_or(|begin| begin <= circumstances.reading.now);
    if !begun {
        return;
    }
    for later in [1, 86_400, i64::MAX / 2] {
        let reading = Reading { now: circumstances.reading.now.saturating_add(later), behind: None };
        let environment = Environment { now: reading.now, ..circumstances.environment() };
        assert!(!permits(policy, state, reading, action, &environment), "{conditions:?} comes back");
    }
}

fn naive(policy: &Policy, conditions: &Conditions, circumstances: &Circumstances) -> bool {
    if conditions.unknown_critical {
        return false;
    }
    let stateful = conditions.count.is_some() || conditions.seconds_after_first_use.is_some();
    let state = match circumstances.state {
        None if stateful => return false,
        state => state.unwrap_or_default(),
    };
    if state.counts_left == Some(0) || circumstances.level < conditions.minimum_application_level.unwrap_or(0) {
        return false;
    }
    if let Some(demanded) = &conditions.minimum_security_version {
        let numbers: Option<Vec<u32>> = demanded.split('.').map(|part| part.parse().ok()).collect();
        let Some(mut numbers) = numbers.filter(|numbers| numbers.len() <= 4) else { return false };
        numbers.resize(4, 0);
        if circumstances.version.map(u32::from).to_vec() < numbers {
            return false;
        }
    }
    in_time(policy, conditions, state, circumstances.reading)
}

fn in_time(policy: &Policy, conditions: &Conditions, state: ActionState, reading: Reading) -> bool {
    let wide = |number: i64| i128::from(number);
    let after = |begin: i64, length: u64| wide(begin) + i128::from(length);
    let dated = conditions.not_before.is_some()
        || conditions.not_after.is_some()
        || conditions.seconds_after_first_use.is_some()
        || conditions.seconds_after_storing.is_some();
    if !dated {
        return true;
    }
    let now = wide(reading.behind.unwrap_or(reading.now));
    if reading.behind.is_some() && now - wide(reading.now) > i128::from(conditions.grace_seconds.unwrap_or(0)) {
        return false;
    }
    let first_use = state.first_use.zip(conditions.seconds_after_first_use);
    let ends = [
        conditions.not_after.map(wide),
        conditions.seconds_after_storing.map(|length| after(policy.first_issued, length)),
        first_use.map(|(begin, length)| after(begin, length)),
    ];
    // A time beyond what a number of 64 bits holds never comes.
    let ended = ends.into_iter().flatten().any(|end| end.clamp(wide(i64::MIN), wide(i64::MAX)) <= now);
    !ended && conditions.not_before.is_none_or(|begin| wide(begin) <= now)
}
