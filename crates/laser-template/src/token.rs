//! The tokens of a template.

use num_bigint::BigInt;

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    /// Text outside of tags.
    Data(String),
    /// `{{`
    PrintBegin,
    /// `}}`
    PrintEnd,
    /// `{%`
    BlockBegin,
    /// `%}`
    BlockEnd,
    Name(String),
    Str(String),
    Int(BigInt),
    Float(f64),
    /// An operator, a bracket or a comma.
    Sign(&'static str),
}

impl Token {
    /// The token in words, for messages.
    pub fn described(&self) -> String {
        match self {
            Self::Data(_) => "template data / text".to_owned(),
            Self::PrintBegin => "begin of print statement".to_owned(),
            Self::PrintEnd => "end of print statement".to_owned(),
            Self::BlockBegin => "begin of statement block".to_owned(),
            Self::BlockEnd => "end of statement block".to_owned(),
            Self::Name(name) => name.clone(),
            Self::Str(_) => "string".to_owned(),
            Self::Int(_) => "integer".to_owned(),
            Self::Float(_) => "float".to_owned(),
            Self::Sign(sign) => (*sign).to_owned(),
        }
    }
}
