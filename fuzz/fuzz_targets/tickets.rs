//! Tickets whose maker has gone mad: any bytes, sealed rightly to a device and to a service.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use wmlicense_wire::backup::Ticket;
use wmlicense_wire::certificate::BackupKey;
use wmlicense_wire::hpke::Context;
use wmlicense_wire::id::BackupId;
use wmlicense_wire::kem::{HpkePrivateKey, Suite};

const ID: BackupId = BackupId::new([9; 16]);

static KEY: LazyLock<HpkePrivateKey> = LazyLock::new(|| HpkePrivateKey::generate(Suite::X25519).expect("a key"));

/// As docs/protocol.md says, 9: the label, a zero, the backup, the section.
fn sealed(label: &str, plain: &[u8]) -> Ticket {
    let info = [label.as_bytes(), &[0], ID.as_bytes(), &[0; 4]].concat();
    let (enc, context) = Context::sender(KEY.public_key(), &info).expect("a key");
    Ticket { recipient: KEY.public_key().key_id(), enc, ciphertext: context.seal(plain).expect("seals") }
}

fuzz_target!(|data: &[u8]| {
    let ticket = sealed("wmlicense/1 backup device", data);
    let opened = ticket.open_as_device(&KEY, ID, 0);
    assert_eq!(opened.is_ok(), data.len() == 80, "two keys and the store's ID");
    assert!(ticket.open_as_device(&KEY, ID, 1).is_err() && ticket.open_as_service(&KEY, ID, 0).is_err());

    let ticket = sealed("wmlicense/1 backup service", data);
    let Ok(opened) = ticket.open_as_service(&KEY, ID, 0) else { return };
    let key = BackupKey { key: KEY.public_key().clone(), until: i64::MAX };
    let again = Ticket::for_service(&key, ID, 0, &opened).expect("seals");
    let again = again.open_as_service(&KEY, ID, 0).expect("what was read is written again");
    assert!(again.keys.meta.as_bytes() == opened.keys.meta.as_bytes());
    assert!(again.keys.content.as_bytes() == opened.keys.content.as_bytes());
    let told = |ticket: &wmlicense_wire::backup::ServiceTicket| {
        (ticket.device_id, ticket.thumbprint, ticket.user, ticket.created_at)
    };
    assert!(told(&again) == told(&opened));
});
