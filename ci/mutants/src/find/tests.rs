//! What is found in small files, and that they still parse with everything inside.

use super::find;
use std::collections::HashSet;

/// Originals and mutants of a file.
fn found(source: &str) -> Vec<String> {
    let refused = HashSet::new();
    let finder = find("f.rs", source, 4096, &refused).unwrap();
    let names = finder.points.iter().map(|point| format!("{} → {}", point.name.original, point.name.mutant)).collect();
    let rewritten = finder.edits.apply(source);
    syn::parse_file(&rewritten.text).unwrap_or_else(|error| panic!("{error}: {}", rewritten.text));
    names
}

#[test]
fn operands_of_a_condition_are_taken_as_what_makes_them_vanish() {
    let names = found("fn f(a: bool, b: u8) { if a && (b < 3 || g(b)) { h(b)?; } else {} }");
    let whole = "a && (b < 3 || g(b))";
    let expected = [
        "the body → return".to_owned(),
        format!("{whole} → false"),
        "a → true".to_owned(),
        "b < 3 || g(b) → true".to_owned(),
        "b < 3 → false".to_owned(),
        "b < 3 → b <= 3".to_owned(),
        "3 → 4".to_owned(),
        "g(b) → false".to_owned(),
        "h(b)?; → ".to_owned(),
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_chain_with_a_pattern_does_not_match() {
    let names = found("fn f() -> u8 { if let Some(a) = g() && a.is_odd() { return a; } x() }");
    assert_eq!(names[2..4], ["let Some(a) = g() && a.is_odd() → false", "a.is_odd() → true"]);
}

#[test]
fn arms_are_left_out_where_another_takes_the_rest() {
    let names = found("fn f(a: A) -> S { match a { A::B => g(), A::C if h() => i(), _ => j() } }");
    assert_eq!(names, ["A::B => g() → the arm left out", "h() → true", "h() → false"]);
    assert!(found("fn f(a: A) -> S { match a { A::B => g(), A::C => i() } }").is_empty());
}

#[test]
fn what_is_evaluated_early_or_only_for_tests_is_left_alone() {
    let source = "const A: bool = 1 < 2; const fn f() -> bool { 1 < 2 } #[cfg(test)] mod tests { fn g() -> u8 { 1 } }
        fn h(a: [u8; 3]) -> T { let b: [u8; 2] = [0; 2]; unsafe { i(1) } }";
    assert!(found(source).is_empty());
}

#[test]
fn a_refused_change_keeps_its_number_and_leaves_the_code() {
    let source = "fn f() -> S { g(1, 2) }";
    let refused = HashSet::from(["f.rs f: 1 → 2".to_owned()]);
    let finder = find("f.rs", source, 4096, &refused).unwrap();
    assert_eq!(finder.points.iter().map(|point| point.number).collect::<Vec<_>>(), [4096, 4097]);
    assert_eq!(finder.edits.apply(source).text, "fn f() -> S { g(1, (if ::mutant::is(4097) { 3 } else { 2 })) }");
}
