//! What README tells a reader to type: its link lines build a program, its first license is one, its service commands exist.

use std::path::Path;
use std::process::Command;

use wmlicense_testkit::c::compile::{STATIC_LIBRARIES, command_of};
use wmlicense_testkit::c::service::Service;
use wmlicense_testkit::daemon;
use wmlicense_testkit::{root, run};

use crate::install::install;

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).unwrap()
}

#[test]
fn every_link_line_builds_a_program_that_starts() {
    let text = readme();
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("cc ")).collect();
    assert_eq!(lines.len(), 3, "one line for the library in place, two for the installed ones");
    assert!(lines[2].contains(&format!("libwmlicense.a {} ", STATIC_LIBRARIES.join(" "))), "{}", lines[2]);
    let out = tempfile::tempdir().unwrap();
    let prefix = out.path().join("installed");
    install(out.path(), &prefix);
    for line in lines {
        let program = out.path().join("player");
        let mut command = command_of(&line.replace("player.c", "examples-c/backup.c"), "cc", &program);
        run::succeed(command.env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig")));
        let mut player = Command::new(&program);
        assert!(run::fail(player.env("LD_LIBRARY_PATH", prefix.join("lib"))).starts_with("usage: "), "{line}");
    }
}

/// The program of this language under the heading that promises a first license.
fn first_license(language: &str) -> String {
    let text = readme();
    let (_, section) = text.split_once("\n## First license in ten lines\n").expect("README has a first license");
    let section = section.split("\n## ").next().unwrap();
    let (_, program) =
        section.split_once(&format!("\n```{language}\n")).unwrap_or_else(|| panic!("none in {language}"));
    program.split("```").next().unwrap().to_owned()
}

/// The lines between the braces of a program's one function.
fn lines_of_main(program: &str) -> usize {
    let (_, body) = program.split_once("\nint main(").unwrap();
    body.lines().skip(1).take_while(|line| !line.starts_with('}')).count()
}

/// As its reader does: from an empty folder to a license, again without a service, and with what goes wrong.
fn makes_its_way(program: &Path, folder: &Path, service: &Service) {
    let store = folder.join("store of señor");
    let film = root().join("tests/data/media/packager-cenc-video.mp4");
    let with = |url: &str, film: &Path| {
        let mut command = run::limited([program.to_str().unwrap()]);
        command.arg(&store).args([service.authority.as_str(), url]).arg(film);
        command
    };
    let nobody = "http://127.0.0.1:9";
    let printed = run::fail(&mut with(nobody, &film));
    assert!(printed.contains("service cannot be reached"), "{printed}");
    assert_eq!(run::succeed(&mut with(&service.url, &film)), "The license is stored.\n");
    assert_eq!(run::succeed(&mut with(nobody, &film)), "Done.\n");
    let printed = run::fail(&mut with(&service.url, &folder.join("no film.mp4")));
    assert!(printed.contains("does not exist") || printed.contains("PATH_NOT_FOUND"), "{printed}");
    let (code, _) = run::ended(&mut Command::new(program));
    assert!(code.is_some_and(|code| code > 0), "{code:?}");
}

#[test]
fn the_first_license_of_c_and_cpp_takes_ten_lines_and_is_one() {
    for (language, standard, compilers) in
        [("c", "cc -std=c11", ["gcc", "clang"]), ("cpp", "c++ -std=c++17", ["g++", "clang++"])]
    {
        let program = first_license(language);
        assert!(lines_of_main(&program) <= 10, "{program}");
        for compiler in compilers.into_iter().filter(|compiler| run::has_tool(compiler)) {
            let out = tempfile::tempdir().unwrap();
            let source = out.path().join(format!("first.{language}"));
            std::fs::write(&source, &program).unwrap();
            let line = format!(
                "{standard} -Iinclude ../first.{language} -Ltarget/release \"-Wl,-rpath,$PWD/target/release\" -lwmlicense -o first"
            );
            let built = out.path().join("first");
            run::succeed(&mut command_of(&line, compiler, &built));
            makes_its_way(&built, out.path(), &Service::start());
        }
    }
}

#[test]
fn every_service_command_and_option_exists() {
    let text = readme().replace("\\\n", " ");
    let mut found = 0;
    for line in text.lines().filter(|line| line.starts_with("wmlicensed ")) {
        let line = line.split(" #").next().unwrap();
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        let commands = words.iter().take_while(|word| !word.starts_with('-'));
        let help = run::succeed(Command::new(daemon::program()).args(commands).arg("--help"));
        for option in words.iter().filter(|word| word.starts_with("--")) {
            assert!(help.contains(option), "{line}: no {option} in\n{help}");
        }
        found += 1;
    }
    assert!(found >= 4, "README shows how to start a service");
}
