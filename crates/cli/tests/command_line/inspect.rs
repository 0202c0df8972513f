//! `wmlicense inspect --keys`: the user's keys are compared with the checksums of a header, and never shown.

use super::program::command;

const KID: &str = "33221100-5544-7766-8899-aabbccddeeff";
const KEY: &str = "000102030405060708090a0b0c0d0e0f";
/// The key ID in GUID order is the plaintext of FIPS 197, C.1, so the checksum is the front of its ciphertext.
const HEADER: &str = "<WRMHEADER version=\"4.1.0.0\"><DATA><PROTECTINFO><KID ALGID=\"AESCTR\" CHECKSUM=\"acTg2Gp7BDA=\" \
                      VALUE=\"ABEiM0RVZneImaq7zN3u/w==\"/></PROTECTINFO></DATA></WRMHEADER>";

/// What is printed for a list of keys.
fn inspect(keys: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let [header, list] = ["header", "keys"].map(|name| folder.path().join(name));
    std::fs::write(&header, HEADER).unwrap();
    std::fs::write(&list, keys).unwrap();
    let mut program = command();
    let output = program.arg("inspect").arg("--json").arg("--keys").arg(list).arg(header).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_right_key_is_told_from_a_wrong_one() {
    for (key, verdict) in [(KEY, "true"), ("ff0102030405060708090a0b0c0d0e0f", "false")] {
        let (code, printed) = inspect(&format!("# mine\n\n{KID} {key}\n"));
        assert_eq!(code, Some(0), "{printed}");
        assert!(printed.contains(&format!("\"givenKeyIsRight\": {verdict}")), "{printed}");
        assert!(!printed.contains(key), "{printed}");
    }
    let (_, printed) = inspect("a1a2a3a4b1b2c1c2d1d2d3d4d5d6d7d8 00112233445566778899aabbccddeeff\n");
    assert!(printed.contains("\"givenKeyIsRight\": null"), "{printed}");
}

#[test]
fn a_list_that_is_none_is_refused_by_its_line_and_not_shown() {
    for line in ["secret", KEY, &format!("{KID} {KEY}00"), &format!("{KID} {KEY} x"), &format!("{KID},zz{}", &KEY[2..])]
    {
        let (code, printed) = inspect(&format!("# one\n{line}\n"));
        assert_eq!(code, Some(1), "{printed}");
        assert!(printed.contains("line 2 is no key ID and key") && !printed.contains(line), "{printed}");
    }
}
