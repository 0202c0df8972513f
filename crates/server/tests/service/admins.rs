//! Those who act for the owner from elsewhere: how they are let in, what they are told, how they are let go.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wmlicense_testkit::daemon::device::{Reply, agent};
use wmlicense_testkit::daemon::{Data, Serving};
use wmlicense_wire::problem::Problem;

fn token(data: &Data, words: &[&str]) -> String {
    data.admin(words).strip_prefix("token: ").unwrap().trim().to_owned()
}

fn me(serving: &Serving, authorization: Option<&str>) -> Reply {
    let mut request = agent().get(format!("{}/admin/v1/me", serving.management));
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    Reply::read(request.call().unwrap())
}

fn refused(reply: &Reply) -> (u16, String) {
    let problem = Problem::parse(&reply.body).unwrap();
    assert_eq!(problem.status, reply.status);
    assert!(problem.request_id.is_some());
    (reply.status, problem.detail.unwrap())
}

#[test]
fn a_token_of_an_admin_is_known_at_the_owners_listener_until_it_is_replaced_or_removed() {
    let data = Data::new();
    let account = data.account("alice", &[]);
    let first = token(&data, &["admin", "add", "shop 1", "--role", "shop"]);
    let serving = data.serve(&[]);
    let bearer = |token: &str| me(&serving, Some(&format!("Bearer {token}")));
    let known: serde_json::Value = serde_json::from_slice(&bearer(&first).body).unwrap();
    assert_eq!((&known["admin"], &known["role"]), (&"shop 1".into(), &"shop".into()));
    let basic = format!("Basic {}", STANDARD.encode(format!("anybody:{first}")));
    assert_eq!(me(&serving, Some(&basic)).status, 200);
    // No token, a wrong one, an account's.
    for nobody in [me(&serving, None), bearer("wrong"), bearer(&account)] {
        let (status, told) = refused(&nobody);
        assert!(status == 401 && told.contains("wmlicensed admin add"), "{told}");
    }
    let second = token(&data, &["admin", "token", "shop 1"]);
    assert_eq!(bearer(&second).status, 200);
    assert!(refused(&bearer(&first)).1.contains("has ended"));
    assert_eq!(data.admin(&["admin", "remove", "shop 1"]), "removed: shop 1\n");
    assert!(refused(&bearer(&second)).1.contains("has ended"));
    // Not for devices: the public listener has no such path.
    let public = agent().get(format!("{}/admin/v1/me", serving.url)).call().unwrap();
    assert_eq!(public.status().as_u16(), 404);
}

#[test]
fn admins_are_listed_with_their_roles_and_the_audit_tells_who_let_them_in() {
    let data = Data::new();
    let secret = token(&data, &["admin", "add", "reader", "--role", "reader", "--until", "2090-01-01T00:00:00Z"]);
    token(&data, &["admin", "add", "ada", "--role", "owner"]);
    data.admin(&["admin", "remove", "ada"]);
    let list = data.json(&["admin", "list"]);
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!((&list[0]["admin"], &list[0]["counts"]), (&"reader".into(), &true.into()));
    assert_eq!(list[0]["until"], "2090-01-01T00:00:00Z");
    assert_eq!(data.json(&["admin", "list", "--removed"]).as_array().unwrap().len(), 2);
    assert!(!data.admin(&["admin", "list", "--removed"]).contains(&secret));
    let acts = data.json(&["audit", "list", "--act", "admin"]);
    let acts: Vec<&str> = acts.as_array().unwrap().iter().map(|row| row["act"].as_str().unwrap()).collect();
    assert_eq!(acts, ["admin remove", "admin add", "admin add"]);
    assert!(data.fails(&["admin", "add", "reader", "--role", "shop"]).1.contains("there is an admin reader already"));
    for words in [["admin", "token", "bob"], ["admin", "remove", "bob"]] {
        assert!(data.fails(&words).1.contains("there is no admin bob"));
    }
    let (status, complaint) = data.fails(&["admin", "add", "eve", "--role", "king"]);
    assert!(status == 2 && complaint.contains("owner, shop, packager, support, reader"), "{complaint}");
    assert!(data.fails(&["admin", "token", "reader", "--until", "2001-01-01T00:00:00Z"]).1.contains("is over"));
}
