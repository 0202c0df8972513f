//! Mutants that behave as the code does, each with its reason: a line that names it and, below it and further in, why.

use crate::point::Name;
use std::collections::{BTreeMap, HashSet};

/// Names and reasons.
pub fn read(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut last: Option<String> = None;
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        if line.starts_with(' ') {
            let name = last.as_ref().ok_or_else(|| format!("a reason without a mutant: {line}"))?;
            let reason = found.entry(name.clone()).or_default();
            if !reason.is_empty() {
                reason.push(' ');
            }
            reason.push_str(line.trim());
        } else {
            if found.insert(line.trim_end().to_owned(), String::new()).is_some() {
                return Err(format!("listed twice: {line}"));
            }
            last = Some(line.trim_end().to_owned());
        }
    }
    match found.iter().find(|(_, reason)| reason.is_empty()) {
        Some((name, _)) => Err(format!("no reason: {name}")),
        None => Ok(found),
    }
}

/// Tells which name no mutant: the code is another by now, and the reason may be untrue. True if there are none.
pub fn told_dead(listed: &BTreeMap<String, String>, all: &[&Name]) -> bool {
    let all: HashSet<String> = all.iter().map(|name| name.to_string()).collect();
    let dead: Vec<&String> = listed.keys().filter(|name| !all.contains(*name)).collect();
    dead.iter().for_each(|dead| println!("listed as equivalent, but there is no such mutant: {dead}"));
    dead.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutant_is_listed_once_and_with_a_reason() {
        let listed = read("# head\n\na.rs f: x → y\n  the first\n  line\nb.rs g: x → nothing\n  why\n").unwrap();
        assert_eq!(listed.get("a.rs f: x → y").map(String::as_str), Some("the first line"));
        assert_eq!(listed.len(), 2);
        assert!(read("a.rs f: x → y\n").is_err());
        assert!(read("a.rs f: x → y\n  why\na.rs f: x → y\n  why\n").is_err());
        assert!(read("  why\n").is_err());
    }
}
