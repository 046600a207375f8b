//! What Python's `str` says of characters.

use std::sync::LazyLock;

use fancy_regex::Regex;
pub(crate) use laser_python::text::is_space;

/// Where `str.splitlines` ends a line.
pub(crate) fn ends_line(letter: char) -> bool {
    matches!(letter, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

macro_rules! class {
    ($name:ident, $ascii:expr, $pattern:literal, $doc:literal) => {
        #[doc = $doc]
        pub(crate) fn $name(letter: char) -> bool {
            static CLASS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new($pattern).ok());
            let ascii: fn(char) -> bool = $ascii;
            match letter.is_ascii() {
                true => ascii(letter),
                false => CLASS.as_ref().is_some_and(|class| {
                    let mut buffer = [0; 4];
                    class.is_match(letter.encode_utf8(&mut buffer)).unwrap_or(false)
                }),
            }
        }
    };
}

class!(is_alpha, |letter| letter.is_ascii_alphabetic(), r"^\p{L}$", "`str.isalpha`.");
class!(is_decimal, |letter| letter.is_ascii_digit(), r"^\p{Nd}$", "`str.isdecimal`.");
class!(
    is_digit,
    |letter| letter.is_ascii_digit(),
    "^[\\p{Nd}\u{b2}\u{b3}\u{b9}\u{1369}-\u{1371}\u{19da}\u{2070}\u{2074}-\u{2079}\u{2080}-\u{2089}\u{2460}-\u{2468}\
     \u{2474}-\u{247c}\u{2488}-\u{2490}\u{24ea}\u{24f5}-\u{24fd}\u{24ff}\u{2776}-\u{277e}\u{2780}-\u{2788}\
     \u{278a}-\u{2792}\u{10a40}-\u{10a43}\u{10e60}-\u{10e68}\u{11052}-\u{1105a}\u{1f100}-\u{1f10a}]$",
    "`str.isdigit`."
);
class!(
    is_numeric,
    |letter| letter.is_ascii_digit(),
    "^[\\p{N}\u{3405}\u{3483}\u{382a}\u{3b4d}〇一七万三九二五亖亿什仟仨伍佰兆两亄京伙八六兩八六十千卄卅卌叁参參叄四壱壹\
     壹幺廾廿弌弍弎弐拾捌拾柒柶漆玖百肆萬貮貳贰阡陆陌陸零億億億垓姊秭穰澗溝]$",
    "`str.isnumeric`."
);
class!(is_printable, |letter| (' '..='~').contains(&letter), r"^[^\p{C}\p{Z}]$", "`str.isprintable`.");
class!(is_name_start, |letter| letter == '_' || letter.is_ascii_alphabetic(), r"^\p{XID_Start}$", "A name's start.");
class!(is_name, |letter| letter == '_' || letter.is_ascii_alphanumeric(), r"^\p{XID_Continue}$", "A name's letter.");
class!(
    is_word,
    |letter| letter == '_' || letter.is_ascii_alphanumeric(),
    r"^[\p{L}\p{N}]$",
    "What `\\w` of Python's regular expressions takes."
);

/// `str.isalnum` of one character.
pub(crate) fn is_alnum(letter: char) -> bool {
    is_alpha(letter) || is_numeric(letter)
}

/// The value of a decimal digit of any script.
pub(crate) fn decimal_digit(letter: char) -> Option<u32> {
    if letter.is_ascii() {
        return letter.to_digit(10);
    }
    // The ten digits of a script stand together.
    let code = letter as u32;
    let digit = |code: u32| char::from_u32(code).is_some_and(is_decimal);
    if !is_decimal(letter) {
        return None;
    }
    let start = (0..10).take_while(|back| digit(code - back)).last()?;
    let run = (1..=40).take_while(|back| digit(code - start - back)).count() as u32;
    Some((start + run) % 10)
}

/// The first letter of a title: like upper case, except where one character stands for two letters.
fn title_letter(letter: char) -> String {
    match letter {
        '\u{1c4}'..='\u{1c6}' => "\u{1c5}".to_owned(),
        '\u{1c7}'..='\u{1c9}' => "\u{1c8}".to_owned(),
        '\u{1ca}'..='\u{1cc}' => "\u{1cb}".to_owned(),
        '\u{1f1}'..='\u{1f3}' => "\u{1f2}".to_owned(),
        // Georgian has capitals, but no titles.
        '\u{10d0}'..='\u{10ff}' => letter.to_string(),
        _ => {
            let mut upper = letter.to_uppercase();
            let first = upper.next().unwrap_or(letter);
            first.to_string() + &upper.collect::<String>().to_lowercase()
        }
    }
}

fn is_cased(letter: char) -> bool {
    letter.is_lowercase() || letter.is_uppercase() || matches!(letter, 'ǅ' | 'ǈ' | 'ǋ' | 'ǲ')
}

/// `str.capitalize`.
pub(crate) fn capitalize(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => title_letter(first) + &letters.as_str().to_lowercase(),
        None => String::new(),
    }
}

/// `str.title`.
pub(crate) fn title(text: &str) -> String {
    let lower = text.to_lowercase();
    let same_length = lower.chars().count() == text.chars().count();
    let mut within = false;
    let mut made = String::with_capacity(text.len());
    let mut lowered = lower.chars();
    for letter in text.chars() {
        let low = if same_length { lowered.next() } else { None };
        match (within, low) {
            (false, _) => made.push_str(&title_letter(letter)),
            (true, Some(low)) => made.push(low),
            (true, None) => made.extend(letter.to_lowercase()),
        }
        within = is_cased(letter);
    }
    made
}

/// `str.swapcase`.
pub(crate) fn swapcase(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    for letter in text.chars() {
        match (letter.is_uppercase(), letter.is_lowercase()) {
            (true, _) => made.extend(letter.to_lowercase()),
            (_, true) => made.extend(letter.to_uppercase()),
            _ => made.push(letter),
        }
    }
    made
}

/// `str.casefold`.
pub(crate) fn casefold(text: &str) -> String {
    let fold = |letter: char| -> String {
        match letter {
            'ı' | '\u{13a0}'..='\u{13f5}' => letter.to_string(),
            '\u{13f8}'..='\u{13fd}' | '\u{ab70}'..='\u{abbf}' => letter.to_uppercase().collect(),
            _ => {
                let lower: String = letter.to_lowercase().collect();
                let upper = lower.to_uppercase();
                upper.chars().flat_map(char::to_lowercase).collect()
            }
        }
    };
    text.chars().map(fold).collect()
}

/// `str.islower` and `str.isupper`: some letter has a case, and none the other.
pub(crate) fn is_all(text: &str, upper: bool) -> bool {
    let mut some = false;
    for letter in text.chars() {
        let (is, is_not) = match upper {
            true => (letter.is_uppercase(), letter.is_lowercase()),
            false => (letter.is_lowercase(), letter.is_uppercase()),
        };
        if is_not || (is_cased(letter) && !is) {
            return false;
        }
        some |= is;
    }
    some
}

/// `str.istitle`.
pub(crate) fn is_title(text: &str) -> bool {
    let (mut within, mut some) = (false, false);
    for letter in text.chars() {
        let upper = letter.is_uppercase() || (is_cased(letter) && !letter.is_lowercase());
        match (upper, letter.is_lowercase()) {
            (true, _) if within => return false,
            (true, _) => (within, some) = (true, true),
            (_, true) if !within => return false,
            (_, true) => {}
            _ => within = false,
        }
    }
    some
}
