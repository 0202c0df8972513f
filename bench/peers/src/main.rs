//! `bento4-peer KID KEY IN OUT`: decrypts a file with Bento4.

use mp4decrypt::Ap4CencDecryptingProcessor;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [kid, key, from, to] = words.as_slice() else { return Err("bento4-peer KID KEY IN OUT".into()) };
    let data = std::fs::read(from)?;
    let processor = Ap4CencDecryptingProcessor::new().key(kid, key)?.build()?;
    std::fs::write(to, processor.decrypt(&data, None::<Vec<u8>>.as_ref())?)?;
    Ok(())
}
