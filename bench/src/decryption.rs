//! Decrypting samples through the C API beside `openssl speed`, one after the other in each round.

use crate::arguments::Arguments;
use crate::face::Face;
use crate::table::{Rates, Table};
use std::process::Command;
use wmlicense_testkit::home::Home;
use wmlicense_testkit::{World, kid};

pub(crate) const SIZES: [usize; 3] = [1 << 10, 16 << 10, 1 << 20];
/// Scheme, the cipher of `openssl speed`, and whether every byte is encrypted, so that the two do the same.
const KINDS: [(&str, &str, bool); 3] =
    [("cenc", "aes-128-ctr", true), ("cbc1", "aes-128-cbc", true), ("cbcs", "aes-128-cbc", false)];
/// Length of each measurement: the least that `openssl speed` takes. Both count processor time.
const SECONDS: u32 = 1;

pub(crate) fn measure(world: &World, arguments: &Arguments, table: &mut Table) {
    let (home, face) = (Home::new(world), Face::new(world));
    home.acquire(&[world.policy(kid(1))]).unwrap();
    let (name, wide) = processor();
    // What the wide vector units give; without them, what openssl gives.
    let target = if wide { 1.8 } else { 1.0 };
    table.title(&format!("samples through the C API beside openssl speed, one core of {name}, VAES-512: {wide}"));
    for (scheme, cipher, is_full) in KINDS {
        for size in SIZES {
            let [mut ours, mut peer] = <[Rates; 2]>::default();
            for _ in 0..arguments.rounds {
                let words = [kid(1).to_hex(), scheme.to_owned(), size.to_string(), (SECONDS * 1000).to_string()];
                ours.add(face.ask("decrypt", home.path(), &words.each_ref().map(String::as_str)));
                peer.add(openssl(cipher, size));
            }
            let what = format!("{scheme}, {} KB", size >> 10);
            table.rate(&format!("{what}: wm_decrypt_sample"), &ours);
            table.rate(&format!("{what}: openssl {cipher}, every byte"), &peer);
            if is_full {
                table.at_least(&format!("{what}: to openssl"), ours.median() / peer.median(), target);
            }
        }
    }
}

/// Bytes a second.
fn openssl(cipher: &str, size: usize) -> f64 {
    let (size, seconds) = (size.to_string(), SECONDS.to_string());
    let words = ["speed", "-mr", "-evp", cipher, "-decrypt", "-bytes", &size, "-seconds", &seconds];
    let output = Command::new("openssl").args(words).output().expect("openssl is installed");
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.starts_with("+F:")).unwrap_or_else(|| panic!("{text}"));
    line.rsplit(':').next().unwrap().parse().unwrap()
}

/// The processor's name, and whether it has AES on vectors of 512 bits.
pub(crate) fn processor() -> (String, bool) {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    let field = |name: &str| text.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_once(": "));
    let name = field("model name").map_or("unknown", |(_, name)| name);
    let flags: Vec<&str> = field("flags").map_or(Vec::new(), |(_, flags)| flags.split(' ').collect());
    (name.to_owned(), flags.contains(&"vaes") && flags.contains(&"avx512f"))
}
