// Grouped-query attention over indexed rows: softmax(scores(q k')) v.
//
// Query i sees the cache rows seen[ends[i - 1]..ends[i]], in that order, so sequences of any lengths, shared prefixes and
// windows need neither padding nor a mask. A warp takes one query and one head. Its 32 lanes are four streams of eight:
// stream s goes through the rows s, s + 4, s + 8 ... with a softmax of its own that is corrected when a larger score comes
// (arXiv 1805.02867), and the streams are joined at the end. So a query's result depends on its own rows alone. Neighbouring
// queries share a block: they mostly see the same rows, which the first-level cache then holds.

#define ATTENTION_BLOCK 256
#define ATTENTION_WARPS (ATTENTION_BLOCK / 32)
// Rows that a stream has in flight at a time.
#define ATTENTION_STEP 2

// Eight elements of a head that begins at `head`. Those beyond its end stand for others that are there: what is asked of
// them is 0, and what comes of them is not stored.
template <i32 KIND, bool VECTORS>
__device__ __forceinline__ void load_octet(f32 (&value)[8], const void* base, u64 head, u32 first, u32 head_dim) {
    if (!VECTORS) {
#pragma unroll
        for (u32 j = 0; j < 8; j++) {
            value[j] = load(base, head + (first + j < head_dim ? first + j : head_dim - 1), KIND);
        }
        return;
    }
    u64 i = head + (first < head_dim ? first : 0);
    if (KIND == F32) {
        float4 a = *(const float4*)((const f32*)base + i), b = *(const float4*)((const f32*)base + i + 4);
        value[0] = a.x, value[1] = a.y, value[2] = a.z, value[3] = a.w;
        value[4] = b.x, value[5] = b.y, value[6] = b.z, value[7] = b.w;
    } else {
        uint4 x = *(const uint4*)((const u16*)base + i);
        u32 words[4] = {x.x, x.y, x.z, x.w};
#pragma unroll
        for (i32 j = 0; j < 4; j++) {
            value[2 * j] = KIND == BF16 ? from_bf16(words[j] & 0xffff) : from_f16(words[j] & 0xffff);
            value[2 * j + 1] = KIND == BF16 ? from_bf16(words[j] >> 16) : from_f16(words[j] >> 16);
        }
    }
}

// How fast scores of a head fall with distance, of so many heads: `AttentionScores::slopes` of the Rust side.
__device__ __forceinline__ f32 slope_of(u32 head, u32 heads, f32 alibi) {
    u32 below = 1;
    while (below * 2 <= heads) below *= 2;
    f32 exponent = head < below ? (f32)(head + 1) / (f32)below : (f32)(2 * (head - below) + 1) / (f32)(2 * below);
    return exp2f(-alibi * exponent);
}

// For heads of up to 64 * OCTETS elements; lane `part` of a stream has the elements (8 o + part) * 8 .. + 8 for each o.
// VECTORS: each eight of them lie in one aligned piece.
template <i32 OCTETS, bool VECTORS, i32 KIND>
__device__ __forceinline__ void attend(
    void* out, i32 out_kind, u64 out_stride, const f32* q, u64 q_stride, const void* keys, u64 key_stride,
    const void* values, u64 value_stride, const u32* ends, const u32* seen, u32 queries, u32 heads, u32 group,
    u32 head_dim, f32 scale, f32 softcap, f32 alibi) {
    u32 lane = threadIdx.x % 32, stream = lane / 8, part = lane % 8;
    u32 head = blockIdx.x % heads;
    u32 query = blockIdx.x / heads * ATTENTION_WARPS + threadIdx.x / 32;
    if (query >= queries) return; // A whole warp.
    u64 of_head = (u64)(head / group) * head_dim;

    f32 asked[OCTETS][8], sums[OCTETS][8];
#pragma unroll
    for (i32 o = 0; o < OCTETS; o++) {
        u32 first = (o * 8 + part) * 8;
        load_octet<F32, VECTORS>(asked[o], q, query * q_stride + head * head_dim, first, head_dim);
#pragma unroll
        for (u32 j = 0; j < 8; j++) {
            asked[o][j] = first + j < head_dim ? asked[o][j] : 0.0f;
            sums[o][j] = 0.0f;
        }
    }
    f32 slope = alibi > 0.0f ? slope_of(head, heads, alibi) : 0.0f;
    f32 largest = MINUS_INFINITY, total = 0.0f;
    u32 begin = query == 0 ? 0 : ends[query - 1], end = ends[query];
    for (u32 start = begin; start < end; start += 4 * ATTENTION_STEP) {
        f32 score[ATTENTION_STEP];
        u32 row[ATTENTION_STEP];
        bool there[ATTENTION_STEP];
        f32 largest_now = largest;
#pragma unroll
        for (i32 step = 0; step < ATTENTION_STEP; step++) {
            u32 i = start + step * 4 + stream;
            there[step] = i < end;
            row[step] = seen[there[step] ? i : begin];
            f32 dot = 0.0f;
#pragma unroll
            for (i32 o = 0; o < OCTETS; o++) {
                f32 key[8];
                load_octet<KIND, VECTORS>(
                    key, keys, row[step] * key_stride + of_head, (o * 8 + part) * 8, head_dim);
#pragma unroll
                for (i32 j = 0; j < 8; j++) dot += asked[o][j] * key[j];
            }
            score[step] = dot;
        }
#pragma unroll
        for (i32 step = 0; step < ATTENTION_STEP; step++) {
            f32 dot = score[step];
            dot += __shfl_xor_sync(FULL_WARP, dot, 1);
            dot += __shfl_xor_sync(FULL_WARP, dot, 2);
            dot += __shfl_xor_sync(FULL_WARP, dot, 4);
            dot *= scale;
            if (softcap > 0.0f) dot = softcap * tanhf(dot / softcap);
            if (alibi > 0.0f && there[step]) dot -= slope * (f32)(end - 1 - (start + step * 4 + stream));
            score[step] = there[step] ? dot : MINUS_INFINITY;
            largest_now = fmaxf(largest_now, score[step]);
        }
        if (largest_now > largest) {
            f32 correction = expf(largest - largest_now);
            total *= correction;
#pragma unroll
            for (i32 o = 0; o < OCTETS; o++) {
#pragma unroll
                for (i32 j = 0; j < 8; j++) sums[o][j] *= correction;
            }
            largest = largest_now;
        }
#pragma unroll
        for (i32 step = 0; step < ATTENTION_STEP; step++) {
            f32 weight = there[step] ? expf(score[step] - largest) : 0.0f;
            total += weight;
#pragma unroll
            for (i32 o = 0; o < OCTETS; o++) {
                f32 value[8];
                load_octet<KIND, VECTORS>(
                    value, values, row[step] * value_stride + of_head, (o * 8 + part) * 8, head_dim);
#pragma unroll
                for (i32 j = 0; j < 8; j++) sums[o][j] += weight * value[j];
            }
        }
    }
    // The first stream ends up with ((0 + 1) + (2 + 3)); the others' numbers are not used.
#pragma unroll
    for (i32 offset = 8; offset <= 16; offset *= 2) {
        f32 other_largest = __shfl_xor_sync(FULL_WARP, largest, offset);
        f32 other_total = __shfl_xor_sync(FULL_WARP, total, offset);
        f32 joint = fmaxf(largest, other_largest);
        f32 own = total > 0.0f ? expf(largest - joint) : 0.0f;
        f32 other = other_total > 0.0f ? expf(other_largest - joint) : 0.0f;
        total = total * own + other_total * other;
        largest = joint;
#pragma unroll
        for (i32 o = 0; o < OCTETS; o++) {
#pragma unroll
            for (i32 j = 0; j < 8; j++) {
                f32 other_sum = __shfl_xor_sync(FULL_WARP, sums[o][j], offset);
                sums[o][j] = sums[o][j] * own + other_sum * other;
            }
        }
    }
    if (stream != 0) return;
    f32 share = total > 0.0f ? 1.0f / total : 0.0f;
    u64 to = query * out_stride + head * head_dim;
#pragma unroll
    for (i32 o = 0; o < OCTETS; o++) {
#pragma unroll
        for (i32 half = 0; half < 2; half++) {
            u32 first = (o * 8 + part) * 8 + half * 4;
            if (first >= head_dim) continue;
            u32 here = head_dim - first < 4 ? head_dim - first : 4;
            Quad quad;
#pragma unroll
            for (i32 j = 0; j < 4; j++) quad.v[j] = sums[o][half * 4 + j] * share;
            store_quad(out, to + first, out_kind, quad, here, VECTORS);
        }
    }
}

#define ATTENTION(NAME, OCTETS, VECTORS)                                                                               \
    extern "C" __global__ void NAME(                                                                                   \
        void* out, i32 out_kind, u64 out_stride, const f32* q, u64 q_stride, const void* keys, u64 key_stride,         \
        const void* values, u64 value_stride, i32 kind, const u32* ends, const u32* seen, u32 queries, u32 heads,      \
        u32 group, u32 head_dim, f32 scale, f32 softcap, f32 alibi) {                                                  \
        if (kind == F32) {                                                                                             \
            attend<OCTETS, VECTORS, F32>(out, out_kind, out_stride, q, q_stride, keys, key_stride, values,             \
                value_stride, ends, seen, queries, heads, group, head_dim, scale, softcap, alibi);                     \
        } else if (kind == BF16) {                                                                                     \
            attend<OCTETS, VECTORS, BF16>(out, out_kind, out_stride, q, q_stride, keys, key_stride, values,            \
                value_stride, ends, seen, queries, heads, group, head_dim, scale, softcap, alibi);                     \
        } else {                                                                                                       \
            attend<OCTETS, VECTORS, F16>(out, out_kind, out_stride, q, q_stride, keys, key_stride, values,             \
                value_stride, ends, seen, queries, heads, group, head_dim, scale, softcap, alibi);                     \
        }                                                                                                              \
    }

// Heads of up to so many elements, a multiple of 8, all rows aligned to 16 bytes; and any other heads of up to 256.
ATTENTION(laser_attention_64, 1, true)
ATTENTION(laser_attention_128, 2, true)
ATTENTION(laser_attention_256, 4, true)
ATTENTION(laser_attention_any, 4, false)
