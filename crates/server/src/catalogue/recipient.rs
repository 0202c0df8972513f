//! Keys that travel encrypted (CPIX, XML Encryption): the recipient who opens a document, and those to whom one is written.

use super::fault::CpixError;
use aws_lc_rs::cipher::{
    AES_256, AES_256_KEY_LEN, AES_CBC_IV_LEN, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey,
    PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use x509_cert::der::{Decode as _, Encode as _};
use zeroize::{Zeroize as _, Zeroizing};

/// Length of the key of the MAC in what is written.
const MAC_KEY_LEN: usize = 64;

/// Key or certificate of a recipient cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RecipientError {
    /// No certificate.
    #[error("no certificate in PEM or DER")]
    Certificate,
    /// No key that opens anything.
    #[error("no RSA key in PKCS #8; `openssl pkcs8 -topk8 -nocrypt` makes one of others")]
    Key,
    /// The two do not belong together.
    #[error("the key is not that of the certificate")]
    Others,
    /// Too short for what is to be encrypted, or no RSA key.
    #[error("the certificate has no RSA key that keys can be encrypted to")]
    Unfit,
}

/// Whom documents are encrypted to: certificate and key.
pub(crate) struct Recipient {
    certificate: CertificateDer<'static>,
    key: OaepPrivateDecryptingKey,
}

/// Opens the keys of one document.
pub(super) struct Opener {
    key: Zeroizing<[u8; AES_256_KEY_LEN]>,
    mac: hmac::Key,
}

fn certificate(bytes: &[u8]) -> Result<CertificateDer<'static>, RecipientError> {
    let is_text = bytes.windows(11).any(|window| window == b"-----BEGIN ");
    let found = if is_text { CertificateDer::from_pem_slice(bytes).ok() } else { Some(bytes.to_vec().into()) };
    found.filter(|found| found.first() == Some(&0x30)).ok_or(RecipientError::Certificate)
}

impl Recipient {
    /// The recipient of this certificate, in PEM or DER, with its key in PKCS #8.
    pub(crate) fn read(certificate_file: &[u8], key_file: &[u8]) -> Result<Self, RecipientError> {
        let certificate = certificate(certificate_file)?;
        let mut written = PrivatePkcs8KeyDer::from_pem_slice(key_file).map_err(|_| RecipientError::Key)?;
        let key = PrivateDecryptingKey::from_pkcs8(written.secret_pkcs8_der());
        written.zeroize();
        let key = key.map_err(|_| RecipientError::Key)?;
        // Documents may name a certificate that strict readers refuse: it is only compared, and its key stays unknown.
        if public_key(&certificate).is_some_and(|named| !is_same(&named, &key.public_key())) {
            return Err(RecipientError::Others);
        }
        let key = OaepPrivateDecryptingKey::new(key).map_err(|_| RecipientError::Key)?;
        Ok(Self { certificate, key })
    }

    /// Whether this certificate, in DER, is the recipient's.
    pub(super) fn is(&self, certificate: &[u8]) -> bool {
        *self.certificate == *certificate
    }

    fn decrypt(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CpixError> {
        let mut room = Zeroizing::new(vec![0; self.key.min_output_size()]);
        let opened = self.key.decrypt(&OAEP_SHA1_MGF1SHA1, sealed, &mut room, None);
        let length = opened.map_err(|_| CpixError::NotOpened)?.len();
        room.truncate(length);
        Ok(room)
    }

    /// What opens the keys of a document, from its document key and MAC key as they were encrypted.
    pub(super) fn opener(&self, document_key: &[u8], mac_key: &[u8]) -> Result<Opener, CpixError> {
        let key = self.decrypt(document_key)?;
        let key = key.as_slice().try_into().map(Zeroizing::new).map_err(|_| CpixError::NotOpened)?;
        Ok(Opener { key, mac: hmac::Key::new(hmac::HMAC_SHA512, &self.decrypt(mac_key)?) })
    }
}

impl Opener {
    /// Opens one key. Its MAC is looked at before anything is decrypted.
    pub(super) fn open(&self, sealed: &[u8], mac: &[u8]) -> Result<Zeroizing<Vec<u8>>, CpixError> {
        hmac::verify(&self.mac, sealed, mac).map_err(|_| CpixError::Mac)?;
        let (iv, rest) = sealed.split_first_chunk::<AES_CBC_IV_LEN>().ok_or(CpixError::Length)?;
        let key = UnboundCipherKey::new(&AES_256, self.key.as_slice()).map_err(|_| CpixError::NotOpened)?;
        let key = PaddedBlockDecryptingKey::cbc_iso10126(key).map_err(|_| CpixError::NotOpened)?;
        let mut bytes = Zeroizing::new(rest.to_vec());
        let context = DecryptionContext::Iv128(FixedLength::from(iv));
        let length = key.decrypt(&mut bytes, context).map_err(|_| CpixError::Length)?.len();
        bytes.truncate(length);
        Ok(bytes)
    }
}

/// The key that a certificate names.
fn public_key(certificate: &CertificateDer<'_>) -> Option<PublicEncryptingKey> {
    let certificate = x509_cert::Certificate::from_der(certificate).ok()?;
    PublicEncryptingKey::from_der(&certificate.tbs_certificate.subject_public_key_info.to_der().ok()?).ok()
}

fn is_same(one: &PublicEncryptingKey, other: &PublicEncryptingKey) -> bool {
    let bytes = |key: &PublicEncryptingKey| AsDer::<PublicKeyX509Der<'_>>::as_der(key).ok();
    bytes(one).zip(bytes(other)).is_some_and(|(one, other)| one.as_ref() == other.as_ref())
}

/// Somebody to whom a document is written.
pub(crate) struct Addressee {
    certificate: CertificateDer<'static>,
    key: OaepPublicEncryptingKey,
}

impl Addressee {
    /// Whoever has the key of this certificate, in PEM or DER.
    pub(crate) fn read(certificate_file: &[u8]) -> Result<Self, RecipientError> {
        let certificate = certificate(certificate_file)?;
        let key = public_key(&certificate).and_then(|key| OaepPublicEncryptingKey::new(key).ok());
        let key = key.filter(|key| key.max_plaintext_size(&OAEP_SHA1_MGF1SHA1) >= MAC_KEY_LEN);
        Ok(Self { certificate, key: key.ok_or(RecipientError::Unfit)? })
    }

    pub(super) fn certificate(&self) -> &[u8] {
        &self.certificate
    }
}

/// Encrypts the keys of one document.
pub(super) struct Sealer {
    key: Zeroizing<[u8; AES_256_KEY_LEN]>,
    mac_key: Zeroizing<[u8; MAC_KEY_LEN]>,
}

/// Something could not be encrypted: the system has no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotSealed;

impl Sealer {
    pub(super) fn new() -> Result<Self, NotSealed> {
        let mut sealer = Self { key: Zeroizing::new([0; _]), mac_key: Zeroizing::new([0; _]) };
        let filled = getrandom::fill(&mut *sealer.key).and_then(|()| getrandom::fill(&mut *sealer.mac_key));
        filled.map(|()| sealer).map_err(|_| NotSealed)
    }

    /// Document key and MAC key for one of those who may open the document.
    pub(super) fn keys_for(&self, addressee: &Addressee) -> Result<[Vec<u8>; 2], NotSealed> {
        let seal = |bytes: &[u8]| {
            let mut sealed = vec![0; addressee.key.ciphertext_size()];
            addressee.key.encrypt(&OAEP_SHA1_MGF1SHA1, bytes, &mut sealed, None).map_err(|_| NotSealed)?;
            Ok(sealed)
        };
        Ok([seal(&*self.key)?, seal(&*self.mac_key)?])
    }

    /// One key, as initialization vector and ciphertext, and the MAC over both.
    pub(super) fn seal(&self, key: &[u8; 16]) -> Result<(Vec<u8>, Vec<u8>), NotSealed> {
        let mut iv = [0; AES_CBC_IV_LEN];
        getrandom::fill(&mut iv).map_err(|_| NotSealed)?;
        let cipher = UnboundCipherKey::new(&AES_256, &*self.key).map_err(|_| NotSealed)?;
        let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(cipher).map_err(|_| NotSealed)?;
        // With room for the padding, so that no copy of the key is left behind where it would have to grow.
        let mut bytes = Zeroizing::new(Vec::with_capacity(2 * key.len()));
        bytes.extend_from_slice(key);
        let context = EncryptionContext::Iv128(FixedLength::from(iv));
        cipher.less_safe_encrypt(&mut *bytes, context).map_err(|_| NotSealed)?;
        let sealed = [iv.as_slice(), &bytes].concat();
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, &*self.mac_key), &sealed);
        Ok((sealed, mac.as_ref().to_vec()))
    }
}
