//! The macros of the header, made from the lists of the other modules. Only the test that writes the header asks for them.

use crate::flags::FLAGS;
use crate::kinds::{CATEGORIES, REMEDIES};
use crate::license_query::{ACTIONS, REASONS, STATE_CATEGORIES};
use crate::lists::Number;
use crate::log_callback::LEVELS;
use crate::prop::names::{NAMES, Name};
use crate::prop::{Access, TYPES};
use crate::reference::macro_of_type;
use crate::result::RESULTS;
use crate::status::STATUSES;
use crate::status::phases::{HTTP_PHASES, INDIVIDUALIZE_PHASES};
use crate::{clock, version};
use std::ffi::CStr;
use std::fmt::Write as _;

/// One object-like macro and its value: a number, or a text.
pub enum Macro {
    /// Compared with results, statuses, types and flags.
    Number(&'static str, i64),
    /// A property name.
    Text(&'static str, &'static str),
}

/// A list as the header prints it.
struct Section {
    /// Empty where the rows belong to the section before.
    title: &'static str,
    rows: &'static [Number],
    /// A value as C reads it.
    form: fn(i64) -> String,
}

fn decimal(value: i64) -> String {
    format!("{value}u")
}

fn hex(value: i64) -> String {
    format!("0x{value:X}u")
}

/// How a constant gets its type, with a cast that neither language's strictest warnings object to: where the number is unsigned,
/// it is never a useless one.
const CAST: &str = "\
#ifdef __cplusplus
/** Gives the constants below their type; for this header only. */
#define WM_CONSTANT_(type, number) static_cast<type>(number)
#else
/** Gives the constants below their type; for this header only. */
#define WM_CONSTANT_(type, number) ((type)(number))
#endif
";

fn constant(kind: &str, number: &str) -> String {
    format!("WM_CONSTANT_({kind}, {number})")
}

/// Published statuses are known by decimal numbers, our own begin at 0x1000.
fn status(value: i64) -> String {
    constant("wm_status", &if value < 0x1000 { decimal(value) } else { hex(value) })
}

fn attr_type(value: i64) -> String {
    constant("wm_attr_type", &decimal(value))
}

const fn section(title: &'static str, rows: &'static [Number], form: fn(i64) -> String) -> Section {
    Section { title, rows, form }
}

/// What stands before the actions.
const FIRST: &[Section] = &[
    section("Kinds of failures, in wm_error_info::category.", CATEGORIES, decimal),
    section("What helps against a failure, in wm_error_info::remedy.", REMEDIES, decimal),
    section("Statuses, told to the callback. Values are described by type and struct.", STATUSES, status),
    section("Phases, in wm_individualize_progress::phase and http_phase.", INDIVIDUALIZE_PHASES, hex),
    section("", HTTP_PHASES, hex),
    section("Types of properties and of values of statuses.", TYPES, attr_type),
    section("Flags of the functions named.", FLAGS, hex),
    section("Levels of wm_set_log_callback.", LEVELS, hex),
    section("Reasons of wm_query_action_allowed.", REASONS, hex),
];

/// What stands behind them.
const LAST: &[Section] = &[
    section("Categories of wm_license_state.", STATE_CATEGORIES, hex),
    section("Values of WM_PROP_CLOCK_VERDICT.", clock::VERDICTS, hex),
];

fn name(text: &'static CStr) -> &'static str {
    text.to_str().unwrap_or_default()
}

/// Every object-like macro of the header with its value.
pub fn macros() -> Vec<Macro> {
    let mut all = vec![
        Macro::Number("WM_VERSION", version::wm_version().into()),
        Macro::Number("WM_ABI_VERSION", version::ABI_VERSION.into()),
    ];
    all.extend(RESULTS.iter().map(|row| Macro::Number(name(row.name), row.value.into())));
    let rows = FIRST.iter().chain(LAST).flat_map(|section| section.rows);
    all.extend(rows.map(|row| Macro::Number(name(row.name), row.value)));
    all.extend(ACTIONS.iter().map(|row| Macro::Text(row.0, row.1)));
    all.extend(NAMES.iter().map(|row| Macro::Text(row.define, row.key.name)));
    all
}

/// The macros as the header prints them.
pub fn c_text() -> String {
    let mut text = format!("\n{CAST}");
    let [major, minor, patch] = version::VERSION;
    begin(&mut text, "Versions. wm_version and wm_abi_version answer those of the library that is loaded.");
    text.push_str("/** Version of this header, as wm_version has that of the library. */\n");
    let _ = writeln!(text, "#define WM_VERSION ({major}u << 16 | {minor}u << 8 | {patch}u)");
    text.push_str("/** Binary interface of this header, as wm_abi_version has that of the library. */\n");
    let _ = writeln!(text, "#define WM_ABI_VERSION {}u", version::ABI_VERSION);
    begin(&mut text, "Results. Negative is a failure; a number is never used again for something else.");
    for row in RESULTS {
        let _ = writeln!(text, "/** {} */", row.message.to_string_lossy());
        let _ =
            writeln!(text, "#define {} {}", name(row.name), constant("wm_result", &format!("0x{:08X}u", row.value)));
    }
    text.push_str("/** Whether the final result of an acquisition means that a license is stored. */\n");
    text.push_str("#define WM_LICENSE_STORED(result) ((result) == WM_S_LICENSE_ACQUIRED)\n");
    FIRST.iter().for_each(|section| print(&mut text, section));
    begin(
        &mut text,
        "Actions. Their names are taken in any case, and with \"ActionAllowed.\" in front; other names of policies as they are.",
    );
    text.extend(ACTIONS.iter().map(|row| format!("/** {} */\n#define {} \"{}\"\n", sentence(row.2), row.0, row.1)));
    LAST.iter().for_each(|section| print(&mut text, section));
    begin(
        &mut text,
        "Properties: which object has it, type, meaning. Text is UTF-8; paths are bytes as the system has them.",
    );
    for Name { define, key, access, objects, meaning } in NAMES {
        let kind = macro_of_type(key.kind as i64);
        let access = match access {
            Access::Settable | Access::FixedOnceBegun => "",
            Access::WriteOnly => ", write-only",
            Access::ReadOnly => ", read-only",
        };
        let line = sentence(&format!("{objects}, {kind}{access}: {meaning}"));
        let _ = writeln!(text, "/** {line} */\n#define {define} \"{}\"", key.name);
    }
    text
}

/// A clause as people read it; names of C keep their letters.
fn sentence(clause: &str) -> String {
    let word = clause.split([' ', ',', '.', ':']).next().unwrap_or_default();
    let is_plain = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let (first, rest) = clause.split_at(usize::from(is_plain));
    format!("{}{rest}.", first.to_ascii_uppercase())
}

fn begin(text: &mut String, title: &str) {
    let _ = writeln!(text, "\n/* {title} */\n");
}

fn print(text: &mut String, section: &Section) {
    if !section.title.is_empty() {
        begin(text, section.title);
    }
    for row in section.rows {
        let (line, value) = (sentence(row.meaning), (section.form)(row.value));
        let _ = writeln!(text, "/** {line} */\n#define {} {value}", name(row.name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::OBJECTS;
    use std::collections::BTreeSet;

    #[test]
    fn clauses_become_sentences_and_names_of_c_stay() {
        assert_eq!(sentence("client, STRING: the folder"), "Client, STRING: the folder.");
        for name in ["wm_wait: no timeout", "counts[0] uses left", "int32_t, 0 or 1"] {
            assert_eq!(sentence(name), format!("{name}."));
        }
    }

    /// Objects without a background verb.
    const WITHOUT_VERBS: &[&str] = &["wm_content_header", "wm_license_enumerator", "wm_decryptor"];

    #[test]
    fn every_property_name_is_some_objects_and_every_objects_is_named() {
        let used: BTreeSet<&str> = OBJECTS.iter().flat_map(|(_, specs)| *specs).map(|spec| spec.key().name).collect();
        let named: BTreeSet<&str> = NAMES.iter().map(|name| name.key.name).collect();
        assert_eq!(used, named);
    }

    #[test]
    fn the_line_of_a_property_names_every_object_that_has_it() {
        for (c_type, specs) in OBJECTS {
            let object = c_type.trim_start_matches("wm_").replace('_', " ");
            for spec in *specs {
                let row = NAMES.iter().find(|row| row.key == spec.key()).unwrap();
                let line = format!("{}: {}", row.objects, row.meaning).to_lowercase();
                let of_all =
                    !WITHOUT_VERBS.contains(c_type) && line.starts_with("client and objects with a background verb");
                assert!(of_all || line.contains(&object), "{object}: {line}");
            }
        }
    }
}
