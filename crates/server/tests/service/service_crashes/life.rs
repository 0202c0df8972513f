//! A life of two devices beside a service: what they ask in which order, what they expect, and that it is answered the same
//! again. Killing the service is not here.

use wmlicense_testkit::crash::Point;
use wmlicense_testkit::daemon::device::{Device, Held, Known, Reply, agent, now};
use wmlicense_testkit::daemon::{COUNTED, GOLD, OPEN};
use wmlicense_wire::answer::{Answer, Outcome};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{Digest, Lid, TransactionId};
use wmlicense_wire::license::{ActionState, State};
use wmlicense_wire::problem::ProblemKind;
use wmlicense_wire::request::{Body, Request};
use wmlicense_wire::revocation::{Acknowledgement, Revocation};

/// Content that a user accepts on the page.
pub const ASKED: &str = "c0000000000000000000000000000010";
/// Times that a request is sent to a service that could not write.
const TRIES: usize = 8;

/// The service is gone.
#[derive(Debug)]
pub struct Gone;

/// What a device asks, with the answer once there is one.
pub struct Said {
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
    /// What was taken back.
    Revocations,
    /// That it was taken in.
    Acknowledge,
}

const STEPS: [Step; 13] = [
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
    Step::Revocations,
    Step::Acknowledge,
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
            | Self::AskUser
            | Self::Revocations
            | Self::Acknowledge => Role::Issuer,
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Individualize | Self::IndividualizeOther => "individualize",
            Self::Restore => "restores",
            Self::Renew => "renewals",
            Self::GiveBack => "returns",
            Self::Revocations | Self::Acknowledge => "revocations",
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
pub struct Life {
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
    pub fn new(token: &str) -> Self {
        let (devices, said, held) = ([Device::new(), Device::new()], Vec::new(), Vec::new());
        Self { token: token.to_owned(), devices, said, held }
    }

    fn lid(&self, kid: &str) -> Lid {
        self.held
            .iter()
            .map(|held| &held.license.policy)
            .find(|policy| policy.kid == wmlicense_testkit::daemon::device::kid(kid))
            .unwrap()
            .lid
    }

    /// Goes on from where it is to its end.
    pub fn live(&mut self, known: &Known) -> Result<(), Gone> {
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
        if step == Step::Acknowledge {
            let (bytes, transaction) = (self.word(), TransactionId::random().unwrap());
            return Said { step, device: 0, token: None, bytes, transaction, answer: None };
        }
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
            Step::Revocations | Step::Acknowledge => {
                device.request(known, Role::Issuer, Body::Revocations { machine_id: Vec::new() })
            }
        }
    }

    /// The word that the newest order was taken in.
    fn word(&self) -> Vec<u8> {
        let blob = self.said.last().unwrap().answer.as_ref().unwrap();
        let (number, device) = (Revocation::verify(blob).unwrap().content.number, &self.devices[0]);
        let (taken_at, device_id) = (now(), device.id());
        let word =
            Acknowledgement { taken_at, blob: Digest::of(blob), number, device_id, removed: 0, lids: Vec::new() };
        word.sign(&device.signing, device.thumbprint()).unwrap()
    }

    /// Takes the answer to what was said last.
    fn take(&mut self, known: &Known) {
        let said = self.said.last().unwrap();
        if matches!(said.step, Step::Revocations | Step::Acknowledge) {
            return;
        }
        let device = &self.devices[said.device];
        let bytes = said.answer.as_ref().unwrap();
        let (answer, licenses, envelope) = device.verify(known, said.step.role(), &said.bytes, said.transaction, bytes);
        assert!(answer.refusals.is_empty(), "{:?}: {:?}", said.step, answer.refusals);
        if let Some(certificate) = &envelope.device_certificate {
            self.devices[said.device].certificate = Some(known.directory.device(certificate).unwrap());
        }
        let expected = match said.step {
            Step::Individualize | Step::IndividualizeOther | Step::GiveBack | Step::Revocations | Step::Acknowledge => {
                0
            }
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
            if kid == wmlicense_testkit::daemon::device::kid(COUNTED) {
                assert!(left.is_none_or(|left| license.binding.state == Some(counts(left))), "{:?}", said.step);
                license.binding.state = Some(counts(2));
            }
            if is_first && [OPEN, COUNTED].map(wmlicense_testkit::daemon::device::kid).contains(&kid) {
                self.held.retain(|held| held.license.policy.kid != kid);
                self.held.push(Held { signed: envelope.signed.clone(), license });
            }
        }
    }

    /// Every answer that left is in the service: the same request gets the same again.
    pub fn check_recorded(&self, known: &Known, after: &Point) {
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
        match reply.status {
            200 => return Ok(reply.body),
            204 => return Ok(Vec::new()),
            _ => {}
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
