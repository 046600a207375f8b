//! How much memory a decomposition takes: of a 7B model's matrix a copy in f64 is 361 MB.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use laser_linalg::{DecomposedMatrix, Svd};
use laser_matrix::{Decompose, Matrix};

/// The system's allocator, which counts.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: every request goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        MOST.fetch_max(NOW.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// The shape is that of a 7B model's MLP, divided by ten; the cut is one that f32 cannot make.
#[test]
fn a_close_cut_of_a_tall_matrix_takes_seven_times_its_memory() {
    let mut state = 1_u64;
    let mut random = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1_u64 << 24) as f32 - 0.5
    };
    let matrix = Matrix::new(1100, 410, (0..1100 * 410).map(|_| random()).collect()).unwrap();
    let sigma = Svd::of(&matrix).unwrap().singular_values().to_vec();
    let rank = (1..sigma.len()).find(|&rank| sigma[rank - 1] - sigma[rank] < 5e-4 * sigma[rank]).unwrap();
    let bytes = size_of_val(matrix.data());
    for matrix in [matrix.transpose(), matrix] {
        let decomposed = DecomposedMatrix::new(matrix);
        // The matrix itself is in memory, too.
        MOST.store(NOW.load(Relaxed), Relaxed);
        let before = NOW.load(Relaxed) - bytes;
        decomposed.components(&[0..rank]).unwrap();
        let most = (MOST.load(Relaxed) - before) as f64 / bytes as f64;
        println!("{most:.1} times the matrix");
        assert!(most < 7.5, "{most}");
        assert!(decomposed.bytes() == 5 * bytes, "the cut was made in f32");
    }
}
