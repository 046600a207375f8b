//! Regular expressions by their own rules, with what they become and a text.

use crate::choices::Choices;

pub(crate) fn pattern(_: &[u8], choices: &mut Choices) -> Vec<u8> {
    let pattern = alternatives(choices);
    let by: String = (0..choices.below(4))
        .map(|_| *choices.pick(&["\\1", "\\g<0>", "\\g<a>", "\\\\", "$1", "x", "\\n", "\\99"]))
        .collect();
    let piece = *choices.pick(&["a", "ab", "aab ", "1", "é", "(", "\n", "$4.50 ", "The answer is (B). "]);
    let text = piece.repeat(choices.times().min(5000)) + *choices.pick(&["", "b", "!", "\u{1f600}"]);
    format!("{pattern}\n{by}\n{text}").replace('\u{0}', "").into_bytes()
}

fn alternatives(choices: &mut Choices) -> String {
    let mut all = sequence(choices);
    while choices.once_in(4) && choices.goes_on() {
        all = format!("{all}|{}", sequence(choices));
    }
    all
}

fn sequence(choices: &mut Choices) -> String {
    let mut all = String::new();
    loop {
        all += &repeated(choices);
        if !choices.goes_on() {
            return all;
        }
    }
}

fn repeated(choices: &mut Choices) -> String {
    const TIMES: [&str; 16] = [
        "",
        "",
        "",
        "*",
        "+",
        "?",
        "*?",
        "+?",
        "{2}",
        "{1,}",
        "{,3}",
        "{1000}",
        "{1,9999}",
        "{0,65536}",
        "*+",
        "{99999999}",
    ];
    let (atom, times) = (atom(choices), *choices.pick(&TIMES));
    format!("{atom}{times}")
}

fn atom(choices: &mut Choices) -> String {
    const LEAVES: [&str; 28] = [
        "a",
        "b",
        "é",
        ".",
        "\\d",
        "\\w",
        "\\s",
        "\\b",
        "\\B",
        "^",
        "$",
        "\\A",
        "\\Z",
        "[a-c]",
        "[^a]",
        "[\\d.,]",
        "[]a]",
        "[[:alpha:]]",
        "\\1",
        "\\2",
        "(?P=a)",
        "\\x41",
        "\\u00e9",
        "\\N",
        "\\p{L}",
        "\\(",
        "(?i)",
        "(?#c)",
    ];
    const GROUPS: [&str; 11] = ["(", "(?:", "(?P<a>", "(?=", "(?!", "(?<=", "(?<!", "(?i:", "(?>", "(?(1)", "(?s-m:"];
    match choices.rule(1, 4) {
        0 | 1 => (*choices.pick(&LEAVES)).to_owned(),
        2 => format!("{}{})", choices.pick(&GROUPS), alternatives(choices)),
        _ => {
            let times = choices.times().min(1000);
            format!("{}{}{}", choices.pick(&GROUPS).repeat(times), alternatives(choices), ")".repeat(times))
        }
    }
}
