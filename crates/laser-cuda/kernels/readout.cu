// What is read off the logits of a row: the most likely token, log-probabilities and ranks of the tokens asked for.
//
// Logits come a slice of the vocabulary at a time, [rows, tokens], from token `first` on, a multiple of READOUT_TILE. A tile
// of them gives its largest logit, the first token that has it, and the sum of exp(logit - largest); tiles are joined in
// one fixed order, so slices of any size give the same bits. Ranks need the asked tokens' own logits first: a second pass.

#define READOUT_BLOCK 256
#define READOUT_TILE 1024

__device__ __forceinline__ f32 capped(f32 logit, f32 softcap) {
    return softcap > 0.0f ? softcap * tanhf(logit / softcap) : logit;
}

// The larger logit and its token; of equal ones the lower token.
__device__ __forceinline__ void prefer(f32& largest, u32& token, f32 other, u32 other_token) {
    if (other > largest || (other == largest && other_token < token)) {
        largest = other;
        token = other_token;
    }
}

__device__ __forceinline__ void warp_prefer(f32& largest, u32& token) {
#pragma unroll
    for (i32 offset = 16; offset > 0; offset /= 2) {
        f32 other = __shfl_xor_sync(FULL_WARP, largest, offset);
        u32 other_token = __shfl_xor_sync(FULL_WARP, token, offset);
        prefer(largest, token, other, other_token);
    }
}

// A block takes a tile of a row: `largest`, `best` and `sums` are [rows, tiles], of the whole vocabulary.
extern "C" __global__ void laser_read_tiles(
    f32* largest, u32* best, f32* sums, const f32* logits, u64 stride, u32 rows, u32 first, u32 tokens, u32 tiles,
    f32 softcap) {
    __shared__ f32 of_warps[READOUT_BLOCK / 32];
    __shared__ u32 token_of_warps[READOUT_BLOCK / 32];
    u32 tiles_here = (tokens + READOUT_TILE - 1) / READOUT_TILE;
    u32 row = blockIdx.x / tiles_here, tile = blockIdx.x - row * tiles_here;
    const f32* from = logits + row * stride + (u64)tile * READOUT_TILE;
    u32 count = tokens - tile * READOUT_TILE < READOUT_TILE ? tokens - tile * READOUT_TILE : READOUT_TILE;
    f32 logit[READOUT_TILE / READOUT_BLOCK];
    f32 max = MINUS_INFINITY;
    u32 token = 0xffffffffu;
#pragma unroll
    for (u32 j = 0; j < READOUT_TILE / READOUT_BLOCK; j++) {
        u32 i = j * READOUT_BLOCK + threadIdx.x;
        logit[j] = i < count ? capped(from[i], softcap) : MINUS_INFINITY;
        if (i < count) prefer(max, token, logit[j], first + tile * READOUT_TILE + i);
    }
    warp_prefer(max, token);
    u32 warp = threadIdx.x / 32;
    if (threadIdx.x % 32 == 0) of_warps[warp] = max, token_of_warps[warp] = token;
    __syncthreads();
    max = of_warps[0], token = token_of_warps[0];
    for (u32 w = 1; w < READOUT_BLOCK / 32; w++) prefer(max, token, of_warps[w], token_of_warps[w]);
    f32 sum = 0.0f;
#pragma unroll
    for (u32 j = 0; j < READOUT_TILE / READOUT_BLOCK; j++) {
        bool counts = j * READOUT_BLOCK + threadIdx.x < count && max > MINUS_INFINITY;
        sum += counts ? expf(logit[j] - max) : 0.0f;
    }
    sum = warp_sum(sum);
    __syncthreads();
    if (threadIdx.x % 32 == 0) of_warps[warp] = sum;
    __syncthreads();
    if (threadIdx.x > 0) return;
    sum = 0.0f;
    for (u32 w = 0; w < READOUT_BLOCK / 32; w++) sum += of_warps[w];
    u64 to = (u64)row * tiles + first / READOUT_TILE + tile;
    largest[to] = max;
    best[to] = token;
    sums[to] = sum;
}

// Joins the tiles of each row: its most likely token, and log(sum of exp(logit)). A warp takes a row.
extern "C" __global__ void laser_join_tiles(
    u32* argmax, f64* normaliser, const f32* largest, const u32* best, const f32* sums, u32 rows, u32 tiles) {
    u32 row = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
    if (row >= rows) return; // A whole warp.
    u64 from = (u64)row * tiles;
    f32 max = MINUS_INFINITY;
    u32 token = 0xffffffffu;
    for (u32 tile = lane; tile < tiles; tile += 32) prefer(max, token, largest[from + tile], best[from + tile]);
    warp_prefer(max, token);
    f64 sum = 0.0;
    for (u32 tile = lane; tile < tiles; tile += 32) {
        f32 of_tile = sums[from + tile];
        if (of_tile > 0.0f) sum += (f64)of_tile * exp((f64)largest[from + tile] - (f64)max);
        if (of_tile != of_tile) sum = of_tile; // Not a number, and nor is the sum.
    }
#pragma unroll
    for (i32 offset = 16; offset > 0; offset /= 2) sum += __shfl_xor_sync(FULL_WARP, sum, offset);
    if (lane > 0) return;
    argmax[row] = token == 0xffffffffu ? 0 : token;
    normaliser[row] = (f64)max + log(sum);
}

// wanted_logits[w] = the logit of token wanted_tokens[w] in row wanted_rows[w], where that token is in this slice.
extern "C" __global__ void laser_read_wanted(
    f32* wanted_logits, const u32* wanted_rows, const u32* wanted_tokens, u32 wanted, const f32* logits, u64 stride,
    u32 first, u32 tokens, f32 softcap) {
    u32 w = blockIdx.x * blockDim.x + threadIdx.x;
    if (w >= wanted) return;
    u32 token = wanted_tokens[w];
    if (token < first || token - first >= tokens) return;
    wanted_logits[w] = capped(logits[wanted_rows[w] * stride + (token - first)], softcap);
}

// logprobs[w] = logit - normaliser, in nats.
extern "C" __global__ void laser_read_logprobs(
    f64* logprobs, const f32* wanted_logits, const u32* wanted_rows, const f64* normaliser, u32 wanted) {
    u32 w = blockIdx.x * blockDim.x + threadIdx.x;
    if (w >= wanted) return;
    logprobs[w] = (f64)wanted_logits[w] - normaliser[wanted_rows[w]];
}

// ranks[w] += how many tokens of this slice are more likely than the wanted one; equal ones count with lower numbers.
// A block takes a wanted token.
extern "C" __global__ void laser_read_ranks(
    u32* ranks, const u32* wanted_rows, const u32* wanted_tokens, const f32* wanted_logits, const f32* logits,
    u64 stride, u32 first, u32 tokens, f32 softcap) {
    __shared__ u32 of_threads[READOUT_BLOCK];
    u32 w = blockIdx.x;
    const f32* from = logits + wanted_rows[w] * stride;
    f32 wanted = wanted_logits[w];
    u32 token = wanted_tokens[w], count = 0;
    for (u32 i = threadIdx.x; i < tokens; i += READOUT_BLOCK) {
        f32 logit = capped(from[i], softcap);
        count += logit > wanted || (logit == wanted && first + i < token);
    }
    of_threads[threadIdx.x] = count;
    __syncthreads();
    if (threadIdx.x > 0) return;
    count = 0;
    for (u32 t = 0; t < READOUT_BLOCK; t++) count += of_threads[t];
    ranks[w] += count;
}
