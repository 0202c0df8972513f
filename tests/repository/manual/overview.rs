//! The pages of section 7: the contracts with the first steps, and the table of results.

use crate::declared::paragraphs;
use crate::manual::mdoc::Mdoc;
use crate::manual::page::Tables;
use crate::manual::pages::PAGES;
use wmlicense_testkit::root;

/// `wmlicense(7)`.
pub(crate) fn contracts(tables: &Tables, mut out: Mdoc) -> String {
    out.name(&["wmlicense"], "license individualization, acquisition, use, backup and restore for media players");
    out.section("SYNOPSIS");
    out.line(".In wmlicense.h");
    out.line(".Pp");
    out.line("cc -std=c11 player.c $(pkg-config --cflags --libs wmlicense) -o player");
    out.section("DESCRIPTION");
    let opening: Vec<String> =
        tables.header.opening.iter().take_while(|line| !line.starts_with("@code")).cloned().collect();
    let code = tables.header.opening.iter().skip_while(|line| !line.starts_with("@code")).skip(1);
    out.paragraphs(&paragraphs(&opening));
    out.code(code.take_while(|line| !line.starts_with("@endcode")).map(String::as_str));
    out.line(".Pp");
    out.text("Every object has a page, which describes its functions, properties, statuses and errors; each function leads to the page it is on:");
    out.line(".Bl -tag -width Ds -compact");
    for page in PAGES {
        out.line(&format!(".It Xr {} 3", page.name));
        let names = tables.names(page);
        let functions: Vec<&str> = names[1..].iter().map(String::as_str).collect();
        out.text(&functions.join(", "));
    }
    out.line(".El");
    for contract in &tables.header.contracts {
        out.part(&title(&contract.title));
        out.paragraphs(&paragraphs(&contract.lines));
    }
    out.section("EXAMPLES");
    out.text("The first license, from nothing to a file that may be played:");
    let program = first_license();
    out.code(program.lines());
    out.line(".Pp");
    out.line("Complete programs are in");
    out.line(".Pa examples-c");
    out.line("and");
    out.line(".Pa examples-cpp");
    out.line("of the library's sources.");
    let mut others: Vec<(String, u32)> = PAGES.iter().map(|page| (page.name.to_owned(), 3)).collect();
    others.insert(0, ("wmlicense".to_owned(), 1));
    others.push(("wmlicense_errors".to_owned(), 7));
    out.see_also(&others);
    out.into_text()
}

/// The C program under the heading of README that says so.
fn first_license() -> String {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README is there");
    let (_, section) =
        readme.split_once("\n## First license in ten lines\n").expect("README begins with a first license");
    let (_, program) = section.split_once("```c\n").expect("it has a C program");
    program.split("```").next().unwrap_or_default().to_owned()
}

/// A heading as pages of section 7 write it.
fn title(capitals: &str) -> String {
    let (first, rest) = capitals.split_at(1);
    format!("{first}{}", rest.to_lowercase())
}

/// `wmlicense_errors(7)`.
pub(crate) fn errors(tables: &Tables, mut out: Mdoc) -> String {
    out.name(&["wmlicense_errors"], "every result of the license library, and what helps");
    out.section("DESCRIPTION");
    out.text(
        "A wm_result is negative on failure; 0 and positive numbers are successes, some of which carry information. A number is \
         never used again for something else. wm_result_name and wm_result_message explain a number at run time, and \
         wm_get_error_info tells what is below, and more, about the last failure.",
    );
    out.part("Successes");
    let successes = tables.results.iter().filter(|row| row.value >= 0);
    out.terms(successes.map(|row| (format!("Dv {} Pq {:#010X}", row.name, row.value), row.message.to_owned())));
    let kinds = tables.header.defines.iter().filter(|define| define.name.starts_with("WM_CATEGORY_"));
    for kind in kinds {
        let is_none = kind.name == "WM_CATEGORY_NONE";
        let rows = tables.results.iter().filter(|row| row.value < 0);
        let rows: Vec<_> = rows.filter(|row| row.category == kind.name || is_none && row.category.is_empty()).collect();
        if rows.is_empty() {
            continue;
        }
        out.part(kind.name.as_str());
        out.text(&kind.doc);
        out.terms(rows.iter().map(|row| {
            let helps = if row.remedy.is_empty() { String::new() } else { format!(" Helps: {}.", row.remedy) };
            let again = if row.retryable { " The same call may succeed later." } else { "" };
            (format!("Dv {} Pq {:#010X}", row.name, row.value), format!("{}{helps}{again}", row.message))
        }));
    }
    out.part("What helps");
    let remedies = tables.header.defines.iter().filter(|define| define.name.starts_with("WM_REMEDY_"));
    out.terms(remedies.map(|define| (format!("Dv {}", define.name), define.doc.clone())));
    out.see_also(&[("wm_error_info".to_owned(), 3), ("wmlicense".to_owned(), 7)]);
    out.into_text()
}
