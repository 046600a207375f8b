//! Jinja templates by the language's own rules.

use crate::choices::Choices;
use laser_template::STR_METHODS;

const NAMES: &[&str] = &[
    "question",
    "answer",
    "choices",
    "nested",
    "flag",
    "none",
    "number",
    "messages",
    "tools",
    "bos_token",
    "loop",
    "x",
    "y",
    "ns",
    "undefined_name",
    "self",
    "caller",
    "kwargs",
];
const LITERALS: &[&str] = &[
    "''",
    "'a'",
    "\"é\\n\"",
    "'%s %d %(a)s'",
    "'{0!r:>{1}}'",
    "0",
    "1",
    "-1",
    "2",
    "10000000000000000000000",
    "1e308",
    "0.1",
    "1_000",
    "true",
    "None",
    "[]",
    "{}",
    "()",
    "(1,)",
    "'\\u0130'",
    "' a b '",
    "65536",
    "99999999",
];
const FILTERS: &[&str] = &[
    "abs",
    "attr",
    "batch",
    "capitalize",
    "center",
    "length",
    "default",
    "dictsort",
    "escape",
    "filesizeformat",
    "first",
    "float",
    "forceescape",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "pprint",
    "random",
    "regex_replace",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "slice",
    "sort",
    "string",
    "striptags",
    "sum",
    "title",
    "tojson",
    "trim",
    "truncate",
    "unique",
    "upper",
    "urlencode",
    "urlize",
    "wordcount",
    "wordwrap",
    "xmlattr",
];
const TESTS: &[&str] = &[
    "boolean",
    "callable",
    "defined",
    "divisibleby",
    "eq",
    "escaped",
    "even",
    "float",
    "ge",
    "gt",
    "in",
    "integer",
    "iterable",
    "le",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sameas",
    "sequence",
    "string",
    "true",
    "undefined",
    "upper",
    "filter",
    "test",
];
/// Methods of other values than texts, and some that there are not.
const OTHER_METHODS: &[&str] = &[
    "append",
    "clear",
    "copy",
    "extend",
    "insert",
    "pop",
    "remove",
    "reverse",
    "sort",
    "get",
    "items",
    "keys",
    "values",
    "update",
    "setdefault",
    "fromkeys",
    "cycle",
    "changed",
    "bit_length",
    "is_integer",
    "conjugate",
];
const ATTRIBUTES: &[&str] = &[
    "a",
    "text",
    "role",
    "content",
    "index",
    "index0",
    "revindex",
    "first",
    "last",
    "length",
    "previtem",
    "__class__",
];
const FUNCTIONS: &[&str] = &[
    "range",
    "dict",
    "namespace",
    "cycler",
    "joiner",
    "lipsum",
    "raise_exception",
    "strftime_now",
    "m",
    "loop",
    "caller",
];
const BINARY: &[&str] = &[
    "+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "and", "or", "in", "not in", "is", "if",
];

/// A template; it may stand in the middle of another one.
pub(crate) fn template(input: &[u8], choices: &mut Choices) -> Vec<u8> {
    let made = if choices.once_in(3) { expression(choices) } else { block(choices) };
    if choices.once_in(3) {
        let text = String::from_utf8_lossy(input);
        let place = text.char_indices().nth(choices.below(text.chars().count() + 1)).map_or(text.len(), |(at, _)| at);
        return [&text[..place], &made, &text[place..]].concat().into_bytes();
    }
    made.into_bytes()
}

/// Text and tags.
pub(crate) fn block(choices: &mut Choices) -> String {
    let mut text = String::new();
    loop {
        text += &statement(choices);
        if !choices.goes_on() {
            return text;
        }
    }
}

fn statement(choices: &mut Choices) -> String {
    let dash = |choices: &mut Choices| *choices.pick(&["", "", "", "-", "+"]);
    let (open, close) = (dash(choices), dash(choices));
    let tag = |inside: String| format!("{{%{open} {inside} {close}%}}");
    match choices.rule(3, 18) {
        0 => choices.text(),
        1..=5 => format!("{{{{{open} {} {close}}}}}", expression(choices)),
        6 => format!("{{# {} #}}", choices.text()),
        7 => {
            let (test, body, other) = (expression(choices), block(choices), block(choices));
            let middle = if choices.once_in(2) { tag("else".into()) } else { tag(format!("elif {test}")) };
            format!("{}{body}{middle}{other}{{% endif %}}", tag(format!("if {test}")))
        }
        8 | 9 => {
            let (over, body) = (expression(choices), block(choices));
            let variable = *choices.pick(&["x", "x, y", "m"]);
            let tail = *choices.pick(&["", "", " if x", " recursive"]);
            let other = *choices.pick(&["", "{% else %}e"]);
            let leave = *choices.pick(&["", "", "{% break %}", "{% if loop.first %}{% continue %}{% endif %}"]);
            format!("{}{body}{leave}{other}{{% endfor %}}", tag(format!("for {variable} in {over}{tail}")))
        }
        10 => tag(format!("set {} = {}", choices.pick(&["x", "y", "ns.a", "x, y", "loop"]), expression(choices))),
        11 => format!("{}{}{{% endset %}}", tag("set x".into()), block(choices)),
        12 => {
            let (body, argument) = (block(choices), expression(choices));
            format!("{}{body}{{% endmacro %}}{{{{ m({argument}) }}}}", tag(format!("macro m(x, y={argument})")))
        }
        13 => format!("{}{}{{% endcall %}}", tag(format!("call m({})", expression(choices))), block(choices)),
        14 => format!("{}{}{{% endfilter %}}", tag(format!("filter {}", choices.pick(FILTERS))), block(choices)),
        15 => format!("{{% raw %}}{}{{% endraw %}}", choices.text()),
        16 => format!("{}{}{{% endwith %}}", tag(format!("with x = {}", expression(choices))), block(choices)),
        _ => {
            // Deep nests of one kind.
            let times = choices.times().min(400);
            let (open, close) = *choices.pick(&[
                ("{% if x %}", "{% endif %}"),
                ("{% for x in choices %}", "{% endfor %}"),
                ("{% filter upper %}", "{% endfilter %}"),
                ("{% macro m() %}{{ m() }}", "{% endmacro %}{{ m() }}"),
                ("{% generation %}", "{% endgeneration %}"),
            ]);
            format!("{}{}{}", open.repeat(times), block(choices), close.repeat(times))
        }
    }
}

/// What stands between double braces.
pub(crate) fn expression(choices: &mut Choices) -> String {
    match choices.rule(3, 17) {
        0 => (*choices.pick(NAMES)).to_owned(),
        1 => (*choices.pick(LITERALS)).to_owned(),
        2 => choices.integer().to_string(),
        3 => format!("{} {} {}", expression(choices), choices.pick(BINARY), expression(choices)),
        4 | 5 => {
            let chain: Vec<String> = (0..=choices.below(3)).map(|_| filter(choices)).collect();
            format!("{}{}", expression(choices), chain.concat())
        }
        6 => format!("{} is {}{}", expression(choices), choices.pick(&["", "not "]), test(choices)),
        7 | 8 => {
            let methods = if choices.once_in(3) { OTHER_METHODS } else { &STR_METHODS };
            let method = *choices.pick(methods);
            format!("{}.{method}({})", expression(choices), arguments(choices))
        }
        9 => format!("{}.{}", expression(choices), choices.pick(ATTRIBUTES)),
        10 => format!("{}[{}]", expression(choices), subscript(choices)),
        11 => format!("{}({})", choices.pick(FUNCTIONS), arguments(choices)),
        12 => format!("({} if {} else {})", expression(choices), expression(choices), expression(choices)),
        13 => format!("[{}]", arguments(choices)),
        14 => format!("{{'a': {}, {}: 1}}", expression(choices), expression(choices)),
        15 => format!("({})", expression(choices)),
        _ => repeated(choices),
    }
}

/// Long chains and deep nests.
fn repeated(choices: &mut Choices) -> String {
    let (times, inner) = (choices.times().min(6000), expression(choices));
    let (before, after) = *choices.pick(&[
        ("not ", ""),
        ("-", ""),
        ("(", ")"),
        ("[", "]"),
        ("{1:", "}"),
        ("", "|upper"),
        ("", ".a"),
        ("", "[0]"),
        ("", "()"),
        ("", " ~ x"),
        ("", " + 1"),
        ("2**", ""),
        ("", " if x"),
        ("x if x else ", ""),
        ("", " is defined"),
        ("", ".replace('a', 'aa')"),
        ("dict(a=", ")"),
        ("", " * 99"),
        ("", " < 1"),
    ]);
    format!("{}{inner}{}", before.repeat(times), after.repeat(times))
}

fn filter(choices: &mut Choices) -> String {
    let name = *choices.pick(FILTERS);
    match choices.below(3) {
        0 => format!("|{name}"),
        1 if matches!(name, "map" | "select" | "reject") => format!("|{name}('{}')", choices.pick(FILTERS)),
        _ => format!("|{name}({})", arguments(choices)),
    }
}

fn test(choices: &mut Choices) -> String {
    let name = *choices.pick(TESTS);
    if choices.once_in(2) { name.to_owned() } else { format!("{name}({})", arguments(choices)) }
}

fn subscript(choices: &mut Choices) -> String {
    match choices.below(3) {
        0 => expression(choices),
        1 => choices.integer().to_string(),
        _ => {
            let part =
                |choices: &mut Choices| if choices.once_in(2) { String::new() } else { choices.integer().to_string() };
            format!("{}:{}:{}", part(choices), part(choices), part(choices))
        }
    }
}

fn arguments(choices: &mut Choices) -> String {
    const KEYS: [&str; 14] = [
        "attribute",
        "default",
        "width",
        "count",
        "d",
        "reverse",
        "by",
        "sep",
        "indent",
        "a",
        "case_sensitive",
        "length",
        "maxsplit",
        "n",
    ];
    let count = choices.below(4);
    let one = |choices: &mut Choices| match choices.below(8) {
        0 => format!("{}={}", choices.pick(&KEYS), expression(choices)),
        1 => format!("*{}", expression(choices)),
        2 => format!("**{}", expression(choices)),
        _ => expression(choices),
    };
    (0..count).map(|_| one(choices)).collect::<Vec<_>>().join(", ")
}
