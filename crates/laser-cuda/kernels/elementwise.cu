// Element by element: sums, activations, gates, and changes of the stored kind. A thread does four neighbours.

// `Activation` of the Rust side.
enum { SILU = 0, GELU = 1, GELU_TANH = 2, RELU = 3, RELU_SQUARED = 4 };

__device__ __forceinline__ f32 activated(f32 x, i32 activation) {
    switch (activation) {
    case SILU: // x / (1 + exp(-x))
        return x / (1.0f + expf(-x));
    case GELU: // x (1 + erf(x / sqrt 2)) / 2
        return 0.5f * x * (1.0f + erff(x * 0.70710678f));
    case GELU_TANH: { // x (1 + tanh u) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3), arXiv 1606.08415
        f32 u = 0.79788456f * x * (1.0f + 0.044715f * x * x);
        return x / (1.0f + expf(-2.0f * u));
    }
    case RELU_SQUARED:
        return x > 0.0f ? x * x : 0.0f;
    default:
        return x > 0.0f ? x : 0.0f;
    }
}

// Where this thread's four elements begin; none where that is at `count` or beyond.
__device__ __forceinline__ u64 first_element() { return ((u64)blockIdx.x * blockDim.x + threadIdx.x) * 4; }

// out = a + b.
extern "C" __global__ void laser_add(f32* out, const f32* a, const f32* b, u64 count) {
    u64 i = first_element();
    if (i >= count) return;
    u32 here = count - i < 4 ? (u32)(count - i) : 4;
    bool whole = here == 4 && aligned(out) && aligned(a) && aligned(b);
    Quad x = load_quad(a, i, F32, here, whole), y = load_quad(b, i, F32, here, whole);
    for (u32 j = 0; j < 4; j++) x.v[j] += y.v[j];
    store_quad(out, i, F32, x, here, whole);
}

// out = a + b * scale.
extern "C" __global__ void laser_add_scaled(f32* out, const f32* a, const f32* b, u64 count, f32 scale) {
    u64 i = first_element();
    if (i >= count) return;
    u32 here = count - i < 4 ? (u32)(count - i) : 4;
    bool whole = here == 4 && aligned(out) && aligned(a) && aligned(b);
    Quad x = load_quad(a, i, F32, here, whole), y = load_quad(b, i, F32, here, whole);
    for (u32 j = 0; j < 4; j++) x.v[j] += y.v[j] * scale;
    store_quad(out, i, F32, x, here, whole);
}

// out = x times the sigmoid of its row's gate.
extern "C" __global__ void laser_gate_rows(f32* out, const f32* x, const f32* gates, u64 count, u32 width) {
    u64 i = first_element();
    for (u64 j = i; j < i + 4 && j < count; j++) out[j] = x[j] / (1.0f + expf(-gates[j / width]));
}

// out = activation(x).
extern "C" __global__ void laser_activate(void* out, i32 out_kind, const f32* x, u64 count, i32 activation) {
    u64 i = first_element();
    if (i >= count) return;
    u32 here = count - i < 4 ? (u32)(count - i) : 4;
    bool whole = here == 4 && aligned(out) && aligned(x);
    Quad value = load_quad(x, i, F32, here, whole);
    for (u32 j = 0; j < 4; j++) value.v[j] = activated(value.v[j], activation);
    store_quad(out, i, out_kind, value, here, whole);
}

// out = activation(gate) * up.
extern "C" __global__ void laser_gated(
    void* out, i32 out_kind, const f32* gate, const f32* up, u64 count, i32 activation) {
    u64 i = first_element();
    if (i >= count) return;
    u32 here = count - i < 4 ? (u32)(count - i) : 4;
    bool whole = here == 4 && aligned(out) && aligned(gate) && aligned(up);
    Quad value = load_quad(gate, i, F32, here, whole), by = load_quad(up, i, F32, here, whole);
    for (u32 j = 0; j < 4; j++) value.v[j] = activated(value.v[j], activation) * by.v[j];
    store_quad(out, i, out_kind, value, here, whole);
}
