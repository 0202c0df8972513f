//! The place behind a row of a list as a text that the owner hands back: the key of the row, which stays where it is whatever is
//! added or removed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use wmlicense_wire::id::Id;

/// What rows are ordered by, as bytes.
pub(crate) trait Key: Sized {
    /// Appends it.
    fn write(&self, bytes: &mut Vec<u8>);
    /// Takes it from the front.
    fn read(bytes: &mut &[u8]) -> Option<Self>;
}

/// The text of a key of the list of this name.
pub(crate) fn to_text(list: &str, key: &impl Key) -> String {
    let mut bytes = Vec::new();
    key.write(&mut bytes);
    format!("{list}.{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// The key in a text; none if it is not one of this list.
pub(crate) fn from_text<K: Key>(list: &str, text: &str) -> Option<K> {
    let (of, text) = text.split_once('.')?;
    let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|_| of == list)?;
    let mut rest = bytes.as_slice();
    K::read(&mut rest).filter(|_| rest.is_empty())
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (front, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*front)
}

impl<const N: usize> Key for [u8; N] {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self);
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        take(bytes)
    }
}

impl<const N: usize, K> Key for Id<N, K> {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self.as_bytes());
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        take(bytes).map(Self::new)
    }
}

impl Key for i64 {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_be_bytes());
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        take(bytes).map(Self::from_be_bytes)
    }
}

impl Key for u64 {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_be_bytes());
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        take(bytes).map(Self::from_be_bytes)
    }
}

impl Key for String {
    fn write(&self, bytes: &mut Vec<u8>) {
        (self.len() as u64).write(bytes);
        bytes.extend_from_slice(self.as_bytes());
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        let length = usize::try_from(u64::read(bytes)?).ok()?;
        let (front, rest) = bytes.split_at_checked(length)?;
        *bytes = rest;
        std::str::from_utf8(front).ok().map(str::to_owned)
    }
}

impl<A: Key, B: Key> Key for (A, B) {
    fn write(&self, bytes: &mut Vec<u8>) {
        self.0.write(bytes);
        self.1.write(bytes);
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        Some((A::read(bytes)?, B::read(bytes)?))
    }
}

impl<A: Key, B: Key, C: Key> Key for (A, B, C) {
    fn write(&self, bytes: &mut Vec<u8>) {
        self.0.write(bytes);
        self.1.write(bytes);
        self.2.write(bytes);
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        Some((A::read(bytes)?, B::read(bytes)?, C::read(bytes)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wmlicense_wire::id::{DeviceId, Lid, UserId};

    #[test]
    fn a_cursor_brings_its_key_back_to_its_own_list_only() {
        let key = (-7_i64, Lid::new([1; 16]), DeviceId::new([2; 16]));
        let text = to_text("license", &key);
        assert!(from_text::<(i64, Lid, DeviceId)>("license", &text) == Some(key));
        assert!(from_text::<(i64, Lid, DeviceId)>("restore", &text).is_none());
        let key = ("Zoë".to_owned(), UserId::new([3; 16]));
        let text = to_text("account", &key);
        assert!(from_text::<(String, UserId)>("account", &text) == Some(key));
        for bad in ["", "account", "account.", "account.%", &text[..text.len() - 2], &format!("{text}AAAA")] {
            assert!(from_text::<(String, UserId)>("account", bad).is_none(), "{bad}");
        }
        let long = to_text("account", &(u64::MAX, 1_u64));
        assert!(from_text::<String>("account", &long).is_none(), "a length beyond its bytes");
    }
}
