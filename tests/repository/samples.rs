//! The samples in `deploy`: read by the programs they are for, and naming only files, options and variables that there are. What is
//! served through nginx and Caddy is in `tests/whole_runs/samples.rs`; that the file of options is whole, with the service's tests.

use std::collections::BTreeSet;
use std::process::Command;
use wmlicense_testkit::daemon::program;
use wmlicense_testkit::{root, run};

/// Most that `systemd-analyze security` may find exposed, in tenths.
const MOST_EXPOSED: &str = "--threshold=20";

fn sample(name: &str) -> String {
    std::fs::read_to_string(root().join("deploy").join(name)).unwrap()
}

/// The variables that the program reads, as the file of options names them.
fn variables() -> BTreeSet<String> {
    let text = sample("wmlicensed.toml");
    let named =
        text.lines().filter_map(|line| line.strip_prefix("# --")?.split_once(", ").map(|(_, name)| name.to_owned()));
    named.chain(["WMLICENSED_CONFIG".to_owned()]).collect()
}

/// The words of a text that have the form of such variables.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_uppercase() && letter != '_');
    words.filter(|word| word.starts_with("WMLICENSED_")).map(str::to_owned).collect()
}

#[test]
fn the_unit_is_understood_by_systemd_and_exposes_little() {
    let text = sample("wmlicensed.service");
    let start = text.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/wmlicensed ")).unwrap();
    // The words are what the program takes; variables are empty.
    let words = start.split(' ').filter(|word| !word.starts_with('$'));
    let file = root().join("deploy/wmlicensed.toml");
    let words = words.map(|word| if word.starts_with("/etc/") { file.to_str().unwrap() } else { word });
    run::succeed(Command::new(program()).args(words).arg("--print-config"));
    let debian = root().join("debian/wmlicense-server.wmlicensed.service");
    assert_eq!(std::fs::read_to_string(debian).unwrap(), text);

    // A database that comes late leaves no unit behind that nobody starts again.
    for line in ["StartLimitIntervalSec=0", "RestartSec=5", "After=network-online.target postgresql.service"] {
        assert!(text.lines().any(|have| have == line), "{line}");
    }

    if !run::has_tool("systemd-analyze") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("wmlicensed.service");
    std::fs::write(&unit, text.replace("/usr/bin/wmlicensed", program().to_str().unwrap())).unwrap();
    let said = run::output_of(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit));
    assert!(!said.contains("wmlicensed.service"), "{said}");
    run::succeed(Command::new("systemd-analyze").args(["security", "--offline=true", MOST_EXPOSED]).arg(&unit));
}

/// The instructions of a Containerfile, each on one line.
fn instructions(text: &str) -> Vec<(String, String)> {
    let text = text.replace("\\\n", " ");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line.split_once(' ').unwrap())
        .map(|(what, rest)| (what.to_owned(), rest.trim().to_owned()))
        .collect()
}

#[test]
fn the_image_is_built_of_what_is_there_and_runs_what_was_built() {
    let text = sample("Containerfile");
    let all = instructions(&text);
    let of =
        |what: &str| all.iter().filter(|(found, _)| found == what).map(|(_, rest)| rest.clone()).collect::<Vec<_>>();
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let rust = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")).unwrap().trim_end_matches('"');
    assert!(of("FROM")[0].starts_with(&format!("rust:{rust}-")), "the compiler is not of version {rust}");
    let unknown: Vec<_> = named(&text).difference(&variables()).cloned().collect();
    assert!(unknown.is_empty(), "no such variables: {unknown:?}");

    let built = of("RUN").into_iter().find(|run| run.starts_with("cargo build")).unwrap();
    let after = |option: &str| built.split_once(option).unwrap().1.split_whitespace().next().unwrap().to_owned();
    let (package, bin) = (after("--package"), after("--bin"));
    let server = std::fs::read_to_string(root().join("crates/server/Cargo.toml")).unwrap();
    assert!(server.contains(&format!("name = \"{package}\"")) && server.contains(&format!("name = \"{bin}\"")));
    let mut program = String::new();
    for copied in of("COPY") {
        let words: Vec<&str> = copied.split_whitespace().collect();
        let (target, sources) = words.split_last().unwrap();
        if let Some((&"--from=build", sources)) = sources.split_first() {
            assert_eq!(sources, [format!("/build/target/release/{bin}")]);
            program = (*target).to_owned();
        } else {
            assert!(sources.iter().all(|source| root().join(source).exists()), "{copied}");
        }
    }
    assert_eq!(of("ENTRYPOINT"), [format!("[\"{program}\"]")]);
    assert_eq!(of("CMD"), ["[\"serve\"]"]);
    assert!(of("USER").last().is_some_and(|user| user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id > 0))));

    let linter = root().join(".venv/bin/hadolint");
    if linter.is_file() || run::has_tool(linter.to_str().unwrap()) {
        run::succeed(Command::new(linter).arg("--failure-threshold=info").arg(root().join("deploy/Containerfile")));
    }
}

#[test]
fn the_compose_file_is_valid_and_names_what_there_is() {
    let text = sample("compose.yaml");
    let unknown: Vec<_> = named(&text).difference(&variables()).cloned().collect();
    assert!(unknown.is_empty(), "no such variables: {unknown:?}");
    let folder = root().join("deploy");
    let values = |key: &str| {
        let lines = text.lines().filter_map(|line| line.trim().strip_prefix(key)).map(str::trim);
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    for context in values("context:") {
        for file in values("dockerfile:") {
            assert!(folder.join(&context).join(&file).is_file(), "{context} {file}");
        }
    }
    for mount in values("- ./") {
        let file = mount.split(':').next().unwrap();
        assert!(folder.join(file).is_file(), "{file}");
    }
    // The variables that the proxy's sample takes are those that it gets.
    let caddy = sample("Caddyfile");
    for name in ["SITE", "UPSTREAM"] {
        assert!(caddy.contains(&format!("{{${name}:")) && text.contains(&format!("      {name}: ")), "{name}");
    }

    if !run::has_tool("docker-compose") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let compose = |site: Option<&str>| {
        let mut command = Command::new("docker-compose");
        command.current_dir(place.path()).env("DATABASE_PASSWORD", "secret").env_remove("SITE");
        command.envs(site.map(|site| ("SITE", site)));
        command.arg("--file").arg(folder.join("compose.yaml")).arg("config");
        command
    };
    let resolved = run::succeed(&mut compose(Some("licenses.example")));
    assert!(resolved.contains("WMLICENSED_PUBLIC_URL: https://licenses.example"), "{resolved}");
    assert!(run::fail(&mut compose(None)).contains("is missing in .env"));
}
