//! Expressions that are no conditions: sums, numbers, flags, answers of methods, the arms of a match.

use super::condition::{Wanted, is_comparison};
use super::{Finder, is};
use crate::point::on_one_line;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit as _};
use syn::{BinOp, Expr, ExprBinary, ExprLit, ExprMatch, ExprMethodCall, Lit, Pat, UnOp};

/// Methods that answer a condition, beside those that begin with `is_`.
const CONDITIONS: [&str; 7] =
    ["contains", "contains_key", "starts_with", "ends_with", "eq_ignore_ascii_case", "any", "all"];
/// Methods whose argument is a function that answers a condition.
const TAKE_CONDITION: [&str; 14] = [
    "filter",
    "any",
    "all",
    "retain",
    "find",
    "rfind",
    "position",
    "take_while",
    "skip_while",
    "is_some_and",
    "is_none_or",
    "is_ok_and",
    "is_err_and",
    "partition",
];
/// Methods that have a counterpart.
const PAIRS: [(&str, &str); 8] = [
    ("min", "max"),
    ("any", "all"),
    ("checked_add", "checked_sub"),
    ("saturating_add", "saturating_sub"),
    ("wrapping_add", "wrapping_sub"),
    ("saturating_add_unsigned", "saturating_sub_unsigned"),
    ("checked_add_unsigned", "checked_sub_unsigned"),
    ("first", "last"),
];
/// Methods that can be left out, because they answer what they are called on or something of its type.
const LEFT_OUT: [&str; 5] = ["or", "or_else", "filter", "min", "max"];

fn swapped(operator: &BinOp) -> Option<&'static str> {
    match operator {
        BinOp::Add(_) => Some("-"),
        BinOp::Sub(_) | BinOp::Mul(_) => Some("+"),
        BinOp::Div(_) => Some("*"),
        BinOp::Rem(_) => Some("/"),
        BinOp::BitAnd(_) | BinOp::BitXor(_) => Some("|"),
        BinOp::BitOr(_) => Some("&"),
        BinOp::Shl(_) => Some(">>"),
        BinOp::Shr(_) => Some("<<"),
        BinOp::AddAssign(_) => Some("-="),
        BinOp::SubAssign(_) | BinOp::MulAssign(_) => Some("+="),
        BinOp::BitOrAssign(_) => Some("&="),
        BinOp::BitAndAssign(_) | BinOp::BitXorAssign(_) => Some("|="),
        _ => None,
    }
}

pub(super) fn assigns(operator: &BinOp) -> bool {
    matches!(
        operator,
        BinOp::AddAssign(_)
            | BinOp::SubAssign(_)
            | BinOp::MulAssign(_)
            | BinOp::DivAssign(_)
            | BinOp::RemAssign(_)
            | BinOp::BitOrAssign(_)
            | BinOp::BitAndAssign(_)
            | BinOp::BitXorAssign(_)
            | BinOp::ShlAssign(_)
            | BinOp::ShrAssign(_)
    )
}

impl Finder<'_> {
    /// Any expression.
    pub(super) fn expression(&mut self, of: &Expr) {
        match of {
            Expr::Binary(binary) if is_comparison(&binary.op) || matches!(binary.op, BinOp::And(_) | BinOp::Or(_)) => {
                self.condition(of, Wanted::BOTH);
            }
            Expr::Binary(binary) => self.sum(of, binary),
            Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_)) => self.condition(of, Wanted::BOTH),
            Expr::Macro(call) if call.mac.path.is_ident("matches") => self.condition(of, Wanted::BOTH),
            Expr::MethodCall(call) if answers_condition(call) => self.condition(of, Wanted::BOTH),
            of => self.parts(of),
        }
    }

    /// What is inside of an expression that is no condition, or whose mutants as one are made.
    pub(super) fn parts(&mut self, of: &Expr) {
        match of {
            Expr::If(choice) => {
                self.condition_of_statement(&choice.cond, Wanted::BOTH);
                self.visit_block(&choice.then_branch);
                if let Some((_, otherwise)) = &choice.else_branch {
                    self.visit_expr(otherwise);
                }
            }
            Expr::While(repeated) => {
                self.condition_of_statement(&repeated.cond, Wanted { as_true: false, as_false: true });
                self.visit_block(&repeated.body);
            }
            Expr::MethodCall(call) => self.call(of, call),
            Expr::Lit(literal) => self.literal(of, literal),
            Expr::Match(choice) => self.arms(choice),
            Expr::Assign(assigned) => self.visit_expr(&assigned.right),
            // Another place of a list ends in a panic, or is named by what the number says.
            Expr::Index(index) => self.visit_expr(&index.expr),
            // What a buffer holds before it is filled is nobody's promise.
            Expr::Repeat(repeated) if matches!(*repeated.expr, Expr::Lit(_)) => {}
            Expr::Repeat(repeated) => self.visit_expr(&repeated.expr),
            // How much room is made beforehand is nobody's promise either.
            Expr::Call(call) if makes_room(&call.func) => {}
            Expr::Cast(cast) => self.visit_expr(&cast.expr),
            Expr::Closure(closure) => self.visit_expr(&closure.body),
            of => visit::visit_expr(self, of),
        }
    }

    fn sum(&mut self, of: &Expr, binary: &ExprBinary) {
        if let Some(other) = swapped(&binary.op) {
            let mutant = self.with_operator(of, &binary.op.span().byte_range(), other);
            self.instead(of, &mutant);
        }
        if !assigns(&binary.op) {
            self.visit_expr(&binary.left);
        }
        self.visit_expr(&binary.right);
    }

    fn literal(&mut self, of: &Expr, literal: &ExprLit) {
        match &literal.lit {
            Lit::Int(number) => {
                if let Ok(value) = number.base10_parse::<u64>()
                    && let Some(next) = value.checked_add(1)
                {
                    self.instead(of, &format!("{next}{}", number.suffix()));
                }
            }
            Lit::Bool(flag) => self.instead(of, if flag.value { "false" } else { "true" }),
            _ => {}
        }
    }

    fn call(&mut self, of: &Expr, call: &ExprMethodCall) {
        let name = call.method.to_string();
        let whole = of.span().byte_range();
        let method = call.method.span().byte_range();
        for (one, other) in PAIRS {
            if name == one || name == other {
                let other = if name == one { other } else { one };
                let (before, after) = (whole.start..method.start, method.end..whole.end);
                let mutant = format!("{}{other}{}", self.text(&before), self.text(&after));
                self.instead(of, &mutant);
            }
        }
        if LEFT_OUT.contains(&name.as_str()) && !call.args.is_empty() {
            let mutant = self.text_of(&*call.receiver).to_owned();
            self.instead(of, &mutant);
        }
        match name.as_str() {
            "then" | "then_some" => self.condition(&call.receiver, Wanted::BOTH),
            _ => self.visit_expr(&call.receiver),
        }
        for argument in &call.args {
            match argument {
                Expr::Closure(closure) if TAKE_CONDITION.contains(&name.as_str()) => {
                    self.condition(&closure.body, Wanted::BOTH);
                }
                argument => self.visit_expr(argument),
            }
        }
    }

    /// Guards are conditions; where an arm takes all the rest, each other arm is left out.
    fn arms(&mut self, choice: &ExprMatch) {
        self.visit_expr(&choice.expr);
        let takes_rest = choice.arms.iter().find(|arm| {
            let any = matches!(&arm.pat, Pat::Wild(_)) || matches!(&arm.pat, Pat::Ident(pat) if is_variable(pat));
            any && arm.guard.is_none()
        });
        let rest = takes_rest.map(|arm| on_one_line(self.text_of(&*arm.body)));
        for arm in &choice.arms {
            let is_rest = takes_rest.is_some_and(|rest| std::ptr::eq(rest, arm));
            let body = on_one_line(self.text_of(&*arm.body));
            match (&arm.guard, &rest) {
                (Some((_, guard)), _) => self.condition_of_statement(guard, Wanted::BOTH),
                (None, Some(rest)) if !is_rest && *rest != body => {
                    let pattern = arm.pat.span();
                    let original = format!("{} => {body}", self.text(&pattern.byte_range()));
                    if let Some((index, number)) = self.point(pattern.start().line, &original, "the arm left out") {
                        self.edits.at(pattern.byte_range().end, format!(" if !{}", is(number)), &[index]);
                    }
                }
                (None, _) => {}
            }
            self.visit_expr(&arm.body);
        }
    }
}

fn makes_room(function: &Expr) -> bool {
    let Expr::Path(path) = function else { return false };
    path.path.segments.last().is_some_and(|name| name.ident == "with_capacity")
}

/// True for a name that takes any value, not for a constant.
fn is_variable(pattern: &syn::PatIdent) -> bool {
    pattern.subpat.is_none() && pattern.ident.to_string().starts_with(char::is_lowercase)
}

fn answers_condition(call: &ExprMethodCall) -> bool {
    let name = call.method.to_string();
    name.starts_with("is_") || CONDITIONS.contains(&name.as_str())
}
