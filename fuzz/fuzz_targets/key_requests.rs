//! What pages and packagers send to get keys: the first byte says who. A packager's document is answered with XML that holds a
//! key for each.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wmlicense_server::fuzzing;

fuzz_target!(|data: &[u8]| {
    let Some((who, rest)) = data.split_first() else { return };
    if who % 3 == 0 {
        if let Some(count) = fuzzing::keys_of_page(rest) {
            assert!((1..=64).contains(&count));
        }
        return;
    }
    let Some((keys, answer)) = fuzzing::keys_of_packager(rest, who % 3 == 2) else { return };
    let answer = answer.expect("a document that was taken is answered");
    assert!(answer.matches("<cpix:Data>").count() >= keys);
    assert!(fuzzing::is_cpix(&answer), "{answer}");
});
