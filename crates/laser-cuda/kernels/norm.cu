// Root-mean-square and layer normalisation of rows.
//
// rms: x / sqrt(mean(x^2) + eps) (arXiv 1910.07467); layer: (x - mean(x)) / sqrt(var(x) + eps) (arXiv 1607.06450);
// then times weight, plus bias. A team of 32 threads, or of a whole block of 256, takes a row: which of the two is the
// caller's choice by the row's width, so that the order of the sums depends on the width alone.

#define NORM_BLOCK 256

// The sum over a team, the same bits in each of its threads.
template <u32 TEAM> __device__ __forceinline__ f32 team_sum(f32 value) {
    value = warp_sum(value);
    if (TEAM == 32) return value;
    __shared__ f32 of_warps[NORM_BLOCK / 32];
    __syncthreads();
    if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = value;
    __syncthreads();
    f32 sum = 0.0f;
    for (u32 warp = 0; warp < NORM_BLOCK / 32; warp++) sum += of_warps[warp];
    return sum;
}

template <u32 TEAM>
__device__ __forceinline__ void normalise(
    void* out, i32 out_kind, const f32* x, u64 x_stride, const f32* weight, const f32* bias, u32 rows, u32 width,
    f32 eps, i32 centred) {
    u32 row = blockIdx.x * (NORM_BLOCK / TEAM) + threadIdx.x / TEAM;
    if (row >= rows) return; // A whole team: with TEAM = 256 there is a block a row.
    u32 member = threadIdx.x % TEAM;
    const f32* from = x + (u64)row * x_stride;
    bool vectors = (width & 3) == 0 && aligned(from) && aligned(weight) && aligned(bias) && aligned(out);
    f32 mean = 0.0f;
    if (centred) {
        f32 sum = 0.0f;
        for (u32 i = member * 4; i < width; i += TEAM * 4) {
            Quad value = load_quad(from, i, F32, width - i, vectors);
            for (u32 j = 0; j < 4; j++) sum += value.v[j];
        }
        mean = team_sum<TEAM>(sum) / (f32)width;
    }
    // The variance of what is centred already: no difference of two large numbers.
    f32 sum = 0.0f;
    for (u32 i = member * 4; i < width; i += TEAM * 4) {
        Quad value = load_quad(from, i, F32, width - i, vectors);
        for (u32 j = 0; j < 4; j++) {
            f32 from_mean = i + j < width ? value.v[j] - mean : 0.0f;
            sum += from_mean * from_mean;
        }
    }
    f32 scale = 1.0f / sqrtf(team_sum<TEAM>(sum) / (f32)width + eps);
    for (u32 i = member * 4; i < width; i += TEAM * 4) {
        Quad value = load_quad(from, i, F32, width - i, vectors);
        Quad by = load_quad(weight, i, F32, width - i, vectors);
        Quad plus = {{0.0f, 0.0f, 0.0f, 0.0f}};
        if (bias) plus = load_quad(bias, i, F32, width - i, vectors);
        for (u32 j = 0; j < 4; j++) value.v[j] = (value.v[j] - mean) * scale * by.v[j] + plus.v[j];
        store_quad(out, (u64)row * width + i, out_kind, value, width - i, vectors);
    }
}

extern "C" __global__ void laser_norm_by_warp(
    void* out, i32 out_kind, const f32* x, u64 x_stride, const f32* weight, const f32* bias, u32 rows, u32 width,
    f32 eps, i32 centred) {
    normalise<32>(out, out_kind, x, x_stride, weight, bias, rows, width, eps, centred);
}

extern "C" __global__ void laser_norm_by_block(
    void* out, i32 out_kind, const f32* x, u64 x_stride, const f32* weight, const f32* bias, u32 rows, u32 width,
    f32 eps, i32 centred) {
    normalise<NORM_BLOCK>(out, out_kind, x, x_stride, weight, bias, rows, width, eps, centred);
}
