//! What a client says about itself in each request. All of it is its own word.

use crate::cbor::{read, write};

/// Longest name of a device, in characters.
pub const MAX_DEVICE_NAME: usize = 64;

/// What the client says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientInfo {
    /// Version of the library.
    pub library: String,
    /// Security version, four dotted numbers.
    pub security_version: String,
    /// Application ID that the application set.
    pub application: Option<String>,
    /// Level of the application.
    pub application_level: u32,
    /// What the user calls the device; empty takes the name away, and without it the service keeps what it knows.
    pub device_name: Option<String>,
}

impl ClientInfo {
    pub(super) fn encode(&self) -> Vec<u8> {
        write::array([
            write::text(&self.library),
            write::text(&self.security_version),
            self.application.as_deref().map_or_else(write::null, write::text),
            write::uint(self.application_level.into()),
        ])
    }
}

/// The name of the device is in a field of its own.
pub(super) fn read(raw: &[u8]) -> Option<ClientInfo> {
    let [library, security_version, application, level] = read::tuple(raw)?;
    Some(ClientInfo {
        library: read::text(library)?,
        security_version: read::text(security_version)?,
        application: if read::is_null(application) { None } else { Some(read::text(application)?) },
        application_level: read::uint32(level)?,
        device_name: None,
    })
}

pub(super) fn read_device_name(raw: &[u8]) -> Option<String> {
    read::text(raw).filter(|name| name.chars().count() <= MAX_DEVICE_NAME)
}
