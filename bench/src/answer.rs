//! Reading an answer: its licenses parsed, verified and opened, beside the hashes and decryptions that this cannot do without.

use crate::arguments::Arguments;
use crate::meter::Times;
use crate::stores::{BATCH, grants};
use crate::table::Table;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use std::hint::black_box;
use wmlicense_testkit::{Asked, NOW, TestDevice, World};
use wmlicense_wire::answer::{Envelope, OpenedLicense};
use wmlicense_wire::certificate::Role;

/// Answers in a measurement.
const EACH: u64 = 10;
/// Bytes of a content key and the tag that keeps it.
const SEALED: usize = 32;

pub(crate) fn measure(world: &World, arguments: &Arguments, table: &mut Table) {
    let device = TestDevice::new();
    let asked = Asked::by(device.device_id, &device.keys);
    let bytes = world.answer(&world.issuer, &asked, &grants(world, 0..BATCH, NOW));
    let open = || {
        let envelope = Envelope::parse(&bytes).unwrap();
        let verified = envelope.verify(&asked.expected(Role::Issuer), &world.directory).unwrap();
        verified.open_licenses(&device.hpke, device.device_id, &world.directory).unwrap()
    };
    let licenses = open();
    let [mut ours, mut bare] = <[Times; 2]>::default();
    for _ in 0..arguments.rounds {
        ours.measure_thread(|| (0..EACH).for_each(|_| drop(black_box(open()))));
        bare.measure_thread(|| (0..EACH).for_each(|_| hash_and_open(&licenses)));
    }
    table.row("answer", &format!("an answer of {BATCH} licenses, parsed, verified and opened, in memory"));
    table.time("wmlicense parse, verify and open_licenses", &ours, EACH * BATCH);
    table.time("two hashes and one decryption a license", &bare, EACH * BATCH);
    table.figure("to the hashes and decryptions, processor time", ours.processor_ratio_to(&bare));
}

/// What is left of it where everything else costs nothing.
fn hash_and_open(licenses: &[OpenedLicense]) {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap());
    let mut whole = Vec::new();
    for opened in licenses {
        whole.clear();
        whole.extend_from_slice(&opened.license.policy);
        whole.extend_from_slice(&opened.license.binding);
        black_box(digest(&SHA256, &whole));
        black_box(digest(&SHA256, &opened.license.policy));
        let mut sealed = [0; SEALED];
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        // It is none that opens: that takes as long.
        black_box(key.open_in_place(nonce, Aad::from([0; 80]), &mut sealed).is_err());
    }
}
