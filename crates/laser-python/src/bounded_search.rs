//! Searches by `fancy-regex`, which goes back where its parts do not fit: bounded in steps and in time, wherever a text begins to
//! fit and however long it is.

use std::sync::OnceLock;
use std::time::Instant;

use fancy_regex::{Captures, Regex, RegexBuilder};

/// How often a search of the whole text may go back: few times are enough for nearly all. Long texts begin with the first.
const WHOLE_TEXT: [usize; 3] = [5, 500, 5_000];
/// From so many bytes on a text is long.
const LONG_TEXT: usize = 1 << 17;
/// Each time that it goes back, a search may read the text to its end: so many bytes are read at most before it is tried place by
/// place.
const MOST_READ: usize = 1 << 26;

/// How often it may go back in one place.
const ONE_PLACE: [usize; 5] = [500, 5_000, 50_000, 500_000, 5_000_000];
/// Bytes that it may read in one place.
const MOST_READ_IN_PLACE: usize = 1 << 32;

/// Bytes of a text times those of the pattern: the library's slowest way through a text looks at each part of the pattern for each
/// byte.
const MOST_PAIRS: u64 = 1 << 26;

/// A step takes no longer: what takes more time has made more steps.
const NANOSECONDS_A_STEP: u128 = 100;

/// Why a search has no end.
pub(crate) enum Unfinished {
    /// It takes too long.
    Slow,
    /// The library does not take the pattern, and says this.
    Refused(String),
}

/// A pattern in the library's syntax.
#[derive(Debug, Clone)]
pub(crate) struct BoundedSearch {
    whole_text: Limited<3>,
    /// It fits where the search starts, or nowhere.
    one_place: Limited<5>,
    /// How many steps one is worth: of what numbers repeat, each goes forth often without going back.
    weight: u64,
    /// About how many parts the pattern has.
    parts: u64,
}

impl BoundedSearch {
    /// `repeats`: how often numbers have parts of it repeated.
    pub fn new(pattern: &str, repeats: u64) -> Self {
        Self {
            whole_text: Limited::new(pattern.to_owned(), WHOLE_TEXT),
            one_place: Limited::new(format!("\\G(?:{pattern})"), ONE_PLACE),
            weight: 1 + repeats / 10,
            parts: pattern.len() as u64 + 10 * repeats,
        }
    }

    /// What the library has against the pattern.
    pub fn check(&self) -> Result<(), &str> {
        self.whole_text.regex(1).map(drop)
    }

    /// The first match from `start` on; what is left of `steps` stays there. A match in `start` is one of `first`.
    pub fn next<'t>(
        &self,
        first: &Self,
        text: &'t str,
        start: usize,
        steps: &mut u64,
    ) -> Result<Option<Captures<'t>>, Unfinished> {
        let left = text.len() - start;
        let mut spend = |cost: usize, begun: Instant| {
            let cost = (cost as u64).saturating_mul(self.weight);
            let passed = (begun.elapsed().as_nanos() / NANOSECONDS_A_STEP) as u64;
            *steps = steps.checked_sub(cost.max(passed)).ok_or(Unfinished::Slow)?;
            Ok((passed, *steps))
        };
        spend(left / 100, Instant::now())?;
        if (left as u64).saturating_mul(self.parts) > laser_guard::raised(MOST_PAIRS) {
            return Err(Unfinished::Slow);
        }
        let from = usize::from(left < LONG_TEXT);
        for (number, goes_back) in WHOLE_TEXT.into_iter().enumerate().skip(from) {
            if number > from && goes_back.saturating_mul(left) > MOST_READ {
                break;
            }
            let regex = first.whole_text.regex(number).map_err(Unfinished::refused)?;
            let begun = Instant::now();
            let found = regex.captures_from_pos(text, start);
            spend(goes_back / 5, begun)?;
            if let Ok(found) = found {
                return Ok(found);
            }
        }
        let mut place = start;
        loop {
            let search = if place == start { first } else { self };
            let found = search.in_place(text, place, &mut spend)?;
            let next = text[place..].chars().next().map(|character| place + character.len_utf8());
            match (found, next) {
                (Some(found), _) => return Ok(Some(found)),
                (None, Some(next)) => place = next,
                (None, None) => return Ok(None),
            }
        }
    }

    /// A match that begins in `place`.
    fn in_place<'t>(
        &self,
        text: &'t str,
        place: usize,
        spend: &mut impl FnMut(usize, Instant) -> Result<(u64, u64), Unfinished>,
    ) -> Result<Option<Captures<'t>>, Unfinished> {
        for (number, goes_back) in ONE_PLACE.into_iter().enumerate() {
            let regex = self.one_place.regex(number).map_err(Unfinished::refused)?;
            let begun = Instant::now();
            let found = regex.captures_from_pos(text, place);
            let cost = if found.is_ok() { 1 } else { goes_back / 5 };
            let (passed, left) = spend(cost, begun)?;
            match found {
                Ok(found) => return Ok(found),
                // Ten times as often takes ten times as long.
                Err(_) if passed.saturating_mul(10) > left => return Err(Unfinished::Slow),
                Err(_)
                    if (goes_back * 10).saturating_mul(text.len() - place)
                        > laser_guard::raised_size(MOST_READ_IN_PLACE) =>
                {
                    break;
                }
                Err(_) => {}
            }
        }
        Err(Unfinished::Slow)
    }
}

impl Unfinished {
    fn refused(why: &str) -> Self {
        Self::Refused(why.to_owned())
    }
}

/// One pattern, made ready for each limit when that is first needed.
#[derive(Debug, Clone)]
struct Limited<const N: usize> {
    pattern: String,
    limits: [usize; N],
    regexes: [OnceLock<Result<Regex, String>>; N],
}

impl<const N: usize> Limited<N> {
    fn new(pattern: String, limits: [usize; N]) -> Self {
        Self { pattern, limits, regexes: [const { OnceLock::new() }; N] }
    }

    fn regex(&self, number: usize) -> Result<&Regex, &str> {
        let build = || {
            let built = RegexBuilder::new(&self.pattern).backtrack_limit(self.limits[number]).build();
            built.map_err(|error| error.to_string())
        };
        self.regexes[number].get_or_init(build).as_ref().map_err(String::as_str)
    }
}
