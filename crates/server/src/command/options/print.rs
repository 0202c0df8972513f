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

/// A text without the password that a URL in it may hold.
pub(super) fn masked(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let authority = match authority.rsplit_once('@') {
        Some((who, place)) => match who.split_once(':') {
            Some((name, _)) => format!("{name}:***@{place}"),
            None => authority.to_owned(),
        },
        None => authority.to_owned(),
    };
    let mut tail = tail.to_owned();
    if let Some(at) = tail.find("password=").map(|at| at + "password=".len()) {
        let end = tail[at..].find('&').map_or(tail.len(), |end| at + end);
        tail.replace_range(at..end, "***");
    }
    format!("{scheme}://{authority}{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_are_not_shown() {
        assert_eq!(masked("postgres://owner:se:cret@db/x?a=1"), "postgres://owner:***@db/x?a=1");
        assert_eq!(masked("postgres://owner@db/x?password=secret&a=1"), "postgres://owner@db/x?password=***&a=1");
        assert_eq!(masked("https://licenses.example/a@b:c"), "https://licenses.example/a@b:c");
        assert_eq!(masked("/a/folder"), "/a/folder");
    }
}
