//! What the test service says about itself.

use super::Shared;
use wmlicense_wire::service_document::ServiceDocument;

impl Shared {
    pub fn service_document(&self, base: &str, issued_at: i64) -> Vec<u8> {
        let world = &self.world;
        let urls = ["individualize", "licenses", "renewals", "returns"]
            .map(|name| (name.to_owned(), format!("{base}/v1/{name}")));
        let services = [&world.individualization, &world.issuer, &world.management];
        let document = ServiceDocument {
            expires_at: issued_at + 3600,
            issued_at,
            authority: world.authority.bytes.clone(),
            certificates: services.map(|service| service.certificate.bytes.clone()).to_vec(),
            urls: urls.to_vec(),
            limits: Vec::new(),
            privacy_url: None,
            minimum_versions: Vec::new(),
            revocation_keys: Vec::new(),
        };
        document.sign(&world.issuer.key).unwrap()
    }
}
