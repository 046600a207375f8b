//! Who says what of a prompt in a chat.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who says a part of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The task, before anything is asked.
    System,
    /// Whoever asks.
    User,
    /// The model.
    Assistant,
}

/// One message of a prompt: its next bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Turn {
    /// Who says it.
    pub speaker: Speaker,
    /// The length of what is said, in bytes.
    pub length: usize,
    /// The length of what stands behind it in text, and not in a chat.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub delimiter: usize,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// What is said in one turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// Who says it.
    pub speaker: Speaker,
    /// What is said.
    pub content: &'a str,
    /// What stands behind it in text, and not in a chat.
    pub delimiter: &'a str,
}

/// A text, and who says what of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dialogue {
    /// All messages with their delimiters.
    pub text: String,
    /// Together as long as the text.
    pub turns: Vec<Turn>,
}

impl Dialogue {
    /// Adds a message.
    pub fn say(&mut self, speaker: Speaker, content: &str, delimiter: &str) {
        self.text.push_str(content);
        self.text.push_str(delimiter);
        self.turns.push(Turn { speaker, length: content.len(), delimiter: delimiter.len() });
    }

    /// Adds all messages of another one.
    pub fn append(&mut self, other: &Self) {
        self.text.push_str(&other.text);
        self.turns.extend(&other.turns);
    }
}

/// The messages of `text`; the user's alone where its turns are not as long as it.
pub(crate) fn messages<'a>(text: &'a str, turns: &[Turn]) -> Vec<Message<'a>> {
    let all = || vec![Message { speaker: Speaker::User, content: text, delimiter: "" }];
    if turns.is_empty() { all() } else { parted(text, turns).unwrap_or_else(all) }
}

/// The messages of `text`; none where its turns end elsewhere than it does, or within a character.
pub(crate) fn parted<'a>(text: &'a str, turns: &[Turn]) -> Option<Vec<Message<'a>>> {
    let mut messages = Vec::with_capacity(turns.len());
    let mut rest = text;
    for turn in turns {
        let (content, behind) = rest.split_at_checked(turn.length)?;
        let (delimiter, behind) = behind.split_at_checked(turn.delimiter)?;
        messages.push(Message { speaker: turn.speaker, content, delimiter });
        rest = behind;
    }
    rest.is_empty().then_some(messages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_parted_as_it_was_said() {
        let mut dialogue = Dialogue::default();
        dialogue.say(Speaker::System, "Bé brief.\n", "");
        dialogue.say(Speaker::User, "1+1", " ");
        dialogue.say(Speaker::Assistant, "2", "\n\n");
        let mut whole = dialogue.clone();
        whole.append(&dialogue);
        assert_eq!(dialogue.text, "Bé brief.\n1+1 2\n\n");
        let found = messages(&whole.text, &whole.turns);
        let said: Vec<(&str, &str)> = found.iter().map(|message| (message.content, message.delimiter)).collect();
        let once = [("Bé brief.\n", ""), ("1+1", " "), ("2", "\n\n")];
        assert_eq!(said, [once, once].concat());
    }

    #[test]
    fn turns_that_do_not_fit_are_none() {
        let turn = |length| Turn { speaker: Speaker::System, length, delimiter: 0 };
        for turns in [vec![turn(1)], vec![turn(2), turn(1)], vec![turn(3)]] {
            assert_eq!(parted("é", &turns), None, "{turns:?}");
            let all = messages("é", &turns);
            assert_eq!(all, [Message { speaker: Speaker::User, content: "é", delimiter: "" }]);
        }
    }
}
