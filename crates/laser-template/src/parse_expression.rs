//! Expressions read from tokens, by Jinja's grammar: operators.

use crate::{
    arithmetic::Operator,
    ast::{Comparison, Expr},
    error::Result,
    parser::Parser,
    token::Token,
};

impl Parser<'_> {
    /// One expression, or several with commas between them, which are a tuple.
    pub fn tuple(&mut self, with_choice: bool, in_brackets: bool, end: Option<&str>) -> Result<Expr> {
        let mut items = Vec::new();
        let mut is_tuple = false;
        loop {
            if !items.is_empty() {
                self.expect_sign(",")?;
            }
            let ended = matches!(self.peek(), Some(Token::PrintEnd | Token::BlockEnd) | None)
                || self.is_sign(")")
                || end.is_some_and(|end| self.is_name(end));
            if ended {
                break;
            }
            items.push(if with_choice { self.expression()? } else { self.nested(Self::or)? });
            if !self.is_sign(",") {
                break;
            }
            is_tuple = true;
        }
        match (is_tuple, items.pop()) {
            (false, Some(only)) => Ok(only),
            (false, None) if !in_brackets => Err(match self.peek() {
                Some(found) => self.fail(format!("Expected an expression, got '{}'", found.described())),
                None => self.fail("Expected an expression, got 'end of template'"),
            }),
            (_, last) => {
                items.extend(last);
                Ok(Expr::Tuple(items))
            }
        }
    }

    pub fn expression(&mut self) -> Result<Expr> {
        self.nested(Self::choice)
    }

    fn choice(&mut self) -> Result<Expr> {
        let start = self.functions.len();
        let mut then = self.or()?;
        let mut length = 0;
        while self.skip_name("if") {
            self.chained(&mut length)?;
            let test = self.or()?;
            let otherwise = match self.skip_name("else") {
                true => Some(Box::new(self.nested(Self::choice)?)),
                false => None,
            };
            // Jinja looks these up only when they are used.
            self.functions.truncate(start);
            then = Expr::Choice { test: Box::new(test), then: Box::new(then), otherwise };
        }
        Ok(then)
    }

    fn or(&mut self) -> Result<Expr> {
        let (mut left, mut length) = (self.and()?, 0);
        while self.skip_name("or") {
            self.chained(&mut length)?;
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr> {
        let (mut left, mut length) = (self.not()?, 0);
        while self.skip_name("and") {
            self.chained(&mut length)?;
            left = Expr::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Expr> {
        match self.skip_name("not") {
            true => Ok(Expr::Not(Box::new(self.nested(Self::not)?))),
            false => self.comparison(),
        }
    }

    fn comparison(&mut self) -> Result<Expr> {
        let first = self.sum()?;
        let mut rest = Vec::new();
        loop {
            let comparison = match self.peek() {
                Some(Token::Sign("==")) => Comparison::Equal,
                Some(Token::Sign("!=")) => Comparison::NotEqual,
                Some(Token::Sign("<")) => Comparison::Less,
                Some(Token::Sign("<=")) => Comparison::LessEqual,
                Some(Token::Sign(">")) => Comparison::Greater,
                Some(Token::Sign(">=")) => Comparison::GreaterEqual,
                Some(Token::Name(name)) if name == "in" => Comparison::In,
                Some(Token::Name(name)) if name == "not" => {
                    match self.peek_second() {
                        Some(Token::Name(second)) if second == "in" => self.at += 1,
                        _ => break,
                    }
                    Comparison::NotIn
                }
                _ => break,
            };
            self.at += 1;
            rest.push((comparison, self.sum()?));
        }
        Ok(if rest.is_empty() { first } else { Expr::Compare(Box::new(first), rest) })
    }

    fn operator(&mut self, signs: &[(&'static str, Operator)]) -> Option<Operator> {
        let Some(Token::Sign(found)) = self.peek() else { return None };
        let operator = signs.iter().find(|(sign, _)| sign == found).map(|(_, operator)| *operator)?;
        self.at += 1;
        Some(operator)
    }

    fn sum(&mut self) -> Result<Expr> {
        let (mut left, mut length) = (self.concat()?, 0);
        while let Some(operator) = self.operator(&[("+", Operator::Add), ("-", Operator::Sub)]) {
            self.chained(&mut length)?;
            left = Expr::Binary(operator, Box::new(left), Box::new(self.concat()?));
        }
        Ok(left)
    }

    fn concat(&mut self) -> Result<Expr> {
        let first = self.product()?;
        let mut parts = vec![first];
        while self.skip_sign("~") {
            parts.push(self.product()?);
        }
        match (parts.len(), parts.pop()) {
            (1, Some(only)) => Ok(only),
            (_, last) => {
                parts.extend(last);
                Ok(Expr::Concat(parts))
            }
        }
    }

    fn product(&mut self) -> Result<Expr> {
        const SIGNS: [(&str, Operator); 4] =
            [("*", Operator::Mul), ("/", Operator::Div), ("//", Operator::FloorDiv), ("%", Operator::Mod)];
        let (mut left, mut length) = (self.power()?, 0);
        while let Some(operator) = self.operator(&SIGNS) {
            self.chained(&mut length)?;
            left = Expr::Binary(operator, Box::new(left), Box::new(self.power()?));
        }
        Ok(left)
    }

    fn power(&mut self) -> Result<Expr> {
        let (mut left, mut length) = (self.unary(true)?, 0);
        while self.skip_sign("**") {
            self.chained(&mut length)?;
            left = Expr::Binary(Operator::Pow, Box::new(left), Box::new(self.unary(true)?));
        }
        Ok(left)
    }

    pub fn unary(&mut self, with_filter: bool) -> Result<Expr> {
        let node = match self.peek() {
            Some(Token::Sign(sign @ ("-" | "+"))) => {
                self.at += 1;
                Expr::Signed(*sign == "-", Box::new(self.nested(|parser| parser.unary(false))?))
            }
            _ => self.primary()?,
        };
        let node = self.postfix(node)?;
        if with_filter { self.filters(node) } else { Ok(node) }
    }
}
