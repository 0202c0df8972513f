//! What holds, and where it was said, as a file of options that says the same.

use super::{Said, is_list, rows, variable};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use std::ffi::OsStr;
use std::fmt::Write as _;

/// Longest line of what is printed above an option.
const WIDTH: usize = 110;

pub(super) fn told(serve: &Command, matches: &ArgMatches, said: &Said) -> String {
    let mut text = String::new();
    for (name, argument) in rows(serve) {
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}# --{name}, {}", comment(&help), variable(name));
        let values: Vec<_> = matches.get_raw(argument.get_id().as_str()).into_iter().flatten().collect();
        let origin = match (matches.value_source(argument.get_id().as_str()), said.get(name)) {
            (None, _) => None,
            (Some(ValueSource::DefaultValue), None) => None,
            (Some(ValueSource::DefaultValue), Some((_, origin))) => Some(origin.to_string()),
            (Some(_), _) => Some("command line".to_owned()),
        };
        let value = if values.is_empty() { placeholder(argument) } else { shown(argument, &values) };
        let _ = match (origin, values.is_empty()) {
            (Some(origin), _) => writeln!(text, "{name} = {value}  # {}\n", super::super::plain(&origin)),
            (None, false) => writeln!(text, "#{name} = {value}  # default\n"),
            (None, true) => writeln!(text, "#{name} = {value}  # not set\n"),
        };
    }
    text.truncate(text.trim_end().len());
    text
}

fn comment(help: &str) -> String {
    let mut text = String::new();
    let mut line = String::from("#");
    for word in help.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    text + &line + "\n"
}

/// What stands for a value that nobody said.
fn placeholder(argument: &Arg) -> String {
    let name = argument.get_value_names().and_then(|names| names.first());
    let quoted = quoted(name.map_or("…", |name| name.as_str()).as_ref());
    if is_list(argument) { format!("[{quoted}]") } else { quoted }
}

fn shown(argument: &Arg, values: &[&OsStr]) -> String {
    if !argument.get_action().takes_values() {
        return values.first().map(|value| value.to_string_lossy().into_owned()).unwrap_or_default();
    }
    if is_list(argument) {
        let separator = argument.get_value_delimiter().unwrap_or(',');
        let texts: Vec<String> = values.iter().map(|value| value.to_string_lossy().into_owned()).collect();
        let words = texts.iter().flat_map(|text| text.split(separator));
        return format!("[{}]", words.map(|word| quoted(OsStr::new(word))).collect::<Vec<_>>().join(", "));
    }
    values.first().map(|value| quoted(value)).unwrap_or_default()
}

/// A text of TOML; a number without quotes.
fn quoted(value: &OsStr) -> String {
    let text = masked(&value.to_string_lossy());
    if text.parse::<u64>().is_ok_and(|number| number.to_string() == text) {
        return text;
    }
    serde_json::Value::String(text).to_string().replace('\u{7f}', "\\u007F")
}

/// A text without the passwords that a URL in it may hold. What is doubtful is left out.
pub(super) fn masked(text: &str) -> String {
    let text = without_parameters(text);
    let Some((scheme, rest)) = text.split_once("://") else { return text };
    // A database's driver takes for user and password what stands before an @, whatever else is in it: / ? # are no end of it.
    let end = match scheme {
        "postgres" | "postgresql" => rest.len(),
        _ => rest.find(['/', '?', '#']).unwrap_or(rest.len()),
    };
    let (authority, tail) = rest.split_at(end);
    let named = authority.rsplit_once('@').and_then(|(who, place)| Some((who.split_once(':')?.0, place)));
    match named {
        Some((name, place)) => format!("{scheme}://{name}:***@{place}{tail}"),
        None => text,
    }
}

/// A text without the values of its parameters `password=`.
fn without_parameters(text: &str) -> String {
    const NAME: &str = "password=";
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.to_ascii_lowercase().find(NAME).map(|at| at + NAME.len()) {
        shown.push_str(&rest[..at]);
        shown.push_str("***");
        rest = rest[at..].find('&').map_or("", |end| &rest[at + end..]);
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_are_not_shown() {
        assert_eq!(masked("postgres://owner:se:cret@db/x?a=1"), "postgres://owner:***@db/x?a=1");
        assert_eq!(masked("postgres://owner@db/x?password=secret&a=1"), "postgres://owner@db/x?password=***&a=1");
        assert_eq!(masked("https://licenses.example/a@b:c"), "https://licenses.example/a@b:c");
        assert_eq!(masked("https://owner:secret@licenses.example/a@b:c"), "https://owner:***@licenses.example/a@b:c");
        assert_eq!(masked("/a/folder"), "/a/folder");
    }

    #[test]
    fn passwords_with_marks_of_a_url_in_them_are_not_shown() {
        for secret in ["a/b", "a?b", "a#b", "a@b", "a/b@c?d:e", "password=x&y"] {
            let shown = masked(&format!("postgres://owner:{secret}@db:5432/x?connections=4"));
            assert!(shown.starts_with("postgres://owner:***"), "{shown}");
            assert!(!shown.contains(secret), "{shown}");
        }
        assert_eq!(masked("postgres://owner:a/b@db:5432/x?a=1"), "postgres://owner:***@db:5432/x?a=1");
        let twice = "postgres://db:5432/x?password=one&a=1&PassWord=t@wo";
        assert_eq!(masked(twice), "postgres://db:5432/x?password=***&a=1&PassWord=***");
        assert_eq!(masked("host=db password=secret"), "host=db password=***");
    }
}
