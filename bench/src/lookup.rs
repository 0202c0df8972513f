//! From a key ID to the content key, and on to a sample in the clear through the C API, warm.

use crate::arguments::Arguments;
use crate::backup::Full;
use crate::face::Face;
use crate::peers::PlainSqlite;
use crate::table::{Table, Times};
use std::time::Duration;
use wmlicense_testkit::home::open;
use wmlicense_testkit::{World, content_key, kid};

const LOOKUPS: u64 = 20_000;

/// Opens of a store in a measurement.
const OPENS: usize = 50;

/// Measures, and gives the time of one lookup through C.
pub(crate) fn measure(world: &World, full: &Full<'_>, arguments: &Arguments, table: &mut Table) -> Duration {
    let licenses = full.licenses;
    let store = &full.home.client.store;
    let sample = store.licenses(kid(0)).unwrap();
    let row_len = sample[0].policy.encode().len() + sample[0].binding().unwrap().encode().len() + 32;
    let mut plain = PlainSqlite::new(&full.scratch.path().join("lookup.db"), row_len);
    plain.insert((0..licenses).map(|number| *kid(number).as_bytes()));
    plain.settle();
    // In an order that has nothing to do with that of the rows.
    let numbers: Vec<u64> = (0..LOOKUPS).map(|n| n.wrapping_mul(0x9e37_79b9) % licenses).collect();
    let keys: Vec<[u8; 16]> = numbers.iter().map(|number| *kid(*number).as_bytes()).collect();
    let face = Face::new(world);
    let [mut ours, mut peer, mut in_c] = <[Times; 3]>::default();
    for _ in 0..arguments.rounds {
        ours.measure(|| {
            for number in &numbers {
                let licenses = store.licenses(kid(*number)).unwrap();
                let key = store.unwrap_key(&licenses[0]).unwrap();
                assert_eq!(key.as_bytes(), content_key(kid(*number)));
            }
        });
        let words = [licenses.to_string(), LOOKUPS.to_string()];
        let each = face.ask("lookup", full.home.path(), &words.each_ref().map(String::as_str));
        in_c.add(Duration::from_nanos(each as u64 * LOOKUPS));
        assert_eq!(peer.measure(|| plain.look_up(&keys)), row_len * keys.len());
    }
    table.title(&format!("key ID to content key, {licenses} licenses, warm"));
    table.time("wmlicense licenses and unwrap_key", &ours, LOOKUPS);
    table.time("plain SQLite lookup, held statement, default cache", &peer, LOOKUPS);
    table.compare("to plain SQLite", &ours, &peer, 1.0);
    table.time("through C: decryptor, a sample of 4 KB, release", &in_c, LOOKUPS);
    table.ratio("through C, to plain SQLite", in_c.ratio_to(&peer), 1.0);
    in_c.median() / LOOKUPS as u32
}

/// Opening a client over the store, which is open elsewhere as well.
pub(crate) fn measure_opening(world: &World, full: &Full<'_>, table: &mut Table) {
    let mut opening = Times::default();
    for _ in 0..OPENS {
        opening.measure(|| open(world, full.home.path(), &full.home.clock).unwrap());
    }
    table.title(&format!("opening a client, {} licenses in its store, warm", full.licenses));
    table.ratio("ms", opening.median().as_secs_f64() * 1e3, 5.0);
}
