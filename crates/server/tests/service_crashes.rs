//! A running service that is killed, or meets a failing disk, while devices ask it: every answer that left is given again with the
//! same bytes, the same requests lead to the same end, and nothing counts twice. `WM_TEST_CRASH_ALL=1` tries every point.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use support::client::{Device, Held, Known, Reply, agent};
use support::crash::{Fault, Point, at_each_call_of, can_trace, copy};
use support::{COUNTED, Data, GOLD, OPEN, Serving};
use wmlicense_wire::answer::{Answer, Outcome};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{Digest, Lid, TransactionId};
use wmlicense_wire::license::{ActionState, State};
use wmlicense_wire::problem::ProblemKind;
use wmlicense_wire::request::{Body, Request};

/// What changes the database. The process writes elsewhere as well, in as many calls as its threads happen to make.
const DATABASE: &str = "pwrite64,fsync,fdatasync,ftruncate,unlink";
/// What goes between a service and those who ask it.
const NETWORK: &str = "accept4,recvfrom,sendto,writev,shutdown";
const ASKED: &str = "c0000000000000000000000000000010";
/// Times that a request is sent to a service that could not write.
const TRIES: usize = 8;

/// The service is gone.
#[derive(Debug)]
struct Gone;

/// What a device asks, with the answer once there is one.
struct Said {
    step: Step,
    device: usize,
    token: Option<String>,
    bytes: Vec<u8>,
    transaction: TransactionId,
    answer: Option<Vec<u8>>,
}

/// The requests of a life, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Individualize,
    IndividualizeOther,
    Acquire,
    AcquireAsAccount,
    /// Everything, telling of three uses left.
    Deliver,
    /// From a store that was lost.
    AcquireAgain,
    /// On the other device, telling of two uses left.
    Restore,
    /// On the other device, telling of one use left.
    Renew,
    GiveBack,
    AcquireAfterReturn,
    /// On the page.
    AskUser,
}

const STEPS: [Step; 11] = [
    Step::Individualize,
    Step::IndividualizeOther,
    Step::Acquire,
    Step::AcquireAsAccount,
    Step::Deliver,
    Step::AcquireAgain,
    Step::Restore,
    Step::Renew,
    Step::GiveBack,
    Step::AcquireAfterReturn,
    Step::AskUser,
];

impl Step {
    fn role(self) -> Role {
        match self {
            Self::Individualize | Self::IndividualizeOther => Role::Individualization,
            Self::Restore => Role::Management,
            Self::Acquire
            | Self::AcquireAsAccount
            | Self::Deliver
            | Self::AcquireAgain
            | Self::Renew
            | Self::GiveBack
            | Self::AcquireAfterReturn
            | Self::AskUser => Role::Issuer,
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Individualize | Self::IndividualizeOther => "individualize",
            Self::Restore => "restores",
            Self::Renew => "renewals",
            Self::GiveBack => "returns",
            Self::Acquire
            | Self::AcquireAsAccount
            | Self::Deliver
            | Self::AcquireAgain
            | Self::AcquireAfterReturn
            | Self::AskUser => "licenses",
        }
    }
}

/// Two devices and what was said between them and the service.
struct Life {
    token: String,
    devices: [Device; 2],
    said: Vec<Said>,
    /// What the first device has of open content, as it is used.
    held: Vec<Held>,
}

fn counts(left: u32) -> State {
    State { actions: [("Play".to_owned(), ActionState { counts_left: Some(left), first_use: None })].into() }
}

impl Life {
    fn new(token: &str) -> Self {
        let (devices, said, held) = ([Device::new(), Device::new()], Vec::new(), Vec::new());
        Self { token: token.to_owned(), devices, said, held }
    }

    fn lid(&self, kid: &str) -> Lid {
        self.held
            .iter()
            .map(|held| &held.license.policy)
            .find(|policy| policy.kid == support::client::kid(kid))
            .unwrap()
            .lid
    }

    /// Goes on from where it is to its end.
    fn live(&mut self, known: &Known) -> Result<(), Gone> {
        for step in &STEPS[self.said.iter().filter(|said| said.answer.is_some()).count()..] {
            if self.said.last().is_none_or(|said| said.answer.is_some()) {
                let said = self.prepare(known, *step);
                self.said.push(said);
            }
            let said = self.said.last().unwrap();
            let answer = match step {
                Step::AskUser => accepted(known, &self.devices[said.device], said)?,
                _ => granted(known, said)?,
            };
            self.said.last_mut().unwrap().answer = Some(answer);
            self.take(known);
        }
        Ok(())
    }

    fn prepare(&self, known: &Known, step: Step) -> Said {
        let other = matches!(step, Step::IndividualizeOther | Step::Restore | Step::Renew);
        let as_account = matches!(step, Step::AcquireAsAccount | Step::Deliver);
        let device = &self.devices[usize::from(other)];
        let request = self.request(known, device, step);
        let (bytes, transaction) = (device.sign(&request), request.transaction);
        let token = as_account.then(|| self.token.clone());
        Said { step, device: usize::from(other), token, bytes, transaction, answer: None }
    }

    fn request(&self, known: &Known, device: &Device, step: Step) -> Request {
        match step {
            Step::Individualize | Step::IndividualizeOther => device.individualize_request(known, true),
            Step::Acquire => device.licenses_request(known, &[OPEN, COUNTED]),
            Step::AcquireAsAccount => device.licenses_request(known, &[GOLD]),
            Step::Deliver => {
                let mut request = device.licenses_request(known, &[]);
                let Body::Licenses { usage, .. } = &mut request.body else { unreachable!() };
                usage.push((self.lid(COUNTED), counts(3)));
                request
            }
            Step::AcquireAgain => device.licenses_request(known, &[COUNTED]),
            Step::Restore => device.restore_request(known, &self.devices[0].back_up(known, &self.held, None)),
            Step::Renew => {
                let licenses = vec![(self.lid(COUNTED), counts(1)), (self.lid(OPEN), State::default())];
                device.request(known, Role::Issuer, Body::Renewals { licenses, custom: None })
            }
            Step::GiveBack => {
                let licenses = vec![(self.lid(OPEN), State::default())];
                device.request(known, Role::Issuer, Body::Returns { licenses })
            }
            Step::AcquireAfterReturn => device.licenses_request(known, &[OPEN]),
            Step::AskUser => device.licenses_request(known, &[ASKED]),
        }
    }

    /// Takes the answer to what was said last.
    fn take(&mut self, known: &Known) {
        let said = self.said.last().unwrap();
        let device = &self.devices[said.device];
        let bytes = said.answer.as_ref().unwrap();
        let (answer, licenses, envelope) = device.verify(known, said.step.role(), &said.bytes, said.transaction, bytes);
        assert!(answer.refusals.is_empty(), "{:?}: {:?}", said.step, answer.refusals);
        if let Some(certificate) = &envelope.device_certificate {
            self.devices[said.device].certificate = Some(known.directory.device(certificate).unwrap());
        }
        let expected = match said.step {
            Step::Individualize | Step::IndividualizeOther | Step::GiveBack => 0,
            Step::Acquire | Step::Restore | Step::Renew => 2,
            Step::AcquireAsAccount | Step::AcquireAgain | Step::AcquireAfterReturn | Step::AskUser => 1,
            Step::Deliver => 3,
        };
        assert_eq!(licenses.len(), expected, "{:?}", said.step);
        let left = match said.step {
            Step::Deliver | Step::AcquireAgain => Some(3),
            Step::Restore => Some(2),
            Step::Renew => Some(1),
            _ => None,
        };
        let is_first = said.device == 0;
        for mut license in licenses {
            let kid = license.policy.kid;
            if kid == support::client::kid(COUNTED) {
                assert!(left.is_none_or(|left| license.binding.state == Some(counts(left))), "{:?}", said.step);
                license.binding.state = Some(counts(2));
            }
            if is_first && [OPEN, COUNTED].map(support::client::kid).contains(&kid) {
                self.held.retain(|held| held.license.policy.kid != kid);
                self.held.push(Held { signed: envelope.signed.clone(), license });
            }
        }
    }

    /// Every answer that left is in the service: the same request gets the same again.
    fn check_recorded(&self, known: &Known, after: &Point) {
        for said in &self.said {
            let Some(answer) = &said.answer else { continue };
            let again = granted(known, said).unwrap();
            if said.step.role() != Role::Management {
                assert!(again == *answer, "{:?} is answered otherwise after {after:?}", said.step);
                continue;
            }
            // Made once more, of the same rows.
            let device = &self.devices[said.device];
            let open = |bytes: &[u8]| {
                let (_, licenses, _) = device.verify(known, Role::Management, &said.bytes, said.transaction, bytes);
                licenses.into_iter().map(|license| (license.policy.lid, license.binding.state)).collect::<Vec<_>>()
            };
            let no_more = |(lid, state): &(Lid, Option<State>)| {
                let before = open(answer).into_iter().find(|(of, _)| of == lid).unwrap().1;
                *state == before || *state == Some(counts(1))
            };
            // What was given back since is in no backup any more.
            let returned = self.said.iter().find(|said| said.step == Step::GiveBack).map(|said| said.answer.is_some());
            let possible: &[usize] = match returned {
                None => &[2],
                Some(false) => &[1, 2],
                Some(true) => &[1],
            };
            assert!(possible.contains(&open(&again).len()), "after {after:?}");
            assert!(open(&again).iter().all(no_more), "after {after:?}");
        }
    }
}

/// Sends what was said until it is answered.
fn granted(known: &Known, said: &Said) -> Result<Vec<u8>, Gone> {
    for _ in 0..TRIES {
        let reply = known.try_post(said.step.path(), &said.bytes, said.token.as_deref()).map_err(|_| Gone)?;
        if reply.status == 200 {
            return Ok(reply.granted());
        }
        let problem = reply.problem();
        assert!(matches!(problem, ProblemKind::Unavailable), "{:?}: {problem:?}", said.step);
    }
    panic!("{:?} is never answered", said.step)
}

/// As [`granted`], with a user who accepts on the page.
fn accepted(known: &Known, device: &Device, said: &Said) -> Result<Vec<u8>, Gone> {
    for _ in 0..TRIES {
        let bytes = granted(known, said)?;
        let (answer, ..): (Answer, _, _) = device.verify(known, Role::Issuer, &said.bytes, said.transaction, &bytes);
        let Outcome::Interaction { url } = answer.outcome else { return Ok(bytes) };
        let page = Reply::read(agent().get(&url).call().map_err(|_| Gone)?);
        let text = String::from_utf8(page.body).unwrap();
        let Some((_, rest)) = text.split_once("name=\"session\" value=\"") else { continue };
        let session = rest.split_once('"').unwrap().0;
        let form = agent().post(&url).content_type("application/x-www-form-urlencoded");
        form.send(format!("session={session}&action=accept")).map_err(|_| Gone)?;
    }
    panic!("the user is asked for ever")
}

/// Rows of each table.
fn rows(data: &Path) -> BTreeMap<String, i64> {
    let database = rusqlite::Connection::open(data.join("wmlicensed.db")).unwrap();
    let mut list =
        database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'").unwrap();
    let names: Vec<String> = list.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let count =
        |name: &String| database.query_row(&format!("SELECT count(*) FROM {name}"), [], |row| row.get(0)).unwrap();
    names.into_iter().map(|name| (count(&name), name)).map(|(count, name)| (name, count)).collect()
}

/// A folder with a service's data in it, its authority, and the token of an account.
fn base() -> (tempfile::TempDir, Digest, String) {
    let data = Data::new();
    data.open_content(OPEN, None);
    data.admin(&["content", "add", "--kid", GOLD, "--key", support::KEY, "--scope", "gold"]);
    data.policy("counted", r#"{"actions":{"Play":{"count":5}},"backup":"stateful"}"#);
    data.open_content(COUNTED, Some("counted"));
    data.policy("asked", r#"{"actions":{"Play":{}},"interaction":"page"}"#);
    data.open_content(ASKED, Some("asked"));
    let token = data.account("someone", &["gold"]);
    let base = tempfile::tempdir().unwrap();
    copy(data.path(), &base.path().join("data"));
    (base, data.authority, token)
}

/// A life beside a service that meets a fault. True if it came to its end.
fn lived(mut strace: Command, data: &Path, authority: Digest, token: &str, fault: Fault) -> (Life, bool) {
    // The service itself is the child, so that it can be told to end.
    strace.arg("-D");
    let mut life = Life::new(token);
    let is_killed = matches!(fault, Fault::Kill);
    let mut serving = match Serving::start(Some(strace), data, &[]) {
        Ok(serving) => serving,
        Err(complaint) => {
            assert!(is_killed || complaint.starts_with("wmlicensed: "), "{complaint}");
            return (life, false);
        }
    };
    let well = Known::try_discover(&serving.url, authority).is_some_and(|known| life.live(&known).is_ok());
    let is_alive = serving.is_alive();
    let log = if is_alive { serving.terminate().1 } else { serving.kill() };
    assert!(is_killed || (is_alive && well), "one call that fails ends no service: {log}");
    assert!(!log.contains("panicked"), "{log}");
    (life, well)
}

/// Serves what a fault left, asks for all answers again and lets the life come to its end. Gives what is in the database then.
fn ended(mut life: Life, data: &Path, authority: Digest, after: &Point) -> BTreeMap<String, i64> {
    let mut serving = Serving::start(None, data, &[]).unwrap_or_else(|why| panic!("{why} after {after:?}"));
    let known = Known::discover(&serving.url, authority);
    life.check_recorded(&known, after);
    life.live(&known).unwrap();
    life.check_recorded(&known, after);
    assert_eq!(serving.terminate().0, Some(0), "after {after:?}");
    rows(data)
}

#[test]
fn nothing_that_left_is_lost_and_nothing_counts_twice() {
    if !can_trace() {
        return;
    }
    let (base, authority, token) = base();
    let whole = tempfile::tempdir().unwrap();
    copy(base.path(), whole.path());
    let undisturbed = Point { call: "none".to_owned(), number: 0 };
    let expected = ended(Life::new(&token), &whole.path().join("data"), authority, &undisturbed);
    assert_eq!((expected["device"], expected["license"], expected["granted_again"]), (2, 4, 1), "{expected:?}");
    let faults = [
        (DATABASE, 24, Fault::Kill),
        (DATABASE, 12, Fault::Error("ENOSPC")),
        (DATABASE, 12, Fault::Error("EIO")),
        (NETWORK, 12, Fault::Kill),
    ];
    let at = |(calls, most, fault)| {
        let left = RefCell::new(None);
        let run = |strace: Command, folder: &Path| {
            let (life, well) = lived(strace, &folder.join("data"), authority, &token, fault);
            *left.borrow_mut() = Some(life);
            well
        };
        let serve = ("wmlicensed serve", &run as support::crash::Run<'_>);
        at_each_call_of(serve, &[], calls, base.path(), (most, fault), &mut |folder, point, _| {
            let life = left.borrow_mut().take().unwrap();
            assert_eq!(ended(life, &folder.join("data"), authority, point), expected, "after {point:?} {fault:?}");
        })
    };
    let tried: usize = faults.into_iter().map(at).sum();
    assert!(tried >= 50, "{tried} points");
}
