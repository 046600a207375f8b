//! The frame of an HTML page: one file that loads nothing, works without scripts, and fits a phone, a screen and paper.

use crate::data_table::DataTable;
use crate::visible_text::{script_json, visible};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;

const STYLE: &str = include_str!("../assets/page.css");
const SCRIPT: &str = include_str!("../assets/page.js");
/// Nothing is fetched, whatever a text may hold.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; \
     base-uri 'none'; form-action 'none'";
/// By this a page of this program is known again.
pub const GENERATOR: &str = "laser report";

/// A page. `data` goes into it as JSON, for its script and for other programs.
pub fn page(title: &str, body: &Markup, data: &impl Serialize) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="generator" content=(GENERATOR);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { (visible(title)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main { (body) }
                script #data type="application/json" { (PreEscaped(script_json(data))) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    // Whatever a text of a task or a model holds, the page holds no control characters. In its data they are escaped.
    visible(&page.into_string())
}

/// Whether a file is a page that this program wrote, by its beginning.
pub fn is_page(bytes: &[u8]) -> bool {
    let beginning = String::from_utf8_lossy(&bytes[..bytes.len().min(400)]);
    beginning.contains(&format!("<meta name=\"generator\" content=\"{GENERATOR}\">"))
}

/// A section with a heading.
pub fn section(id: &str, heading: &str, content: &Markup) -> Markup {
    html! { section id=(id) { h2 { (heading) } (content) } }
}

/// What an address of data does not hold as it is.
const NOT_PLAIN: &AsciiSet = &CONTROLS.add(b'"').add(b'#').add(b'%').add(b'&').add(b'\'').add(b'<').add(b'>');

/// A picture in SVG, moving or not. As an image it runs no scripts and loads nothing.
pub fn picture(svg: &str, what: &str) -> Markup {
    let source = format!("data:image/svg+xml,{}", utf8_percent_encode(svg, NOT_PLAIN));
    html! { img.picture src=(source) alt=(visible(what)); }
}

/// A table that is folded up.
pub fn folded(summary: &str, table: &DataTable, longest: usize) -> Markup {
    html! { details { summary { (summary) } (table.html(longest)) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_no_control_characters_wherever_they_come_from() {
        let odd = "a\u{1b}[31m\u{7f}\u{9b}\u{202e}b";
        let whole = page(odd, &section("s", odd, &html! { p title=(odd) { (odd) } }), &odd);
        assert_eq!(visible(&whole), whole);
        assert!(whole.contains("a\u{241b}[31m"), "{whole}");
        // Its data keeps them, escaped.
        let (_, data) = whole.split_once("application/json\">").unwrap();
        let (data, _) = data.split_once("</script>").unwrap();
        assert_eq!(serde_json::from_str::<String>(data).unwrap(), odd);
    }
}
