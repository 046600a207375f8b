//! Every layer, matrix, number of row blocks and kept fraction.

use super::{Account, Strategy, somewhere};
use crate::run_folder::RunFolder;
use crate::sweep::Sweep;
use crate::{Error, Result};
use laser_checkpoint::{Edit, Intervention, MatrixId};
use laser_engine::Candidate;
use laser_linalg::Rho;
use std::num::NonZeroUsize;

/// The paper's table 5, one reduction at a time: ordered by layer, then matrix, then as the numbers of row blocks and the
/// fractions were given. One block is the whole matrix, which may be approximated at random as in the paper's code.
pub fn exhaustive(
    layers: &[usize],
    matrices: &[MatrixId],
    blocks: &[NonZeroUsize],
    rhos: &[Rho],
    randomised: bool,
) -> Result<Vec<Candidate>> {
    somewhere(layers, matrices)?;
    if rhos.is_empty() || blocks.is_empty() {
        return Err(Error::NoCandidates { why: "no rho or no number of blocks was chosen" });
    }
    let (blocks, rhos) = (different(blocks), different(rhos));
    let mut candidates = Vec::with_capacity(layers.len() * matrices.len() * blocks.len() * rhos.len());
    for &layer in layers {
        for &matrix in matrices {
            for &blocks in &blocks {
                for &rho in &rhos {
                    let edit = match blocks.get() {
                        1 if randomised => Edit::Randomised(rho),
                        1 => Edit::Rho(rho),
                        _ => Edit::Blocks { blocks, rho },
                    };
                    candidates.push(Candidate::new([Intervention { layer, matrix, edit }])?);
                }
            }
        }
    }
    Ok(candidates)
}

/// Scores every candidate.
#[derive(Debug, Clone, Copy)]
pub struct All;

impl Strategy for All {
    fn run(&self, sweep: &mut Sweep, space: &[Candidate], _: &RunFolder) -> Result<Account> {
        sweep.score("validation", space)?;
        Ok(Account::of(sweep, space))
    }
}

/// The items without repetitions, in their order.
fn different<T: PartialEq + Copy>(items: &[T]) -> Vec<T> {
    (0..items.len()).filter(|&i| !items[..i].contains(&items[i])).map(|i| items[i]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use laser_checkpoint::MatrixKind;

    #[test]
    fn one_candidate_for_each_combination_in_order() {
        let blocks = [1, 4, 1].map(|blocks| NonZeroUsize::new(blocks).unwrap());
        let rhos = [0.5, 0.1, 0.5].map(|rho| Rho::new(rho).unwrap());
        let matrices = [MatrixKind::FcIn.into(), MatrixKind::FcOut.into()];
        let candidates = exhaustive(&[3, 7], &matrices, &blocks, &rhos, false).unwrap();
        let names: Vec<String> = candidates.iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), 2 * 2 * 2 * 2);
        assert_eq!(names[..4], ["3.fc_in:0.5", "3.fc_in:0.1", "3.fc_in:blocks=4,0.5", "3.fc_in:blocks=4,0.1"]);
        assert_eq!(names[15], "7.fc_out:blocks=4,0.1");
        assert!(exhaustive(&[], &matrices, &blocks, &rhos, false).is_err());
        assert!(exhaustive(&[1], &[], &blocks, &rhos, false).is_err());
        assert!(exhaustive(&[1], &matrices, &blocks, &[], false).is_err());
    }
}
