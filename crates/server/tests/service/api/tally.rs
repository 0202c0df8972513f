//! What was issued, restored and refused by day and title, as the API tells it: at once, and after the process ended.

use super::shop::{Sent, Shop};
use serde_json::Value;
use wmlicense_testkit::daemon::Data;
use wmlicense_testkit::daemon::device::{Device, Known};
use wmlicense_testkit::daemon::{GOLD, OPEN};

/// What came of licenses in the last two days, because midnight may come between.
fn came(shop: &Shop, outcome: &str) -> u64 {
    let rows = shop.get("tally/days?days=2");
    let of = rows.as_array().unwrap().iter().filter(|row| row["outcome"] == outcome);
    of.map(|row| row["number"].as_u64().unwrap()).sum()
}

fn titles(shop: &Shop) -> Vec<(String, String, u64)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = shop.get("tally/titles?days=2");
    let row = |row: &Value| (text(&row["title"]), text(&row["outcome"]), row["number"].as_u64().unwrap());
    rows.as_array().unwrap().iter().map(row).collect()
}

fn title(outcome: &str, number: u64) -> (String, String, u64) {
    ("A title".to_owned(), outcome.to_owned(), number)
}

fn counts_outlive_the_process(mut shop: Shop) {
    let known = Known::discover(&shop.serving.url, shop.data.authority);
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[OPEN], None);
    Device::individualized(&known).acquire(&known, &[OPEN, GOLD], None);
    let backup = device.back_up(&known, &held, None);
    assert_eq!(Device::individualized(&known).restore(&known, &backup, None).1.len(), 1);
    assert_eq!(["issued", "refused", "restored", "renewed"].map(|outcome| came(&shop, outcome)), [2, 1, 1, 0]);
    assert_eq!(titles(&shop), [title("issued", 2), title("restored", 1)]);
    // What was told is written: whoever kills the process takes nothing of it away.
    shop.serving.kill();
    shop.serving = shop.data.serve(&[]);
    assert_eq!((came(&shop, "issued"), titles(&shop).len()), (2, 2));
    // What nobody asked for is written when the process is told to end.
    let known = Known::discover(&shop.serving.url, shop.data.authority);
    Device::individualized(&known).acquire(&known, &[OPEN], None);
    assert_eq!(shop.serving.terminate().0, Some(0));
    shop.serving = shop.data.serve(&[]);
    assert_eq!(titles(&shop), [title("issued", 3), title("restored", 1)]);
}

#[test]
fn counts_by_day_and_title_outlive_the_process() {
    counts_outlive_the_process(Shop::new());
}

#[test]
fn counts_outlive_the_process_the_same_over_postgresql() {
    counts_outlive_the_process(Shop::over(Data::over_postgres(15)));
}

#[test]
fn counts_are_for_who_may_see_accounts_and_go_back_400_days() {
    let shop = Shop::new();
    let told = shop.data.admin(&["admin", "add", "pia", "--role", "packager"]);
    let token = told.strip_prefix("token: ").map(str::trim);
    for path in ["tally/days", "tally/titles"] {
        shop.sent("GET", path, Sent { token, ..Sent::default() }).refused(403);
        let told = shop.ask("GET", &format!("{path}?days=401"), Value::Null).refused(400);
        assert!(told.contains("from 1 to 400"), "{told}");
        assert_eq!(shop.get(&format!("{path}?days=400")), serde_json::json!([]));
    }
}
