//! The form of a vector: `name: value` lines, an empty line, then the bytes in base64. `tests/vectors/README.md` says more.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use wmlicense_wire::cbor::diagnostic::pretty;

/// One vector.
#[derive(Clone)]
pub struct Vector {
    pub name: String,
    fields: Vec<(String, String)>,
    pub bytes: Vec<u8>,
}

/// Where the vectors are.
pub fn folder() -> PathBuf {
    crate::root().join("tests/vectors")
}

impl Vector {
    /// A vector that is read as `kind` and whose reading ends with the class `expect`.
    pub fn new(name: &str, about: &str, kind: &str, expect: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let fields = [("about", about), ("read-as", kind), ("expect", expect)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { name: name.to_owned(), fields: fields.to_vec(), bytes: bytes.into() }
    }

    /// Adds an input, or with a name that begins with `gives-` a result.
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.fields.push((name.to_owned(), value.to_string()));
        self
    }

    pub fn find(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn field(&self, name: &str) -> &str {
        self.find(name).unwrap_or_else(|| panic!("{}: no `{name}`", self.name))
    }

    /// The bytes that a hexadecimal input stands for.
    pub fn hex(&self, name: &str) -> Vec<u8> {
        let digits = self.field(name).as_bytes();
        assert!(digits.len().is_multiple_of(2), "{}: `{name}`", self.name);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    pub fn number<T: std::str::FromStr>(&self, name: &str) -> T {
        self.field(name).parse().unwrap_or_else(|_| panic!("{}: `{name}` is no number", self.name))
    }

    /// What reading the vector gives, by name.
    pub fn gives(&self) -> BTreeSet<(String, String)> {
        let result = |(name, value): &(String, String)| Some((name.strip_prefix("gives-")?.to_owned(), value.clone()));
        self.fields.iter().filter_map(result).collect()
    }

    /// The part of the bytes that is CBOR: all of them, but for the front of a backup.
    pub fn cbor(&self) -> &[u8] {
        if self.bytes.starts_with(b"WMBACKUP") { self.bytes.get(12..).unwrap_or_default() } else { &self.bytes }
    }

    fn parse(name: &str, text: &str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap_or_else(|| panic!("{name}: no empty line"));
        let field = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{name}: `{line}`"));
            (name.to_owned(), value.to_owned())
        };
        let base64: String = body.split_whitespace().collect();
        let bytes = STANDARD.decode(base64).unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { name: name.to_owned(), fields: head.lines().map(field).collect(), bytes }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.fields {
            assert!(!value.contains('\n'), "{}: `{name}`", self.name);
            writeln!(text, "{name}: {value}").unwrap();
        }
        text.push('\n');
        let base64 = STANDARD.encode(&self.bytes);
        for line in base64.as_bytes().chunks(100) {
            text.push_str(std::str::from_utf8(line).unwrap());
            text.push('\n');
        }
        text
    }
}

/// All vectors of a folder by name.
pub fn load_all(folder: &Path) -> BTreeMap<String, Vector> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let vector = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        (name.clone(), Vector::parse(&name, &text))
    };
    files.filter(|path| path.extension().is_some_and(|extension| extension == "wmv")).map(vector).collect()
}

/// Writes those of these vectors that are not there.
pub fn add_missing(vectors: &[Vector]) {
    let there = load_all(&folder());
    vectors.iter().filter(|vector| !there.contains_key(&vector.name)).for_each(write);
}

/// Writes these vectors with their twins, and removes all others.
pub fn replace_all(vectors: &[Vector]) {
    std::fs::create_dir_all(folder()).unwrap();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "wmv" || extension == "diag") {
            std::fs::remove_file(path).unwrap();
        }
    }
    vectors.iter().for_each(write);
}

/// Writes a vector and its twin.
fn write(vector: &Vector) {
    let path = folder().join(format!("{}.wmv", vector.name));
    assert!(!path.exists(), "{} is there twice", vector.name);
    std::fs::write(path, vector.text()).unwrap();
    if let Some(text) = pretty(vector.cbor()) {
        std::fs::write(folder().join(format!("{}.diag", vector.name)), text + "\n").unwrap();
    }
}
