//! The sample cipher against a plain model of the standard, and against wrong descriptions.

mod model;

use super::*;

const KEY: [u8; 16] = *b"0123456789abcdef";

fn info(scheme: Scheme, iv: &[u8]) -> SampleInfo<'_> {
    SampleInfo { scheme, iv, subsamples: &[], crypt_byte_block: 0, skip_byte_block: 0 }
}

fn refused(info: &SampleInfo<'_>) -> SampleError {
    let mut data: Vec<u8> = (0..100).collect();
    let before = data.clone();
    let error = SampleCipher::new(&KEY).decrypt_in_place(info, &mut data).unwrap_err();
    assert_eq!(data, before, "a refused sample is untouched");
    error
}

#[test]
fn schemes_are_named_by_their_four_letters() {
    for (scheme, code) in
        [(Scheme::Cenc, b"cenc"), (Scheme::Cens, b"cens"), (Scheme::Cbc1, b"cbc1"), (Scheme::Cbcs, b"cbcs")]
    {
        assert_eq!(Scheme::from_fourcc(u32::from_be_bytes(*code)), Some(scheme));
        assert_eq!(scheme.fourcc(), u32::from_be_bytes(*code));
    }
    assert_eq!(Scheme::from_fourcc(u32::from_be_bytes(*b"piff")), None);
    assert_eq!(Scheme::from_fourcc(0), None);
}

#[test]
fn subsamples_that_do_not_cover_the_sample_are_refused() {
    for subsamples in [
        &[Subsample { clear: 50, encrypted: 49 }][..],
        &[Subsample { clear: 50, encrypted: 51 }],
        &[Subsample { clear: 0, encrypted: 0 }],
        &[Subsample { clear: u32::MAX, encrypted: u32::MAX }; 3],
    ] {
        let covered = subsamples.iter().map(|part| u64::from(part.clear) + u64::from(part.encrypted)).sum();
        for scheme in [Scheme::Cenc, Scheme::Cens, Scheme::Cbc1, Scheme::Cbcs] {
            let sample = SampleInfo { subsamples, ..info(scheme, &[0; 16]) };
            assert_eq!(refused(&sample), SampleError::Subsamples { covered, size: 100 });
        }
    }
}

#[test]
fn vectors_of_another_length_are_refused() {
    for scheme in [Scheme::Cenc, Scheme::Cens, Scheme::Cbc1, Scheme::Cbcs] {
        for length in (0..20).filter(|length| ![8, 16].contains(length)) {
            assert_eq!(refused(&info(scheme, &vec![0; length])), SampleError::IvLength { found: length });
        }
    }
    assert_eq!(refused(&info(Scheme::Cbcs, &[0; 8])), SampleError::IvLength { found: 8 });
}

#[test]
fn patterns_that_fit_no_scheme_are_refused() {
    for (scheme, crypt, skip) in [
        (Scheme::Cenc, 1, 9),
        (Scheme::Cbc1, 1, 0),
        (Scheme::Cens, 0, 9),
        (Scheme::Cbcs, 16, 1),
        (Scheme::Cbcs, 1, 16),
        (Scheme::Cbcs, u32::MAX, u32::MAX),
    ] {
        let sample = SampleInfo { crypt_byte_block: crypt, skip_byte_block: skip, ..info(scheme, &[0; 16]) };
        assert_eq!(refused(&sample), SampleError::Pattern { crypt, skip });
    }
}

#[test]
fn one_cipher_serves_many_threads() {
    let cipher = SampleCipher::new(&KEY);
    let iv = [7; 16];
    let mut expected = vec![3; 10_000];
    cipher.decrypt_in_place(&info(Scheme::Cenc, &iv), &mut expected).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let mut data = vec![3; 10_000];
                    cipher.decrypt_in_place(&info(Scheme::Cenc, &iv), &mut data).unwrap();
                    assert_eq!(data, expected);
                }
            });
        }
    });
}

#[test]
fn an_empty_sample_is_decrypted_to_itself() {
    for scheme in [Scheme::Cenc, Scheme::Cens, Scheme::Cbc1, Scheme::Cbcs] {
        SampleCipher::new(&KEY).decrypt_in_place(&info(scheme, &[0; 16]), &mut []).unwrap();
    }
}
