//! SQL stands in files, several statements in each, and is looked up by name while the program is compiled.

/// What stands before the name of a statement, at the beginning of a line.
const MARK: &str = "-- name: ";

/// The statement of a name in a file: what stands between the line of its name and the next semicolon. Empty if there is none.
pub(super) const fn statement(file: &'static str, name: &str) -> &'static str {
    let text = file.as_bytes();
    let mut at = 0;
    while at < text.len() {
        let named = at + MARK.len();
        let body = named + name.len();
        if is_at(text, at, MARK) && is_at(text, named, name) && is_at(text, body, "\n") {
            let mut end = body;
            while end < text.len() && text[end] != b';' {
                end += 1;
            }
            return file.split_at(end).0.split_at(body).1;
        }
        at += 1;
    }
    ""
}

const fn is_at(text: &[u8], at: usize, word: &str) -> bool {
    let word = word.as_bytes();
    let mut index = 0;
    while index < word.len() {
        if at + index >= text.len() || text[at + index] != word[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// Makes a constant of each statement of a file that is named, and a list of all of them for the test that prepares them.
macro_rules! statements {
    ($file:literal: $($name:ident),+ $(,)?) => {
        $(
            const $name: &str = $crate::store::statement::statement(include_str!($file), stringify!($name));
            const _: () = assert!(!$name.is_empty(), "the file of statements has none of this name");
        )+
        #[cfg(test)]
        pub(super) const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),+];
    };
}

pub(super) use statements;

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "-- About it.\n\n-- name: FIND\nSELECT 1;\n\n-- name: FIND_ALL\nSELECT 2\n  FROM x;\n-- name: LAST\nSELECT 3";

    #[test]
    fn a_statement_is_found_by_its_whole_name() {
        assert_eq!(statement(FILE, "FIND").trim(), "SELECT 1");
        assert_eq!(statement(FILE, "FIND_ALL").trim(), "SELECT 2\n  FROM x");
        assert_eq!(statement(FILE, "LAST").trim(), "SELECT 3");
        assert_eq!((statement(FILE, "FIND_"), statement(FILE, "OTHER")), ("", ""));
    }
}
