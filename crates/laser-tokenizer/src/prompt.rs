//! A prompt and who says what of it.

/// A text before an answer. In a chat its beginning may be what the system says, and its end what the model has said of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prompt<'a> {
    /// What the system says in a chat; empty if it says nothing.
    pub system: &'a str,
    /// What the user says.
    pub user: &'a str,
    /// What stands before `assistant` in a text, and not in a chat.
    pub delimiter: &'a str,
    /// What the model's answer begins with; empty if it has not begun.
    pub assistant: &'a str,
}

impl<'a> Prompt<'a> {
    /// A prompt of which the first `system` bytes are what the system says, and the last `assistant` what the model has said, after
    /// `delimiter` bytes. All is the user's where these do not end at characters.
    pub fn new(text: &'a str, system: usize, delimiter: usize, assistant: usize) -> Self {
        let parted = || {
            let (system, rest) = text.split_at_checked(system)?;
            let (rest, assistant) = rest.split_at_checked(rest.len().checked_sub(assistant)?)?;
            let (user, delimiter) = rest.split_at_checked(rest.len().checked_sub(delimiter)?)?;
            Some(Self { system, user, delimiter, assistant })
        };
        parted().unwrap_or_else(|| Self::from(text))
    }

    /// The whole as one text.
    pub fn text(&self) -> String {
        [self.system, self.user, self.delimiter, self.assistant].concat()
    }
}

impl<'a> From<&'a str> for Prompt<'a> {
    fn from(user: &'a str) -> Self {
        Self { system: "", user, delimiter: "", assistant: "" }
    }
}

impl<'a> From<&'a String> for Prompt<'a> {
    fn from(user: &'a String) -> Self {
        Self::from(user.as_str())
    }
}
