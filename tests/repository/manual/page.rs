//! How a page of section 3 is written: all that the header says about the functions of an object or a group. Which pages there
//! are is in `pages.rs`.

use crate::declared::{Function, Header, Struct, paragraphs};
use crate::manual::mdoc::Mdoc;
use crate::manual::pages::{Page, page_of};
use std::collections::BTreeSet;
use wmlicense::reference::{PropertyRow, ResultRow};

/// What the pages are made of.
pub(crate) struct Tables {
    pub(crate) header: Header,
    pub(crate) results: Vec<ResultRow>,
    pub(crate) properties: Vec<PropertyRow>,
}

impl Tables {
    fn functions(&self, page: &Page) -> Vec<&Function> {
        self.header.functions.iter().filter(|function| page_of(function).name == page.name).collect()
    }

    /// What the header says about a macro.
    pub(crate) fn meaning(&self, name: &str) -> &str {
        let found = self.header.defines.iter().find(|define| define.name == name);
        &found.unwrap_or_else(|| panic!("{name} is not in the header")).doc
    }

    /// The names that a page answers to: its own, its functions', its types'.
    pub(crate) fn names(&self, page: &Page) -> Vec<String> {
        let mut names = vec![page.name.to_owned()];
        names.extend(self.functions(page).iter().map(|function| function.name.clone()));
        names.extend([page.structs, page.callbacks].concat().iter().map(|name| (*name).to_owned()));
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names
    }

    /// The text of a page.
    pub(crate) fn write(&self, page: &Page, mut out: Mdoc) -> String {
        let (names, functions) = (self.names(page), self.functions(page));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        out.name(&names, page.about);
        out.section("SYNOPSIS");
        out.line(".In wmlicense.h");
        functions.iter().for_each(|function| declare(&mut out, function));
        out.section("DESCRIPTION");
        let object = self.header.structs.iter().find(|found| found.name == page.name && found.fields.is_empty());
        if let Some(object) = object {
            out.paragraphs(&paragraphs(&object.doc));
        }
        for function in &functions {
            out.part(&function.name);
            out.paragraphs(&paragraphs(&function.doc));
        }
        page.callbacks.iter().for_each(|name| self.callback(&mut out, name));
        page.structs.iter().for_each(|name| structure(&mut out, self.header.structure(name)));
        self.properties(&mut out, page);
        let said: String =
            functions.iter().flat_map(|function| &function.doc).fold(String::new(), |all, line| all + line + " ");
        self.statuses(&mut out, page, &said);
        self.macros(&mut out, page);
        self.results(&mut out, &functions, &said);
        if !page.examples.is_empty() {
            out.section("EXAMPLES");
            out.text(&format!("Complete programs in the sources of the library: {}.", listed(page.examples)));
        }
        self.errors(&mut out, &said);
        self.see_also(&mut out, page, &said);
        out.into_text()
    }

    fn callback(&self, out: &mut Mdoc, name: &str) {
        let found = self.header.typedefs.iter().find(|found| found.name == name);
        let found = found.unwrap_or_else(|| panic!("there is no callback {name}"));
        out.part(name);
        out.code(found.code.replace("struct ", "").lines());
        out.line(".Pp");
        out.paragraphs(&paragraphs(&found.doc));
    }

    fn properties(&self, out: &mut Mdoc, page: &Page) {
        let rows: Vec<_> = self.properties.iter().filter(|row| row.objects.contains(&page.name)).collect();
        if rows.is_empty() {
            return;
        }
        out.section("PROPERTIES");
        out.terms(rows.into_iter().map(|row| {
            let access = match (row.is_settable, row.is_readable) {
                (true, false) => ", write\\-only",
                (false, _) => ", read\\-only",
                (true, true) => "",
            };
            (format!("Dv {} Pq {}{access}", row.define, row.kind), self.meaning_for(page, row))
        }));
    }

    /// The meaning of a property for the object of a page, without the words for whose it is.
    fn meaning_for(&self, page: &Page, row: &PropertyRow) -> String {
        let all = self.meaning(row.define);
        let object = page.name.trim_start_matches("wm_").replace('_', " ");
        // A line that has two meanings names the object of the second one where that begins.
        let own = all.split(". ").find(|part| part.to_lowercase().starts_with(&object) && part.contains(": "));
        let (_, meaning) = own.filter(|_| row.objects.len() > 1).unwrap_or(all).split_once(": ").unwrap_or(("", all));
        let mut letters = meaning.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase()).into_iter();
        let text: String = first.chain(letters).collect();
        format!("{}.", text.trim_end_matches('.'))
    }

    fn statuses(&self, out: &mut Mdoc, page: &Page, said: &str) {
        let named = names_in(said, "WM_STATUS_");
        if named.is_empty() || page.macros.contains(&"WM_STATUS_") {
            return;
        }
        out.section("STATUSES");
        let rows = self.header.defines.iter().filter(|define| named.contains(define.name.as_str()));
        out.terms(rows.map(|define| (format!("Dv {}", define.name), define.doc.clone())));
        out.line("What comes with them is described in");
        out.line(".Xr wm_status_callback 3 .");
    }

    /// Flags of the functions and structs of the page, and the lists that are its own.
    fn macros(&self, out: &mut Mdoc, page: &Page) {
        let names = self.names(page);
        let rows = self.header.defines.iter().filter(|define| {
            let of = define.doc.split([':', ' ']).next().unwrap_or_default();
            page.macros.iter().any(|prefix| define.name.starts_with(prefix)) || names.iter().any(|name| name == of)
        });
        let rows: Vec<_> = rows.map(|define| (format!("Dv {}", define.name), define.doc.clone())).collect();
        if !rows.is_empty() {
            out.section("CONSTANTS");
            out.terms(rows);
        }
    }

    fn results(&self, out: &mut Mdoc, functions: &[&Function], said: &str) {
        if !functions.iter().any(|function| function.returns == "wm_result") {
            return;
        }
        out.section("RETURN VALUES");
        out.text("Functions that return wm_result answer 0 or another number that is not negative on success, and a negative one on failure.");
        let named = names_in(said, "WM_S_");
        let rows: Vec<_> = self.results.iter().filter(|row| named.contains(row.name)).collect();
        if !rows.is_empty() {
            out.text("These successes carry information:");
            out.terms(rows.iter().map(|row| (format!("Dv {}", row.name), row.message.to_owned())));
        }
    }

    fn errors(&self, out: &mut Mdoc, said: &str) {
        let named = names_in(said, "WM_E_");
        let rows: Vec<_> = self.results.iter().filter(|row| named.contains(row.name)).collect();
        if rows.is_empty() {
            return;
        }
        out.section("ERRORS");
        out.line("What the functions above and their final statuses name; every result,");
        out.line("with what helps, is in");
        out.line(".Xr wmlicense_errors 7 .");
        out.terms(rows.iter().map(|row| (format!("Bq Er {}", row.name), row.message.to_owned())));
    }

    fn see_also(&self, out: &mut Mdoc, page: &Page, said: &str) {
        let mut pages: BTreeSet<(String, u32)> =
            [("wmlicense".to_owned(), 7), ("wmlicense_errors".to_owned(), 7)].into();
        let named = names_in(said, "wm_");
        let others = self.header.functions.iter().filter(|function| named.contains(function.name.as_str()));
        pages.extend(others.map(|function| (page_of(function).name.to_owned(), 3)));
        if self.properties.iter().any(|row| row.objects.contains(&page.name)) {
            pages.insert(("wm_object".to_owned(), 3));
        }
        pages.remove(&(page.name.to_owned(), 3));
        let mut pages: Vec<_> = pages.into_iter().collect();
        // By section, then by name.
        pages.sort_by_key(|(name, section)| (*section, name.clone()));
        out.see_also(&pages);
    }
}

fn declare(out: &mut Mdoc, function: &Function) {
    out.line(&format!(".Ft \"{}\"", function.returns));
    out.line(&format!(".Fo {}", function.name));
    if function.parameters.is_empty() {
        out.line(".Fa void");
    }
    for parameter in &function.parameters {
        out.line(&format!(".Fa \"{parameter}\""));
    }
    out.line(".Fc");
}

fn structure(out: &mut Mdoc, found: &Struct) {
    out.part(&format!("struct {}", found.name));
    out.paragraphs(&paragraphs(&found.doc));
    out.terms(found.fields.iter().map(|field| (format!("Vt \"{}\"", field.code), field.doc.clone())));
}

/// The names with this beginning in a text; one with a star behind it is none.
pub(crate) fn names_in<'t>(text: &'t str, prefix: &str) -> BTreeSet<&'t str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with(prefix) && !word.ends_with('_')).collect()
}

fn listed(examples: &[&str]) -> String {
    let paths: Vec<String> = examples.iter().map(|name| format!("`examples-c/{name}`")).collect();
    paths.join(", ")
}
