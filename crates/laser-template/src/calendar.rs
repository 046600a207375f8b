//! The time in chat templates: 26 July 2024, 12 o'clock, the day that Llama 3's templates take where there is no
//! clock. A prompt must be the same tomorrow.

use crate::error::{Error, Result};

/// Python's `strftime` on that day.
pub(crate) fn on_the_day(format: &str) -> Result<String> {
    let mut made = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            made.push(letter);
            continue;
        }
        let mut code = letters.next();
        // A dash leaves the nought out.
        let short = code == Some('-');
        if short {
            code = letters.next();
        }
        made.push_str(match (code, short) {
            (Some('Y' | 'G'), _) => "2024",
            (Some('y' | 'g'), _) => "24",
            (Some('C'), _) => "20",
            (Some('m'), false) => "07",
            (Some('m'), true) => "7",
            (Some('B'), _) => "July",
            (Some('b' | 'h'), _) => "Jul",
            (Some('d' | 'e'), _) => "26",
            (Some('j'), _) => "208",
            (Some('A'), _) => "Friday",
            (Some('a'), _) => "Fri",
            (Some('u' | 'w'), _) => "5",
            (Some('U'), _) => "29",
            (Some('W' | 'V'), _) => "30",
            (Some('H' | 'I' | 'k' | 'l'), _) => "12",
            (Some('M' | 'S'), false) => "00",
            (Some('M' | 'S'), true) => "0",
            (Some('f'), _) => "000000",
            (Some('p'), _) => "PM",
            (Some('P'), _) => "pm",
            (Some('Z' | 'z'), _) => "",
            (Some('c'), _) => "Fri Jul 26 12:00:00 2024",
            (Some('x' | 'D'), _) => "07/26/24",
            (Some('X' | 'T'), _) => "12:00:00",
            (Some('R'), _) => "12:00",
            (Some('r'), _) => "12:00:00 PM",
            (Some('F'), _) => "2024-07-26",
            (Some('n'), _) => "\n",
            (Some('t'), _) => "\t",
            (Some('%'), _) => "%",
            (Some(code), _) => return Err(Error::value(format!("strftime_now: the code %{code} is not known"))),
            (None, _) => "%",
        });
    }
    Ok(made)
}
