//! Kinds of failures and what helps against them, by number and name.

/// Kind of a failure, for statistics and logs. Values of `wm_error_info::category`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// No failure.
    None = 0,
    /// The call was wrong: a mistake of the application.
    Call = 1,
    /// The object cannot do this at present.
    State = 2,
    /// The network, or what answered in place of the service.
    Network = 3,
    /// The service failed or refused the request as such.
    Service = 4,
    /// Somebody's signature or certificate does not hold.
    Trust = 5,
    /// The service decided against it.
    Refused = 6,
    /// A stored license does not permit it.
    Rights = 7,
    /// Files and folders.
    Storage = 8,
    /// The media file or sample.
    Content = 9,
    /// The application cancelled.
    Cancelled = 10,
    /// The library or the system failed.
    Internal = 11,
}

/// What helps against a failure, for the application to switch on. Values of `wm_error_info::remedy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing known.
    None = 0,
    /// The same again, after `retry_after_ms` if that is not 0.
    Retry = 1,
    /// A network connection.
    GoOnline = 2,
    /// Setting the clock.
    SetClock = 3,
    /// Individualizing the device.
    Individualize = 4,
    /// Acquiring the license again.
    Reacquire = 5,
    /// The content's owner.
    ContactIssuer = 6,
    /// Giving up the licenses on another device.
    FreeDevice = 7,
    /// Another file or folder.
    ChoosePlace = 8,
    /// Space on the disk.
    FreeSpace = 9,
    /// Signing in, with the right account.
    SignIn = 10,
    /// The page whose URL came with the status.
    OpenUrl = 11,
    /// A newer version of the application.
    Update = 12,
    /// Restoring a backup.
    RestoreBackup = 13,
    /// A correction in the application's code.
    FixCall = 14,
    /// Signing in to the network, on the page that any web address shows in a browser.
    NetworkSignIn = 15,
    /// Another proxy, or none.
    CheckProxy = 16,
    /// Individualizing the device anew, with `WM_INDIVIDUALIZE_FORCE`.
    IndividualizeAnew = 17,
    /// More time or uses from the content's owner: a renewal, or buying it again. Asking for the same license changes nothing.
    Renew = 18,
}

/// Names of the categories in the header, in the order of their values.
pub const CATEGORIES: &[(&str, Category)] = &[
    ("WM_CATEGORY_NONE", Category::None),
    ("WM_CATEGORY_CALL", Category::Call),
    ("WM_CATEGORY_STATE", Category::State),
    ("WM_CATEGORY_NETWORK", Category::Network),
    ("WM_CATEGORY_SERVICE", Category::Service),
    ("WM_CATEGORY_TRUST", Category::Trust),
    ("WM_CATEGORY_REFUSED", Category::Refused),
    ("WM_CATEGORY_RIGHTS", Category::Rights),
    ("WM_CATEGORY_STORAGE", Category::Storage),
    ("WM_CATEGORY_CONTENT", Category::Content),
    ("WM_CATEGORY_CANCELLED", Category::Cancelled),
    ("WM_CATEGORY_INTERNAL", Category::Internal),
];

/// Names of the remedies in the header, in the order of their values.
pub const REMEDIES: &[(&str, Remedy)] = &[
    ("WM_REMEDY_NONE", Remedy::None),
    ("WM_REMEDY_RETRY", Remedy::Retry),
    ("WM_REMEDY_GO_ONLINE", Remedy::GoOnline),
    ("WM_REMEDY_SET_CLOCK", Remedy::SetClock),
    ("WM_REMEDY_INDIVIDUALIZE", Remedy::Individualize),
    ("WM_REMEDY_REACQUIRE", Remedy::Reacquire),
    ("WM_REMEDY_CONTACT_ISSUER", Remedy::ContactIssuer),
    ("WM_REMEDY_FREE_DEVICE", Remedy::FreeDevice),
    ("WM_REMEDY_CHOOSE_PLACE", Remedy::ChoosePlace),
    ("WM_REMEDY_FREE_SPACE", Remedy::FreeSpace),
    ("WM_REMEDY_SIGN_IN", Remedy::SignIn),
    ("WM_REMEDY_OPEN_URL", Remedy::OpenUrl),
    ("WM_REMEDY_UPDATE", Remedy::Update),
    ("WM_REMEDY_RESTORE_BACKUP", Remedy::RestoreBackup),
    ("WM_REMEDY_FIX_CALL", Remedy::FixCall),
    ("WM_REMEDY_NETWORK_SIGN_IN", Remedy::NetworkSignIn),
    ("WM_REMEDY_CHECK_PROXY", Remedy::CheckProxy),
    ("WM_REMEDY_INDIVIDUALIZE_ANEW", Remedy::IndividualizeAnew),
    ("WM_REMEDY_RENEW", Remedy::Renew),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_the_order_of_their_values() {
        for (place, (name, category)) in CATEGORIES.iter().enumerate() {
            assert_eq!(*category as usize, place, "{name}");
        }
        for (place, (name, remedy)) in REMEDIES.iter().enumerate() {
            assert_eq!(*remedy as usize, place, "{name}");
        }
    }
}
