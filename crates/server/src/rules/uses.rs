//! Uses: what a device tells of the licenses that it holds, and what is kept of it.

use crate::policy::until_now;
use std::collections::{HashMap, HashSet};
use wmlicense_wire::id::Lid;
use wmlicense_wire::license::State;
use wmlicense_wire::policy::MAX_ACTIONS;

/// What a device tells of the use of licenses.
pub(crate) type Usage = Vec<(Lid, State)>;

/// Lines of the licenses that a device tells that it has.
pub(crate) type Told = HashSet<Lid>;

/// The lines of the licenses that the device tells of, and of these what was not known. What it tells of others' licenses is
/// passed over. `lines`: of the licenses that are the device's.
pub(crate) fn news(
    usage: &[(Lid, State)],
    lines: &HashMap<Lid, Lid>,
    known: &HashMap<Lid, State>,
    now: i64,
) -> (Told, Usage) {
    let (mut told, mut news) = (Told::new(), Usage::new());
    for (lid, state) in usage.iter().filter(|(_, state)| !state.actions.is_empty()) {
        let Some(line) = lines.get(lid) else { continue };
        told.insert(*line);
        let is_known = |known: &State| known.clone().strictest(&until_now(state, now)) == *known;
        if !known.get(lid).is_some_and(is_known) {
            news.push((*lid, state.clone()));
        }
    }
    (told, news)
}

/// What to keep of what the holder of a license tells; none where nothing is.
pub(crate) fn kept(known: Option<&State>, told: &State, now: i64) -> Option<State> {
    // Invented actions must not pile up from report to report.
    let named = strictest(known, told).actions.len();
    (!told.actions.is_empty() && named <= MAX_ACTIONS).then(|| strictest(known, &until_now(told, now)))
}

/// The strictest of what is known of a license and what is told now.
pub(crate) fn strictest(known: Option<&State>, told: &State) -> State {
    known.map_or_else(|| told.clone(), |known| known.clone().strictest(told))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wmlicense_wire::license::ActionState;

    const LID: Lid = Lid::new([1; 16]);

    fn actions(numbers: std::ops::Range<usize>, counts_left: u32) -> State {
        let left =
            |number| (format!("Action{number}"), ActionState { counts_left: Some(counts_left), first_use: None });
        State { actions: numbers.map(left).collect() }
    }

    #[test]
    fn invented_actions_are_kept_up_to_their_most_over_all_reports() {
        assert_eq!(kept(None, &actions(0..MAX_ACTIONS + 1, 1), 9), None, "one too many at once");
        let most = kept(None, &actions(0..MAX_ACTIONS, 1), 9).unwrap();
        assert_eq!(most.actions.len(), MAX_ACTIONS);
        assert_eq!(kept(Some(&most), &actions(MAX_ACTIONS..MAX_ACTIONS + 1, 1), 9), None, "one too many in all");
        let used = kept(Some(&most), &actions(0..1, 0), 9).unwrap();
        assert_eq!(used.actions["Action0"].counts_left, Some(0), "what is known is still counted down");
        assert_eq!(kept(Some(&most), &State::default(), 9), None);
    }

    #[test]
    fn a_first_use_is_not_of_tomorrow_and_an_earlier_one_stays() {
        let used = |first_use| State {
            actions: [("Play".to_owned(), ActionState { counts_left: Some(0), first_use: Some(first_use) })].into(),
        };
        assert_eq!(kept(None, &used(1 << 40), 2000), Some(used(2000)));
        assert_eq!(kept(Some(&used(1500)), &used(1700), 2000), Some(used(1500)));
    }

    #[test]
    fn of_what_is_told_only_what_is_the_devices_counts_and_only_what_is_new_is_written() {
        let line = Lid::new([2; 16]);
        let usage = [(LID, actions(0..1, 1)), (Lid::new([9; 16]), actions(0..1, 0))];
        let lines = HashMap::from([(LID, line)]);
        let (told, new) = news(&usage, &lines, &HashMap::new(), 9);
        assert_eq!((told, new), (Told::from([line]), vec![(LID, actions(0..1, 1))]));
        let (told, new) = news(&usage, &lines, &HashMap::from([(LID, actions(0..1, 1))]), 9);
        assert_eq!((told, new), (Told::from([line]), vec![]));
        let (told, new) = news(&[(LID, State::default())], &lines, &HashMap::new(), 9);
        assert_eq!((told, new), (Told::new(), vec![]), "nothing is told of it");
    }

    #[test]
    fn what_is_known_already_of_a_later_first_use_is_not_news() {
        let used = |first_use| State {
            actions: [("Play".to_owned(), ActionState { counts_left: Some(1), first_use: Some(first_use) })].into(),
        };
        let lines = HashMap::from([(LID, LID)]);
        let new = |told: i64| news(&[(LID, used(told))], &lines, &HashMap::from([(LID, used(1500))]), 2000).1;
        assert_eq!(new(1500), []);
        assert_eq!(new(1700), [], "it is later than what is known");
        assert_eq!(new(1 << 40), [], "it is not of tomorrow");
        assert_eq!(new(1400), [(LID, used(1400))]);
    }
}
