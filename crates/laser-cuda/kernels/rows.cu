// Rows from one place to another: gather, scatter, slices, concatenation, and changes of the stored kind.

// out[out_rows[r]] = in[in_rows[r]] for each of `rows`; a list that is null counts 0, 1, 2 ... Strides are in elements.
extern "C" __global__ void laser_move_rows(
    void* out, i32 out_kind, u64 out_stride, const u32* out_rows, const void* in, i32 in_kind, u64 in_stride,
    const u32* in_rows, u32 rows, u32 width) {
    u32 quads = (width + 3) / 4;
    u32 item = blockIdx.x * blockDim.x + threadIdx.x;
    u32 row = item / quads;
    if (row >= rows) return;
    u32 column = (item - row * quads) * 4;
    u64 to = (u64)(out_rows ? out_rows[row] : row) * out_stride + column;
    u64 from = (u64)(in_rows ? in_rows[row] : row) * in_stride + column;
    u32 here = width - column < 4 ? width - column : 4;
    bool whole = here == 4 && (out_stride & 3) == 0 && (in_stride & 3) == 0 && aligned(out) && aligned(in);
    store_quad(out, to, out_kind, load_quad(in, from, in_kind, here, whole), here, whole);
}
