//! A checkpoint's chat template: the text that its model was trained to answer after.

use std::sync::Arc;

use laser_template::{Dialect, Environment, Template};
use serde_json::{Map, Value, json};

use crate::{
    error::{Result, TokenizerError},
    prompt::{Prompt, Role},
    tokenizer_source::TokenizerSettings,
};

/// Stands where an answer that has begun goes on.
const GOES_ON: &str = "CONTINUE_FINAL_MESSAGE_TAG";

/// The template, with the special tokens that it may name.
#[derive(Debug, Clone)]
pub(crate) struct ChatTemplate {
    source: String,
    /// Read once; why it cannot be read is said when it is used.
    template: Result<Arc<Template>, String>,
    /// `bos_token` and the like.
    tokens: Vec<(String, String)>,
}

impl ChatTemplate {
    pub fn new(source: String, tokens: Vec<(String, String)>) -> Self {
        let template = Environment::new(Dialect::Chat).template(&source);
        let template = template.map(Arc::new).map_err(|error| error.to_string());
        Self { source, template, tokens }
    }

    /// The folder's template: chat_template.jinja, else `chat_template` of tokenizer_config.json,
    /// of several named ones `default`.
    pub fn of_settings(settings: &TokenizerSettings, tokens: Vec<(String, String)>) -> Option<Self> {
        let in_config = || match settings.config.as_ref()?.get("chat_template")? {
            Value::String(template) => Some(template.clone()),
            Value::Array(templates) => {
                let named = |template: &&Value| template["name"] == "default" || templates.len() == 1;
                templates.iter().find(named)?["template"].as_str().map(str::to_owned)
            }
            _ => None,
        };
        settings.chat_template.clone().or_else(in_config).map(|source| Self::new(source, tokens))
    }

    /// The template itself, in Jinja.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The text in which the messages have been said and the model is about to answer, or has begun
    /// to.
    pub fn render(&self, prompt: &Prompt) -> Result<String> {
        let begun = prompt.begun();
        let mut messages: Vec<Value> =
            prompt.messages.iter().map(|message| said(message.role, &message.content)).collect();
        if let (Some(begun), Some(last)) = (begun, messages.last_mut()) {
            *last = said(Role::Assistant, &format!("{begun}{GOES_ON} "));
        }
        let rendered = self.render_messages(messages, begun.is_none())?;
        let Some(begun) = begun else { return Ok(rendered) };
        // As transformers continues a final message: up to the mark, which shows whether the
        // template strips texts.
        let (kept, rest) = rendered
            .rsplit_once(GOES_ON)
            .filter(|(kept, _)| kept.contains(begun.trim()))
            .ok_or_else(|| wrong("the chat template leaves out what an answer begins with".to_owned()))?;
        Ok(if rest.starts_with(' ') { kept.to_owned() } else { kept.trim_end().to_owned() })
    }

    /// What stands between the last answer of a conversation and the model's next: its end, what
    /// the user says next, and the beginning of an answer. `turns` are what the user said and the
    /// model answered before.
    pub fn render_next(&self, turns: &[(String, String)], next: &str) -> Result<String> {
        let mut messages = Vec::new();
        for (number, (user, answer)) in turns.iter().enumerate() {
            let mark = if number + 1 == turns.len() { GOES_ON } else { "" };
            messages.extend([said(Role::User, user), said(Role::Assistant, &format!("{answer}{mark}"))]);
        }
        messages.push(said(Role::User, next));
        let rendered = self.render_messages(messages, true)?;
        let rest = rendered.rsplit_once(GOES_ON).map(|(_, rest)| rest.to_owned());
        rest.ok_or_else(|| wrong("the chat template leaves out what was answered before".to_owned()))
    }

    fn render_messages(&self, messages: Vec<Value>, add_generation_prompt: bool) -> Result<String> {
        // As transformers calls it, where there are neither tools nor documents.
        let mut context = Map::from_iter([
            ("messages".to_owned(), messages.into()),
            ("tools".to_owned(), Value::Null),
            ("documents".to_owned(), Value::Null),
            ("add_generation_prompt".to_owned(), add_generation_prompt.into()),
        ]);
        context.extend(self.tokens.iter().map(|(name, token)| (name.clone(), json!(token))));
        let template = self.template.as_ref().map_err(Clone::clone);
        let rendered = template.and_then(|template| template.render(&context).map_err(|error| error.to_string()));
        rendered.map_err(|error| wrong(format!("the chat template cannot be rendered: {error}")))
    }

    /// Whether an answer follows `rendered` without a space: it ends in whitespace or in one of the
    /// model's special tokens. It does unless the template ends in words, such as `[/INST]` or
    /// `ASSISTANT:`.
    pub fn is_closed<'a>(rendered: &str, mut special_tokens: impl Iterator<Item = &'a str>) -> bool {
        rendered.ends_with(char::is_whitespace) || special_tokens.any(|token| rendered.ends_with(token))
    }
}

fn said(role: Role, content: &str) -> Value {
    json!({"role": role.name(), "content": content})
}

fn wrong(why: String) -> TokenizerError {
    TokenizerError::Tokenizer { why, advice: "use the model without its chat template" }
}

pub(crate) fn missing() -> TokenizerError {
    TokenizerError::Tokenizer { why: "the checkpoint has no chat template".into(), advice: "score it without --chat" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::Message;

    fn render(source: &str) -> Result<String> {
        ChatTemplate::new(source.into(), vec![("bos_token".into(), "<s>".into())]).render(&"Hi <you> & 'me'".into())
    }

    #[test]
    fn templates_are_rendered_as_transformers_does() {
        let chatml = "{% for message in messages %}\n    {{ '<|im_start|>' + message['role'] + '\\n' + message['content'].strip() }}\n{% endfor %}\n{%- if add_generation_prompt %}\n[go]\n{%- endif %}\n";
        assert_eq!(render(chatml).unwrap(), "    <|im_start|>user\nHi <you> & 'me'\n[go]");
        assert_eq!(render("{{ bos_token }}{{ eos_token }}{{ strftime_now('%d %b %Y') }}").unwrap(), "<s>26 Jul 2024");
        let listed = render("{{ [1, messages[0].content, {'a': none}] | tojson }}").unwrap();
        assert_eq!(listed, r#"[1, "Hi <you> & 'me'", {"a": null}]"#);
        assert_eq!(render("{%- generation %}a{% endgeneration -%} b").unwrap(), "ab");
        assert_eq!(
            render("{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}").unwrap(),
            "01"
        );
    }

    #[test]
    fn what_a_template_refuses_is_one_line() {
        for wrong in ["{{ raise_exception('no\nsystem') }}", "{% for %}", "{{ messages.x.y }}"] {
            let error = render(wrong).unwrap_err().to_string();
            assert!(error.contains("chat template") && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn the_default_of_several_templates_is_taken() {
        let settings = |config: Value| TokenizerSettings { config: Some(config), ..TokenizerSettings::default() };
        let source =
            |settings: &TokenizerSettings| ChatTemplate::of_settings(settings, Vec::new()).map(|found| found.source);
        let (a, b) = (json!({"name": "tool_use", "template": "a"}), json!({"name": "default", "template": "b"}));
        assert_eq!(source(&settings(json!({"chat_template": [a, b]}))).as_deref(), Some("b"));
        assert_eq!(source(&settings(json!({"chat_template": [a]}))).as_deref(), Some("a"));
        let mut both = settings(json!({"chat_template": "c"}));
        assert_eq!(source(&both).as_deref(), Some("c"));
        both.chat_template = Some("d".into());
        assert_eq!(source(&both).as_deref(), Some("d"));
        assert_eq!(source(&settings(json!({"chat_template": 7}))), None);
    }

    fn prompt<'a>(messages: &[(Role, &'a str, &'a str)]) -> Prompt<'a> {
        let message = |&(role, content, delimiter): &(Role, &'a str, &'a str)| Message {
            role,
            content: content.into(),
            delimiter,
        };
        Prompt { messages: messages.iter().map(message).collect() }
    }

    #[test]
    fn each_says_what_is_theirs() {
        let source = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>";
        let template = ChatTemplate::new(source.into(), Vec::new());
        let said = prompt(&[
            (Role::System, "Be brief.\n\n", ""),
            (Role::User, "1+1", " "),
            (Role::Assistant, "2", "\n\n"),
            (Role::User, "Hi", ""),
        ]);
        let expected = "<system>Be brief.\n\n<user>1+1<assistant>2<user>Hi<assistant>";
        assert_eq!(template.render(&said).unwrap(), expected);
        assert_eq!(said.into_text(), "Be brief.\n\n1+1 2\n\nHi");
        assert_eq!(template.render(&"a\nb".into()).unwrap(), "<user>a\nb<assistant>");
    }

    #[test]
    fn a_next_turn_goes_on_behind_the_answer() {
        let plain = "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";
        let render = |source: &str, turns: &[(String, String)]| {
            ChatTemplate::new(source.into(), vec![("bos_token".into(), "<s>".into())]).render_next(turns, "And you?")
        };
        let turns = [("Hi".to_owned(), "Hello ".to_owned()), ("How?".to_owned(), " Well. ".to_owned())];
        let expected = "</s><user>And you?</s><assistant>";
        assert_eq!(render(plain, &turns[..1]).unwrap(), expected);
        assert_eq!(render(plain, &turns).unwrap(), expected);
        assert_eq!(render(&plain.replace("m.content", "m.content | trim"), &turns).unwrap(), expected);
        let error = render("{{ messages[-1].content }}", &turns).unwrap_err().to_string();
        assert!(error.contains("answered before"), "{error}");
    }

    /// As `apply_chat_template(..., continue_final_message=True)` of transformers 5.24 renders them.
    #[test]
    fn an_answer_that_has_begun_is_not_closed() {
        let plain = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";
        let stripping = plain.replace("m.content", "m.content | trim");
        let said = prompt(&[(Role::User, "Why?", " "), (Role::Assistant, "Because ", "")]);
        let render = |source: &str| ChatTemplate::new(source.into(), Vec::new()).render(&said);
        assert_eq!(render(plain).unwrap(), "<user>Why?</s><assistant>Because ");
        assert_eq!(render(&stripping).unwrap(), "<user>Why?</s><assistant>Because");
        assert!(render("{{ messages[0].content }}").is_err());
        assert_eq!(said.into_text(), "Why? Because ");
    }
}
