//! Every property name, once: constant, text, and the line that the header prints. Which object has which is in
//! the object's own file.

/// One property name.
pub struct Name {
    /// Macro of the header.
    pub define: &'static str,
    /// The name.
    pub text: &'static str,
    /// Objects, type and meaning.
    pub meaning: &'static str,
}

macro_rules! names {
    ($($constant:ident $define:literal = $text:literal, $meaning:literal;)*) => {
        $(pub(crate) const $constant: &str = $text;)*
        /// All names in the order of the header.
        pub const NAMES: &[Name] = &[$(Name { define: $define, text: $text, meaning: $meaning }),*];
    };
}

names! {
    STORE_PATH "WM_PROP_STORE_PATH" = "StorePath", "client, STRING, path: folder of the license store; its last component is created 0700. Fixed at open";
    AUTHORITY "WM_PROP_AUTHORITY" = "Authority", "client, STRING: base64 SHA-256 of each trusted authority certificate, semicolons between. Fixed at open";
    KEY_PROTECTOR "WM_PROP_KEY_PROTECTOR" = "KeyProtector", "client, STRING: how device keys are kept, \"file\". Fixed at open";
    SERVICE_URL "WM_PROP_SERVICE_URL" = "ServiceURL", "client, STRING: base URL of the service";
    ACCOUNT_TOKEN "WM_PROP_ACCOUNT_TOKEN" = "AccountToken", "client, STRING, write-only: names the user's account to the service";
    APPLICATION_ID "WM_PROP_APPLICATION_ID" = "ApplicationID", "client, STRING: name of the application, told to the service, and compared with the newest status list at each use";
    DEVICE_NAME "WM_PROP_DEVICE_NAME" = "DeviceName", "client, STRING: what the user calls this device, at most 64 characters; told to the services with every request, so that lists of devices can be read. An empty one takes the name away there; unset, they keep what they know";
    SECURITY_LEVEL "WM_PROP_SECURITY_LEVEL" = "SecurityLevel", "client, DWORD: level of the application, default 0; licenses may demand one";
    USER_AGENT "WM_PROP_USER_AGENT" = "UserAgent", "client, STRING: User-Agent of HTTP requests";
    TLS_TRUST "WM_PROP_TLS_TRUST" = "TlsTrust", "client, STRING: which TLS certificates are trusted. \"default\": the platform's, or bundled ones where it has none; \"platform\"; \"bundled\"; \"pem\": only TlsCaPem; \"pinned\": as default, and the chain must also lead to a certificate of TlsCaPem";
    TLS_CA_PEM "WM_PROP_TLS_CA_PEM" = "TlsCaPem", "client, STRING: certificates of authorities in PEM, trusted beside those of TlsTrust, or demanded where it is \"pinned\"";
    PROXY "WM_PROP_PROXY" = "Proxy", "client, STRING: URL of an HTTP proxy (http or https, with user and password if it wants them), \"none\", or \"environment\", the default: https_proxy, http_proxy, all_proxy and no_proxy as they were when the client was created. This machine is always asked directly";
    ALLOW_HTTP "WM_PROP_ALLOW_HTTP" = "AllowHttp", "client, BOOL: plain HTTP to other hosts than this one, default no";
    OFFLINE_ONLY "WM_PROP_OFFLINE_ONLY" = "OfflineOnly", "client, BOOL: no operation opens a connection, default no";
    DEADLINE_MS "WM_PROP_DEADLINE_MS" = "DeadlineMs", "client and objects with a background verb, DWORD: milliseconds until an operation that asks a service gives up. 0, the default: two minutes for each request";
    RETRY_LIMIT "WM_PROP_RETRY_LIMIT" = "RetryLimit", "client and objects with a background verb, DWORD: repetitions of a failed request, default 4";
    DEVICE_ID "WM_PROP_DEVICE_ID" = "DeviceID", "client, STRING, read-only: base64 ID that the service gave to the device; none before it is individualized";
    INDIVIDUALIZED "WM_PROP_INDIVIDUALIZED" = "Individualized", "client, BOOL, read-only: whether the device has a certificate";
    SECURITY_VERSION "WM_PROP_SECURITY_VERSION" = "SecurityVersion", "client, STRING, read-only: security version of the device, four dotted numbers; 0.0.0.0 before it is individualized. Content header, STRING, read-only: the one that Windows Media DRM content asks for, dotted numbers";
    CLOCK_VERDICT "WM_PROP_CLOCK_VERDICT" = "ClockVerdict", "client, DWORD, read-only: what the clock is worth for licenses with dates, WM_CLOCK_*";
    PENDING_TRANSACTIONS "WM_PROP_PENDING_TRANSACTIONS" = "PendingTransactions", "client, DWORD, read-only: requests that wait to be sent again";
    USER_CONSENT "WM_PROP_USER_CONSENT" = "UserConsent", "individualizer, BOOL: the user agrees to individualization. Required";
    HEADER "WM_PROP_HEADER" = "Header", "license request, BINARY: content header as the file has it";
    KEY_IDS "WM_PROP_KEY_IDS" = "KeyIDs", "license request, STRING: base64 key IDs, semicolons between; those of Header where unset";
    ACTIONS "WM_PROP_ACTIONS" = "Actions", "license request, STRING: actions wanted, semicolons between, default \"Play\". License enumerator, STRING, read-only: actions granted";
    URL "WM_PROP_URL" = "URL", "license request, STRING: service to ask instead of ServiceURL";
    SCOPE "WM_PROP_SCOPE" = "Scope", "license request, STRING: everything of this scope, for pre-delivery";
    EXPIRING_WITHIN "WM_PROP_EXPIRING_WITHIN" = "ExpiringWithin", "license request, DWORD: for wm_renew_licenses, only licenses of which a right ends or whose renewal is due within so many days; ended ones are among them";
    CUSTOM_DATA "WM_PROP_CUSTOM_DATA" = "CustomData", "license request, BINARY: the application's own bytes for the service";
    TRANSACTION_ID "WM_PROP_TRANSACTION_ID" = "TransactionID", "license request, STRING: base64 ID of the last transaction; set it to resume one after a restart";
    LOOPBACK_REDIRECT "WM_PROP_LOOPBACK_REDIRECT" = "LoopbackRedirect", "license request, BOOL: the page leads back to a port of 127.0.0.1 that the monitor listens on, which shortens its wait; default no";
    INTERACTION_CODE "WM_PROP_INTERACTION_CODE" = "InteractionCode", "license request, STRING, read-only: the six digits that the page shows as well, while a request is pending";
    BACKUP_PATH "WM_PROP_BACKUP_PATH" = "BackupPath", "backup restorer, STRING, path: existing folder that receives the backup. Required to back up";
    RESTORE_PATH "WM_PROP_RESTORE_PATH" = "RestorePath", "backup restorer, STRING, path: folder that holds the backup. Required to restore";
    FILTER_KID "WM_PROP_FILTER_KID" = "FilterKID", "license enumerator, STRING: only licenses for this key ID, base64. Filters are set before the first wm_next_license";
    FILTER_ACTION "WM_PROP_FILTER_ACTION" = "FilterAction", "license enumerator, STRING: only licenses that name this action";
    FILTER_ISSUER "WM_PROP_FILTER_ISSUER" = "FilterIssuer", "license enumerator, STRING: only licenses of this issuer, base64";
    FILTER_EXPIRING_BEFORE "WM_PROP_FILTER_EXPIRING_BEFORE" = "FilterExpiringBefore", "license enumerator, QWORD: only licenses whose rights end before then, seconds UTC";
    LID "WM_PROP_LID" = "LID", "license enumerator, STRING, read-only: base64 license ID";
    KID "WM_PROP_KID" = "KID", "license enumerator, STRING, read-only: base64 key ID";
    ISSUER "WM_PROP_ISSUER" = "Issuer", "license enumerator, STRING, read-only: base64 ID of the service that issued it";
    ISSUE_DATE "WM_PROP_ISSUE_DATE" = "IssueDate", "license enumerator, QWORD, read-only: when it was first issued, seconds UTC";
    NOT_BEFORE "WM_PROP_NOT_BEFORE" = "NotBefore", "license enumerator, QWORD, read-only: first second in which some action is permitted";
    NOT_AFTER "WM_PROP_NOT_AFTER" = "NotAfter", "license enumerator, QWORD, read-only: first second in which no action is permitted any more";
    RENEW_AFTER "WM_PROP_RENEW_AFTER" = "RenewAfter", "license enumerator, QWORD, read-only: from when on its owner wants it renewed, seconds UTC; see wm_renew_licenses";
    RENEW_URL "WM_PROP_RENEW_URL" = "RenewURL", "license enumerator, STRING, read-only: page about the renewal. The library never goes there";
    COUNTS_LEFT "WM_PROP_COUNTS_LEFT" = "CountsLeft", "license enumerator, DWORD, read-only: uses left of the action that has fewest";
    BACKUP_ALLOWED "WM_PROP_BACKUP_ALLOWED" = "BackupAllowed", "license enumerator, BOOL, read-only: whether a backup takes it";
    TITLE "WM_PROP_TITLE" = "Title", "license enumerator, STRING, read-only: title for people, see wm_set_content_title";
    ROOT_KID "WM_PROP_ROOT_KID" = "RootKID", "license enumerator, STRING, read-only: base64 key ID of the root license that a subscription's license needs";
    CONTENT_ID "WM_PROP_CONTENT_ID" = "ContentID", "license enumerator and content header, STRING, read-only: the owner's name of the content";
    OUTPUT_PROTECTION "WM_PROP_OUTPUT_PROTECTION" = "OutputProtection", "license enumerator (action Play) and decryptor, BINARY, read-only: what the policy demands of outputs, as the owner wrote it";
    KIDS "WM_PROP_KIDS" = "KIDs", "content header, STRING, read-only: base64 key IDs, semicolons between, as KeyIDs of a license request takes them";
    LICENSE_URL "WM_PROP_LICENSE_URL" = "LicenseURL", "content header, STRING, read-only: where the content says that licenses are acquired. Untrusted: the library never opens it; ask the user first";
    SCHEME "WM_PROP_SCHEME" = "Scheme", "content header, STRING, read-only: four characters, such as \"cenc\" or \"cbcs\"";
    SYSTEM "WM_PROP_SYSTEM" = "System", "content header, STRING, read-only: UUIDs of the protection systems named, each once, semicolons between";
    NOTES "WM_PROP_NOTES" = "Notes", "content header, STRING, read-only: what of the content's protection could not be read although the rest could, a sentence a line";
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
            assert_eq!(define_of(name.text), name.define);
        }
    }
}
