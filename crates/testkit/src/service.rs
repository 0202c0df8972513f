//! A license service for tests, over real HTTP: it certifies, issues, remembers its answers by transaction, and misbehaves
//! on command. What a true service decides is not here.

mod document;
mod http;

use crate::{NOW, World, content_key, grant};
use http::{header, refuse, respond};
use std::collections::{HashMap, VecDeque};
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use wmlicense_wire::answer::{Answer, Beside, Grant, Outcome, Reason, Refusal, seal};
use wmlicense_wire::certificate::{DeviceCertificate, DeviceKeys, Role};
use wmlicense_wire::id::{DeviceId, Digest, Epoch, Kid, Lid, SignerId, TransactionId};
use wmlicense_wire::license::State;
use wmlicense_wire::policy::Policy;
use wmlicense_wire::problem::ProblemKind;
use wmlicense_wire::rekey::Rekey;
use wmlicense_wire::request::{Body, MAX_LEN, Request};
use wmlicense_wire::service_document::sign_time;

type MakeAnswer = Box<dyn FnOnce(&Shared, &Post) -> Vec<u8> + Send>;

/// What happens to one POST instead of an answer.
pub enum Step {
    /// It is decided, and the connection breaks before the answer is sent.
    Lose,
    /// It is refused undecided with a problem.
    Problem(ProblemKind),
    /// The connection is the test's from here on.
    Take(Box<dyn FnOnce(TcpStream) + Send>),
    /// The answer is made by the test.
    Answer(MakeAnswer),
}

/// One POST as it came.
#[derive(Clone)]
pub struct Post {
    pub path: String,
    pub bytes: Vec<u8>,
    pub request: Request,
    pub token: Option<String>,
}

impl Post {
    pub fn hash(&self) -> Digest {
        Digest::of(&self.bytes)
    }
}

pub struct Shared {
    pub world: Arc<World>,
    pub base: String,
    /// The service's clock.
    pub now: AtomicI64,
    pub catalogue: Mutex<HashMap<Kid, Policy>>,
    /// What every pre-delivery brings, page by page.
    pub pages: Mutex<Vec<Vec<Policy>>>,
    pub steps: Mutex<VecDeque<Step>>,
    pub posts: Mutex<Vec<Post>>,
    /// Documents given out.
    pub documents: Mutex<u32>,
    /// Replaces the document.
    pub document: Mutex<Option<Vec<u8>>>,
    /// Told in every answer; what is asked anew may then differ.
    pub epoch: Mutex<Option<Epoch>>,
    devices: Mutex<HashMap<SignerId, DeviceId>>,
    kept: Mutex<HashMap<(TransactionId, u32), Kept>>,
    over: AtomicBool,
}

/// The request that a page was asked for with, and what was answered.
type Kept = (Digest, Vec<u8>);

/// A running service.
pub struct Service {
    pub shared: Arc<Shared>,
    address: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl std::ops::Deref for Service {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Service {
    pub fn start(world: &Arc<World>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            world: Arc::clone(world),
            base: format!("http://{address}"),
            now: AtomicI64::new(NOW),
            catalogue: Mutex::default(),
            pages: Mutex::default(),
            steps: Mutex::default(),
            posts: Mutex::default(),
            documents: Mutex::default(),
            document: Mutex::default(),
            epoch: Mutex::default(),
            devices: Mutex::default(),
            kept: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if theirs.over.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&theirs);
                std::thread::spawn(move || shared.serve(&stream.unwrap()));
            }
        });
        Self { shared, address, thread: Some(thread) }
    }

    /// Puts a key ID with default terms into the catalogue.
    pub fn offer(&self, kid: Kid) -> Policy {
        let policy = self.world.policy(kid);
        self.catalogue.lock().unwrap().insert(kid, policy.clone());
        policy
    }

    pub fn then(&self, step: Step) {
        self.steps.lock().unwrap().push_back(step);
    }

    /// The next POST is answered by `make`.
    pub fn then_answer(&self, make: impl FnOnce(&Shared, &Post) -> Vec<u8> + Send + 'static) {
        self.then(Step::Answer(Box::new(make)));
    }

    pub fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap().clone()
    }

    pub fn documents(&self) -> u32 {
        *self.documents.lock().unwrap()
    }

    /// Requests of any kind.
    pub fn contacts(&self) -> usize {
        self.posts().len() + self.documents() as usize
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the accept, which then sees that it is over.
        let _ = TcpStream::connect(self.address);
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Shared {
    pub fn now(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    fn serve(&self, mut stream: &TcpStream) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if stream.read(&mut byte).unwrap_or(0) == 0 {
                return;
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        if head.starts_with("GET /.well-known/wmlicense ") {
            *self.documents.lock().unwrap() += 1;
            let replaced = self.document.lock().unwrap().clone();
            let document = replaced.unwrap_or_else(|| self.service_document(&self.base, self.now()));
            return respond(stream, 200, "application/cose", &document);
        }
        let path = head.split(' ').nth(1).unwrap().to_owned();
        if let Some(nonce) = path.strip_prefix("/v1/time?nonce=") {
            let nonce: Vec<u8> =
                (0..nonce.len()).step_by(2).map(|at| u8::from_str_radix(&nonce[at..at + 2], 16).unwrap()).collect();
            let time = sign_time(self.now(), &nonce, &self.world.issuer.key).unwrap();
            return respond(stream, 200, "application/cose", &time);
        }
        let mut bytes = vec![0; header(&head, "content-length").unwrap().parse().unwrap()];
        stream.read_exact(&mut bytes).unwrap();
        let token = header(&head, "authorization").map(str::to_owned);
        let request = Request::decode_unverified(&Request::parse(&bytes, MAX_LEN).unwrap()).unwrap();
        let post = Post { path, bytes, request, token };
        self.posts.lock().unwrap().push(post.clone());
        let step = self.steps.lock().unwrap().pop_front();
        match step {
            None => match self.decide(&post) {
                Some(answer) => respond(stream, 200, "application/cose", &answer),
                None => refuse(stream, ProblemKind::Conflict),
            },
            Some(Step::Lose) => drop(self.decide(&post)),
            Some(Step::Problem(kind)) => refuse(stream, kind),
            Some(Step::Take(take)) => take(stream.try_clone().unwrap()),
            Some(Step::Answer(make)) => respond(stream, 200, "application/cose", &make(self, &post)),
        }
    }

    /// The same bytes get the same answer. A known transaction with other bytes gets none, and is an error of the test where
    /// nothing is signed anew.
    fn decide(&self, post: &Post) -> Option<Vec<u8>> {
        let mut kept = self.kept.lock().unwrap();
        let place = (post.request.transaction, post.request.page);
        let (hash, answer) = kept.entry(place).or_insert_with(|| (post.hash(), self.answer(post)));
        let same = *hash == post.hash();
        assert!(same || self.epoch.lock().unwrap().is_some(), "a transaction came with other bytes");
        same.then(|| answer.clone())
    }

    /// The answer to a request that somebody carried here.
    pub fn answer_to(&self, bytes: Vec<u8>) -> Vec<u8> {
        let request = Request::decode_unverified(&Request::parse(&bytes, MAX_LEN).unwrap()).unwrap();
        self.answer(&Post { path: String::new(), bytes, request, token: None })
    }

    pub fn answer(&self, post: &Post) -> Vec<u8> {
        let document = || Request::parse(&post.bytes, MAX_LEN).unwrap();
        match &post.request.body {
            Body::Individualize { keys, current, rekey, .. } => {
                Request::verify(document(), &keys.signing, keys.thumbprint()).unwrap();
                if let Some(word) = rekey {
                    let old = self.world.directory.device(current.as_deref().unwrap()).unwrap();
                    let said = Rekey::verify(word, &old.keys.signing, old.thumbprint()).unwrap();
                    assert_eq!(said.successor, keys.thumbprint());
                    self.devices.lock().unwrap().insert(keys.thumbprint(), old.device_id);
                }
                self.certify(post, keys)
            }
            Body::Licenses { kids, .. } => {
                let device = self.device(post);
                Request::verify(document(), &device.keys.signing, device.thumbprint()).unwrap();
                if kids.is_empty() { self.deliver(post) } else { self.issue(post, kids) }
            }
            Body::Renewals { licenses, .. } => {
                let device = self.device(post);
                Request::verify(document(), &device.keys.signing, device.thumbprint()).unwrap();
                self.renew(post, licenses)
            }
            Body::Returns { .. } => {
                let device = self.device(post);
                Request::verify(document(), &device.keys.signing, device.thumbprint()).unwrap();
                self.decided(post, &[], Vec::new(), Role::Issuer, Outcome::Done)
            }
            _ => panic!("not a request for this service"),
        }
    }

    fn device(&self, post: &Post) -> DeviceCertificate {
        self.world.directory.device(post.request.device_certificate.as_deref().unwrap()).unwrap()
    }

    pub fn device_id(&self, keys: &DeviceKeys) -> DeviceId {
        let mut devices = self.devices.lock().unwrap();
        *devices.entry(keys.thumbprint()).or_insert_with(|| DeviceId::random().unwrap())
    }

    fn certify(&self, post: &Post, keys: &DeviceKeys) -> Vec<u8> {
        let certificate = self.world.certify_at(self.device_id(keys), keys, self.now());
        self.certified(post, keys, certificate)
    }

    /// An answer of the individualization service with this certificate.
    pub fn certified(&self, post: &Post, keys: &DeviceKeys, certificate: Vec<u8>) -> Vec<u8> {
        let beside = Beside { device_certificate: Some(certificate), ..Beside::default() };
        let answer = self.to(post, keys.thumbprint());
        let service = &self.world.individualization;
        seal(answer, self.device_id(keys), keys, &[], None, &beside, &service.key).unwrap()
    }

    /// An answer to `post` that grants nothing yet.
    pub fn to(&self, post: &Post, thumbprint: SignerId) -> Answer {
        let answer = Answer::to(post.request.transaction, post.request.page, post.hash(), thumbprint, self.now());
        Answer { epoch: *self.epoch.lock().unwrap(), ..answer }
    }

    /// An answer to the device of `post` that grants nothing yet, and the keys of that device.
    pub fn answer_for(&self, post: &Post) -> (Answer, DeviceKeys) {
        let device = self.device(post);
        (self.to(post, device.thumbprint()), device.keys)
    }

    /// An answer that ends in `outcome` with these refusals, signed by the service in `role`.
    pub fn ends(&self, post: &Post, role: Role, outcome: Outcome, refusals: Vec<Refusal>) -> Vec<u8> {
        let thumbprint = Request::parse(&post.bytes, MAX_LEN).unwrap().signer_id();
        let answer = Answer { outcome, refusals, ..self.to(post, thumbprint) };
        let unused = crate::TestDevice::new();
        let key = self.key(role);
        seal(answer, unused.device_id, &unused.keys, &[], None, &Beside::default(), key).unwrap()
    }

    pub fn key(&self, role: Role) -> &wmlicense_wire::key::SigningKey {
        match role {
            Role::Individualization => &self.world.individualization.key,
            Role::Issuer => &self.world.issuer.key,
            Role::Management => &self.world.management.key,
        }
    }

    fn issue(&self, post: &Post, kids: &[Kid]) -> Vec<u8> {
        let catalogue = self.catalogue.lock().unwrap();
        let (known, unknown): (Vec<_>, Vec<_>) = kids.iter().partition(|kid| catalogue.contains_key(*kid));
        let policies: Vec<Policy> = known.iter().map(|kid| catalogue[*kid].clone()).collect();
        let refusals = unknown.into_iter().map(|kid| Refusal {
            subject: Some(*kid.as_bytes()),
            kid: None,
            reason: Reason::UnknownContent,
            url: None,
            again: None,
        });
        self.granted(post, &policies, refusals.collect(), Role::Issuer)
    }

    /// The page that is asked for. The cursor of a page is its number.
    fn deliver(&self, post: &Post) -> Vec<u8> {
        let (pages, page) = (self.pages.lock().unwrap(), post.request.page);
        assert_eq!(post.request.cursor, (page > 0).then(|| page.to_be_bytes().to_vec()));
        let more = (page as usize + 1 < pages.len()).then(|| (page + 1).to_be_bytes().to_vec());
        self.page(post, &pages[page as usize], |answer| Answer { next_cursor: more, since: Some(NOW), ..answer })
    }

    /// A page of a pre-delivery with licenses on these terms, as `change` makes it.
    pub fn page(&self, post: &Post, policies: &[Policy], change: impl FnOnce(Answer) -> Answer) -> Vec<u8> {
        let device = self.device(post);
        let grants: Vec<_> = policies.iter().map(|policy| grant(policy, content_key(policy.kid))).collect();
        let answer = change(self.to(post, device.thumbprint()));
        let key = &self.world.issuer.key;
        seal(answer, device.device_id, &device.keys, &grants, None, &Beside::default(), key).unwrap()
    }

    /// What the catalogue has in place of these licenses, or they themselves.
    fn renew(&self, post: &Post, licenses: &[(Lid, State)]) -> Vec<u8> {
        let catalogue = self.catalogue.lock().unwrap();
        let find = |lid: &Lid| catalogue.values().find(|policy| policy.lid == *lid || policy.replaces == Some(*lid));
        let policies: Vec<Policy> = licenses.iter().filter_map(|(lid, _)| find(lid)).cloned().collect();
        let unknown = licenses.iter().filter(|(lid, _)| find(lid).is_none()).map(|(lid, _)| Refusal {
            subject: Some(*lid.as_bytes()),
            kid: None,
            reason: Reason::UnknownContent,
            url: None,
            again: None,
        });
        self.granted(post, &policies, unknown.collect(), Role::Issuer)
    }

    /// An answer with licenses on these terms, signed by the service in `role`.
    pub fn granted(&self, post: &Post, policies: &[Policy], refusals: Vec<Refusal>, role: Role) -> Vec<u8> {
        let outcome = if policies.is_empty() { Outcome::Refused } else { Outcome::Done };
        self.decided(post, policies, refusals, role, outcome)
    }

    /// As [`Self::granted`], ending in `outcome`.
    pub fn decided(
        &self,
        post: &Post,
        policies: &[Policy],
        refusals: Vec<Refusal>,
        role: Role,
        outcome: Outcome,
    ) -> Vec<u8> {
        let grants: Vec<_> = policies.iter().map(|policy| grant(policy, content_key(policy.kid))).collect();
        self.sealed(post, &grants, refusals, role, outcome)
    }

    /// As [`Self::decided`], with licenses that the test made.
    pub fn sealed(
        &self,
        post: &Post,
        grants: &[Grant],
        refusals: Vec<Refusal>,
        role: Role,
        outcome: Outcome,
    ) -> Vec<u8> {
        let device = self.device(post);
        let answer = Answer { refusals, outcome, ..self.to(post, device.thumbprint()) };
        let key = self.key(role);
        seal(answer, device.device_id, &device.keys, grants, None, &Beside::default(), key).unwrap()
    }
}
