//! Builds the tests of the copy, with all mutants inside. Mutants that do not compile are found by where the compiler finds fault,
//! and the rest is built without them.

use crate::tree::Tree;
use serde_json::Value;
use std::collections::BTreeSet;
use std::error::Error;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A built program with tests.
#[derive(Debug, Clone)]
pub struct Binary {
    /// The package, and the name of the file under `tests/` if it is not the library's own.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Where its package is.
    pub folder: PathBuf,
}

/// Where the compiler finds fault: a file from the root, and places with those that it looked at first in front.
struct Fault {
    file: String,
    places: Vec<Range<usize>>,
    said: String,
}

/// So many times the compiler is asked before it is clear that mutants are not what it minds.
const ROUNDS: usize = 40;

/// So far a fault that nobody is to blame for is followed: to all of its file.
const FURTHEST: usize = 5;

/// Builds until everything compiles. What does not is kept in a file, so that the next run need not find it again.
pub fn built(tree: &mut Tree, target: &Path, refused: &Path, wanted: &[String]) -> Result<Vec<Binary>, Box<dyn Error>> {
    for _ in 0..ROUNDS {
        tree.mutate()?;
        let (binaries, faults) = ask(tree, target, wanted)?;
        if faults.is_empty() {
            return Ok(binaries);
        }
        let before = tree.refused.len();
        for fault in &faults {
            let known = tree.refused.len();
            for far in 1..=FURTHEST {
                if known == tree.refused.len() {
                    refuse(tree, fault, far);
                }
            }
        }
        std::fs::write(refused, tree.refused.iter().map(|name| format!("{name}\n")).collect::<String>())?;
        eprintln!("  {} do not compile and are left out", tree.refused.len());
        if tree.refused.len() == before {
            let said: Vec<&str> = faults.iter().map(|fault| fault.said.as_str()).collect();
            return Err(format!("what does not compile is no mutant:\n{}", said.join("\n")).into());
        }
    }
    Err("the mutants that do not compile were not found".into())
}

/// Leaves out what a fault blames: who stands where the compiler found it, then everything it pointed to, then all on its lines, then
/// all of its function, then all of its file.
fn refuse(tree: &mut Tree, fault: &Fault, far: usize) {
    let Some((points, rewritten)) = tree.rewritten.get(&fault.file) else { return };
    let mut each = fault.places.iter().map(|place| rewritten.blamed(place));
    let function = fault.places.first().and_then(|place| rewritten.function_at(place.start));
    let blamed: BTreeSet<usize> = match far {
        1 => each.find(|points| !points.is_empty()).unwrap_or_default().into_iter().collect(),
        2 => each.flatten().collect(),
        3 => fault.places.iter().flat_map(|place| rewritten.on_lines(place)).collect(),
        4 => {
            let own = points.iter().enumerate().filter(|(_, point)| Some(&point.name.function) == function);
            own.map(|(index, _)| index).collect()
        }
        _ => (0..points.len()).collect(),
    };
    let names: Vec<String> =
        blamed.iter().filter_map(|index| points.get(*index)).map(|point| point.name.to_string()).collect();
    tree.refused.extend(names);
}

fn ask(tree: &Tree, target: &Path, wanted: &[String]) -> Result<(Vec<Binary>, Vec<Fault>), Box<dyn Error>> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["test", "--workspace", "--no-run", "--no-fail-fast", "--offline", "--message-format=json"]);
    cargo.args(wanted);
    cargo.current_dir(&tree.copy).env("CARGO_TARGET_DIR", target).env("CARGO_INCREMENTAL", "0");
    cargo.stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = cargo.output()?;
    let (mut binaries, mut faults) = (Vec::new(), Vec::new());
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
        binaries.extend(binary(&message));
        faults.extend(fault(&message["message"]));
    }
    if faults.is_empty() && !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok((binaries, faults))
}

/// The arguments for all tests but those of `without`: the linker takes its time for each program.
pub fn targets(copy: &Path, without: &[String]) -> Result<Vec<String>, Box<dyn Error>> {
    let mut packages: Vec<PathBuf> = vec![copy.to_owned()];
    for entry in std::fs::read_dir(copy.join("crates"))? {
        packages.push(entry?.path());
    }
    let mut arguments = vec!["--lib".to_owned(), "--bins".to_owned()];
    for package in packages {
        let folder = package.join("tests");
        if !folder.is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let is_test = path.extension().is_some_and(|end| end == "rs") || path.join("main.rs").exists();
            let test = path.file_stem().and_then(|stem| stem.to_str()).filter(|_| is_test);
            let name = |test: &str| Some(named(&package, Some(test))).filter(|name| !without.contains(name));
            if let Some(test) = test.filter(|test| name(test).is_some()) {
                arguments.extend(["--test".to_owned(), test.to_owned()]);
            }
        }
    }
    Ok(arguments)
}

/// How a program is named: by its package's folder and its own name.
fn named(folder: &Path, target: Option<&str>) -> String {
    let package = folder.file_name().and_then(|name| name.to_str()).filter(|name| *name != "tree");
    let package = package.unwrap_or("wmlicense");
    target.map_or_else(|| package.to_owned(), |target| format!("{package}/{target}"))
}

fn binary(message: &Value) -> Option<Binary> {
    let program = message["executable"].as_str()?;
    message["profile"]["test"].as_bool().filter(|is_test| *is_test)?;
    let folder = Path::new(message["manifest_path"].as_str()?).parent()?.to_owned();
    let target = &message["target"];
    let name = match target["kind"][0].as_str()? {
        "test" => named(&folder, target["name"].as_str()),
        "bin" => format!("{} program", named(&folder, None)),
        "bench" | "example" => return None,
        _ => named(&folder, None),
    };
    Some(Binary { name, program: program.into(), folder })
}

fn fault(message: &Value) -> Option<Fault> {
    (message["level"] == "error").then_some(())?;
    let children = message["children"].as_array().into_iter().flatten();
    let mut spans: Vec<&Value> = message["spans"].as_array()?.iter().collect();
    spans.extend(children.flat_map(|child| child["spans"].as_array().into_iter().flatten()));
    spans.sort_by_key(|span| span["is_primary"] != true);
    let file = plain(spans.first()?["file_name"].as_str()?);
    let place = |span: &Value| {
        let at = |name: &str| span[name].as_u64().and_then(|at| usize::try_from(at).ok());
        Some(at("byte_start")?..at("byte_end")?)
    };
    let here = spans.iter().filter(|span| span["file_name"].as_str().is_some_and(|name| plain(name) == file));
    let places = here.filter_map(|span| place(span)).collect();
    Some(Fault { file, places, said: message["rendered"].as_str().unwrap_or_default().to_owned() })
}

/// A path without `..`, as it is where one crate compiles files of another.
fn plain(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            ".." => parts.truncate(parts.len().saturating_sub(1)),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Takes over what an earlier build of the repository made of other people's packages, as links.
pub fn seeded(from: &Path, target: &Path) -> Result<(), Box<dyn Error>> {
    let (from, to) = (from.join("debug"), target.join("debug"));
    if to.exists() || !from.exists() {
        return Ok(());
    }
    for folder in ["deps", "build", ".fingerprint"] {
        linked(&from.join(folder), &to.join(folder), folder == "deps")?;
    }
    Ok(())
}

fn linked(from: &Path, to: &Path, is_deps: bool) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        let is_own = text.trim_start_matches("lib").starts_with("wmlicense");
        if is_own || is_deps && !text.contains('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            linked(&entry.path(), &to.join(&name), false)?;
        } else {
            std::fs::hard_link(entry.path(), to.join(&name))?;
        }
    }
    Ok(())
}
