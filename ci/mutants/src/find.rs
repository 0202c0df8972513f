//! Walks through a file and finds what can be mutated. The insertions that make it so leave the file's own code where it is: each
//! asks the process which mutant it is. Which changes a condition has is `condition.rs`, which an expression `expression.rs`.

mod condition;
mod expression;

use crate::bodies::answers;
use crate::edits::Edits;
use crate::point::{Name, Point, on_one_line};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Block, Expr, ImplItemFn, ItemFn, ItemImpl, ItemMod, Meta, Pat, Signature, Stmt, TraitItemFn, Type,
};

/// One file while its points are found.
pub struct Finder<'f> {
    source: &'f str,
    file: &'f str,
    first: u32,
    refused: &'f HashSet<String>,
    /// Types and functions around the place.
    around: Vec<String>,
    /// How many functions are around the place: outside of all there are only constants.
    functions: usize,
    alike: HashMap<Name, usize>,
    /// All points, those that are refused too, so that numbers stay.
    pub points: Vec<Point>,
    /// Insertions for those that are not refused, with indices into the points.
    pub edits: Edits,
}

/// Finds what can be mutated in a file. Points whose name is refused do not compile.
pub fn find<'f>(
    file: &'f str,
    source: &'f str,
    first: u32,
    refused: &'f HashSet<String>,
) -> Result<Finder<'f>, syn::Error> {
    let parsed = syn::parse_file(source)?;
    let mut finder = Finder {
        source,
        file,
        first,
        refused,
        around: Vec::new(),
        functions: 0,
        alike: HashMap::new(),
        points: Vec::new(),
        edits: Edits::default(),
    };
    finder.visit_file(&parsed);
    Ok(finder)
}

/// True for what is compiled only for tests or fuzz targets.
pub fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("cfg") => {
            let words = list.tokens.to_string();
            !words.contains("not") && words.split(|c: char| !c.is_alphanumeric()).any(|w| w == "test" || w == "fuzzing")
        }
        Meta::List(_) | Meta::NameValue(_) => false,
    })
}

/// A question to the process.
fn is(number: u32) -> String {
    format!("::mutant::is({number})")
}

impl Finder<'_> {
    fn text(&self, range: &Range<usize>) -> &str {
        self.source.get(range.clone()).unwrap_or_default()
    }

    fn text_of(&self, of: &impl Spanned) -> &str {
        self.text(&of.span().byte_range())
    }

    /// A new point; its index and number, unless it is refused.
    fn point(&mut self, line: usize, original: &str, mutant: &str) -> Option<(usize, u32)> {
        if self.functions == 0 {
            return None;
        }
        let (original, mutant) = (on_one_line(original), on_one_line(mutant));
        let mut name =
            Name { file: self.file.to_owned(), function: self.around.join("::"), original, mutant, which: 0 };
        let which = self.alike.entry(name.clone()).or_insert(0);
        *which += 1;
        name.which = *which;
        let index = self.points.len();
        let number = self.first + u32::try_from(index).ok().filter(|index| *index < crate::point::PER_FILE)?;
        let is_refused = self.refused.contains(&name.to_string());
        self.points.push(Point { number, line, name });
        (!is_refused).then_some((index, number))
    }

    /// The mutant is another expression in place of this one.
    fn instead(&mut self, of: &impl Spanned, mutant: &str) {
        let range = of.span().byte_range();
        let original = self.text(&range).to_owned();
        if let Some((index, number)) = self.point(of.span().start().line, &original, mutant) {
            let before = format!("(if {} {{ {mutant} }} else {{ ", is(number));
            self.edits.around(range, before, " })".into(), &[index]);
        }
    }

    /// The mutants of a function are that it answers at once.
    fn body(&mut self, signature: &Signature, block: &Block) {
        let only = match block.stmts.as_slice() {
            [] => return,
            [Stmt::Expr(only, None)] => on_one_line(self.text_of(only)),
            [Stmt::Expr(only, Some(_))] if is_left_out(only) && answers(&signature.output) == [""] => return,
            _ => String::new(),
        };
        for answer in answers(&signature.output).into_iter().filter(|answer| only.is_empty() || *answer != only) {
            let mutant = format!("return {answer}").trim_end().to_owned();
            if let Some((index, number)) = self.point(signature.span().start().line, "the body", &mutant) {
                let at = block.brace_token.span.open().byte_range().end;
                self.edits.at(at, format!(" if {} {{ {mutant}; }} ", is(number)), &[index]);
            }
        }
    }

    fn function(&mut self, attributes: &[Attribute], signature: &Signature, block: &Block) {
        if is_for_tests(attributes) || signature.constness.is_some() || signature.unsafety.is_some() {
            return;
        }
        self.around.push(signature.ident.to_string());
        self.functions += 1;
        self.edits.functions.push((block.span().byte_range(), self.around.join("::")));
        match block.stmts.as_slice() {
            [Stmt::Expr(only, None)] if answers(&signature.output) == ["true", "false"] => {
                self.condition(only, condition::Wanted::BOTH);
            }
            _ => {
                self.body(signature, block);
                self.visit_block(block);
            }
        }
        if let (syn::ReturnType::Default, Some(Stmt::Expr(last, None))) = (&signature.output, block.stmts.last())
            && is_call(last)
            && block.stmts.len() > 1
        {
            self.left_out(last.span().byte_range(), last);
        }
        self.functions -= 1;
        self.around.pop();
    }

    fn left_out(&mut self, range: Range<usize>, of: &Expr) {
        let original = self.text(&range).to_owned();
        if let Some((index, number)) = self.point(of.span().start().line, &original, "") {
            self.edits.around(range, format!("if !{} {{ ", is(number)), " }".into(), &[index]);
        }
    }
}

fn is_call(of: &Expr) -> bool {
    match of {
        Expr::Call(_) | Expr::MethodCall(_) => true,
        Expr::Try(of) => is_call(&of.expr),
        Expr::Await(of) => is_call(&of.base),
        _ => false,
    }
}

/// True for a statement that can be left out.
fn is_left_out(of: &Expr) -> bool {
    let assigns = match of {
        Expr::Assign(_) => true,
        Expr::Binary(binary) => expression::assigns(&binary.op),
        _ => false,
    };
    is_call(of) || assigns
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let of = item.trait_.as_ref().and_then(|(_, path, _)| path.segments.last());
        // What a person reads is not what a promise says.
        if is_for_tests(&item.attrs) || of.is_some_and(|of| of.ident == "Debug" || of.ident == "Display") {
            return;
        }
        let Type::Path(own) = &*item.self_ty else { return };
        let own = own.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        self.around.push(own);
        visit::visit_item_impl(self, item);
        self.around.pop();
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.function(&item.attrs, &item.sig, &item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.function(&item.attrs, &item.sig, &item.block);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.attrs, &item.sig, block);
        }
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        if let Stmt::Expr(of, Some(_)) = statement
            && is_left_out(of)
        {
            self.left_out(statement.span().byte_range(), of);
        }
        visit::visit_stmt(self, statement);
    }

    fn visit_expr(&mut self, of: &'ast Expr) {
        self.expression(of);
    }

    // What is evaluated when compiling cannot ask.
    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}
    fn visit_item_static(&mut self, _: &'ast syn::ItemStatic) {}
    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}
    fn visit_trait_item_const(&mut self, _: &'ast syn::TraitItemConst) {}
    fn visit_item_enum(&mut self, _: &'ast syn::ItemEnum) {}
    fn visit_expr_const(&mut self, _: &'ast syn::ExprConst) {}
    fn visit_type(&mut self, _: &'ast Type) {}
    fn visit_path(&mut self, _: &'ast syn::Path) {}
    fn visit_pat(&mut self, _: &'ast Pat) {}
    fn visit_attribute(&mut self, _: &'ast Attribute) {}
    fn visit_macro(&mut self, _: &'ast syn::Macro) {}
    // Each block of that kind has its reason written beside it, which a mutant would make untrue.
    fn visit_expr_unsafe(&mut self, _: &'ast syn::ExprUnsafe) {}
}

#[cfg(test)]
mod tests;
