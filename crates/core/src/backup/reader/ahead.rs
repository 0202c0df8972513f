//! Looking ahead whether a section is whole, before it is read for good: every chunk opens, and the footer at the end is this device's
//! for this section. What stands in the items is not looked at.

use super::{Backup, ReadError, Summary, corrupt, without_footer};
use std::io::{Read, Seek};
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::backup::{Footer, ItemView, PADDING};
use wmlicense_wire::certificate::DeviceKeys;
use wmlicense_wire::chunked::CHUNK_LEN;

/// The footer begins where a chunk does, and has room in it: it is the last chunk, which is never full.
const _: () = assert!(PADDING.is_multiple_of(CHUNK_LEN as u64) && Footer::MAX_LEN + 64 < CHUNK_LEN);

impl<R: Read + Seek> Backup<R> {
    /// Opens every chunk of a section that this device made and verifies its footer. So whatever a medium did to the section is
    /// found, at the cost of reading and decrypting it; only who has the section's key can have made another stream of it, which
    /// [`Self::read_section`] finds. `seen` is told of each piece how long it is.
    pub(crate) fn look_ahead<E: From<ReadError>>(
        &mut self,
        section: u32,
        meta: &SecretKey,
        device: &DeviceKeys,
        seen: &mut dyn FnMut(u64) -> Result<(), E>,
    ) -> Result<Summary, E> {
        let mut opener = self.open_section(section, meta)?;
        let mut last = Vec::new();
        while let Some(part) = opener.next_part().map_err(ReadError::from)? {
            if part.len() < CHUNK_LEN {
                last = part.to_vec();
            }
            seen(part.len() as u64)?;
        }
        let footer = read_footer(&last, device)?;
        Ok(self.summary(section, &footer)?)
    }
}

/// The verified footer in `u32 length ‖ CBOR`.
fn read_footer(item: &[u8], device: &DeviceKeys) -> Result<Footer, ReadError> {
    let whole =
        |(length, item): (&[u8; 4], _)| (u32::from_be_bytes(*length) as usize == <[u8]>::len(item)).then_some(item);
    let item = item.split_first_chunk().and_then(whole).ok_or_else(without_footer)?;
    match ItemView::parse(item) {
        Ok(ItemView::Footer(signed)) => Ok(Footer::verify(signed, &device.signing, device.thumbprint())?),
        Ok(_) => Err(without_footer()),
        Err(error) => Err(corrupt(format!("an item is malformed: {error}"))),
    }
}
