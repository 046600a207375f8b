//! A prompt and who says what of it.

/// A text before an answer. In a chat its beginning may be what the system says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prompt<'a> {
    /// What the system says in a chat; empty if it says nothing.
    pub system: &'a str,
    /// The rest, which the user says.
    pub user: &'a str,
}

impl<'a> Prompt<'a> {
    /// A prompt of which the first `system` bytes are what the system says, if they end at a
    /// character.
    pub fn new(text: &'a str, system: usize) -> Self {
        let (system, user) = text.split_at_checked(system).unwrap_or(("", text));
        Self { system, user }
    }
}

impl<'a> From<&'a str> for Prompt<'a> {
    fn from(user: &'a str) -> Self {
        Self { system: "", user }
    }
}

impl<'a> From<&'a String> for Prompt<'a> {
    fn from(user: &'a String) -> Self {
        Self { system: "", user }
    }
}
