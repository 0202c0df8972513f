//! The macros of the header, made from the tables of the other modules so that no list exists twice. Only the test that
//! writes the header asks for them.

use crate::prop::Access;
use crate::prop::names::{NAMES, Name};
use crate::{clock, kinds, license_query, log_callback, prop, result, status, version};
use std::ffi::CStr;
use std::fmt::Write as _;
use wmlicense_core::decrypt::cenc::Scheme;

/// One object-like macro and its value: a number, or a text.
pub enum Macro {
    /// Compared with results, statuses, types and flags.
    Number(&'static str, i64),
    /// A property name.
    Text(&'static str, &'static str),
}

fn name(text: &'static CStr) -> &'static str {
    text.to_str().unwrap_or_default()
}

/// Flags and other numbers that stand beside a function.
const FLAGS: &[(&str, u32, &str)] = &[
    ("WM_INFINITE", crate::object::WM_INFINITE, "wm_wait: no timeout"),
    (
        "WM_INDIVIDUALIZE_FORCE",
        crate::individualizer::WM_INDIVIDUALIZE_FORCE,
        "wm_individualize: new keys for the device even if the certificate is current",
    ),
    ("WM_DELETE_LOCAL", crate::client::WM_DELETE_LOCAL, "wm_delete_licenses: from this device only"),
    ("WM_ACQUIRE_SILENT", crate::license_request::WM_ACQUIRE_SILENT, "wm_acquire_license: without the user"),
    (
        "WM_ACQUIRE_NONSILENT",
        crate::license_request::WM_ACQUIRE_NONSILENT,
        "wm_acquire_license: the user can be sent to a page",
    ),
    (
        "WM_ENSURE_INDIVIDUALIZE",
        crate::ensure::WM_ENSURE_INDIVIDUALIZE,
        "wm_ensure_license: individualize first where it is needed; the user agreed",
    ),
    (
        "WM_BACKUP_OVERWRITE",
        crate::backup_restorer::WM_BACKUP_OVERWRITE,
        "wm_backup_licenses: replace an existing backup",
    ),
    (
        "WM_RESTORE_INDIVIDUALIZE",
        crate::backup_restorer::WM_RESTORE_INDIVIDUALIZE,
        "wm_restore_licenses: individualize first where it is needed; the user agreed",
    ),
    (
        "WM_CHECK_REPAIR",
        crate::store_keeper::WM_CHECK_REPAIR,
        "wm_check_store: take damaged licenses out of use, leave the others alone",
    ),
    ("WM_CLEAN_SYNC", crate::store_keeper::WM_CLEAN_SYNC, "wm_clean_license_store: return when it is over"),
    ("WM_CLEAN_ASYNC", crate::store_keeper::WM_CLEAN_ASYNC, "wm_clean_license_store: return at once"),
    (
        "WM_LICENSE_STATE_VAGUE",
        license_query::WM_LICENSE_STATE_VAGUE,
        "wm_license_state::vague: further licenses apply",
    ),
    ("WM_KID_BASE64", crate::kid_text::WM_KID_BASE64, "wm_kid_to_text: 24 characters, as in properties and statuses"),
    ("WM_KID_HEX", crate::kid_text::WM_KID_HEX, "wm_kid_to_text: 32 digits"),
    ("WM_KID_UUID", crate::kid_text::WM_KID_UUID, "wm_kid_to_text: 36 characters, five groups with hyphens between"),
    (
        "WM_KID_GUID_ORDER",
        crate::kid_text::WM_KID_GUID_ORDER,
        "added to a form: the text is in the order of a GUID in the memory of Windows, as Windows Media catalogues have it",
    ),
    ("WM_SCHEME_CENC", Scheme::Cenc.fourcc(), "wm_sample::scheme: AES-CTR"),
    ("WM_SCHEME_CENS", Scheme::Cens.fourcc(), "wm_sample::scheme: AES-CTR with a pattern"),
    ("WM_SCHEME_CBC1", Scheme::Cbc1.fourcc(), "wm_sample::scheme: AES-CBC"),
    ("WM_SCHEME_CBCS", Scheme::Cbcs.fourcc(), "wm_sample::scheme: AES-CBC with a pattern"),
];

/// Every object-like macro of the header with its value.
pub fn macros() -> Vec<Macro> {
    let mut all = vec![
        Macro::Number("WM_VERSION", version::wm_version().into()),
        Macro::Number("WM_ABI_VERSION", version::ABI_VERSION.into()),
    ];
    all.extend(result::RESULTS.iter().map(|row| Macro::Number(name(row.name), row.value.into())));
    all.extend(kinds::CATEGORIES.iter().map(|row| Macro::Number(row.0, row.1 as i64)));
    all.extend(kinds::REMEDIES.iter().map(|row| Macro::Number(row.0, row.1 as i64)));
    all.extend(status::STATUSES.iter().map(|row| Macro::Number(name(row.0), row.1.into())));
    all.extend(status::INDIVIDUALIZE_PHASES.iter().map(|row| Macro::Number(row.0, row.1.into())));
    all.extend(status::HTTP_PHASES.iter().map(|row| Macro::Number(row.0, row.1.into())));
    all.extend(prop::TYPES.iter().map(|row| Macro::Number(row.0, row.1 as i64)));
    all.extend(FLAGS.iter().map(|row| Macro::Number(row.0, row.1.into())));
    all.extend(log_callback::LEVELS.iter().map(|row| Macro::Number(row.0, row.1.into())));
    all.extend(license_query::REASONS.iter().map(|row| Macro::Number(row.0, row.1.into())));
    all.extend(license_query::STATE_CATEGORIES.iter().map(|row| Macro::Number(row.0, row.1 as i64)));
    all.extend(clock::VERDICTS.iter().map(|row| Macro::Number(row.0, row.1 as i64)));
    all.extend(license_query::ACTIONS.iter().map(|row| Macro::Text(row.0, row.1)));
    all.extend(NAMES.iter().map(|row| Macro::Text(row.define, row.key.name)));
    all
}

/// The macros as the header prints them.
pub fn c_text() -> String {
    let mut text = String::new();
    let [major, minor, patch] = version::VERSION;
    section(&mut text, "Versions. wm_version and wm_abi_version answer those of the library that is loaded.");
    let _ = writeln!(text, "#define WM_VERSION ({major}u << 16 | {minor}u << 8 | {patch}u)");
    let _ = writeln!(text, "#define WM_ABI_VERSION {}u", version::ABI_VERSION);
    section(&mut text, "Results. Negative is a failure; a number is never used again for something else.");
    for row in result::RESULTS {
        let _ = writeln!(text, "/** {} */", row.message.to_string_lossy());
        let _ = writeln!(text, "#define {} ((wm_result)0x{:08X})", name(row.name), row.value);
    }
    text.push_str("/** Whether the final result of an acquisition means that a license is stored. */\n");
    text.push_str("#define WM_LICENSE_STORED(result) ((result) == WM_S_LICENSE_ACQUIRED)\n");
    section(&mut text, "Kinds of failures, in wm_error_info::category.");
    text.extend(kinds::CATEGORIES.iter().map(|row| format!("#define {} {}u\n", row.0, row.1 as u32)));
    section(&mut text, "What helps against a failure, in wm_error_info::remedy.");
    text.extend(kinds::REMEDIES.iter().map(|row| format!("#define {} {}u\n", row.0, row.1 as u32)));
    section(&mut text, "Statuses, told to the callback. Values are described by type and struct.");
    for row in status::STATUSES {
        // Published statuses are known by decimal numbers, our own begin at 0x1000.
        let number = if row.1 < 0x1000 { row.1.to_string() } else { format!("0x{:X}", row.1) };
        let _ = writeln!(text, "/** {} */\n#define {} ((wm_status){number})", row.2, name(row.0));
    }
    section(&mut text, "Phases, in wm_individualize_progress::phase and http_phase.");
    let phases = status::INDIVIDUALIZE_PHASES.iter().chain(status::HTTP_PHASES);
    text.extend(phases.map(|row| format!("#define {} 0x{:X}u\n", row.0, row.1)));
    section(&mut text, "Types of properties and of values of statuses.");
    for row in prop::TYPES {
        let _ = writeln!(text, "/** {} */\n#define {} ((wm_attr_type){})", row.2, row.0, row.1 as i32);
    }
    numbers(&mut text, "Flags of the functions named.", FLAGS);
    numbers(&mut text, "Levels of wm_set_log_callback.", log_callback::LEVELS);
    numbers(&mut text, "Reasons of wm_query_action_allowed.", license_query::REASONS);
    section(
        &mut text,
        "Actions. Their names are taken in any case, and with \"ActionAllowed.\" in front; other names of policies as they are.",
    );
    text.extend(
        license_query::ACTIONS.iter().map(|row| format!("/** {}. */\n#define {} \"{}\"\n", row.2, row.0, row.1)),
    );
    let categories: Vec<_> = license_query::STATE_CATEGORIES.iter().map(|row| (row.0, row.1 as u32, row.2)).collect();
    numbers(&mut text, "Categories of wm_license_state.", &categories);
    let verdicts: Vec<_> = clock::VERDICTS.iter().map(|row| (row.0, row.1 as u32, row.2)).collect();
    numbers(&mut text, "Values of WM_PROP_CLOCK_VERDICT.", &verdicts);
    section(
        &mut text,
        "Properties: which object has it, type, meaning. Text is UTF-8; paths are bytes as the system has them.",
    );
    for row in NAMES {
        let Name { define, key, access, objects, meaning } = row;
        let kind =
            prop::TYPES.iter().find(|row| row.1 == key.kind).map_or("", |row| row.0).trim_start_matches("WM_TYPE_");
        let access = match access {
            Access::Settable | Access::FixedOnceBegun => "",
            Access::WriteOnly => ", write-only",
            Access::ReadOnly => ", read-only",
        };
        let _ = writeln!(text, "/** {objects}, {kind}{access}: {meaning}. */\n#define {define} \"{}\"", key.name);
    }
    text
}

fn section(text: &mut String, title: &str) {
    let _ = writeln!(text, "\n/* {title} */\n");
}

fn numbers(text: &mut String, title: &str, rows: &[(&str, u32, &str)]) {
    section(text, title);
    for row in rows {
        let _ = writeln!(text, "/** {}. */\n#define {} 0x{:X}u", row.2, row.0, row.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prop::Specs;
    use crate::verbed::Verbs as _;
    use crate::{
        backup_restorer, client, content_header, decryptor, individualizer, license_enumerator, license_request,
        revocation_agent, store_keeper,
    };
    use std::collections::BTreeSet;

    #[test]
    fn every_property_name_is_some_objects_and_every_objects_is_named() {
        let objects: [Specs; 9] = [
            client::PROPERTIES,
            individualizer::Individualizer::PROPERTIES,
            content_header::PROPERTIES,
            license_request::LicenseRequest::PROPERTIES,
            license_enumerator::PROPERTIES,
            backup_restorer::BackupRestorer::PROPERTIES,
            decryptor::PROPERTIES,
            store_keeper::StoreKeeper::PROPERTIES,
            revocation_agent::RevocationAgent::PROPERTIES,
        ];
        let used: BTreeSet<&str> = objects.into_iter().flatten().map(|spec| spec.key().name).collect();
        let named: BTreeSet<&str> = NAMES.iter().map(|name| name.key.name).collect();
        assert_eq!(used, named);
    }
}
