//! `laser chat` and `laser compare`, as a user runs them.

mod support;

use serde_json::Value;
use support::{Session, fixture};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// What evaluation generates after a prompt under these edits.
fn generated(session: &Session, model: &str, prompt: &str, edits: &str) -> String {
    session.write("one.jsonl", format!("{{\"prompt\":{prompt:?},\"answer\":\"zzz\"}}\n"));
    session.prints(&format!("eval {model} --task one.jsonl {edits} --examples rows.jsonl --force --json"));
    json(session.read("rows.jsonl").lines().next().unwrap())["generation"].as_str().unwrap().to_owned()
}

#[test]
fn a_model_says_what_it_generates_in_an_evaluation() {
    let session = Session::new();
    let model = fixture("llama").display().to_string();
    for edits in ["", "--reduce 1.mlp:0.1"] {
        let expected = generated(&session, &model, "Berlin", edits);
        let said = json(&session.prints(&format!("chat {model} {edits} --prompt Berlin --max-tokens 10 --json")));
        assert_eq!(said["text"], expected.as_str(), "{said}");
        let steps = said["steps"].as_array().unwrap();
        assert!(steps.iter().all(|step| step["token"] == step["likeliest"][0][0]), "{said}");
        let plain = session.prints(&format!("chat {model} {edits} --prompt Berlin --max-tokens 10"));
        assert_eq!(plain, format!("{expected}\n"));
        let mut typed = session.laser(&format!("chat {model} {edits} --max-tokens 10"));
        let output = typed.write_stdin("Berlin\n\nand on\n").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.starts_with(&format!("{expected}\n")), "{text}");
        assert!(text.len() > expected.len() + 1, "{text}");
    }
    let drawn = |options: &str| session.prints(&format!("chat {model} --prompt Berlin --max-tokens 20 {options}"));
    assert_eq!(drawn("--temperature 1 --seed 3"), drawn("--temperature 1 --seed 3"));
    assert_ne!(drawn("--temperature 1 --seed 3"), drawn("--temperature 1 --seed 4"));
    // An answer ends where the context does, and another prompt follows.
    let long =
        session.prints(&format!("compare {model} --reduce 1.mlp:0.1 --prompt Berlin --prompt book --max-tokens 300"));
    assert!(long.contains("\nbook\n"), "{long}");
    let bert = fixture("bert").display().to_string();
    let (_, message) = session.fails(&format!("chat {bert} --prompt a"));
    assert!(message.contains("masked model"), "{message}");
    let (_, message) = session.fails(&format!("chat {model} --json"));
    assert!(message.contains("--prompt"), "{message}");
}

/// The likeliest next tokens after `tokens`, at most so many, and their text.
fn answered(session: &laser::Session, tokens: &[u32], most: usize) -> (Vec<u32>, String) {
    let edited = session.edit(&laser::edit::Candidate::base()).unwrap();
    let mut speech = session.speech(&edited, laser::Sampling { temperature: 0.0, seed: 0 }).unwrap();
    speech.hear(tokens).unwrap();
    let said = (0..most).map_while(|_| speech.step().unwrap()).map(|step| step.token).collect();
    (said, speech.text().to_owned())
}

/// As a terminal is given it: control characters would act on it.
fn shown(text: &str) -> String {
    let picture = |letter: char| match letter {
        '\n' => letter,
        '\0'..' ' => char::from_u32(0x2400 + letter as u32).unwrap(),
        _ => letter,
    };
    text.chars().map(picture).collect()
}

#[test]
fn a_conversation_goes_on_behind_the_answer_that_was_given() {
    let scratch = Session::new();
    scratch.copy_of("llama", "model");
    let template = "{{ bos_token }}{% for m in messages %}{{ m.role + ': ' + m.content }}\n{% endfor %}assistant: ";
    scratch.write("model/chat_template.jinja", template);
    let model = laser::Session::open(scratch.path("model")).unwrap();
    for (typed, tokenizer) in [
        ("chat model --max-tokens 8", model.tokenizer().clone().in_chat().unwrap()),
        ("chat model --max-tokens 8 --raw", model.tokenizer().clone()),
    ] {
        let mut tokens = tokenizer.encode_next_turn(&[], "Berlin").unwrap();
        let (said, first) = answered(&model, &tokens, 8);
        let next = tokenizer.encode_next_turn(&[("Berlin".to_owned(), first.clone())], "and on").unwrap();
        assert!(tokenizer.decode(&next).unwrap().starts_with('\n'));
        tokens.extend(said.into_iter().chain(next));
        let (_, second) = answered(&model, &tokens, 8);
        let output = scratch.laser(typed).write_stdin("Berlin\nand on\n").output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), shown(&format!("{first}\n{second}\n")));
    }
}

#[test]
fn standard_input_that_is_no_text_is_one_line() {
    let session = Session::new();
    let model = fixture("llama").display().to_string();
    for command in [format!("chat {model} --quiet"), format!("compare {model} --reduce 0.mlp:0.5 --quiet")] {
        let output = session.laser(&command).write_stdin(&b"\xff\n"[..]).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), message.lines().count()), (Some(1), 1), "{message}");
        assert!(message.contains("standard input: line 1 is not UTF-8: convert it first"), "{message}");
    }
}

#[test]
fn a_text_without_tokens_or_without_room_is_told_what_to_do() {
    let session = Session::new();
    let model = fixture("llama").display().to_string();
    let say = |command: &str, prompt: &str| {
        let output = session.laser(&format!("{command} --prompt")).arg(prompt).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    for command in [format!("chat {model} --raw"), format!("compare {model} --reduce 0.mlp:0.5 --raw")] {
        let nothing = "error: the text has no tokens: write something that can be continued\n";
        assert_eq!(say(&command, ""), nothing);
        let long = say(&command, &"ab ".repeat(2_000));
        assert!(long.starts_with("error: the text would have ") && long.ends_with("at most: shorten it\n"), "{long}");
    }
}

#[test]
fn two_answers_stand_side_by_side() {
    let session = Session::new();
    let model = fixture("llama").display().to_string();
    let edits = "--reduce 1.mlp:0.1";
    let compared = json(&session.prints(&format!("compare {model} {edits} --prompt Berlin --max-tokens 10 --json")));
    let answer = &compared["answers"][0];
    assert_eq!(answer["base"], generated(&session, &model, "Berlin", "").as_str());
    assert_eq!(answer["edited"], generated(&session, &model, "Berlin", edits).as_str());
    let text = session.prints(&format!("compare {model} {edits} --prompt Berlin --max-tokens 10"));
    assert!(text.starts_with("Berlin\n\nbefore") && text.contains(" | 1.fc_in:0.1"), "{text}");
    let (code, message) = session.fails(&format!("compare {model} --prompt Berlin"));
    assert!(code == 2 && message.contains("--reduce"), "{message}");
}
