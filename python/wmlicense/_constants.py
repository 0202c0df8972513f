"""Kinds, remedies, statuses and the other numbers that applications see.

Written by generate.py from include/wmlicense.h; do not edit it.
"""

from enum import IntFlag

from ._number import Number


class Category(Number):
    """Kind of a failure."""

    #: No failure.
    NONE = 0x0
    #: The call was wrong: a mistake of the application.
    CALL = 0x1
    #: The object cannot do this at present.
    STATE = 0x2
    #: The network, or what answered in place of the service.
    NETWORK = 0x3
    #: The service failed or refused the request as such.
    SERVICE = 0x4
    #: Somebody's signature or certificate does not hold.
    TRUST = 0x5
    #: The service decided against it.
    REFUSED = 0x6
    #: A stored license does not permit it.
    RIGHTS = 0x7
    #: Files and folders.
    STORAGE = 0x8
    #: The media file or sample.
    CONTENT = 0x9
    #: The application cancelled.
    CANCELLED = 0xA
    #: The library or the system failed.
    INTERNAL = 0xB


class Remedy(Number):
    """What helps against a failure: what a user interface switches on."""

    #: Nothing known.
    NONE = 0x0
    #: The same again, after retry_after_ms if that is not 0.
    RETRY = 0x1
    #: A network connection.
    GO_ONLINE = 0x2
    #: Setting the clock.
    SET_CLOCK = 0x3
    #: Individualizing the device.
    INDIVIDUALIZE = 0x4
    #: Acquiring the license again.
    REACQUIRE = 0x5
    #: The content's owner.
    CONTACT_ISSUER = 0x6
    #: Giving up the licenses on another device.
    FREE_DEVICE = 0x7
    #: Another file or folder.
    CHOOSE_PLACE = 0x8
    #: Space on the disk.
    FREE_SPACE = 0x9
    #: Signing in, with the right account.
    SIGN_IN = 0xA
    #: The page whose URL came with the status.
    OPEN_URL = 0xB
    #: A newer version of the application.
    UPDATE = 0xC
    #: Restoring a backup.
    RESTORE_BACKUP = 0xD
    #: A correction in the application's code.
    FIX_CALL = 0xE
    #: Signing in to the network, on the page that any web address shows in a browser.
    NETWORK_SIGN_IN = 0xF
    #: Another proxy, or none.
    CHECK_PROXY = 0x10
    #: Individualizing the device anew, with WM_INDIVIDUALIZE_FORCE.
    INDIVIDUALIZE_ANEW = 0x11
    #: More time or uses from the content's owner: a renewal, or buying it again. Asking for the same license
    #: changes nothing.
    RENEW = 0x12


class Status(Number):
    """What an event tells."""

    #: Licenses are being written or read from here on.
    BACKUPRESTORE_BEGIN = 0x15
    #: Final status of an acquisition; STRING, a URL, where the user must act.
    ACQUIRE_LICENSE = 0x17
    #: Progress and end of an individualization, also of one within another operation; BINARY,
    #: wm_individualize_progress.
    INDIVIDUALIZE = 0x18
    #: The device must be individualized first.
    NEEDS_INDIVIDUALIZATION = 0x19
    #: Final status of a backup or restore.
    BACKUPRESTORE_END = 0x1B
    #: The license management service is being asked.
    BACKUPRESTORE_CONNECTING = 0x1C
    #: The license management service has answered everything.
    BACKUPRESTORE_DISCONNECTING = 0x1D
    #: Something is refused, the result says why: as many devices as allowed hold it, where that is among the
    #: reasons; STRING, the URL of a page that helps.
    ERROR_WITHURL = 0x1E
    #: A license may not be backed up; STRING, its key ID in base64.
    RESTRICTED_LICENSE = 0x1F
    #: How far the operation is; BINARY, wm_progress. At most every 100 ms, and the last one always.
    PROGRESS = 0x1000
    #: A license is left out, the result says why; STRING, its key ID in base64.
    LICENSE_REFUSED = 0x1001
    #: What a restore would do with a license, 0 or why it would be left out; BINARY, wm_restore_verdict.
    RESTORE_VERDICT = 0x1002
    #: Final status of a check of the store.
    STORE_CHECKED = 0x1003
    #: Final status of a cleaning of the store.
    STORE_CLEANED = 0x1004
    #: A check found a license that cannot be used, the result says why; STRING, its key ID in base64.
    DAMAGED_LICENSE = 0x1005
    #: The owner wants a stored license to be renewed by now; STRING, its key ID in base64.
    RENEWAL_DUE = 0x1006
    #: Final status of a refresh of revocations.
    REVOCATIONS_REFRESHED = 0x1007
    #: How far a request to a service is, of every verb that asks one; BINARY, wm_network_progress. At every change
    #: of phase, attempt or host, else at most every 100 ms.
    NETWORK = 0x1008
    #: Sections of a backup stay closed, the result says why; BINARY, wm_section_closed. Once for each reason.
    SECTION_CLOSED = 0x1009
    #: An answer was decided for nobody although an account is set: its token did not travel with the challenge, and
    #: what only the account may have is missing. The result is WM_E_ACCOUNT_NOT_PRESENTED.
    ACCOUNT_NOT_PRESENTED = 0x100B


class Reason(IntFlag):
    """Why an action is not permitted; 0 where it is."""

    #: The action is not permitted; set with every other bit.
    NOT_ENABLED = 0x1
    #: There is no license for the key ID.
    NO_LICENSE = 0x2
    #: No license grants the action.
    NO_RIGHT = 0x4
    #: All uses are used up.
    EXHAUSTED = 0x8
    #: The right has ended.
    EXPIRED = 0x10
    #: The right has not begun.
    NOT_STARTED = 0x20
    #: The application's security level is too low.
    APPSEC_TOO_LOW = 0x40
    #: The device must be individualized again.
    REQ_INDIV = 0x80
    #: The clock cannot be trusted, and the right has dates.
    NO_CLOCK_SUPPORT = 0x400
    #: The root license of the subscription is missing, or has ended where WM_REASON_EXPIRED is set too.
    ROOT_MISSING = 0x2000
    #: The license lost its state.
    STATE_LOST = 0x4000
    #: The key that signed the license, the device, or the application was revoked.
    REVOKED = 0x8000
    #: The license demands a newer status list; see wm_refresh_revocations.
    STATUS_LIST = 0x10000
    #: The right has a condition that this version does not know.
    UNKNOWN_CONDITION = 0x20000


class LicenseStateCategory(Number):
    """What limits an action."""

    #: Not permitted, now or later; wm_query_action_allowed tells why.
    NORIGHT = 0x0
    #: Permitted without limit.
    UNLIM = 0x1
    #: counts[0] uses left.
    COUNT = 0x2
    #: From dates[0] on.
    FROM = 0x3
    #: Until dates[0].
    UNTIL = 0x4
    #: From dates[0] until dates[1].
    FROM_UNTIL = 0x5
    #: counts[0] uses from dates[0] on.
    COUNT_FROM = 0x6
    #: counts[0] uses until dates[0].
    COUNT_UNTIL = 0x7
    #: counts[0] uses from dates[0] until dates[1].
    COUNT_FROM_UNTIL = 0x8
    #: seconds_after_first_use from the first use on, which did not happen yet; counts and dates apply as well.
    EXPIRATION_AFTER_FIRSTUSE = 0x9


class ClockVerdict(Number):
    """What the clock is worth for licenses with dates."""

    #: A service told the time since the system started; the wall clock does not matter.
    GOOD = 0x0
    #: Nothing speaks for the wall clock or against it; licenses follow it.
    UNKNOWN = 0x1
    #: The wall clock is behind what is known to have passed; licenses with dates wait until it is set right, or
    #: until one contact with a service.
    BEHIND = 0x2
    #: The wall clock is over 30 days ahead of what is known; licenses may seem to have ended until it is set right,
    #: or until one contact with a service.
    AHEAD = 0x3


class IndividualizePhase(Number):
    """How far an individualization is."""

    #: The device's keys are being made.
    BEGIN = 0x1
    #: Over: the device has its certificate.
    SUCCEED = 0x2
    #: Over: the result says why not.
    FAIL = 0x4
    #: Over: it was cancelled.
    CANCEL = 0x8
    #: The service is being asked.
    DOWNLOAD = 0x10
    #: The certificate is being stored.
    INSTALL = 0x20


class HttpPhase(Number):
    """How far a request to a service is."""

    #: No request yet, or the next attempt is waited for.
    NOTINITIATED = 0x0
    #: Connecting.
    CONNECTING = 0x1
    #: Sending the request and waiting.
    REQUESTING = 0x2
    #: Receiving the answer.
    RECEIVING = 0x3
    #: Received.
    COMPLETED = 0x4


class Scheme(Number):
    """How samples are encrypted: the four-character code as a number."""

    #: wm_sample::scheme: AES-CTR.
    CENC = 0x63656E63
    #: wm_sample::scheme: AES-CTR with a pattern.
    CENS = 0x63656E73
    #: wm_sample::scheme: AES-CBC.
    CBC1 = 0x63626331
    #: wm_sample::scheme: AES-CBC with a pattern.
    CBCS = 0x63626373


class KidForm(Number):
    """How a key ID is written as text."""

    #: wm_kid_to_text: 24 characters, as in properties and statuses.
    BASE64 = 0x1
    #: wm_kid_to_text: 32 digits.
    HEX = 0x2
    #: wm_kid_to_text: 36 characters, five groups with hyphens between.
    UUID = 0x3


class Action:
    """Names of actions; policies may have others, which are plain text as well."""

    #: Play.
    PLAY = "Play"
    #: Copy to a device.
    COPY = "Copy"
    #: Burn to a CD as part of a playlist.
    PLAYLIST_BURN = "PlaylistBurn"
    #: Burn to an audio CD.
    PRINT_REDBOOK = "Print.redbook"
    #: Copy to a device that obeys SDMI.
    TRANSFER_SDMI = "Transfer.SDMI"
    #: Copy to a device that does not obey SDMI.
    TRANSFER_NONSDMI = "Transfer.NONSDMI"
    #: Make a thumbnail of a picture.
    CREATE_THUMBNAIL_IMAGE = "CreateThumbnailImage"
    #: Play together with others over a network.
    COLLABORATIVE_PLAY = "CollaborativePlay"
    #: Go into a backup: a question to wm_query_*, which the policy itself answers.
    BACKUP = "Backup"
