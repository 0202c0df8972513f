//! What the header declares, read from its text: functions, structs, callbacks and macros with what it says about each. The
//! form is the one that `header.rs` writes; what is made of it is elsewhere.

use wmlicense_testkit::root;

/// A comment and what stands below it.
struct Item {
    doc: Vec<String>,
    code: String,
}

/// A function.
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) returns: String,
    pub(crate) parameters: Vec<String>,
    /// The whole declaration on one line.
    pub(crate) code: String,
    pub(crate) doc: Vec<String>,
}

/// A struct; one that C knows only by name has no fields.
pub(crate) struct Struct {
    pub(crate) name: String,
    pub(crate) fields: Vec<Field>,
    pub(crate) doc: Vec<String>,
}

/// A field of a struct.
pub(crate) struct Field {
    /// As C declares it, without the semicolon.
    pub(crate) code: String,
    pub(crate) doc: String,
}

impl Field {
    /// Its name alone.
    pub(crate) fn name(&self) -> &str {
        let before = self.code.split('[').next().unwrap_or_default();
        before.rsplit([' ', '*']).next().unwrap_or_default()
    }
}

/// The type of a function of the application, or another name of a number.
pub(crate) struct Typedef {
    pub(crate) name: String,
    /// The whole declaration.
    pub(crate) code: String,
    pub(crate) doc: Vec<String>,
}

/// A macro with a value.
pub(crate) struct Define {
    pub(crate) name: String,
    pub(crate) doc: String,
}

/// A section of the comment that opens the header.
pub(crate) struct Contract {
    pub(crate) title: String,
    pub(crate) lines: Vec<String>,
}

/// The whole header.
pub(crate) struct Header {
    /// The comment before its first section.
    pub(crate) opening: Vec<String>,
    pub(crate) contracts: Vec<Contract>,
    pub(crate) functions: Vec<Function>,
    pub(crate) structs: Vec<Struct>,
    pub(crate) typedefs: Vec<Typedef>,
    pub(crate) defines: Vec<Define>,
}

/// The committed header.
pub(crate) fn header() -> Header {
    let text = std::fs::read_to_string(root().join("include/wmlicense.h")).expect("the header is committed");
    let mut items = items(&text).into_iter();
    let top = items.next().expect("the header opens with a comment").doc;
    let (opening, contracts) = contracts(&top);
    let mut found = Header {
        opening,
        contracts,
        functions: Vec::new(),
        structs: Vec::new(),
        typedefs: Vec::new(),
        defines: Vec::new(),
    };
    items.for_each(|item| found.take(item));
    found
}

impl Header {
    fn take(&mut self, Item { doc, code }: Item) {
        if let Some(define) = code.strip_prefix("#define ") {
            let name = define.split([' ', '(']).next().unwrap_or_default().to_owned();
            self.defines.push(Define { name, doc: doc.join(" ") });
        } else if code.starts_with("typedef struct ") {
            let words = code.trim_end_matches(';');
            let name = words.rsplit([' ', '}', '\n']).next().unwrap_or_default().to_owned();
            self.structs.push(Struct { name, fields: fields(&code), doc });
        } else if code.starts_with("typedef ") {
            let name = match code.split_once("(*") {
                Some((_, rest)) => rest.split(')').next(),
                None => code.trim_end_matches(';').rsplit(' ').next(),
            };
            self.typedefs.push(Typedef { name: name.unwrap_or_default().to_owned(), code, doc });
        } else if let Some((head, rest)) = code.split_once('(') {
            let begin = head.rfind([' ', '*']).expect("a function returns something") + 1;
            let parameters = rest.trim_end_matches(");").split(',').map(|one| tidy(one.trim()));
            self.functions.push(Function {
                name: head[begin..].to_owned(),
                returns: head[..begin].trim().to_owned(),
                parameters: parameters.filter(|one| one != "void").collect(),
                code: code.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches(';').to_owned(),
                doc,
            });
        }
    }

    /// The struct with this name.
    pub(crate) fn structure(&self, name: &str) -> &Struct {
        self.structs.iter().find(|found| found.name == name).unwrap_or_else(|| panic!("there is no struct {name}"))
    }
}

/// A declaration on one line, types without the word that C++ does not need.
fn tidy(code: &str) -> String {
    code.split_whitespace().collect::<Vec<_>>().join(" ").replace("struct ", "")
}

/// Each comment for tools with what it stands above.
fn items(text: &str) -> Vec<Item> {
    let mut found = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(first) = line.strip_prefix("/**") else { continue };
        let mut doc = Vec::new();
        if let Some(only) = first.strip_suffix("*/") {
            doc.push(only.trim().to_owned());
        } else {
            let inner = lines.by_ref().take_while(|line| *line != " */");
            doc.extend(inner.map(|line| line.trim_start_matches(" *").trim_start_matches(' ').to_owned()));
        }
        let mut code = String::new();
        while let Some(line) = lines.next_if(|line| !line.is_empty()) {
            code += line;
            if line.starts_with("#define ") || (line.ends_with(';') && !line.starts_with(' ')) || ends_call(line, &code)
            {
                break;
            }
            code.push('\n');
        }
        found.push(Item { doc, code });
    }
    found
}

/// The last line of a function that takes several.
fn ends_call(line: &str, code: &str) -> bool {
    line.ends_with(");") && !code.contains('{')
}

fn fields(code: &str) -> Vec<Field> {
    let mut found = Vec::new();
    let mut doc: Vec<&str> = Vec::new();
    for line in code.lines().filter_map(|line| line.strip_prefix("  ")) {
        match line.strip_suffix(';') {
            Some(code) => found.push(Field { code: tidy(code), doc: std::mem::take(&mut doc).join(" ") }),
            None => doc.extend(line.trim().strip_prefix("* ")),
        }
    }
    found
}

/// The comment at the top: what stands before its sections, and these.
fn contracts(top: &[String]) -> (Vec<String>, Vec<Contract>) {
    let (mut opening, mut found) = (Vec::new(), Vec::<Contract>::new());
    for line in top.iter().filter(|line| !line.starts_with("@mainpage")) {
        if let Some(heading) = line.strip_prefix("@section ") {
            let title = heading.split_once(' ').map_or("", |(_, title)| title).to_owned();
            found.push(Contract { title, lines: Vec::new() });
        } else {
            found.last_mut().map_or(&mut opening, |contract| &mut contract.lines).push(line.clone());
        }
    }
    (opening, found)
}

/// Lines as paragraphs: a line that ends early with a sentence ends its paragraph, as an empty one does.
pub(crate) fn paragraphs(lines: &[String]) -> Vec<String> {
    /// Lines are longer than this unless somebody wanted the break.
    const SHORT: usize = 100;
    let mut found: Vec<String> = Vec::new();
    let mut begins = true;
    for (at, line) in lines.iter().enumerate() {
        if line.is_empty() {
            begins = true;
            continue;
        }
        match found.last_mut() {
            Some(last) if !begins => *last += &format!(" {line}"),
            _ => found.push(line.clone()),
        }
        let next = lines.get(at + 1).and_then(|next| next.split(' ').next()).unwrap_or_default();
        let is_heading = ["Statuses", "Statuses:", "Fails"].contains(&next);
        begins = line.ends_with(['.', ':']) && (is_heading || line.len() + 1 + next.len() < SHORT);
    }
    found
}
