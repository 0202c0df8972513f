//! Conditions: taken as true, taken as false, and a boundary moved by one. Of `a && b` each operand is taken as true and the whole
//! as false, of `a || b` the other way round: who notices these notices the other combinations.

use super::{Finder, is};
use std::ops::Range;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit as _};
use syn::{BinOp, Expr, Stmt, UnOp};

/// Which mutants a condition gets.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    /// Taken as true.
    pub(super) as_true: bool,
    /// Taken as false.
    pub(super) as_false: bool,
}

impl Wanted {
    pub(super) const BOTH: Self = Self { as_true: true, as_false: true };
    const TRUE: Self = Self { as_true: true, as_false: false };
    const FALSE: Self = Self { as_true: false, as_false: true };

    fn opposite(self) -> Self {
        Self { as_true: self.as_false, as_false: self.as_true }
    }
}

/// What a comparison is with its boundary moved.
fn moved(operator: &BinOp) -> Option<&'static str> {
    match operator {
        BinOp::Lt(_) => Some("<="),
        BinOp::Le(_) => Some("<"),
        BinOp::Gt(_) => Some(">="),
        BinOp::Ge(_) => Some(">"),
        _ => None,
    }
}

pub(super) fn is_comparison(operator: &BinOp) -> bool {
    matches!(operator, BinOp::Eq(_) | BinOp::Ne(_)) || moved(operator).is_some()
}

/// The operands of a chain of one operator.
fn operands(of: &Expr, is_operator: fn(&BinOp) -> bool) -> Vec<&Expr> {
    match of {
        Expr::Binary(binary) if is_operator(&binary.op) => {
            let mut found = operands(&binary.left, is_operator);
            found.extend(operands(&binary.right, is_operator));
            found
        }
        of => vec![of],
    }
}

impl Finder<'_> {
    /// The condition of an `if` or a `while`, which can hold patterns.
    pub(super) fn condition_of_statement(&mut self, of: &Expr, wanted: Wanted) {
        let chain = operands(of, |operator| matches!(operator, BinOp::And(_)));
        if !chain.iter().any(|operand| matches!(operand, Expr::Let(_))) {
            self.condition(of, wanted);
            return;
        }
        let range = of.span().byte_range();
        let original = self.text(&range).to_owned();
        if let Some((index, number)) = self.point(of.span().start().line, &original, "false") {
            self.edits.at(range.start, format!("!{} && ", is(number)), &[index]);
        }
        for operand in chain {
            match operand {
                Expr::Let(of) => self.visit_expr(&of.expr),
                operand => self.condition(operand, Wanted::TRUE),
            }
        }
    }

    /// Any expression that is a condition.
    pub(super) fn condition(&mut self, of: &Expr, wanted: Wanted) {
        match of {
            Expr::Paren(of) => self.condition(&of.expr, wanted),
            Expr::Binary(binary) if matches!(binary.op, BinOp::And(_)) => {
                let operands = operands(of, |operator| matches!(operator, BinOp::And(_)));
                self.taken(of, Wanted { as_true: false, ..wanted });
                operands.into_iter().for_each(|operand| self.condition(operand, Wanted::TRUE));
            }
            Expr::Binary(binary) if matches!(binary.op, BinOp::Or(_)) => {
                let operands = operands(of, |operator| matches!(operator, BinOp::Or(_)));
                self.taken(of, Wanted { as_false: false, ..wanted });
                operands.into_iter().for_each(|operand| self.condition(operand, Wanted::FALSE));
            }
            Expr::Unary(unary) if matches!((&unary.op, &*unary.expr), (UnOp::Not(_), Expr::Paren(_))) => {
                self.condition(&unary.expr, wanted.opposite());
            }
            Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_)) => {
                self.taken(of, wanted);
                self.parts(&unary.expr);
            }
            Expr::Block(block) if block.label.is_none() => match block.block.stmts.split_last() {
                Some((Stmt::Expr(last, None), before)) => {
                    before.iter().for_each(|statement| self.visit_stmt(statement));
                    self.condition(last, wanted);
                }
                _ => self.parts(of),
            },
            Expr::Lit(_) => self.visit_expr(of),
            Expr::Binary(binary) => {
                self.taken(of, wanted);
                if let Some(mutant) = moved(&binary.op) {
                    let mutant = self.with_operator(of, &binary.op.span().byte_range(), mutant);
                    self.instead(of, &mutant);
                }
                visit::visit_expr(self, of);
            }
            of => {
                self.taken(of, wanted);
                self.parts(of);
            }
        }
    }

    /// The whole condition is taken as true or false; it is evaluated all the same.
    fn taken(&mut self, of: &Expr, wanted: Wanted) {
        let (range, line) = (of.span().byte_range(), of.span().start().line);
        let original = self.text(&range).to_owned();
        let as_true = wanted.as_true.then(|| self.point(line, &original, "true")).flatten();
        let as_false = wanted.as_false.then(|| self.point(line, &original, "false")).flatten();
        if let Some((index, number)) = as_true {
            self.edits.around(range.clone(), "((".into(), format!(") | {})", is(number)), &[index]);
        }
        if let Some((index, number)) = as_false {
            self.edits.around(range, "((".into(), format!(") & !{})", is(number)), &[index]);
        }
    }

    /// The text of an expression with another operator.
    pub(super) fn with_operator(&self, of: &Expr, operator: &Range<usize>, other: &str) -> String {
        let whole = of.span().byte_range();
        let before = self.text(&(whole.start..operator.start));
        format!("{before}{other}{}", self.text(&(operator.end..whole.end)))
    }
}
