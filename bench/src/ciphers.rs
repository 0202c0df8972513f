//! The two libraries that could decrypt samples, with the same samples: `aes`, fed counter blocks in wide runs as the library
//! does, and `aws-lc-rs`. Which one the library uses follows from this.

use crate::arguments::Arguments;
use crate::meter::Rates;
use crate::samples::{SIZES, processor};
use crate::table::Table;
use aws_lc_rs::cipher::{AES_128, DecryptingKey, DecryptionContext, UnboundCipherKey};
use std::time::{Duration, Instant};
use wmlicense_media::cenc::{SampleCipher, SampleInfo, Scheme};
use wmlicense_testkit::World;

const KEY: [u8; 16] = [7; 16];
const IV: [u8; 16] = [9; 16];
/// How long each is fed before it is the other's turn.
const TURN: Duration = Duration::from_millis(100);

/// Bytes a second.
fn rate(size: usize, mut decrypt: impl FnMut()) -> f64 {
    let (start, mut done) = (Instant::now(), 0);
    while start.elapsed() < TURN {
        // The clock is asked seldom.
        (0..1 + (1 << 18) / size).for_each(|_| decrypt());
        done += (1 + (1 << 18) / size) * size;
    }
    done as f64 / start.elapsed().as_secs_f64()
}

pub(crate) fn measure(_world: &World, arguments: &Arguments, table: &mut Table) {
    table.row("ciphers", &format!("ciphers for samples, in place, one core of {}", processor().0));
    let ours = SampleCipher::new(&KEY);
    let key = || UnboundCipherKey::new(&AES_128, &KEY).unwrap();
    let kinds = [
        ("CTR", Scheme::Cenc, DecryptingKey::ctr(key()).unwrap()),
        ("CBC", Scheme::Cbc1, DecryptingKey::cbc(key()).unwrap()),
    ];
    for (name, scheme, theirs) in &kinds {
        for size in SIZES {
            let info =
                SampleInfo { scheme: *scheme, iv: &IV, subsamples: &[], crypt_byte_block: 0, skip_byte_block: 0 };
            let mut data = vec![3; size];
            let [mut aes, mut aws] = <[Rates; 2]>::default();
            for _ in 0..2 * arguments.rounds {
                aes.add(rate(size, || ours.decrypt_in_place(&info, &mut data).unwrap()));
                aws.add(rate(size, || {
                    theirs.decrypt(&mut data, DecryptionContext::Iv128((&IV).into())).unwrap();
                }));
            }
            let what = format!("{name}, {} KB", size >> 10);
            table.rate(&format!("{what}: aes, as the library feeds it"), &aes);
            table.rate(&format!("{what}: aws-lc-rs"), &aws);
            table.at_least(&format!("{what}: aes to aws-lc-rs"), aes.median() / aws.median(), 1.0);
        }
    }
}
