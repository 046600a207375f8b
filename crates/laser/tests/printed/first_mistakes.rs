//! What the program says to the mistakes that a newcomer makes.

use super::support::{Session, fixture, task};

/// What a newcomer does wrong first, and what the program says to it, to the letter.
#[test]
fn first_mistakes_are_told_with_what_to_do() {
    let session = Session::new();
    let yaml = |text: &str, data: &str| {
        format!(
            "task: qa\ndataset_path: json\ndataset_kwargs: {{data_files: {data}}}\ntest_split: train\n\
             doc_to_text: '{{{{{text}}}}}'\ndoc_to_target: '{{{{answer}}}}'\n"
        )
    };
    session.write("qa.jsonl", task(20));
    session.write("qa.yaml", yaml("prompt", "qa.jsonl"));
    session.write("field.yaml", yaml("promt", "qa.jsonl"));
    session.write("missing.yaml", yaml("prompt", "nowhere.jsonl"));
    session.write("fetched.yaml", yaml("prompt", "https://example.org/qa.jsonl"));
    session.write("key.yaml", yaml("prompt", "qa.jsonl").replace("doc_to_text", "doc_to_txt"));
    session.write("inner.yaml", format!("{}fewshot_config: {{sampel: first_n}}\n", yaml("prompt", "qa.jsonl")));
    session.write("key.jsonl", "{\"prompt\":\"a\",\"answer\":\"b\",\"grup\":\"c\"}\n");
    let model = fixture("llama").display().to_string();

    assert_eq!(session.prints("tasks check qa.jsonl qa.yaml"), "qa.jsonl: qa: can be used\nqa.yaml: qa: can be used\n");
    assert_eq!(session.prints("tasks check fetched.yaml"), "fetched.yaml: qa: can be used\n");
    assert_eq!(
        session.prints("tasks show qa.jsonl"),
        "task     qa\nscoring  generation: right when the answer occurs\ntokens   10 generated\nfound    20 here\n\
         example  Berlin number 0 is -> e\n"
    );
    let output = session.laser("tasks check field.yaml missing.yaml key.yaml inner.yaml key.jsonl").output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "field.yaml: qa.jsonl:1: doc_to_text: the template uses `promt`, and the row has `answer`, `group`, `prompt`: \
         add it or test it with `is defined`\n\
         missing.yaml: nowhere.jsonl: No such file or directory (os error 2): check the path and its permissions\n\
         key.yaml:5: unknown key `doc_to_txt`: did you mean doc_to_text? docs/tasks.md lists the keys that are read: \
         correct it or take it out\n\
         inner.yaml:7: fewshot_config: unknown key `sampel`: did you mean sampler? the keys are `sampler`, `split`, \
         `samples`, `doc_to_text`, `doc_to_target`, `doc_to_choice`, `gen_prefix`, `fewshot_delimiter`, \
         `target_delimiter`, `process_docs`, `fewshot_indices`: correct it or take it out\n\
         key.jsonl:1: unknown key `grup`: did you mean group? use prompt, answer, answers, choices, id or group\n"
    );
    let says = |command: &str, expected: &str| {
        let (_, line) = session.fails(command);
        assert_eq!(line, format!("error: {expected}\n"), "laser {command}");
    };
    says(
        &format!("apply {model} --recipe nowhere --out edited"),
        "nowhere: the recipe cannot be read: No such file or directory (os error 2): give the RUN folder of a finished \
         search, or its best.json",
    );
    says(
        &format!("apply {model} --reduce 1.fc_in:0.5 --format gguff --out edited"),
        "invalid value 'gguff' for '--format <FORMAT>': \"gguff\" is not a format: did you mean gguf? the formats are hf, \
         hf-factored, gguf, lora, patch: see `laser apply --help`",
    );
    says(
        "analyze rank",
        "the following required arguments were not provided: <RUN> <MODEL>: see `laser analyze rank --help`",
    );
    let search = format!("search {model} --task qa.jsonl --layers 2 --matrices fc_in --rho 0.1 --no-costs --out");
    says(&format!("{search} qa.jsonl"), "qa.jsonl: is a file, and a RUN is a folder: choose another folder");
    session.prints(&format!("{search} run"));
    session.write("qa.jsonl", task(21));
    says(
        &format!("{search} run"),
        "run: holds another search (the task's examples are not those of then: its file has changed, or it is another \
         task): choose another folder, or repeat the first search's options",
    );
    // Without edits it is the model that is named, which may be one that was edited before.
    session.prints(&format!("apply {model} --reduce 0.fc_in:0.5 --out edited"));
    assert!(session.prints("eval edited --task qa.jsonl").starts_with("edited on qa: accuracy "));
    let reduced = session.prints("eval edited --task qa.jsonl --reduce 1.fc_in:0.5");
    assert!(reduced.starts_with("1.fc_in:0.5 on qa: accuracy "), "{reduced}");
}
