/* The header of the first version without its comments: what programs were compiled with that are still in use. It never changes. */
#ifndef WMLICENSE_H
#define WMLICENSE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#define WM_VERSION (0u << 16 | 1u << 8 | 0u)
#define WM_ABI_VERSION 1u
#define WM_S_OK ((wm_result)0x00000000)
#define WM_S_FALSE ((wm_result)0x00000001)
#define WM_S_LICENSE_ACQUIRED ((wm_result)0x000D2726)
#define WM_S_INDIVIDUALIZED ((wm_result)0x000D2727)
#define WM_S_ACQUIRE_CANCELLED ((wm_result)0x000D2747)
#define WM_S_BACKUP_CLOSED ((wm_result)0x000D2A04)
#define WM_S_STORE_REPAIRED ((wm_result)0x000D2A01)
#define WM_S_NOTHING_NEW ((wm_result)0x000D2A02)
#define WM_S_MONITOR_CANCELLED ((wm_result)0x000D2746)
#define WM_S_RESTORE_PARTIAL ((wm_result)0x000D2A00)
#define WM_S_NOTHING_TO_RENEW ((wm_result)0x000D2A03)
#define WM_E_OUTOFMEMORY ((wm_result)0x8007000E)
#define WM_E_INVALIDARG ((wm_result)0x80070057)
#define WM_E_NO_MORE_ITEMS ((wm_result)0x80070103)
#define WM_E_INVALID_HANDLE ((wm_result)0xC00D2A00)
#define WM_E_FORKED ((wm_result)0xC00D2A01)
#define WM_E_TIMEOUT ((wm_result)0xC00D2A02)
#define WM_E_WOULD_DEADLOCK ((wm_result)0xC00D2A03)
#define WM_E_NO_OPERATION ((wm_result)0xC00D2A04)
#define WM_E_NOT_OPEN ((wm_result)0xC00D2A05)
#define WM_E_ALREADY_OPEN ((wm_result)0xC00D2A06)
#define WM_E_WRONG_TYPE ((wm_result)0xC00D2A07)
#define WM_E_BAD_VALUE ((wm_result)0xC00D2A08)
#define WM_E_INTERNAL ((wm_result)0xC00D2A09)
#define WM_E_INVALID_PROPERTY ((wm_result)0xC00D2749)
#define WM_E_BUFFER_TOO_SMALL ((wm_result)0xC00D275C)
#define WM_E_UNSUPPORTED_PROPERTY ((wm_result)0xC00D275D)
#define WM_E_BUSY ((wm_result)0xC00D2841)
#define WM_E_BACKUPRESTORE_BUSY ((wm_result)0xC00D2744)
#define WM_E_ACQUIRING_LICENSE ((wm_result)0xC00D272B)
#define WM_E_INDIVIDUALIZING ((wm_result)0xC00D272C)
#define WM_E_OPERATION_CANCELED ((wm_result)0xC00D2768)
#define WM_E_INDIV_SERVICE_UNAVAILABLE ((wm_result)0xC00D2845)
#define WM_E_RESTORE_SERVICE_UNAVAILABLE ((wm_result)0xC00D2846)
#define WM_E_UNABLE_TO_ACQUIRE_LICENSE ((wm_result)0xC00D271E)
#define WM_E_SERVICE_FAILING ((wm_result)0xC00D2A22)
#define WM_E_DEADLINE ((wm_result)0xC00D2A23)
#define WM_E_SERVER_CERTIFICATE ((wm_result)0xC00D2A24)
#define WM_E_AUTHORITY_NOT_TRUSTED ((wm_result)0xC00D2A25)
#define WM_E_SERVICE_REFUSED ((wm_result)0xC00D2A26)
#define WM_E_BAD_ANSWER ((wm_result)0xC00D2A27)
#define WM_E_SIGNATURE_FAILURE ((wm_result)0xC00D283F)
#define WM_E_ANSWER_SIGNER ((wm_result)0xC00D2A4C)
#define WM_E_LICENSE_CERT_EXPIRED ((wm_result)0xC00D27DF)
#define WM_E_ANSWER_REPLAYED ((wm_result)0xC00D2A45)
#define WM_E_INVALID_MACHINE ((wm_result)0xC00D2719)
#define WM_E_ANSWER_MANIFEST ((wm_result)0xC00D2A46)
#define WM_E_LICENSE_ISSUER ((wm_result)0xC00D2A47)
#define WM_E_LICENSE_TWICE ((wm_result)0xC00D2A48)
#define WM_E_LICENSE_TERMS ((wm_result)0xC00D2A4E)
#define WM_E_LICENSE_UNASKED ((wm_result)0xC00D2A49)
#define WM_E_ENDLESS_ANSWER ((wm_result)0xC00D2A4A)
#define WM_E_INVALID_CERTIFICATE ((wm_result)0xC00D28A0)
#define WM_E_SERVICE_CLOCK ((wm_result)0xC00D2A4B)
#define WM_E_URL_NOT_ALLOWED ((wm_result)0xC00D2A28)
#define WM_E_ERROR_BAD_NET_RESP ((wm_result)0xC00D275E)
#define WM_E_CONNECTION_LOST ((wm_result)0xC00D2A33)
#define WM_E_PROXY ((wm_result)0xC00D2A34)
#define WM_E_CAPTIVE_PORTAL ((wm_result)0xC00D2A35)
#define WM_E_REDIRECT_REFUSED ((wm_result)0xC00D2A36)
#define WM_E_ANSWER_TOO_LARGE ((wm_result)0xC00D2A37)
#define WM_E_SERVER_CERTIFICATE_DATE ((wm_result)0xC00D2A38)
#define WM_E_POLICY_DISABLE_ONLINE ((wm_result)0xC00D2762)
#define WM_E_NO_RIGHTS ((wm_result)0xC00D2720)
#define WM_E_LICENSE_NOTACQUIRED ((wm_result)0xC00D2759)
#define WM_E_LICENSE_UNAVAILABLE ((wm_result)0xC00D28A2)
#define WM_E_RESTORE_FRAUD ((wm_result)0xC00D2753)
#define WM_E_LICENSE_CONTENT_REVOKED ((wm_result)0xC00D27E1)
#define WM_E_LICENSE_EXPIRED ((wm_result)0xC00D27D8)
#define WM_E_OTHER_ACCOUNT ((wm_result)0xC00D2A29)
#define WM_E_NOT_ALLOWED ((wm_result)0xC00D2A2A)
#define WM_E_NOT_ENTITLED ((wm_result)0xC00D2A4D)
#define WM_E_LICENSE_RETURNED ((wm_result)0xC00D2A44)
#define WM_E_UNKNOWN_ISSUER ((wm_result)0xC00D2A2B)
#define WM_E_ACCOUNT_REQUIRED ((wm_result)0xC00D2A2C)
#define WM_E_CERTIFICATE_REVOKED ((wm_result)0xC00D28A1)
#define WM_E_DEVICE_COPIED ((wm_result)0xC00D2A4F)
#define WM_E_KEY_REPLACED ((wm_result)0xC00D2A53)
#define WM_E_INDIV_FRAUD ((wm_result)0xC00D2843)
#define WM_E_INVALID_LICENSE ((wm_result)0xC00D2718)
#define WM_E_INVALID_LICENSE_ACQUIRED ((wm_result)0xC00D271F)
#define WM_E_INVALID_LICENSE_REQUEST ((wm_result)0xC00D271C)
#define WM_E_NO_TRANSACTION ((wm_result)0xC00D2A2F)
#define WM_E_NEEDS_INDIVIDUALIZATION ((wm_result)0xC00D2728)
#define WM_E_LICENSE_REQUIRED ((wm_result)0xC00D0BBE)
#define WM_E_LICENSE_OUTOFDATE ((wm_result)0xC00D0BC0)
#define WM_E_LICENSE_INCORRECT_RIGHTS ((wm_result)0xC00D0BC1)
#define WM_E_NEED_UPGRADE_PD ((wm_result)0xC00D283E)
#define WM_E_LICENSE_NOTENABLED ((wm_result)0xC00D27D9)
#define WM_E_LICENSE_APPSECLOW ((wm_result)0xC00D27DA)
#define WM_E_LICENSE_UNUSABLE ((wm_result)0xC00D2748)
#define WM_E_NO_UPLINK_LICENSE ((wm_result)0xC00D2848)
#define WM_E_SUBSCRIPTION_ENDED ((wm_result)0xC00D2A3A)
#define WM_E_RIV_TOO_SMALL ((wm_result)0xC00D28B7)
#define WM_E_ISSUER_REVOKED ((wm_result)0xC00D2A3B)
#define WM_E_INVALID_CRL ((wm_result)0xC00D28B1)
#define WM_E_REVOCATION_NOT_SIGNED ((wm_result)0xC00D2A3C)
#define WM_E_REVOCATION_UNKNOWN_KEY ((wm_result)0xC00D2A3D)
#define WM_E_REVOCATION_OLDER ((wm_result)0xC00D2A3E)
#define WM_E_REVOCATION_OTHER_DEVICE ((wm_result)0xC00D2A3F)
#define WM_E_REVOCATION_CONFLICT ((wm_result)0xC00D2A40)
#define WM_E_REVOCATION_AHEAD ((wm_result)0xC00D2A41)
#define WM_E_REVOCATION_TOO_LONG ((wm_result)0xC00D2A42)
#define WM_E_REFRESHING_REVOCATIONS ((wm_result)0xC00D2A43)
#define WM_E_APPCERT_REVOKED ((wm_result)0xC00D2752)
#define WM_E_USED_UP ((wm_result)0xC00D2A10)
#define WM_E_CLOCK ((wm_result)0xC00D2A11)
#define WM_E_BACKUP_EXISTS ((wm_result)0xC00D2742)
#define WM_E_BACKUP_CORRUPT ((wm_result)0xC00D2743)
#define WM_E_BACKUP_RESTORE_BAD_DATA ((wm_result)0xC00D2745)
#define WM_E_BACKUP_RESTORE_TOO_MANY_RESETS ((wm_result)0xC00D2766)
#define WM_E_BACKUP_NOT_FOUND ((wm_result)0xC00D2A20)
#define WM_E_PATH_UNUSABLE ((wm_result)0xC00D2A21)
#define WM_E_PATH_NOT_FOUND ((wm_result)0xC00D2A30)
#define WM_E_PATH_READ_ONLY ((wm_result)0xC00D2A50)
#define WM_E_PATH_OCCUPIED ((wm_result)0xC00D2A51)
#define WM_E_MEDIUM_FAILED ((wm_result)0xC00D2A52)
#define WM_E_DISK_FULL ((wm_result)0xC00D2A2E)
#define WM_E_BACKUP_TOO_NEW ((wm_result)0xC00D2A31)
#define WM_E_NOT_RESTORABLE ((wm_result)0xC00D2A32)
#define WM_E_LICENSE_STORE_ERROR ((wm_result)0xC00D2712)
#define WM_E_UNABLE_TO_OPEN_DATA_STORE ((wm_result)0xC00D2782)
#define WM_E_DATASTORE_CORRUPT ((wm_result)0xC00D2783)
#define WM_E_STORE_TOO_NEW ((wm_result)0xC00D2A2D)
#define WM_E_HDS_KEY_MISMATCH ((wm_result)0xC00D2799)
#define WM_E_CHECKPOINT_FAILED ((wm_result)0xC00D277F)
#define WM_E_SECURE_STORE_ERROR ((wm_result)0xC00D2713)
#define WM_E_SECURE_STORE_NOT_FOUND ((wm_result)0xC00D274A)
#define WM_E_SECURE_STORE_UNLOCK_ERROR ((wm_result)0xC00D2715)
#define WM_E_MALFORMED_CONTENT_HEADER ((wm_result)0xC00D279C)
#define WM_E_CONTENT_HEADER_TOO_NEW ((wm_result)0xC00D2A39)
#define WM_E_UNSUPPORTED_ALGORITHM ((wm_result)0xC00D284D)
#define WM_E_INVALID_DATA ((wm_result)0xC00D2761)
#define WM_LICENSE_STORED(result) ((result) == WM_S_LICENSE_ACQUIRED)
#define WM_CATEGORY_NONE 0u
#define WM_CATEGORY_CALL 1u
#define WM_CATEGORY_STATE 2u
#define WM_CATEGORY_NETWORK 3u
#define WM_CATEGORY_SERVICE 4u
#define WM_CATEGORY_TRUST 5u
#define WM_CATEGORY_REFUSED 6u
#define WM_CATEGORY_RIGHTS 7u
#define WM_CATEGORY_STORAGE 8u
#define WM_CATEGORY_CONTENT 9u
#define WM_CATEGORY_CANCELLED 10u
#define WM_CATEGORY_INTERNAL 11u
#define WM_REMEDY_NONE 0u
#define WM_REMEDY_RETRY 1u
#define WM_REMEDY_GO_ONLINE 2u
#define WM_REMEDY_SET_CLOCK 3u
#define WM_REMEDY_INDIVIDUALIZE 4u
#define WM_REMEDY_REACQUIRE 5u
#define WM_REMEDY_CONTACT_ISSUER 6u
#define WM_REMEDY_FREE_DEVICE 7u
#define WM_REMEDY_CHOOSE_PLACE 8u
#define WM_REMEDY_FREE_SPACE 9u
#define WM_REMEDY_SIGN_IN 10u
#define WM_REMEDY_OPEN_URL 11u
#define WM_REMEDY_UPDATE 12u
#define WM_REMEDY_RESTORE_BACKUP 13u
#define WM_REMEDY_FIX_CALL 14u
#define WM_REMEDY_NETWORK_SIGN_IN 15u
#define WM_REMEDY_CHECK_PROXY 16u
#define WM_REMEDY_INDIVIDUALIZE_ANEW 17u
#define WM_STATUS_BACKUPRESTORE_BEGIN ((wm_status)21)
#define WM_STATUS_ACQUIRE_LICENSE ((wm_status)23)
#define WM_STATUS_INDIVIDUALIZE ((wm_status)24)
#define WM_STATUS_NEEDS_INDIVIDUALIZATION ((wm_status)25)
#define WM_STATUS_BACKUPRESTORE_END ((wm_status)27)
#define WM_STATUS_BACKUPRESTORE_CONNECTING ((wm_status)28)
#define WM_STATUS_BACKUPRESTORE_DISCONNECTING ((wm_status)29)
#define WM_STATUS_ERROR_WITHURL ((wm_status)30)
#define WM_STATUS_RESTRICTED_LICENSE ((wm_status)31)
#define WM_STATUS_PROGRESS ((wm_status)0x1000)
#define WM_STATUS_LICENSE_REFUSED ((wm_status)0x1001)
#define WM_STATUS_RESTORE_VERDICT ((wm_status)0x1002)
#define WM_STATUS_STORE_CHECKED ((wm_status)0x1003)
#define WM_STATUS_STORE_CLEANED ((wm_status)0x1004)
#define WM_STATUS_DAMAGED_LICENSE ((wm_status)0x1005)
#define WM_STATUS_RENEWAL_DUE ((wm_status)0x1006)
#define WM_STATUS_REVOCATIONS_REFRESHED ((wm_status)0x1007)
#define WM_INDIVIDUALIZE_BEGIN 0x1u
#define WM_INDIVIDUALIZE_SUCCEED 0x2u
#define WM_INDIVIDUALIZE_FAIL 0x4u
#define WM_INDIVIDUALIZE_CANCEL 0x8u
#define WM_INDIVIDUALIZE_DOWNLOAD 0x10u
#define WM_INDIVIDUALIZE_INSTALL 0x20u
#define WM_HTTP_NOTINITIATED 0x0u
#define WM_HTTP_CONNECTING 0x1u
#define WM_HTTP_REQUESTING 0x2u
#define WM_HTTP_RECEIVING 0x3u
#define WM_HTTP_COMPLETED 0x4u
#define WM_TYPE_DWORD ((wm_attr_type)0)
#define WM_TYPE_STRING ((wm_attr_type)1)
#define WM_TYPE_BINARY ((wm_attr_type)2)
#define WM_TYPE_BOOL ((wm_attr_type)3)
#define WM_TYPE_QWORD ((wm_attr_type)4)
#define WM_INFINITE 0xFFFFFFFFu
#define WM_INDIVIDUALIZE_FORCE 0x4u
#define WM_DELETE_LOCAL 0x1u
#define WM_ACQUIRE_SILENT 0x1u
#define WM_ACQUIRE_NONSILENT 0x2u
#define WM_BACKUP_OVERWRITE 0x1u
#define WM_RESTORE_INDIVIDUALIZE 0x2u
#define WM_CHECK_REPAIR 0x1u
#define WM_CLEAN_SYNC 0x1u
#define WM_CLEAN_ASYNC 0x2u
#define WM_LICENSE_STATE_VAGUE 0x1u
#define WM_SCHEME_CENC 0x63656E63u
#define WM_SCHEME_CENS 0x63656E73u
#define WM_SCHEME_CBC1 0x63626331u
#define WM_SCHEME_CBCS 0x63626373u
#define WM_LOG_ERROR 0x1u
#define WM_LOG_WARN 0x2u
#define WM_LOG_INFO 0x3u
#define WM_LOG_DEBUG 0x4u
#define WM_REASON_NOT_ENABLED 0x1u
#define WM_REASON_NO_LICENSE 0x2u
#define WM_REASON_NO_RIGHT 0x4u
#define WM_REASON_EXHAUSTED 0x8u
#define WM_REASON_EXPIRED 0x10u
#define WM_REASON_NOT_STARTED 0x20u
#define WM_REASON_APPSEC_TOO_LOW 0x40u
#define WM_REASON_REQ_INDIV 0x80u
#define WM_REASON_NO_CLOCK_SUPPORT 0x400u
#define WM_REASON_ROOT_MISSING 0x2000u
#define WM_REASON_STATE_LOST 0x4000u
#define WM_REASON_REVOKED 0x8000u
#define WM_REASON_STATUS_LIST 0x10000u
#define WM_REASON_UNKNOWN_CONDITION 0x20000u
#define WM_LICENSE_STATE_NORIGHT 0x0u
#define WM_LICENSE_STATE_UNLIM 0x1u
#define WM_LICENSE_STATE_COUNT 0x2u
#define WM_LICENSE_STATE_FROM 0x3u
#define WM_LICENSE_STATE_UNTIL 0x4u
#define WM_LICENSE_STATE_FROM_UNTIL 0x5u
#define WM_LICENSE_STATE_COUNT_FROM 0x6u
#define WM_LICENSE_STATE_COUNT_UNTIL 0x7u
#define WM_LICENSE_STATE_COUNT_FROM_UNTIL 0x8u
#define WM_LICENSE_STATE_EXPIRATION_AFTER_FIRSTUSE 0x9u
#define WM_CLOCK_GOOD 0x0u
#define WM_CLOCK_UNKNOWN 0x1u
#define WM_CLOCK_BEHIND 0x2u
#define WM_CLOCK_AHEAD 0x3u
#define WM_PROP_STORE_PATH "StorePath"
#define WM_PROP_AUTHORITY "Authority"
#define WM_PROP_KEY_PROTECTOR "KeyProtector"
#define WM_PROP_SERVICE_URL "ServiceURL"
#define WM_PROP_ACCOUNT_TOKEN "AccountToken"
#define WM_PROP_APPLICATION_ID "ApplicationID"
#define WM_PROP_SECURITY_LEVEL "SecurityLevel"
#define WM_PROP_USER_AGENT "UserAgent"
#define WM_PROP_TLS_TRUST "TlsTrust"
#define WM_PROP_TLS_CA_PEM "TlsCaPem"
#define WM_PROP_PROXY "Proxy"
#define WM_PROP_ALLOW_HTTP "AllowHttp"
#define WM_PROP_OFFLINE_ONLY "OfflineOnly"
#define WM_PROP_DEADLINE_MS "DeadlineMs"
#define WM_PROP_RETRY_LIMIT "RetryLimit"
#define WM_PROP_DEVICE_ID "DeviceID"
#define WM_PROP_INDIVIDUALIZED "Individualized"
#define WM_PROP_SECURITY_VERSION "SecurityVersion"
#define WM_PROP_CLOCK_VERDICT "ClockVerdict"
#define WM_PROP_PENDING_TRANSACTIONS "PendingTransactions"
#define WM_PROP_USER_CONSENT "UserConsent"
#define WM_PROP_HEADER "Header"
#define WM_PROP_KEY_IDS "KeyIDs"
#define WM_PROP_ACTIONS "Actions"
#define WM_PROP_URL "URL"
#define WM_PROP_SCOPE "Scope"
#define WM_PROP_EXPIRING_WITHIN "ExpiringWithin"
#define WM_PROP_CUSTOM_DATA "CustomData"
#define WM_PROP_TRANSACTION_ID "TransactionID"
#define WM_PROP_LOOPBACK_REDIRECT "LoopbackRedirect"
#define WM_PROP_INTERACTION_CODE "InteractionCode"
#define WM_PROP_BACKUP_PATH "BackupPath"
#define WM_PROP_RESTORE_PATH "RestorePath"
#define WM_PROP_FILTER_KID "FilterKID"
#define WM_PROP_FILTER_ACTION "FilterAction"
#define WM_PROP_FILTER_ISSUER "FilterIssuer"
#define WM_PROP_FILTER_EXPIRING_BEFORE "FilterExpiringBefore"
#define WM_PROP_LID "LID"
#define WM_PROP_KID "KID"
#define WM_PROP_ISSUER "Issuer"
#define WM_PROP_ISSUE_DATE "IssueDate"
#define WM_PROP_NOT_BEFORE "NotBefore"
#define WM_PROP_NOT_AFTER "NotAfter"
#define WM_PROP_RENEW_AFTER "RenewAfter"
#define WM_PROP_RENEW_URL "RenewURL"
#define WM_PROP_COUNTS_LEFT "CountsLeft"
#define WM_PROP_BACKUP_ALLOWED "BackupAllowed"
#define WM_PROP_TITLE "Title"
#define WM_PROP_ROOT_KID "RootKID"
#define WM_PROP_CONTENT_ID "ContentID"
#define WM_PROP_OUTPUT_PROTECTION "OutputProtection"
#define WM_PROP_KIDS "KIDs"
#define WM_PROP_LICENSE_URL "LicenseURL"
#define WM_PROP_SCHEME "Scheme"
#define WM_PROP_SYSTEM "System"
typedef struct wm_backup_restorer wm_backup_restorer;
typedef struct wm_client wm_client;
typedef struct wm_content_header wm_content_header;
typedef struct wm_decryptor wm_decryptor;
typedef struct wm_event_queue wm_event_queue;
typedef struct wm_exchange wm_exchange;
typedef struct wm_individualizer wm_individualizer;
typedef struct wm_license_enumerator wm_license_enumerator;
typedef struct wm_license_request wm_license_request;
typedef struct wm_revocation_agent wm_revocation_agent;
typedef struct wm_store_keeper wm_store_keeper;
typedef int32_t wm_result;
typedef int32_t wm_status;
typedef int32_t wm_attr_type;
typedef struct wm_error_info {
  size_t struct_size;
  wm_result result;
  uint32_t category;
  uint32_t remedy;
  uint32_t retryable;
  uint64_t retry_after_ms;
  uint32_t http_status;
  int32_t server_code;
  uint32_t has_kid;
  uint8_t kid[16];
  char request_id[40];
  char message[512];
} wm_error_info;
typedef wm_result (*wm_status_callback)(wm_status status,
                                        wm_result result,
                                        wm_attr_type type,
                                        const void *value,
                                        size_t size,
                                        void *context);
typedef struct wm_license_state {
  size_t struct_size;
  uint32_t category;
  uint32_t count_count;
  uint32_t counts[4];
  uint32_t date_count;
  int64_t dates[4];
  uint64_t seconds_after_first_use;
  uint32_t vague;
} wm_license_state;
typedef struct wm_subsample {
  uint32_t clear;
  uint32_t encrypted;
} wm_subsample;
typedef struct wm_sample {
  size_t struct_size;
  const uint8_t *iv;
  size_t iv_size;
  const struct wm_subsample *subsamples;
  size_t subsample_count;
  uint32_t crypt_byte_block;
  uint32_t skip_byte_block;
  uint32_t scheme;
} wm_sample;
typedef struct wm_event {
  size_t struct_size;
  void *object;
  void *context;
  wm_status status;
  wm_result result;
  wm_attr_type type;
  const void *value;
  size_t size;
} wm_event;
typedef struct wm_http_header {
  const char *name;
  const char *value;
} wm_http_header;
typedef struct wm_http_request {
  size_t struct_size;
  const char *method;
  const char *url;
  const struct wm_http_header *headers;
  size_t header_count;
  const void *body;
  size_t body_size;
  uint32_t timeout_ms;
  uint64_t max_body_size;
} wm_http_request;
typedef wm_result (*wm_transport_callback)(struct wm_exchange *exchange,
                                           const struct wm_http_request *request,
                                           void *context);
typedef struct wm_transport {
  size_t struct_size;
  wm_transport_callback send;
  void *context;
} wm_transport;
typedef void (*wm_log_callback)(uint32_t level, const char *target, const char *message, void *context);
typedef struct wm_progress {
  size_t struct_size;
  uint64_t done;
  uint64_t total;
} wm_progress;
typedef struct wm_restore_verdict {
  size_t struct_size;
  uint8_t kid[16];
  uint32_t devices_used;
  uint32_t devices_limit;
  char title[256];
} wm_restore_verdict;
typedef struct wm_individualize_progress {
  size_t struct_size;
  wm_result result;
  uint32_t phase;
  uint32_t requests;
  uint32_t http_phase;
  uint64_t bytes;
  uint64_t bytes_total;
} wm_individualize_progress;
#ifdef __cplusplus
extern "C" {
#endif
const char *wm_result_name(wm_result result);
const char *wm_result_message(wm_result result);
const char *wm_status_name(wm_status status);
wm_result wm_set_prop(void *object,
                      const char *name,
                      wm_attr_type type,
                      const void *value,
                      size_t size);
wm_result wm_set_string_prop(void *object, const char *name, const char *value);
wm_result wm_set_bool_prop(void *object, const char *name, bool value);
wm_result wm_set_number_prop(void *object,
                             const char *name,
                             uint64_t value);
wm_result wm_get_prop(void *object,
                      const char *name,
                      wm_attr_type *type_out,
                      void *buf,
                      size_t buf_size,
                      size_t *needed_out);
wm_result wm_get_prop_count(void *object,
                            size_t *count_out);
wm_result wm_get_prop_name(void *object,
                           size_t index,
                           char *buf,
                           size_t buf_size,
                           size_t *needed_out);
wm_result wm_remove_prop(void *object,
                         const char *name);
wm_result wm_remove_all_props(void *object);
wm_result wm_get_error_info(struct wm_error_info *info);
uint32_t wm_version(void);
const char *wm_version_string(void);
uint32_t wm_abi_version(void);
size_t wm_live_objects(void);
wm_result wm_add_ref(void *object);
wm_result wm_release(void *object);
wm_result wm_cancel(void *object);
wm_result wm_wait(void *object,
                  uint32_t timeout_ms,
                  wm_result *operation_result_out);
wm_result wm_create_client(struct wm_client **client_out);
wm_result wm_open_client(struct wm_client *client);
wm_result wm_get_security_version(struct wm_client *client,
                                  char *buf,
                                  size_t buf_size,
                                  size_t *needed_out);
wm_result wm_set_content_title(struct wm_client *client,
                               const uint8_t *kid,
                               const char *title);
wm_result wm_get_content_title(struct wm_client *client,
                               const uint8_t *kid,
                               char *buf,
                               size_t buf_size,
                               size_t *needed_out);
wm_result wm_delete_licenses(struct wm_client *client,
                             const uint8_t *kid,
                             uint32_t flags);
wm_result wm_create_individualizer(struct wm_client *client,
                                   wm_status_callback callback,
                                   void *context,
                                   struct wm_individualizer **out);
wm_result wm_individualize(struct wm_individualizer *individualizer,
                           uint32_t flags);
wm_result wm_create_content_header(const void *data,
                                   size_t size,
                                   struct wm_content_header **out);
wm_result wm_create_content_header_from_file(const char *path,
                                             struct wm_content_header **out);
wm_result wm_is_content_protected(const char *path,
                                  bool *protected_out);
wm_result wm_create_license_request(struct wm_client *client,
                                    wm_status_callback callback,
                                    void *context,
                                    struct wm_license_request **out);
wm_result wm_acquire_license(struct wm_license_request *request,
                             uint32_t flags);
wm_result wm_get_challenge(struct wm_license_request *request,
                           void *buf,
                           size_t buf_size,
                           size_t *needed_out);
wm_result wm_get_license_url(struct wm_license_request *request,
                             char *buf,
                             size_t buf_size,
                             size_t *needed_out);
wm_result wm_process_response(struct wm_license_request *request,
                              const void *data,
                              size_t size);
wm_result wm_monitor_license(struct wm_license_request *request);
wm_result wm_renew_licenses(struct wm_license_request *request,
                            uint32_t flags);
wm_result wm_query_action_allowed(struct wm_client *client,
                                  const uint8_t *kid,
                                  const char *action,
                                  uint32_t *reasons_out);
wm_result wm_query_license_state(struct wm_client *client,
                                 const uint8_t *kid,
                                 const char *action,
                                 struct wm_license_state *state);
wm_result wm_create_license_enumerator(struct wm_client *client, struct wm_license_enumerator **out);
wm_result wm_next_license(struct wm_license_enumerator *enumerator);
wm_result wm_create_decryptor(struct wm_client *client,
                              const uint8_t *kid,
                              const char *action,
                              struct wm_decryptor **out);
wm_result wm_decrypt_sample(struct wm_decryptor *decryptor,
                            const struct wm_sample *sample,
                            void *data,
                            size_t size);
wm_result wm_create_backup_restorer(struct wm_client *client,
                                    wm_status_callback callback,
                                    void *context,
                                    struct wm_backup_restorer **out);
wm_result wm_backup_licenses(struct wm_backup_restorer *restorer,
                             uint32_t flags);
wm_result wm_restore_licenses(struct wm_backup_restorer *restorer,
                              uint32_t flags);
wm_result wm_preview_restore(struct wm_backup_restorer *restorer);
wm_result wm_verify_backup(struct wm_backup_restorer *restorer);
wm_result wm_create_store_keeper(struct wm_client *client,
                                 wm_status_callback callback,
                                 void *context,
                                 struct wm_store_keeper **out);
wm_result wm_check_store(struct wm_store_keeper *keeper,
                         uint32_t flags);
wm_result wm_clean_license_store(struct wm_store_keeper *keeper,
                                 uint32_t flags);
wm_result wm_create_revocation_agent(struct wm_client *client,
                                     wm_status_callback callback,
                                     void *context,
                                     struct wm_revocation_agent **out);
wm_result wm_get_lrb_challenge(struct wm_revocation_agent *agent,
                               const void *machine_id,
                               size_t machine_id_size,
                               void *buf,
                               size_t buf_size,
                               size_t *needed_out);
wm_result wm_process_lrb(struct wm_revocation_agent *agent,
                         const void *lrb,
                         size_t lrb_size,
                         void *ack_buf,
                         size_t ack_size,
                         size_t *needed_out);
wm_result wm_refresh_revocations(struct wm_revocation_agent *agent);
wm_result wm_create_event_queue(struct wm_client *client,
                                struct wm_event_queue **out);
wm_result wm_next_event(struct wm_event_queue *queue,
                        uint32_t timeout_ms,
                        struct wm_event *event);
wm_result wm_event_queue_fd(struct wm_event_queue *queue,
                            int *fd_out);
wm_result wm_set_transport(struct wm_client *client,
                           const struct wm_transport *transport);
wm_result wm_exchange_cancelled(struct wm_exchange *exchange,
                                bool *cancelled_out);
wm_result wm_exchange_set_status(struct wm_exchange *exchange,
                                 uint32_t http_status);
wm_result wm_exchange_add_header(struct wm_exchange *exchange,
                                 const char *name,
                                 const char *value);
wm_result wm_exchange_write(struct wm_exchange *exchange,
                            const void *data,
                            size_t size);
wm_result wm_set_log_callback(struct wm_client *client,
                              wm_log_callback callback,
                              void *context,
                              uint32_t level);
#ifdef __cplusplus
}
#endif
#endif
