//! Prompts with an empty content, which show what a model prefers to say before it has read anything.

use laser_example::{Example, Target};

/// What the questions of a task have in common at their beginning and at their end: the prompt of an example that says
/// nothing (the content-free input of contextual calibration, Zhao et al. 2021, arXiv 2102.09690).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContentFreePrompt {
    before: String,
    after: String,
}

impl ContentFreePrompt {
    /// Of the questions that are answered by choice. None where they have nothing in common.
    pub fn of(examples: &[Example]) -> Option<Self> {
        let chosen = examples.iter().filter(|example| matches!(example.target, Target::Choose(_)));
        let mut questions = chosen.map(|example| &example.prompt[example.question()]);
        let first = questions.next()?;
        let (mut before, mut after, mut same) = (first.len(), first.len(), true);
        for question in questions {
            same &= question == first;
            before = before.min(common(first.chars(), question.chars()));
            // The two parts may not overlap in any question.
            let room = first.len().min(question.len()) - before;
            after = after.min(common(first.chars().rev(), question.chars().rev())).min(room);
        }
        if same {
            return Some(Self { before: first.to_owned(), after: String::new() });
        }
        while !first.is_char_boundary(first.len() - after) {
            after -= 1;
        }
        // Questions that begin with the same letters do not have half a word in common.
        let before = first[..before].trim_end_matches(char::is_alphanumeric);
        let after = first[first.len() - after..].trim_start_matches(char::is_alphanumeric);
        let prompt = Self { before: before.to_owned(), after: after.to_owned() };
        (!before.trim().is_empty() || !after.trim().is_empty()).then_some(prompt)
    }

    /// `example` with an empty content, behind the same description and solved examples.
    pub fn example(&self, example: &Example) -> Example {
        // One space, not two, where the content was.
        let after = match self.before.ends_with(char::is_whitespace) {
            true => self.after.trim_start_matches(' '),
            false => &self.after,
        };
        example.asking(&[&self.before, after].concat())
    }

    /// The two parts.
    pub fn parts(&self) -> [&str; 2] {
        [&self.before, &self.after]
    }
}

/// How many bytes two texts have in common, whole characters.
fn common(left: impl Iterator<Item = char>, right: impl Iterator<Item = char>) -> usize {
    left.zip(right).take_while(|(left, right)| left == right).map(|(c, _)| c.len_utf8()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use laser_example::{Dialogue, Speaker};

    fn prompt(questions: &[&str]) -> Option<String> {
        let example = |question: &&str| {
            let target = Target::choose(vec!["yes".into(), "no".into()], 0).unwrap();
            let mut shots = Dialogue::default();
            shots.say(Speaker::System, "Shots. ", "");
            Example::new("0".into(), None, (*question).to_owned(), target).unwrap().behind(&shots)
        };
        let examples: Vec<Example> = questions.iter().map(example).collect();
        ContentFreePrompt::of(&examples).map(|prompt| prompt.example(&examples[0]).prompt)
    }

    #[test]
    fn the_content_is_what_differs() {
        let claims = ["Claim: Rome is old. True? It is", "Claim: Rivers flow. True? It is"];
        assert_eq!(prompt(&claims).unwrap(), "Shots. Claim: . True? It is");
        assert_eq!(prompt(&["Is an owl a bird? Answer", "Is it late? Answer"]).unwrap(), "Shots. Is ? Answer");
        assert_eq!(prompt(&["Café noir", "Café crème"]).unwrap(), "Shots. Café ");
        assert_eq!(prompt(&["same", "same"]).unwrap(), "Shots. same");
        assert_eq!(prompt(&["A: x", "A: x x"]).unwrap(), "Shots. A: ");
    }

    #[test]
    fn nothing_in_common_is_no_prompt() {
        assert_eq!(prompt(&["one", "two"]), None);
        assert_eq!(prompt(&["éa", "êa"]), None);
        assert_eq!(prompt(&["alpha", "alphabet"]), None);
    }
}
