//! Options in the environment and in a file: what comes first, what is refused and how, and that no option is forgotten.

use std::collections::BTreeMap;
use std::process::{Command, Output};
use wmlicense_testkit::daemon::{Data, program};
use wmlicense_testkit::root;

/// Runs `wmlicensed` with nothing in the environment but this.
fn run(words: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(program());
    command.env_clear().envs(variables.iter().copied()).args(words).output().unwrap()
}

fn printed(words: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run(&[&["serve", "--print-config"], words].concat(), variables);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(words: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run(words, variables);
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr).unwrap().lines().next().unwrap().to_owned()
}

/// The line of an option.
fn line<'t>(text: &'t str, name: &str) -> &'t str {
    let begins = [format!("{name} = "), format!("#{name} = ")];
    let found = text.lines().find(|line| begins.iter().any(|begin| line.starts_with(begin)));
    found.unwrap_or_else(|| panic!("no {name} in\n{text}"))
}

/// The options of a text in the form of a file, whether they are commented out or not.
fn options(text: &str) -> Vec<&str> {
    let lines = text.lines().filter(|line| !line.starts_with("# "));
    lines.filter_map(|line| line.trim_start_matches('#').split_once(" = ").map(|(name, _)| name)).collect()
}

struct File {
    folder: tempfile::TempDir,
}

impl File {
    fn new(text: &str) -> Self {
        let file = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn path(&self) -> String {
        self.folder.path().join("einstellungen für ☂.toml").to_str().unwrap().to_owned()
    }
}

#[test]
fn the_command_line_comes_before_the_environment_before_the_file_before_the_default() {
    let file =
        File::new("data = \"service\"\npoll-seconds = 7\nepoch-period = 60\nroles = [\"issuer\", \"management\"]\n");
    let path = file.path();
    let variables =
        [("WMLICENSED_CONFIG", path.as_str()), ("WMLICENSED_EPOCH_PERIOD", "61"), ("WMLICENSED_LISTEN", "127.0.0.1:1")];
    let text = printed(&["--listen", "127.0.0.1:2"], &variables);
    assert_eq!(line(&text, "listen"), "listen = \"127.0.0.1:2\"  # command line");
    assert_eq!(line(&text, "epoch-period"), "epoch-period = 61  # WMLICENSED_EPOCH_PERIOD");
    assert_eq!(line(&text, "poll-seconds"), format!("poll-seconds = 7  # {path}, line 2"));
    assert_eq!(line(&text, "roles"), format!("roles = [\"issuer\", \"management\"]  # {path}, line 4"));
    assert_eq!(line(&text, "log"), "#log = \"info\"  # default");
    assert_eq!(line(&text, "public-url"), "#public-url = \"URL\"  # not set");
    // Paths in the file begin at its folder.
    let folder = file.folder.path().join("service");
    assert_eq!(line(&text, "data"), format!("data = \"{}\"  # {path}, line 1", folder.display()));
    // What was printed says the same again; a variable that is empty says nothing.
    let again = File::new(&text);
    let path = again.path();
    let text = printed(&["--config", &path], &[("WMLICENSED_LISTEN", "")]);
    assert!(line(&text, "listen").starts_with("listen = \"127.0.0.1:2\"  # "), "{text}");
    assert!(line(&text, "roles").starts_with("roles = [\"issuer\", \"management\"]  # "), "{text}");
}

#[test]
fn what_is_wrong_is_refused_with_its_place_and_the_nearest_word() {
    for (text, said) in [
        (
            "data = \"d\"\npublic_url = \"https://a.example\"",
            "line 2: there is no option `public_url`; is `public-url` meant?",
        ),
        ("xyzzy = 1", "line 1: there is no option `xyzzy`; `wmlicensed serve --help` lists them without their hyphens"),
        ("[serve]\nlisten = \"127.0.0.1:0\"", "line 1: there is no option `serve`"),
        ("print-config = true", "line 1: there is no option `print-config`"),
        ("\nlisten = \"nowhere\"", "line 2: invalid value 'nowhere' for '--listen"),
        ("poll-seconds = 61", "line 1: invalid value '61' for '--poll-seconds"),
        ("poll-seconds = true", "line 1: `poll-seconds` is a text in quotes or a number, and not of the type boolean"),
        ("roles = [1]", "line 1: `roles` is a list of texts in quotes, and not of the type integer"),
        ("log = \"a=b=c\"", "line 1: invalid value 'a=b=c' for '--log"),
        ("listen = 1\nlisten = 2", "line 2: "),
        ("listen = \"secret", "line 1: "),
    ] {
        let file = File::new(text);
        let said_now = refused(&["serve", "--config", &file.path()], &[]);
        let place = format!("error: {}, ", file.path());
        assert!(said_now.starts_with(&(place + said)), "{said_now}");
        assert!(!said_now.contains("secret"), "{said_now}");
    }
    let said = refused(&["serve"], &[("WMLICENSED_POLL_SECONDS", "none")]);
    assert!(said.starts_with("error: WMLICENSED_POLL_SECONDS: invalid value 'none' for '--poll-seconds"), "{said}");
    let said = refused(&["serve", "--config=/nowhere/at/all"], &[]);
    assert!(said.starts_with("error: /nowhere/at/all: No such file or directory"), "{said}");
    let long = File::new(&"#".repeat((64 << 10) + 1));
    assert!(refused(&["serve", "--config", &long.path()], &[]).ends_with("a file of options has at most 64 KiB"));
    // Whoever asks for help gets it.
    let help = run(&["serve", "--help", "--config", "/nowhere"], &[]);
    assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains("WMLICENSED_PUBLIC_URL"));
}

#[test]
fn every_command_takes_the_data_folder_from_the_file_and_a_misspelt_variable_is_named() {
    let data = Data::new();
    let file = File::new(&format!("data = {:?}\nlisten = \"127.0.0.1:0\"\n", data.path()));
    let path = file.path();
    let output = run(&["account", "add", "alice", "--config", &path], &[]);
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("token: "), "{output:?}");
    let folder = data.path().to_str().unwrap();
    let output = run(&["stats", "--json"], &[("WMLICENSED_DATA", folder)]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"accounts\":1"), "{output:?}");
    assert!(refused(&["stats"], &[]).contains("required"));

    let mut command = Command::new("env");
    command.env("WMLICENSED_PUBLC_URL", "https://a.example").env("WMLICENSED_PORT_8080_TCP", "tcp://10.0.0.1:8080");
    let mut serving = wmlicense_testkit::daemon::Serving::start(Some(command), data.path(), &[]).unwrap();
    let log = serving.terminate().1;
    assert!(log.contains("is WMLICENSED_PUBLIC_URL meant?") && log.contains("WMLICENSED_PUBLC_URL"), "{log}");
    assert!(!log.contains("8080_TCP"), "{log}");
}

/// `UPDATE_SAMPLES=1` writes the sample.
#[test]
fn the_sample_and_the_manual_have_every_option() {
    let place = root().join("deploy/wmlicensed.toml");
    let head = "# Options of wmlicensed, as wmlicensed(1) explains them. Lines that begin with # show the default, or what a value is;\n\
                # the command line and the environment come before this file. `wmlicensed serve --config FILE --print-config` shows\n\
                # what holds.\n\n";
    let text = printed(&["--data", "/var/lib/wmlicensed"], &[]);
    let sample = format!("{head}{text}\n").replace("  # command line", "").replace("\n\n\n", "\n\n");
    if std::env::var_os("UPDATE_SAMPLES").is_some() {
        std::fs::write(&place, &sample).unwrap();
    }
    let committed = std::fs::read_to_string(&place).unwrap();
    assert!(committed == sample, "deploy/wmlicensed.toml is not what UPDATE_SAMPLES=1 writes");

    let pages = tempfile::tempdir().unwrap();
    assert!(run(&["man", pages.path().to_str().unwrap()], &[]).status.success());
    let page = std::fs::read_to_string(pages.path().join("wmlicensed-serve.1")).unwrap().replace("\\-", "-");
    let names = options(&sample);
    assert!(names.len() >= 13 && names.contains(&"tls-key"), "{names:?}");
    for name in &names {
        assert!(page.contains(&format!("--{name}")), "{name} is not in wmlicensed-serve(1)");
    }

    // Every line of the sample is taken once it holds a value.
    let values = BTreeMap::from([
        ("URL", "https://licenses.example"),
        ("FILE", "a file"),
        ("N", "5"),
        ("ADDRESS:PORT", "127.0.0.1:0"),
        ("NETWORK", "10.0.0.0/8"),
        ("ORIGIN", "https://video.example"),
    ]);
    let filled: String = sample
        .lines()
        .filter(|line| !line.starts_with("# "))
        .map(|line| {
            let line = line.trim_start_matches('#').split("  # ").next().unwrap();
            values.iter().fold(line.to_owned(), |line, (name, value)| {
                line.replace(&format!("\"{name}\""), &format!("{value:?}"))
            }) + "\n"
        })
        .collect();
    let file = File::new(&filled);
    let text = printed(&["--config", &file.path()], &[]);
    for name in names {
        assert!(line(&text, name).contains(&format!("  # {}, line ", file.path())), "{}", line(&text, name));
    }
}

#[test]
fn a_password_in_a_value_is_not_shown() {
    let said = refused(&["serve"], &[("WMLICENSED_PUBLIC_URL", "https://me:secret@a b.example")]);
    assert!(said.starts_with("error: WMLICENSED_PUBLIC_URL: ") && !said.contains("secret"), "{said}");
}
