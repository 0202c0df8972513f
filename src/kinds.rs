//! Kinds of failures and what helps against them, by the names of the header. What each of them is, the core says.

pub use wmlicense_core::failure::{Category, Remedy};

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
