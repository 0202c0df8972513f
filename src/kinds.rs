//! Kinds of failures and what helps against them, by the names of the header. What each of them is, the core says.

use crate::lists::named;
pub use wmlicense_core::failure::{Category, Remedy};

named! {
    /// Values of wm_error_info::category.
    CATEGORIES = "WM_CATEGORY_" of Category;
    NONE = None, "No failure";
    CALL = Call, "The call was wrong: a mistake of the application";
    STATE = State, "The object cannot do this at present";
    NETWORK = Network, "The network, or what answered in place of the service";
    SERVICE = Service, "The service failed or refused the request as such";
    TRUST = Trust, "Somebody's signature or certificate does not hold";
    REFUSED = Refused, "The service decided against it";
    RIGHTS = Rights, "A stored license does not permit it";
    STORAGE = Storage, "Files and folders";
    CONTENT = Content, "The media file or sample";
    CANCELLED = Cancelled, "The application cancelled";
    INTERNAL = Internal, "The library or the system failed";
}

named! {
    /// Values of wm_error_info::remedy.
    REMEDIES = "WM_REMEDY_" of Remedy;
    NONE = None, "Nothing known";
    RETRY = Retry, "The same again, after retry_after_ms if that is not 0";
    GO_ONLINE = GoOnline, "A network connection";
    SET_CLOCK = SetClock, "Setting the clock";
    INDIVIDUALIZE = Individualize, "Individualizing the device";
    REACQUIRE = Reacquire, "Acquiring the license again";
    CONTACT_ISSUER = ContactIssuer, "The content's owner";
    FREE_DEVICE = FreeDevice, "Giving up the licenses on another device";
    CHOOSE_PLACE = ChoosePlace, "Another file or folder";
    FREE_SPACE = FreeSpace, "Space on the disk";
    SIGN_IN = SignIn, "Signing in, with the right account";
    OPEN_URL = OpenUrl, "The page whose URL came with the status";
    UPDATE = Update, "A newer version of the application";
    RESTORE_BACKUP = RestoreBackup, "Restoring a backup";
    FIX_CALL = FixCall, "A correction in the application's code";
    NETWORK_SIGN_IN = NetworkSignIn, "Signing in to the network, on the page that any web address shows in a browser";
    CHECK_PROXY = CheckProxy, "Another proxy, or none";
    INDIVIDUALIZE_ANEW = IndividualizeAnew, "Individualizing the device anew, with WM_INDIVIDUALIZE_FORCE";
    RENEW = Renew, "More time or uses from the content's owner: a renewal, or buying it again. Asking for the same license changes nothing";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_the_order_of_their_values() {
        for list in [CATEGORIES, REMEDIES] {
            assert!(list.iter().map(|row| row.value).eq(0..list.len() as i64));
        }
    }
}
