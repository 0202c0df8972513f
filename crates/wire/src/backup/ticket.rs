//! Tickets: the keys of a section, sealed to the device that made it and to the management service.

use super::BackupFormatError;
use crate::aead::SecretKey;
use crate::cbor::{Fields, MapWriter, read, write};
use crate::certificate::{BackupKey, DeviceKeys};
use crate::hpke::Context;
use crate::id::{BackupId, DeviceId, SignerId, StoreId, UserId};
use crate::kem::HpkePrivateKey;
use crate::key::KeyError;
use zeroize::Zeroizing;

const DEVICE_LABEL: &[u8] = b"wmlicense/1 backup device";
const SERVICE_LABEL: &[u8] = b"wmlicense/1 backup service";
const MAX_TICKET_LEN: usize = 4096;

/// The two keys of a section. `content` never leaves device and service.
pub struct SectionKeys {
    /// Opens the section.
    pub meta: SecretKey,
    /// Opens the keys in it.
    pub content: SecretKey,
}

impl SectionKeys {
    /// Fresh keys.
    pub fn random() -> Result<Self, getrandom::Error> {
        Ok(Self { meta: SecretKey::random()?, content: SecretKey::random()? })
    }
}

/// A section's keys, sealed to one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Thumbprint of the device, or ID of the service's HPKE key.
    pub recipient: SignerId,
    /// Encapsulated key.
    pub enc: Vec<u8>,
    /// Sealed content.
    pub ciphertext: Vec<u8>,
}

/// What a device finds in its ticket.
pub struct DeviceTicket {
    /// The section's keys.
    pub keys: SectionKeys,
    /// Store that the backup was made of.
    pub store_id: StoreId,
}

/// What a management service finds in its ticket.
pub struct ServiceTicket {
    /// The section's keys.
    pub keys: SectionKeys,
    /// Device that made the backup.
    pub device_id: DeviceId,
    /// Its keys.
    pub thumbprint: SignerId,
    /// Account of the section's licenses.
    pub user: Option<UserId>,
    /// Seconds UTC.
    pub created_at: i64,
}

fn ticket_info(label: &[u8], backup_id: BackupId, section: u32) -> Vec<u8> {
    [label, &[0], backup_id.as_bytes(), &section.to_be_bytes()].concat()
}

impl Ticket {
    /// Seals a section's keys to the device itself.
    pub fn for_device(
        device: &DeviceKeys,
        backup_id: BackupId,
        section: u32,
        ticket: &DeviceTicket,
    ) -> Result<Self, KeyError> {
        let plain = Zeroizing::new(
            [ticket.keys.meta.as_bytes().as_slice(), ticket.keys.content.as_bytes(), ticket.store_id.as_bytes()]
                .concat(),
        );
        let (enc, context) = Context::sender(&device.hpke, &ticket_info(DEVICE_LABEL, backup_id, section))?;
        Ok(Self { recipient: device.thumbprint(), enc, ciphertext: context.seal(&plain)? })
    }

    /// Opens a device's ticket.
    pub fn open_as_device(
        &self,
        key: &HpkePrivateKey,
        backup_id: BackupId,
        section: u32,
    ) -> Result<DeviceTicket, BackupFormatError> {
        let fault = |_| BackupFormatError::Ticket;
        let info = ticket_info(DEVICE_LABEL, backup_id, section);
        let plain = Context::recipient(key, &self.enc, &info).and_then(|c| c.open(&self.ciphertext)).map_err(fault)?;
        let read = || {
            let (meta, rest) = plain.split_at_checked(32)?;
            let (content, store_id) = rest.split_at_checked(32)?;
            Some(DeviceTicket {
                keys: SectionKeys { meta: SecretKey::from_slice(meta)?, content: SecretKey::from_slice(content)? },
                store_id: StoreId::from_slice(store_id).ok()?,
            })
        };
        read().ok_or(BackupFormatError::Ticket)
    }

    /// Seals a section's keys to a management service.
    pub fn for_service(
        recipient: &BackupKey,
        backup_id: BackupId,
        section: u32,
        ticket: &ServiceTicket,
    ) -> Result<Self, KeyError> {
        let plain = Zeroizing::new(
            MapWriter::new()
                .bytes(1, ticket.keys.meta.as_bytes())
                .bytes(2, ticket.keys.content.as_bytes())
                .bytes(3, ticket.device_id)
                .bytes(4, ticket.thumbprint)
                .optional(5, ticket.user, MapWriter::bytes)
                .int(6, ticket.created_at)
                .finish(),
        );
        let (enc, context) = Context::sender(&recipient.key, &ticket_info(SERVICE_LABEL, backup_id, section))?;
        Ok(Self { recipient: recipient.key.key_id(), enc, ciphertext: context.seal(&plain)? })
    }

    /// Opens a management service's ticket.
    pub fn open_as_service(
        &self,
        key: &HpkePrivateKey,
        backup_id: BackupId,
        section: u32,
    ) -> Result<ServiceTicket, BackupFormatError> {
        let fault = |_| BackupFormatError::Ticket;
        let info = ticket_info(SERVICE_LABEL, backup_id, section);
        let plain = Context::recipient(key, &self.enc, &info).and_then(|c| c.open(&self.ciphertext)).map_err(fault)?;
        let secret = |raw| SecretKey::from_slice(read::bytes(raw)?);
        let mut fields = Fields::parse(&plain, MAX_TICKET_LEN)?;
        let ticket = ServiceTicket {
            keys: SectionKeys { meta: fields.required(1, secret)?, content: fields.required(2, secret)? },
            device_id: fields.required(3, read::id)?,
            thumbprint: fields.required(4, read::id)?,
            user: fields.optional(5, read::id)?,
            created_at: fields.required(6, read::int)?,
        };
        fields.finish()?;
        Ok(ticket)
    }

    /// Deterministic bytes.
    pub fn encode(&self) -> Vec<u8> {
        write::array([write::bytes(self.recipient), write::bytes(&self.enc), write::bytes(&self.ciphertext)])
    }

    pub(crate) fn of_checked(raw: &[u8]) -> Option<Self> {
        let [recipient, enc, ciphertext] = read::tuple(raw)?;
        let bounded = |raw| read::bytes_up_to(MAX_TICKET_LEN)(raw).map(<[u8]>::to_vec);
        Some(Self { recipient: read::id(recipient)?, enc: bounded(enc)?, ciphertext: bounded(ciphertext)? })
    }
}
