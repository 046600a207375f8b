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
