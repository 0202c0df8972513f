//! What a service sends, as the device takes it: the envelope, and the licenses in it once their signer counts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wmlicense_wire::answer::{Envelope, read_vouched};
use wmlicense_wire::license::{Binding, License};
use wmlicense_wire::policy::Policy;

fuzz_target!(|data: &[u8]| {
    let Ok(envelope) = Envelope::parse(data) else { return };
    assert!(envelope.certificates.len() <= 64);
    if let Ok(answer) = read_vouched(&envelope.signed) {
        assert!(answer.manifest.len() <= 4096 && answer.verdicts.len() <= 4096);
    }
    // The licenses are the third field; each is read as it is once the manifest holds it.
    for start in 0..data.len().min(4096) {
        if data[start] == 0x82
            && let Ok(license) = License::decode(&data[start..])
        {
            let _ = (Policy::decode(&license.policy), Binding::decode(&license.binding));
        }
    }
});
