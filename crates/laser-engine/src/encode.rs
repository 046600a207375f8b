//! Examples as token ids.

use crate::error::{Error, Result};
use laser_checkpoint::Config;
use laser_example::{Choice, Example, Speaker, Target};
use laser_tokenizer::{Message, Pairs, Prompt, Role, Tokenizer};
use std::ops::Range;

/// The token ids of one example.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Encoded {
    /// The prompt, with the special tokens that the tokenizer adds; not empty.
    pub prompt: Vec<u32>,
    /// What may follow it, each not empty: every choice, or the answer alone.
    pub continuations: Vec<Vec<u32>>,
    /// What each continuation follows, where it is not the prompt; else empty. Not for a masked model.
    pub contexts: Vec<Vec<u32>>,
    /// Which continuations log-loss is measured on, by their indices in `continuations`.
    pub answer: Range<usize>,
    /// In a masked model, how its inputs are made.
    pub masks: Option<Masks>,
    /// How many tokens of the prompt are left out at its beginning, at most, so that it fits.
    pub cut: usize,
}

/// The inputs of a masked model: the prompt, then as many mask tokens as a continuation has, then
/// what ends a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masks {
    /// The id of the mask token.
    pub token: u32,
    /// The ids of the special tokens behind the text.
    pub after: Vec<u32>,
    /// How many mask tokens are filled in where the example is scored by generation, all at once;
    /// else 0.
    pub generated: usize,
}

/// The ids of `example`, checked against the model's vocabulary and context length. Choices and
/// answers that are scored by their likelihood are joined to the prompt as lm-evaluation-harness
/// does. A prompt that is too long is cut at its beginning, as there: for each continuation by itself,
/// and for a generation by the tokens that it may have.
///
/// # Errors
/// If a text cannot be encoded or gives no token, a token is outside the vocabulary, what follows the
/// prompt is longer than the context by itself (in a masked model, with the prompt), or a masked
/// model's tokenizer has no mask token.
pub fn encode(tokenizer: &Tokenizer, example: &Example, config: &Config) -> Result<Encoded> {
    let (vocabulary, context_length) = (config.vocab_size, config.context_length);
    let mut encoded = match &example.target {
        Target::Episode { .. } => return Err(Error::NoTokens { id: example.id.clone() }),
        Target::Rolling { text } => windows(tokenizer, example, text, config)?,
        _ if config.masked => masked(tokenizer, example)?,
        Target::Generate(_) => generated(tokenizer, example)?,
        Target::Choose(_) | Target::LogLikelihood { .. } => joined(tokenizer, example)?,
    };
    // Windows are cut to fit.
    if !config.masked && !matches!(example.target, Target::Rolling { .. }) {
        cut(&mut encoded, example, context_length)?;
    }
    let Encoded { prompt, continuations, contexts, masks, .. } = &encoded;
    if prompt.is_empty() || continuations.is_empty() || continuations.iter().any(Vec::is_empty) {
        return Err(Error::NoTokens { id: example.id.clone() });
    }
    let behind = masks.as_ref().map(|masks| masks.after.as_slice()).unwrap_or_default();
    let mask = masks.as_ref().map(|masks| &masks.token);
    let given = prompt.iter().chain(continuations.iter().flatten()).chain(contexts.iter().flatten());
    if let Some(&token) = given.chain(behind).chain(mask).find(|&&token| token as usize >= vocabulary) {
        return Err(Error::TokenOutsideVocabulary { id: example.id.clone(), token, vocabulary });
    }
    if config.masked {
        let longest = continuations.iter().map(Vec::len).max().unwrap_or(0).max(example.new_tokens());
        if longest > context_length.saturating_sub(prompt.len() + behind.len()) {
            return Err(Error::TooLong { id: example.id.clone(), prompt: prompt.len(), rest: longest, context_length });
        }
    }
    Ok(encoded)
}

/// Leaves out what does not fit, from the beginning. The last token is predicted and not read.
fn cut(encoded: &mut Encoded, example: &Example, context_length: usize) -> Result<()> {
    let too_long = |prompt, rest| Error::TooLong { id: example.id.clone(), prompt, rest, context_length };
    let Encoded { prompt, continuations, contexts, .. } = encoded;
    let before = |number: usize| contexts.get(number).unwrap_or(prompt);
    let over = |number: usize| (before(number).len() + continuations[number].len()).saturating_sub(context_length + 1);
    if let Some(number) = (0..continuations.len()).find(|&number| continuations[number].len() > context_length) {
        return Err(too_long(before(number).len(), continuations[number].len()));
    }
    let new_tokens = example.new_tokens();
    if new_tokens >= context_length {
        return Err(Error::TooManyNewTokens { id: example.id.clone(), new_tokens, context_length });
    }
    let overs: Vec<usize> = (0..continuations.len()).map(over).collect();
    let prompt_over = match new_tokens {
        0 => overs.first().copied().unwrap_or(0),
        _ => (prompt.len() + new_tokens).saturating_sub(context_length),
    };
    let cut = overs.iter().copied().chain([prompt_over]).max().unwrap_or(0);
    if cut > 0 {
        let kept = |number: usize| before(number)[overs[number]..].to_vec();
        let kept: Vec<Vec<u32>> = (0..continuations.len()).map(kept).collect();
        prompt.drain(..prompt_over);
        *contexts = kept;
    }
    encoded.cut = cut;
    Ok(())
}

/// How many tokens of an example's prompt are left out so that it fits.
///
/// # Errors
/// As [`encode`].
pub fn tokens_cut(tokenizer: &Tokenizer, example: &Example, config: &Config) -> Result<usize> {
    // A token has a byte at least; some are put around a text.
    const AROUND: usize = 16;
    let answers = example.choices().unwrap_or_default().iter().map(String::len).max().unwrap_or(0);
    let ending = match &example.target {
        Target::Choose(Choice { ending: Some(ending), .. }) => ending.len(),
        _ => 0,
    };
    let rest = answers.max(example.answer().len()) + example.delimiter.len() + ending;
    let bytes = example.prompt.len() + rest.max(example.new_tokens()) + AROUND;
    match bytes < config.context_length && !tokenizer.is_in_chat() {
        true => Ok(0),
        false => Ok(encode(tokenizer, example, config)?.cut),
    }
}

/// An example's prompt as the tokenizer takes it.
pub fn prompt_of(example: &Example) -> Prompt<'_> {
    let role = |speaker| match speaker {
        Speaker::System => Role::System,
        Speaker::User => Role::User,
        Speaker::Assistant => Role::Assistant,
    };
    let said = example.messages().into_iter();
    let messages =
        said.map(|it| Message { role: role(it.speaker), content: it.content.into(), delimiter: it.delimiter });
    Prompt { messages: messages.collect() }
}

/// The same with `choice` at the end of the question.
fn prompt_with<'a>(example: &'a Example, choice: &str) -> Prompt<'a> {
    let mut prompt = prompt_of(example);
    if let Some(question) = prompt.messages.iter_mut().rfind(|message| message.role == Role::User) {
        question.content.to_mut().push_str(choice);
    }
    prompt
}

/// A prompt that is gone on from as it stands, and the answer after it.
fn generated(tokenizer: &Tokenizer, example: &Example) -> Result<Encoded> {
    let prompt = tokenizer.encode_context(prompt_of(example))?;
    let answer = match example.answer() {
        "" => unanswered(&prompt),
        answer => tokenizer.encode_continuation(prompt_of(example), &example.continuation(answer))?,
    };
    Ok(Encoded { prompt, continuations: vec![answer], answer: 0..1, ..Encoded::default() })
}

/// What stands for an answer where there is none and others judge what is generated. Its log-probability is computed, and told
/// to nobody: a token that every tokenizer has will do.
fn unanswered(prompt: &[u32]) -> Vec<u32> {
    prompt.last().copied().into_iter().collect()
}

/// A prompt and what is scored after it.
fn joined(tokenizer: &Tokenizer, example: &Example) -> Result<Encoded> {
    // The turn of a chat is what parts a choice from the question, unless the answer has begun.
    let after = |text: &str| match tokenizer.is_in_chat() && !example.delimits_in_chat {
        true => text.to_owned(),
        false => example.continuation(text),
    };
    let (texts, correct) = match &example.target {
        Target::Choose(Choice { choices, correct, ending: Some(ending), .. }) => {
            let mut encoded = Encoded { answer: *correct..*correct + 1, ..Encoded::default() };
            for choice in choices {
                let pairs = tokenizer.encode_pairs(prompt_with(example, choice), &[after(ending)])?;
                encoded.contexts.push(pairs.context);
                encoded.continuations.extend(pairs.continuations);
            }
            encoded.prompt = encoded.contexts.first().cloned().unwrap_or_default();
            return Ok(encoded);
        }
        Target::Choose(choice) => (choice.choices.iter().map(|text| after(text)).collect(), choice.correct),
        _ => (vec![after(example.answer())], 0),
    };
    let pairs = tokenizer.encode_pairs(prompt_of(example), &texts)?;
    let Pairs { context: prompt, continuations } = pairs;
    Ok(Encoded { prompt, continuations, answer: correct..correct + 1, ..Encoded::default() })
}

/// The inputs of a masked model.
fn masked(tokenizer: &Tokenizer, example: &Example) -> Result<Encoded> {
    let token = tokenizer.mask_token().ok_or(Error::NoMaskToken)?;
    let (prompt, after) = tokenizer.encode_masked(prompt_of(example))?;
    let (texts, correct) = match &example.target {
        Target::Choose(Choice { ending: Some(_), .. }) => return Err(Error::NotMasked { id: example.id.clone() }),
        Target::Choose(choice) => (choice.choices.iter().map(String::as_str).collect(), choice.correct),
        _ => (vec![example.answer()], 0),
    };
    let ids = |text: &str| match text {
        "" if matches!(example.target, Target::Generate(_)) => Ok(unanswered(&prompt)),
        text => tokenizer.encode_continuation(prompt_of(example), &example.continuation(text)),
    };
    let continuations = texts.into_iter().map(ids).collect::<laser_tokenizer::Result<_>>()?;
    let masks = Some(Masks { token, after, generated: example.new_tokens() });
    Ok(Encoded { prompt, continuations, answer: correct..correct + 1, masks, ..Encoded::default() })
}

/// A text in windows as long as the model's context, each after the token before it, the first after
/// the prefix token: all of its tokens are scored, and those of the last window see as many before
/// them as fit.
fn windows(tokenizer: &Tokenizer, example: &Example, text: &str, config: &Config) -> Result<Encoded> {
    if config.masked {
        return Err(Error::NotMasked { id: example.id.clone() });
    }
    let length = config.context_length.max(1);
    let tokens = tokenizer.encode_text(text)?;
    let mut encoded = Encoded::default();
    let mut scored = 0;
    while scored < tokens.len() {
        let end = (scored + length).min(tokens.len());
        let context = match scored {
            0 => vec![tokenizer.prefix_token()?],
            _ => tokens[end - length - 1..scored].to_vec(),
        };
        encoded.contexts.push(context);
        encoded.continuations.push(tokens[scored..end].to_vec());
        scored = end;
    }
    encoded.prompt = encoded.contexts.first().cloned().unwrap_or_default();
    encoded.answer = 0..encoded.continuations.len();
    Ok(encoded)
}

/// Refuses a task that the model cannot take, before anything is computed or written.
///
/// # Errors
/// The first example that [`encode`] refuses.
pub fn check(config: &Config, tokenizer: &Tokenizer, examples: &[Example]) -> Result<()> {
    examples.iter().try_for_each(|example| encode(tokenizer, example, config).map(|_| ()))
}
