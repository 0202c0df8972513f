//! Which of several places a setting is taken from, and what is wrong with one.

use super::*;
use std::collections::HashMap;

const ONE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const TWO: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// Resolves options with these variables and this configuration file.
fn resolve(options: &ServiceOptions, variables: &[(&str, &str)], file: &str) -> Result<Settings, Failure> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, file).unwrap();
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    let environment = |name: &str| variables.get(name).filter(|value| !value.is_empty()).map(OsString::from);
    Settings::resolve(Some(&path), options, &environment)
}

fn refused(variables: &[(&str, &str)], file: &str) -> (String, String) {
    let failure = resolve(&ServiceOptions::default(), variables, file).err().expect("this is refused");
    assert_eq!(failure.code, Code::Usage, "{failure}");
    (failure.sentence, failure.remedy)
}

#[test]
fn an_option_comes_before_the_environment_and_that_before_the_file() {
    let file =
        format!("store = \"/f\"\nservice = \"https://f.test\"\nauthority = \"{ONE}\"\ntoken-file = \"/f/token\"\n");
    let of_file = resolve(&ServiceOptions::default(), &[], &file).unwrap();
    assert_eq!(
        (of_file.store(), of_file.service.as_ref().unwrap().value.as_str()),
        (Path::new("/f"), "https://f.test")
    );
    assert!(matches!(of_file.token.unwrap().origin, Origin::File { line: 4, .. }));
    let variables =
        [(STORE, "/e"), (SERVICE, "https://e.test"), (AUTHORITY, &format!("{ONE}; {TWO}")), (TOKEN_FILE, "/e/token")];
    let of_environment = resolve(&ServiceOptions::default(), &variables, &file).unwrap();
    assert_eq!(of_environment.store, Setting::new("/e".into(), Origin::Variable(STORE)));
    assert_eq!(of_environment.service, Some(Setting::new("https://e.test".into(), Origin::Variable(SERVICE))));
    assert_eq!(of_environment.authorities().len(), 2);
    assert_eq!(of_environment.token.unwrap().origin, Origin::Variable(TOKEN_FILE));
    let options = ServiceOptions {
        store: StoreOptions { store: Some("/o".into()) },
        service: Some("https://o.test".into()),
        authority: vec![authority(TWO).unwrap()],
        token_file: Some("-".into()),
    };
    let of_options = resolve(&options, &variables, &file).unwrap();
    assert_eq!(of_options.store, Setting::new("/o".into(), Origin::Option("--store")));
    assert_eq!(of_options.service.unwrap().value, "https://o.test");
    assert_eq!(of_options.authorities.unwrap().value, options.authority);
    assert!(matches!(of_options.token.unwrap().value, TokenPlace::Input));
    // What is empty is not there.
    let empty = resolve(&ServiceOptions::default(), &[(STORE, ""), (SERVICE, "")], &file).unwrap();
    assert_eq!(empty.store(), Path::new("/f"));
}

#[test]
fn without_a_word_the_store_is_in_the_users_data_folder() {
    let store =
        |variables: &[(&str, &str)]| resolve(&ServiceOptions::default(), variables, "").map(|found| found.store);
    let default = |path: &str| Setting::new(PathBuf::from(path), Origin::Default);
    assert_eq!(store(&[("HOME", "/h")]).unwrap(), default("/h/.local/share/wmlicense/store"));
    assert_eq!(store(&[("HOME", "/h"), ("XDG_DATA_HOME", "/x")]).unwrap(), default("/x/wmlicense/store"));
    assert_eq!(store(&[("HOME", "/h"), ("XDG_DATA_HOME", "x")]).unwrap(), default("/h/.local/share/wmlicense/store"));
    assert!(store(&[]).unwrap_err().remedy.contains("--store"));
}

#[test]
fn a_path_in_the_file_begins_at_its_folder_or_at_home() {
    let found =
        resolve(&ServiceOptions::default(), &[("HOME", "/h")], "store = \"~/a b\"\ntoken-file = \"t\u{fc}r\"").unwrap();
    assert_eq!(found.store(), Path::new("/h/a b"));
    let Some(Setting { value: TokenPlace::File(path), .. }) = found.token else { panic!("no file") };
    assert_eq!(path, found.file.unwrap().parent().unwrap().join("t\u{fc}r"));
}

#[test]
fn a_wrong_key_is_told_with_its_line_and_the_word_that_was_meant() {
    let (sentence, remedy) = refused(&[("HOME", "/h")], "# mine\n\nstroe = \"/a\"\n");
    assert!(sentence.ends_with("config.toml, line 3: unknown key `stroe`"), "{sentence}");
    assert_eq!(remedy, "did you mean `store`?");
    for (key, meant) in [("Service", "service"), ("token_file", "token-file"), ("authorities", "authority")] {
        let (_, remedy) = refused(&[], &format!("{key} = \"x\""));
        assert_eq!(remedy, format!("did you mean `{meant}`?"));
    }
    let (_, remedy) = refused(&[], "zzz = 1");
    assert!(remedy.starts_with("the keys are store, service, "), "{remedy}");
    let (sentence, _) = refused(&[], "store = \"/a\"\n[server]\nurl = \"x\"\n");
    assert!(sentence.ends_with("line 2: unknown key `server`"), "{sentence}");
}

#[test]
fn a_wrong_value_is_told_with_its_line_and_never_shows_a_token() {
    for (file, words) in [
        ("store = 7", "line 1: `store`: a text in quotes is wanted here, not integer"),
        ("\nservice = \"ftp://a.test\"", "line 2: `service`: "),
        ("authority = \"AAAA\"", "line 1: `authority`: an identifier has 32 bytes, not 3"),
        ("authority = []", "line 1: `authority`: this names no authority"),
        ("authority = [1]", "line 1: `authority`: an authority is a text in quotes"),
        ("store = \"\"", "line 1: `store`: this names no file or folder"),
        ("token = \"s3cret\"\ntoken-file = \"/t\"", "line 2: `token` and `token-file` are both set"),
        ("token = \"s3cret", "line 1: "),
        ("token = s3cret", "line 1: "),
    ] {
        let (sentence, _) = refused(&[("HOME", "/h")], file);
        assert!(sentence.contains(words) && !sentence.contains("s3cret"), "{file}: {sentence}");
    }
    for (name, value) in [(SERVICE, "ftp://a.test"), (AUTHORITY, "AAAA")] {
        let (sentence, _) = refused(&[("HOME", "/h"), (name, value)], "");
        assert!(sentence.starts_with(&format!("{name}: ")), "{sentence}");
    }
    let (sentence, _) = refused(&[("HOME", "/h"), (TOKEN, "s3cret"), (TOKEN_FILE, "/t")], "");
    assert!(sentence.contains("both set") && !sentence.contains("s3cret"), "{sentence}");
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let missing = Settings::resolve(Some(Path::new("/nowhere/c.toml")), &ServiceOptions::default(), &|_| None);
    assert!(missing.err().unwrap().sentence.starts_with("/nowhere/c.toml: "));
    let environment = |name: &str| (name == "HOME").then(|| OsString::from("/nowhere"));
    let default = Settings::resolve(None, &ServiceOptions::default(), &environment).unwrap();
    assert_eq!(
        (default.file.unwrap().as_path(), default.has_file),
        (Path::new("/nowhere/.config/wmlicense/config.toml"), false)
    );
}

#[test]
fn what_is_shown_of_a_token_is_where_it_is() {
    let found = resolve(&ServiceOptions::default(), &[("HOME", "/h"), (TOKEN, "s3cret")], "").unwrap();
    let shown = format!("{}{}", found.lines(), found.object());
    assert!(shown.contains("token: set (WMLICENSE_TOKEN)") && !shown.contains("s3cret"), "{shown}");
}
