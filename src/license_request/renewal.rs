//! The C face of `core::renew`: stored licenses are asked for again without their content.

use super::outcome::Codes;
use super::{LicenseRequest, wm_license_request};
use crate::detail::Failure;
use crate::flags::WM_ACQUIRE_SILENT;
use crate::gate;
use crate::object::resolve;
use crate::prop;
use crate::prop::names::*;
use crate::result::{WM_E_INVALIDARG, WM_S_LICENSE_ACQUIRED, WM_S_NOTHING_NEW, WM_S_NOTHING_TO_RENEW, wm_result};
use crate::status;
use crate::teller::Outcome;
use crate::verbed::Verbed;
use wmlicense_core::renew::{self, Brought, RenewalWish};
use wmlicense_media::ContentHeader;

impl Verbed<LicenseRequest> {
    fn renewal(&self) -> Result<RenewalWish, Failure> {
        let own = self.properties();
        let mut kids = own.get(&KEY_IDS).unwrap_or_default();
        if let (true, Some(header)) = (kids.is_empty(), own.get(&HEADER)) {
            let header = ContentHeader::parse(&header)?;
            kids = header.kids().to_vec();
        }
        let within_days = own.get(&EXPIRING_WITHIN);
        let wish = RenewalWish { kids, scope: own.get(&SCOPE), within_days, url: own.get(&URL) };
        if wish.kids.is_empty() && wish.scope.is_none() && wish.within_days.is_none() {
            return Err(prop::missing(EXPIRING_WITHIN.key()));
        }
        Ok(wish)
    }

    fn renew(&self) -> Result<(), Failure> {
        let verb = self.verb()?;
        let wish = self.renewal()?;
        let ending = self.ending(Codes::SILENT);
        verb.start(status::ACQUIRE_LICENSE, move |client, settings, context| {
            match renew::renew(client, settings, &wish, context) {
                Ok(renewed) => Outcome::success(match renewed.brought() {
                    Brought::Licenses => WM_S_LICENSE_ACQUIRED,
                    Brought::Nothing => WM_S_NOTHING_NEW,
                    Brought::NothingChosen => WM_S_NOTHING_TO_RENEW,
                }),
                Err(error) => match error.first() {
                    Some(first) => ending.failed(first),
                    None => Outcome::failure(error),
                },
            }
        })
    }
}

/// Renews stored licenses in the background: each is asked for again at the service it came from, the way it was acquired
/// first, so that no content is needed. flags: WM_ACQUIRE_SILENT. Which: those that fit all of WM_PROP_KEY_IDS (or
/// WM_PROP_HEADER), WM_PROP_SCOPE and WM_PROP_EXPIRING_WITHIN that are set. On unchanged terms the same license comes back, on
/// others one that takes its place; where the device has a later license of that issuer for the same key ID, the
/// earlier one goes and the later stands for both; what was used stays used unless the owner grants it anew. Licenses
/// deleted for good are given back on the way.
/// Statuses: WM_STATUS_NETWORK while services are asked, WM_STATUS_PROGRESS, WM_STATUS_LICENSE_REFUSED for each license
/// refused, WM_STATUS_RENEWAL_DUE for each that its owner wants renewed all the same,
/// WM_STATUS_NEEDS_INDIVIDUALIZATION, and WM_STATUS_ACQUIRE_LICENSE once: WM_S_LICENSE_ACQUIRED where at least one
/// license is stored, WM_S_NOTHING_TO_RENEW where none fits, WM_S_NOTHING_NEW where nothing came for those that fit,
/// WM_E_LICENSE_REQUIRED where there is none for the key IDs, else the results of wm_acquire_license. A license whose
/// changed terms the user must accept first is refused with WM_E_NO_RIGHTS and without a page: acquire its key ID with
/// WM_ACQUIRE_NONSILENT. A service that fails does not keep others from being asked, and its failure is the result;
/// what was renewed before is stored.
/// Fails at the call with WM_E_INVALIDARG for other flags, WM_E_NOT_OPEN, WM_E_INVALID_PROPERTY where no license is named,
/// WM_E_MALFORMED_CONTENT_HEADER, and WM_E_ACQUIRING_LICENSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_renew_licenses(request: *mut wm_license_request, flags: u32) -> wm_result {
    gate::enter(|| {
        let request = resolve(request)?;
        if flags != WM_ACQUIRE_SILENT {
            return Err(Failure::with(WM_E_INVALIDARG, "The flags are not WM_ACQUIRE_SILENT."));
        }
        request.renew()
    })
}
