//! Which pages there are in section 3, and what is on each beside the functions that take an object of its name.

use crate::declared::Function;

/// A page of section 3.
pub(crate) struct Page {
    /// Its name, that of an object where it is about one.
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Functions that take no object of its name.
    functions: &'static [&'static str],
    /// Structs that its functions take or tell.
    pub(crate) structs: &'static [&'static str],
    /// Types of functions of the application.
    pub(crate) callbacks: &'static [&'static str],
    /// What the macros that it explains begin with, beside the flags of its functions.
    pub(crate) macros: &'static [&'static str],
    /// Programs that show it.
    pub(crate) examples: &'static [&'static str],
}

const PLAIN: Page =
    Page { name: "", about: "", functions: &[], structs: &[], callbacks: &[], macros: &[], examples: &[] };

/// Every page of section 3.
pub(crate) const PAGES: &[Page] = &[
    Page {
        name: "wm_backup_restorer",
        about: "backing licenses up and restoring them",
        structs: &["wm_restore_verdict", "wm_section_closed"],
        examples: &["backup.c", "restore.c"],
        ..PLAIN
    },
    Page {
        name: "wm_client",
        about: "a license store, its device, and the settings of everything made from it",
        macros: &["WM_CLOCK_"],
        examples: &["acquire.c"],
        ..PLAIN
    },
    Page {
        name: "wm_content_header",
        about: "what content says about its protection",
        functions: &["wm_create_content_header", "wm_create_content_header_from_file", "wm_is_content_protected"],
        examples: &["ensure.c"],
        ..PLAIN
    },
    Page {
        name: "wm_decryptor",
        about: "decrypting samples",
        functions: &["wm_create_decryptor"],
        structs: &["wm_sample", "wm_subsample"],
        macros: &["WM_SCHEME_"],
        examples: &["play.c", "play_ffmpeg.c"],
        ..PLAIN
    },
    Page {
        name: "wm_ensure_license",
        about: "from content to its license in one call",
        functions: &["wm_ensure_license"],
        macros: &["WM_ACTION_"],
        examples: &["ensure.c"],
        ..PLAIN
    },
    Page {
        name: "wm_error_info",
        about: "results and the detail of failures",
        functions: &["wm_get_error_info", "wm_result_name", "wm_result_message"],
        structs: &["wm_error_info"],
        macros: &["WM_CATEGORY_", "WM_REMEDY_"],
        ..PLAIN
    },
    Page {
        name: "wm_event_queue",
        about: "reading statuses as events",
        structs: &["wm_event"],
        examples: &["events_glib.c"],
        ..PLAIN
    },
    Page {
        name: "wm_exchange",
        about: "the application's own HTTP stack",
        functions: &["wm_set_transport"],
        structs: &["wm_transport", "wm_http_request", "wm_http_header"],
        callbacks: &["wm_transport_callback"],
        ..PLAIN
    },
    Page {
        name: "wm_individualizer",
        about: "individualizing the device",
        structs: &["wm_individualize_progress"],
        macros: &["WM_INDIVIDUALIZE_"],
        examples: &["acquire.c"],
        ..PLAIN
    },
    Page {
        name: "wm_kid_to_text",
        about: "key IDs and their forms as text",
        functions: &["wm_kid_to_text", "wm_kid_from_text"],
        macros: &["WM_KID_"],
        ..PLAIN
    },
    Page { name: "wm_license_enumerator", about: "walking through stored licenses", examples: &["renew.c"], ..PLAIN },
    Page {
        name: "wm_license_request",
        about: "acquiring and renewing licenses",
        examples: &["acquire.c", "non_silent.c", "predeliver.c", "renew.c"],
        ..PLAIN
    },
    Page {
        name: "wm_license_state",
        about: "what stored licenses permit",
        functions: &["wm_query_action_allowed", "wm_query_license_state"],
        structs: &["wm_license_state"],
        macros: &["WM_REASON_", "WM_LICENSE_STATE_", "WM_ACTION_"],
        ..PLAIN
    },
    Page {
        name: "wm_log_callback",
        about: "records for the application's log",
        functions: &["wm_set_log_callback"],
        callbacks: &["wm_log_callback"],
        macros: &["WM_LOG_"],
        ..PLAIN
    },
    Page {
        name: "wm_object",
        about: "what every object can do: properties, waiting, cancelling, references",
        functions: &["wm_live_objects"],
        macros: &["WM_TYPE_"],
        ..PLAIN
    },
    Page { name: "wm_revocation_agent", about: "learning which licenses were taken back", ..PLAIN },
    Page {
        name: "wm_status_callback",
        about: "statuses and what comes with them",
        functions: &["wm_status_name"],
        structs: &["wm_progress", "wm_network_progress"],
        callbacks: &["wm_status_callback"],
        macros: &["WM_STATUS_", "WM_HTTP_"],
        ..PLAIN
    },
    Page { name: "wm_store_keeper", about: "checking and cleaning the license store", ..PLAIN },
    Page {
        name: "wm_version",
        about: "versions of the library",
        functions: &["wm_version", "wm_version_string", "wm_abi_version"],
        macros: &["WM_VERSION", "WM_ABI_VERSION"],
        examples: &["dynamic_load.c"],
        ..PLAIN
    },
];

/// The page that a function is on.
pub(crate) fn page_of(function: &Function) -> &'static Page {
    if let Some(page) = PAGES.iter().find(|page| page.functions.contains(&function.name.as_str())) {
        return page;
    }
    let pointed = |parameter: &String| parameter.split_once(" *").map(|(kind, _)| kind.to_owned());
    // What it makes comes last, what it works on comes first.
    let at =
        if function.name.starts_with("wm_create_") { function.parameters.last() } else { function.parameters.first() };
    let object = match at.and_then(pointed) {
        Some(object) if object == "void" => "wm_object".to_owned(),
        object => object.unwrap_or_default(),
    };
    let page = PAGES.iter().find(|page| page.name == object);
    page.unwrap_or_else(|| panic!("{} is on no page: name it in PAGES", function.name))
}
