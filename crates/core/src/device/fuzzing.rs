//! The form of `device.key`, as fuzz targets ask for it.

use super::FileProtector;
use super::file::KeyFile;

/// True if these bytes are a whole key file. Written again, they are the same.
pub fn is_key_file(bytes: &[u8]) -> bool {
    let Ok(file) = KeyFile::decode(bytes, &FileProtector) else { return false };
    let again = file.encode(&FileProtector);
    assert!(
        again.is_ok_and(|again| KeyFile::decode(&again, &FileProtector).is_ok()),
        "what was read cannot be written"
    );
    true
}
