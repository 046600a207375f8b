//! A prompt and who says what of it.

use std::borrow::Cow;

/// Who says a message, under the names that chat templates know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Speaks first, if at all.
    System,
    /// Asks.
    User,
    /// The model.
    Assistant,
}

/// One message of a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: Cow<'a, str>,
    /// What stands behind it in a text, and not in a chat.
    pub delimiter: &'a str,
}

/// A text before an answer, as messages. If the last is the model's, its answer has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt<'a> {
    /// In order.
    pub messages: Vec<Message<'a>>,
}

impl Role {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

impl<'a> Prompt<'a> {
    /// The whole as one text.
    pub fn into_text(mut self) -> Cow<'a, str> {
        match self.messages.as_slice() {
            [Message { delimiter: "", .. }] => self.messages.remove(0).content,
            messages => messages.iter().flat_map(|message| [&*message.content, message.delimiter]).collect(),
        }
    }

    /// What the model's answer begins with; nothing if it has not begun.
    pub(crate) fn begun(&self) -> Option<&str> {
        let last = self.messages.last().filter(|message| message.role == Role::Assistant)?;
        Some(&last.content).filter(|content| !content.is_empty()).map(AsRef::as_ref)
    }
}

impl<'a> From<&'a str> for Prompt<'a> {
    fn from(text: &'a str) -> Self {
        Self { messages: vec![Message { role: Role::User, content: Cow::Borrowed(text), delimiter: "" }] }
    }
}

impl<'a> From<&'a String> for Prompt<'a> {
    fn from(text: &'a String) -> Self {
        Self::from(text.as_str())
    }
}
