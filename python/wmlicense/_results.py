"""The numbers of results.

Written by generate.py from include/wmlicense.h; do not edit it.
"""

from ._number import Number


class Result(Number):
    """Result of a call or an operation: negative is a failure, others are successes that may tell something."""

    #: Done.
    S_OK = 0x0
    #: Done; the answer is no.
    S_FALSE = 0x1
    #: The license is stored.
    S_LICENSE_ACQUIRED = 0xD2726
    #: The device is individualized.
    S_INDIVIDUALIZED = 0xD2727
    #: The acquisition was cancelled; no license is stored.
    S_ACQUIRE_CANCELLED = 0xD2747
    #: What this device opens of the backup is whole; the rest only its own device or a service can open.
    S_BACKUP_CLOSED = 0xD2A04
    #: The store was damaged and is repaired.
    S_STORE_REPAIRED = 0xD2A01
    #: The service has nothing new for this device.
    S_NOTHING_NEW = 0xD2A02
    #: The device has these licenses already; nothing changed.
    S_LICENSE_KNOWN = 0xD2A07
    #: The monitor was cancelled; no license is stored.
    S_MONITOR_CANCELLED = 0xD2746
    #: Some licenses are restored; statuses told why the others are not.
    S_RESTORE_PARTIAL = 0xD2A00
    #: What came is stored; further pages wait to be fetched with the next challenge.
    S_MORE_TO_FETCH = 0xD2A05
    #: No stored license is to be renewed.
    S_NOTHING_TO_RENEW = 0xD2A03
    #: The system has no memory or thread left.
    E_OUTOFMEMORY = -0x7FF8FFF2
    #: The process or the system has no file descriptor left.
    E_NO_DESCRIPTORS = -0x3FF2D59F
    #: An argument is NULL or out of range.
    E_INVALIDARG = -0x7FF8FFA9
    #: There are no more items.
    E_NO_MORE_ITEMS = -0x7FF8FEFD
    #: The handle was released, is of another type, or never was one.
    E_INVALID_HANDLE = -0x3FF2D600
    #: The process was forked; the library works only in the parent.
    E_FORKED = -0x3FF2D5FF
    #: The operation is still running.
    E_TIMEOUT = -0x3FF2D5FE
    #: Waiting inside the object's own callback would never end.
    E_WOULD_DEADLOCK = -0x3FF2D5FD
    #: No operation was started on this object.
    E_NO_OPERATION = -0x3FF2D5FC
    #: The client is not open.
    E_NOT_OPEN = -0x3FF2D5FB
    #: It is open already, and what is fixed at opening stays as it is.
    E_ALREADY_OPEN = -0x3FF2D5FA
    #: The property has another type.
    E_WRONG_TYPE = -0x3FF2D5F9
    #: The value or its size is not acceptable.
    E_BAD_VALUE = -0x3FF2D5F8
    #: The library made a mistake.
    E_INTERNAL = -0x3FF2D5F7
    #: A required property is not set.
    E_INVALID_PROPERTY = -0x3FF2D8B7
    #: The buffer is too small.
    E_BUFFER_TOO_SMALL = -0x3FF2D8A4
    #: The object has no such property, or it has no value.
    E_UNSUPPORTED_PROPERTY = -0x3FF2D8A3
    #: An operation is running on this object, or another process holds the store.
    E_BUSY = -0x3FF2D7BF
    #: A backup or restore is running on this object.
    E_BACKUPRESTORE_BUSY = -0x3FF2D8BC
    #: An acquisition is running on this object.
    E_ACQUIRING_LICENSE = -0x3FF2D8D5
    #: An individualization is running on this object.
    E_INDIVIDUALIZING = -0x3FF2D8D4
    #: The operation was cancelled; nothing changed.
    E_OPERATION_CANCELED = -0x3FF2D898
    #: The individualization service cannot be reached.
    E_INDIV_SERVICE_UNAVAILABLE = -0x3FF2D7BB
    #: The license management service cannot be reached.
    E_RESTORE_SERVICE_UNAVAILABLE = -0x3FF2D7BA
    #: The license service cannot be reached.
    E_UNABLE_TO_ACQUIRE_LICENSE = -0x3FF2D8E2
    #: Nothing was ever heard from the service; it has to be asked over the network once before.
    E_SERVICE_UNKNOWN = -0x3FF2D5A7
    #: The service is failing or overloaded.
    E_SERVICE_FAILING = -0x3FF2D5DE
    #: The operation's deadline passed.
    E_DEADLINE = -0x3FF2D5DD
    #: The server's TLS certificate is not trusted or not valid.
    E_SERVER_CERTIFICATE = -0x3FF2D5DC
    #: The service belongs to an authority that this client does not trust.
    E_AUTHORITY_NOT_TRUSTED = -0x3FF2D5DB
    #: The service refused the request.
    E_SERVICE_REFUSED = -0x3FF2D5DA
    #: The service's answer cannot be verified.
    E_BAD_ANSWER = -0x3FF2D5D9
    #: The answer was changed after the service signed it.
    E_SIGNATURE_FAILURE = -0x3FF2D7C1
    #: The answer is signed by another service than the one asked.
    E_ANSWER_SIGNER = -0x3FF2D5B4
    #: The service's certificate does not hold at the time of its answer.
    E_LICENSE_CERT_EXPIRED = -0x3FF2D821
    #: The answer belongs to another request.
    E_ANSWER_REPLAYED = -0x3FF2D5BB
    #: The answer or a license in it is for another device.
    E_INVALID_MACHINE = -0x3FF2D8E7
    #: What comes with the answer is not what the service signed.
    E_ANSWER_MANIFEST = -0x3FF2D5BA
    #: A license in the answer is one that this service may not issue.
    E_LICENSE_ISSUER = -0x3FF2D5B9
    #: The answer holds the same license twice.
    E_LICENSE_TWICE = -0x3FF2D5B8
    #: A license that is stored came with other terms.
    E_LICENSE_TERMS = -0x3FF2D5B2
    #: The licenses were given more than 30 days ago.
    E_LICENSE_TOO_OLD = -0x3FF2D594
    #: The licenses were removed from this device for good.
    E_LICENSE_REMOVED = -0x3FF2D593
    #: The licenses are of an issuer that this client does not trust.
    E_ISSUER_NOT_TRUSTED = -0x3FF2D592
    #: The answer holds a license that was not asked for.
    E_LICENSE_UNASKED = -0x3FF2D5B7
    #: The service announces pages that nobody asked for, or without end.
    E_ENDLESS_ANSWER = -0x3FF2D5B6
    #: The certificate in the answer is not the one that this device asked for.
    E_INVALID_CERTIFICATE = -0x3FF2D760
    #: The answer is dated more than a day ahead of the time that services told before.
    E_SERVICE_CLOCK = -0x3FF2D5B5
    #: The URL is malformed, or plain HTTP is not allowed.
    E_URL_NOT_ALLOWED = -0x3FF2D5D8
    #: Something that is not the license service answered.
    E_ERROR_BAD_NET_RESP = -0x3FF2D8A2
    #: The connection to the service broke or fell silent.
    E_CONNECTION_LOST = -0x3FF2D5CD
    #: The proxy cannot be used, cannot be reached, or refuses.
    E_PROXY = -0x3FF2D5CC
    #: The network wants a login on its own page first.
    E_CAPTIVE_PORTAL = -0x3FF2D5CB
    #: The service leads to a place that may not be asked, such as plain HTTP.
    E_REDIRECT_REFUSED = -0x3FF2D5CA
    #: The answer is longer than allowed.
    E_ANSWER_TOO_LARGE = -0x3FF2D5C9
    #: By this device's clock the server's TLS certificate has ended or not begun.
    E_SERVER_CERTIFICATE_DATE = -0x3FF2D5C8
    #: The client is set to work offline.
    E_POLICY_DISABLE_ONLINE = -0x3FF2D89E
    #: The account may not have the license until the user acts.
    E_NO_RIGHTS = -0x3FF2D8E0
    #: The user declined, or did not decide in time.
    E_LICENSE_NOTACQUIRED = -0x3FF2D8A7
    #: The service has no such content.
    E_LICENSE_UNAVAILABLE = -0x3FF2D75E
    #: As many devices as allowed hold the licenses.
    E_RESTORE_FRAUD = -0x3FF2D8AD
    #: The license was revoked.
    E_LICENSE_CONTENT_REVOKED = -0x3FF2D81F
    #: The license has ended.
    E_LICENSE_EXPIRED = -0x3FF2D828
    #: The license belongs to another account.
    E_OTHER_ACCOUNT = -0x3FF2D5D7
    #: The license's policy does not allow this.
    E_NOT_ALLOWED = -0x3FF2D5D6
    #: The account may not have the license.
    E_NOT_ENTITLED = -0x3FF2D5B3
    #: The license was given back to the service.
    E_LICENSE_RETURNED = -0x3FF2D5BC
    #: The service does not manage licenses of this issuer.
    E_UNKNOWN_ISSUER = -0x3FF2D5D5
    #: The challenge was answered without the account that is set: send its token along, as Authorization: Bearer.
    E_ACCOUNT_NOT_PRESENTED = -0x3FF2D5A8
    #: The service needs a valid account token.
    E_ACCOUNT_REQUIRED = -0x3FF2D5D4
    #: The device's certificate was revoked.
    E_CERTIFICATE_REVOKED = -0x3FF2D75F
    #: Too many copies of the device's store asked the service; what counts is refused until the device is
    #: individualized anew.
    E_DEVICE_COPIED = -0x3FF2D5B1
    #: The device has other keys by now; these are the keys of an old copy.
    E_KEY_REPLACED = -0x3FF2D5AD
    #: The device lost the license and got it again as often as a year allows.
    E_GRANTED_TOO_OFTEN = -0x3FF2D5AC
    #: The day's quota of individualizations is used up.
    E_INDIV_FRAUD = -0x3FF2D7BD
    #: The license is damaged.
    E_INVALID_LICENSE = -0x3FF2D8E8
    #: The service's license cannot be verified.
    E_INVALID_LICENSE_ACQUIRED = -0x3FF2D8E1
    #: The content header names no key ID.
    E_INVALID_LICENSE_REQUEST = -0x3FF2D8E4
    #: There is no such pending transaction.
    E_NO_TRANSACTION = -0x3FF2D5D1
    #: The device must be individualized first.
    E_NEEDS_INDIVIDUALIZATION = -0x3FF2D8D8
    #: There is no license for this content.
    E_LICENSE_REQUIRED = -0x3FF2F442
    #: The license has expired.
    E_LICENSE_OUTOFDATE = -0x3FF2F440
    #: The license does not grant this action.
    E_LICENSE_INCORRECT_RIGHTS = -0x3FF2F43F
    #: The license has a condition that this version does not know.
    E_NEED_UPGRADE_PD = -0x3FF2D7C2
    #: The license is not yet valid.
    E_LICENSE_NOTENABLED = -0x3FF2D827
    #: The application's security level is too low.
    E_LICENSE_APPSECLOW = -0x3FF2D826
    #: The license lost its state and cannot be used.
    E_LICENSE_UNUSABLE = -0x3FF2D8B8
    #: The root license of the subscription is missing.
    E_NO_UPLINK_LICENSE = -0x3FF2D7B8
    #: The subscription has ended.
    E_SUBSCRIPTION_ENDED = -0x3FF2D5C6
    #: The license demands a newer status list.
    E_RIV_TOO_SMALL = -0x3FF2D749
    #: The key that signed the license was revoked.
    E_ISSUER_REVOKED = -0x3FF2D5C5
    #: Not a revocation or status list: truncated or malformed.
    E_INVALID_CRL = -0x3FF2D74F
    #: A signature of the revocation or status list does not verify.
    E_REVOCATION_NOT_SIGNED = -0x3FF2D5C4
    #: No license and no trusted service names the key that signed the revocation.
    E_REVOCATION_UNKNOWN_KEY = -0x3FF2D5C3
    #: A newer revocation is kept already.
    E_REVOCATION_OLDER = -0x3FF2D5C2
    #: The revocation is for another device.
    E_REVOCATION_OTHER_DEVICE = -0x3FF2D5C1
    #: Another revocation of the same number is kept already.
    E_REVOCATION_CONFLICT = -0x3FF2D5C0
    #: The revocation is more than a day ahead of this device's clock.
    E_REVOCATION_AHEAD = -0x3FF2D5BF
    #: The revocation or machine ID is longer than it may be.
    E_REVOCATION_TOO_LONG = -0x3FF2D5BE
    #: The revocation agent is refreshing already.
    E_REFRESHING_REVOCATIONS = -0x3FF2D5BD
    #: The issuer of revocations cannot be reached.
    E_REVOCATION_SERVICE_UNAVAILABLE = -0x3FF2D598
    #: The application was revoked.
    E_APPCERT_REVOKED = -0x3FF2D8AE
    #: All uses of the license are used up.
    E_USED_UP = -0x3FF2D5F0
    #: The clock cannot be trusted, and the license has dates.
    E_CLOCK = -0x3FF2D5EF
    #: A backup exists at this place already.
    E_BACKUP_EXISTS = -0x3FF2D8BE
    #: The backup is truncated, changed, or not a backup.
    E_BACKUP_CORRUPT = -0x3FF2D8BD
    #: The service cannot read what the backup holds for it.
    E_BACKUP_RESTORE_BAD_DATA = -0x3FF2D8BB
    #: The connection to the license management service broke again and again.
    E_BACKUP_RESTORE_TOO_MANY_RESETS = -0x3FF2D89A
    #: There is no backup at this place.
    E_BACKUP_NOT_FOUND = -0x3FF2D5E0
    #: The file or folder cannot be used.
    E_PATH_UNUSABLE = -0x3FF2D5DF
    #: The file or folder does not exist.
    E_PATH_NOT_FOUND = -0x3FF2D5D0
    #: The place may not be written.
    E_PATH_READ_ONLY = -0x3FF2D5B0
    #: Something that is not a file has the backup's name.
    E_PATH_OCCUPIED = -0x3FF2D5AF
    #: The medium failed, or was taken out.
    E_MEDIUM_FAILED = -0x3FF2D5AE
    #: No space is left at the place.
    E_DISK_FULL = -0x3FF2D5D2
    #: The backup was written by a later version.
    E_BACKUP_TOO_NEW = -0x3FF2D5CF
    #: No service can restore this backup on another device.
    E_NOT_RESTORABLE = -0x3FF2D5CE
    #: The license store could not be read or written.
    E_LICENSE_STORE_ERROR = -0x3FF2D8EE
    #: The license store cannot be opened.
    E_UNABLE_TO_OPEN_DATA_STORE = -0x3FF2D87E
    #: The license store may not be written; what needs no write still works.
    E_STORE_READ_ONLY = -0x3FF2D5A0
    #: The license store is damaged, or not a license store.
    E_DATASTORE_CORRUPT = -0x3FF2D87D
    #: The license store was written by a later version.
    E_STORE_TOO_NEW = -0x3FF2D5D3
    #: The key file belongs to another license store.
    E_HDS_KEY_MISMATCH = -0x3FF2D867
    #: The license store was changed from outside the library.
    E_CHECKPOINT_FAILED = -0x3FF2D881
    #: The device key file is damaged.
    E_SECURE_STORE_ERROR = -0x3FF2D8ED
    #: The device key file is missing.
    E_SECURE_STORE_NOT_FOUND = -0x3FF2D8B6
    #: The device's keys cannot be read, made or used.
    E_SECURE_STORE_UNLOCK_ERROR = -0x3FF2D8EB
    #: The content header is malformed or of an unknown kind.
    E_MALFORMED_CONTENT_HEADER = -0x3FF2D864
    #: The content header has a version that is not known.
    E_CONTENT_HEADER_TOO_NEW = -0x3FF2D5C7
    #: The protection scheme is not supported.
    E_UNSUPPORTED_ALGORITHM = -0x3FF2D7B3
    #: The sample's description contradicts itself or its data.
    E_INVALID_DATA = -0x3FF2D89F
