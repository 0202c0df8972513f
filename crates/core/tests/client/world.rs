//! The test world holds together: what its services sign verifies and opens as a client would do it.

use wmlicense_testkit::{Asked, TestDevice, World, content_key, grant, kid};
use wmlicense_wire::certificate::Role;

#[test]
fn an_answer_of_the_test_issuer_opens_to_the_keys_that_were_granted() {
    let (world, device) = (World::new(), TestDevice::new());
    let asked = Asked::by(device.device_id, &device.keys);
    let grants: Vec<_> = (0..3).map(|n| grant(&world.policy(kid(n)), content_key(kid(n)))).collect();
    let bytes = world.answer(&world.issuer, &asked, &grants);
    let (_, licenses) = world.open(Role::Issuer, &asked, &device.hpke, &bytes);
    let keys: Vec<_> = licenses.iter().map(|license| license.key.as_bytes().to_vec()).collect();
    assert_eq!(keys, (0..3).map(|n| content_key(kid(n)).to_vec()).collect::<Vec<_>>());
    assert!(world.directory.device(&world.certify(device.device_id, &device.keys)).is_ok());
}
