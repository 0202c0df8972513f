//! The demonstration of a shop: it rents, sells and subscribes through the owner's API and by tokens of its own.

use std::process::Command;

use wmlicense_testkit::{root, run};

#[test]
fn a_shop_rents_sells_and_subscribes_and_the_title_plays_in_a_browser() {
    if !["python3", "chromium"].into_iter().all(run::has_tool) {
        return;
    }
    let told = run::succeed(Command::new(root().join("ci/demo_shop.sh")).env("WM_TEST_PROGRAMS_BUILT", "1"));
    for line in [
        "rented          1 license on the tablet",
        "bought          a license on the phone",
        "third device    the service refuses the license: as many devices as allowed hold the licenses",
        "freed           the phone: it drops 1 license when it asks next",
        "third device    has its license",
        "subscribed      an account by the shop's word",
        "frames of the subscriber, with a key by POST /clearkey",
    ] {
        assert!(told.contains(line), "{told}");
    }
    let shop = std::fs::read_to_string(root().join("examples-python/shop.py")).unwrap();
    let lines = shop.lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= 60, "the shop has {lines} lines");
}
