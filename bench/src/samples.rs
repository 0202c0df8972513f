//! Decrypting samples through the C API beside `openssl speed`, one after the other in each round.

use crate::arguments::Arguments;
use crate::face::Face;
use crate::meter::Rates;
use crate::table::Table;
use std::process::Command;
use wmlicense_testkit::home::Home;
use wmlicense_testkit::{World, kid};

pub(crate) const SIZES: [usize; 3] = [1 << 10, 16 << 10, 1 << 20];
/// Length of each measurement: the least that `openssl speed` takes, and as long as is enough for ours, milliseconds. Both count processor time.
const SECONDS: u32 = 1;
const MILLISECONDS: &str = "400";
/// Most of a sample's time that the way to its decryptor may take.
const HANDLE_SHARE: f64 = 0.05;

/// A scheme beside the cipher of `openssl speed`.
struct Kind {
    scheme: &'static str,
    cipher: &'static str,
    /// Times openssl for each size, with vector units of 512 bits; `None` where the two do not do the same.
    targets: Option<[f64; 3]>,
}

pub(crate) fn measure_cenc(world: &World, arguments: &Arguments, table: &mut Table) {
    let kind = Kind { scheme: "cenc", cipher: "aes-128-ctr", targets: Some([1.7, 1.8, 1.8]) };
    let (home, face) = with_license(world);
    let ours = measure(&kind, (&home, &face), arguments, table);
    let mut handle: Vec<f64> =
        (0..arguments.rounds).map(|_| face.ask("handle", home.path(), &[&kid(1).to_hex(), MILLISECONDS])).collect();
    handle.sort_unstable_by(f64::total_cmp);
    let (handle, sample) = (handle[handle.len() / 2], SIZES[0] as f64 * 1e9 / ours);
    table.figure("ns, the C entry with the lookup of a handle", handle);
    table.figure("ns, a sample of 1 KB", sample);
    table.at_most("entry and lookup to a sample of 1 KB", handle / sample, HANDLE_SHARE);
}

pub(crate) fn measure_cbc1(world: &World, arguments: &Arguments, table: &mut Table) {
    let kind = Kind { scheme: "cbc1", cipher: "aes-128-cbc", targets: Some([1.3, 1.5, 1.5]) };
    let (home, face) = with_license(world);
    measure(&kind, (&home, &face), arguments, table);
}

pub(crate) fn measure_cbcs(world: &World, arguments: &Arguments, table: &mut Table) {
    let kind = Kind { scheme: "cbcs", cipher: "aes-128-cbc", targets: None };
    let (home, face) = with_license(world);
    measure(&kind, (&home, &face), arguments, table);
}

fn with_license(world: &World) -> (Home<'_>, Face) {
    let home = Home::new(world);
    home.acquire(&[world.policy(kid(1))]).unwrap();
    (home, Face::new(world))
}

/// Bytes a second of the smallest samples.
fn measure(kind: &Kind, (home, face): (&Home<'_>, &Face), arguments: &Arguments, table: &mut Table) -> f64 {
    let Kind { scheme, cipher, targets } = kind;
    let (name, wide) = processor();
    let title = format!("samples through C beside openssl speed, one core of {name}, VAES-512: {wide}");
    table.row(&format!("samples-{scheme}"), &title);
    let mut smallest = 0.0;
    for (place, size) in SIZES.into_iter().enumerate() {
        let [mut ours, mut peer] = <[Rates; 2]>::default();
        for _ in 0..arguments.rounds.min(3) {
            let words = [&kid(1).to_hex(), *scheme, &size.to_string(), MILLISECONDS];
            ours.add(face.ask("decrypt", home.path(), &words));
            peer.add(openssl(cipher, size));
        }
        table.rate(&format!("{} KB: wm_decrypt_sample", size >> 10), &ours);
        table.rate(&format!("{} KB: openssl {cipher}, every byte", size >> 10), &peer);
        if let Some(targets) = targets {
            // Without the wide vector units, what openssl gives.
            let target = if wide { targets[place] } else { 1.0 };
            table.at_least(&format!("{} KB: to openssl", size >> 10), ours.median() / peer.median(), target);
        }
        if place == 0 {
            smallest = ours.median();
        }
    }
    smallest
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
