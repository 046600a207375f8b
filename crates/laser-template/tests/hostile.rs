//! Whatever a template says, reading and rendering it ends soon, within bounds, in a result or one line.

use std::thread;

use laser_template::{Dialect, Environment, ErrorKind};
use serde_json::{Map, json};

/// The kind of the error that a template ends in, on a small stack; None if it renders.
fn outcome(source: String) -> Option<ErrorKind> {
    let run = move || {
        let mut found = None;
        for dialect in [Dialect::Task, Dialect::Chat] {
            let row = json!({"s": "text", "xs": [1, 2, 3]}).as_object().cloned().unwrap();
            let result = Environment::new(dialect).template(&source).and_then(|template| template.render(&row));
            if let Err(error) = &result {
                assert!(!error.to_string().contains('\n'), "{error}");
            }
            found = result.err().map(|error| error.kind());
        }
        found
    };
    thread::Builder::new().stack_size(1 << 20).spawn(run).unwrap().join().unwrap()
}

#[test]
fn too_much_of_anything_is_a_limit() {
    let many = |part: &str, count: usize| part.repeat(count);
    let hostile = [
        format!("{{{{ {}1{} }}}}", many("(", 50_000), many(")", 50_000)),
        format!("{{{{ {}1{} }}}}", many("[", 50_000), many("]", 50_000)),
        format!("{{{{ {}1{} }}}}", many("{1:", 50_000), many("}", 50_000)),
        format!("{{{{ {}1 }}}}", many("not ", 50_000)),
        format!("{{{{ {}1 }}}}", many("-", 50_000)),
        format!("{{{{ 1{} }}}}", many("+1", 50_000)),
        format!("{{{{ 1{} }}}}", many(" if 1 else 1", 50_000)),
        format!("{{{{ 1{} }}}}", many(" or 0", 50_000)),
        format!("{{{{ 1{} }}}}", many("**1", 50_000)),
        format!("{{{{ s{} }}}}", many("|upper", 50_000)),
        format!("{{{{ s{} }}}}", many(".x", 50_000)),
        format!("{{{{ s{} }}}}", many("[0]", 50_000)),
        format!("{{{{ s{} }}}}", many("()", 50_000)),
        format!("{{{{ s{} }}}}", many(" is string", 1) + &many("()", 50_000)),
        format!("{}x{}", many("{% if 1 %}", 50_000), many("{% endif %}", 50_000)),
        format!("{}x{}", many("{% for x in xs %}", 40), many("{% endfor %}", 40)),
        format!("{{% set {}a{} = 1 %}}", many("(", 50_000), many(")", 50_000)),
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}".to_owned(),
        "{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}".to_owned(),
        "{% for x in [[1]] recursive %}{{ loop(x if x is iterable else [[1]]) }}{% endfor %}".to_owned(),
        "{{ 'a' * 10**12 }}".to_owned(),
        "{{ [0] * 10**12 }}".to_owned(),
        "{{ 9**(9**9) }}".to_owned(),
        "{{ 10**100000 }}".to_owned(),
        "{{ range(10**12)|list }}".to_owned(),
        "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}".to_owned(),
        "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}".to_owned(),
        "{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}"
            .to_owned(),
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}".to_owned(),
        "{% for i in range(99999) %}{{ 'a' * 100000 }}{% endfor %}".to_owned(),
        "{{ 'x'|center(10**10) }}".to_owned(),
        "{{ '%1000000000d' % 1 }}".to_owned(),
        "{{ '{:1000000000}'.format(1) }}".to_owned(),
        "{{ ('a' * 10000).replace('', 'b' * 10000) }}".to_owned(),
        "{{ 'x'|indent(10**10) }}".to_owned(),
        "{{ ('a' * 40 ~ 'b')|regex_replace('(a*)*\\\\1c', '') }}".to_owned(),
        format!("{{{{ {} }}}}", many("'", 100_001)),
    ];
    for template in hostile {
        let shown: String = template.chars().take(80).collect();
        let kind = outcome(template);
        let refused = matches!(kind, Some(ErrorKind::Limit | ErrorKind::Value | ErrorKind::Arithmetic));
        assert!(refused || matches!(kind, Some(ErrorKind::Type | ErrorKind::Syntax)), "{shown}: {kind:?}");
    }
}

/// What a template renders to, in a task.
fn rendered(source: &str) -> Result<String, ErrorKind> {
    let result = Environment::new(Dialect::Task).template(source).and_then(|template| template.render(&Map::new()));
    result.map_err(|error| error.kind())
}

/// Each of these looks at millions of bytes or items again and again: minutes before they cost steps.
#[test]
fn what_is_looked_through_costs_steps() {
    let large = "{% set t = 'ab' * 4000000 %}{% set u = 'ab' * 4000000 %}{% for i in range(100000) %}{% if TEST %}{% endif %}{% endfor %}";
    let lists = "{% set t = [1] * 900000 %}{% set u = [2] + [1] * 899999 %}{% for i in range(100000) %}{% if TEST %}{% endif %}{% endfor %}";
    let ranges = "{% set t = range(900000) %}{% set u = range(899999) %}{% for i in range(100000) %}{% if TEST %}{% endif %}{% endfor %}";
    let shared = "{% set n = namespace(t=(1,), u=(1,)) %}{% for i in range(60) %}{% set n.t = (n.t, n.t) %}{% set n.u = (n.u, n.u) %}{% endfor %}{{ TEST }}";
    let matches = "{% for i in range(1000) %}{{ (('a' * 16 + 'x') * 1000) | regex_replace('(?:(?:a+)+(?=b)c|x)', '') }}{% endfor %}";
    for (source, tests) in [
        (large, &["'abc' in t", "t == u", "t | length", "t < u", "{t: 1}[u]", "t in {u: 1}"][..]),
        (ranges, &["t == u"]),
        (shared, &["[n.t] | unique | list | length", "{n.t: 1} | length", "n.t in {1: 1}", "n.t == n.u"]),
        (matches, &[""]),
    ] {
        for test in tests {
            let started = std::time::Instant::now();
            let found = outcome(source.replace("TEST", test));
            assert_eq!(found, Some(ErrorKind::Limit), "{test}");
            assert!(started.elapsed().as_secs() < 120, "{test}: {:?}", started.elapsed());
        }
    }
    // Lists of which the first items differ are unequal at once.
    assert_eq!(outcome(lists.replace("TEST", "t == u").replace("100000", "1000")), None);
    assert_eq!(outcome(shared.replace("TEST", "n.t == n.t")), None);
}

#[test]
fn a_float_has_a_bounded_number_of_digits() {
    let asked = ["{{ '%.70000f' % 1.0 }}", "{{ '%.70000e' % 1.0 }}", "{{ '%.70000g' % 1.0 }}"];
    let braces = ["f", "e", "g", "%", "n", ""].map(|kind| format!("{{{{ '{{:.70000{kind}}}'.format(1.0) }}}}"));
    for template in asked.into_iter().chain(braces.iter().map(String::as_str)) {
        assert_eq!(rendered(template), Err(ErrorKind::Limit), "{template}");
    }
    assert_eq!(rendered("{{ '%.10000f' % 1.0 }}").map(|text| text.len()), Ok(10_002));
    assert_eq!(rendered("{{ '%#.10000g' % 0.0001 }}").map(|text| text.len()), Ok(10_005));
}

#[test]
fn a_wide_number_in_groups_is_filled_at_once() {
    assert_eq!(rendered("{{ '{:016000000,}'.format(1)|length }}").as_deref(), Ok("16000001"));
    let widths = "{% for width in range(10) %}{{ ('{:0' ~ width ~ ',}').format(1234) }} {% endfor %}";
    let filled = "1,234 1,234 1,234 1,234 1,234 1,234 01,234 001,234 0,001,234 0,001,234 ";
    assert_eq!(rendered(widths).as_deref(), Ok(filled));
    assert_eq!(rendered("{{ '{:012_x}'.format(255) }}").as_deref(), Ok("00_0000_00ff"));
    assert_eq!(rendered("{{ '{:012,.1f}'.format(-1234.5) }}").as_deref(), Ok("-0,001,234.5"));
}

#[test]
fn long_words_are_wrapped_in_linear_time() {
    let long = "{{ ('a' * 4000000)|wordwrap(1, break_on_hyphens=false)|length }}";
    assert_eq!(rendered(long).as_deref(), Ok("7999999"));
    // No-break spaces are whitespace, yet they are a part of a word.
    let whitespace = "{{ ('x' ~ '\u{a0}' * 1000000 ~ 'x')|wordwrap(1, break_on_hyphens=false) }}";
    assert_eq!(rendered(whitespace).as_deref(), Ok("x\nx"));
    assert_eq!(rendered("{{ 'abc-defgh ij'|wordwrap(6) }}").as_deref(), Ok("abc-\ndefgh\nij"));
    let between = "{{ ('a' * 100000)|wordwrap(1, true, 'b' * 1000, false) }}";
    assert_eq!(rendered(between), Err(ErrorKind::Limit));
}

#[test]
fn braces_in_a_regular_expression_are_read_once() {
    for part in ["{", "}", "{1", "1}"] {
        let template = format!("{{{{ 'x'|regex_replace('{}', '') }}}}", part.repeat(30_000));
        let _ = rendered(&template);
        let longer = format!("{{{{ 'x'|regex_replace('{part}' * 4000000, '') }}}}");
        assert_eq!(rendered(&longer), Err(ErrorKind::Limit), "{part}");
    }
    assert_eq!(rendered("{{ 'aa}'|regex_replace('a{2}}', '-') }}").as_deref(), Ok("-"));
    assert_eq!(rendered("{{ '{a}'|regex_replace('{a}', '-') }}").as_deref(), Ok("-"));
    assert_eq!(rendered("{{ 'a{,'|regex_replace('a{,', '-') }}").as_deref(), Ok("-"));
}

#[test]
fn parts_are_not_gathered_beyond_the_limit_of_a_text() {
    let many = [
        "{{ (['a' * 1000000] * 1000000)|pprint }}",
        "{{ {'a': ['a' * 1000000] * 1000000}|pprint }}",
        "{{ {'a' * 1000000: 'b ' * 1000000}|pprint }}",
        "{{ ([('a', 'a' * 1000000)] * 1000000)|urlencode }}",
        "{% set a = 'a' * 1000000 %}{% set d = {} %}{% for i in range(1000) %}\
         {% set _ = d.update({'k' ~ i: a}) %}{% endfor %}{{ d|xmlattr }}",
    ];
    for template in many {
        assert_eq!(rendered(template), Err(ErrorKind::Limit), "{template}");
    }
    assert_eq!(rendered("{{ {'a': 1, 'b': none, 'c': 2}|xmlattr }}").as_deref(), Ok(" a=\"1\" c=\"2\""));
    assert_eq!(rendered("{{ {'a': 1, 'c': 2}|xmlattr(false) }}").as_deref(), Ok("a=\"1\" c=\"2\""));
    assert_eq!(rendered("{{ [('a', 1), ('b', '/ ')]|urlencode }}").as_deref(), Ok("a=1&b=%2F+"));
}

#[test]
fn a_number_is_rounded_to_any_place() {
    for template in ["{{ 5|round(-9223372036854775808) }}", "{{ 5.0|round(-9223372036854775808) }}"] {
        assert!(matches!(rendered(template).as_deref(), Ok("0" | "0.0")), "{template}");
    }
}

#[test]
fn what_holds_itself_is_no_endless_loop() {
    let own = "{% set xs = [] %}{% set _ = xs.append(xs) %}{{ xs }}";
    let row = Map::new();
    let render = |source: &str| Environment::new(Dialect::Task).template(source).unwrap().render(&row);
    assert_eq!(render(own).unwrap_err().kind(), ErrorKind::Limit);
    let compared = "{% set a = [] %}{% set b = [] %}{% set _ = a.append(b) %}{% set _ = b.append(a) %}{{ a == b }}";
    assert_eq!(render(compared).unwrap_err().kind(), ErrorKind::Limit);
    // A list grows while a loop goes through it: Python's loop would not end.
    assert!(render("{% set xs = [1] %}{% for x in xs %}{% set _ = xs.append(x) %}{% endfor %}{{ xs }}").is_ok());
}

#[test]
fn no_cut_of_a_template_makes_it_panic() {
    let whole = "a {%- for k, v in xs.items() if k is not none recursive -%} {{- loop.index ~ k|default('x', true) \
                 [1:2]['a'] if not v else -1.5e3 // 2 ** 3 }} {% else %}{# c #}{% endfor %}{% raw %}{{ {% endraw %}\
                 {% macro m(a, b=(1,)) %}{{ caller(*a, **b) }}{% endmacro %}{% call(x) m({'é': 'ü'}) %}{% endcall %}";
    for (start, _) in whole.char_indices().step_by(3) {
        for (end, _) in whole.char_indices().filter(|(end, _)| *end >= start).step_by(5) {
            for dialect in [Dialect::Task, Dialect::Chat] {
                if let Ok(template) = Environment::new(dialect).template(&whole[start..end]) {
                    let _ = template.render(&Map::new());
                }
            }
        }
    }
}
