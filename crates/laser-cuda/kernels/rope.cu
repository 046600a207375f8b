// Rotary positions (arXiv 2104.09864).

// Turns pairs of elements of each head of x [rows, heads * head_dim]: of its first 2 * pairs elements, for cos and sin
// [rows, pairs], the halves' or the neighbours'; the rest stays. Row r goes to row out_rows[r] of `out` (r where the
// list is null), which may be x itself: a thread reads what it writes, and nothing else.
extern "C" __global__ void laser_rope(
    void* out, i32 out_kind, u64 out_stride, const u32* out_rows, const f32* x, u64 x_stride, const f32* cos,
    const f32* sin, u32 rows, u32 heads, u32 head_dim, u32 pairs, i32 neighbours) {
    u32 slots = (head_dim + 1) / 2;
    u32 item = blockIdx.x * blockDim.x + threadIdx.x;
    u32 row = item / (heads * slots);
    if (row >= rows) return;
    u32 rest = item - row * heads * slots;
    u32 head = rest / slots, slot = rest - head * slots;
    const f32* from = x + (u64)row * x_stride + head * head_dim;
    u64 to = (u64)(out_rows ? out_rows[row] : row) * out_stride + head * head_dim;
    if (slot < pairs) {
        u32 first = neighbours ? 2 * slot : slot, second = neighbours ? 2 * slot + 1 : slot + pairs;
        f32 a = from[first], b = from[second];
        f32 c = cos[(u64)row * pairs + slot], s = sin[(u64)row * pairs + slot];
        store(out, to + first, out_kind, a * c - b * s);
        store(out, to + second, out_kind, a * s + b * c);
        return;
    }
    for (u32 i = 2 * slot; i < 2 * slot + 2 && i < head_dim; i++) store(out, to + i, out_kind, from[i]);
}
