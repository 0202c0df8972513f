//! The log as programs read it, and the IDs by which a request is found in it.

use serde_json::Value;
use wmlicense_testkit::daemon::device::{Device, Known, agent};
use wmlicense_testkit::daemon::{Data, OPEN};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn lines(log: &str) -> Vec<Value> {
    log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[test]
fn every_line_of_a_json_log_is_an_object_and_names_request_trace_and_route() {
    let data = Data::new();
    data.fill();
    let mut serving = data.serve(&["--log-format", "json"]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    device.acquire(&known, &[OPEN], None);
    let asked = agent().get(format!("{}/v1/time?nonce=zz", serving.url));
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let reply = asked.header("x-request-id", "mine-1").header("traceparent", &parent).call().unwrap();
    assert_eq!(reply.headers()["x-request-id"], "mine-1");
    let told = reply.headers()["traceparent"].to_str().unwrap();
    assert!(told.starts_with(&format!("00-{TRACE}-")) && told.ends_with("-01") && told != parent, "{told}");
    let (status, log) = serving.terminate();
    assert_eq!(status, Some(0));

    let lines = lines(&log);
    let answered: Vec<&Value> = lines.iter().filter(|line| line["message"] == "answered").collect();
    let line = answered.iter().find(|line| line["span"]["request_id"] == "mine-1").expect("the request is in the log");
    assert_eq!((&line["route"], &line["status"]), (&Value::from("/v1/time"), &Value::from(400)));
    assert_eq!(line["span"]["trace_id"], TRACE);
    assert!(line["fault"].as_str().unwrap().starts_with("BadRequest"), "{line}");
    let licenses = answered.iter().find(|line| line["route"] == "/v1/licenses").expect("the license is in the log");
    assert!(licenses["span"]["request_id"].as_str().unwrap().len() >= 16 && licenses["milliseconds"].is_number());
    for line in &lines {
        assert!(line["timestamp"].is_string() && line["level"].is_string() && line["message"].is_string(), "{line}");
    }
}

#[test]
fn probes_and_paths_of_strangers_are_not_in_the_log() {
    let data = Data::new();
    let mut serving = data.serve(&[]);
    for path in ["/healthz", "/readyz", "/metrics"] {
        agent().get(format!("{}{path}", serving.management)).call().unwrap();
    }
    for path in ["/Bearer%20secret", "/v1/secret"] {
        agent().get(format!("{}{path}", serving.url)).call().unwrap();
    }
    let log = serving.terminate().1;
    assert_eq!(log.matches("answered").count(), 2, "{log}");
    assert_eq!(log.matches("route=\"other\"").count(), 2, "{log}");
    assert!(!log.contains("secret"), "{log}");
}

#[test]
fn a_service_behind_a_proxy_without_its_url_says_so_once() {
    let data = Data::new();
    let through_proxy = |url: &str| {
        for _ in 0..3 {
            agent().get(format!("{url}/v1/time")).header("x-forwarded-for", "192.0.2.1").call().unwrap();
        }
    };
    let mut serving = data.serve(&[]);
    through_proxy(&serving.url);
    let log = serving.terminate().1;
    assert_eq!(log.matches("set --public-url").count(), 1, "{log}");
    assert!(!log.contains("192.0.2.1"), "{log}");

    let mut serving = data.serve(&["--public-url", "https://licenses.example"]);
    through_proxy(&serving.url);
    assert!(!serving.terminate().1.contains("--public-url"));
}

#[test]
fn a_service_behind_a_proxy_that_it_does_not_trust_says_so_once_and_which() {
    let data = Data::new();
    let through_proxy = |words: &[&str]| {
        let mut serving = data.serve(words);
        for _ in 0..3 {
            let url = format!("{}/support", serving.url);
            agent().get(url).header("x-forwarded-for", "192.0.2.1").call().unwrap();
        }
        serving.terminate().1
    };
    let told = "add --trusted-proxy 127.0.0.1";
    let log = through_proxy(&[]);
    assert_eq!(log.matches(told).count(), 1, "{log}");
    assert!(!log.contains("192.0.2.1"), "{log}");
    assert!(!through_proxy(&["--trusted-proxy", "127.0.0.1"]).contains(told));
}
