//! A context and what is scored after it, as lm-evaluation-harness cuts them.

use laser_python::text::is_space;

use crate::{
    Tokenizer,
    error::{Result, TokenizerError},
    prompt::Prompt,
};

/// The ids of a context and of each text that may follow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pairs {
    /// Never empty.
    pub context: Vec<u32>,
    /// One for each text, empty if the text gives no token of its own.
    pub continuations: Vec<Vec<u32>>,
}

impl Tokenizer {
    /// The ids of `context`, and of each of `texts` after it. Whitespace that the context ends in
    /// goes to the texts. Both are encoded together, and cut by the number of tokens that the
    /// context has alone, also if a token crosses the border. An empty context is the prefix token.
    ///
    /// # Errors
    /// A text cannot be encoded, the chat template cannot be rendered, or the context is empty and
    /// there is no prefix token.
    pub fn encode_pairs<'p>(&self, context: impl Into<Prompt<'p>>, texts: &[String]) -> Result<Pairs> {
        let rendered = self.rendered(context)?;
        if rendered.is_empty() {
            let prefix = self.prefix_token()?;
            let alone = |text: &String| {
                let mut ids = self.encode(text, false)?;
                // A text that begins with the prefix token brings it.
                if ids.first() == Some(&prefix) {
                    ids.remove(0);
                }
                Ok(ids)
            };
            return Ok(Pairs { context: vec![prefix], continuations: texts.iter().map(alone).collect::<Result<_>>()? });
        }
        let kept = rendered.trim_end_matches(is_space);
        let special = !self.starts_with_prefix(kept);
        let mut ids = self.encode(kept, special)?;
        let mut continuations = Vec::with_capacity(texts.len());
        for text in texts {
            let whole = self.encode(&format!("{rendered}{text}"), special)?;
            continuations.push(whole.get(ids.len()..).unwrap_or_default().to_vec());
        }
        if ids.is_empty() {
            ids.push(self.prefix_token()?);
        }
        Ok(Pairs { context: ids, continuations })
    }

    /// The ids of a context that is gone on from as it stands, with the special tokens that the tokenizer's configuration adds,
    /// also in a chat, unless it brings the first of them: lm-evaluation-harness's `tok_batch_encode`.
    ///
    /// # Errors
    /// The text cannot be encoded, the template cannot be rendered, or the context is empty and there is no prefix token.
    pub fn encode_context<'p>(&self, context: impl Into<Prompt<'p>>) -> Result<Vec<u32>> {
        let rendered = self.rendered(context)?;
        let ids = self.encode(&rendered, !self.starts_with_prefix(&rendered))?;
        if ids.is_empty() { Ok(vec![self.prefix_token()?]) } else { Ok(ids) }
    }

    /// The token that stands for an empty context: BOS, else EOS.
    ///
    /// # Errors
    /// The tokenizer has neither.
    pub fn prefix_token(&self) -> Result<u32> {
        self.prefix.ok_or_else(|| TokenizerError::Tokenizer {
            why: "a prompt is empty, and the tokenizer has no BOS or EOS token to stand for it".into(),
            advice: "name one as \"bos_token\" in tokenizer_config.json",
        })
    }

    /// Whether a text brings its own prefix token, so that the tokenizer adds none.
    fn starts_with_prefix(&self, text: &str) -> bool {
        self.prefix.and_then(|id| self.token_text(id)).is_some_and(|token| text.starts_with(&token))
    }
}
