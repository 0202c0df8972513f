//! Names of actions. Policies may have others; these are the ones that the field knows.

/// Play.
pub const PLAY: &str = "Play";
/// Copy to a device.
pub const COPY: &str = "Copy";
/// Burn to a CD as part of a playlist.
pub const PLAYLIST_BURN: &str = "PlaylistBurn";
/// Burn to an audio CD.
pub const PRINT_REDBOOK: &str = "Print.redbook";
/// Copy to an SDMI device.
pub const TRANSFER_SDMI: &str = "Transfer.SDMI";
/// Copy to another device.
pub const TRANSFER_NONSDMI: &str = "Transfer.NONSDMI";
/// Make a thumbnail of a picture.
pub const CREATE_THUMBNAIL_IMAGE: &str = "CreateThumbnailImage";
/// Play together with others over a network.
pub const COLLABORATIVE_PLAY: &str = "CollaborativePlay";
/// Take into a backup. Not among a policy's actions: the policy itself says so.
pub const BACKUP: &str = "Backup";

const KNOWN: [&str; 9] = [
    PLAY,
    COPY,
    PLAYLIST_BURN,
    PRINT_REDBOOK,
    TRANSFER_SDMI,
    TRANSFER_NONSDMI,
    CREATE_THUMBNAIL_IMAGE,
    COLLABORATIVE_PLAY,
    BACKUP,
];

/// In front of an action where it is asked for as a property.
const PREFIX: &str = "ActionAllowed.";

/// The name that policies have for what an application calls an action: known ones in any case, and each with or without
/// `ActionAllowed.` in front. Other names are case-sensitive.
pub fn action_name(text: &str) -> &str {
    let bare = match text.split_at_checked(PREFIX.len()) {
        Some((prefix, bare)) if prefix.eq_ignore_ascii_case(PREFIX) => bare,
        _ => text,
    };
    KNOWN.into_iter().find(|known| known.eq_ignore_ascii_case(bare)).unwrap_or(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_action_is_known_however_it_is_written() {
        for text in ["Play", "play", "PLAY", "ActionAllowed.Play", "actionallowed.play"] {
            assert_eq!(action_name(text), PLAY, "{text}");
        }
        assert_eq!(action_name("ActionAllowed.Print.Redbook"), PRINT_REDBOOK);
        assert_eq!(action_name("transfer.nonsdmi"), TRANSFER_NONSDMI);
    }

    #[test]
    fn another_name_stays_as_it_is() {
        for text in [
            "",
            "org.example.Karaoke",
            "playback",
            "ActionAllowed",
            "Play.",
            "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}x",
        ] {
            assert_eq!(action_name(text), text);
        }
        assert_eq!(action_name("ActionAllowed.org.example.Karaoke"), "org.example.Karaoke");
        assert_eq!(action_name("ActionAllowed."), "");
    }
}
