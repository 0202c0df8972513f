//! Key protectors: what stands between `device.key` on the disk and the keys in it.

use super::DeviceError;
use wmlicense_wire::certificate::Assurance;
use zeroize::Zeroizing;

/// Seals the content of `device.key`. Its number stands in the file, so that a file is never read by another protector.
pub trait KeyProtector: Send + Sync {
    /// How it keeps the keys; also its number in the file.
    fn assurance(&self) -> Assurance;
    /// The form that goes into the file.
    fn seal(&self, keys: &[u8]) -> Result<Zeroizing<Vec<u8>>, DeviceError>;
    /// Gives back what [`Self::seal`] took.
    fn open(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, DeviceError>;
}

/// The keys as they are. What protects them is the file's mode and the user's account: there is no secret on this machine
/// that a program of the same user could not read as well, so an encryption here would protect nothing.
pub struct FileProtector;

impl KeyProtector for FileProtector {
    fn assurance(&self) -> Assurance {
        Assurance::File
    }
    fn seal(&self, keys: &[u8]) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        Ok(Zeroizing::new(keys.to_vec()))
    }
    fn open(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        Ok(Zeroizing::new(sealed.to_vec()))
    }
}
