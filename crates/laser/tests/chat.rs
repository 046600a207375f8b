//! `--chat`: prompts go through the model's chat template.

mod support;

use support::{Session, fixture, task};

const TEMPLATE: &str =
    "{% for message in messages %}{{ message.role + ': ' + message.content.strip() }}\n{% endfor %}assistant:";

#[test]
fn prompts_are_rendered_and_another_search_is_refused() {
    let session = Session::new();
    session.write("task.jsonl", task(20));
    session.copy_of("llama", "model");
    session.write("model/chat_template.jinja", TEMPLATE);
    session.prints("eval model --task task.jsonl --examples plain.jsonl --quiet");
    session.prints("eval model --task task.jsonl --chat --examples chat.jsonl --quiet");
    let first =
        |name: &str| -> serde_json::Value { serde_json::from_str(session.read(name).lines().next().unwrap()).unwrap() };
    let (plain, chat) = (first("plain.jsonl"), first("chat.jsonl"));
    let expected = format!("user: {}\nassistant:", plain["prompt"].as_str().unwrap());
    assert_eq!((&chat["id"], chat["prompt"].as_str()), (&plain["id"], Some(expected.as_str())));
    assert_ne!(chat["answer_logprob"], plain["answer_logprob"]);

    let search = "search model --task task.jsonl --layers 2 --matrices fc_in --rho 0.1 --quiet --out run";
    session.prints(&format!("{search} --chat"));
    assert_eq!(session.json("run/run.json")["search"]["chat"], true);
    let (_, message) = session.fails(search);
    assert!(message.contains("search.chat"), "{message}");
}

#[test]
fn a_model_without_a_template_is_one_line() {
    let session = Session::new();
    session.write("task.jsonl", task(20));
    let (code, message) =
        session.fails(&format!("eval {} --task task.jsonl --chat --quiet", fixture("llama").display()));
    assert_eq!(code, 1);
    assert!(message.contains("no chat template"), "{message}");
}
