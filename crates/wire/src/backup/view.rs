//! Items borrowed from the bytes they were read from, and records written without copies: the fast path of a long stream.

use super::page::{PageView, WRAPPED_PAGE_KEY_LEN};
use super::{MAX_ITEM_LEN, RecordKey};
use crate::aead::OpenError;
use crate::cbor::{self, CborError, read, write};
use crate::id::{Digest, Kid};
use crate::license::{InnerKey, License, MAX_LEN as MAX_LICENSE_LEN, State};
use crate::policy::{self, LicenseKind};
use minicbor::Decoder;

/// An [`Item`](super::Item) borrowed from its encoding.
pub enum ItemView<'a> {
    /// Certificate of the device that made the backup.
    DeviceCertificate(&'a [u8]),
    /// Certificate of a service; each once.
    ServiceCertificate(&'a [u8]),
    /// Status list.
    StatusList(&'a [u8]),
    /// License revocation blob.
    LicenseRevocation(&'a [u8]),
    /// A license that was removed, as the store recorded it.
    Tombstone(&'a [u8]),
    /// Title of a key ID.
    Title(Kid, String),
    /// Signed answer whose records follow.
    Batch(&'a [u8]),
    /// A license.
    Record(RecordView<'a>),
    /// Zeros.
    Padding,
    /// The signed end.
    Footer(&'a [u8]),
    /// Licenses without a state.
    Page(PageItem<'a>),
}

/// A page as it stands in a section.
pub struct PageItem<'a> {
    /// The page's key under the section's content key.
    pub wrapped_key: &'a [u8],
    /// The page.
    pub page: PageView<'a>,
}

/// A [`Record`](super::Record) borrowed from its encoding.
pub struct RecordView<'a> {
    /// Counts from 0 in a section.
    pub number: u64,
    /// Place in the manifest of the batch before it.
    pub manifest_index: u32,
    /// Policy bytes.
    pub policy: &'a [u8],
    /// Binding bytes.
    pub binding: &'a [u8],
    /// The whole record as it is encoded.
    pub encoded: &'a [u8],
    license: &'a [u8],
    state: &'a [u8],
    /// Number, manifest index, license and state, which the key inside is bound to.
    bound: &'a [u8],
    wrapped: &'a [u8],
}

impl<'a> ItemView<'a> {
    /// Reads an item.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, CborError> {
        if bytes.len() > MAX_ITEM_LEN {
            return Err(CborError::TooLong { cap: MAX_ITEM_LEN });
        }
        cbor::check(bytes)?;
        Self::of_checked(bytes).ok_or(CborError::Encoding { offset: 0 })
    }

    fn of_checked(raw: &'a [u8]) -> Option<Self> {
        let mut decoder = Decoder::new(raw);
        let length = decoder.array().ok()??;
        let kind = decoder.u64().ok()?;
        let content = raw.get(decoder.position()..)?;
        if kind == 6 {
            let [_, kid, title] = read::tuple(raw)?;
            return Some(Self::Title(read::id(kid)?, read::text(title)?));
        }
        if (kind, length) == (11, 3) {
            return PageItem::of_checked(content).map(Self::Page);
        }
        if length != 2 {
            return None;
        }
        if kind == 8 {
            return RecordView::of_checked(content).map(Self::Record);
        }
        let bytes = read::bytes(content)?;
        match kind {
            1 => Some(Self::DeviceCertificate(bytes)),
            2 => Some(Self::ServiceCertificate(bytes)),
            3 => Some(Self::StatusList(bytes)),
            4 => Some(Self::LicenseRevocation(bytes)),
            5 => Some(Self::Tombstone(bytes)),
            7 => Some(Self::Batch(bytes)),
            9 if bytes.iter().all(|byte| *byte == 0) => Some(Self::Padding),
            10 => Some(Self::Footer(bytes)),
            _ => None,
        }
    }

    /// Bytes of the item, encoded in `length` bytes, that the footer's hash covers: all but the licenses of a page, which the
    /// manifest of their batch covers.
    pub fn footed_len(&self, length: usize) -> usize {
        match self {
            Self::Page(item) => length.saturating_sub(item.page.bytes().len() - item.page.front().len()),
            Self::DeviceCertificate(_)
            | Self::ServiceCertificate(_)
            | Self::StatusList(_)
            | Self::LicenseRevocation(_)
            | Self::Tombstone(_)
            | Self::Title(..)
            | Self::Batch(_)
            | Self::Record(_)
            | Self::Padding
            | Self::Footer(_) => length,
        }
    }
}

impl<'a> PageItem<'a> {
    /// Reads what follows the kind.
    fn of_checked(raw: &'a [u8]) -> Option<Self> {
        let mut decoder = Decoder::new(raw);
        let wrapped_key = decoder.bytes().ok().filter(|key| key.len() == WRAPPED_PAGE_KEY_LEN)?;
        Some(Self { wrapped_key, page: PageView::parse(decoder.bytes().ok()?).ok()? })
    }
}

impl<'a> RecordView<'a> {
    fn of_checked(raw: &'a [u8]) -> Option<Self> {
        let mut decoder = Decoder::new(raw);
        if decoder.array().ok()?? != 5 {
            return None;
        }
        let start = decoder.position();
        let (number, manifest_index) = (decoder.u64().ok()?, decoder.u32().ok()?);
        let license_start = decoder.position();
        if decoder.array().ok()?? != 2 {
            return None;
        }
        let (policy, binding) = (decoder.bytes().ok()?, decoder.bytes().ok()?);
        let state_start = decoder.position();
        decoder.skip().ok()?;
        let end = decoder.position();
        let wrapped = decoder.bytes().ok().filter(|wrapped| wrapped.len() <= 64)?;
        let license = raw.get(license_start..state_start)?;
        if license.len() > MAX_LICENSE_LEN {
            return None;
        }
        let (state, bound) = (raw.get(state_start..end)?, raw.get(start..end)?);
        Some(Self { number, manifest_index, policy, binding, encoded: raw, license, state, bound, wrapped })
    }

    /// The license.
    pub fn license(&self) -> License {
        License { policy: self.policy.to_vec(), binding: self.binding.to_vec() }
    }

    /// SHA-256 of the encoded license: its entry in the manifest.
    pub fn license_hash(&self) -> Digest {
        Digest::of(self.license)
    }

    /// SHA-256 of the policy.
    pub fn policy_hash(&self) -> Digest {
        policy::policy_hash(self.policy)
    }

    /// Its state when the backup was made.
    pub fn state(&self) -> Option<State> {
        State::of_checked(self.state)
    }

    /// Opens the key; that also proves number, license and state.
    pub fn open(&self, kind: LicenseKind, content: &RecordKey) -> Result<InnerKey, OpenError> {
        let aad = Digest::of_parts(&[&BOUND_HEAD, self.bound]);
        InnerKey::new(kind, content.open(self.number, aad, self.wrapped)?).ok_or(OpenError)
    }
}

/// Array of the four fields that a record's key is bound to.
const BOUND_HEAD: [u8; 1] = [0x84];

/// Appends `u32 length ‖ CBOR` of a record's item; the same bytes as [`Record::seal`](super::Record::seal) and
/// [`Item::encode`](super::Item::encode) give. A number is used once in a section.
pub fn append_record(
    out: &mut Vec<u8>,
    number: u64,
    manifest_index: u32,
    license: &License,
    state: &State,
    key: &InnerKey,
    content: &RecordKey,
) {
    let item = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, 0x82, 0x08, 0x85]);
    let bound = out.len();
    write::uint_to(out, number);
    write::uint_to(out, manifest_index.into());
    out.push(0x82);
    write::bytes_to(out, &license.policy);
    write::bytes_to(out, &license.binding);
    out.extend_from_slice(&state.encode());
    let aad = Digest::of_parts(&[&BOUND_HEAD, out.split_at(bound).1]);
    write::bytes_to(out, &content.seal(number, aad, key));
    put_length(out, item);
}

/// Appends `u32 length ‖ CBOR` of a page's item; the same bytes as [`Item::encode`](super::Item::encode) gives.
pub fn append_page(out: &mut Vec<u8>, wrapped_key: &[u8], page: &[u8]) {
    let item = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, 0x83, 0x0b]);
    write::bytes_to(out, wrapped_key);
    write::bytes_to(out, page);
    put_length(out, item);
}

/// Puts the length of the item that begins at `item` in its place.
fn put_length(out: &mut [u8], item: usize) {
    let length = (out.len() - item - 4) as u32;
    if let Some(place) = out.split_at_mut(item).1.first_chunk_mut() {
        *place = length.to_be_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::super::page::PageBuilder;
    use super::super::{Item, Record};
    use super::*;
    use crate::aead::SecretKey;
    use crate::license::ActionState;
    use zeroize::Zeroizing;

    fn state() -> State {
        let mut state = State::default();
        state.actions.insert("Play".into(), ActionState { counts_left: Some(3), first_use: Some(-5) });
        state
    }

    fn inner() -> InnerKey {
        InnerKey::new(LicenseKind::Content, Zeroizing::new(vec![7; 16])).unwrap()
    }

    #[test]
    fn both_ways_to_write_a_record_give_the_same_bytes() {
        let content = RecordKey::of(&SecretKey::new(Zeroizing::new([9; 32])));
        for (number, length) in [(0, 10), (300, 70_000), (u64::from(u32::MAX) + 1, 24)] {
            let license = License { policy: vec![1; length], binding: vec![2; 30] };
            let mut fast = b"before".to_vec();
            append_record(&mut fast, number, 4095, &license, &state(), &inner(), &content);
            let record = Record::seal(number, 4095, license, state(), &inner(), &content);
            let slow = Item::Record(Box::new(record)).encode();
            assert_eq!(fast[6..], [&(slow.len() as u32).to_be_bytes()[..], &slow].concat());
        }
    }

    #[test]
    fn a_borrowed_record_gives_what_the_owned_one_gives() {
        let content = RecordKey::of(&SecretKey::new(Zeroizing::new([9; 32])));
        let license = License { policy: b"policy".to_vec(), binding: b"binding".to_vec() };
        let record = Record::seal(70, 5, license.clone(), state(), &inner(), &content);
        let bytes = Item::Record(Box::new(record.clone())).encode();
        let ItemView::Record(view) = ItemView::parse(&bytes).unwrap() else { unreachable!() };
        assert_eq!((view.number, view.manifest_index), (70, 5));
        assert!(view.license() == license && view.encoded == record.encode());
        assert_eq!(view.license_hash(), license.hash());
        assert_eq!(view.policy_hash(), license.policy_hash());
        assert_eq!(view.state(), Some(state()));
        assert_eq!(view.open(LicenseKind::Content, &content).unwrap().as_bytes(), [7; 16]);
        assert!(view.open(LicenseKind::Root, &content).is_err());
    }

    #[test]
    fn both_ways_to_write_a_page_give_the_same_bytes_and_the_footer_covers_all_but_the_licenses() {
        let mut builder = PageBuilder::default();
        builder.push(1, b"one license", &[1; 32]).unwrap();
        builder.push(4095, b"another", &[2; 48]).unwrap();
        let (wrapped_key, page) = ([3; WRAPPED_PAGE_KEY_LEN], builder.finish().unwrap());
        let mut fast = b"before".to_vec();
        append_page(&mut fast, &wrapped_key, &page);
        let slow = Item::Page { wrapped_key: wrapped_key.to_vec(), page: page.clone() }.encode();
        assert_eq!(fast[6..], [&(slow.len() as u32).to_be_bytes()[..], &slow].concat());
        assert!(Item::decode(&slow).is_ok_and(|item| item.encode() == slow));
        let view = ItemView::parse(&slow).unwrap();
        assert_eq!(slow[view.footed_len(slow.len())..], *b"one licenseanother");
        let ItemView::Page(PageItem { wrapped_key: key, page: read }) = view else { panic!("no page") };
        assert!(key == wrapped_key && read.bytes() == page);
        let refused = |wrapped_key: &[u8], page: &[u8]| {
            let item = write::array([write::uint(11), write::bytes(wrapped_key), write::bytes(page)]);
            assert!(Item::decode(&item).is_err());
            ItemView::parse(&item).is_err()
        };
        assert!(refused(&wrapped_key[1..], &page) && refused(&[0; 49], &page));
        assert!(refused(&wrapped_key, &page[1..]) && refused(&wrapped_key, b""));
        let title = Item::Title(Kid::new([1; 16]), "name".into()).encode();
        assert_eq!(ItemView::parse(&title).unwrap().footed_len(title.len()), title.len());
    }

    #[test]
    fn items_of_other_kinds_are_borrowed_and_unknown_ones_are_refused() {
        let title = Item::Title(Kid::new([1; 16]), "name".into()).encode();
        assert!(
            matches!(ItemView::parse(&title), Ok(ItemView::Title(kid, title)) if kid == Kid::new([1; 16]) && title == "name")
        );
        let footer = Item::Footer(b"end".to_vec()).encode();
        assert!(matches!(ItemView::parse(&footer), Ok(ItemView::Footer(b"end"))));
        assert!(matches!(ItemView::parse(&Item::Padding(vec![0; 9]).encode()), Ok(ItemView::Padding)));
        assert!(ItemView::parse(&Item::Padding(vec![0, 1]).encode()).is_err());
        let unknown = write::array([write::uint(12), write::bytes(b"")]);
        assert!(ItemView::parse(&unknown).is_err());
        let long = write::array([write::uint(7), write::bytes(vec![0; MAX_ITEM_LEN])]);
        assert_eq!(ItemView::parse(&long).err(), Some(CborError::TooLong { cap: MAX_ITEM_LEN }));
    }
}
