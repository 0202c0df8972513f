//! Finding a circle among modules, the shortest one there is.

use super::modules::Edges;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The shortest circle, as its modules in order; none where there is none.
pub(crate) fn shortest(edges: &Edges) -> Option<Vec<String>> {
    let modules: BTreeSet<&String> = edges.keys().flat_map(|(from, to)| [from, to]).collect();
    modules.into_iter().filter_map(|start| around(edges, start)).min_by_key(Vec::len)
}

/// The shortest way from a module back to itself.
fn around(edges: &Edges, start: &str) -> Option<Vec<String>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(at) = waiting.pop_front() {
        for (_, to) in edges.keys().filter(|(from, _)| from == at) {
            if to == start {
                let mut way = vec![at.to_owned()];
                while let Some(before) = came_from.get(way[way.len() - 1].as_str()) {
                    way.push((*before).to_owned());
                }
                way.reverse();
                return Some(way);
            }
            if !came_from.contains_key(to.as_str()) {
                came_from.insert(to, at);
                waiting.push_back(to);
            }
        }
    }
    None
}

/// What a person needs to know to open a circle: each module, the next one, and why.
pub(crate) fn told(edges: &Edges, circle: &[String]) -> String {
    let pairs = circle.iter().zip(circle.iter().cycle().skip(1));
    let lines = pairs.map(|(from, to)| {
        let why = &edges[&(from.clone(), to.clone())];
        format!("  {from} uses {to}: {why}\n")
    });
    lines.collect()
}
