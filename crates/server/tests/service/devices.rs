//! Devices of accounts: how many may have licenses under a grant, and how one makes room.

use super::offers::{FILM, each_engine, grant, shop};
use wmlicense_testkit::daemon::device::Device;
use wmlicense_wire::answer::Reason;

#[test]
fn so_many_devices_have_a_grant_and_the_owner_frees_one_of_them() {
    each_engine(|data| {
        let (_serving, known) = shop(&data);
        let token = data.account("family", &[]);
        let id = grant(&data, &["family", "buy-film", "--devices", "2"]);
        let [tv, phone, tablet] = [(); 3].map(|()| Device::individualized(&known));
        let ask = |device: &Device| {
            let (answer, held) = device.acquire(&known, &[FILM], Some(&token));
            (answer.refusals.first().map(|refusal| refusal.reason), answer.withdrawn.len(), held.len())
        };
        let all = |device: &Device| {
            let (answer, held) = device.ask(&known, &device.delivery_request(&known, None, None), Some(&token));
            (answer.refusals.first().map(|refusal| refusal.reason), answer.withdrawn.len(), held.len())
        };
        assert_eq!((ask(&tv), all(&phone)), ((None, 0, 1), (None, 0, 1)));
        let full = (Some(Reason::LimitReached), 0, 0);
        assert_eq!((ask(&tablet), all(&tablet)), (full, full));
        assert_eq!(ask(&tv), (None, 0, 1), "it is one of them");
        let free = ["device", "free", "family", &phone.id().to_hex()];
        assert!(data.admin(&free).starts_with("freed: "));
        assert!(data.fails(&free).1.contains("has no license on device"));
        assert_eq!(ask(&tablet), (None, 0, 1));
        let (reason, withdrawn, held) = all(&phone);
        assert_eq!((reason, withdrawn, held), (Some(Reason::LimitReached), 1, 0), "it drops what it had");
        data.admin(&["grant", "change", &id, "--devices", "none"]);
        assert_eq!(ask(&phone), (None, 0, 1));
    });
}
