//! What an owner writes, a shop signs and a browser sends: terms as JSON, files of content keys, keys and tokens of a shop, requests to
//! the owner's API, dates, queries and forms.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wmlicense_server::fuzzing::{api_requests, date, date_text, is_shops, led_back, policies, shop_keys, titles};
use wmlicense_wire::policy::{MAX_LEN, Policy};

fuzz_target!(|data: &[u8]| {
    for title in titles(data).unwrap_or_default().into_iter().flatten() {
        assert!(!title.is_empty() && title.len() <= 512 && !title.chars().any(char::is_control), "{title:?}");
    }
    assert!(!shop_keys(data), "a token without a signature counts");
    let Ok(text) = std::str::from_utf8(data) else { return };
    assert!(!is_shops(text), "{text:?}");
    api_requests(text);
    for mut policy in policies(text).unwrap_or_default() {
        let bytes = policy.encode();
        assert!(bytes.len() <= MAX_LEN, "{} bytes of a policy", bytes.len());
        let mut again = Policy::decode(&bytes).expect("accepted terms are read by every client");
        // The order on the wire is not the owner's.
        policy.actions.sort_by(|one, other| one.0.cmp(&other.0));
        again.actions.sort_by(|one, other| one.0.cmp(&other.0));
        assert!(again == policy, "{again:?} {policy:?}");
    }
    if let Some(seconds) = date(text) {
        assert!((-62_200_000_000..253_500_000_000).contains(&seconds));
        assert_eq!(date(&date_text(seconds)), Some(seconds), "{text:?}");
    }
    for query in [text, &format!("return={text}")] {
        let Some(url) = led_back(query) else { continue };
        assert!(url.starts_with("http://127.0.0.1:") || url.starts_with("http://[::1]:"), "{url:?}");
        assert!(!url.contains(['"', '<', '>', ' ', '@', '#']) && !url.contains(char::is_control), "{url:?}");
    }
});
