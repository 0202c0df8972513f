//! A copy of the repository in which the chosen files have their mutants inside. Files that did not change keep their time, so that
//! only what changed is built again.

use crate::edits::{Edits, Rewritten};
use crate::find::{Finder, find, is_for_tests};
use crate::point::{Name, Point, first_numbers};
use std::collections::{BTreeMap, HashSet};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use syn::Item;

/// What every manifest is told to link.
const RUNTIME: [(&str, &str); 2] =
    [("Cargo.toml", include_str!("../runtime/Cargo.toml")), ("src/lib.rs", include_str!("../runtime/src/lib.rs"))];

/// Folders with manifests of their own, which are not built here.
const APART: [&str; 3] = ["fuzz/", "bench/peers/", "ci/"];

/// The copy.
pub struct Tree {
    /// Where the copy is.
    pub copy: PathBuf,
    /// The files with mutants, from the root, as they were when the copy was made: whoever goes on editing changes no run.
    sources: BTreeMap<String, String>,
    /// Names of points that do not compile.
    pub refused: HashSet<String>,
    /// What became of each file.
    pub rewritten: BTreeMap<String, (Vec<Point>, Rewritten)>,
}

impl Tree {
    /// Copies everything that belongs to the repository and lies below `root` into a folder of `work`; mutants come with
    /// [`Self::mutate`].
    pub fn copied(root: &Path, work: &Path, is_chosen: impl Fn(&str) -> bool) -> Result<Self, Box<dyn Error>> {
        let copy = work.join("tree");
        let all = listed(root)?;
        let mut stale: HashSet<PathBuf> = walked(&copy)?.into_iter().collect();
        let mut sources = Vec::new();
        for name in &all {
            let (from, to) = (root.join(name), copy.join(name));
            let bytes = match std::fs::read(&from) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(format!("{name}: {error}").into()),
            };
            stale.remove(&to);
            if name.ends_with(".rs") && is_chosen(name) {
                sources.push(name.clone());
            } else if name.ends_with("Cargo.toml") && !APART.iter().any(|apart| name.starts_with(apart)) {
                write(&to, with_runtime(&String::from_utf8(bytes)?, &work.join("runtime")).as_bytes())?;
            } else if name == "Cargo.lock" && to.exists() {
                // Cargo adds the runtime to the copy's.
            } else {
                write(&to, &bytes)?;
                std::fs::set_permissions(&to, std::fs::metadata(&from)?.permissions())?;
            }
        }
        stale.iter().try_for_each(std::fs::remove_file)?;
        for (name, text) in RUNTIME {
            write(&work.join("runtime").join(name), text.as_bytes())?;
        }
        let files = without_tests(root, &sources)?;
        for name in sources.iter().filter(|name| !files.contains(name)) {
            write(&copy.join(name), &std::fs::read(root.join(name))?)?;
        }
        let mut kept = BTreeMap::new();
        for name in files {
            kept.insert(name.clone(), std::fs::read_to_string(root.join(name))?);
        }
        Ok(Self { copy, sources: kept, refused: HashSet::new(), rewritten: BTreeMap::new() })
    }

    /// Writes the chosen files with all their mutants but those that are refused.
    pub fn mutate(&mut self) -> Result<(), Box<dyn Error>> {
        self.rewritten.clear();
        let files: Vec<String> = self.sources.keys().cloned().collect();
        for ((file, source), first) in self.sources.iter().zip(first_numbers(&files)) {
            let found = find(file, source, first, &self.refused).map_err(|error| format!("{file}: {error}"))?;
            let (points, rewritten) = finished(found, source);
            write(&self.copy.join(file), rewritten.text.as_bytes())?;
            self.rewritten.insert(file.clone(), (points, rewritten));
        }
        Ok(())
    }

    /// The names of all points.
    pub fn names(&self) -> Vec<&Name> {
        self.rewritten.values().flat_map(|(points, _)| points).map(|point| &point.name).collect()
    }

    /// All points that compile.
    pub fn points(&self) -> Vec<&Point> {
        let all = self.rewritten.values().flat_map(|(points, _)| points);
        all.filter(|point| !self.refused.contains(&point.name.to_string())).collect()
    }
}

fn finished(found: Finder<'_>, source: &str) -> (Vec<Point>, Rewritten) {
    let (points, edits): (Vec<Point>, Edits) = (found.points, found.edits);
    (points, edits.apply(source))
}

/// What git knows and what it would add.
fn listed(root: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root);
    let output = git.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let mut names: Vec<String> = String::from_utf8(output.stdout)?.split('\0').map(str::to_owned).collect();
    names.retain(|name| !name.is_empty());
    names.sort();
    names.dedup();
    Ok(names)
}

/// All files below a folder.
fn walked(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    if !folder.exists() {
        return Ok(found);
    }
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() { found.extend(walked(&entry.path())?) } else { found.push(entry.path()) }
    }
    Ok(found)
}

/// Writes a file if that changes it.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    if std::fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// A manifest that links the runtime, and whose lints let mutants pass.
fn with_runtime(manifest: &str, runtime: &Path) -> String {
    let dependency = format!("mutant = {{ path = {:?} }}\n", runtime.display().to_string());
    let (mut text, mut is_skipped) = (String::new(), false);
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_skipped = line.starts_with("[workspace.lints");
        }
        if !is_skipped {
            text.push_str(line);
            text.push('\n');
        }
        if line.trim() == "[dependencies]" {
            text.push_str(&dependency);
        }
    }
    if manifest.contains("[workspace.lints") {
        text.push_str("\n[workspace.lints.rust]\nwarnings = \"allow\"\n");
    }
    if manifest.contains("[package]") && !manifest.lines().any(|line| line.trim() == "[dependencies]") {
        text.push_str(&format!("\n[dependencies]\n{dependency}"));
    }
    text
}

/// The files without those that a module declares for tests alone.
fn without_tests(root: &Path, sources: &[String]) -> Result<Vec<String>, Box<dyn Error>> {
    let mut for_tests = Vec::new();
    for name in sources {
        let parsed = syn::parse_file(&std::fs::read_to_string(root.join(name))?);
        let parsed = parsed.map_err(|error| format!("{name}: {error}"))?;
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        let folder = match file {
            "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
            file => format!("{folder}/{}", file.trim_end_matches(".rs")),
        };
        for item in &parsed.items {
            if let Item::Mod(item) = item
                && is_for_tests(&item.attrs)
            {
                for_tests.push(format!("{folder}/{}", item.ident));
            }
        }
    }
    let is_for_tests = |name: &str| {
        for_tests
            .iter()
            .any(|module| name.strip_prefix(module.as_str()).is_some_and(|rest| rest == ".rs" || rest.starts_with('/')))
    };
    Ok(sources.iter().filter(|name| !is_for_tests(name)).cloned().collect())
}
