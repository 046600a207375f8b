//! Text in messages, which are one line each.

/// `text` between backticks, on one line and not too long for it.
pub fn quoted(text: &str) -> String {
    format!("`{}`", one_line(text, 120))
}

/// `text`, such as a path or a parser's message, on one line.
pub fn plain(text: &str) -> String {
    one_line(text, 600)
}

/// `text` as it is to be read, with its control characters but line ends and tabs escaped.
pub fn readable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && !matches!(c, '\n' | '\t') { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// The first `longest` characters of `text`, with control characters escaped.
fn one_line(text: &str, longest: usize) -> String {
    let mut line = String::new();
    for (i, c) in text.chars().enumerate() {
        if i == longest {
            line.push_str("...");
            break;
        }
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}
