//! How a task is opened.

use std::path::{Path, PathBuf};

use crate::OnBadRow;

/// How a task is opened.
pub struct OpenOptions<'a> {
    /// A file to take the examples from, not the data that the task names.
    pub data: Option<&'a Path>,
    /// Prompts as the paper's published code has them, its slips included: the variable `paper_compat` of the templates.
    pub paper_compat: bool,
    /// What becomes of rows that cannot be used; none: an error in a user's own file, left out in a data set of the hub.
    pub on_bad_row: Option<OnBadRow>,
    /// Which of a YAML file's metrics says what is right, as `NAME` or `NAME,FILTER`; the first that can where it is not said.
    pub metric: Option<&'a str>,
    /// Gives the files of a split of a data set of the Hugging Face hub, or says in one line why it cannot.
    pub fetch: &'a dyn Fn(&HubSplit) -> Result<Vec<PathBuf>, String>,
}

/// One split of a data set of the Hugging Face hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubSplit {
    /// The data set, `OWNER/NAME`.
    pub dataset: String,
    /// Its configuration, where the task names one.
    pub config: Option<String>,
    /// The split.
    pub split: String,
}

impl Default for OpenOptions<'_> {
    fn default() -> Self {
        let fetch =
            &|_: &HubSplit| Err("data sets of the hub are not fetched here: give the data as a file".to_owned());
        Self { data: None, paper_compat: false, metric: None, on_bad_row: None, fetch }
    }
}
