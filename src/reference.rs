//! The lists of the library as data, for what is made from them beside the header: manual pages, the C++ header. Only tests ask.

use crate::kinds::{CATEGORIES, REMEDIES};
use crate::lists::Number;
use crate::prop::names::NAMES;
use crate::prop::{Access, Specs, TYPES};
use crate::result::RESULTS;
use crate::verbed::Verbs as _;
use crate::{
    backup_restorer, client, content_header, decryptor, individualizer, license_enumerator, license_request,
    revocation_agent, store_keeper,
};
use std::ffi::CStr;

/// One row of the table of results.
pub struct ResultRow {
    /// Macro of the header.
    pub name: &'static str,
    /// Number.
    pub value: i32,
    /// What it means, one sentence.
    pub message: &'static str,
    /// Macro of its kind; empty for what is no failure.
    pub category: &'static str,
    /// Macro of what helps; empty where nothing is known.
    pub remedy: &'static str,
    /// Whether the same call may succeed later.
    pub retryable: bool,
}

/// One property.
pub struct PropertyRow {
    /// Macro of the header.
    pub define: &'static str,
    /// Its name as text.
    pub name: &'static str,
    /// `DWORD`, `STRING`, `BINARY`, `BOOL` or `QWORD`.
    pub kind: &'static str,
    /// Whether it can be set.
    pub is_settable: bool,
    /// Whether it can be read.
    pub is_readable: bool,
    /// C types of the objects that have it.
    pub objects: Vec<&'static str>,
}

/// Every kind of object that has properties, by its C type.
pub(crate) const OBJECTS: &[(&str, Specs)] = &[
    ("wm_client", client::PROPERTIES),
    ("wm_individualizer", individualizer::Individualizer::PROPERTIES),
    ("wm_content_header", content_header::PROPERTIES),
    ("wm_license_request", license_request::LicenseRequest::PROPERTIES),
    ("wm_license_enumerator", license_enumerator::PROPERTIES),
    ("wm_backup_restorer", backup_restorer::BackupRestorer::PROPERTIES),
    ("wm_decryptor", decryptor::PROPERTIES),
    ("wm_store_keeper", store_keeper::StoreKeeper::PROPERTIES),
    ("wm_revocation_agent", revocation_agent::RevocationAgent::PROPERTIES),
];

fn text(name: &'static CStr) -> &'static str {
    name.to_str().unwrap_or_default()
}

/// The macro of a value that the list names, empty for its zero.
fn macro_of(list: &'static [Number], value: i64) -> &'static str {
    list.iter().find(|row| row.value == value && value != 0).map_or("", |row| text(row.name))
}

/// The one table of results, in the order of the header.
pub fn results() -> Vec<ResultRow> {
    let rows = RESULTS.iter().map(|row| ResultRow {
        name: text(row.name),
        value: row.value,
        message: text(row.message),
        category: macro_of(CATEGORIES, row.category as i64),
        remedy: macro_of(REMEDIES, row.remedy as i64),
        retryable: row.retryable,
    });
    rows.collect()
}

/// Every property, in the order of the header, with the objects that have it.
pub fn properties() -> Vec<PropertyRow> {
    let having = |name: &str| {
        let of = OBJECTS.iter().filter(|(_, specs)| specs.iter().any(|spec| spec.key().name == name));
        of.map(|(object, _)| *object).collect()
    };
    let rows = NAMES.iter().map(|row| PropertyRow {
        define: row.define,
        name: row.key.name,
        kind: macro_of_type(row.key.kind as i64),
        is_settable: row.access != Access::ReadOnly,
        is_readable: row.access != Access::WriteOnly,
        objects: having(row.key.name),
    });
    rows.collect()
}

/// `STRING` for the number of `WM_TYPE_STRING`.
pub(crate) fn macro_of_type(value: i64) -> &'static str {
    let row = TYPES.iter().find(|row| row.value == value);
    row.map_or("", |row| text(row.name).trim_start_matches("WM_TYPE_"))
}
