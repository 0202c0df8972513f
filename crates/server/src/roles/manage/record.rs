//! What each license of a restore chunk, in a record or a page, must prove before a seat is claimed for it.

use super::{Account, Keyring};
use crate::policy::until_now;
use crate::problem::Fault;
use std::collections::HashSet;
use wmlicense_wire::answer::{Answer, AnswerError, Reason, Refusal, may_sign, verify_signed};
use wmlicense_wire::backup::{ContentKeys, ServiceTicket};
use wmlicense_wire::certificate::{Directory, Role, ServiceCertificate};
use wmlicense_wire::id::{DeviceId, Kid, Lid, ServiceId};
use wmlicense_wire::license::{Binding, InnerKey, License, State};
use wmlicense_wire::policy::{LicenseKind, Policy};
use wmlicense_wire::request::{RestoreBatch, SentLicense};
use wmlicense_wire::status_list::StatusList;

/// A license that may be restored if there is room.
pub(super) struct Candidate {
    pub(super) lid: Lid,
    pub(super) kid: Kid,
    pub(super) issuer: ServiceId,
    pub(super) kind: LicenseKind,
    pub(super) policy: Policy,
    /// The same as it was signed.
    pub(super) policy_bytes: Vec<u8>,
    pub(super) key: InnerKey,
    /// State to start from, where the license has one.
    pub(super) state: Option<State>,
    pub(super) bound: DeviceId,
    pub(super) limit_hint: Option<u32>,
}

impl Candidate {
    pub(super) fn refusal(&self, reason: Reason, again: Option<i64>) -> Refusal {
        Refusal { subject: Some(*self.lid.as_bytes()), kid: Some(self.kid), reason, url: None, again }
    }
}

/// The licenses of a chunk after all checks that need no database.
pub(super) struct Chunk {
    pub(super) candidates: Vec<Candidate>,
    pub(super) refusals: Vec<Refusal>,
}

/// A batch whose signature was checked, or why its licenses are refused.
type Batch<'d> = Result<(Answer, &'d ServiceCertificate), Reason>;

struct Checks<'a> {
    directory: &'a Directory,
    own: &'a ServiceCertificate,
    ticket: &'a ServiceTicket,
    content: ContentKeys,
    account: Option<Account>,
    status: Option<&'a StatusList>,
    now: i64,
}

/// Checks every license. A chunk with a malformed one is refused whole: no honest device sends one.
pub(super) fn check(
    directory: &Directory,
    keyring: &Keyring,
    ticket: &ServiceTicket,
    account: Option<Account>,
    batches: &[RestoreBatch],
    status: Option<&StatusList>,
    now: i64,
) -> Result<Chunk, Fault> {
    let own = &super::super::role_key(keyring, Role::Management)?.certificate;
    let content = ContentKeys::of(&ticket.keys.content);
    let checks = Checks { directory, own, ticket, content, account, status, now };
    let mut chunk = Chunk { candidates: Vec::new(), refusals: Vec::new() };
    let mut seen = HashSet::new();
    for batch in batches {
        let verified = checks.batch(&batch.signed);
        let malformed = Fault::BadRequest("A record or a page of the backup is malformed.");
        for sent in batch.licenses(&checks.content).map_err(|_| malformed)? {
            let policy = Policy::decode(&sent.license().policy).map_err(|_| malformed)?;
            let (lid, kid) = (policy.lid, policy.kid);
            // A device takes no answer that holds a license twice.
            if !seen.insert(lid) {
                return Err(Fault::BadRequest("A license is in the request twice."));
            }
            let checked = match &verified {
                Ok((answer, signer)) => checks.license(sent, policy, answer, signer),
                Err(reason) => Err(*reason),
            };
            match checked {
                Ok(candidate) => chunk.candidates.push(candidate),
                Err(reason) => chunk.refusals.push(Refusal {
                    subject: Some(*lid.as_bytes()),
                    kid: Some(kid),
                    reason,
                    url: None,
                    again: None,
                }),
            }
        }
    }
    Ok(chunk)
}

impl Checks<'_> {
    fn batch(&self, signed: &[u8]) -> Batch<'_> {
        let verified = verify_signed(signed, self.directory, &[Role::Issuer, Role::Management]);
        if let (Ok((answer, signer)), Some(status)) = (&verified, self.status)
            && status.revokes_service(signer.signer_id(), answer.issued_at)
        {
            return Err(Reason::Revoked);
        }
        verified.map_err(|error| match error {
            AnswerError::Signer | AnswerError::NotValid => Reason::UnknownIssuer,
            AnswerError::Signature(_)
            | AnswerError::Content(_)
            | AnswerError::Mismatch
            | AnswerError::OtherDevice
            | AnswerError::OtherIssuer { .. }
            | AnswerError::Manifest
            | AnswerError::License { .. }
            | AnswerError::Suite => Reason::Damaged,
        })
    }

    fn license(
        &self,
        sent: SentLicense,
        policy: Policy,
        answer: &Answer,
        signer: &ServiceCertificate,
    ) -> Result<Candidate, Reason> {
        if answer.manifest.get(sent.manifest_index() as usize) != Some(&sent.license_hash()) {
            return Err(Reason::Damaged);
        }
        // Nothing proves the state of a license in a page.
        if sent.state().is_none() && policy.is_stateful() {
            return Err(Reason::Damaged);
        }
        if policy.management.is_none() {
            return Err(Reason::NotAllowed);
        }
        // The device takes the new binding only if the license names this service and its issuer appoints it today.
        let appointed = may_sign(self.own, &policy, self.directory, self.now);
        if !appointed || !may_sign(signer, &policy, self.directory, answer.issued_at) {
            return Err(Reason::UnknownIssuer);
        }
        if !policy.may_back_up() {
            return Err(Reason::NotAllowed);
        }
        self.check_binding(sent.license(), answer)?;
        match (policy.user, self.account) {
            (None, _) => {}
            (Some(_), None) => return Err(Reason::AccountRequired),
            (Some(user), Some(account)) if account.user == user => {}
            (Some(_), Some(_)) => return Err(Reason::OtherAccount),
        }
        let key = sent.open(policy.kind, &self.content).map_err(|_| Reason::Damaged)?;
        let told = sent.state().map(|state| until_now(state, self.now)).unwrap_or_default();
        let state = State::initial(&policy).strictest(&told);
        Ok(Candidate {
            lid: policy.lid,
            kid: policy.kid,
            issuer: policy.issuer,
            kind: policy.kind,
            key,
            state: policy.is_stateful().then_some(state),
            bound: self.ticket.device_id,
            limit_hint: policy.restore_limit,
            policy_bytes: sent.into_license().policy,
            policy,
        })
    }

    /// The license was bound to the device that made the backup, in this batch. Its keys may have been replaced since.
    fn check_binding(&self, license: &License, answer: &Answer) -> Result<(), Reason> {
        let binding = Binding::decode(&license.binding).map_err(|_| Reason::Damaged)?;
        let bound = binding.policy_hash == license.policy_hash()
            && binding.device_id == self.ticket.device_id
            && binding.thumbprint == answer.thumbprint;
        if bound { Ok(()) } else { Err(Reason::Damaged) }
    }
}
