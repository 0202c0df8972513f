//! Every property name, once: constant, text, type, what the library makes of its value, access, and the line that the header
//! prints. Which object has which is in the object's own file.

use super::parse::*;
use super::{Access, Key, Prop, Type};
use std::path::PathBuf;
use std::sync::Arc;
use wmlicense_core::device::KeyProtector;
use wmlicense_core::transport::{AccountToken, TlsTrust};
use wmlicense_wire::id::{Digest, Kid, ServiceId, TransactionId};

/// One property name.
pub(crate) struct Name {
    /// Macro of the header.
    pub(crate) define: &'static str,
    /// Name and type.
    pub(crate) key: Key,
    /// Who may do what.
    pub(crate) access: Access,
    /// Which objects have it.
    pub(crate) objects: &'static str,
    /// What it means.
    pub(crate) meaning: &'static str,
}

/// A property that can be set has a type of Rust and the function that reads it from what C passed.
macro_rules! property {
    ($constant:ident = $text:literal, $kind:ident, ReadOnly) => {
        pub(crate) const $constant: Key = Key { name: $text, kind: Type::$kind };
    };
    ($constant:ident = $text:literal, $kind:ident as $type:ty = $parse:ident, $access:ident) => {
        pub(crate) const $constant: Prop<$type> =
            Prop::new(Key { name: $text, kind: Type::$kind }, Access::$access, $parse);
    };
}

macro_rules! names {
    ($($constant:ident = $text:literal, $kind:ident $(as $type:ty = $parse:ident)?, $access:ident, $objects:literal, $meaning:literal;)*) => {
        $(property! { $constant = $text, $kind $(as $type = $parse)?, $access })*

        /// All names in the order of the header.
        pub(crate) const NAMES: &[Name] = &[$(Name {
            define: concat!("WM_PROP_", stringify!($constant)),
            key: Key { name: $text, kind: Type::$kind },
            access: Access::$access,
            objects: $objects,
            meaning: $meaning,
        }),*];
    };
}

names! {
    STORE_PATH = "StorePath", String as PathBuf = path, FixedOnceBegun, "client", "path of the folder of the license store; its last component is created 0700. Fixed at open";
    AUTHORITY = "Authority", String as Vec<Digest> = authorities, FixedOnceBegun, "client", "base64 SHA-256 of each trusted authority certificate, semicolons between. Fixed at open";
    KEY_PROTECTOR = "KeyProtector", String as Arc<dyn KeyProtector> = protector, FixedOnceBegun, "client", "how device keys are kept, \"file\". Fixed at open";
    SERVICE_URL = "ServiceURL", String as String = service_url, Settable, "client", "base URL of the service";
    ACCOUNT_TOKEN = "AccountToken", String as Arc<AccountToken> = token, WriteOnly, "client", "names the user's account to the service. Sent to ServiceURL and where that service says its endpoints are, and to no other service; without ServiceURL, to the services of the one trusted authority, and to none where several are trusted";
    APPLICATION_ID = "ApplicationID", String as String = line, Settable, "client", "name of the application, told to the service, and compared with the newest status list at each use";
    DEVICE_NAME = "DeviceName", String as String = device_name, Settable, "client", "what the user calls this device, at most 64 characters; told to the services with every request, so that lists of devices can be read. An empty one takes the name away there; unset, they keep what they know";
    SECURITY_LEVEL = "SecurityLevel", Dword as u32 = dword, Settable, "client", "level of the application, default 0; licenses may demand one";
    USER_AGENT = "UserAgent", String as String = header_text, Settable, "client", "User-Agent of HTTP requests";
    TLS_TRUST = "TlsTrust", String as TlsTrust = tls_trust, Settable, "client", "which TLS certificates are trusted. \"default\": the platform's, or bundled ones where it has none; \"platform\"; \"bundled\"; \"pem\": only TlsCaPem; \"pinned\": as default, and the chain must also lead to a certificate of TlsCaPem";
    TLS_CA_PEM = "TlsCaPem", String as String = pem, Settable, "client", "certificates of authorities in PEM, trusted beside those of TlsTrust, or demanded where it is \"pinned\"";
    PROXY = "Proxy", String as Proxy = proxy, Settable, "client", "URL of an HTTP proxy (http or https, with user and password if it wants them), \"none\", or \"environment\", the default: https_proxy, http_proxy, all_proxy and no_proxy as they were when the client was created. This machine is always asked directly";
    ALLOW_HTTP = "AllowHttp", Bool as bool = flag, Settable, "client", "plain HTTP to other hosts than this one, default no";
    OFFLINE_ONLY = "OfflineOnly", Bool as bool = flag, Settable, "client", "no operation opens a connection, default no";
    DEADLINE_MS = "DeadlineMs", Dword as u32 = dword, Settable, "client and objects with a background verb", "milliseconds until an operation that asks a service gives up. 0, the default: two minutes for each request";
    RETRY_LIMIT = "RetryLimit", Dword as u32 = dword, Settable, "client and objects with a background verb", "repetitions of a failed request, default 4";
    DEVICE_ID = "DeviceID", String, ReadOnly, "client", "base64 ID that the service gave to the device; none before it is individualized";
    INDIVIDUALIZED = "Individualized", Bool, ReadOnly, "client", "whether the device has a certificate";
    SECURITY_VERSION = "SecurityVersion", String, ReadOnly, "client", "security version of the device, four dotted numbers; 0.0.0.0 before it is individualized. Content header, STRING, read-only: the one that Windows Media DRM content asks for, dotted numbers";
    CLOCK_VERDICT = "ClockVerdict", Dword, ReadOnly, "client", "what the clock is worth for licenses with dates, WM_CLOCK_*";
    PENDING_TRANSACTIONS = "PendingTransactions", Dword, ReadOnly, "client", "requests that wait to be sent again";
    USER_CONSENT = "UserConsent", Bool as bool = flag, Settable, "individualizer", "the user agrees to individualization. Required";
    HEADER = "Header", Binary as Vec<u8> = binary, Settable, "license request", "content header as the file has it";
    KEY_IDS = "KeyIDs", String as Vec<Kid> = kids, Settable, "license request", "base64 key IDs, semicolons between; those of Header where unset";
    ACTIONS = "Actions", String as Vec<String> = actions, Settable, "license request", "actions wanted, semicolons between, default \"Play\". License enumerator, STRING, read-only: actions granted";
    URL = "URL", String as String = service_url, Settable, "license request", "service to ask instead of ServiceURL";
    SCOPE = "Scope", String as String = line, Settable, "license request", "everything of this scope, for pre-delivery";
    EXPIRING_WITHIN = "ExpiringWithin", Dword as u32 = dword, Settable, "license request", "for wm_renew_licenses, only licenses of which a right ends or whose renewal is due within so many days; ended ones are among them";
    CUSTOM_DATA = "CustomData", Binary as Vec<u8> = binary, Settable, "license request", "the application's own bytes for the service";
    TRANSACTION_ID = "TransactionID", String as TransactionId = transaction, Settable, "license request", "base64 ID of the last transaction; set it to resume one after a restart";
    LOOPBACK_REDIRECT = "LoopbackRedirect", Bool as bool = flag, Settable, "license request", "the page leads back to a port of 127.0.0.1 that the monitor listens on, which shortens its wait; default no";
    INTERACTION_CODE = "InteractionCode", String, ReadOnly, "license request", "the six digits that the page shows as well, while a request is pending";
    BACKUP_PATH = "BackupPath", String as PathBuf = path, Settable, "backup restorer", "path of the existing folder that receives the backup. Required to back up";
    RESTORE_PATH = "RestorePath", String as PathBuf = path, Settable, "backup restorer", "path of the folder that holds the backup. Required to restore";
    FILTER_KID = "FilterKID", String as Kid = kid, FixedOnceBegun, "license enumerator", "only licenses for this key ID, base64. Filters are set before the first wm_next_license";
    FILTER_ACTION = "FilterAction", String as String = action, FixedOnceBegun, "license enumerator", "only licenses that name this action";
    FILTER_ISSUER = "FilterIssuer", String as ServiceId = issuer, FixedOnceBegun, "license enumerator", "only licenses of this issuer, base64";
    FILTER_EXPIRING_BEFORE = "FilterExpiringBefore", Qword as u64 = qword, FixedOnceBegun, "license enumerator", "only licenses whose rights end before then, seconds UTC";
    LID = "LID", String, ReadOnly, "license enumerator", "base64 license ID";
    KID = "KID", String, ReadOnly, "license enumerator", "base64 key ID";
    ISSUER = "Issuer", String, ReadOnly, "license enumerator", "base64 ID of the service that issued it";
    ISSUE_DATE = "IssueDate", Qword, ReadOnly, "license enumerator", "when it was first issued, seconds UTC";
    NOT_BEFORE = "NotBefore", Qword, ReadOnly, "license enumerator", "first second in which some action is permitted";
    NOT_AFTER = "NotAfter", Qword, ReadOnly, "license enumerator", "first second in which no action is permitted any more";
    RENEW_AFTER = "RenewAfter", Qword, ReadOnly, "license enumerator", "from when on its owner wants it renewed, seconds UTC; see wm_renew_licenses";
    RENEW_URL = "RenewURL", String, ReadOnly, "license enumerator", "page about the renewal. The library never goes there";
    COUNTS_LEFT = "CountsLeft", Dword, ReadOnly, "license enumerator", "uses left of the action that has fewest";
    BACKUP_ALLOWED = "BackupAllowed", Bool, ReadOnly, "license enumerator", "whether a backup takes it";
    TITLE = "Title", String, ReadOnly, "license enumerator", "title for people, see wm_set_content_title";
    ROOT_KID = "RootKID", String, ReadOnly, "license enumerator", "base64 key ID of the root license that a subscription's license needs";
    CONTENT_ID = "ContentID", String, ReadOnly, "license enumerator and content header", "the owner's name of the content";
    OUTPUT_PROTECTION = "OutputProtection", Binary, ReadOnly, "license enumerator (action Play) and decryptor", "what the policy demands of outputs, as the owner wrote it";
    KIDS = "KIDs", String, ReadOnly, "content header", "base64 key IDs, semicolons between, as KeyIDs of a license request takes them";
    LICENSE_URL = "LicenseURL", String, ReadOnly, "content header", "where the content says that licenses are acquired. Untrusted: the library never opens it; ask the user first";
    SCHEME = "Scheme", String, ReadOnly, "content header", "four characters, such as \"cenc\" or \"cbcs\"";
    SYSTEM = "System", String, ReadOnly, "content header", "UUIDs of the protection systems named, each once, semicolons between";
    NOTES = "Notes", String, ReadOnly, "content header", "what of the content's protection could not be read although the rest could, a sentence a line";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "KeyIDs" is WM_PROP_KEY_IDS: a new word begins at a capital after a small letter, or before a small one.
    fn define_of(text: &str) -> String {
        let letters: Vec<char> = text.chars().collect();
        let mut define = String::from("WM_PROP");
        for (at, letter) in letters.iter().enumerate() {
            let after_small = at > 0 && letters[at - 1].is_lowercase();
            let begins_word = letter.is_uppercase()
                && letters.get(at + 1).is_some_and(|next| next.is_lowercase())
                && letters.get(at + 1..) != Some(&['s']);
            if at == 0 || letter.is_uppercase() && (after_small || begins_word) {
                define.push('_');
            }
            define.extend(letter.to_uppercase());
        }
        define
    }

    #[test]
    fn macros_follow_from_the_names() {
        for name in NAMES {
            assert_eq!(define_of(name.key.name), name.define);
        }
    }
}
