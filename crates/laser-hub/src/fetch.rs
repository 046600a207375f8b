//! Getting a model's or a data set's files: from the hub, or without a connection from the cache.

use std::path::PathBuf;

use crate::{
    dataset_files::{self, DatasetFiles},
    error::{HubError, Result},
    failure::{Failure, RepositoryKind},
    hub::{Download, Hub},
    hub_id::{HubId, is_hub_id},
    model_files,
    repository::Repository,
    snapshot::{self, Snapshot},
};

impl Hub {
    /// The local folder of the model `id`. `progress` hears of every piece that arrives.
    ///
    /// # Errors
    /// No such model, no access to it, no weights that can be read, or no connection and nothing
    /// cached.
    pub fn resolve(&self, id: &str, progress: &mut dyn FnMut(Download<'_>)) -> Result<PathBuf> {
        let Some(HubId { name, revision }) = HubId::parse(id) else {
            let why = "it is not an id: write OWNER/NAME or OWNER/NAME@REVISION".to_owned();
            return Err(HubError { id: id.to_owned(), why });
        };
        let repo = Repository { id: name.to_owned(), of: model_files::KIND.repo, revision: revision.to_owned() };
        self.get(id, &model_files::KIND, repo, progress, |snapshot| {
            model_files::gather(snapshot)?;
            Ok(snapshot.folder.clone())
        })
    }

    /// The Parquet files of one split of a data set, in their order. `progress` hears of every
    /// piece that arrives.
    ///
    /// # Errors
    /// No such data set, configuration or split, no access to it, no Parquet files of the whole
    /// split, or no connection and nothing cached.
    pub fn dataset(&self, dataset: &DatasetFiles, progress: &mut dyn FnMut(Download<'_>)) -> Result<Vec<PathBuf>> {
        let id = &dataset.id;
        if id.contains('@') || !is_hub_id(id) {
            let why = "it is not a data set's id: write OWNER/NAME".to_owned();
            return Err(HubError { id: id.clone(), why });
        }
        let repo =
            Repository { id: id.clone(), of: dataset_files::KIND.repo, revision: dataset_files::REVISION.to_owned() };
        self.get(id, &dataset_files::KIND, repo, progress, |snapshot| dataset_files::gather(snapshot, dataset))
    }

    /// What `gather` makes of a repository's newest commit, or without a connection of the commit
    /// in the cache.
    fn get<T>(
        &self,
        id: &str,
        kind: &RepositoryKind,
        repo: Repository,
        progress: &mut dyn FnMut(Download<'_>),
        gather: impl Fn(&mut Snapshot<'_>) -> std::result::Result<T, Failure>,
    ) -> Result<T> {
        let failed = |why: String| HubError { id: id.to_owned(), why: why.replace(['\n', '\r'], " ") };
        let cached = |repo: &Repository| {
            let gathered = snapshot::cached(&self.cache, repo).and_then(|mut snapshot| gather(&mut snapshot));
            gathered.map_err(|failure| failure.why(kind))
        };
        if self.offline {
            return cached(&repo).map_err(|missing| {
                failed(format!("HF_HUB_OFFLINE is set, and {missing}: unset it, or fetch the {} first", kind.noun))
            });
        }
        match snapshot::fetch(self, &repo, progress, &gather) {
            // Without a connection, what is whole in the cache still serves.
            Err(Failure::Unreachable(why)) => cached(&repo)
                .map_err(|missing| failed(format!("{why}, and {missing}: check the connection and run this again"))),
            Err(failure) => Err(failed(failure.why(kind))),
            Ok(gathered) => Ok(gathered),
        }
    }
}
