//! From a key ID to the content key, warm.

use crate::arguments::Arguments;
use crate::backup::Full;
use crate::peers::PlainSqlite;
use crate::support::{content_key, kid};
use crate::table::{Table, Times};

const LOOKUPS: u64 = 20_000;

pub(crate) fn measure(full: &Full<'_>, arguments: &Arguments, table: &mut Table) {
    let store = &full.home.client.store;
    let sample = store.licenses(kid(0)).unwrap();
    let row_len = sample[0].policy.encode().len() + sample[0].binding.encode().len() + 32;
    let mut plain = PlainSqlite::new(&full.scratch.path().join("lookup.db"), row_len);
    plain.insert((0..arguments.licenses).map(|number| *kid(number).as_bytes()));
    // In an order that has nothing to do with that of the rows.
    let numbers: Vec<u64> = (0..LOOKUPS).map(|n| n.wrapping_mul(0x9e37_79b9) % arguments.licenses).collect();
    let keys: Vec<[u8; 16]> = numbers.iter().map(|number| *kid(*number).as_bytes()).collect();
    let [mut ours, mut peer] = <[Times; 2]>::default();
    for _ in 0..arguments.rounds {
        ours.measure(|| {
            for number in &numbers {
                let licenses = store.licenses(kid(*number)).unwrap();
                let key = store.unwrap_key(&licenses[0]).unwrap();
                assert_eq!(key.as_bytes(), content_key(kid(*number)));
            }
        });
        assert_eq!(peer.measure(|| plain.look_up(&keys)), row_len * keys.len());
    }
    table.title("key ID to content key, warm");
    table.time("wmlicense licenses and unwrap_key", &ours, LOOKUPS);
    table.time("plain SQLite lookup, held statement, default cache", &peer, LOOKUPS);
    table.compare("to plain SQLite", &ours, &peer, 1.0);
}
