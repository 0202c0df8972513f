//! Where the account token goes: to the service that the application set, and to where that one says its endpoints are. A
//! service that only the store or a request names gets none. Redirects are the transport's matter.

use super::{Session, base};
use crate::client::{Client, Settings};
use crate::logging::{Level, target};
use crate::store::StoreError;
use crate::transport::url::{Target, shown};
use crate::transport::{AccountToken, TransportError};
use wmlicense_wire::endpoint::Endpoint;
use wmlicense_wire::id::Digest;

/// HTTP status of a request for which an account was missed.
const UNAUTHORIZED: u16 = 401;

/// Where a session may send the account token.
pub(super) enum TokenPlaces {
    /// Wherever the session's service says that its endpoints are.
    All,
    /// To these origins only.
    Origins(Vec<Target>),
}

impl TokenPlaces {
    /// Of a session of `authority` with the service at `asked`.
    pub(super) fn of(client: &Client, settings: &Settings, asked: &str, authority: Digest) -> Result<Self, StoreError> {
        let none = Self::Origins(Vec::new());
        let Some(set) = base(settings, None) else {
            // The account can be nobody else's than that of the one authority.
            return Ok(if let [_] = client.authorities.as_slice() { Self::All } else { none });
        };
        if set == asked {
            return Ok(Self::All);
        }
        let mut urls = vec![set.to_owned()];
        if let Some(bytes) = client.store.service_document(set)?
            && let Ok(known) = client.documents.read(&bytes, &client.authorities)
        {
            if known.directory.authority.hash != authority {
                return Ok(none);
            }
            let named = Endpoint::ALL.into_iter().filter_map(|endpoint| known.document.url(endpoint.name()));
            urls.extend(named.map(str::to_owned));
        }
        Ok(Self::Origins(urls.iter().filter_map(|url| Target::parse(url, true).ok()).collect()))
    }

    fn hold(&self, place: &str) -> bool {
        match self {
            Self::All => true,
            Self::Origins(origins) => {
                Target::parse(place, true).is_ok_and(|place| origins.iter().any(|origin| origin.same_origin(&place)))
            }
        }
    }
}

impl Session<'_> {
    /// The token that requests for licenses take along; none where none is set, or where it is another service's.
    pub(crate) fn account_token(&self) -> Option<&AccountToken> {
        self.token_at(&self.url(Endpoint::Licenses))
    }

    fn token_at(&self, place: &str) -> Option<&AccountToken> {
        Some(&*self.settings.account_token).filter(|token| token.is_set() && self.token_places.hold(place))
    }

    /// The token that a request to this endpoint takes along to `place`. One that is kept back is recorded.
    pub(super) fn token_for(&self, endpoint: Endpoint, place: &str) -> Option<&AccountToken> {
        // Which account uses the device is nothing to whom certifies devices, and who gives back need not be signed in.
        if matches!(endpoint, Endpoint::Individualize | Endpoint::Returns | Endpoint::Mailbox) {
            return None;
        }
        let token = self.token_at(place);
        if token.is_none() && self.settings.account_token.is_set() {
            let text = format_args!("{}: {}", shown(place), self.why_kept_back());
            self.client.log.record(Level::Warn, target::SERVICE, text);
        }
        token
    }

    /// Says of a refusal for want of an account that the token was kept back, and what helps.
    pub(super) fn tell_kept_back(&self, place: &str, error: TransportError) -> TransportError {
        match error {
            TransportError::Refused(mut failure)
                if failure.http_status == UNAUTHORIZED
                    && self.settings.account_token.is_set()
                    && self.token_at(place).is_none() =>
            {
                failure.message = format!("{}; {}", failure.message, self.why_kept_back());
                TransportError::Refused(failure)
            }
            other => other,
        }
    }

    fn why_kept_back(&self) -> String {
        let here = shown(&self.base);
        let whose = base(self.settings, None).map_or_else(
            || "no service is set that it belongs to".to_owned(),
            |set| format!("it goes to the service that is set, {}", shown(set)),
        );
        format!("the account token was not sent: {whose}; for this license set the service {here} and its token")
    }
}
