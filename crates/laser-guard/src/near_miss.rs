//! What somebody meant who wrote a name that there is not.

/// The name of `names` that differs from `found` in a third of its letters at most; the nearest of several.
pub fn nearest<'n>(found: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let found = found.to_lowercase();
    let distance = |name: &&str| strsim::damerau_levenshtein(name, &found);
    names.into_iter().min_by_key(distance).filter(|name| 3 * distance(name) <= name.chars().count())
}

/// A question whether another name was meant, with a space behind it; empty where none is near.
pub fn did_you_mean<'n>(found: &str, names: impl IntoIterator<Item = &'n str>) -> String {
    nearest(found, names).map_or_else(String::new, |name| format!("did you mean {name}? "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_names_are_meant() {
        let names = ["answer", "answers", "prompt", "id"];
        assert_eq!(did_you_mean("Promt", names), "did you mean prompt? ");
        assert_eq!(did_you_mean("answrs", names), "did you mean answers? ");
        for far in ["question", "x", "", "di"] {
            assert_eq!(did_you_mean(far, names), "", "{far}");
        }
    }
}
