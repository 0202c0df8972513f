//! The reader of backups behind encryption and signature, with keys that count: any items, as if the device that made the backup had
//! gone mad, and records whose batch names them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io::Write as _;
use std::sync::LazyLock;
use wmlicense_core::fuzzing::read_backup;
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::backup::{
    Counts, DeviceTicket, Footer, Header, Item, ItemView, PADDING, SectionHeader, SectionKeys, Ticket, Version,
    section_context,
};
use wmlicense_wire::certificate::DeviceKeys;
use wmlicense_wire::chunked::Sealer;
use wmlicense_wire::id::{BackupId, Digest, StoreId};
use wmlicense_wire::kem::{HpkePrivateKey, Suite};
use wmlicense_wire::key::{Signer as _, SigningKey};
use zeroize::Zeroizing;

const ID: BackupId = BackupId::new([9; 16]);
const STORE: StoreId = StoreId::new([8; 16]);

struct World {
    signing: SigningKey,
    keys: DeviceKeys,
    front: Vec<u8>,
}

fn key(byte: u8) -> SecretKey {
    SecretKey::new(Zeroizing::new([byte; 32]))
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let signing = SigningKey::from_seed(&[2; 32]).expect("a seed");
    let hpke = HpkePrivateKey::generate(Suite::X25519).expect("a key");
    let keys = DeviceKeys { signing: *signing.verifying_key(), hpke: hpke.public_key().clone() };
    let ticket = DeviceTicket { keys: SectionKeys { meta: key(1), content: key(3) }, store_id: STORE };
    let device = Ticket::for_device(&keys, ID, 0, &ticket).expect("a ticket");
    let front = Header { version: Version::Pages, backup_id: ID, sections: vec![SectionHeader { device, service: None }] }.encode();
    World { signing, keys, front }
});

fuzz_target!(|data: &[u8]| {
    let Some((choice, mut rest)) = data.split_first() else { return };
    let certificate = Item::DeviceCertificate(vec![1; 4]).encode();
    let mut items = if choice & 1 == 0 { vec![certificate] } else { Vec::new() };
    while let Some((front, more)) = rest.split_first_chunk::<4>() {
        let (item, more) = more.split_at((u32::from_be_bytes(*front) as usize).min(more.len()));
        items.push(item.to_vec());
        rest = more;
    }
    let parsed = items.iter().all(|item| ItemView::parse(item).is_ok());
    let sealed = sealed(&items, choice & 2 == 0);
    let read = read_backup(&sealed, &key(1), &key(3), &WORLD.keys);
    assert!(parsed || read.is_err(), "an item that nobody can read was read");
    // One that lies about what it holds is found.
    assert!(choice & 4 == 0 || read_backup(&sealed[..sealed.len() - 1], &key(1), &key(3), &WORLD.keys).is_err());
});

/// A whole backup of these items, padded or not, with a true footer.
fn sealed(items: &[Vec<u8>], padded: bool) -> Vec<u8> {
    let (world, mut counts, mut stream, mut footed) = (&*WORLD, Counts::default(), Vec::new(), Vec::new());
    for item in items {
        match ItemView::parse(item) {
            Ok(ItemView::Batch(_)) => counts.batches += 1,
            Ok(ItemView::Record(_)) => counts.records += 1,
            Ok(ItemView::Page(page)) => counts.records += page.page.count() as u64,
            Ok(ItemView::Tombstone(_)) => counts.tombstones += 1,
            Ok(ItemView::Title(..)) => counts.titles += 1,
            _ => {}
        }
        put(&mut stream, item);
        let covered = ItemView::parse(item).map_or(item.len(), |view| view.footed_len(item.len()));
        footed.extend_from_slice(&stream[stream.len() - item.len() - 4..][..4 + covered]);
    }
    if padded {
        // The length of an item's length depends on it.
        let gap = (stream.len() + 64).next_multiple_of(PADDING as usize) - stream.len();
        let of = |zeros| Item::Padding(vec![0; zeros]).encode();
        let padding = (gap - 20..=gap).rev().map(of).find(|item| item.len() + 4 == gap);
        for item in padding {
            put(&mut stream, &item);
            put(&mut footed, &item);
        }
    }
    let header_hash = Digest::of(&world.front);
    let stream_hash = Digest::of(&footed);
    let footer = Footer { created_at: 1, backup_id: ID, section: 0, header_hash, stream_hash, counts, store_id: STORE };
    put(&mut stream, &Item::Footer(footer.sign(&world.signing, world.keys.thumbprint()).expect("signs")).encode());
    let mut sealer = Sealer::new(&key(1), &section_context(0, header_hash), Vec::new()).expect("seals");
    sealer.write_all(&stream).expect("seals");
    let body = sealer.finish().expect("seals");
    [&world.front[..], &(body.len() as u64).to_be_bytes(), &body].concat()
}

fn put(stream: &mut Vec<u8>, item: &[u8]) {
    stream.extend_from_slice(&(item.len() as u32).to_be_bytes());
    stream.extend_from_slice(item);
}
