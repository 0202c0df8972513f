//! What `/metrics` says: in the form that Prometheus reads, with the names that it wants, and true.

use std::io::Write as _;
use std::process::{Command, Stdio};
use wmlicense_testkit::daemon::device::{Device, Known, agent, get};
use wmlicense_testkit::daemon::{Data, OPEN, Serving};
use wmlicense_testkit::run;
use wmlicense_wire::endpoint;

fn metrics(serving: &Serving) -> String {
    String::from_utf8(get(&format!("{}/metrics", serving.management)).body).unwrap()
}

/// The value of a line.
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
}

/// A service that was asked: a license, a wrong question, an unknown path; and what it counted.
fn asked() -> (Data, Serving, String) {
    let data = Data::new();
    data.fill();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    device.acquire(&known, &[OPEN], None);
    agent().get(format!("{}/v1/time?nonce=zz", serving.url)).call().unwrap();
    agent().get(format!("{}/v1/secret", serving.url)).call().unwrap();
    let text = metrics(&serving);
    (data, serving, text)
}

#[test]
fn requests_are_measured_by_route_and_outcome_and_refusals_by_reason() {
    let (_data, _serving, text) = asked();
    let count = |route: &str, outcome: &str| {
        value(&text, &format!("wmlicensed_request_duration_seconds_count{{route=\"{route}\",outcome=\"{outcome}\"}}"))
    };
    assert_eq!((count("/v1/licenses", "ok"), count("/v1/time", "refused"), count("other", "refused")), (1.0, 1.0, 1.0));
    assert!(text.contains("le=\"+Inf\"} 1") && !text.contains("secret"), "{text}");
    assert_eq!(value(&text, "wmlicensed_refusals_total{reason=\"bad_request\"}"), 1.0);
    assert_eq!(value(&text, "wmlicensed_refusals_total{reason=\"not_found\"}"), 1.0);
    assert_eq!(value(&text, "wmlicensed_licenses_issued_total"), 1.0);
    assert_eq!(value(&text, "wmlicensed_devices_certified_total"), 1.0);
    // The question itself.
    assert_eq!(value(&text, "wmlicensed_requests_in_flight"), 1.0);
    assert_eq!(value(&text, "wmlicensed_responses_total{status=\"5xx\"}"), 0.0);
}

#[test]
fn certificates_lists_queues_and_the_process_are_measured() {
    let (data, serving, text) = asked();
    for role in ["individualization", "issuer", "management"] {
        let remaining = value(&text, &format!("wmlicensed_certificate_remaining_seconds{{certificate=\"{role}\"}}"));
        assert!((399.0 * 86_400.0..=400.0 * 86_400.0).contains(&remaining), "{role}: {remaining}");
    }
    assert_eq!(value(&text, "wmlicensed_status_list_remaining_seconds"), -1.0);
    for queue in ["computations", "deliveries", "database"] {
        assert_eq!(value(&text, &format!("wmlicensed_queue_depth{{queue=\"{queue}\"}}")), 0.0);
    }
    assert_eq!(value(&text, &format!("wmlicensed_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"))), 1.0);
    assert!(value(&text, "process_resident_memory_bytes") > f64::from(1 << 20));
    assert!(value(&text, "process_max_fds") >= value(&text, "process_open_fds"));
    assert!(value(&text, "process_cpu_seconds_total") > 0.0);

    data.admin(&["status", "publish"]);
    serving.signal("HUP");
    serving.wait_for_log("status list are read again");
    // A device asks for the list, which has the service look.
    get(&format!("{}{}", serving.url, endpoint::path(endpoint::STATUS_LIST)));
    let text = metrics(&serving);
    assert!(value(&text, "wmlicensed_status_list_remaining_seconds") > 86_400.0, "{text}");
    assert!((0.0..600.0).contains(&value(&text, "wmlicensed_status_list_age_seconds")));
}

#[test]
fn prometheus_itself_finds_nothing_wrong() {
    let (_data, _serving, text) = asked();
    let Some(promtool) = run::unpacked("promtool") else { return };
    let mut check = Command::new(promtool);
    let mut child = check
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    // What it only finds unusual it says as well.
    assert!(output.status.success() && said.is_empty(), "{said}\n{text}");
}
