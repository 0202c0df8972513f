//! Text as mdoc(7) wants it: a line a sentence, names of C in bold and unbroken, what troff would take for a command escaped. What the pages
//! say is in `page.rs` and `overview.rs`.

use std::fmt::Write as _;

/// Longest line of a page.
const WIDTH: usize = 78;

/// A page that is being written.
pub(crate) struct Mdoc(String);

impl Mdoc {
    /// Begins a page.
    pub(crate) fn new(name: &str, section: u32, date: &str, version: &str) -> Self {
        let mut page = Self(String::new());
        page.line(".\\\" Generated from include/wmlicense.h and the tables in src/ by tests/repository/manual.rs; do not edit it.");
        page.line(&format!(".Dd {date}"));
        page.line(&format!(".Dt {} {section}", name.to_uppercase()));
        page.line(&format!(".Os wmlicense {version}"));
        page
    }

    /// The finished page.
    pub(crate) fn into_text(self) -> String {
        self.0
    }

    /// A line as it stands.
    pub(crate) fn line(&mut self, line: &str) {
        let _ = writeln!(self.0, "{line}");
    }

    /// A section.
    pub(crate) fn section(&mut self, title: &str) {
        self.line(&format!(".Sh {title}"));
    }

    /// A part of a section.
    pub(crate) fn part(&mut self, title: &str) {
        self.line(&format!(".Ss {title}"));
    }

    /// What the page is about: names, and a clause.
    pub(crate) fn name(&mut self, names: &[&str], about: &str) {
        self.section("NAME");
        for (at, name) in names.iter().enumerate() {
            let comma = if at + 1 < names.len() { " ," } else { "" };
            self.line(&format!(".Nm {name}{comma}"));
        }
        self.line(&format!(".Nd {about}"));
    }

    /// Other pages.
    pub(crate) fn see_also(&mut self, pages: &[(String, u32)]) {
        self.section("SEE ALSO");
        for (at, (name, section)) in pages.iter().enumerate() {
            let comma = if at + 1 < pages.len() { " ," } else { "" };
            self.line(&format!(".Xr {name} {section}{comma}"));
        }
    }

    /// Paragraphs, with a break between two of them.
    pub(crate) fn paragraphs(&mut self, paragraphs: &[String]) {
        for (at, paragraph) in paragraphs.iter().enumerate() {
            if at > 0 {
                self.line(".Pp");
            }
            self.text(paragraph);
        }
    }

    /// A list of terms; each entry is a line of macros and what it means.
    pub(crate) fn terms(&mut self, entries: impl IntoIterator<Item = (String, String)>) {
        self.line(".Bl -tag -width Ds");
        for (term, meaning) in entries {
            self.line(&format!(".It {term}"));
            self.text(&meaning);
        }
        self.line(".El");
    }

    /// Lines of a program.
    pub(crate) fn code<'l>(&mut self, lines: impl IntoIterator<Item = &'l str>) {
        self.line(".Bd -literal");
        for line in lines {
            let escaped = line.replace('\\', "\\e").replace('-', "\\-");
            let guard = if escaped.starts_with(['.', '\'']) { "\\&" } else { "" };
            self.line(&format!("{guard}{escaped}"));
        }
        self.line(".Ed");
    }

    /// One paragraph.
    pub(crate) fn text(&mut self, paragraph: &str) {
        let mut inside = false;
        let (mut line, mut shown) = (String::new(), 0);
        for word in paragraph.split_whitespace() {
            let (formed, length) = formed(word, &mut inside);
            if shown > 0 && shown + 1 + length > WIDTH {
                self.flush(&mut line, &mut shown);
            }
            if shown > 0 {
                line.push(' ');
                shown += 1;
            }
            line += &formed;
            shown += formed.len();
            if word.trim_end_matches([')', '"', '`']).ends_with(['.', '!', '?']) {
                self.flush(&mut line, &mut shown);
            }
        }
        self.flush(&mut line, &mut shown);
    }

    fn flush(&mut self, line: &mut String, shown: &mut usize) {
        if !line.is_empty() {
            let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
            let _ = writeln!(self.0, "{guard}{line}");
            line.clear();
            *shown = 0;
        }
    }
}

/// A word with names of C in bold and what stood between backticks in italics, and the length of its line.
fn formed(word: &str, inside: &mut bool) -> (String, usize) {
    let mut text = String::new();
    let mut rest = word;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if is_c_name(name) && !*inside {
            let _ = write!(text, "\\fB\\%{name}\\fR");
        } else {
            text += name;
        }
        let mut letters = after.chars();
        match letters.next() {
            Some('`') => {
                text += if *inside { "\\fR" } else { "\\fI\\%" };
                *inside = !*inside;
            }
            Some('\\') => text += "\\e",
            // A minus that can be typed.
            Some('-') if *inside => text += "\\-",
            Some(letter) if letter.is_ascii() => text.push(letter),
            Some(letter) => {
                let _ = write!(text, "\\[u{:04X}]", u32::from(letter));
            }
            None => {}
        }
        rest = letters.as_str();
    }
    let length = text.len();
    (text, length)
}

fn is_c_name(word: &str) -> bool {
    word.starts_with("wm_") || word.starts_with("WM_")
}
