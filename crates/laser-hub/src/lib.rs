//! Models and data sets by their Hugging Face hub id, `OWNER/NAME` or for a model also
//! `OWNER/NAME@REVISION`: fetched once into the cache folder that all of Hugging Face's programs
//! share, and found there again.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod dataset_files;
mod download;
mod error;
mod failure;
mod fetch;
#[cfg(test)]
mod hostile_tests;
mod hub;
mod hub_id;
mod model_files;
mod repository;
mod snapshot;
#[cfg(test)]
mod tests;
mod web;

pub use dataset_files::DatasetFiles;
pub use error::{HubError, Result};
pub use hub::{Download, Hub};
pub use hub_id::is_hub_id;
