//! What checks of edits need to know of a model, from its configuration.

use laser_edit::ModelShape;

use crate::Config;
use laser_edit::MatrixKind;

impl ModelShape for Config {
    fn layers(&self) -> usize {
        self.layers
    }

    fn matrices(&self) -> &[MatrixKind] {
        &self.matrices
    }

    fn matrix_shape(&self, kind: MatrixKind) -> [usize; 2] {
        let queries = self.heads * self.head_dim;
        let keys = self.kv_heads * self.head_dim;
        match kind {
            MatrixKind::QProj => [queries, self.hidden_size],
            MatrixKind::KProj | MatrixKind::VProj => [keys, self.hidden_size],
            MatrixKind::OutProj => [self.hidden_size, queries],
            MatrixKind::FcIn | MatrixKind::FcUp => [self.intermediate_size, self.hidden_size],
            MatrixKind::FcOut => [self.hidden_size, self.intermediate_size],
        }
    }

    fn experts(&self, kind: MatrixKind) -> Option<usize> {
        self.experts_of(kind).map(|experts| experts.count)
    }
}
