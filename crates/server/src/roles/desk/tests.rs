use super::*;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use wmlicense_wire::id::{Digest, Epoch, SignerId, TransactionId};

const KNOWN: &[u8] = b"known";
const DECIDED: &[u8] = b"decided";

/// A matter that finds and writes what a test says, and notes what the desk asked of it.
#[derive(Default)]
struct Scripted {
    barred: Option<Reason>,
    looks: VecDeque<(bool, Prior)>,
    commits: VecDeque<Committed>,
    steps: Rc<RefCell<Vec<&'static str>>>,
    refused: Rc<RefCell<Option<Reason>>>,
}

impl Scripted {
    fn new(looks: impl IntoIterator<Item = (bool, Prior)>, commits: impl IntoIterator<Item = Committed>) -> Self {
        Self { looks: looks.into_iter().collect(), commits: commits.into_iter().collect(), ..Self::default() }
    }

    fn step(&self, step: &'static str) {
        self.steps.borrow_mut().push(step);
    }

    /// What is sent, on which way, and why it was refused.
    async fn served(self) -> (Result<Vec<u8>, Fault>, Vec<&'static str>, Option<Reason>) {
        let (steps, refused) = (Rc::clone(&self.steps), Rc::clone(&self.refused));
        let sent = serve(self).await;
        (sent, steps.take(), refused.take())
    }
}

impl Matter for Scripted {
    type Found = ();
    type Write = ();

    fn service(&self) -> &Service {
        panic!("only a fork is told there")
    }

    fn payer(&self) -> Option<Payer> {
        None
    }

    async fn enter(&mut self) -> Result<Result<Exchange, Reason>, Fault> {
        self.step("enter");
        Ok(self.barred.map_or_else(|| Ok(exchange()), Err))
    }

    async fn refuse(&self, reason: Reason) -> Result<Vec<u8>, Fault> {
        self.step("refuse");
        *self.refused.borrow_mut() = Some(reason);
        Ok(Vec::new())
    }

    async fn look(&mut self, _: &Exchange) -> Result<Looked<()>, Fault> {
        self.step("look");
        let (revoked, prior) = self.looks.pop_front().unwrap();
        Ok(Looked { revoked, prior, found: () })
    }

    async fn decide(&mut self, _: &Exchange, (): ()) -> Result<Step<()>, Fault> {
        self.step("decide");
        Ok(Step::Commit(()))
    }

    async fn commit(&mut self, exchange: Exchange, (): ()) -> Result<Brought, Fault> {
        self.step("commit");
        Ok((self.commits.pop_front().unwrap(), exchange.standing, DECIDED.to_vec()))
    }

    fn written(&self) {
        self.step("written");
    }
}

fn exchange() -> Exchange {
    Exchange {
        thumbprint: SignerId::new([1; 32]),
        transaction: TransactionId::new([2; 16]),
        page: 0,
        request_hash: Digest::new([3; 32]),
        account: None,
        now: 1000,
        presented: None,
        fresh: Epoch::new([0; 16]),
        standing: Standing::default(),
    }
}

fn answered() -> Prior {
    Prior::Answered(Some(KNOWN.to_vec()))
}

#[tokio::test]
async fn what_is_sent_first_was_written_first() {
    let (sent, steps, _) = Scripted::new([(false, Prior::None)], [Committed::Done]).served().await;
    assert_eq!(sent, Ok(DECIDED.to_vec()));
    assert_eq!(steps, ["enter", "look", "decide", "commit", "written"]);
}

#[tokio::test]
async fn who_may_not_enter_is_refused_before_anything_is_looked_up() {
    let barred = Scripted { barred: Some(Reason::KeyReplaced), ..Scripted::new([(false, answered())], []) };
    let (_, steps, refused) = barred.served().await;
    assert_eq!((steps, refused), (vec!["enter", "refuse"], Some(Reason::KeyReplaced)));
}

#[tokio::test]
async fn a_known_answer_is_sent_again_and_nothing_is_decided() {
    let (sent, steps, _) = Scripted::new([(false, answered())], []).served().await;
    assert_eq!((sent, steps), (Ok(KNOWN.to_vec()), vec!["enter", "look"]));
    for (prior, fault) in
        [(Prior::Answered(None), Fault::Conflict), (Prior::Conflict, Fault::Conflict), (Prior::Gone, Fault::Gone)]
    {
        assert_eq!(Scripted::new([(false, prior)], []).served().await.0, Err(fault));
    }
}

#[tokio::test]
async fn an_answer_that_is_made_again_is_decided_written_and_sent_as_the_first_time() {
    let (sent, steps, _) = Scripted::new([(false, Prior::Again)], [Committed::Done]).served().await;
    assert_eq!((sent, steps), (Ok(DECIDED.to_vec()), vec!["enter", "look", "decide", "commit", "written"]));
    let (sent, steps, refused) = Scripted::new([(true, Prior::Again)], []).served().await;
    assert_eq!((sent, steps, refused), (Ok(vec![]), vec!["enter", "look", "refuse"], Some(Reason::DeviceRevoked)));
}

#[tokio::test]
async fn who_is_revoked_between_two_reads_of_its_request_is_not_handed_the_known_answer() {
    for prior in [answered(), Prior::None, Prior::Gone, Prior::Conflict] {
        let (sent, steps, refused) = Scripted::new([(true, prior)], []).served().await;
        assert_eq!((sent, steps), (Ok(Vec::new()), vec!["enter", "look", "refuse"]));
        assert_eq!(refused, Some(Reason::DeviceRevoked));
    }
}

#[tokio::test]
async fn who_is_answered_or_revoked_while_its_decision_is_written_finds_that_with_another_look() {
    let overtaken = |revoked| {
        let lost = Committed::Prior(answered());
        Scripted::new([(false, Prior::None), (revoked, answered())], [lost])
    };
    let (sent, steps, _) = overtaken(false).served().await;
    assert_eq!(sent, Ok(KNOWN.to_vec()));
    assert_eq!(steps, ["enter", "look", "decide", "commit", "enter", "look"]);
    let (sent, _, refused) = overtaken(true).served().await;
    assert_eq!((sent, refused), (Ok(Vec::new()), Some(Reason::DeviceRevoked)));
}

#[tokio::test]
async fn what_changed_meanwhile_is_decided_again_and_too_often_is_overload() {
    let changed = |times: usize| {
        let looks = std::iter::repeat_with(|| (false, Prior::None)).take(times + 1);
        Scripted::new(looks, (0..times).map(|_| Committed::Changed).chain([Committed::Done]))
    };
    assert_eq!(changed(MAX_ATTEMPTS - 1).served().await.0, Ok(DECIDED.to_vec()));
    let (sent, steps, _) = changed(MAX_ATTEMPTS).served().await;
    assert_eq!(sent, Err(Fault::Unavailable));
    assert!(!steps.contains(&"written"));
}
