//! A checkpoint's chat template: the text that its model was trained to answer after.

use minijinja::{
    Environment, ErrorKind,
    value::{Kwargs, Value as Jinja},
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    error::{Result, TokenizerError},
    prompt::Prompt,
    tokenizer_source::TokenizerSettings,
};

/// The template, with the special tokens that it may name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ChatTemplate {
    source: String,
    /// `bos_token` and the like.
    tokens: Vec<(String, String)>,
}

impl ChatTemplate {
    pub fn new(source: String, tokens: Vec<(String, String)>) -> Self {
        Self { source, tokens }
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
        settings.chat_template.clone().or_else(in_config).map(|source| Self { source, tokens })
    }

    /// The text in which the system, perhaps, and a user have said something and the model is about
    /// to answer.
    pub fn render(&self, prompt: Prompt) -> Result<String> {
        let mut environment = Environment::new();
        // As transformers sets it up.
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| -> Result<Jinja, minijinja::Error> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
        });
        environment.add_function("strftime_now", |format: String| on_the_day(&format));
        environment.add_filter("tojson", to_json);
        let mut messages = Vec::new();
        if !prompt.system.is_empty() {
            messages.push(json!({"role": "system", "content": prompt.system}));
        }
        messages.push(json!({"role": "user", "content": prompt.user}));
        let mut context = json!({"messages": messages, "add_generation_prompt": true});
        for (name, token) in &self.tokens {
            context[name] = json!(token);
        }
        let source = without_generation_tags(&self.source);
        environment.template_from_str(&source).and_then(|template| template.render(context)).map_err(|error| {
            TokenizerError::Tokenizer {
                why: format!("the chat template cannot be rendered: {}", error.to_string().replace('\n', " ")),
                advice: "score the model without --chat",
            }
        })
    }

    /// Whether an answer follows `rendered` without a space: it ends in whitespace or in one of the
    /// model's special tokens. It does unless the template ends in words, such as `[/INST]` or
    /// `ASSISTANT:`.
    pub fn is_closed<'a>(rendered: &str, mut special_tokens: impl Iterator<Item = &'a str>) -> bool {
        rendered.ends_with(char::is_whitespace) || special_tokens.any(|token| rendered.ends_with(token))
    }
}

pub(crate) fn missing() -> TokenizerError {
    TokenizerError::Tokenizer { why: "the checkpoint has no chat template".into(), advice: "score it without --chat" }
}

/// Transformers' own `{% generation %}` block only marks a stretch of text.
fn without_generation_tags(source: &str) -> String {
    let mut text = source.to_owned();
    for (tag, plain) in [("generation", "if true"), ("endgeneration", "endif")] {
        for (open, close) in [("{%", "%}"), ("{%-", "%}"), ("{%", "-%}"), ("{%-", "-%}")] {
            text = text.replace(&format!("{open} {tag} {close}"), &format!("{open} {plain} {close}"));
        }
    }
    text
}

/// `strftime` on 26 July 2024, the day that Llama 3's templates take where there is no clock. A
/// prompt must be the same tomorrow.
fn on_the_day(format: &str) -> String {
    let parts = [
        ("%Y", "2024"),
        ("%y", "24"),
        ("%m", "07"),
        ("%B", "July"),
        ("%b", "Jul"),
        ("%d", "26"),
        ("%A", "Friday"),
        ("%a", "Fri"),
        ("%H", "12"),
        ("%M", "00"),
        ("%S", "00"),
    ];
    parts.iter().fold(format.to_owned(), |text, (code, value)| text.replace(code, value))
}

/// Python's `json.dumps(value, ensure_ascii=False)`, on one line or indented.
fn to_json(value: Jinja, options: Kwargs) -> Result<Jinja, minijinja::Error> {
    let wrong = |error: serde_json::Error| minijinja::Error::new(ErrorKind::BadSerialization, error.to_string());
    let indent: Option<usize> = options.get("indent")?;
    let mut bytes = Vec::new();
    match indent {
        Some(indent) => {
            let spaces = vec![b' '; indent.min(80)];
            let formatter = serde_json::ser::PrettyFormatter::with_indent(&spaces);
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter)).map_err(wrong)?;
        }
        None => value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, OneLine)).map_err(wrong)?,
    }
    Ok(Jinja::from_safe_string(String::from_utf8_lossy(&bytes).into_owned()))
}

/// A space after each comma and colon.
struct OneLine;

impl serde_json::ser::Formatter for OneLine {
    fn begin_array_value<W: ?Sized + std::io::Write>(&mut self, to: &mut W, first: bool) -> std::io::Result<()> {
        to.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, to: &mut W, first: bool) -> std::io::Result<()> {
        to.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, to: &mut W) -> std::io::Result<()> {
        to.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(source: &str) -> Result<String> {
        ChatTemplate::new(source.into(), vec![("bos_token".into(), "<s>".into())]).render("Hi <you> & 'me'".into())
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

    #[test]
    fn the_system_speaks_first_if_it_says_something() {
        let template = ChatTemplate::new(
            "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>".into(),
            Vec::new(),
        );
        let text = "Be brief.\n\nHi";
        let prompt = Prompt::new(text, "Be brief.\n\n".len());
        assert_eq!(template.render(prompt).unwrap(), "<system>Be brief.\n\n<user>Hi<assistant>");
        assert_eq!(template.render(text.into()).unwrap(), "<user>Be brief.\n\nHi<assistant>");
        assert_eq!(Prompt::new("é", 1), Prompt::from("é"));
    }
}
