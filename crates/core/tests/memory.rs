//! What a use allocates: nothing after its first sample.
#![cfg(test)]

use allocation_counter::measure;
use wmlicense_core::decryptor::Decryptor;
use wmlicense_core::rights::Application;
use wmlicense_media::cenc::{SampleInfo, Scheme};
use wmlicense_testkit::home::Home;
use wmlicense_testkit::{World, kid};

#[test]
fn a_decryptor_allocates_for_its_first_sample_only() {
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&[world.policy(kid(1))]).unwrap();
    let decryptor = Decryptor::create(&home.client, kid(1), "Play", &Application::default()).unwrap();
    let info =
        SampleInfo { scheme: Scheme::Cbcs, iv: &[9; 16], subsamples: &[], crypt_byte_block: 1, skip_byte_block: 9 };
    let mut data = vec![3; 10_000];
    decryptor.decrypt(&info, &mut data).unwrap();
    let taken = measure(|| (0..100).for_each(|_| decryptor.decrypt(&info, &mut data).unwrap()));
    assert_eq!(taken.count_total, 0);
}
