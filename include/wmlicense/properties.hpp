/// @file properties.hpp
/// Every property of every object. Generated from the tables in src/ by tests/repository/cpp.rs; do not edit it.
#ifndef WMLICENSE_PROPERTIES_HPP
#define WMLICENSE_PROPERTIES_HPP

#include <wmlicense/property.hpp>

namespace wm {
WMLICENSE_VARIANT_BEGIN

class backup_restorer;
class client;
class content_header;
class decryptor;
class individualizer;
class license_enumerator;
class license_request;
class revocation_agent;
class store_keeper;

/// The properties, by the names of the C header in small letters.
namespace prop {

/// Client, STRING: path of the folder of the license store; its last component is created 0700. Fixed at open.
inline constexpr property<std::string, access::settable, client> store_path{WM_PROP_STORE_PATH};
/// Client, STRING: base64 SHA-256 of each trusted authority certificate, semicolons between. Fixed at open.
inline constexpr property<std::string, access::settable, client> authority{WM_PROP_AUTHORITY};
/// Client, STRING: how device keys are kept, "file". Fixed at open.
inline constexpr property<std::string, access::settable, client> key_protector{WM_PROP_KEY_PROTECTOR};
/// Client, STRING: base URL of the service.
inline constexpr property<std::string, access::settable, client> service_url{WM_PROP_SERVICE_URL};
/// Client, STRING, write-only: names the user's account to the service. Sent to ServiceURL and where that service says its endpoints are, and to no other service; without ServiceURL, to the services of the one trusted authority, and to none where several are trusted.
inline constexpr property<std::string, access::write_only, client> account_token{WM_PROP_ACCOUNT_TOKEN};
/// Client, STRING: name of the application, told to the service, and compared with the newest status list at each use.
inline constexpr property<std::string, access::settable, client> application_id{WM_PROP_APPLICATION_ID};
/// Client, STRING: what the user calls this device, at most 64 characters; told to the services with every request, so that lists of devices can be read. An empty one takes the name away there; unset, they keep what they know.
inline constexpr property<std::string, access::settable, client> device_name{WM_PROP_DEVICE_NAME};
/// Client, DWORD: level of the application, default 0; licenses may demand one.
inline constexpr property<std::uint32_t, access::settable, client> security_level{WM_PROP_SECURITY_LEVEL};
/// Client, STRING: User-Agent of HTTP requests.
inline constexpr property<std::string, access::settable, client> user_agent{WM_PROP_USER_AGENT};
/// Client, STRING: which TLS certificates are trusted. "default": the platform's, or bundled ones where it has none; "platform"; "bundled"; "pem": only TlsCaPem; "pinned": as default, and the chain must also lead to a certificate of TlsCaPem.
inline constexpr property<std::string, access::settable, client> tls_trust{WM_PROP_TLS_TRUST};
/// Client, STRING: certificates of authorities in PEM, trusted beside those of TlsTrust, or demanded where it is "pinned".
inline constexpr property<std::string, access::settable, client> tls_ca_pem{WM_PROP_TLS_CA_PEM};
/// Client, STRING: URL of an HTTP proxy (http or https, with user and password if it wants them), "none", or "environment", the default: https_proxy, http_proxy, all_proxy and no_proxy as they were when the client was created. This machine is always asked directly.
inline constexpr property<std::string, access::settable, client> proxy{WM_PROP_PROXY};
/// Client, BOOL: plain HTTP to other hosts than this one, default no.
inline constexpr property<bool, access::settable, client> allow_http{WM_PROP_ALLOW_HTTP};
/// Client, BOOL: no operation opens a connection, default no.
inline constexpr property<bool, access::settable, client> offline_only{WM_PROP_OFFLINE_ONLY};
/// Client and objects with a background verb, DWORD: milliseconds until an operation that asks a service gives up. 0, the default: two minutes for each request.
inline constexpr property<std::chrono::milliseconds, access::settable, client, individualizer, license_request, backup_restorer, store_keeper, revocation_agent> deadline_ms{WM_PROP_DEADLINE_MS};
/// Client and objects with a background verb, DWORD: repetitions of a failed request, default 4.
inline constexpr property<std::uint32_t, access::settable, client, individualizer, license_request, backup_restorer, revocation_agent> retry_limit{WM_PROP_RETRY_LIMIT};
/// Client, STRING, read-only: base64 ID that the service gave to the device; none before it is individualized.
inline constexpr property<std::string, access::read_only, client> device_id{WM_PROP_DEVICE_ID};
/// Client, BOOL, read-only: whether the device has a certificate.
inline constexpr property<bool, access::read_only, client> individualized{WM_PROP_INDIVIDUALIZED};
/// Client, STRING, read-only: security version of the device, four dotted numbers; 0.0.0.0 before it is individualized. Content header, STRING, read-only: the one that Windows Media DRM content asks for, dotted numbers.
inline constexpr property<std::string, access::read_only, client, content_header> security_version{WM_PROP_SECURITY_VERSION};
/// Client, DWORD, read-only: what the clock is worth for licenses with dates, WM_CLOCK_*.
inline constexpr property<std::uint32_t, access::read_only, client> clock_verdict{WM_PROP_CLOCK_VERDICT};
/// Client, DWORD, read-only: requests that wait to be sent again.
inline constexpr property<std::uint32_t, access::read_only, client> pending_transactions{WM_PROP_PENDING_TRANSACTIONS};
/// Individualizer, BOOL: the user agrees to individualization. Required.
inline constexpr property<bool, access::settable, individualizer> user_consent{WM_PROP_USER_CONSENT};
/// License request, BINARY: content header as the file has it.
inline constexpr property<std::vector<std::uint8_t>, access::settable, license_request> header{WM_PROP_HEADER};
/// License request, STRING: base64 key IDs, semicolons between; those of Header where unset.
inline constexpr property<std::vector<wm::kid>, access::settable, license_request> key_ids{WM_PROP_KEY_IDS};
/// License request, STRING: actions wanted, semicolons between, default "Play". License enumerator, STRING, read-only: actions granted.
inline constexpr property<std::string, access::settable, license_request, license_enumerator> actions{WM_PROP_ACTIONS};
/// License request, STRING: service to ask instead of ServiceURL.
inline constexpr property<std::string, access::settable, license_request> url{WM_PROP_URL};
/// License request, STRING: everything of this scope, for pre-delivery.
inline constexpr property<std::string, access::settable, license_request> scope{WM_PROP_SCOPE};
/// License request, DWORD: for wm_renew_licenses, only licenses of which a right ends or whose renewal is due within so many days; ended ones are among them.
inline constexpr property<std::uint32_t, access::settable, license_request> expiring_within{WM_PROP_EXPIRING_WITHIN};
/// License request, BINARY: the application's own bytes for the service.
inline constexpr property<std::vector<std::uint8_t>, access::settable, license_request> custom_data{WM_PROP_CUSTOM_DATA};
/// License request, STRING: base64 ID of the last transaction; set it to resume one after a restart.
inline constexpr property<std::string, access::settable, license_request> transaction_id{WM_PROP_TRANSACTION_ID};
/// License request, BOOL: the page leads back to a port of 127.0.0.1 that the monitor listens on, which shortens its wait; default no.
inline constexpr property<bool, access::settable, license_request> loopback_redirect{WM_PROP_LOOPBACK_REDIRECT};
/// License request, STRING, read-only: the six digits that the page shows as well, while a request is pending.
inline constexpr property<std::string, access::read_only, license_request> interaction_code{WM_PROP_INTERACTION_CODE};
/// Backup restorer, STRING: path of the existing folder that receives the backup. Required to back up.
inline constexpr property<std::string, access::settable, backup_restorer> backup_path{WM_PROP_BACKUP_PATH};
/// Backup restorer, STRING: path of the folder that holds the backup. Required to restore.
inline constexpr property<std::string, access::settable, backup_restorer> restore_path{WM_PROP_RESTORE_PATH};
/// License enumerator, STRING: only licenses for this key ID, base64. Filters are set before the first wm_next_license.
inline constexpr property<wm::kid, access::settable, license_enumerator> filter_kid{WM_PROP_FILTER_KID};
/// License enumerator, STRING: only licenses that name this action.
inline constexpr property<std::string, access::settable, license_enumerator> filter_action{WM_PROP_FILTER_ACTION};
/// License enumerator, STRING: only licenses of this issuer, base64.
inline constexpr property<std::string, access::settable, license_enumerator> filter_issuer{WM_PROP_FILTER_ISSUER};
/// License enumerator, QWORD: only licenses whose rights end before then, seconds UTC.
inline constexpr property<time_point, access::settable, license_enumerator> filter_expiring_before{WM_PROP_FILTER_EXPIRING_BEFORE};
/// License enumerator, STRING, read-only: base64 license ID.
inline constexpr property<std::string, access::read_only, license_enumerator> lid{WM_PROP_LID};
/// License enumerator, STRING, read-only: base64 key ID.
inline constexpr property<wm::kid, access::read_only, license_enumerator> kid{WM_PROP_KID};
/// License enumerator, STRING, read-only: base64 ID of the service that issued it.
inline constexpr property<std::string, access::read_only, license_enumerator> issuer{WM_PROP_ISSUER};
/// License enumerator, QWORD, read-only: when it was first issued, seconds UTC.
inline constexpr property<time_point, access::read_only, license_enumerator> issue_date{WM_PROP_ISSUE_DATE};
/// License enumerator, QWORD, read-only: first second in which some action is permitted.
inline constexpr property<time_point, access::read_only, license_enumerator> not_before{WM_PROP_NOT_BEFORE};
/// License enumerator, QWORD, read-only: first second in which no action is permitted any more.
inline constexpr property<time_point, access::read_only, license_enumerator> not_after{WM_PROP_NOT_AFTER};
/// License enumerator, QWORD, read-only: from when on its owner wants it renewed, seconds UTC; see wm_renew_licenses.
inline constexpr property<time_point, access::read_only, license_enumerator> renew_after{WM_PROP_RENEW_AFTER};
/// License enumerator, STRING, read-only: page about the renewal. The library never goes there.
inline constexpr property<std::string, access::read_only, license_enumerator> renew_url{WM_PROP_RENEW_URL};
/// License enumerator, DWORD, read-only: uses left of the action that has fewest.
inline constexpr property<std::uint32_t, access::read_only, license_enumerator> counts_left{WM_PROP_COUNTS_LEFT};
/// License enumerator, BOOL, read-only: whether a backup takes it.
inline constexpr property<bool, access::read_only, license_enumerator> backup_allowed{WM_PROP_BACKUP_ALLOWED};
/// License enumerator, STRING, read-only: title for people, see wm_set_content_title.
inline constexpr property<std::string, access::read_only, license_enumerator> title{WM_PROP_TITLE};
/// License enumerator, STRING, read-only: base64 key ID of the root license that a subscription's license needs.
inline constexpr property<wm::kid, access::read_only, license_enumerator> root_kid{WM_PROP_ROOT_KID};
/// License enumerator and content header, STRING, read-only: the owner's name of the content.
inline constexpr property<std::string, access::read_only, content_header, license_enumerator> content_id{WM_PROP_CONTENT_ID};
/// License enumerator (action Play) and decryptor, BINARY, read-only: what the policy demands of outputs, as the owner wrote it.
inline constexpr property<std::vector<std::uint8_t>, access::read_only, license_enumerator, decryptor> output_protection{WM_PROP_OUTPUT_PROTECTION};
/// Content header, STRING, read-only: base64 key IDs, semicolons between, as KeyIDs of a license request takes them.
inline constexpr property<std::vector<wm::kid>, access::read_only, content_header> kids{WM_PROP_KIDS};
/// Content header, STRING, read-only: where the content says that licenses are acquired. Untrusted: the library never opens it; ask the user first.
inline constexpr property<std::string, access::read_only, content_header> license_url{WM_PROP_LICENSE_URL};
/// Content header, STRING, read-only: four characters, such as "cenc" or "cbcs".
inline constexpr property<std::string, access::read_only, content_header> scheme{WM_PROP_SCHEME};
/// Content header, STRING, read-only: UUIDs of the protection systems named, each once, semicolons between.
inline constexpr property<std::string, access::read_only, content_header> system{WM_PROP_SYSTEM};
/// Content header, STRING, read-only: what of the content's protection could not be read although the rest could, a sentence a line.
inline constexpr property<std::string, access::read_only, content_header> notes{WM_PROP_NOTES};

} // namespace prop
WMLICENSE_VARIANT_END
} // namespace wm

#endif
