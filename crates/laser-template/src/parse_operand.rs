//! Expressions read from tokens: literals, and the attributes, items, calls, filters and tests behind them.

use crate::{
    ast::{Arguments, Constant, Expr},
    error::Result,
    parser::Parser,
    token::Token,
};

impl Parser<'_> {
    pub fn primary(&mut self) -> Result<Expr> {
        let token = self.peek().ok_or_else(|| self.fail("unexpected 'end of template'"))?;
        let constant = match token {
            Token::Name(name) => {
                self.at += 1;
                match name.as_str() {
                    "true" | "True" => Constant::Bool(true),
                    "false" | "False" => Constant::Bool(false),
                    "none" | "None" => Constant::None,
                    _ => {
                        self.names.push(name.clone());
                        return Ok(Expr::Name(name.as_str().into()));
                    }
                }
            }
            Token::Str(_) => {
                let mut text = String::new();
                while let Some(Token::Str(part)) = self.peek() {
                    text.push_str(part);
                    self.at += 1;
                }
                Constant::Str(text.into())
            }
            Token::Int(number) => {
                self.at += 1;
                Constant::Int(number.clone())
            }
            Token::Float(number) => {
                self.at += 1;
                Constant::Float(*number)
            }
            Token::Sign("(") => {
                self.at += 1;
                let inner = self.nested(|parser| parser.tuple(true, true, None))?;
                self.expect_sign(")")?;
                return Ok(inner);
            }
            Token::Sign("[") => return self.nested(Self::list),
            Token::Sign("{") => return self.nested(Self::dict),
            _ => return Err(self.fail(format!("unexpected '{}'", token.described()))),
        };
        Ok(Expr::Constant(constant))
    }

    fn list(&mut self) -> Result<Expr> {
        self.expect_sign("[")?;
        let mut items = Vec::new();
        while !self.is_sign("]") {
            if !items.is_empty() {
                self.expect_sign(",")?;
            }
            if self.is_sign("]") {
                break;
            }
            items.push(self.expression()?);
        }
        self.expect_sign("]")?;
        Ok(Expr::List(items))
    }

    fn dict(&mut self) -> Result<Expr> {
        self.expect_sign("{")?;
        let mut entries = Vec::new();
        while !self.is_sign("}") {
            if !entries.is_empty() {
                self.expect_sign(",")?;
            }
            if self.is_sign("}") {
                break;
            }
            let key = self.expression()?;
            self.expect_sign(":")?;
            entries.push((key, self.expression()?));
        }
        self.expect_sign("}")?;
        Ok(Expr::Dict(entries))
    }

    pub fn postfix(&mut self, node: Expr) -> Result<Expr> {
        let (mut node, mut length) = (node, 0);
        loop {
            node = match self.peek() {
                Some(Token::Sign(".")) => {
                    self.at += 1;
                    match self.next() {
                        Some(Token::Name(name)) => Expr::Attribute(Box::new(node), name.as_str().into()),
                        Some(Token::Int(number)) => {
                            let place = Expr::Constant(Constant::Int(number.clone()));
                            Expr::Item(Box::new(node), Box::new(place))
                        }
                        _ => return Err(self.fail("expected name or number")),
                    }
                }
                Some(Token::Sign("[")) => self.subscript(node)?,
                Some(Token::Sign("(")) => Expr::Call(Box::new(node), Box::new(self.arguments()?)),
                _ => return Ok(node),
            };
            self.chained(&mut length)?;
        }
    }

    fn subscript(&mut self, node: Expr) -> Result<Expr> {
        self.expect_sign("[")?;
        let mut keys = Vec::new();
        while !self.is_sign("]") {
            if !keys.is_empty() {
                self.expect_sign(",")?;
            }
            let start = if self.is_sign(":") { None } else { Some(Box::new(self.expression()?)) };
            if !self.skip_sign(":") {
                keys.extend(start.map(|key| *key));
                continue;
            }
            let mut bounds = [start, None, None];
            if !self.is_sign(":") && !self.is_sign("]") && !self.is_sign(",") {
                bounds[1] = Some(Box::new(self.expression()?));
            }
            if self.skip_sign(":") && !self.is_sign("]") && !self.is_sign(",") {
                bounds[2] = Some(Box::new(self.expression()?));
            }
            if !keys.is_empty() || !self.is_sign("]") {
                return Err(self.fail("a slice among several keys"));
            }
            self.expect_sign("]")?;
            return Ok(Expr::Slice(Box::new(node), bounds));
        }
        self.expect_sign("]")?;
        let key = match (keys.len(), keys.pop()) {
            (1, Some(key)) => key,
            (_, last) => {
                keys.extend(last);
                Expr::Tuple(keys)
            }
        };
        Ok(Expr::Item(Box::new(node), Box::new(key)))
    }

    pub fn arguments(&mut self) -> Result<Arguments> {
        self.expect_sign("(")?;
        let mut found = Arguments::default();
        let mut first = true;
        while !self.is_sign(")") {
            if !first {
                self.expect_sign(",")?;
                if self.is_sign(")") {
                    break;
                }
            }
            first = false;
            let invalid = |parser: &Self| parser.fail("invalid syntax for function call expression");
            let starred = found.more.is_some() || found.more_named.is_some();
            if self.skip_sign("*") {
                if starred {
                    return Err(invalid(self));
                }
                found.more = Some(Box::new(self.expression()?));
            } else if self.skip_sign("**") {
                if found.more_named.is_some() {
                    return Err(invalid(self));
                }
                found.more_named = Some(Box::new(self.expression()?));
            } else if let (Some(Token::Name(name)), Some(Token::Sign("="))) = (self.peek(), self.peek_second()) {
                if found.more_named.is_some() {
                    return Err(invalid(self));
                }
                self.at += 2;
                let value = self.expression()?;
                found.named.push((name.clone(), value));
            } else {
                if starred || !found.named.is_empty() {
                    return Err(invalid(self));
                }
                found.placed.push(self.expression()?);
            }
        }
        self.expect_sign(")")?;
        Ok(found)
    }

    fn dotted(&mut self) -> Result<String> {
        let mut name = self.name()?.to_owned();
        while self.skip_sign(".") {
            name = name + "." + self.name()?;
        }
        Ok(name)
    }

    /// The filters and tests behind an expression.
    pub fn filters(&mut self, node: Expr) -> Result<Expr> {
        let (mut node, mut length) = (node, 0);
        loop {
            node = if self.skip_sign("|") {
                self.filter(Some(node))?
            } else if self.skip_name("is") {
                self.test(node)?
            } else if self.is_sign("(") {
                Expr::Call(Box::new(node), Box::new(self.arguments()?))
            } else {
                return Ok(node);
            };
            self.chained(&mut length)?;
        }
    }

    fn known(&mut self, is_filter: bool, name: &str) {
        if self.conditions == 0 {
            self.functions.push((is_filter, name.to_owned(), self.line()));
        }
    }

    /// A filter, its bar read already.
    pub fn filter(&mut self, input: Option<Expr>) -> Result<Expr> {
        let name = self.dotted()?;
        let arguments = if self.is_sign("(") { self.arguments()? } else { Arguments::default() };
        self.known(true, &name);
        Ok(Expr::Filter(input.map(Box::new), name.into(), Box::new(arguments)))
    }

    fn test(&mut self, node: Expr) -> Result<Expr> {
        let negated = self.skip_name("not");
        let name = self.dotted()?;
        let ends = |name: &String| matches!(name.as_str(), "else" | "or" | "and");
        let arguments = match self.peek() {
            Some(Token::Sign("(")) => self.arguments()?,
            Some(Token::Name(name)) if name == "is" => {
                return Err(self.fail("You cannot chain multiple tests with is"));
            }
            Some(Token::Name(name)) if ends(name) => Arguments::default(),
            Some(Token::Name(_) | Token::Str(_) | Token::Int(_) | Token::Float(_) | Token::Sign("[" | "{")) => {
                let value = self.nested(Self::primary)?;
                let value = self.postfix(value)?;
                Arguments { placed: vec![value], ..Arguments::default() }
            }
            _ => Arguments::default(),
        };
        self.known(false, &name);
        let test = Expr::Test(Box::new(node), name.into(), Box::new(arguments));
        Ok(if negated { Expr::Not(Box::new(test)) } else { test })
    }
}
