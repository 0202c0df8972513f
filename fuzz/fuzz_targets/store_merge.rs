//! Licenses of any terms in a store: imported, staged as a restore stages them, with tombstones, and taken over. Afterwards the store
//! is sound, forgets no use, and holds nothing that a tombstone forbids.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use std::collections::BTreeSet;
use wmlicense_core::fuzzing::knows_its_rows;
use wmlicense_core::store::{Putting, StagedLicense};
use wmlicense_testkit::home::Home;
use wmlicense_testkit::{NOW, World, content_key, grant};
use wmlicense_wire::backup::Tombstone;
use wmlicense_wire::id::{Digest, Lid};
use wmlicense_wire::license::State;
use wmlicense_wire::policy::{LicenseKind, Policy};

/// Inputs that share a store before a fresh one is made.
const SHARING: usize = 64;

thread_local! {
    static WORLD: &'static World = Box::leak(Box::new(World::new()));
    static HOME: RefCell<Option<(usize, Home<'static>)>> = const { RefCell::new(None) };
}

fuzz_target!(|data: &[u8]| {
    let world = WORLD.with(|world| *world);
    HOME.with_borrow_mut(|kept| {
        let (number, home) =
            kept.take().filter(|(number, _)| *number < SHARING).unwrap_or_else(|| (0, Home::new(world)));
        run(&home, world, data);
        *kept = Some((number + 1, home));
    });
});

/// One step: what to do, and the terms that it is done with.
fn steps(mut data: &[u8]) -> Vec<(u8, Policy)> {
    let mut steps = Vec::new();
    while let Some((head, rest)) = data.split_first_chunk::<3>()
        && steps.len() < 8
    {
        let (policy, rest) = rest.split_at(rest.len().min(u16::from_be_bytes([head[1], head[2]]).into()));
        if let Ok(policy) = Policy::decode(policy) {
            steps.push((head[0], policy));
        }
        data = rest;
    }
    steps
}

fn run(home: &Home<'_>, world: &World, data: &[u8]) {
    let store = &home.client.store;
    let mut seen = BTreeSet::new();
    let steps: Vec<(u8, Policy)> = steps(data)
        .into_iter()
        .map(|(step, policy)| {
            (step, Policy { issuer: world.issuer.id, kind: LicenseKind::Content, root_kid: None, ..policy })
        })
        // A license stands in an answer once.
        .filter(|(_, policy)| seen.insert(policy.lid))
        .collect();
    if steps.is_empty() {
        return;
    }
    let chosen = |bit: u8| -> Vec<&Policy> {
        steps.iter().filter(|(step, _)| step & bit != 0).map(|(_, policy)| policy).collect()
    };
    let imported: Vec<Policy> = chosen(1).into_iter().cloned().collect();
    if !imported.is_empty() {
        // Other terms under a known ID are refused, and that is all that may be.
        let _ = home.acquire_at(&imported, NOW);
    }
    let staged = chosen(2);
    let buried: Vec<Lid> = chosen(4).into_iter().map(|policy| policy.lid).collect();
    restore(home, world, &staged, &buried);
    assert!(knows_its_rows(store).expect("the store reads"), "rows that nobody changed are not what was written");
    for (_, policy) in &steps {
        for license in store.licenses(policy.kid).expect("the store reads") {
            assert!(!store.forbids(license.policy.lid, license.policy.issuer).expect("the store reads"));
            assert!(store.unwrap_key(&license).is_ok() || license.policy.kind != LicenseKind::Content);
        }
    }
}

/// What a restore of the device's own backup does with these licenses and tombstones.
fn restore(home: &Home<'_>, world: &World, policies: &[&Policy], buried: &[Lid]) {
    let store = &home.client.store;
    let grants: Vec<_> = policies.iter().map(|policy| grant(policy, content_key(policy.kid))).collect();
    let Ok(mut staging) = store.stage(Digest::of(b"header")) else { return };
    if !grants.is_empty() {
        let (_, signed, licenses) = home.receive(&grants, NOW);
        staging.put_batch(world.pin(), &signed).expect("a batch is staged");
        for opened in &licenses {
            let state = State::initial(&opened.policy);
            let staged =
                StagedLicense { index: opened.index, license: &opened.license, state: &state, key: &opened.key };
            staging.put_license(&staged).expect("a license is staged");
        }
    }
    let before: Vec<Option<u32>> = policies.iter().map(|policy| uses_left(home, policy)).collect();
    let put = |putting: &mut Putting<'_>| {
        let of = |lid: &Lid| Tombstone { lid: *lid, issuer: world.issuer.id, removed_at: NOW }.encode();
        buried.iter().try_for_each(|lid| putting.put_tombstone(&of(lid)))
    };
    if staging.commit_with(put).is_ok() {
        for (policy, before) in policies.iter().zip(before) {
            // A license that is gone, or was not there, has none to compare.
            let gained = before.zip(uses_left(home, policy)).is_some_and(|(before, after)| after > before);
            assert!(!gained, "a restore gave a use back");
        }
    }
}

/// Uses left of a stored license that counts.
fn uses_left(home: &Home<'_>, policy: &Policy) -> Option<u32> {
    let licenses = home.client.store.licenses(policy.kid).expect("the store reads");
    let stored = licenses.into_iter().find(|license| license.policy.lid == policy.lid);
    stored?.state?.actions.values().filter_map(|state| state.counts_left).min()
}
