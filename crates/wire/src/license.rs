//! A license: policy bytes with the binding that ties them to one device, the state of its rights, and the key inside.

use crate::aead::SecretKey;
use crate::cbor::{self, CborError, Fields, MapWriter, read, write};
use crate::id::{DeviceId, Digest, SignerId};
use crate::policy::{self, LicenseKind, MAX_ACTIONS, Policy};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Longest license accepted, in bytes.
pub const MAX_LEN: usize = 8 * 1024;
/// Bytes of the heads of an array of two and of two byte strings, whose lengths have 16 bits.
pub(crate) const ENCODED_HEADS: usize = 1 + 3 + 3;
/// Most licenses in one batch.
pub const MAX_IN_BATCH: usize = 4096;

/// What is left of one action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ActionState {
    /// Uses left, if the action is counted.
    pub counts_left: Option<u32>,
    /// Time of the first use, seconds UTC, if it happened and matters.
    pub first_use: Option<i64>,
}

/// What is left of a license, by action.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// Actions that count uses or run from the first use.
    pub actions: BTreeMap<String, ActionState>,
}

impl State {
    /// The state of a license that was never used.
    pub fn initial(policy: &Policy) -> Self {
        let stateful = policy.actions.iter().filter(|(_, conditions)| conditions.is_stateful());
        let actions = stateful.map(|(action, conditions)| {
            (action.clone(), ActionState { counts_left: conditions.count, first_use: None })
        });
        Self { actions: actions.collect() }
    }

    /// The fewest counts and the earliest first use of both: what can be shown of use never becomes less.
    #[must_use]
    pub fn strictest(mut self, other: &Self) -> Self {
        fn merge<T: Ord + Copy>(a: Option<T>, b: Option<T>) -> Option<T> {
            a.into_iter().chain(b).min()
        }
        for (action, theirs) in &other.actions {
            let ours = self.actions.entry(action.clone()).or_default();
            ours.counts_left = merge(ours.counts_left, theirs.counts_left);
            ours.first_use = merge(ours.first_use, theirs.first_use);
        }
        self
    }

    /// Deterministic bytes.
    pub fn encode(&self) -> Vec<u8> {
        write::text_map(self.actions.iter().map(|(action, state)| {
            let counts = state.counts_left.map_or_else(write::null, |counts| write::uint(counts.into()));
            let first_use = state.first_use.map_or_else(write::null, write::int);
            (action.as_str(), write::array([counts, first_use]))
        }))
    }

    /// Reads what [`Self::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::check(bytes)?;
        Self::of_checked(bytes).ok_or(CborError::Encoding { offset: 0 })
    }

    pub(crate) fn of_checked(raw: &[u8]) -> Option<Self> {
        let nullable = |raw| if read::is_null(raw) { Some(None) } else { read::int(raw).map(Some) };
        let actions = read::text_map(MAX_ACTIONS, |raw| {
            let [counts, first_use] = read::tuple(raw)?;
            let counts_left = match nullable(counts)? {
                None => None,
                Some(counts) => Some(u32::try_from(counts).ok()?),
            };
            Some(ActionState { counts_left, first_use: nullable(first_use)? })
        })(raw)?;
        Some(Self { actions: actions.into_iter().collect() })
    }
}

/// Bytes of a binding without a state, at most.
pub(crate) const BINDING_LEN: usize = 224;

/// The part of a license that ties its policy to one device.
#[derive(Clone, PartialEq, Eq)]
pub struct Binding {
    /// SHA-256 of the policy bytes.
    pub policy_hash: Digest,
    /// The device.
    pub device_id: DeviceId,
    /// The device's keys.
    pub thumbprint: SignerId,
    /// The key inside, wrapped for that device.
    pub wrapped: Vec<u8>,
    /// Seconds UTC.
    pub issued_at: i64,
    /// State to start from; only after a restore.
    pub state: Option<State>,
}

impl Binding {
    /// Deterministic bytes.
    pub fn encode(&self) -> Vec<u8> {
        MapWriter::with_capacity(BINDING_LEN)
            .int(6, self.issued_at)
            .bytes(10, self.policy_hash)
            .bytes(11, self.device_id)
            .bytes(12, self.thumbprint)
            .bytes(13, &self.wrapped)
            .optional(14, self.state.as_ref(), |map, field, state| map.raw(field, &state.encode()))
            .finish()
    }

    /// Reads a binding.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        let mut fields = Fields::parse(bytes, MAX_LEN)?;
        let binding = Self {
            issued_at: fields.required(6, read::int)?,
            policy_hash: fields.required(10, read::id)?,
            device_id: fields.required(11, read::id)?,
            thumbprint: fields.required(12, read::id)?,
            wrapped: fields.required(13, read::bytes_up_to(64))?.to_vec(),
            state: fields.optional(14, State::of_checked)?,
        };
        fields.finish()?;
        Ok(binding)
    }
}

/// Policy hash and device thumbprint in the bytes of a binding, without reading the rest. For bytes that something else
/// vouches for.
pub fn bound_to(binding: &[u8]) -> Option<(Digest, SignerId)> {
    let mut decoder = minicbor::Decoder::new(binding);
    let (mut policy_hash, mut thumbprint) = (None, None);
    for _ in 0..decoder.map().ok()?? {
        match decoder.u64().ok()? {
            10 => policy_hash = Digest::from_slice(decoder.bytes().ok()?).ok(),
            12 => thumbprint = SignerId::from_slice(decoder.bytes().ok()?).ok(),
            _ => decoder.skip().ok()?,
        }
    }
    policy_hash.zip(thumbprint)
}

/// Policy hash in the bytes of a binding, as [`bound_to`] finds it.
pub fn bound_policy(binding: &[u8]) -> Option<Digest> {
    let mut decoder = minicbor::Decoder::new(binding);
    for _ in 0..decoder.map().ok()?? {
        if decoder.u64().ok()? == 10 {
            return Digest::from_slice(decoder.bytes().ok()?).ok();
        }
        decoder.skip().ok()?;
    }
    None
}

/// Policy and binding in the bytes of a license; `None` if these are not the encoding of two byte strings.
pub fn parts(license: &[u8]) -> Option<(&[u8], &[u8])> {
    let [TWO, rest @ ..] = license else { return None };
    let (policy, rest) = split_bytes(rest)?;
    let (binding, rest) = split_bytes(rest)?;
    rest.is_empty().then_some((policy, binding))
}

/// Head of a CBOR array of two.
const TWO: u8 = 0x82;

/// Splits a byte string off, whose head is the shortest; a license has no use for longer lengths than of 16 bits.
fn split_bytes(raw: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match *raw {
        [head @ 0x40..=0x57, ref rest @ ..] => (usize::from(head - 0x40), rest),
        [0x58, length @ 24..=255, ref rest @ ..] => (length.into(), rest),
        [0x59, high @ 1..=255, low, ref rest @ ..] => (u16::from_be_bytes([high, low]).into(), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// Appends a license of these parts.
pub(crate) fn encode_to(out: &mut Vec<u8>, policy: &[u8], binding: &[u8]) {
    out.push(TWO);
    write::bytes_to(out, policy);
    write::bytes_to(out, binding);
}

/// A license, kept and moved as the bytes that were signed.
#[derive(Clone, PartialEq, Eq)]
pub struct License {
    /// Policy bytes.
    pub policy: Vec<u8>,
    /// Binding bytes.
    pub binding: Vec<u8>,
}

impl License {
    /// `[policy, binding]`.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.policy.len() + self.binding.len() + ENCODED_HEADS);
        encode_to(&mut bytes, &self.policy, &self.binding);
        bytes
    }

    /// Reads a license without interpreting its parts.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        if bytes.len() > MAX_LEN {
            return Err(CborError::TooLong { cap: MAX_LEN });
        }
        if let Some((policy, binding)) = parts(bytes) {
            return Ok(Self { policy: policy.to_vec(), binding: binding.to_vec() });
        }
        // What is wrong with it is told by who reads all of it.
        cbor::check(bytes)?;
        Self::of_checked(bytes).ok_or(CborError::Encoding { offset: 0 })
    }

    pub(crate) fn of_checked(raw: &[u8]) -> Option<Self> {
        if raw.len() > MAX_LEN {
            return None;
        }
        let [policy, binding] = read::tuple(raw)?;
        Some(Self { policy: read::bytes(policy)?.to_vec(), binding: read::bytes(binding)?.to_vec() })
    }

    /// SHA-256 of the encoded license: its entry in the manifest.
    pub fn hash(&self) -> Digest {
        Digest::of(&self.encode())
    }

    /// SHA-256 of the policy.
    pub fn policy_hash(&self) -> Digest {
        policy::policy_hash(&self.policy)
    }
}

/// The key inside a license: 16 bytes for content, 32 for a root, 32 for a leaf still wrapped under its root.
pub struct InnerKey(Zeroizing<Vec<u8>>);

impl InnerKey {
    /// Bytes that a license of a kind carries.
    pub const fn len_of(kind: LicenseKind) -> usize {
        match kind {
            LicenseKind::Content => 16,
            LicenseKind::Root | LicenseKind::Leaf => 32,
        }
    }

    /// Takes the bytes if they have the length that `kind` demands.
    pub fn new(kind: LicenseKind, bytes: Zeroizing<Vec<u8>>) -> Option<Self> {
        (bytes.len() == Self::len_of(kind)).then_some(Self(bytes))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

const LEAF_LABEL: &str = "wmlicense/1 leaf";

impl InnerKey {
    /// What a leaf carries: a content key wrapped under the root key of its subscription, for one policy. `None` unless the
    /// keys have the lengths of a root key and a content key.
    pub fn leaf(root: &Self, policy_hash: Digest, content: &Self) -> Option<Self> {
        let content = (content.0.len() == Self::len_of(LicenseKind::Content)).then_some(content)?;
        // The key is derived for this policy alone, so its one nonce is used once.
        let sealed = leaf_key(root, policy_hash)?.seal(&[0; 12], policy_hash.as_bytes(), &content.0);
        Self::new(LicenseKind::Leaf, Zeroizing::new(sealed))
    }

    /// Opens what [`Self::leaf`] made: the content key. `None` if this is another subscription's root key.
    pub fn open_leaf(&self, root: &Self, policy_hash: Digest) -> Option<Self> {
        let opened = leaf_key(root, policy_hash)?.open(&[0; 12], policy_hash.as_bytes(), &self.0).ok()?;
        Self::new(LicenseKind::Content, opened)
    }
}

fn leaf_key(root: &InnerKey, policy_hash: Digest) -> Option<SecretKey> {
    Some(SecretKey::from_slice(&root.0)?.expand(LEAF_LABEL, policy_hash.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_at_a_binding_sees_what_reading_sees() {
        let binding = Binding {
            policy_hash: Digest::of(b"policy"),
            device_id: DeviceId::new([1; 16]),
            thumbprint: SignerId::new([2; 32]),
            wrapped: vec![3; 32],
            issued_at: -4,
            state: Some(State::default()),
        };
        assert_eq!(bound_to(&binding.encode()), Some((binding.policy_hash, binding.thumbprint)));
        assert_eq!(bound_policy(&binding.encode()), Some(binding.policy_hash));
        assert_eq!((bound_to(b""), bound_policy(b""), bound_policy(&[0xa0])), (None, None, None));
    }

    #[test]
    fn a_leaf_opens_under_its_root_and_for_its_policy_only() {
        let key = |kind, byte| InnerKey::new(kind, Zeroizing::new(vec![byte; InnerKey::len_of(kind)])).unwrap();
        let (root, content) = (key(LicenseKind::Root, 1), key(LicenseKind::Content, 2));
        let (policy, other) = (Digest::of(b"policy"), Digest::of(b"other"));
        let leaf = InnerKey::leaf(&root, policy, &content).unwrap();
        assert_eq!(leaf.open_leaf(&root, policy).unwrap().as_bytes(), content.as_bytes());
        assert!(leaf.open_leaf(&root, other).is_none());
        assert!(leaf.open_leaf(&key(LicenseKind::Root, 3), policy).is_none());
        assert!(leaf.open_leaf(&content, policy).is_none());
        assert!(InnerKey::leaf(&root, policy, &root).is_none());
        assert!(InnerKey::leaf(&content, policy, &content).is_none());
    }
}
