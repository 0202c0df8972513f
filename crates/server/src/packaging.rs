//! Keys that a packager asks for: found, or made on the terms that the owner says for new content. What the packager sends and gets is
//! in `catalogue/speke.rs`.

use crate::catalogue::ContentKey;
use crate::catalogue::speke::{Asked, Keys};
use crate::problem::Fault;
use crate::rules::audit::Acting;
use crate::rules::granted::OFFERS_ONLY;
use crate::service::Service;
use crate::store::{NewContent, Order, Packaged};
use std::sync::Arc;
use zeroize::Zeroizing;

/// What content becomes that a packager names for the first time.
#[derive(Debug, Clone, Default)]
pub struct Packaging {
    /// Policy that it is licensed on.
    pub policy: Option<String>,
    /// Scope that an account must have; by offers only where there is none.
    pub scope: Option<String>,
    /// Anybody may have it.
    pub open: bool,
}

impl Packaging {
    fn scope(&self) -> Option<String> {
        if self.open { None } else { Some(self.scope.clone().unwrap_or_else(|| OFFERS_ONLY.to_owned())) }
    }
}

/// The keys of a document; or the policy that new content is to have and that is not there.
pub(crate) async fn keys(
    service: &Arc<Service>,
    packaging: &Packaging,
    asked: &Asked,
    by: Acting,
) -> Result<Result<Keys, String>, Fault> {
    let contents = asked.kids.iter().map(|kid| {
        let ContentKey { key, .. } = ContentKey::random(Some(&kid.to_hex()), None).map_err(|_| Fault::Internal)?;
        let sealed_key = service.master.seal(*kid, &*key)?;
        let title = Some(asked.content.clone());
        Ok(NewContent { kid: *kid, sealed_key, title, policy: packaging.policy.clone(), scope: packaging.scope() })
    });
    let order = Order { about: asked.content.clone(), contents: contents.collect::<Result<_, Fault>>()? };
    let sealed = match service.store.package(order, by).await? {
        Packaged::Keys(sealed) => sealed,
        Packaged::NoPolicy(name) => return Ok(Err(name)),
    };
    let open = |(kid, sealed): (&_, Vec<u8>)| {
        let key = service.master.open(*kid, &sealed)?;
        Some((*kid, Zeroizing::new(key.as_slice().try_into().ok()?)))
    };
    let keys: Option<Keys> = asked.kids.iter().zip(sealed).map(open).collect();
    keys.map(Ok).ok_or_else(|| {
        tracing::error!("a key does not open under the master key");
        Fault::Internal
    })
}
