//! What a section's content key opens: the keys of its records and of its pages, derived once a section.

use super::RecordKey;
use super::page::SectionPageKeys;
use crate::aead::SecretKey;

/// The keys that come of a section's content key.
pub struct ContentKeys {
    /// Of its records.
    pub records: RecordKey,
    /// Of its pages.
    pub pages: SectionPageKeys,
}

impl ContentKeys {
    /// The keys of the section with this content key.
    pub fn of(content: &SecretKey) -> Self {
        Self { records: RecordKey::of(content), pages: SectionPageKeys::of(content) }
    }
}
