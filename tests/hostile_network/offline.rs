//! `OfflineOnly` opens no socket: shown by the system calls, in a namespace that has no network at all.

use crate::player::{compiled, environment, service};
use std::io::Write as _;
use std::process::{Command, Stdio};
use wmlicense_testkit::c::compile::Form;
use wmlicense_testkit::run;

#[test]
fn an_offline_client_opens_no_socket() {
    if !run::has_tool("gcc") || !run::has_tool("strace") {
        return;
    }
    let (folder, service) = (tempfile::tempdir().unwrap(), service());
    let program = compiled(Form::Shared, folder.path());
    let trace = folder.path().join("trace");
    let words = |offline: bool| {
        let isolated = Command::new("unshare").args(["-rn", "true"]).output().is_ok_and(|done| done.status.success());
        let before: &[&str] = if offline && isolated { &["unshare", "-rn"] } else { &[] };
        let mut command = run::limited(before.iter().copied());
        command.args(["strace", "-f", "-e", "trace=socket,connect", "-o"]).arg(&trace);
        command.arg(&program).arg(folder.path());
        environment(&mut command, &service);
        command
    };
    let kid = wmlicense_testkit::kid(1).to_base64();
    let run_with = |offline: bool, script: &str| {
        let mut child = words(offline).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("strace starts");
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let calls = std::fs::read_to_string(&trace).unwrap();
        let sockets = calls.lines().filter(|line| line.contains("socket(") || line.contains("connect(")).count();
        (String::from_utf8(output.stdout).unwrap(), sockets)
    };
    service.offer(wmlicense_testkit::kid(1));
    let (told, sockets) = run_with(false, &format!("individualize\nacquire {kid}\n"));
    assert!(told.contains("WM_S_LICENSE_ACQUIRED"), "{told}");
    assert!(sockets > 0, "the trace shows the sockets of an online client");
    let contacts = service.contacts();
    let (told, sockets) =
        run_with(true, &format!("flag OfflineOnly 1\nindividualize\nacquire {kid}\nuse {kid}\nlist\n"));
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[1].starts_with("WM_E_POLICY_DISABLE_ONLINE ") && lines[2].starts_with("WM_E_POLICY_DISABLE_ONLINE "));
    assert_eq!(lines[3], "WM_S_OK 0");
    assert!(lines[4].starts_with(&format!("licenses: {kid}:")), "{}", lines[4]);
    assert_eq!((sockets, service.contacts()), (0, contacts));
}
