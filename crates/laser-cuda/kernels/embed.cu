// Tokens to the residual stream.

// out[r] = table[tokens[r]] * scale + positions[position_rows[r]]; `positions` may be null.
extern "C" __global__ void laser_embed(
    f32* out, const void* table, i32 table_kind, const u32* tokens, f32 scale, const f32* positions,
    const u32* position_rows, u32 rows, u32 width) {
    u32 quads = (width + 3) / 4;
    u32 item = blockIdx.x * blockDim.x + threadIdx.x;
    u32 row = item / quads;
    if (row >= rows) return;
    u32 column = (item - row * quads) * 4;
    u32 here = width - column < 4 ? width - column : 4;
    bool whole = here == 4 && (width & 3) == 0 && aligned(out) && aligned(table) && aligned(positions);
    Quad value = load_quad(table, (u64)tokens[row] * width + column, table_kind, here, whole);
    for (u32 j = 0; j < 4; j++) value.v[j] *= scale;
    if (positions) {
        Quad position = load_quad(positions, (u64)position_rows[row] * width + column, F32, here, whole);
        for (u32 j = 0; j < 4; j++) value.v[j] += position.v[j];
    }
    store_quad(out, (u64)row * width + column, F32, value, here, whole);
}
