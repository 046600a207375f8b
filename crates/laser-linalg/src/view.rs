//! Our matrices as faer sees them.

use faer::{MatMut, MatRef};

use laser_matrix::Matrix;

pub(crate) fn view(matrix: &Matrix) -> MatRef<'_, f32> {
    MatRef::from_row_major_slice(matrix.data(), matrix.rows(), matrix.cols())
}

pub(crate) fn view_mut(matrix: &mut Matrix) -> MatMut<'_, f32> {
    let (rows, cols) = (matrix.rows(), matrix.cols());
    MatMut::from_row_major_slice_mut(matrix.data_mut(), rows, cols)
}
