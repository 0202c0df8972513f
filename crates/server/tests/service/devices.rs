//! Devices of accounts: how many may have licenses under a grant, and how one makes room.

use super::offers::{FILM, each_engine, grant, shop};
use wmlicense_testkit::daemon::device::{Device, agent};
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

/// What a browser is answered that sends a form to the page of devices.
fn send(url: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> (u16, String) {
    let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut request = agent().post(format!("{url}/devices")).content_type("application/x-www-form-urlencoded");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut response = request.send(body.join("&")).unwrap();
    (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
}

fn session(page: &str) -> String {
    let (_, rest) = page.split_once(r#"name="session" value=""#).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[test]
fn a_person_sees_the_devices_of_the_account_and_frees_two_of_them_in_a_year() {
    each_engine(|data| {
        let (serving, known) = shop(&data);
        let token = data.account("family", &[]);
        let id = grant(&data, &["family", "buy-film", "--devices", "3"]);
        let devices = [(); 4].map(|()| Device::individualized(&known));
        let has = |device: &Device| device.acquire(&known, &[FILM], Some(&token)).1.len() == 1;
        assert!(devices[..3].iter().all(has) && !has(&devices[3]));
        let ids = devices.each_ref().map(|device| device.id().to_hex());
        let sign_in = |token: &str| send(&serving.url, &[("action", "sign-in"), ("token", token)], &[]);
        assert_eq!((sign_in("").0, sign_in("wrong").0), (422, 422));
        let (status, page) = sign_in(&token);
        assert!(status == 200 && page.contains("family") && ids[..3].iter().all(|id| page.contains(id)), "{page}");
        assert!(!page.contains(&ids[3]) && !page.contains(&token));
        let sealed = session(&page);
        let free = |session: &str, device: &str, headers: &[(&str, &str)]| {
            send(&serving.url, &[("action", "free"), ("session", session), ("device", device)], headers)
        };
        // Another site sends no form, nor does who has no session or one of another page.
        assert_eq!(free(&sealed, &ids[0], &[("sec-fetch-site", "cross-site")]).0, 403);
        assert_eq!((free("", &ids[0], &[]).0, free(&sealed, "x", &[]).0), (403, 403));
        let (status, page) = free(&sealed, &ids[0], &[("accept-language", "de")]);
        assert!(
            status == 200 && page.contains("ist freigegeben") && !page.contains(&format!("value=\"{}\"", ids[0])),
            "{page}"
        );
        assert!(has(&devices[3]));
        assert!(free(&sealed, &ids[0], &[]).1.contains("has nothing from this account any more"));
        assert!(free(&sealed, &ids[1], &[]).1.contains("is freed"));
        assert!(free(&sealed, &ids[2], &[]).1.contains("You freed two devices within a year"));
        assert!(has(&devices[2]), "it was not freed");
        // The owner may always.
        data.admin(&["device", "free", "family", &ids[2]]);
        let who = data.json(&["audit", "list", "--act", "device free"]);
        let who: Vec<&str> = who.as_array().unwrap().iter().map(|row| row["who"].as_str().unwrap()).collect();
        assert_eq!(who.iter().filter(|who| **who == "account family").count(), 2, "{who:?}");
        data.admin(&["grant", "end", &id]);
    });
}
