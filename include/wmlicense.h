/**
 * @mainpage wmlicense.h: license individualization, acquisition, use, backup and restore for media players
 *
 * One shape for everything: create an object, set its properties, call a verb that runs in the background, watch its
 * status callback (or wait), release the object.
 *
 * @code{.c}
 * wm_client *client = NULL;
 * wm_backup_restorer *restorer = NULL;
 * wm_create_client(&client);
 * wm_set_string_prop(client, WM_PROP_STORE_PATH, "/home/u/.local/share/app");
 * wm_set_string_prop(client, WM_PROP_AUTHORITY, authority);
 * wm_open_client(client);
 * wm_create_backup_restorer(client, on_status, app, &restorer);
 * wm_set_string_prop(restorer, WM_PROP_BACKUP_PATH, "/media/usb/licenses");
 * wm_backup_licenses(restorer, WM_BACKUP_OVERWRITE);   // returns at once
 * wm_wait(restorer, WM_INFINITE, &result);             // or keep running the user interface
 * wm_release(restorer);
 * wm_release(client);
 * @endcode
 *
 * @section contract_ownership OWNERSHIP
 * Objects are opaque. wm_add_ref and wm_release work on all of them; wm_release(NULL) is allowed. A handle is a token
 * that the library looks up, never an address that it follows: a stale, wild, twice released or otherwise wrong handle
 * is answered with WM_E_INVALID_HANDLE, always. Only the application's references keep a handle valid. Objects hold what
 * they need within, so the order of releases is free. wm_live_objects counts valid handles and objects whose release is
 * still finishing: 0 at the end. What is passed in is copied before a function returns; a context is passed back
 * untouched and never freed.
 *
 * @section contract_threads THREADS
 * Every function may be called from any thread with 256 KiB of stack. Background verbs return at once and run on a thread
 * of the library: wm_individualize, wm_acquire_license, wm_monitor_license, wm_renew_licenses, wm_backup_licenses,
 * wm_restore_licenses, wm_preview_restore, wm_verify_backup, wm_check_store, wm_clean_license_store (which can be told to
 * wait) and wm_refresh_revocations. All other functions are done when they return; of those wm_ensure_license alone waits
 * for a service. One operation at a time per object, any number of objects. Background verbs fail at the call only for a
 * bad handle or argument, a forked process, a busy object, a client that is not open, a required property that is unset,
 * a backup that exists, and no room for an operation; then no status is sent. Everything else arrives in the final status,
 * sent exactly once per started verb, except as wm_release says. In a child after fork, every function that returns
 * wm_result answers WM_E_FORKED for ever, except wm_release, which does nothing and answers 0. The library cannot be
 * unloaded; dlclose leaves it in place. It installs no signal handler, changes no environment, and runs no thread while no
 * operation runs.
 *
 * @section contract_text TEXT AND BUFFERS
 * Text is UTF-8 with a NUL at the end; paths are bytes as the system has them. Functions that fill a buffer are called
 * once or twice: with buf NULL and buf_size 0 they answer 0 and tell the size needed, the NUL of a text included; if the
 * buffer is too small they answer WM_E_BUFFER_TOO_SMALL, tell the size, and leave the buffer as it was. Outputs come last
 * and are written only on success, needed_out and type_out in both cases. Structs begin with struct_size, which the
 * caller sets to their sizeof: of an output the part known to both sides is written and the rest zeroed; of an input,
 * missing fields are zero and additional ones must be. Key IDs are 16 bytes in the byte order of the UUID text, and
 * base64 of those bytes in properties and statuses. Times are seconds UTC since 1970.
 *
 * @section contract_errors ERRORS
 * A wm_result is an int32_t with HRESULT meaning: negative is a failure, 0 and positive numbers are successes, some of
 * which carry information. wm_result_name and wm_result_message explain a number. wm_get_error_info tells, per thread,
 * more about the last failure: its kind, what helps, whether to try again, what the service said, and a sentence. Inside
 * a callback it tells about the event; after wm_wait or wm_next_event delivered a failing result, about that operation.
 * No detail, log or message ever holds a secret. A failed operation leaves the store as it was. No input crashes the
 * process.
 *
 * @section contract_callbacks CALLBACKS
 * A status callback is called on a thread of the library, one call at a time per object, with no lock held. Pointers are
 * valid until it returns. Any function may be called from it. A failing answer cancels the operation, 0 goes on. It must
 * not throw or longjmp: a C++ exception ends the process. wm_wait on the object itself is refused in it with
 * WM_E_WOULD_DEADLOCK, and wm_release never waits in it. An application that cannot take callbacks on foreign threads reads
 * the same statuses from a queue: wm_create_event_queue.
 *
 * @section contract_network NETWORK
 * No function but a background verb and wm_ensure_license opens a connection, and none does with WM_PROP_OFFLINE_ONLY. Every
 * request may be sent again, because the service gives equal bytes an equal answer: after a lost connection, 408, 425, 429
 * and 5xx the library does so up to WM_PROP_RETRY_LIMIT times, with a random pause that grows, and at least as long as
 * Retry-After asks (seconds or a date, an hour at most), all within WM_PROP_DEADLINE_MS; a pause that would not fit ends the
 * operation at once. A cancel ends every phase within 100 ms. Plain HTTP is used on loopback addresses only, unless
 * WM_PROP_ALLOW_HTTP says otherwise. At most three redirects are followed, never from https to http, a POST only by 307 and
 * 308, and the account token stays behind. Answers are bounded in length and must have the protocol's type. TLS is 1.3.
 * wm_set_transport puts the application's own HTTP stack in place of the library's.
 */

/**
 * @file wmlicense.h
 * The whole C interface. Generated from src/ by tests/repository/header.rs; do not edit it.
 */

#ifndef WMLICENSE_H
#define WMLICENSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
/** Gives the constants below their type; for this header only. */
#define WM_CONSTANT_(type, number) static_cast<type>(number)
#else
/** Gives the constants below their type; for this header only. */
#define WM_CONSTANT_(type, number) ((type)(number))
#endif

/* Versions. wm_version and wm_abi_version answer those of the library that is loaded. */

/** Version of this header, as wm_version has that of the library. */
#define WM_VERSION (0u << 16 | 1u << 8 | 0u)
/** Binary interface of this header, as wm_abi_version has that of the library. */
#define WM_ABI_VERSION 1u

/* Results. Negative is a failure; a number is never used again for something else. */

/** Done. */
#define WM_S_OK WM_CONSTANT_(wm_result, 0x00000000u)
/** Done; the answer is no. */
#define WM_S_FALSE WM_CONSTANT_(wm_result, 0x00000001u)
/** The license is stored. */
#define WM_S_LICENSE_ACQUIRED WM_CONSTANT_(wm_result, 0x000D2726u)
/** The device is individualized. */
#define WM_S_INDIVIDUALIZED WM_CONSTANT_(wm_result, 0x000D2727u)
/** The acquisition was cancelled; no license is stored. */
#define WM_S_ACQUIRE_CANCELLED WM_CONSTANT_(wm_result, 0x000D2747u)
/** What this device opens of the backup is whole; the rest only its own device or a service can open. */
#define WM_S_BACKUP_CLOSED WM_CONSTANT_(wm_result, 0x000D2A04u)
/** The store was damaged and is repaired. */
#define WM_S_STORE_REPAIRED WM_CONSTANT_(wm_result, 0x000D2A01u)
/** The service has nothing new for this device. */
#define WM_S_NOTHING_NEW WM_CONSTANT_(wm_result, 0x000D2A02u)
/** The device has these licenses already; nothing changed. */
#define WM_S_LICENSE_KNOWN WM_CONSTANT_(wm_result, 0x000D2A07u)
/** The monitor was cancelled; no license is stored. */
#define WM_S_MONITOR_CANCELLED WM_CONSTANT_(wm_result, 0x000D2746u)
/** Some licenses are restored; statuses told why the others are not. */
#define WM_S_RESTORE_PARTIAL WM_CONSTANT_(wm_result, 0x000D2A00u)
/** What came is stored; further pages wait to be fetched with the next challenge. */
#define WM_S_MORE_TO_FETCH WM_CONSTANT_(wm_result, 0x000D2A05u)
/** No stored license is to be renewed. */
#define WM_S_NOTHING_TO_RENEW WM_CONSTANT_(wm_result, 0x000D2A03u)
/** The system has no memory or thread left. */
#define WM_E_OUTOFMEMORY WM_CONSTANT_(wm_result, 0x8007000Eu)
/** The process or the system has no file descriptor left. */
#define WM_E_NO_DESCRIPTORS WM_CONSTANT_(wm_result, 0xC00D2A61u)
/** An argument is NULL or out of range. */
#define WM_E_INVALIDARG WM_CONSTANT_(wm_result, 0x80070057u)
/** There are no more items. */
#define WM_E_NO_MORE_ITEMS WM_CONSTANT_(wm_result, 0x80070103u)
/** The handle was released, is of another type, or never was one. */
#define WM_E_INVALID_HANDLE WM_CONSTANT_(wm_result, 0xC00D2A00u)
/** The process was forked; the library works only in the parent. */
#define WM_E_FORKED WM_CONSTANT_(wm_result, 0xC00D2A01u)
/** The operation is still running. */
#define WM_E_TIMEOUT WM_CONSTANT_(wm_result, 0xC00D2A02u)
/** Waiting inside the object's own callback would never end. */
#define WM_E_WOULD_DEADLOCK WM_CONSTANT_(wm_result, 0xC00D2A03u)
/** No operation was started on this object. */
#define WM_E_NO_OPERATION WM_CONSTANT_(wm_result, 0xC00D2A04u)
/** The client is not open. */
#define WM_E_NOT_OPEN WM_CONSTANT_(wm_result, 0xC00D2A05u)
/** It is open already, and what is fixed at opening stays as it is. */
#define WM_E_ALREADY_OPEN WM_CONSTANT_(wm_result, 0xC00D2A06u)
/** The property has another type. */
#define WM_E_WRONG_TYPE WM_CONSTANT_(wm_result, 0xC00D2A07u)
/** The value or its size is not acceptable. */
#define WM_E_BAD_VALUE WM_CONSTANT_(wm_result, 0xC00D2A08u)
/** The library made a mistake. */
#define WM_E_INTERNAL WM_CONSTANT_(wm_result, 0xC00D2A09u)
/** A required property is not set. */
#define WM_E_INVALID_PROPERTY WM_CONSTANT_(wm_result, 0xC00D2749u)
/** The buffer is too small. */
#define WM_E_BUFFER_TOO_SMALL WM_CONSTANT_(wm_result, 0xC00D275Cu)
/** The object has no such property, or it has no value. */
#define WM_E_UNSUPPORTED_PROPERTY WM_CONSTANT_(wm_result, 0xC00D275Du)
/** An operation is running on this object, or another process holds the store. */
#define WM_E_BUSY WM_CONSTANT_(wm_result, 0xC00D2841u)
/** A backup or restore is running on this object. */
#define WM_E_BACKUPRESTORE_BUSY WM_CONSTANT_(wm_result, 0xC00D2744u)
/** An acquisition is running on this object. */
#define WM_E_ACQUIRING_LICENSE WM_CONSTANT_(wm_result, 0xC00D272Bu)
/** An individualization is running on this object. */
#define WM_E_INDIVIDUALIZING WM_CONSTANT_(wm_result, 0xC00D272Cu)
/** The operation was cancelled; nothing changed. */
#define WM_E_OPERATION_CANCELED WM_CONSTANT_(wm_result, 0xC00D2768u)
/** The individualization service cannot be reached. */
#define WM_E_INDIV_SERVICE_UNAVAILABLE WM_CONSTANT_(wm_result, 0xC00D2845u)
/** The license management service cannot be reached. */
#define WM_E_RESTORE_SERVICE_UNAVAILABLE WM_CONSTANT_(wm_result, 0xC00D2846u)
/** The license service cannot be reached. */
#define WM_E_UNABLE_TO_ACQUIRE_LICENSE WM_CONSTANT_(wm_result, 0xC00D271Eu)
/** Nothing was ever heard from the service; it has to be asked over the network once before. */
#define WM_E_SERVICE_UNKNOWN WM_CONSTANT_(wm_result, 0xC00D2A59u)
/** The service is failing or overloaded. */
#define WM_E_SERVICE_FAILING WM_CONSTANT_(wm_result, 0xC00D2A22u)
/** The operation's deadline passed. */
#define WM_E_DEADLINE WM_CONSTANT_(wm_result, 0xC00D2A23u)
/** The server's TLS certificate is not trusted or not valid. */
#define WM_E_SERVER_CERTIFICATE WM_CONSTANT_(wm_result, 0xC00D2A24u)
/** The service belongs to an authority that this client does not trust. */
#define WM_E_AUTHORITY_NOT_TRUSTED WM_CONSTANT_(wm_result, 0xC00D2A25u)
/** The service refused the request. */
#define WM_E_SERVICE_REFUSED WM_CONSTANT_(wm_result, 0xC00D2A26u)
/** The service's answer cannot be verified. */
#define WM_E_BAD_ANSWER WM_CONSTANT_(wm_result, 0xC00D2A27u)
/** The answer was changed after the service signed it. */
#define WM_E_SIGNATURE_FAILURE WM_CONSTANT_(wm_result, 0xC00D283Fu)
/** The answer is signed by another service than the one asked. */
#define WM_E_ANSWER_SIGNER WM_CONSTANT_(wm_result, 0xC00D2A4Cu)
/** The service's certificate does not hold at the time of its answer. */
#define WM_E_LICENSE_CERT_EXPIRED WM_CONSTANT_(wm_result, 0xC00D27DFu)
/** The answer belongs to another request. */
#define WM_E_ANSWER_REPLAYED WM_CONSTANT_(wm_result, 0xC00D2A45u)
/** The answer or a license in it is for another device. */
#define WM_E_INVALID_MACHINE WM_CONSTANT_(wm_result, 0xC00D2719u)
/** What comes with the answer is not what the service signed. */
#define WM_E_ANSWER_MANIFEST WM_CONSTANT_(wm_result, 0xC00D2A46u)
/** A license in the answer is one that this service may not issue. */
#define WM_E_LICENSE_ISSUER WM_CONSTANT_(wm_result, 0xC00D2A47u)
/** The answer holds the same license twice. */
#define WM_E_LICENSE_TWICE WM_CONSTANT_(wm_result, 0xC00D2A48u)
/** A license that is stored came with other terms. */
#define WM_E_LICENSE_TERMS WM_CONSTANT_(wm_result, 0xC00D2A4Eu)
/** The licenses were given more than 30 days ago. */
#define WM_E_LICENSE_TOO_OLD WM_CONSTANT_(wm_result, 0xC00D2A6Cu)
/** The licenses were removed from this device for good. */
#define WM_E_LICENSE_REMOVED WM_CONSTANT_(wm_result, 0xC00D2A6Du)
/** The licenses are of an issuer that this client does not trust. */
#define WM_E_ISSUER_NOT_TRUSTED WM_CONSTANT_(wm_result, 0xC00D2A6Eu)
/** The answer holds a license that was not asked for. */
#define WM_E_LICENSE_UNASKED WM_CONSTANT_(wm_result, 0xC00D2A49u)
/** The service announces pages that nobody asked for, or without end. */
#define WM_E_ENDLESS_ANSWER WM_CONSTANT_(wm_result, 0xC00D2A4Au)
/** The certificate in the answer is not the one that this device asked for. */
#define WM_E_INVALID_CERTIFICATE WM_CONSTANT_(wm_result, 0xC00D28A0u)
/** The answer is dated more than a day ahead of the time that services told before. */
#define WM_E_SERVICE_CLOCK WM_CONSTANT_(wm_result, 0xC00D2A4Bu)
/** The URL is malformed, or plain HTTP is not allowed. */
#define WM_E_URL_NOT_ALLOWED WM_CONSTANT_(wm_result, 0xC00D2A28u)
/** Something that is not the license service answered. */
#define WM_E_ERROR_BAD_NET_RESP WM_CONSTANT_(wm_result, 0xC00D275Eu)
/** The connection to the service broke or fell silent. */
#define WM_E_CONNECTION_LOST WM_CONSTANT_(wm_result, 0xC00D2A33u)
/** The proxy cannot be used, cannot be reached, or refuses. */
#define WM_E_PROXY WM_CONSTANT_(wm_result, 0xC00D2A34u)
/** The network wants a login on its own page first. */
#define WM_E_CAPTIVE_PORTAL WM_CONSTANT_(wm_result, 0xC00D2A35u)
/** The service leads to a place that may not be asked, such as plain HTTP. */
#define WM_E_REDIRECT_REFUSED WM_CONSTANT_(wm_result, 0xC00D2A36u)
/** The answer is longer than allowed. */
#define WM_E_ANSWER_TOO_LARGE WM_CONSTANT_(wm_result, 0xC00D2A37u)
/** By this device's clock the server's TLS certificate has ended or not begun. */
#define WM_E_SERVER_CERTIFICATE_DATE WM_CONSTANT_(wm_result, 0xC00D2A38u)
/** The client is set to work offline. */
#define WM_E_POLICY_DISABLE_ONLINE WM_CONSTANT_(wm_result, 0xC00D2762u)
/** The account may not have the license until the user acts. */
#define WM_E_NO_RIGHTS WM_CONSTANT_(wm_result, 0xC00D2720u)
/** The user declined, or did not decide in time. */
#define WM_E_LICENSE_NOTACQUIRED WM_CONSTANT_(wm_result, 0xC00D2759u)
/** The service has no such content. */
#define WM_E_LICENSE_UNAVAILABLE WM_CONSTANT_(wm_result, 0xC00D28A2u)
/** As many devices as allowed hold the licenses. */
#define WM_E_RESTORE_FRAUD WM_CONSTANT_(wm_result, 0xC00D2753u)
/** The license was revoked. */
#define WM_E_LICENSE_CONTENT_REVOKED WM_CONSTANT_(wm_result, 0xC00D27E1u)
/** The license has ended. */
#define WM_E_LICENSE_EXPIRED WM_CONSTANT_(wm_result, 0xC00D27D8u)
/** The license belongs to another account. */
#define WM_E_OTHER_ACCOUNT WM_CONSTANT_(wm_result, 0xC00D2A29u)
/** The license's policy does not allow this. */
#define WM_E_NOT_ALLOWED WM_CONSTANT_(wm_result, 0xC00D2A2Au)
/** The account may not have the license. */
#define WM_E_NOT_ENTITLED WM_CONSTANT_(wm_result, 0xC00D2A4Du)
/** The license was given back to the service. */
#define WM_E_LICENSE_RETURNED WM_CONSTANT_(wm_result, 0xC00D2A44u)
/** The service does not manage licenses of this issuer. */
#define WM_E_UNKNOWN_ISSUER WM_CONSTANT_(wm_result, 0xC00D2A2Bu)
/** The challenge was answered without the account that is set: send its token along, as Authorization: Bearer. */
#define WM_E_ACCOUNT_NOT_PRESENTED WM_CONSTANT_(wm_result, 0xC00D2A58u)
/** The service needs a valid account token. */
#define WM_E_ACCOUNT_REQUIRED WM_CONSTANT_(wm_result, 0xC00D2A2Cu)
/** The device's certificate was revoked. */
#define WM_E_CERTIFICATE_REVOKED WM_CONSTANT_(wm_result, 0xC00D28A1u)
/** Too many copies of the device's store asked the service; what counts is refused until the device is individualized anew. */
#define WM_E_DEVICE_COPIED WM_CONSTANT_(wm_result, 0xC00D2A4Fu)
/** The device has other keys by now; these are the keys of an old copy. */
#define WM_E_KEY_REPLACED WM_CONSTANT_(wm_result, 0xC00D2A53u)
/** The device lost the license and got it again as often as a year allows. */
#define WM_E_GRANTED_TOO_OFTEN WM_CONSTANT_(wm_result, 0xC00D2A54u)
/** The day's quota of individualizations is used up. */
#define WM_E_INDIV_FRAUD WM_CONSTANT_(wm_result, 0xC00D2843u)
/** The license is damaged. */
#define WM_E_INVALID_LICENSE WM_CONSTANT_(wm_result, 0xC00D2718u)
/** The service's license cannot be verified. */
#define WM_E_INVALID_LICENSE_ACQUIRED WM_CONSTANT_(wm_result, 0xC00D271Fu)
/** The content header names no key ID. */
#define WM_E_INVALID_LICENSE_REQUEST WM_CONSTANT_(wm_result, 0xC00D271Cu)
/** There is no such pending transaction. */
#define WM_E_NO_TRANSACTION WM_CONSTANT_(wm_result, 0xC00D2A2Fu)
/** The device must be individualized first. */
#define WM_E_NEEDS_INDIVIDUALIZATION WM_CONSTANT_(wm_result, 0xC00D2728u)
/** There is no license for this content. */
#define WM_E_LICENSE_REQUIRED WM_CONSTANT_(wm_result, 0xC00D0BBEu)
/** The license has expired. */
#define WM_E_LICENSE_OUTOFDATE WM_CONSTANT_(wm_result, 0xC00D0BC0u)
/** The license does not grant this action. */
#define WM_E_LICENSE_INCORRECT_RIGHTS WM_CONSTANT_(wm_result, 0xC00D0BC1u)
/** The license has a condition that this version does not know. */
#define WM_E_NEED_UPGRADE_PD WM_CONSTANT_(wm_result, 0xC00D283Eu)
/** The license is not yet valid. */
#define WM_E_LICENSE_NOTENABLED WM_CONSTANT_(wm_result, 0xC00D27D9u)
/** The application's security level is too low. */
#define WM_E_LICENSE_APPSECLOW WM_CONSTANT_(wm_result, 0xC00D27DAu)
/** The license lost its state and cannot be used. */
#define WM_E_LICENSE_UNUSABLE WM_CONSTANT_(wm_result, 0xC00D2748u)
/** The root license of the subscription is missing. */
#define WM_E_NO_UPLINK_LICENSE WM_CONSTANT_(wm_result, 0xC00D2848u)
/** The subscription has ended. */
#define WM_E_SUBSCRIPTION_ENDED WM_CONSTANT_(wm_result, 0xC00D2A3Au)
/** The license demands a newer status list. */
#define WM_E_RIV_TOO_SMALL WM_CONSTANT_(wm_result, 0xC00D28B7u)
/** The key that signed the license was revoked. */
#define WM_E_ISSUER_REVOKED WM_CONSTANT_(wm_result, 0xC00D2A3Bu)
/** Not a revocation or status list: truncated or malformed. */
#define WM_E_INVALID_CRL WM_CONSTANT_(wm_result, 0xC00D28B1u)
/** A signature of the revocation or status list does not verify. */
#define WM_E_REVOCATION_NOT_SIGNED WM_CONSTANT_(wm_result, 0xC00D2A3Cu)
/** No license and no trusted service names the key that signed the revocation. */
#define WM_E_REVOCATION_UNKNOWN_KEY WM_CONSTANT_(wm_result, 0xC00D2A3Du)
/** A newer revocation is kept already. */
#define WM_E_REVOCATION_OLDER WM_CONSTANT_(wm_result, 0xC00D2A3Eu)
/** The revocation is for another device. */
#define WM_E_REVOCATION_OTHER_DEVICE WM_CONSTANT_(wm_result, 0xC00D2A3Fu)
/** Another revocation of the same number is kept already. */
#define WM_E_REVOCATION_CONFLICT WM_CONSTANT_(wm_result, 0xC00D2A40u)
/** The revocation is more than a day ahead of this device's clock. */
#define WM_E_REVOCATION_AHEAD WM_CONSTANT_(wm_result, 0xC00D2A41u)
/** The revocation or machine ID is longer than it may be. */
#define WM_E_REVOCATION_TOO_LONG WM_CONSTANT_(wm_result, 0xC00D2A42u)
/** The revocation agent is refreshing already. */
#define WM_E_REFRESHING_REVOCATIONS WM_CONSTANT_(wm_result, 0xC00D2A43u)
/** The issuer of revocations cannot be reached. */
#define WM_E_REVOCATION_SERVICE_UNAVAILABLE WM_CONSTANT_(wm_result, 0xC00D2A68u)
/** The application was revoked. */
#define WM_E_APPCERT_REVOKED WM_CONSTANT_(wm_result, 0xC00D2752u)
/** All uses of the license are used up. */
#define WM_E_USED_UP WM_CONSTANT_(wm_result, 0xC00D2A10u)
/** The clock cannot be trusted, and the license has dates. */
#define WM_E_CLOCK WM_CONSTANT_(wm_result, 0xC00D2A11u)
/** A backup exists at this place already. */
#define WM_E_BACKUP_EXISTS WM_CONSTANT_(wm_result, 0xC00D2742u)
/** The backup is truncated, changed, or not a backup. */
#define WM_E_BACKUP_CORRUPT WM_CONSTANT_(wm_result, 0xC00D2743u)
/** The service cannot read what the backup holds for it. */
#define WM_E_BACKUP_RESTORE_BAD_DATA WM_CONSTANT_(wm_result, 0xC00D2745u)
/** The connection to the license management service broke again and again. */
#define WM_E_BACKUP_RESTORE_TOO_MANY_RESETS WM_CONSTANT_(wm_result, 0xC00D2766u)
/** There is no backup at this place. */
#define WM_E_BACKUP_NOT_FOUND WM_CONSTANT_(wm_result, 0xC00D2A20u)
/** The file or folder cannot be used. */
#define WM_E_PATH_UNUSABLE WM_CONSTANT_(wm_result, 0xC00D2A21u)
/** The file or folder does not exist. */
#define WM_E_PATH_NOT_FOUND WM_CONSTANT_(wm_result, 0xC00D2A30u)
/** The place may not be written. */
#define WM_E_PATH_READ_ONLY WM_CONSTANT_(wm_result, 0xC00D2A50u)
/** Something that is not a file has the backup's name. */
#define WM_E_PATH_OCCUPIED WM_CONSTANT_(wm_result, 0xC00D2A51u)
/** The medium failed, or was taken out. */
#define WM_E_MEDIUM_FAILED WM_CONSTANT_(wm_result, 0xC00D2A52u)
/** No space is left at the place. */
#define WM_E_DISK_FULL WM_CONSTANT_(wm_result, 0xC00D2A2Eu)
/** The backup was written by a later version. */
#define WM_E_BACKUP_TOO_NEW WM_CONSTANT_(wm_result, 0xC00D2A31u)
/** No service can restore this backup on another device. */
#define WM_E_NOT_RESTORABLE WM_CONSTANT_(wm_result, 0xC00D2A32u)
/** The license store could not be read or written. */
#define WM_E_LICENSE_STORE_ERROR WM_CONSTANT_(wm_result, 0xC00D2712u)
/** The license store cannot be opened. */
#define WM_E_UNABLE_TO_OPEN_DATA_STORE WM_CONSTANT_(wm_result, 0xC00D2782u)
/** The license store may not be written; what needs no write still works. */
#define WM_E_STORE_READ_ONLY WM_CONSTANT_(wm_result, 0xC00D2A60u)
/** The license store is damaged, or not a license store. */
#define WM_E_DATASTORE_CORRUPT WM_CONSTANT_(wm_result, 0xC00D2783u)
/** The license store was written by a later version. */
#define WM_E_STORE_TOO_NEW WM_CONSTANT_(wm_result, 0xC00D2A2Du)
/** The key file belongs to another license store. */
#define WM_E_HDS_KEY_MISMATCH WM_CONSTANT_(wm_result, 0xC00D2799u)
/** The license store was changed from outside the library. */
#define WM_E_CHECKPOINT_FAILED WM_CONSTANT_(wm_result, 0xC00D277Fu)
/** The device key file is damaged. */
#define WM_E_SECURE_STORE_ERROR WM_CONSTANT_(wm_result, 0xC00D2713u)
/** The device key file is missing. */
#define WM_E_SECURE_STORE_NOT_FOUND WM_CONSTANT_(wm_result, 0xC00D274Au)
/** The device's keys cannot be read, made or used. */
#define WM_E_SECURE_STORE_UNLOCK_ERROR WM_CONSTANT_(wm_result, 0xC00D2715u)
/** The content header is malformed or of an unknown kind. */
#define WM_E_MALFORMED_CONTENT_HEADER WM_CONSTANT_(wm_result, 0xC00D279Cu)
/** The content header has a version that is not known. */
#define WM_E_CONTENT_HEADER_TOO_NEW WM_CONSTANT_(wm_result, 0xC00D2A39u)
/** The protection scheme is not supported. */
#define WM_E_UNSUPPORTED_ALGORITHM WM_CONSTANT_(wm_result, 0xC00D284Du)
/** The sample's description contradicts itself or its data. */
#define WM_E_INVALID_DATA WM_CONSTANT_(wm_result, 0xC00D2761u)
/** Whether the final result of an acquisition means that a license is stored. */
#define WM_LICENSE_STORED(result) ((result) == WM_S_LICENSE_ACQUIRED)

/* Kinds of failures, in wm_error_info::category. */

/** No failure. */
#define WM_CATEGORY_NONE 0u
/** The call was wrong: a mistake of the application. */
#define WM_CATEGORY_CALL 1u
/** The object cannot do this at present. */
#define WM_CATEGORY_STATE 2u
/** The network, or what answered in place of the service. */
#define WM_CATEGORY_NETWORK 3u
/** The service failed or refused the request as such. */
#define WM_CATEGORY_SERVICE 4u
/** Somebody's signature or certificate does not hold. */
#define WM_CATEGORY_TRUST 5u
/** The service decided against it. */
#define WM_CATEGORY_REFUSED 6u
/** A stored license does not permit it. */
#define WM_CATEGORY_RIGHTS 7u
/** Files and folders. */
#define WM_CATEGORY_STORAGE 8u
/** The media file or sample. */
#define WM_CATEGORY_CONTENT 9u
/** The application cancelled. */
#define WM_CATEGORY_CANCELLED 10u
/** The library or the system failed. */
#define WM_CATEGORY_INTERNAL 11u

/* What helps against a failure, in wm_error_info::remedy. */

/** Nothing known. */
#define WM_REMEDY_NONE 0u
/** The same again, after retry_after_ms if that is not 0. */
#define WM_REMEDY_RETRY 1u
/** A network connection. */
#define WM_REMEDY_GO_ONLINE 2u
/** Setting the clock. */
#define WM_REMEDY_SET_CLOCK 3u
/** Individualizing the device. */
#define WM_REMEDY_INDIVIDUALIZE 4u
/** Acquiring the license again. */
#define WM_REMEDY_REACQUIRE 5u
/** The content's owner. */
#define WM_REMEDY_CONTACT_ISSUER 6u
/** Giving up the licenses on another device. */
#define WM_REMEDY_FREE_DEVICE 7u
/** Another file or folder. */
#define WM_REMEDY_CHOOSE_PLACE 8u
/** Space on the disk. */
#define WM_REMEDY_FREE_SPACE 9u
/** Signing in, with the right account. */
#define WM_REMEDY_SIGN_IN 10u
/** The page whose URL came with the status. */
#define WM_REMEDY_OPEN_URL 11u
/** A newer version of the application. */
#define WM_REMEDY_UPDATE 12u
/** Restoring a backup. */
#define WM_REMEDY_RESTORE_BACKUP 13u
/** A correction in the application's code. */
#define WM_REMEDY_FIX_CALL 14u
/** Signing in to the network, on the page that any web address shows in a browser. */
#define WM_REMEDY_NETWORK_SIGN_IN 15u
/** Another proxy, or none. */
#define WM_REMEDY_CHECK_PROXY 16u
/** Individualizing the device anew, with WM_INDIVIDUALIZE_FORCE. */
#define WM_REMEDY_INDIVIDUALIZE_ANEW 17u
/** More time or uses from the content's owner: a renewal, or buying it again. Asking for the same license changes nothing. */
#define WM_REMEDY_RENEW 18u

/* Statuses, told to the callback. Values are described by type and struct. */

/** Licenses are being written or read from here on. */
#define WM_STATUS_BACKUPRESTORE_BEGIN WM_CONSTANT_(wm_status, 21u)
/** Final status of an acquisition; STRING, a URL, where the user must act. */
#define WM_STATUS_ACQUIRE_LICENSE WM_CONSTANT_(wm_status, 23u)
/** Progress and end of an individualization, also of one within another operation; BINARY, wm_individualize_progress. */
#define WM_STATUS_INDIVIDUALIZE WM_CONSTANT_(wm_status, 24u)
/** The device must be individualized first. */
#define WM_STATUS_NEEDS_INDIVIDUALIZATION WM_CONSTANT_(wm_status, 25u)
/** Final status of a backup or restore. */
#define WM_STATUS_BACKUPRESTORE_END WM_CONSTANT_(wm_status, 27u)
/** The license management service is being asked. */
#define WM_STATUS_BACKUPRESTORE_CONNECTING WM_CONSTANT_(wm_status, 28u)
/** The license management service has answered everything. */
#define WM_STATUS_BACKUPRESTORE_DISCONNECTING WM_CONSTANT_(wm_status, 29u)
/** Something is refused, the result says why: as many devices as allowed hold it, where that is among the reasons; STRING, the URL of a page that helps. */
#define WM_STATUS_ERROR_WITHURL WM_CONSTANT_(wm_status, 30u)
/** A license may not be backed up; STRING, its key ID in base64. */
#define WM_STATUS_RESTRICTED_LICENSE WM_CONSTANT_(wm_status, 31u)
/** How far the operation is; BINARY, wm_progress. At most every 100 ms, and the last one always. */
#define WM_STATUS_PROGRESS WM_CONSTANT_(wm_status, 0x1000u)
/** A license is left out, the result says why; STRING, its key ID in base64. */
#define WM_STATUS_LICENSE_REFUSED WM_CONSTANT_(wm_status, 0x1001u)
/** What a restore would do with a license, 0 or why it would be left out; BINARY, wm_restore_verdict. */
#define WM_STATUS_RESTORE_VERDICT WM_CONSTANT_(wm_status, 0x1002u)
/** Final status of a check of the store. */
#define WM_STATUS_STORE_CHECKED WM_CONSTANT_(wm_status, 0x1003u)
/** Final status of a cleaning of the store. */
#define WM_STATUS_STORE_CLEANED WM_CONSTANT_(wm_status, 0x1004u)
/** A check found a license that cannot be used, the result says why; STRING, its key ID in base64. */
#define WM_STATUS_DAMAGED_LICENSE WM_CONSTANT_(wm_status, 0x1005u)
/** The owner wants a stored license to be renewed by now; STRING, its key ID in base64. */
#define WM_STATUS_RENEWAL_DUE WM_CONSTANT_(wm_status, 0x1006u)
/** Final status of a refresh of revocations. */
#define WM_STATUS_REVOCATIONS_REFRESHED WM_CONSTANT_(wm_status, 0x1007u)
/** How far a request to a service is, of every verb that asks one; BINARY, wm_network_progress. At every change of phase, attempt or host, else at most every 100 ms. */
#define WM_STATUS_NETWORK WM_CONSTANT_(wm_status, 0x1008u)
/** Sections of a backup stay closed, the result says why; BINARY, wm_section_closed. Once for each reason. */
#define WM_STATUS_SECTION_CLOSED WM_CONSTANT_(wm_status, 0x1009u)
/** An answer was decided for nobody although an account is set: its token did not travel with the challenge, and what only the account may have is missing. The result is WM_E_ACCOUNT_NOT_PRESENTED. */
#define WM_STATUS_ACCOUNT_NOT_PRESENTED WM_CONSTANT_(wm_status, 0x100Bu)

/* Phases, in wm_individualize_progress::phase and http_phase. */

/** The device's keys are being made. */
#define WM_INDIVIDUALIZE_BEGIN 0x1u
/** Over: the device has its certificate. */
#define WM_INDIVIDUALIZE_SUCCEED 0x2u
/** Over: the result says why not. */
#define WM_INDIVIDUALIZE_FAIL 0x4u
/** Over: it was cancelled. */
#define WM_INDIVIDUALIZE_CANCEL 0x8u
/** The service is being asked. */
#define WM_INDIVIDUALIZE_DOWNLOAD 0x10u
/** The certificate is being stored. */
#define WM_INDIVIDUALIZE_INSTALL 0x20u
/** No request yet, or the next attempt is waited for. */
#define WM_HTTP_NOTINITIATED 0x0u
/** Connecting. */
#define WM_HTTP_CONNECTING 0x1u
/** Sending the request and waiting. */
#define WM_HTTP_REQUESTING 0x2u
/** Receiving the answer. */
#define WM_HTTP_RECEIVING 0x3u
/** Received. */
#define WM_HTTP_COMPLETED 0x4u

/* Types of properties and of values of statuses. */

/** uint32_t. */
#define WM_TYPE_DWORD WM_CONSTANT_(wm_attr_type, 0u)
/** Text with its NUL. */
#define WM_TYPE_STRING WM_CONSTANT_(wm_attr_type, 1u)
/** Bytes. */
#define WM_TYPE_BINARY WM_CONSTANT_(wm_attr_type, 2u)
/** int32_t, 0 or 1. */
#define WM_TYPE_BOOL WM_CONSTANT_(wm_attr_type, 3u)
/** uint64_t. */
#define WM_TYPE_QWORD WM_CONSTANT_(wm_attr_type, 4u)

/* Flags of the functions named. */

/** wm_wait: no timeout. */
#define WM_INFINITE 0xFFFFFFFFu
/** wm_individualize: new keys for the device even if the certificate is current. */
#define WM_INDIVIDUALIZE_FORCE 0x4u
/** wm_delete_licenses: from this device only. */
#define WM_DELETE_LOCAL 0x1u
/** wm_acquire_license: without the user. */
#define WM_ACQUIRE_SILENT 0x1u
/** wm_acquire_license: the user can be sent to a page. */
#define WM_ACQUIRE_NONSILENT 0x2u
/** wm_ensure_license: individualize first where it is needed; the user agreed. */
#define WM_ENSURE_INDIVIDUALIZE 0x1u
/** wm_backup_licenses: replace an existing backup. */
#define WM_BACKUP_OVERWRITE 0x1u
/** wm_restore_licenses: individualize first where it is needed; the user agreed. */
#define WM_RESTORE_INDIVIDUALIZE 0x2u
/** wm_check_store: take damaged licenses out of use, leave the others alone. */
#define WM_CHECK_REPAIR 0x1u
/** wm_clean_license_store: return when it is over. */
#define WM_CLEAN_SYNC 0x1u
/** wm_clean_license_store: return at once. */
#define WM_CLEAN_ASYNC 0x2u
/** wm_license_state::vague: further licenses apply. */
#define WM_LICENSE_STATE_VAGUE 0x1u
/** wm_kid_to_text: 24 characters, as in properties and statuses. */
#define WM_KID_BASE64 0x1u
/** wm_kid_to_text: 32 digits. */
#define WM_KID_HEX 0x2u
/** wm_kid_to_text: 36 characters, five groups with hyphens between. */
#define WM_KID_UUID 0x3u
/** Added to a form: the text is in the order of a GUID in the memory of Windows, as Windows Media catalogues have it. */
#define WM_KID_GUID_ORDER 0x100u
/** wm_sample::scheme: AES-CTR. */
#define WM_SCHEME_CENC 0x63656E63u
/** wm_sample::scheme: AES-CTR with a pattern. */
#define WM_SCHEME_CENS 0x63656E73u
/** wm_sample::scheme: AES-CBC. */
#define WM_SCHEME_CBC1 0x63626331u
/** wm_sample::scheme: AES-CBC with a pattern. */
#define WM_SCHEME_CBCS 0x63626373u

/* Levels of wm_set_log_callback. */

/** An operation failed. */
#define WM_LOG_ERROR 0x1u
/** Something went wrong that is tried again or that an error follows. */
#define WM_LOG_WARN 0x2u
/** Operations begin and end. */
#define WM_LOG_INFO 0x3u
/** Requests and their outcomes. */
#define WM_LOG_DEBUG 0x4u

/* Reasons of wm_query_action_allowed. */

/** The action is not permitted; set with every other bit. */
#define WM_REASON_NOT_ENABLED 0x1u
/** There is no license for the key ID. */
#define WM_REASON_NO_LICENSE 0x2u
/** No license grants the action. */
#define WM_REASON_NO_RIGHT 0x4u
/** All uses are used up. */
#define WM_REASON_EXHAUSTED 0x8u
/** The right has ended. */
#define WM_REASON_EXPIRED 0x10u
/** The right has not begun. */
#define WM_REASON_NOT_STARTED 0x20u
/** The application's security level is too low. */
#define WM_REASON_APPSEC_TOO_LOW 0x40u
/** The device must be individualized again. */
#define WM_REASON_REQ_INDIV 0x80u
/** The clock cannot be trusted, and the right has dates. */
#define WM_REASON_NO_CLOCK_SUPPORT 0x400u
/** The root license of the subscription is missing, or has ended where WM_REASON_EXPIRED is set too. */
#define WM_REASON_ROOT_MISSING 0x2000u
/** The license lost its state. */
#define WM_REASON_STATE_LOST 0x4000u
/** The key that signed the license, the device, or the application was revoked. */
#define WM_REASON_REVOKED 0x8000u
/** The license demands a newer status list; see wm_refresh_revocations. */
#define WM_REASON_STATUS_LIST 0x10000u
/** The right has a condition that this version does not know. */
#define WM_REASON_UNKNOWN_CONDITION 0x20000u

/* Actions. Their names are taken in any case, and with "ActionAllowed." in front; other names of policies as they are. */

/** Play. */
#define WM_ACTION_PLAY "Play"
/** Copy to a device. */
#define WM_ACTION_COPY "Copy"
/** Burn to a CD as part of a playlist. */
#define WM_ACTION_PLAYLIST_BURN "PlaylistBurn"
/** Burn to an audio CD. */
#define WM_ACTION_PRINT_REDBOOK "Print.redbook"
/** Copy to a device that obeys SDMI. */
#define WM_ACTION_TRANSFER_SDMI "Transfer.SDMI"
/** Copy to a device that does not obey SDMI. */
#define WM_ACTION_TRANSFER_NONSDMI "Transfer.NONSDMI"
/** Make a thumbnail of a picture. */
#define WM_ACTION_CREATE_THUMBNAIL_IMAGE "CreateThumbnailImage"
/** Play together with others over a network. */
#define WM_ACTION_COLLABORATIVE_PLAY "CollaborativePlay"
/** Go into a backup: a question to wm_query_*, which the policy itself answers. */
#define WM_ACTION_BACKUP "Backup"

/* Categories of wm_license_state. */

/** Not permitted, now or later; wm_query_action_allowed tells why. */
#define WM_LICENSE_STATE_NORIGHT 0x0u
/** Permitted without limit. */
#define WM_LICENSE_STATE_UNLIM 0x1u
/** counts[0] uses left. */
#define WM_LICENSE_STATE_COUNT 0x2u
/** From dates[0] on. */
#define WM_LICENSE_STATE_FROM 0x3u
/** Until dates[0]. */
#define WM_LICENSE_STATE_UNTIL 0x4u
/** From dates[0] until dates[1]. */
#define WM_LICENSE_STATE_FROM_UNTIL 0x5u
/** counts[0] uses from dates[0] on. */
#define WM_LICENSE_STATE_COUNT_FROM 0x6u
/** counts[0] uses until dates[0]. */
#define WM_LICENSE_STATE_COUNT_UNTIL 0x7u
/** counts[0] uses from dates[0] until dates[1]. */
#define WM_LICENSE_STATE_COUNT_FROM_UNTIL 0x8u
/** seconds_after_first_use from the first use on, which did not happen yet; counts and dates apply as well. */
#define WM_LICENSE_STATE_EXPIRATION_AFTER_FIRSTUSE 0x9u

/* Values of WM_PROP_CLOCK_VERDICT. */

/** A service told the time since the system started; the wall clock does not matter. */
#define WM_CLOCK_GOOD 0x0u
/** Nothing speaks for the wall clock or against it; licenses follow it. */
#define WM_CLOCK_UNKNOWN 0x1u
/** The wall clock is behind what is known to have passed; licenses with dates wait until it is set right, or until one contact with a service. */
#define WM_CLOCK_BEHIND 0x2u
/** The wall clock is over 30 days ahead of what is known; licenses may seem to have ended until it is set right, or until one contact with a service. */
#define WM_CLOCK_AHEAD 0x3u

/* Properties: which object has it, type, meaning. Text is UTF-8; paths are bytes as the system has them. */

/** Client, STRING: path of the folder of the license store; its last component is created 0700. Fixed at open. */
#define WM_PROP_STORE_PATH "StorePath"
/** Client, STRING: base64 SHA-256 of each trusted authority certificate, semicolons between. Fixed at open. */
#define WM_PROP_AUTHORITY "Authority"
/** Client, STRING: how device keys are kept, "file". Fixed at open. */
#define WM_PROP_KEY_PROTECTOR "KeyProtector"
/** Client, STRING: base URL of the service. */
#define WM_PROP_SERVICE_URL "ServiceURL"
/** Client, STRING, write-only: names the user's account to the service. Sent to ServiceURL and where that service says its endpoints are, and to no other service; without ServiceURL, to the services of the one trusted authority, and to none where several are trusted. */
#define WM_PROP_ACCOUNT_TOKEN "AccountToken"
/** Client, STRING: name of the application, told to the service, and compared with the newest status list at each use. */
#define WM_PROP_APPLICATION_ID "ApplicationID"
/** Client, STRING: what the user calls this device, at most 64 characters; told to the services with every request, so that lists of devices can be read. An empty one takes the name away there; unset, they keep what they know. */
#define WM_PROP_DEVICE_NAME "DeviceName"
/** Client, DWORD: level of the application, default 0; licenses may demand one. */
#define WM_PROP_SECURITY_LEVEL "SecurityLevel"
/** Client, STRING: User-Agent of HTTP requests. */
#define WM_PROP_USER_AGENT "UserAgent"
/** Client, STRING: which TLS certificates are trusted. "default": the platform's, or bundled ones where it has none; "platform"; "bundled"; "pem": only TlsCaPem; "pinned": as default, and the chain must also lead to a certificate of TlsCaPem. */
#define WM_PROP_TLS_TRUST "TlsTrust"
/** Client, STRING: certificates of authorities in PEM, trusted beside those of TlsTrust, or demanded where it is "pinned". */
#define WM_PROP_TLS_CA_PEM "TlsCaPem"
/** Client, STRING: URL of an HTTP proxy (http or https, with user and password if it wants them), "none", or "environment", the default: https_proxy, http_proxy, all_proxy and no_proxy as they were when the client was created. This machine is always asked directly. */
#define WM_PROP_PROXY "Proxy"
/** Client, BOOL: plain HTTP to other hosts than this one, default no. */
#define WM_PROP_ALLOW_HTTP "AllowHttp"
/** Client, BOOL: no operation opens a connection, default no. */
#define WM_PROP_OFFLINE_ONLY "OfflineOnly"
/** Client and objects with a background verb, DWORD: milliseconds until an operation that asks a service gives up. 0, the default: two minutes for each request. */
#define WM_PROP_DEADLINE_MS "DeadlineMs"
/** Client and objects with a background verb, DWORD: repetitions of a failed request, default 4. */
#define WM_PROP_RETRY_LIMIT "RetryLimit"
/** Client, STRING, read-only: base64 ID that the service gave to the device; none before it is individualized. */
#define WM_PROP_DEVICE_ID "DeviceID"
/** Client, BOOL, read-only: whether the device has a certificate. */
#define WM_PROP_INDIVIDUALIZED "Individualized"
/** Client, STRING, read-only: security version of the device, four dotted numbers; 0.0.0.0 before it is individualized. Content header, STRING, read-only: the one that Windows Media DRM content asks for, dotted numbers. */
#define WM_PROP_SECURITY_VERSION "SecurityVersion"
/** Client, DWORD, read-only: what the clock is worth for licenses with dates, WM_CLOCK_*. */
#define WM_PROP_CLOCK_VERDICT "ClockVerdict"
/** Client, DWORD, read-only: requests that wait to be sent again. */
#define WM_PROP_PENDING_TRANSACTIONS "PendingTransactions"
/** Individualizer, BOOL: the user agrees to individualization. Required. */
#define WM_PROP_USER_CONSENT "UserConsent"
/** License request, BINARY: content header as the file has it. */
#define WM_PROP_HEADER "Header"
/** License request, STRING: base64 key IDs, semicolons between; those of Header where unset. */
#define WM_PROP_KEY_IDS "KeyIDs"
/** License request, STRING: actions wanted, semicolons between, default "Play". License enumerator, STRING, read-only: actions granted. */
#define WM_PROP_ACTIONS "Actions"
/** License request, STRING: service to ask instead of ServiceURL. */
#define WM_PROP_URL "URL"
/** License request, STRING: everything of this scope, for pre-delivery. */
#define WM_PROP_SCOPE "Scope"
/** License request, DWORD: for wm_renew_licenses, only licenses of which a right ends or whose renewal is due within so many days; ended ones are among them. */
#define WM_PROP_EXPIRING_WITHIN "ExpiringWithin"
/** License request, BINARY: the application's own bytes for the service. */
#define WM_PROP_CUSTOM_DATA "CustomData"
/** License request, STRING: base64 ID of the last transaction; set it to resume one after a restart. */
#define WM_PROP_TRANSACTION_ID "TransactionID"
/** License request, BOOL: the page leads back to a port of 127.0.0.1 that the monitor listens on, which shortens its wait; default no. */
#define WM_PROP_LOOPBACK_REDIRECT "LoopbackRedirect"
/** License request, STRING, read-only: the six digits that the page shows as well, while a request is pending. */
#define WM_PROP_INTERACTION_CODE "InteractionCode"
/** Backup restorer, STRING: path of the existing folder that receives the backup. Required to back up. */
#define WM_PROP_BACKUP_PATH "BackupPath"
/** Backup restorer, STRING: path of the folder that holds the backup. Required to restore. */
#define WM_PROP_RESTORE_PATH "RestorePath"
/** License enumerator, STRING: only licenses for this key ID, base64. Filters are set before the first wm_next_license. */
#define WM_PROP_FILTER_KID "FilterKID"
/** License enumerator, STRING: only licenses that name this action. */
#define WM_PROP_FILTER_ACTION "FilterAction"
/** License enumerator, STRING: only licenses of this issuer, base64. */
#define WM_PROP_FILTER_ISSUER "FilterIssuer"
/** License enumerator, QWORD: only licenses whose rights end before then, seconds UTC. */
#define WM_PROP_FILTER_EXPIRING_BEFORE "FilterExpiringBefore"
/** License enumerator, STRING, read-only: base64 license ID. */
#define WM_PROP_LID "LID"
/** License enumerator, STRING, read-only: base64 key ID. */
#define WM_PROP_KID "KID"
/** License enumerator, STRING, read-only: base64 ID of the service that issued it. */
#define WM_PROP_ISSUER "Issuer"
/** License enumerator, QWORD, read-only: when it was first issued, seconds UTC. */
#define WM_PROP_ISSUE_DATE "IssueDate"
/** License enumerator, QWORD, read-only: first second in which some action is permitted. */
#define WM_PROP_NOT_BEFORE "NotBefore"
/** License enumerator, QWORD, read-only: first second in which no action is permitted any more. */
#define WM_PROP_NOT_AFTER "NotAfter"
/** License enumerator, QWORD, read-only: from when on its owner wants it renewed, seconds UTC; see wm_renew_licenses. */
#define WM_PROP_RENEW_AFTER "RenewAfter"
/** License enumerator, STRING, read-only: page about the renewal. The library never goes there. */
#define WM_PROP_RENEW_URL "RenewURL"
/** License enumerator, DWORD, read-only: uses left of the action that has fewest. */
#define WM_PROP_COUNTS_LEFT "CountsLeft"
/** License enumerator, BOOL, read-only: whether a backup takes it. */
#define WM_PROP_BACKUP_ALLOWED "BackupAllowed"
/** License enumerator, STRING, read-only: title for people, see wm_set_content_title. */
#define WM_PROP_TITLE "Title"
/** License enumerator, STRING, read-only: base64 key ID of the root license that a subscription's license needs. */
#define WM_PROP_ROOT_KID "RootKID"
/** License enumerator and content header, STRING, read-only: the owner's name of the content. */
#define WM_PROP_CONTENT_ID "ContentID"
/** License enumerator (action Play) and decryptor, BINARY, read-only: what the policy demands of outputs, as the owner wrote it. */
#define WM_PROP_OUTPUT_PROTECTION "OutputProtection"
/** Content header, STRING, read-only: base64 key IDs, semicolons between, as KeyIDs of a license request takes them. */
#define WM_PROP_KIDS "KIDs"
/** Content header, STRING, read-only: where the content says that licenses are acquired. Untrusted: the library never opens it; ask the user first. */
#define WM_PROP_LICENSE_URL "LicenseURL"
/** Content header, STRING, read-only: four characters, such as "cenc" or "cbcs". */
#define WM_PROP_SCHEME "Scheme"
/** Content header, STRING, read-only: UUIDs of the protection systems named, each once, semicolons between. */
#define WM_PROP_SYSTEM "System"
/** Content header, STRING, read-only: what of the content's protection could not be read although the rest could, a sentence a line. */
#define WM_PROP_NOTES "Notes"


/**
 * Backs licenses up to a folder and restores them, on the same device without network or on another device through the
 * license management service. Create it, set WM_PROP_BACKUP_PATH or WM_PROP_RESTORE_PATH, call the verb, and watch the
 * statuses.
 */
typedef struct wm_backup_restorer wm_backup_restorer;

/**
 * One license store, one device, and the settings of everything made from it. Create it, set WM_PROP_STORE_PATH and
 * WM_PROP_AUTHORITY, open it, and make other objects from it. Those keep it alive within, so the order of releases is
 * free. Several clients, in one process or several, may share a store.
 */
typedef struct wm_client wm_client;

/**
 * What content says about its protection, read once from a file or from bytes. Needs no client. Its properties can only
 * be read: WM_PROP_KIDS, WM_PROP_LICENSE_URL, WM_PROP_SCHEME, WM_PROP_SYSTEM, WM_PROP_CONTENT_ID, WM_PROP_SECURITY_VERSION,
 * WM_PROP_NOTES, and custom elements of the content's owner under their own names, as wm_get_prop_name lists them.
 */
typedef struct wm_content_header wm_content_header;

/**
 * Decrypts the samples of one key ID for one action. Any number of threads may use one decryptor at the same time. It
 * counts as one use: share it among tracks with the same key ID. Once the first sample is decrypted it stays usable until
 * it is released, expiry included, unless the license's policy says otherwise: it may end with the right, and so many seconds
 * of use may make another count, which the first sample after them commits.
 */
typedef struct wm_decryptor wm_decryptor;

/**
 * Receives the events of objects that have no callback, for reading at a time and on a thread of the application's
 * choice. Create it before those objects; call wm_next_event, or watch the descriptor of wm_event_queue_fd in a poll loop.
 */
typedef struct wm_event_queue wm_event_queue;

/**
 * One HTTP request that the application's transport callback carries out. Valid until the callback returns.
 */
typedef struct wm_exchange wm_exchange;

/**
 * Makes the device's keys and gets the certificate for them from the individualization service. Create it, set
 * WM_PROP_USER_CONSENT, call wm_individualize, and watch WM_STATUS_INDIVIDUALIZE.
 */
typedef struct wm_individualizer wm_individualizer;

/**
 * Walks through the stored licenses in the order of their key IDs. Create it, set filters, and call wm_next_license until
 * it answers WM_E_NO_MORE_ITEMS; after each 0, properties show the license. Licenses that come and go meanwhile may or
 * may not be seen; nothing of the store is locked between calls.
 */
typedef struct wm_license_enumerator wm_license_enumerator;

/**
 * Acquires licenses from an issuer. Create it, set WM_PROP_KEY_IDS or WM_PROP_HEADER, call wm_acquire_license, and watch
 * WM_STATUS_ACQUIRE_LICENSE.
 */
typedef struct wm_license_request wm_license_request;

/**
 * Learns from the issuer which licenses its owner took back, removes them for good, and tells the issuer so: all by itself
 * with wm_refresh_revocations, or with a challenge, a blob and an acknowledgement that the application carries.
 */
typedef struct wm_revocation_agent wm_revocation_agent;

/**
 * Looks after the license store: checks it, repairs it, and clears it of what is over. Create it, call a verb, and watch
 * its final status. No verb makes a network call.
 */
typedef struct wm_store_keeper wm_store_keeper;

/**
 * Result of a call or an operation: negative is a failure, 0 and positive numbers are successes that may carry
 * information. Numbers have HRESULT meaning; published ones keep their published value.
 */
typedef int32_t wm_result;

/**
 * Number of a status.
 */
typedef int32_t wm_status;

/**
 * Type of a property or of a status's value: WM_TYPE_*.
 */
typedef int32_t wm_attr_type;

/**
 * Detail of a failure. Set struct_size to sizeof(wm_error_info) before the call. No field ever holds a secret.
 */
typedef struct wm_error_info {
  /**
   * Size of the struct that the caller knows, in bytes.
   */
  size_t struct_size;
  /**
   * The failure; 0 if nothing failed on this thread.
   */
  wm_result result;
  /**
   * WM_CATEGORY_*: kind of failure.
   */
  uint32_t category;
  /**
   * WM_REMEDY_*: what helps.
   */
  uint32_t remedy;
  /**
   * 1 if the same call may succeed later, else 0.
   */
  uint32_t retryable;
  /**
   * When to try again, milliseconds from the failure; 0 if unknown.
   */
  uint64_t retry_after_ms;
  /**
   * HTTP status of the service's answer; 0 if there was none.
   */
  uint32_t http_status;
  /**
   * The service's own number for the problem; 0 if there was none.
   */
  int32_t server_code;
  /**
   * 1 if kid is set, else 0.
   */
  uint32_t has_kid;
  /**
   * Key ID that the failure is about.
   */
  uint8_t kid[16];
  /**
   * Finds the request in the service's log; empty if there was none.
   */
  char request_id[40];
  /**
   * One English sentence, UTF-8, cut at the end if it is too long.
   */
  char message[512];
} wm_error_info;

/**
 * Tells what a running operation does. NULL is allowed where one is asked for: then nothing is told, or the events go to
 * the client's event queue if there is one when the object is created (wm_create_event_queue).
 * status: WM_STATUS_*. result: 0 or the reason. type, value, size: what comes with the status, WM_TYPE_*; value is
 * valid until the callback returns, and NULL with size 0 where there is none; the size of a STRING includes its NUL.
 * context: as given, never touched. A failing answer cancels the operation; 0 goes on. Called on a thread of the
 * library, one call at a time per object, with no lock held; any function may be called from it. When the final status
 * comes, the object is idle: its next verb may be called, its properties set and the object released in that call, or by
 * a thread that learns of it there. A verb called there begins when the callback has returned. It must not throw or longjmp.
 */
typedef wm_result (*wm_status_callback)(wm_status status,
                                        wm_result result,
                                        wm_attr_type type,
                                        const void *value,
                                        size_t size,
                                        void *context);

/**
 * What is left of an action by all licenses together. Set struct_size to sizeof(wm_license_state) before the call.
 */
typedef struct wm_license_state {
  /**
   * Size of the struct that the caller knows, in bytes.
   */
  size_t struct_size;
  /**
   * WM_LICENSE_STATE_*.
   */
  uint32_t category;
  /**
   * Numbers in counts.
   */
  uint32_t count_count;
  /**
   * Uses left.
   */
  uint32_t counts[4];
  /**
   * Dates in dates.
   */
  uint32_t date_count;
  /**
   * Seconds UTC: begin, end, or both.
   */
  int64_t dates[4];
  /**
   * Seconds of use from the first use on, where it did not happen yet; else 0.
   */
  uint64_t seconds_after_first_use;
  /**
   * 0 or WM_LICENSE_STATE_VAGUE.
   */
  uint32_t vague;
} wm_license_state;

/**
 * Bytes in the clear, followed by encrypted ones.
 */
typedef struct wm_subsample {
  /**
   * Bytes in the clear.
   */
  uint32_t clear;
  /**
   * Encrypted bytes after them.
   */
  uint32_t encrypted;
} wm_subsample;

/**
 * How a sample is encrypted, as its container tells. Set struct_size to sizeof(wm_sample).
 */
typedef struct wm_sample {
  /**
   * Size of the struct that the caller knows, in bytes.
   */
  size_t struct_size;
  /**
   * Initialization vector.
   */
  const uint8_t *iv;
  /**
   * Its bytes: 8 or 16.
   */
  size_t iv_size;
  /**
   * Ranges of the sample, in order.
   */
  const struct wm_subsample *subsamples;
  /**
   * Their number; 0 if the whole sample is encrypted.
   */
  size_t subsample_count;
  /**
   * Encrypted blocks of a pattern; 0 and 0 for none.
   */
  uint32_t crypt_byte_block;
  /**
   * Clear blocks of a pattern.
   */
  uint32_t skip_byte_block;
  /**
   * WM_SCHEME_*: four-character code of the scheme as a big-endian number, 'cenc' is 0x63656E63.
   */
  uint32_t scheme;
} wm_sample;

/**
 * One event. Set struct_size to sizeof(wm_event) before the call.
 */
typedef struct wm_event {
  /**
   * Size of the struct that the caller knows, in bytes.
   */
  size_t struct_size;
  /**
   * Handle of the object that it is about. It may have been released since.
   */
  void *object;
  /**
   * The context that was given when the object was created.
   */
  void *context;
  /**
   * WM_STATUS_*.
   */
  wm_status status;
  /**
   * 0 or the reason.
   */
  wm_result result;
  /**
   * WM_TYPE_*: type of the value.
   */
  wm_attr_type type;
  /**
   * What comes with the status; NULL if there is nothing. Valid until the next wm_next_event on this queue or its release.
   */
  const void *value;
  /**
   * Size of the value in bytes; of a STRING with its NUL.
   */
  size_t size;
} wm_event;

/**
 * A header of a request.
 */
typedef struct wm_http_header {
  /**
   * Its name.
   */
  const char *name;
  /**
   * Its value. That of Authorization is a secret.
   */
  const char *value;
} wm_http_header;

/**
 * A request to send. Everything in it is valid until the callback returns.
 */
typedef struct wm_http_request {
  /**
   * Size of this struct as the library knows it, in bytes.
   */
  size_t struct_size;
  /**
   * "GET" or "POST".
   */
  const char *method;
  /**
   * Absolute URL, checked: https, or http where that is allowed.
   */
  const char *url;
  /**
   * Headers to send, besides Host and Content-Length.
   */
  const struct wm_http_header *headers;
  /**
   * Count of headers.
   */
  size_t header_count;
  /**
   * Body; NULL if there is none.
   */
  const void *body;
  /**
   * Size of the body in bytes.
   */
  size_t body_size;
  /**
   * Milliseconds that are left for it.
   */
  uint32_t timeout_ms;
  /**
   * Longest body of an answer that is taken, in bytes.
   */
  uint64_t max_body_size;
} wm_http_request;

/**
 * Sends one request and answers it through the exchange: wm_exchange_set_status once, wm_exchange_add_header and
 * wm_exchange_write as often as needed, from any thread; then returns 0, whatever the HTTP status is. It blocks a thread
 * of the library, asks wm_exchange_cancelled at least every 100 ms, and does not follow redirects. Without an answer it
 * returns WM_E_OPERATION_CANCELED after a cancel, WM_E_DEADLINE when the time is over, WM_E_CONNECTION_LOST,
 * WM_E_SERVER_CERTIFICATE, WM_E_ERROR_BAD_NET_RESP if what came is no HTTP, or any other failure if nobody can be reached.
 * Called by several threads at once. It must not throw or longjmp.
 */
typedef wm_result (*wm_transport_callback)(struct wm_exchange *exchange,
                                           const struct wm_http_request *request,
                                           void *context);

/**
 * An HTTP stack of the application. Set struct_size to sizeof(wm_transport).
 */
typedef struct wm_transport {
  /**
   * Size of the struct that the caller knows, in bytes.
   */
  size_t struct_size;
  /**
   * Sends one request.
   */
  wm_transport_callback send;
  /**
   * Passed to it.
   */
  void *context;
} wm_transport;

/**
 * Receives one record. level: WM_LOG_*. target: the part of the library: "wmlicense::" and operation, http, service, store,
 * device or use. message: one line of English text, UTF-8. Both are valid until it returns. context: as given. It never
 * holds a password, token, key or the query of a URL. Called on any thread of the library, by several threads at once,
 * with no lock held; functions of the library may be called from it, but what they do is not recorded. It must not
 * throw or longjmp.
 */
typedef void (*wm_log_callback)(uint32_t level, const char *target, const char *message, void *context);

/**
 * Value of WM_STATUS_PROGRESS.
 */
typedef struct wm_progress {
  /**
   * Size of this struct as the library knows it, in bytes.
   */
  size_t struct_size;
  /**
   * Done so far: licenses, or bytes of the backup while a restore reads it on the device that made it.
   */
  uint64_t done;
  /**
   * The same in all; 0 if unknown.
   */
  uint64_t total;
} wm_progress;

/**
 * Value of WM_STATUS_NETWORK: one request, of which a verb may make several, and the attempts at it.
 */
typedef struct wm_network_progress {
  /**
   * Size of this struct as the library knows it, in bytes.
   */
  size_t struct_size;
  /**
   * WM_HTTP_*: phase of the attempt under way; WM_HTTP_NOTINITIATED while the next one is waited for.
   */
  uint32_t http_phase;
  /**
   * Which attempt, from 1 on; while the next one is waited for, the one that failed.
   */
  uint32_t attempt;
  /**
   * Attempts at most, as WM_PROP_RETRY_LIMIT allows; 0: no limit.
   */
  uint32_t attempts;
  /**
   * 0.
   */
  uint32_t reserved;
  /**
   * Bytes of the answer received.
   */
  uint64_t bytes;
  /**
   * Bytes of the answer in all; 0 if unknown.
   */
  uint64_t bytes_total;
  /**
   * Milliseconds until the next attempt, counted from this status; 0: none waits.
   */
  uint64_t next_try_ms;
  /**
   * Host that is asked, without a port; cut at the end if it is too long.
   */
  char host[256];
} wm_network_progress;

/**
 * Value of WM_STATUS_RESTORE_VERDICT.
 */
typedef struct wm_restore_verdict {
  /**
   * Size of this struct as the library knows it, in bytes.
   */
  size_t struct_size;
  /**
   * Key ID of the license.
   */
  uint8_t kid[16];
  /**
   * Devices that hold the license, the one it was issued to included; 0 where the service need not be asked.
   */
  uint32_t devices_used;
  /**
   * Devices that may hold it in all; 0 where the service need not be asked.
   */
  uint32_t devices_limit;
  /**
   * Title, UTF-8, cut at the end if it is too long; empty if there is none.
   */
  char title[256];
} wm_restore_verdict;

/**
 * Value of WM_STATUS_SECTION_CLOSED: the sections of a backup that stay closed for one reason. What they hold is not known.
 */
typedef struct wm_section_closed {
  /**
   * Size of this struct as the library knows it, in bytes.
   */
  size_t struct_size;
  /**
   * How many sections.
   */
  uint32_t sections;
  /**
   * 0.
   */
  uint32_t reserved;
  /**
   * Bytes of the backup in them.
   */
  uint64_t bytes;
  /**
   * Page of the service that helps, UTF-8; empty if it named none that fits.
   */
  char url[256];
} wm_section_closed;

/**
 * Value of WM_STATUS_INDIVIDUALIZE.
 */
typedef struct wm_individualize_progress {
  /**
   * Size of this struct as the library knows it, in bytes.
   */
  size_t struct_size;
  /**
   * 0 while it goes on, then the final result.
   */
  wm_result result;
  /**
   * WM_INDIVIDUALIZE_*.
   */
  uint32_t phase;
  /**
   * Requests completed.
   */
  uint32_t requests;
  /**
   * WM_HTTP_*: phase of the request under way.
   */
  uint32_t http_phase;
  /**
   * Bytes of the answer received.
   */
  uint64_t bytes;
  /**
   * Bytes of the answer in all; 0 if unknown.
   */
  uint64_t bytes_total;
} wm_individualize_progress;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Name of a result, such as "WM_E_BACKUP_EXISTS"; "unknown result" for a number that is none. Static, never NULL.
 */
const char *wm_result_name(wm_result result);

/**
 * What a result means, one English sentence. Static, never NULL. wm_get_error_info tells more about a failure.
 */
const char *wm_result_message(wm_result result);

/**
 * Name of a status, such as "WM_STATUS_BACKUPRESTORE_END"; "unknown status" for a number that is none. Static, never NULL.
 */
const char *wm_status_name(wm_status status);

/**
 * Sets a property. name: WM_PROP_*. type: WM_TYPE_*. The bytes are copied; a STRING may end with one NUL.
 * Fails with WM_E_UNSUPPORTED_PROPERTY if the object has no such property or it is read-only, with WM_E_WRONG_TYPE, with
 * WM_E_BAD_VALUE if value or size is not acceptable, with the busy code while an operation runs, with WM_E_ALREADY_OPEN
 * if it is too late, and with WM_E_INVALIDARG for NULL. Then the property keeps its value.
 */
wm_result wm_set_prop(void *object,
                      const char *name,
                      wm_attr_type type,
                      const void *value,
                      size_t size);

/**
 * Sets a STRING property from NUL-terminated text. Fails as wm_set_prop.
 */
wm_result wm_set_string_prop(void *object, const char *name, const char *value);

/**
 * Sets a BOOL property. Fails as wm_set_prop.
 */
wm_result wm_set_bool_prop(void *object, const char *name, bool value);

/**
 * Sets a DWORD or QWORD property, whichever it is. Fails as wm_set_prop; a number that does not fit is a bad value.
 */
wm_result wm_set_number_prop(void *object,
                             const char *name,
                             uint64_t value);

/**
 * Reads a property, in two calls or one: with buf NULL and buf_size 0 it only tells size and type.
 * type_out, needed_out: may be NULL; written on success and with WM_E_BUFFER_TOO_SMALL, which leaves buf as it was. The
 * size of a STRING includes its NUL. Allowed while an operation runs.
 * Fails with WM_E_UNSUPPORTED_PROPERTY if the object has no such property, it has no value, or it is write-only.
 */
wm_result wm_get_prop(void *object,
                      const char *name,
                      wm_attr_type *type_out,
                      void *buf,
                      size_t buf_size,
                      size_t *needed_out);

/**
 * Counts the properties that can be read at present: those that are set and those that the object knows itself.
 */
wm_result wm_get_prop_count(void *object,
                            size_t *count_out);

/**
 * Names one of the properties that wm_get_prop_count counts, in two calls or one as wm_get_prop.
 * index: from 0; the order changes only when properties come or go. Fails with WM_E_INVALIDARG beyond the last.
 */
wm_result wm_get_prop_name(void *object,
                           size_t index,
                           char *buf,
                           size_t buf_size,
                           size_t *needed_out);

/**
 * Removes a property's value; a default applies again. Fails with WM_E_UNSUPPORTED_PROPERTY if there is none, else as
 * wm_set_prop.
 */
wm_result wm_remove_prop(void *object,
                         const char *name);

/**
 * Removes every value that may be removed at present. Fails with the busy code while an operation runs.
 */
wm_result wm_remove_all_props(void *object);

/**
 * Tells the detail of the last failing call on this thread; inside a callback, of the event that is being told; after a
 * wm_wait that delivered a failing result, of that operation. Successful calls leave it as it is. Without any failure
 * so far, result is 0. The smaller of the two sizes is written and the rest of the caller's struct is zeroed.
 * Fails with WM_E_INVALIDARG if info is NULL or struct_size is less than sizeof(size_t) or more than 4096; that
 * failure leaves the detail as it is.
 */
wm_result wm_get_error_info(struct wm_error_info *info);

/**
 * Version of the library at run time: major << 16 | minor << 8 | patch. Compare with WM_VERSION of the header.
 */
uint32_t wm_version(void);

/**
 * Version of the library as text, such as "0.1.0". Static: never freed, never NULL.
 */
const char *wm_version_string(void);

/**
 * Number of the binary interface. A program that loads the library with dlopen stops if it is not WM_ABI_VERSION.
 */
uint32_t wm_abi_version(void);

/**
 * Counts valid handles and objects whose release is still finishing: 0 when everything was released. Works in a forked
 * child too.
 */
size_t wm_live_objects(void);

/**
 * Adds a reference: one more wm_release is due. Works on every object.
 * Fails with WM_E_INVALIDARG for NULL and WM_E_INVALID_HANDLE for everything that is not a valid handle.
 */
wm_result wm_add_ref(void *object);

/**
 * Gives a reference back; the last one makes the handle invalid. NULL is allowed and does nothing.
 * The last release from outside any callback cancels a running operation, lets its final status run and returns after it.
 * Inside any callback of the library it never waits: of the callback's own object no further status comes, its final one
 * included; another object is cancelled, and its final status may still run after the release returned. Never make the
 * last release while holding a lock, or on a thread, that the object's callback needs.
 * In a forked child it does nothing and answers 0. Fails with WM_E_INVALID_HANDLE.
 */
wm_result wm_release(void *object);

/**
 * Asks the object's running operation to stop, and never waits: the final status tells that it has. On an object
 * without a running operation it answers 0 and has no effect.
 * Fails with WM_E_INVALIDARG for NULL and WM_E_INVALID_HANDLE.
 */
wm_result wm_cancel(void *object);

/**
 * Waits until the object's operation is over and its last callback has returned.
 * timeout_ms: 0 asks without waiting, WM_INFINITE waits for ever. operation_result_out: receives the result of the final
 * status, success codes included; may be NULL. Repeated waits give the same result again. If it is a failure, its
 * detail becomes that of the calling thread.
 * Fails with WM_E_TIMEOUT, with WM_E_NO_OPERATION if nothing was ever started, and with WM_E_WOULD_DEADLOCK inside the
 * object's own callback.
 */
wm_result wm_wait(void *object,
                  uint32_t timeout_ms,
                  wm_result *operation_result_out);

/**
 * Creates a client that is not open. *client_out: receives a handle to release. Registers, the first time, the
 * library's only process-wide hook, pthread_atfork.
 * Fails with WM_E_INVALIDARG for NULL and WM_E_OUTOFMEMORY.
 */
wm_result wm_create_client(struct wm_client **client_out);

/**
 * Opens the license store and the device's keys, and makes both in an empty folder. Makes no network call.
 * Fails with WM_E_INVALID_PROPERTY while WM_PROP_STORE_PATH or WM_PROP_AUTHORITY is unset, with WM_E_ALREADY_OPEN the
 * second time, with WM_E_PATH_NOT_FOUND, WM_E_PATH_UNUSABLE, WM_E_UNABLE_TO_OPEN_DATA_STORE, WM_E_DATASTORE_CORRUPT,
 * WM_E_STORE_TOO_NEW, WM_E_HDS_KEY_MISMATCH, WM_E_CHECKPOINT_FAILED, WM_E_SECURE_STORE_ERROR, WM_E_SECURE_STORE_NOT_FOUND,
 * WM_E_SECURE_STORE_UNLOCK_ERROR, WM_E_LICENSE_STORE_ERROR, WM_E_DISK_FULL, WM_E_STORE_READ_ONLY, WM_E_NO_DESCRIPTORS,
 * WM_E_OUTOFMEMORY or WM_E_BUSY; then it may be tried again. These are the store errors of all other calls as well.
 * A store that is there opens on a full disk and where nothing may be written too: licenses that need no write can be used, and
 * what must be recorded fails with WM_E_DISK_FULL or WM_E_STORE_READ_ONLY until it can be. Only regular files are opened, and
 * links in the folder are not followed.
 * While another process or thread writes, an operation that has to write waits until it is cancelled or its deadline passes,
 * and every call and operation at most ten seconds, then it fails with WM_E_BUSY. What only reads does not wait.
 * Where the keys are there and the store is not, it is made anew for the same device. A store without its keys, or with those
 * of another device, stays closed: a backup is then restored into an empty folder, with WM_RESTORE_INDIVIDUALIZE, as on
 * another device.
 */
wm_result wm_open_client(struct wm_client *client);

/**
 * Reads the device's security version, four dotted numbers, in two calls or one as wm_get_prop. Before the device is
 * individualized it is 0.0.0.0, which is lower than every demand.
 * Fails with WM_E_NOT_OPEN and with WM_E_BUFFER_TOO_SMALL.
 */
wm_result wm_get_security_version(struct wm_client *client,
                                  char *buf,
                                  size_t buf_size,
                                  size_t *needed_out);

/**
 * Gives the content with this key ID a title, for lists and for telling which licenses a status is about. It is shown in
 * place of the one that comes with licenses, is kept when those go, and travels in backups. kid: 16 bytes. title: UTF-8, at
 * most 1024 bytes without control characters; an empty one takes the application's title away.
 * Fails with WM_E_INVALIDARG, WM_E_BAD_VALUE, WM_E_NOT_OPEN, or a store error.
 */
wm_result wm_set_content_title(struct wm_client *client,
                               const uint8_t *kid,
                               const char *title);

/**
 * Reads the title of the content with this key ID, in two calls or one as wm_get_prop: the application's, else the one that
 * came with a license. kid: 16 bytes. Answers 0, or WM_S_FALSE with an empty text where nobody gave it one.
 * Fails with WM_E_INVALIDARG, WM_E_NOT_OPEN, WM_E_BUFFER_TOO_SMALL, or a store error.
 */
wm_result wm_get_content_title(struct wm_client *client,
                               const uint8_t *kid,
                               char *buf,
                               size_t buf_size,
                               size_t *needed_out);

/**
 * Deletes the licenses for a key ID. Makes no network call. kid: 16 bytes. Answers 0, or WM_S_FALSE if there was none.
 * flags 0: for good. The licenses come back from no backup of this device, and a request that gives them back is queued in the
 * same commit, so that the service can count the device out. It is sent by the next acquisition or renewal at that service;
 * WM_PROP_PENDING_TRANSACTIONS counts it until the service has answered. Acquire the content again to get another license.
 * WM_DELETE_LOCAL: from this device only. What was used of them stays known: a license that comes again, from a service or a
 * backup, goes on from there.
 * Fails with WM_E_INVALIDARG, WM_E_NOT_OPEN, WM_E_SECURE_STORE_UNLOCK_ERROR, or a store error; then all of them are still there.
 */
wm_result wm_delete_licenses(struct wm_client *client,
                             const uint8_t *kid,
                             uint32_t flags);

/**
 * Creates an individualizer. callback may be NULL; context is passed to it. *out: receives a handle to release.
 * Fails with WM_E_INVALIDARG for NULL, WM_E_INVALID_HANDLE and WM_E_OUTOFMEMORY.
 */
wm_result wm_create_individualizer(struct wm_client *client,
                                   wm_status_callback callback,
                                   void *context,
                                   struct wm_individualizer **out);

/**
 * Individualizes the device at the service of WM_PROP_SERVICE_URL, in the background. flags: 0, which ends without any
 * network call where the certificate is current, or WM_INDIVIDUALIZE_FORCE, which gives the device new keys. It stays the same
 * device with all its licenses, and backups of the 64 keys before them open as before; but a copy of the store made
 * earlier is refused by the services from now on. Where such a copy did the same before, this one becomes another
 * device with a seat of its own.
 * Statuses: WM_STATUS_NETWORK while the service is asked, WM_STATUS_INDIVIDUALIZE many times; the last one carries
 * WM_S_INDIVIDUALIZED, WM_E_OPERATION_CANCELED, or the failure: WM_E_INDIV_SERVICE_UNAVAILABLE, WM_E_CONNECTION_LOST,
 * WM_E_PROXY, WM_E_CAPTIVE_PORTAL, WM_E_SERVICE_FAILING, WM_E_DEADLINE, WM_E_SERVER_CERTIFICATE,
 * WM_E_SERVER_CERTIFICATE_DATE, WM_E_AUTHORITY_NOT_TRUSTED, WM_E_ERROR_BAD_NET_RESP, WM_E_REDIRECT_REFUSED,
 * WM_E_ANSWER_TOO_LARGE, WM_E_BAD_ANSWER and by cause WM_E_SIGNATURE_FAILURE, WM_E_ANSWER_SIGNER,
 * WM_E_LICENSE_CERT_EXPIRED, WM_E_ANSWER_REPLAYED, WM_E_INVALID_MACHINE, WM_E_ANSWER_MANIFEST,
 * WM_E_INVALID_CERTIFICATE, WM_E_SERVICE_CLOCK, WM_E_SERVICE_REFUSED, WM_E_ACCOUNT_REQUIRED, WM_E_INDIV_FRAUD,
 * WM_E_CERTIFICATE_REVOKED, WM_E_POLICY_DISABLE_ONLINE, WM_E_URL_NOT_ALLOWED, or an error of store or keys. A failure
 * leaves the device as it was.
 * Fails at the call with WM_E_INVALIDARG for other flags, WM_E_NOT_OPEN, WM_E_INVALID_PROPERTY while consent or
 * WM_PROP_SERVICE_URL is missing, and WM_E_INDIVIDUALIZING while it runs already.
 */
wm_result wm_individualize(struct wm_individualizer *individualizer,
                           uint32_t flags);

/**
 * Reads protection data from memory: the header of an MP4, WebM or ASF file, `pssh` boxes, a PlayReady Object, a WRMHEADER, W3C
 * initialization data (`cenc`, `keyids`, `webm`), an HLS playlist or its key tags, a DASH or Smooth Streaming manifest or
 * its protection elements. The bytes are not kept. *out: receives a handle to release. What cannot be read beside the rest
 * is in WM_PROP_NOTES; where nothing else names a key ID, it is the failure.
 * Fails with WM_E_MALFORMED_CONTENT_HEADER, whose detail names byte and field; WM_E_CONTENT_HEADER_TOO_NEW for a version
 * of WRMHEADER that is not known; and WM_E_INVALIDARG for NULL.
 */
wm_result wm_create_content_header(const void *data,
                                   size_t size,
                                   struct wm_content_header **out);

/**
 * Reads protection data from a regular file of any kind that wm_create_content_header takes; media data is skipped.
 * path: any bytes.
 * *out: receives a handle to release.
 * Fails as wm_create_content_header, and with WM_E_PATH_NOT_FOUND and WM_E_PATH_UNUSABLE.
 */
wm_result wm_create_content_header_from_file(const char *path,
                                             struct wm_content_header **out);

/**
 * Tells whether a media file, playlist or manifest needs a license to be played. Answers 0 and true, or WM_S_FALSE and false.
 * Protection of a kind that is not known counts as well: false means that nothing says so.
 * Fails as wm_create_content_header_from_file.
 */
wm_result wm_is_content_protected(const char *path,
                                  bool *protected_out);

/**
 * Writes a key ID as text, in two calls or one as wm_get_prop. kid: 16 bytes in the order of the UUID text, as all calls have
 * them. form: WM_KID_BASE64, WM_KID_HEX or WM_KID_UUID, with WM_KID_GUID_ORDER or without. Digits are lower-case, and a UUID has
 * no braces. needed_out: receives the size with the NUL; may be NULL.
 * Fails with WM_E_INVALIDARG for NULL or another form, and with WM_E_BUFFER_TOO_SMALL.
 */
wm_result wm_kid_to_text(const uint8_t *kid,
                         uint32_t form,
                         char *buf,
                         size_t buf_size,
                         size_t *needed_out);

/**
 * Reads a key ID from text. form: WM_KID_BASE64, WM_KID_HEX, WM_KID_UUID, or 0 to recognise which it is, each with
 * WM_KID_GUID_ORDER where the text is in that order, or without. Digits are of either case, a UUID may have braces
 * around; nothing else may stand before or behind. kid_out: receives 16 bytes in the order of the UUID text, as all
 * calls want them; untouched on failure.
 * Fails with WM_E_INVALIDARG for NULL or another form, and with WM_E_BAD_VALUE, with what is wrong in the detail, if the text is
 * not one whole key ID.
 */
wm_result wm_kid_from_text(const char *text,
                           uint32_t form,
                           uint8_t *kid_out);

/**
 * Creates a license request. callback may be NULL; context is passed to it. *out: receives a handle to release.
 * Fails with WM_E_INVALIDARG for NULL, WM_E_INVALID_HANDLE and WM_E_OUTOFMEMORY.
 */
wm_result wm_create_license_request(struct wm_client *client,
                                    wm_status_callback callback,
                                    void *context,
                                    struct wm_license_request **out);

/**
 * Acquires the licenses asked for, in the background. flags: WM_ACQUIRE_SILENT, or WM_ACQUIRE_NONSILENT
 * where the user may be sent to a page of the service. With neither WM_PROP_KEY_IDS nor
 * WM_PROP_HEADER it is a pre-delivery: the service delivers all that the account may have, or what is in WM_PROP_SCOPE, and
 * the next time only what changed since; a run that broke off goes on where it was. It tells WM_STATUS_PROGRESS and ends
 * with WM_S_LICENSE_ACQUIRED, or with WM_S_NOTHING_NEW where nothing was to be stored. A request that a crash, a
 * cancel or a lost connection left open is taken up again with the same bytes, so that the service answers it once.
 * Statuses: WM_STATUS_NETWORK while the service is asked, WM_STATUS_NEEDS_INDIVIDUALIZATION where the device must
 * individualize first, WM_STATUS_LICENSE_REFUSED for each license refused, WM_STATUS_RENEWAL_DUE for each stored that
 * its owner wants renewed already, and WM_STATUS_ACQUIRE_LICENSE once. Only WM_S_LICENSE_ACQUIRED means that a license
 * is stored; test it with WM_LICENSE_STORED. The others: WM_S_ACQUIRE_CANCELLED; WM_E_NO_RIGHTS, with the URL of the
 * page where the user can act, which with WM_ACQUIRE_NONSILENT is a success, 0: open the page and call
 * wm_monitor_license; WM_E_NEEDS_INDIVIDUALIZATION; WM_E_LICENSE_UNAVAILABLE where the service has no such content;
 * another refusal; WM_E_INVALID_LICENSE_REQUEST where the header names no key ID, and where it cannot be read the
 * results of wm_create_content_header, whose detail names byte and field; WM_E_UNABLE_TO_ACQUIRE_LICENSE where the
 * service cannot be reached, and the other troubles with a service that wm_individualize names;
 * WM_E_INVALID_LICENSE_ACQUIRED in place of WM_E_BAD_ANSWER; WM_E_LICENSE_ISSUER, WM_E_LICENSE_TWICE,
 * WM_E_LICENSE_TERMS, WM_E_LICENSE_UNASKED and WM_E_ENDLESS_ANSWER; WM_E_NO_TRANSACTION; or an error of store or keys.
 * Then the store is as it was.
 * Fails at the call with WM_E_INVALIDARG for other flags, WM_E_NOT_OPEN, WM_E_INVALID_PROPERTY where nothing was asked for
 * or no service is set, and WM_E_ACQUIRING_LICENSE.
 */
wm_result wm_acquire_license(struct wm_license_request *request,
                             uint32_t flags);

/**
 * Gives the challenge: the exact bytes that ask the service for the licenses, for an application that carries them itself.
 * It is prepared and stored if there is none yet, without a network; the service must be known from an earlier contact,
 * such as wm_individualize. POST it as application/cose to the URL that wm_get_license_url gives before the user must act,
 * as often as needed: the service answers it once. It holds no account token: where WM_PROP_ACCOUNT_TOKEN is set, the same token
 * is sent along in the header "Authorization: Bearer TOKEN", with every challenge. Two calls as for properties.
 * Fails with WM_E_INVALIDARG, WM_E_NOT_OPEN, WM_E_INVALID_PROPERTY where nothing was asked for or no service is set,
 * WM_E_INVALID_LICENSE_REQUEST for more key IDs than one request carries (1024, fewer where many of them have licenses
 * that count uses, of which the request must tell) or a header without any, WM_E_NEEDS_INDIVIDUALIZATION,
 * WM_E_SERVICE_UNKNOWN where nothing was ever heard from the service, WM_E_BUFFER_TOO_SMALL, or an error of store or keys.
 */
wm_result wm_get_challenge(struct wm_license_request *request,
                           void *buf,
                           size_t buf_size,
                           size_t *needed_out);

/**
 * Gives the URL that is next: the page on which the user must act, as soon as the service named one, with the way back to
 * this device where WM_PROP_LOOPBACK_REDIRECT is set; before that, where the challenge is POSTed. Open a page in the
 * user's browser, and show WM_PROP_INTERACTION_CODE beside it. Two calls as for properties. Fails as wm_get_challenge.
 */
wm_result wm_get_license_url(struct wm_license_request *request,
                             char *buf,
                             size_t buf_size,
                             size_t *needed_out);

/**
 * Takes the service's answer to the challenge from an application that carried both itself, verifies it and stores its
 * licenses. Allowed while a monitor runs on the same request; the monitor then ends when there is nothing left to fetch.
 * Answers WM_S_MORE_TO_FETCH where further pages of a pre-delivery wait: what came is stored; get the next challenge, carry it,
 * and hand its answer over, until another result comes. Answers WM_S_LICENSE_ACQUIRED where everything is fetched and a license
 * is stored, of the pages that this object took before as well, and WM_S_NOTHING_NEW where everything is fetched and nothing
 * was to be stored.
 * Statuses, told before it returns (inside a callback, or while another callback of the object runs, soon after):
 * WM_STATUS_ACCOUNT_NOT_PRESENTED where the service decided for nobody although WM_PROP_ACCOUNT_TOKEN is set, see
 * wm_get_challenge; WM_STATUS_LICENSE_REFUSED for each license refused; WM_STATUS_RENEWAL_DUE for each stored that its owner
 * wants renewed already. Do not call it while holding a lock that the callback needs.
 * Fails with WM_E_NO_RIGHTS where the user must act first, see
 * wm_get_license_url; WM_E_INVALID_LICENSE_ACQUIRED for anything that is no answer to this challenge; WM_E_NO_TRANSACTION
 * where none waits for an answer, which is so after the first good one; WM_E_LICENSE_NOTACQUIRED where the user declined, or
 * the request was abandoned meanwhile; another refusal of the service; or as wm_get_challenge. Then the store is as it was.
 * It also takes licenses that nobody asked for: a file that the issuer made for this device (`wmlicensed license give --out`),
 * carried by whatever way. No property but the service's URL is needed; nothing of the request is touched, and a
 * challenge that waits goes on waiting. WM_S_LICENSE_ACQUIRED once one of them is stored; WM_S_LICENSE_KNOWN where the
 * device has all of them, which gives no use back. Fails with WM_E_LICENSE_TOO_OLD 30 days after they were given;
 * WM_E_INVALID_MACHINE where they are for another device; WM_E_ISSUER_NOT_TRUSTED; WM_E_LICENSE_ISSUER where who
 * signed is not the issuer of their policies; WM_E_SIGNATURE_FAILURE and WM_E_ANSWER_MANIFEST where they were changed;
 * WM_E_LICENSE_TERMS where a stored license has other terms; WM_E_LICENSE_REMOVED where all of them were removed from
 * this device for good; WM_E_SERVICE_UNKNOWN where the service is not known from an earlier contact; or as
 * wm_get_challenge. Licenses that wait in the device's mailbox at the service come by themselves with whatever the
 * device asks next.
 */
wm_result wm_process_response(struct wm_license_request *request,
                              const void *data,
                              size_t size);

/**
 * Waits in the background until the user has acted on the page and the license is stored, by asking the service at the
 * pace that it names, slower as time goes by. A lost connection is waited out. After a restart of the application set
 * WM_PROP_TRANSACTION_ID first. Cancelling and releasing only end the watching: a user who acts afterwards is served by the next
 * wm_monitor_license or wm_acquire_license for the same. wm_abandon_acquisition gives the request up.
 * Statuses: those of wm_acquire_license. WM_STATUS_ACQUIRE_LICENSE ends it: WM_S_LICENSE_ACQUIRED; WM_S_MONITOR_CANCELLED;
 * WM_E_LICENSE_NOTACQUIRED where the user declined or did not act in time, or the request was abandoned; WM_E_DEADLINE, which
 * leaves the request as it is, with the URL of the page that still waits; WM_E_NO_TRANSACTION where none waits; or as
 * wm_acquire_license, with the URL of a page that helps where the service names one.
 * Fails at the call with WM_E_INVALIDARG, WM_E_NOT_OPEN, WM_E_INVALID_PROPERTY, and WM_E_ACQUIRING_LICENSE.
 */
wm_result wm_monitor_license(struct wm_license_request *request);

/**
 * Gives up the request that waits for its answer: the one of WM_PROP_TRANSACTION_ID, else the last one of this object, else the
 * pending one for what the object asks for. An answer is taken no more, whatever the user does on the page, and acquiring the
 * same begins anew; the service is told nothing. Returns at once and may be called at any time, from a callback too: a monitor
 * or an acquisition that waits for that answer ends with WM_E_LICENSE_NOTACQUIRED.
 * Fails with WM_E_NO_TRANSACTION where none waits (it was answered, refused or abandoned before), WM_E_INVALIDARG,
 * WM_E_INVALID_HANDLE, WM_E_NOT_OPEN, WM_E_INVALID_PROPERTY where nothing names a request, or an error of store or keys.
 */
wm_result wm_abandon_acquisition(struct wm_license_request *request);

/**
 * Renews stored licenses in the background: each is asked for again at the service it came from, the way it was acquired
 * first, so that no content is needed. flags: WM_ACQUIRE_SILENT. Which: those that fit all of WM_PROP_KEY_IDS (or
 * WM_PROP_HEADER), WM_PROP_SCOPE and WM_PROP_EXPIRING_WITHIN that are set. On unchanged terms the same license comes back, on
 * others one that takes its place; where the device has a later license of that issuer for the same key ID, the
 * earlier one goes and the later stands for both; what was used stays used unless the owner grants it anew. Licenses
 * deleted for good are given back on the way.
 * Statuses: WM_STATUS_NETWORK while services are asked, WM_STATUS_PROGRESS, WM_STATUS_LICENSE_REFUSED for each license
 * refused, WM_STATUS_RENEWAL_DUE for each that its owner wants renewed all the same,
 * WM_STATUS_NEEDS_INDIVIDUALIZATION, and WM_STATUS_ACQUIRE_LICENSE once: WM_S_LICENSE_ACQUIRED where at least one
 * license is stored, WM_S_NOTHING_TO_RENEW where none fits, WM_S_NOTHING_NEW where nothing came for those that fit,
 * WM_E_LICENSE_REQUIRED where there is none for the key IDs, else the results of wm_acquire_license. A license whose
 * changed terms the user must accept first is refused with WM_E_NO_RIGHTS and without a page: acquire its key ID with
 * WM_ACQUIRE_NONSILENT. A service that fails does not keep others from being asked, and its failure is the result;
 * what was renewed before is stored.
 * Fails at the call with WM_E_INVALIDARG for other flags, WM_E_NOT_OPEN, WM_E_INVALID_PROPERTY where no license is named,
 * WM_E_MALFORMED_CONTENT_HEADER, and WM_E_ACQUIRING_LICENSE.
 */
wm_result wm_renew_licenses(struct wm_license_request *request,
                            uint32_t flags);

/**
 * Tells whether a stored license permits an action. No network call, and no license changes; the time of a refusal for
 * its dates is remembered, at most once a minute. kid: 16 bytes. action: UTF-8, WM_ACTION_* or another name that a
 * policy has. *reasons_out: 0 if it is permitted, else WM_REASON_NOT_ENABLED with the reasons of all licenses.
 * Answers 0 whenever the question could be answered. Fails with WM_E_INVALIDARG, WM_E_BAD_VALUE, WM_E_NOT_OPEN, or a store
 * error.
 */
wm_result wm_query_action_allowed(struct wm_client *client,
                                  const uint8_t *kid,
                                  const char *action,
                                  uint32_t *reasons_out);

/**
 * Tells what is left of an action by all licenses for the key ID together: of those that permit it now, else of those that will
 * later. What adds up is added up; where it does not, *state is what the license that is used first permits, with
 * WM_LICENSE_STATE_VAGUE. No network call, and no license changes; the time is remembered as by wm_query_action_allowed.
 * Fails as wm_query_action_allowed, and with WM_E_INVALIDARG if struct_size is not set.
 */
wm_result wm_query_license_state(struct wm_client *client,
                                 const uint8_t *kid,
                                 const char *action,
                                 struct wm_license_state *state);

/**
 * Sees to it that content can be used, and blocks until that is so or it is known why not: the whole way of a player
 * in one call.
 * Answers 0 where stored licenses permit the action for every key ID of the header, without a network and without a write. Else
 * it individualizes the device if that is needed and flags allow it, acquires silently what is missing at WM_PROP_SERVICE_URL,
 * and answers WM_S_LICENSE_ACQUIRED once every key ID permits the action.
 * action: UTF-8, WM_ACTION_* or another name that a policy has. flags: 0, or WM_ENSURE_INDIVIDUALIZE where the user agreed to
 * individualization. timeout_ms: after so long it gives up with WM_E_DEADLINE; WM_INFINITE waits as
 * WM_PROP_DEADLINE_MS says. What is asked for and not answered by then is taken up by the next call. It may be called
 * on any thread, of the user interface rather not, and inside a callback, which then does not return for so long;
 * several calls on one client run side by side. No statuses are told, and wm_cancel does not reach it: an application
 * that shows progress uses wm_acquire_license.
 * Fails with the result of the step that failed, and wm_get_error_info has its detail: WM_E_NEEDS_INDIVIDUALIZATION without
 * the flag; the results of wm_individualize and wm_acquire_license; WM_E_NO_RIGHTS where the user must act, with the URL of the
 * page in the message: open it and call again; where licenses came that do not permit the action, the results of
 * wm_create_decryptor; in both cases the detail names the key ID. WM_E_INVALID_LICENSE_REQUEST where the header names no key ID,
 * WM_E_INVALID_PROPERTY where something must be acquired and no service is set, WM_E_INVALIDARG for NULL and other flags,
 * WM_E_INVALID_HANDLE, WM_E_BAD_VALUE, WM_E_NOT_OPEN, WM_E_OUTOFMEMORY, or an error of store or keys. Licenses that came stay.
 */
wm_result wm_ensure_license(struct wm_client *client,
                            struct wm_content_header *header,
                            const char *action,
                            uint32_t flags,
                            uint32_t timeout_ms);

/**
 * Creates a license enumerator, before the first license. *out: receives a handle to release.
 * Fails with WM_E_INVALIDARG for NULL, WM_E_INVALID_HANDLE and WM_E_OUTOFMEMORY.
 */
wm_result wm_create_license_enumerator(struct wm_client *client, struct wm_license_enumerator **out);

/**
 * Goes to the next license; wm_get_prop then shows it. From the first call on, filters are fixed.
 * Fails with WM_E_NO_MORE_ITEMS after the last license, with WM_E_NOT_OPEN, or with a store error.
 */
wm_result wm_next_license(struct wm_license_enumerator *enumerator);

/**
 * Creates a decryptor: chooses a stored license that permits the action and opens its key. Reserves nothing, and makes no
 * network call. kid: 16 bytes. action: UTF-8, WM_ACTION_* or another name that a policy has. *out: receives a handle to release.
 * Fails with WM_E_LICENSE_REQUIRED if there is no license, WM_E_LICENSE_OUTOFDATE, WM_E_LICENSE_INCORRECT_RIGHTS if none grants
 * the action, WM_E_LICENSE_NOTENABLED before it begins, WM_E_USED_UP, WM_E_CLOCK, WM_E_LICENSE_APPSECLOW,
 * WM_E_NEEDS_INDIVIDUALIZATION, WM_E_NO_UPLINK_LICENSE if the subscription's root license is missing,
 * WM_E_LICENSE_UNUSABLE, WM_E_NOT_OPEN, WM_E_INVALIDARG, WM_E_BAD_VALUE, or a store error.
 */
wm_result wm_create_decryptor(struct wm_client *client,
                              const uint8_t *kid,
                              const char *action,
                              struct wm_decryptor **out);

/**
 * Decrypts one sample in place. The first one evaluates the license again and commits the use durably, so it alone may take
 * as long as a disk does, and may fail as wm_create_decryptor or with a store error. Nobody else may use the sample's
 * bytes meanwhile. Fails with WM_E_UNSUPPORTED_ALGORITHM for another scheme than cenc, cens, cbc1 and cbcs, with
 * WM_E_INVALID_DATA if the description does not fit the sample, and with WM_E_INVALIDARG. On every failure the sample is
 * as it was.
 */
wm_result wm_decrypt_sample(struct wm_decryptor *decryptor,
                            const struct wm_sample *sample,
                            void *data,
                            size_t size);

/**
 * Creates a backup restorer. callback may be NULL; context is passed to it. *out: receives a handle to release.
 * Fails with WM_E_INVALIDARG for NULL, WM_E_INVALID_HANDLE and WM_E_OUTOFMEMORY.
 */
wm_result wm_create_backup_restorer(struct wm_client *client,
                                    wm_status_callback callback,
                                    void *context,
                                    struct wm_backup_restorer **out);

/**
 * Backs up all licenses that may leave the device to the folder WM_PROP_BACKUP_PATH, in the background. The file is
 * complete or not there; an older backup stays until then. flags: 0 or WM_BACKUP_OVERWRITE.
 * Statuses: WM_STATUS_BACKUPRESTORE_BEGIN, WM_STATUS_RESTRICTED_LICENSE once per license that may not be backed up,
 * WM_STATUS_PROGRESS, and WM_STATUS_BACKUPRESTORE_END once, with 0 (also if licenses were left out), WM_E_BACKUP_EXISTS
 * where there is a backup and the flag is missing, WM_E_OPERATION_CANCELED, WM_E_PATH_NOT_FOUND (also if the folder is
 * gone by the end), WM_E_PATH_READ_ONLY, WM_E_PATH_OCCUPIED, WM_E_PATH_UNUSABLE, WM_E_MEDIUM_FAILED, WM_E_DISK_FULL,
 * or an error of store or keys.
 * Fails at the call with WM_E_INVALIDARG for other flags, WM_E_NOT_OPEN, WM_E_INVALID_PROPERTY while the path is unset,
 * WM_E_BACKUPRESTORE_BUSY, and WM_E_BACKUP_EXISTS without the flag where the system knows it without a look at the medium: the
 * call never waits for one, so the same may come in the final status instead.
 */
wm_result wm_backup_licenses(struct wm_backup_restorer *restorer,
                             uint32_t flags);

/**
 * Restores the backup in the folder WM_PROP_RESTORE_PATH, in the background. The store changes in one step or not at
 * all; counters and revocations are never turned back. flags: 0 or WM_RESTORE_INDIVIDUALIZE.
 * Statuses on the same device, without any network call: WM_STATUS_BACKUPRESTORE_BEGIN, WM_STATUS_PROGRESS,
 * WM_STATUS_BACKUPRESTORE_END. On another device: WM_STATUS_BACKUPRESTORE_CONNECTING, WM_STATUS_NETWORK, WM_STATUS_PROGRESS,
 * WM_STATUS_BACKUPRESTORE_DISCONNECTING, then BEGIN, WM_STATUS_LICENSE_REFUSED for each license left out, with the reason as
 * its result, WM_STATUS_SECTION_CLOSED for sections that stay closed, once for each reason, WM_STATUS_ERROR_WITHURL at most
 * once, with the reason that its page helps with, and PROGRESS, END. Where a refusal holds for a time only, wm_get_error_info
 * tells how long. With WM_RESTORE_INDIVIDUALIZE, WM_STATUS_INDIVIDUALIZE comes before them, the last one with its end as
 * wm_individualize tells it. BEGIN may be missing when END fails.
 * Where the service cannot be asked, for whatever reason, what this device restores without it goes in all the same: the other
 * licenses are told by WM_STATUS_LICENSE_REFUSED and closed sections by WM_STATUS_SECTION_CLOSED, with the result that END has
 * where nothing can be restored, and END comes with WM_S_RESTORE_PARTIAL.
 * END comes once, with 0, WM_S_RESTORE_PARTIAL, WM_E_OPERATION_CANCELED, WM_E_BACKUP_NOT_FOUND, WM_E_BACKUP_CORRUPT,
 * WM_E_BACKUP_TOO_NEW, WM_E_PATH_NOT_FOUND, WM_E_PATH_UNUSABLE, WM_E_PATH_OCCUPIED, WM_E_MEDIUM_FAILED,
 * WM_E_NOT_RESTORABLE, WM_E_NEEDS_INDIVIDUALIZATION,
 * WM_E_RESTORE_FRAUD at the limit of devices, WM_E_BACKUP_RESTORE_BAD_DATA where the service cannot read what the backup
 * holds for it, another refusal, WM_E_RESTORE_SERVICE_UNAVAILABLE, WM_E_BACKUP_RESTORE_TOO_MANY_RESETS where connections break
 * again and again, and the other troubles with a service that wm_individualize names, WM_E_INVALID_PROPERTY where
 * WM_PROP_SERVICE_URL is needed and unset, or an error of store or keys.
 * Fails at the call with WM_E_INVALIDARG for other flags, WM_E_NOT_OPEN, WM_E_INVALID_PROPERTY while the path is unset,
 * and WM_E_BACKUPRESTORE_BUSY.
 */
wm_result wm_restore_licenses(struct wm_backup_restorer *restorer,
                              uint32_t flags);

/**
 * Tells what a restore of the backup in the folder WM_PROP_RESTORE_PATH would do, in the background, and does nothing: the
 * store stays as it is and no device is counted. The service is asked where a restore would ask it.
 * Statuses: WM_STATUS_BACKUPRESTORE_CONNECTING, WM_STATUS_NETWORK and WM_STATUS_BACKUPRESTORE_DISCONNECTING where the service is
 * asked,
 * WM_STATUS_RESTORE_VERDICT once per license (the result is 0, or why it would be left out, as WM_STATUS_LICENSE_REFUSED would
 * tell it), WM_STATUS_SECTION_CLOSED and WM_STATUS_ERROR_WITHURL as there, and WM_STATUS_BACKUPRESTORE_END once: 0 if everything
 * would be restored, WM_S_RESTORE_PARTIAL if not, or a failure of wm_restore_licenses. Where the service cannot be
 * asked although something can be restored without it, the licenses that it decides on have the reason for that as
 * their result: they are undecided.
 * Fails at the call with WM_E_NOT_OPEN, WM_E_INVALID_PROPERTY while the path is unset, and WM_E_BACKUPRESTORE_BUSY.
 */
wm_result wm_preview_restore(struct wm_backup_restorer *restorer);

/**
 * Reads the backup in the folder WM_PROP_RESTORE_PATH to its end, in the background, without a network and without
 * changing anything: every byte must be as it was written and signed, and every key must open. Worth it before an old
 * backup is thrown away.
 * Statuses: WM_STATUS_PROGRESS in bytes, and WM_STATUS_BACKUPRESTORE_END once, with 0, WM_S_BACKUP_CLOSED if a part of it
 * opens elsewhere only and was not looked at, WM_E_BACKUP_NOT_FOUND, WM_E_BACKUP_CORRUPT, WM_E_BACKUP_TOO_NEW,
 * WM_E_PATH_NOT_FOUND, WM_E_PATH_UNUSABLE, WM_E_PATH_OCCUPIED, WM_E_MEDIUM_FAILED, or WM_E_OPERATION_CANCELED.
 * Fails at the call with WM_E_NOT_OPEN, WM_E_INVALID_PROPERTY while the path is unset, and WM_E_BACKUPRESTORE_BUSY.
 */
wm_result wm_verify_backup(struct wm_backup_restorer *restorer);

/**
 * Creates a store keeper. callback may be NULL; context is passed to it. *out: receives a handle to release.
 * Fails with WM_E_INVALIDARG for NULL, WM_E_INVALID_HANDLE and WM_E_OUTOFMEMORY.
 */
wm_result wm_create_store_keeper(struct wm_client *client,
                                 wm_status_callback callback,
                                 void *context,
                                 struct wm_store_keeper **out);

/**
 * Checks the whole store in the background: the database, the signature, key and state of every license, and the codes of
 * all rows. flags: 0 to look only, or WM_CHECK_REPAIR, which makes indexes anew, puts damaged licenses aside (the others
 * stay as they are; acquire or restore those again) and counts as used up what somebody changed from outside. No
 * repair gives a count or a removed license back; after one that found changed rows, older backups need the service for
 * licenses that count or can be revoked.
 * Statuses: WM_STATUS_DAMAGED_LICENSE for each damaged license, WM_STATUS_PROGRESS, and WM_STATUS_STORE_CHECKED once: 0 if
 * the store is sound, WM_S_STORE_REPAIRED if it was not and is, and without the flag WM_E_INVALID_LICENSE if licenses are
 * damaged and WM_E_CHECKPOINT_FAILED if rows were changed. WM_E_DATASTORE_CORRUPT: the file itself is damaged; restore a
 * backup into a new store. Also WM_E_OPERATION_CANCELED (what was repaired stays so), WM_E_DISK_FULL, WM_E_BUSY.
 * Fails at the call with WM_E_INVALIDARG for other flags, WM_E_NOT_OPEN, and WM_E_BUSY while a verb of this object runs.
 */
wm_result wm_check_store(struct wm_store_keeper *keeper,
                         uint32_t flags);

/**
 * Removes licenses that can never be used again (used up, or ended over 30 days ago) and requests that grew too old, and
 * gives their room back to the file system. What was used of them stays known. flags: WM_CLEAN_SYNC, which returns the
 * result when it is over, or WM_CLEAN_ASYNC, which returns at once; exactly one of them.
 * Statuses: WM_STATUS_PROGRESS, and WM_STATUS_STORE_CLEANED once, with 0, WM_E_OPERATION_CANCELED, WM_E_DISK_FULL, WM_E_BUSY or
 * another error of the store. It may be called at any time; once a month is plenty.
 * Fails at the call with WM_E_INVALIDARG for other flags, WM_E_NOT_OPEN, WM_E_BUSY while a verb of this object runs, and
 * WM_E_WOULD_DEADLOCK for WM_CLEAN_SYNC inside the object's own callback.
 */
wm_result wm_clean_license_store(struct wm_store_keeper *keeper,
                                 uint32_t flags);

/**
 * Creates a revocation agent. callback may be NULL; context is passed to it. *out: receives a handle to release.
 * Fails with WM_E_INVALIDARG for NULL, WM_E_INVALID_HANDLE and WM_E_OUTOFMEMORY.
 */
wm_result wm_create_revocation_agent(struct wm_client *client,
                                     wm_status_callback callback,
                                     void *context,
                                     struct wm_revocation_agent **out);

/**
 * Gives the signed challenge that asks the issuer what was taken back, for the application to carry to the service's
 * /v1/revocations. Makes no network call. machine_id: what names the device to its issuer, at most 1024 bytes; NULL with size
 * 0 for the device's own ID, which is what wmlicensed expects.
 * buf NULL with size 0 gives the size; the challenge that is fetched then is the one that was sized. needed_out may be NULL.
 * Fails with WM_E_BUFFER_TOO_SMALL, buffer untouched, WM_E_NEEDS_INDIVIDUALIZATION, WM_E_INVALID_PROPERTY while no service is
 * set, WM_E_SERVICE_UNKNOWN where nothing was ever heard from it, WM_E_REVOCATION_TOO_LONG for a longer machine ID,
 * WM_E_INVALIDARG, WM_E_NOT_OPEN, or an error of store or keys.
 */
wm_result wm_get_lrb_challenge(struct wm_revocation_agent *agent,
                               const void *machine_id,
                               size_t machine_id_size,
                               void *buf,
                               size_t buf_size,
                               size_t *needed_out);

/**
 * Takes a license revocation blob (LRB): removes every license that it takes back, leaves a tombstone for each, and keeps the
 * blob, so that a license which comes later from a service or a backup is left out as well. All of it is one durable
 * commit. ack_buf receives the signed acknowledgement to be sent back; ack_buf NULL with ack_size 0 gives its size. The
 * licenses are removed by whichever call comes first, and the same blob again gives the same acknowledgement, so a buffer that
 * was too small loses nothing.
 * Fails with WM_E_BUFFER_TOO_SMALL; and, the store untouched, with WM_E_INVALID_CRL for what is truncated or malformed,
 * WM_E_REVOCATION_TOO_LONG over 1 MiB, WM_E_REVOCATION_NOT_SIGNED, WM_E_REVOCATION_UNKNOWN_KEY, WM_E_REVOCATION_OTHER_DEVICE,
 * WM_E_REVOCATION_OLDER, WM_E_REVOCATION_CONFLICT, WM_E_REVOCATION_AHEAD, WM_E_NEEDS_INDIVIDUALIZATION, WM_E_INVALIDARG,
 * WM_E_NOT_OPEN, or an error of store or keys.
 */
wm_result wm_process_lrb(struct wm_revocation_agent *agent,
                         const void *lrb,
                         size_t lrb_size,
                         void *ack_buf,
                         size_t ack_size,
                         size_t *needed_out);

/**
 * Asks the service of WM_PROP_SERVICE_URL for its newest status list and for what was taken back from this device, takes both
 * and sends the acknowledgement, in the background.
 * Statuses: WM_STATUS_NETWORK while the service is asked, WM_STATUS_REVOCATIONS_REFRESHED once, with 0,
 * WM_E_OPERATION_CANCELED, the failures that wm_process_lrb names, WM_E_CERTIFICATE_REVOKED or WM_E_APPCERT_REVOKED
 * where the device or the application was revoked, WM_E_REVOCATION_SERVICE_UNAVAILABLE where the service cannot be
 * reached, or another of the troubles with a service that wm_individualize names. What was taken stays taken; calling
 * again goes on from there.
 * Fails at the call with WM_E_NOT_OPEN, WM_E_INVALID_PROPERTY while WM_PROP_SERVICE_URL is missing, and
 * WM_E_REFRESHING_REVOCATIONS while it runs already.
 */
wm_result wm_refresh_revocations(struct wm_revocation_agent *agent);

/**
 * Creates the client's event queue. Objects with a background verb that are created from now on with callback NULL deliver
 * their events to it, in order, with the context given for them; objects that have a callback, or that are older, do
 * not. 1024 events wait at most: an operation that has one more pauses until there is room, it is cancelled, or the
 * queue is released; final statuses always have room. Whoever waits for an operation with wm_wait must see to it that
 * somebody reads. After the queue's release its objects tell nothing. *out: receives a handle to release.
 * Fails with WM_E_INVALIDARG for NULL, WM_E_INVALID_HANDLE, WM_E_OUTOFMEMORY, and WM_E_ALREADY_OPEN while the client has
 * a queue; further queues belong to further clients, which may share the store.
 */
wm_result wm_create_event_queue(struct wm_client *client,
                                struct wm_event_queue **out);

/**
 * Takes the oldest event out of the queue. timeout_ms: 0 asks without waiting, WM_INFINITE waits for ever. event: receives
 * it. The final status of a verb comes when the object is ready for the next one. If the event's result is a
 * failure, its detail becomes that of the calling thread. One thread reads at a time: each call ends the value of the
 * one before.
 * Fails with WM_E_INVALIDARG for NULL or a struct_size that is not set, WM_E_INVALID_HANDLE, WM_E_TIMEOUT if no event
 * came in time, and WM_E_OPERATION_CANCELED if the queue is released meanwhile.
 */
wm_result wm_next_event(struct wm_event_queue *queue,
                        uint32_t timeout_ms,
                        struct wm_event *event);

/**
 * Tells a file descriptor that poll, select or epoll finds readable exactly while events wait. On readable, call
 * wm_next_event with 0 until it answers WM_E_TIMEOUT, or once: the descriptor stays readable while more wait. It is the
 * same each time, belongs to the queue, closes on exec and with the last release; never read, write or close it.
 * Fails with WM_E_INVALIDARG for NULL, WM_E_INVALID_HANDLE, and WM_E_NO_DESCRIPTORS or WM_E_OUTOFMEMORY if the system has
 * none left.
 */
wm_result wm_event_queue_fd(struct wm_event_queue *queue,
                            int *fd_out);

/**
 * Sends all requests of operations that start later through the application's own HTTP stack; NULL goes back to the
 * library's. Which URLs may be asked, the deadline, repetitions, redirects, the types and lengths of answers, and every
 * signature stay the library's matter; TLS and proxies become the application's (WM_PROP_TLS_TRUST, WM_PROP_TLS_CA_PEM and
 * WM_PROP_PROXY have no effect). WM_PROP_OFFLINE_ONLY keeps the callback from being called. The struct is copied. Function
 * and context are used until operations that started before they were replaced, or before the objects of the client
 * were released, are over.
 * Fails with WM_E_INVALIDARG for a NULL client or function or a struct_size that is not set, and WM_E_INVALID_HANDLE.
 */
wm_result wm_set_transport(struct wm_client *client,
                           const struct wm_transport *transport);

/**
 * Tells whether the operation was cancelled, its deadline not included: then the callback gives up and returns
 * WM_E_OPERATION_CANCELED. Fails with WM_E_INVALIDARG for NULL and WM_E_INVALID_HANDLE.
 */
wm_result wm_exchange_cancelled(struct wm_exchange *exchange,
                                bool *cancelled_out);

/**
 * Gives the HTTP status of the answer, 200 to 599. Fails with WM_E_BAD_VALUE for another one, WM_E_OPERATION_CANCELED after
 * the callback has returned, and as wm_exchange_cancelled.
 */
wm_result wm_exchange_set_status(struct wm_exchange *exchange,
                                 uint32_t http_status);

/**
 * Gives one header of the answer; Content-Type, Location, Retry-After and X-Request-Id matter. Headers that say how the
 * connection carried the body are of no concern, Content-Encoding excepted: an encoded body is refused.
 * Fails with WM_E_BAD_VALUE for more than 100 headers or more than 8 KiB in one, and as wm_exchange_set_status.
 */
wm_result wm_exchange_add_header(struct wm_exchange *exchange,
                                 const char *name,
                                 const char *value);

/**
 * Adds bytes to the body of the answer. Fails with WM_E_ANSWER_TOO_LARGE beyond max_body_size, after which the callback
 * stops, and as wm_exchange_set_status.
 */
wm_result wm_exchange_write(struct wm_exchange *exchange,
                            const void *data,
                            size_t size);

/**
 * Gives the application records of what this client does: opening, operations, what they ask of services, uses of licenses,
 * and what of store and keys had to be mended. What came before is not told, so set it before wm_open_client. callback: NULL
 * ends the records. level: WM_LOG_*, the least important that is wanted; without meaning for NULL. When it returns, no
 * call of the former callback runs or comes any more, so its context may go; inside a log callback it does not wait
 * for that. The last release of the client ends the records likewise. Never call it while holding a lock that the log
 * callback needs. There is no other log: the library writes nowhere and sets no logger of the process.
 * Fails with WM_E_INVALIDARG for NULL or another level, and WM_E_INVALID_HANDLE.
 */
wm_result wm_set_log_callback(struct wm_client *client,
                              wm_log_callback callback,
                              void *context,
                              uint32_t level);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* WMLICENSE_H */
