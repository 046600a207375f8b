//! Singular values of a checkpoint's matrices, computed once: kept in the user's cache under the matrix's content hash.

use crate::error::Result;
use etcetera::base_strategy::{BaseStrategy, choose_native_strategy};
use laser_checkpoint::Checkpoint;
use laser_edit::MatrixId;
use laser_linalg::Spectrum;
use laser_matrix::Matrix;
use laser_run::write_whole;
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::{env, fs};

/// No spectrum is larger, in bytes.
const LARGEST: u64 = 1 << 24;

/// Where spectra are kept.
pub struct SpectraCache {
    /// `None` where the system names no place for caches: spectra are then computed each time.
    folder: Option<PathBuf>,
}

impl SpectraCache {
    /// `LASER_CACHE`, or `laser` in the user's cache folder.
    pub fn open() -> Self {
        let own = env::var_os("LASER_CACHE").filter(|value| !value.is_empty()).map(PathBuf::from);
        let general = || Some(choose_native_strategy().ok()?.cache_dir().join("laser"));
        Self { folder: own.or_else(general).map(|folder| folder.join("spectra")) }
    }

    /// The spectrum of a matrix, from the cache or computed. That a cache cannot be written is not an error.
    ///
    /// # Errors
    /// If the matrix cannot be read or decomposed.
    pub fn spectrum(&self, checkpoint: &Checkpoint, layer: usize, matrix: MatrixId) -> Result<Spectrum> {
        let matrix = checkpoint.matrix(layer, matrix)?;
        let path = self.folder.as_ref().map(|folder| folder.join(format!("{}.f32", hash(&matrix))));
        if let Some(kept) = path.as_ref().and_then(|path| laser_guard::read_file(path, LARGEST).ok()) {
            // A file that is not what was written of this matrix is made anew.
            if let Some(spectrum) = read(&kept, &matrix) {
                return Ok(spectrum);
            }
        }
        let spectrum = Spectrum::of(&matrix)?;
        if let Some(path) = &path {
            let mut bytes: Vec<u8> = spectrum.singular_values().iter().flat_map(|value| value.to_le_bytes()).collect();
            bytes.extend(Sha256::digest(&bytes));
            let _ = path.parent().map(fs::create_dir_all);
            let _ = write_whole(path, &bytes);
        }
        Ok(spectrum)
    }
}

/// The singular values of `matrix` that a file holds: in falling order, with the hash behind them that they were written with, and
/// with the matrix's own norm.
fn read(kept: &[u8], matrix: &Matrix) -> Option<Spectrum> {
    let (values, hash) = kept.split_at_checked(kept.len().checked_sub(32)?)?;
    if Sha256::digest(values)[..] != *hash {
        return None;
    }
    let (values, rest) = values.as_chunks::<4>();
    let values = values.iter().map(|&value| f32::from_le_bytes(value)).collect();
    let spectrum = Spectrum::new(matrix.rows(), matrix.cols(), values).ok().filter(|_| rest.is_empty())?;
    let norm = spectrum.singular_values().iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
    let expected = matrix.frobenius_norm();
    ((norm - expected).abs() <= 1e-3 * expected).then_some(spectrum)
}

/// Of the shape and the values.
fn hash(matrix: &Matrix) -> String {
    let mut hash = Sha256::new();
    hash.update((matrix.rows() as u64).to_le_bytes());
    hash.update((matrix.cols() as u64).to_le_bytes());
    for piece in matrix.data().chunks(1 << 16) {
        let bytes: Vec<u8> = piece.iter().flat_map(|value| value.to_le_bytes()).collect();
        hash.update(&bytes);
    }
    format!("{:x}", hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_spectrum_that_was_written_of_the_matrix_is_believed() {
        let matrix = Matrix::new(2, 3, vec![3.0, 0.0, 0.0, 0.0, 4.0, 0.0]).unwrap();
        let file = |values: [f32; 2]| {
            let mut bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            bytes.extend(Sha256::digest(&bytes));
            bytes
        };
        let good = file([4.0, 3.0]);
        assert_eq!(read(&good, &matrix).unwrap().singular_values(), [4.0, 3.0]);
        for values in [[0.0, 0.0], [3.0, 4.0], [4.0, 2.0], [f32::NAN, 3.0]] {
            assert!(read(&file(values), &matrix).is_none(), "{values:?}");
        }
        for i in 0..good.len() {
            let mut flipped = good.clone();
            flipped[i] ^= 1;
            assert!(read(&flipped, &matrix).is_none() && read(&good[..i], &matrix).is_none(), "{i}");
        }
    }
}
