//! The modules of a crate and what each of them names: by imports, groups and globs of them, inline paths, and names that
//! another module hands on.

use super::text::{Token, end_of_group, read};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Names of modules from the root of a crate on.
pub(crate) type Name = Vec<String>;

/// Gives the text of a file, if there is one.
pub(crate) type Files<'f> = dyn Fn(&Path) -> Option<String> + 'f;

#[derive(Default)]
struct Module {
    file: PathBuf,
    children: BTreeSet<String>,
    /// Names that are imported here, with where they come from.
    imports: BTreeMap<String, Name>,
    /// Modules of which everything is imported.
    globs: Vec<Name>,
    /// Everything that is named from the crate's root on, imports included.
    paths: BTreeSet<Name>,
    /// Words that may be names out of a glob.
    words: BTreeSet<String>,
}

/// All modules of a crate.
#[derive(Default)]
pub(crate) struct Crate {
    modules: BTreeMap<Name, Module>,
}

/// Where modules without a file of their own are looked for.
struct Place {
    name: Name,
    folder: PathBuf,
}

impl Crate {
    /// Reads a crate from its root file on.
    pub(crate) fn read(root: &Path, files: &Files<'_>) -> Self {
        let mut found = Self::default();
        let folder = root.parent().unwrap_or(Path::new("")).to_path_buf();
        found.file(root, Place { name: Name::new(), folder }, files);
        found
    }

    pub(crate) fn len(&self) -> usize {
        self.modules.len()
    }

    fn file(&mut self, path: &Path, place: Place, files: &Files<'_>) {
        let text = files(path).unwrap_or_else(|| panic!("there is no file {}", path.display()));
        self.modules.entry(place.name.clone()).or_default().file = path.to_path_buf();
        self.body(&read(&text), path, &place, files);
    }

    fn body(&mut self, tokens: &[Token], file: &Path, place: &Place, files: &Files<'_>) {
        let (mut at, mut path) = (0, None);
        while at < tokens.len() {
            let rest = &tokens[at..];
            match rest {
                [Token::Sign('#'), Token::Sign('['), name, Token::Sign('='), Token::Text(text), ..]
                    if name.is("path") =>
                {
                    path = Some(text.clone());
                    at += 6;
                }
                [keyword, Token::Word(name), Token::Sign(sign @ (';' | '{')), ..] if keyword.is("mod") => {
                    let inline = (*sign == '{').then(|| at + 3..end_of_group(tokens, at + 2) - 1);
                    let body = inline.clone().map(|range| &tokens[range]);
                    self.child(name, path.take(), body, (file, place), files);
                    at = inline.map_or(at + 3, |range| range.end + 1);
                }
                [keyword, ..] if keyword.is("use") => {
                    let end = rest.iter().position(|token| token.is_sign(';')).map_or(rest.len(), |end| end);
                    self.import(&rest[1..end], place);
                    at += end;
                }
                _ => at += self.inline_path(tokens, at, place),
            }
        }
    }

    fn child(
        &mut self,
        name: &str,
        path: Option<String>,
        body: Option<&[Token]>,
        (file, place): (&Path, &Place),
        files: &Files<'_>,
    ) {
        let parent = self.modules.entry(place.name.clone()).or_default();
        parent.children.insert(name.to_owned());
        let full: Name = place.name.iter().cloned().chain([name.to_owned()]).collect();
        let given = path.map(|path| place.folder.join(path));
        if let Some(body) = body {
            let folder = given.unwrap_or_else(|| place.folder.join(name));
            self.modules.entry(full.clone()).or_default().file = file.to_path_buf();
            return self.body(body, file, &Place { name: full, folder }, files);
        }
        let given = given.filter(|given| files(given).is_some());
        let (flat, deep) = (place.folder.join(format!("{name}.rs")), place.folder.join(name).join("mod.rs"));
        let path = given.unwrap_or_else(|| if files(&flat).is_some() { flat } else { deep });
        self.file(&path, Place { name: full, folder: place.folder.join(name) }, files);
    }

    /// Every name that an import brings.
    fn import(&mut self, tree: &[Token], place: &Place) {
        for (path, alias) in leaves(tree, &Name::new()) {
            // Without a prefix it is of here; one that is of another crate leads nowhere then.
            let below = || place.name.iter().chain(&path).cloned().collect();
            let full = from_root(&path, &place.name).unwrap_or_else(below);
            let module = self.modules.entry(place.name.clone()).or_default();
            match full.split_last() {
                Some((last, before)) if last == "*" => {
                    module.globs.push(before.to_vec());
                    module.paths.insert(before.to_vec());
                }
                Some((last, before)) if last == "self" => {
                    let name = before.last().cloned().unwrap_or_default();
                    module.imports.insert(alias.unwrap_or(name), before.to_vec());
                    module.paths.insert(before.to_vec());
                }
                _ => {
                    let name = full.last().cloned().unwrap_or_default();
                    module.imports.insert(alias.unwrap_or(name), full.clone());
                    module.paths.insert(full);
                }
            }
        }
    }

    /// Takes a path from the crate's root, from here or from above that stands anywhere; gives the tokens that it has.
    fn inline_path(&mut self, tokens: &[Token], at: usize, place: &Place) -> usize {
        let Token::Word(first) = &tokens[at] else { return 1 };
        let continues = at > 0 && (tokens[at - 1] == Token::Path || tokens[at - 1].is_sign('.'));
        if continues {
            return 1;
        }
        let mut path = vec![first.clone()];
        let mut end = at + 1;
        while let Some([Token::Path, Token::Word(word)]) = tokens.get(end..end + 2) {
            path.push(word.clone());
            end += 2;
        }
        let module = self.modules.entry(place.name.clone()).or_default();
        match from_root(&path, &place.name).filter(|_| path.len() > 1) {
            Some(full) => {
                module.paths.insert(full);
            }
            None => {
                module.words.insert(first.clone());
            }
        }
        end - at
    }
}

/// The paths of an import, each with the name that it gets.
fn leaves(tree: &[Token], before: &[String]) -> Vec<(Name, Option<String>)> {
    let (mut path, mut at) = (before.to_vec(), 0);
    while at < tree.len() {
        match &tree[at] {
            Token::Word(word) if word == "as" => {
                let alias = tree.get(at + 1).and_then(|token| match token {
                    Token::Word(alias) => Some(alias.clone()),
                    _ => None,
                });
                return vec![(path, alias)];
            }
            Token::Word(word) => path.push(word.clone()),
            Token::Sign('*') => path.push("*".to_owned()),
            Token::Sign('{') => {
                let inside = &tree[at + 1..end_of_group(tree, at) - 1];
                return branches(inside).into_iter().flat_map(|branch| leaves(branch, &path)).collect();
            }
            _ => {}
        }
        at += 1;
    }
    vec![(path, None)]
}

fn branches(inside: &[Token]) -> Vec<&[Token]> {
    let (mut found, mut begin, mut at) = (Vec::new(), 0, 0);
    while at < inside.len() {
        if inside[at].is_sign(',') {
            found.push(&inside[begin..at]);
            begin = at + 1;
        }
        at = if inside[at].is_sign('{') { end_of_group(inside, at) } else { at + 1 };
    }
    found.push(&inside[begin..]);
    found.retain(|branch| !branch.is_empty());
    found
}

/// A path with `crate`, `self` or `super` in front, from the root on.
fn from_root(path: &[String], here: &[String]) -> Option<Name> {
    let (first, rest) = path.split_first()?;
    let begin = match first.as_str() {
        "crate" => Name::new(),
        "self" => here.to_vec(),
        "super" => here.split_last()?.1.to_vec(),
        _ => return None,
    };
    let mut full = begin;
    for part in rest {
        if part == "super" {
            full.pop();
        } else {
            full.push(part.clone());
        }
    }
    Some(full)
}

/// A module uses another one of the same parent: why.
pub(crate) type Edges = BTreeMap<(String, String), String>;

impl Crate {
    /// Every module that a path leads through or to, those included that hand a name on.
    fn targets(&self, path: &[String], found: &mut BTreeSet<Name>) {
        let mut at = Name::new();
        for (place, part) in path.iter().enumerate() {
            let Some(module) = self.modules.get(&at) else { return };
            if module.children.contains(part) {
                at.push(part.clone());
                found.insert(at.clone());
                continue;
            }
            let handed_on = module.imports.get(part).filter(|next| next.as_slice() != path);
            if let Some(next) = handed_on {
                let next: Name = next.iter().chain(&path[place + 1..]).cloned().collect();
                if next.len() < 32 && !next.starts_with(&path[..=place]) {
                    self.targets(&next, found);
                }
            }
            return;
        }
    }

    /// Which children of a module use which others.
    pub(crate) fn edges(&self, parent: &[String]) -> Edges {
        let mut edges = Edges::new();
        let inside = self.modules.iter().filter(|(name, _)| name.starts_with(parent) && name.len() > parent.len());
        for (name, module) in inside {
            let from = &name[parent.len()];
            for path in self.named(module) {
                let mut targets = BTreeSet::new();
                self.targets(&path, &mut targets);
                let siblings =
                    targets.iter().filter(|target| target.starts_with(parent) && target.len() > parent.len());
                for to in siblings.map(|target| &target[parent.len()]).filter(|to| *to != from) {
                    let why = || format!("{} names {}", module.file.display(), path.join("::"));
                    edges.entry((from.clone(), to.clone())).or_insert_with(why);
                }
            }
        }
        edges
    }

    /// All that a module names, what it has of globs included.
    fn named(&self, module: &Module) -> BTreeSet<Name> {
        let mut all = module.paths.clone();
        for glob in &module.globs {
            let Some(source) = self.modules.get(glob) else { continue };
            for word in &module.words {
                if source.children.contains(word) || source.imports.contains_key(word) {
                    all.insert(glob.iter().cloned().chain([word.clone()]).collect());
                }
            }
        }
        all
    }

    /// The modules that have others below them, the root among them.
    pub(crate) fn parents(&self) -> impl Iterator<Item = &Name> {
        self.modules.iter().filter(|(_, module)| module.children.len() > 1).map(|(name, _)| name)
    }
}
