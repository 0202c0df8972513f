//! Fixed-length identifiers and digests. Each is its own type, so that a key ID can never stand where a license ID is meant.

use aws_lc_rs::digest;
use std::fmt;

/// An identifier could not be read from text or bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdError {
    /// The text or bytes have another length than the identifier.
    #[error("an identifier has {expected} bytes, not {found}")]
    Length {
        /// Bytes the identifier has.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// The text is not in the encoding asked for.
    #[error("not a valid hexadecimal or base64 text")]
    Encoding,
}

/// `N` bytes that name something. Shown as lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id<const N: usize, Kind> {
    bytes: [u8; N],
    kind: std::marker::PhantomData<fn() -> Kind>,
}

/// Kinds of identifiers; none of them has a value.
pub mod kind {
    /// Names a content key.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Key {}
    /// Names a license.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum License {}
    /// Names a service role under one authority.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Service {}
    /// Names a device at one authority.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Device {}
    /// Names a transaction between a device and a service.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Transaction {}
    /// Names an account as the service gave it to the client.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum User {}
    /// Names a backup.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Backup {}
    /// Names a license store.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Store {}
    /// Names the newest contact of a device with a service.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Epoch {}
    /// A SHA-256 digest.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Digest {}
    /// The hash of a public key or key pair that signs: a signer ID.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Signer {}
}

/// Key ID: 16 bytes in the byte order of the UUID text.
pub type Kid = Id<16, kind::Key>;
/// License ID: 16 bytes from the issuer, of which enough are random that none comes twice.
pub type Lid = Id<16, kind::License>;
/// Service ID: derived from the authority certificate and the service's name.
pub type ServiceId = Id<16, kind::Service>;
/// Device ID: 16 random bytes from the individualization service.
pub type DeviceId = Id<16, kind::Device>;
/// Transaction ID: 16 random bytes from the client.
pub type TransactionId = Id<16, kind::Transaction>;
/// User ID: 16 random bytes that a service gave to an account.
pub type UserId = Id<16, kind::User>;
/// Backup ID: 16 random bytes.
pub type BackupId = Id<16, kind::Backup>;
/// Store ID: 16 random bytes.
pub type StoreId = Id<16, kind::Store>;
/// Epoch: 16 random bytes.
pub type Epoch = Id<16, kind::Epoch>;
/// SHA-256 digest of bytes.
pub type Digest = Id<32, kind::Digest>;
/// Signer ID of an authority, service or revocation key; for a device it is the device thumbprint.
pub type SignerId = Id<32, kind::Signer>;

impl<const N: usize, Kind> Id<N, Kind> {
    /// Bytes in the identifier.
    pub const LEN: usize = N;

    /// The identifier with these bytes.
    pub const fn new(bytes: [u8; N]) -> Self {
        Self { bytes, kind: std::marker::PhantomData }
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; N] {
        &self.bytes
    }

    /// Reads exactly `N` bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, ParseIdError> {
        let array = bytes.try_into().map_err(|_| ParseIdError::Length { expected: N, found: bytes.len() })?;
        Ok(Self::new(array))
    }

    /// Random bytes from the system.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; N];
        getrandom::fill(&mut bytes)?;
        Ok(Self::new(bytes))
    }

    /// Standard base64 with padding, the form of properties and statuses.
    pub fn to_base64(&self) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(self.bytes)
    }

    /// Reads standard base64, padded or not.
    pub fn from_base64(text: &str) -> Result<Self, ParseIdError> {
        use base64::Engine as _;
        let bytes = base64::engine::general_purpose::STANDARD_NO_PAD
            .decode(text.trim_end_matches('='))
            .map_err(|_| ParseIdError::Encoding)?;
        Self::from_slice(&bytes)
    }

    /// Lower-case hexadecimal.
    pub fn to_hex(&self) -> String {
        self.bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Reads hexadecimal of either case; hyphens are skipped, so a UUID is read as well.
    pub fn from_hex(text: &str) -> Result<Self, ParseIdError> {
        let digits: Vec<u32> = text
            .chars()
            .filter(|c| *c != '-')
            .map(|c| c.to_digit(16))
            .collect::<Option<_>>()
            .ok_or(ParseIdError::Encoding)?;
        if digits.len() != 2 * N {
            return Err(ParseIdError::Length { expected: N, found: digits.len() / 2 });
        }
        let mut bytes = [0; N];
        for (byte, [high, low]) in bytes.iter_mut().zip(digits.as_chunks().0) {
            *byte = (high * 16 + low) as u8;
        }
        Ok(Self::new(bytes))
    }
}

impl Digest {
    /// SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_parts(&[bytes])
    }

    /// SHA-256 of the joined parts.
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in parts {
            context.update(part);
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.finish().as_ref());
        Self::new(bytes)
    }
}

impl<const N: usize, Kind> fmt::Display for Id<N, Kind> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl<const N: usize, Kind> fmt::Debug for Id<N, Kind> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl<const N: usize, Kind> AsRef<[u8]> for Id<N, Kind> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_forms_round_trip_and_read_uuids() {
        let kid = Kid::from_hex("A1A2A3A4-B1B2-C1C2-D1D2-D3D4D5D6D7D8").unwrap();
        assert_eq!(kid.to_hex(), "a1a2a3a4b1b2c1c2d1d2d3d4d5d6d7d8");
        assert_eq!(Kid::from_base64(&kid.to_base64()).unwrap(), kid);
        assert_eq!(Kid::from_base64(kid.to_base64().trim_end_matches('=')).unwrap(), kid);
    }

    #[test]
    fn wrong_lengths_and_letters_are_refused() {
        assert_eq!(Kid::from_hex("00"), Err(ParseIdError::Length { expected: 16, found: 1 }));
        assert_eq!(Kid::from_hex("zz"), Err(ParseIdError::Encoding));
        assert_eq!(Kid::from_hex("0000000000000000000000000000000g"), Err(ParseIdError::Encoding));
        assert_eq!(Kid::from_base64("AAAA"), Err(ParseIdError::Length { expected: 16, found: 3 }));
        assert_eq!(Kid::from_base64("!"), Err(ParseIdError::Encoding));
    }

    #[test]
    fn a_digest_of_parts_is_the_digest_of_the_whole() {
        assert_eq!(Digest::of_parts(&[b"a", b"bc"]), Digest::of(b"abc"));
    }
}
