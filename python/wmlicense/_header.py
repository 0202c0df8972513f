"""The C side: structs, functions and flags.

Written by generate.py from include/wmlicense.h; do not edit it.
"""

from ctypes import (
    POINTER,
    Structure,
    c_bool,
    c_char,
    c_char_p,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_uint8,
    c_void_p,
)
from typing import Any, Dict, Tuple

VERSION = "0.1.0"
ABI_VERSION = 1

TYPE_DWORD = 0x0
TYPE_STRING = 0x1
TYPE_BINARY = 0x2
TYPE_BOOL = 0x3
TYPE_QWORD = 0x4
INFINITE = 0xFFFFFFFF
INDIVIDUALIZE_FORCE = 0x4
DELETE_LOCAL = 0x1
ACQUIRE_SILENT = 0x1
ACQUIRE_NONSILENT = 0x2
ENSURE_INDIVIDUALIZE = 0x1
BACKUP_OVERWRITE = 0x1
RESTORE_INDIVIDUALIZE = 0x2
CHECK_REPAIR = 0x1
CLEAN_SYNC = 0x1
CLEAN_ASYNC = 0x2
LICENSE_STATE_VAGUE = 0x1
KID_GUID_ORDER = 0x100

PROP_STORE_PATH = "StorePath"
PROP_AUTHORITY = "Authority"
PROP_KEY_PROTECTOR = "KeyProtector"
PROP_SERVICE_URL = "ServiceURL"
PROP_ACCOUNT_TOKEN = "AccountToken"
PROP_APPLICATION_ID = "ApplicationID"
PROP_DEVICE_NAME = "DeviceName"
PROP_SECURITY_LEVEL = "SecurityLevel"
PROP_USER_AGENT = "UserAgent"
PROP_TLS_TRUST = "TlsTrust"
PROP_TLS_CA_PEM = "TlsCaPem"
PROP_PROXY = "Proxy"
PROP_ALLOW_HTTP = "AllowHttp"
PROP_OFFLINE_ONLY = "OfflineOnly"
PROP_DEADLINE_MS = "DeadlineMs"
PROP_RETRY_LIMIT = "RetryLimit"
PROP_DEVICE_ID = "DeviceID"
PROP_INDIVIDUALIZED = "Individualized"
PROP_SECURITY_VERSION = "SecurityVersion"
PROP_CLOCK_VERDICT = "ClockVerdict"
PROP_PENDING_TRANSACTIONS = "PendingTransactions"
PROP_USER_CONSENT = "UserConsent"
PROP_HEADER = "Header"
PROP_KEY_IDS = "KeyIDs"
PROP_ACTIONS = "Actions"
PROP_URL = "URL"
PROP_SCOPE = "Scope"
PROP_EXPIRING_WITHIN = "ExpiringWithin"
PROP_CUSTOM_DATA = "CustomData"
PROP_TRANSACTION_ID = "TransactionID"
PROP_LOOPBACK_REDIRECT = "LoopbackRedirect"
PROP_INTERACTION_CODE = "InteractionCode"
PROP_BACKUP_PATH = "BackupPath"
PROP_RESTORE_PATH = "RestorePath"
PROP_FILTER_KID = "FilterKID"
PROP_FILTER_ACTION = "FilterAction"
PROP_FILTER_ISSUER = "FilterIssuer"
PROP_FILTER_EXPIRING_BEFORE = "FilterExpiringBefore"
PROP_LID = "LID"
PROP_KID = "KID"
PROP_ISSUER = "Issuer"
PROP_ISSUE_DATE = "IssueDate"
PROP_NOT_BEFORE = "NotBefore"
PROP_NOT_AFTER = "NotAfter"
PROP_RENEW_AFTER = "RenewAfter"
PROP_RENEW_URL = "RenewURL"
PROP_COUNTS_LEFT = "CountsLeft"
PROP_BACKUP_ALLOWED = "BackupAllowed"
PROP_TITLE = "Title"
PROP_ROOT_KID = "RootKID"
PROP_CONTENT_ID = "ContentID"
PROP_OUTPUT_PROTECTION = "OutputProtection"
PROP_KIDS = "KIDs"
PROP_LICENSE_URL = "LicenseURL"
PROP_SCHEME = "Scheme"
PROP_SYSTEM = "System"
PROP_NOTES = "Notes"


class wm_error_info(Structure):
    """wm_error_info."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("result", c_int32),
        ("category", c_uint32),
        ("remedy", c_uint32),
        ("retryable", c_uint32),
        ("retry_after_ms", c_uint64),
        ("http_status", c_uint32),
        ("server_code", c_int32),
        ("has_kid", c_uint32),
        ("kid", c_uint8 * 16),
        ("request_id", c_char * 40),
        ("message", c_char * 512),
    ]


class wm_license_state(Structure):
    """wm_license_state."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("category", c_uint32),
        ("count_count", c_uint32),
        ("counts", c_uint32 * 4),
        ("date_count", c_uint32),
        ("dates", c_int64 * 4),
        ("seconds_after_first_use", c_uint64),
        ("vague", c_uint32),
    ]


class wm_subsample(Structure):
    """wm_subsample."""

    _fields_ = [
        ("clear", c_uint32),
        ("encrypted", c_uint32),
    ]


class wm_sample(Structure):
    """wm_sample."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("iv", c_void_p),
        ("iv_size", c_size_t),
        ("subsamples", c_void_p),
        ("subsample_count", c_size_t),
        ("crypt_byte_block", c_uint32),
        ("skip_byte_block", c_uint32),
        ("scheme", c_uint32),
    ]


class wm_event(Structure):
    """wm_event."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("object", c_void_p),
        ("context", c_void_p),
        ("status", c_int32),
        ("result", c_int32),
        ("type", c_int32),
        ("value", c_void_p),
        ("size", c_size_t),
    ]


class wm_progress(Structure):
    """wm_progress."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("done", c_uint64),
        ("total", c_uint64),
    ]


class wm_network_progress(Structure):
    """wm_network_progress."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("http_phase", c_uint32),
        ("attempt", c_uint32),
        ("attempts", c_uint32),
        ("reserved", c_uint32),
        ("bytes", c_uint64),
        ("bytes_total", c_uint64),
        ("next_try_ms", c_uint64),
        ("host", c_char * 256),
    ]


class wm_restore_verdict(Structure):
    """wm_restore_verdict."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("kid", c_uint8 * 16),
        ("devices_used", c_uint32),
        ("devices_limit", c_uint32),
        ("title", c_char * 256),
    ]


class wm_section_closed(Structure):
    """wm_section_closed."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("sections", c_uint32),
        ("reserved", c_uint32),
        ("bytes", c_uint64),
        ("url", c_char * 256),
    ]


class wm_individualize_progress(Structure):
    """wm_individualize_progress."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("result", c_int32),
        ("phase", c_uint32),
        ("requests", c_uint32),
        ("http_phase", c_uint32),
        ("bytes", c_uint64),
        ("bytes_total", c_uint64),
    ]


#: Every function of the header: the type of its answer, the types of its arguments.
FUNCTIONS: Dict[str, Tuple[Any, Tuple[Any, ...]]] = {
    "wm_result_name": (c_char_p, (c_int32,)),
    "wm_result_message": (c_char_p, (c_int32,)),
    "wm_status_name": (c_char_p, (c_int32,)),
    "wm_set_prop": (c_int32, (c_void_p, c_char_p, c_int32, c_void_p, c_size_t)),
    "wm_set_string_prop": (c_int32, (c_void_p, c_char_p, c_char_p)),
    "wm_set_bool_prop": (c_int32, (c_void_p, c_char_p, c_bool)),
    "wm_set_number_prop": (c_int32, (c_void_p, c_char_p, c_uint64)),
    "wm_get_prop": (c_int32, (c_void_p, c_char_p, POINTER(c_int32), c_void_p, c_size_t, POINTER(c_size_t))),
    "wm_get_prop_count": (c_int32, (c_void_p, POINTER(c_size_t))),
    "wm_get_prop_name": (c_int32, (c_void_p, c_size_t, c_void_p, c_size_t, POINTER(c_size_t))),
    "wm_remove_prop": (c_int32, (c_void_p, c_char_p)),
    "wm_remove_all_props": (c_int32, (c_void_p,)),
    "wm_get_error_info": (c_int32, (POINTER(wm_error_info),)),
    "wm_version": (c_uint32, ()),
    "wm_version_string": (c_char_p, ()),
    "wm_abi_version": (c_uint32, ()),
    "wm_live_objects": (c_size_t, ()),
    "wm_add_ref": (c_int32, (c_void_p,)),
    "wm_release": (c_int32, (c_void_p,)),
    "wm_cancel": (c_int32, (c_void_p,)),
    "wm_wait": (c_int32, (c_void_p, c_uint32, POINTER(c_int32))),
    "wm_create_client": (c_int32, (POINTER(c_void_p),)),
    "wm_open_client": (c_int32, (c_void_p,)),
    "wm_get_security_version": (c_int32, (c_void_p, c_void_p, c_size_t, POINTER(c_size_t))),
    "wm_set_content_title": (c_int32, (c_void_p, c_void_p, c_char_p)),
    "wm_get_content_title": (c_int32, (c_void_p, c_void_p, c_void_p, c_size_t, POINTER(c_size_t))),
    "wm_delete_licenses": (c_int32, (c_void_p, c_void_p, c_uint32)),
    "wm_create_individualizer": (c_int32, (c_void_p, c_void_p, c_void_p, POINTER(c_void_p))),
    "wm_individualize": (c_int32, (c_void_p, c_uint32)),
    "wm_create_content_header": (c_int32, (c_void_p, c_size_t, POINTER(c_void_p))),
    "wm_create_content_header_from_file": (c_int32, (c_char_p, POINTER(c_void_p))),
    "wm_is_content_protected": (c_int32, (c_char_p, POINTER(c_bool))),
    "wm_kid_to_text": (c_int32, (c_void_p, c_uint32, c_void_p, c_size_t, POINTER(c_size_t))),
    "wm_kid_from_text": (c_int32, (c_char_p, c_uint32, c_void_p)),
    "wm_create_license_request": (c_int32, (c_void_p, c_void_p, c_void_p, POINTER(c_void_p))),
    "wm_acquire_license": (c_int32, (c_void_p, c_uint32)),
    "wm_get_challenge": (c_int32, (c_void_p, c_void_p, c_size_t, POINTER(c_size_t))),
    "wm_get_license_url": (c_int32, (c_void_p, c_void_p, c_size_t, POINTER(c_size_t))),
    "wm_process_response": (c_int32, (c_void_p, c_void_p, c_size_t)),
    "wm_monitor_license": (c_int32, (c_void_p,)),
    "wm_abandon_acquisition": (c_int32, (c_void_p,)),
    "wm_renew_licenses": (c_int32, (c_void_p, c_uint32)),
    "wm_query_action_allowed": (c_int32, (c_void_p, c_void_p, c_char_p, POINTER(c_uint32))),
    "wm_query_license_state": (c_int32, (c_void_p, c_void_p, c_char_p, POINTER(wm_license_state))),
    "wm_ensure_license": (c_int32, (c_void_p, c_void_p, c_char_p, c_uint32, c_uint32)),
    "wm_create_license_enumerator": (c_int32, (c_void_p, POINTER(c_void_p))),
    "wm_next_license": (c_int32, (c_void_p,)),
    "wm_create_decryptor": (c_int32, (c_void_p, c_void_p, c_char_p, POINTER(c_void_p))),
    "wm_decrypt_sample": (c_int32, (c_void_p, POINTER(wm_sample), c_void_p, c_size_t)),
    "wm_create_backup_restorer": (c_int32, (c_void_p, c_void_p, c_void_p, POINTER(c_void_p))),
    "wm_backup_licenses": (c_int32, (c_void_p, c_uint32)),
    "wm_restore_licenses": (c_int32, (c_void_p, c_uint32)),
    "wm_preview_restore": (c_int32, (c_void_p,)),
    "wm_verify_backup": (c_int32, (c_void_p,)),
    "wm_create_store_keeper": (c_int32, (c_void_p, c_void_p, c_void_p, POINTER(c_void_p))),
    "wm_check_store": (c_int32, (c_void_p, c_uint32)),
    "wm_clean_license_store": (c_int32, (c_void_p, c_uint32)),
    "wm_create_revocation_agent": (c_int32, (c_void_p, c_void_p, c_void_p, POINTER(c_void_p))),
    "wm_get_lrb_challenge": (c_int32, (c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, POINTER(c_size_t))),
    "wm_process_lrb": (c_int32, (c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, POINTER(c_size_t))),
    "wm_refresh_revocations": (c_int32, (c_void_p,)),
    "wm_create_event_queue": (c_int32, (c_void_p, POINTER(c_void_p))),
    "wm_next_event": (c_int32, (c_void_p, c_uint32, POINTER(wm_event))),
    "wm_event_queue_fd": (c_int32, (c_void_p, POINTER(c_int))),
    "wm_set_transport": (c_int32, (c_void_p, c_void_p)),
    "wm_exchange_cancelled": (c_int32, (c_void_p, POINTER(c_bool))),
    "wm_exchange_set_status": (c_int32, (c_void_p, c_uint32)),
    "wm_exchange_add_header": (c_int32, (c_void_p, c_char_p, c_char_p)),
    "wm_exchange_write": (c_int32, (c_void_p, c_void_p, c_size_t)),
    "wm_set_log_callback": (c_int32, (c_void_p, c_void_p, c_void_p, c_uint32)),
}
