//! What a document that asks for keys must hold, and what would stop a packager later.

use super::super::cpix::{CPIX, PSKC, only};
use super::signals::{System, can_fill};
use super::{MAX_KEYS, Unfit, Version, told};
use roxmltree::Node;
use std::collections::{BTreeSet, HashSet};
use wmlicense_wire::id::Kid;

/// The one scheme of FairPlay.
const CBCS: &str = "cbcs";
const SCHEMES: [&str; 4] = ["cenc", "cens", "cbc1", CBCS];
/// A track type for all tracks, beside which there is no other.
const ALL: &str = "ALL";

/// The lists of a document.
pub(super) struct Rules<'a, 'input> {
    version: Version,
    keys: Vec<Node<'a, 'input>>,
    systems: Vec<Node<'a, 'input>>,
    usages: Vec<Node<'a, 'input>>,
    periods: Vec<Node<'a, 'input>>,
}

/// The children of one of the lists.
fn list<'a, 'input>(
    root: Node<'a, 'input>,
    name: &'static str,
    item: &str,
) -> Result<Option<Vec<Node<'a, 'input>>>, Unfit> {
    let list = only(root, CPIX, name).map_err(|error| Unfit(error.to_string()))?;
    Ok(list.map(|list| list.children().filter(|node| node.has_tag_name((CPIX, item))).collect()))
}

fn needed<'a, 'input>(root: Node<'a, 'input>, name: &'static str, item: &str) -> Result<Vec<Node<'a, 'input>>, Unfit> {
    let items = list(root, name, item)?.ok_or_else(|| Unfit(format!("Missing CPIX/{name}")))?;
    if items.is_empty() { Err(Unfit(format!("Missing CPIX/{name}/{item}"))) } else { Ok(items) }
}

fn attribute<'a>(node: Node<'a, '_>, name: &str) -> Result<&'a str, Unfit> {
    let found = node.attribute(name).map(str::trim).filter(|value| !value.is_empty());
    found.ok_or_else(|| Unfit(format!("Missing {}@{name}", node.tag_name().name())))
}

pub(super) fn kid(node: Node<'_, '_>) -> Result<Kid, Unfit> {
    let text = attribute(node, "kid")?;
    Kid::from_hex(text).map_err(|_| Unfit(format!("Unsupported {}@kid {}", node.tag_name().name(), told(text))))
}

impl<'a, 'input> Rules<'a, 'input> {
    pub(super) fn new(root: Node<'a, 'input>, version: Version) -> Result<Self, Unfit> {
        Ok(Self {
            version,
            keys: needed(root, "ContentKeyList", "ContentKey")?,
            systems: needed(root, "DRMSystemList", "DRMSystem")?,
            usages: needed(root, "ContentKeyUsageRuleList", "ContentKeyUsageRule")?,
            periods: list(root, "ContentKeyPeriodList", "ContentKeyPeriod")?.unwrap_or_default(),
        })
    }

    /// The key IDs that are asked for.
    pub(super) fn check(&self) -> Result<Vec<Kid>, Unfit> {
        let kids = self.kids()?;
        let scheme = self.scheme()?;
        self.check_systems(&kids, scheme)?;
        self.check_usages(&kids)?;
        self.check_periods()?;
        Ok(kids)
    }

    fn kids(&self) -> Result<Vec<Kid>, Unfit> {
        if self.keys.len() > MAX_KEYS {
            return Err(Unfit(format!("More than {MAX_KEYS} ContentKey elements")));
        }
        let mut seen = HashSet::new();
        let mut kids = Vec::with_capacity(self.keys.len());
        for key in &self.keys {
            let kid = kid(*key)?;
            if !seen.insert(kid) {
                return Err(Unfit(format!("ContentKey for KID {kid} is there twice")));
            }
            let has_key = key
                .descendants()
                .any(|node| node.has_tag_name((PSKC, "PlainValue")) || node.has_tag_name((PSKC, "EncryptedValue")));
            if has_key {
                return Err(Unfit(format!(
                    "ContentKey for KID {kid} has a key already: keys are made here, send it empty"
                )));
            }
            kids.push(kid);
        }
        Ok(kids)
    }

    /// The one scheme of all keys.
    fn scheme(&self) -> Result<&'a str, Unfit> {
        let mut schemes = BTreeSet::new();
        for key in &self.keys {
            let scheme = key.attribute("commonEncryptionScheme").map(str::trim);
            let missing = || {
                let kid = told(key.attribute("kid").unwrap_or_default());
                Unfit(format!("Missing ContentKey@commonEncryptionScheme for KID {kid}"))
            };
            schemes.insert(scheme.filter(|scheme| !scheme.is_empty()).ok_or_else(missing)?);
        }
        let mut schemes = schemes.into_iter();
        match (schemes.next(), schemes.next()) {
            (Some(scheme), None) if SCHEMES.contains(&scheme) => Ok(scheme),
            (Some(scheme), None) => {
                Err(Unfit(format!("Unsupported ContentKey@commonEncryptionScheme {}", told(scheme))))
            }
            _ => Err("Non compliant ContentKey@commonEncryptionScheme combination".into()),
        }
    }

    fn check_systems(&self, kids: &[Kid], scheme: &str) -> Result<(), Unfit> {
        let mut named: BTreeSet<(System, Kid)> = BTreeSet::new();
        for node in &self.systems {
            let (kid, system) = (kid(*node)?, System::read(attribute(*node, "systemId")?)?);
            if system.is_fairplay() && scheme != CBCS {
                return Err("Non compliant ContentKey@commonEncryptionScheme combination".into());
            }
            if !named.insert((system, kid)) {
                return Err(Unfit(format!("DRMSystem {system} for KID {kid} is there twice")));
            }
            node.children().filter(Node::is_element).try_for_each(|signal| can_fill(signal, system))?;
        }
        let systems: BTreeSet<System> = named.iter().map(|(system, _)| *system).collect();
        for system in systems {
            let of_system = named.iter().filter(|(other, _)| *other == system).map(|(_, kid)| *kid);
            same(of_system.collect(), kids, &format!("DRMSystem {system}"))?;
        }
        Ok(())
    }

    fn check_usages(&self, kids: &[Kid]) -> Result<(), Unfit> {
        let mut types = BTreeSet::new();
        let mut named = BTreeSet::new();
        for node in &self.usages {
            let kid = kid(*node)?;
            types.insert(attribute(*node, "intendedTrackType")?);
            let has = |name| node.children().any(|child| child.has_tag_name((CPIX, name)));
            if !has("VideoFilter") && !has("AudioFilter") {
                return Err(Unfit(format!("Missing VideoFilter or AudioFilter of ContentKeyUsageRule for KID {kid}")));
            }
            named.insert(kid);
        }
        if types.contains(ALL) && types.len() > 1 {
            return Err("Non compliant ContentKeyUsageRule@intendedTrackType combination".into());
        }
        same(named, kids, "ContentKeyUsageRule")
    }

    /// Periods are named by an index, from version 2.1 on also by when they start and end.
    fn check_periods(&self) -> Result<(), Unfit> {
        let mut ids = HashSet::new();
        for period in &self.periods {
            let (start, end) = (period.attribute("start"), period.attribute("end"));
            let is_timed = start.is_some() || end.is_some();
            if is_timed && self.version == Version::Two {
                return Err("Unsupported ContentKeyPeriod@start or ContentKeyPeriod@end".into());
            }
            match period.attribute("index") {
                Some(index) if index.trim().parse::<u64>().is_err() => {
                    return Err(Unfit(format!("Unsupported ContentKeyPeriod@index {}", told(index))));
                }
                None if !is_timed => return Err("Missing ContentKeyPeriod@index".into()),
                _ => {}
            }
            if !ids.insert(attribute(*period, "id")?) {
                return Err("ContentKeyPeriod@id is there twice".into());
            }
        }
        let filters = self.usages.iter().flat_map(|usage| usage.children());
        for filter in filters.filter(|node| node.has_tag_name((CPIX, "KeyPeriodFilter"))) {
            let period = attribute(filter, "periodId")?;
            if !ids.contains(period) {
                return Err(Unfit(format!("Unknown KeyPeriodFilter@periodId {}", told(period))));
            }
        }
        Ok(())
    }
}

/// Whether what is named are exactly the keys of the document.
fn same(named: BTreeSet<Kid>, kids: &[Kid], whose: &str) -> Result<(), Unfit> {
    if let Some(stranger) = named.iter().find(|kid| !kids.contains(kid)) {
        return Err(Unfit(format!("{whose} names KID {stranger}, of which there is no ContentKey")));
    }
    match kids.iter().find(|kid| !named.contains(kid)) {
        Some(missing) => Err(Unfit(format!("Missing {whose} for KID {missing}"))),
        None => Ok(()),
    }
}
