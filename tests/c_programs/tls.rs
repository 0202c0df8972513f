//! HTTPS: a service whose certificate the platform does not know, believed only where the application brings its
//! authority.

use wmlicense_testkit::c::compile::{Form, compile};
use wmlicense_testkit::c::service::Service;
use wmlicense_testkit::{root, run};

#[test]
fn a_server_certificate_is_believed_only_under_a_trusted_authority() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (certificate, key) = (write("cert.pem", &made.cert.pem()), write("key.pem", &made.signing_key.serialize_pem()));
    let stranger = write("stranger.pem", &other.cert.pem());
    let service = Service::start_with(&["--tls-cert", &certificate, "--tls-key", &key]);
    assert!(service.url.starts_with("https://"), "{}", service.url);
    let run_program = |name: &str, platform: &str| {
        let program = compile("gcc", Form::Shared, &root().join("tests/c/tls").join(name), folder.path());
        let store = tempfile::tempdir().unwrap();
        let mut command = run::limited([program.to_str().unwrap(), store.path().to_str().unwrap()]);
        command
            .env("WM_TEST_URL", &service.url)
            .env("WM_TEST_AUTHORITY", &service.authority)
            .env("WM_TEST_TOKEN", &service.gold_token)
            .env("WM_TEST_TLS_CA", &certificate)
            .env("WM_TEST_TLS_STRANGER", &stranger)
            // Where the platform's certificates are, for programs that ask.
            .env("SSL_CERT_FILE", platform)
            .env_remove("SSL_CERT_DIR");
        run::succeed(&mut command);
    };
    run_program("client.c", &stranger);
    run_program("pinned.c", &certificate);
    run_program("bare.c", &write("empty.pem", ""));
    // As many as `predelivery.c` waits for; a page is of 4096.
    let list: String =
        (0..10_000).map(|number| format!("d0{number:030x},{number:032x},Delivered {number}\n")).collect();
    service.import(&list, r#"{"actions":{"Play":{}},"backup":true}"#);
    run_program("predelivery.c", &stranger);
}
