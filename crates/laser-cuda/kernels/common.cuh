// What every kernel source begins with: short names of types, and loads and stores of f32, bf16 and f16.
//
// Activations are f32. Sums run in an order that depends on the width of a row alone: neither the number
// of rows nor the grid changes a bit. No headers are included: NVRTC has none at hand on a bare machine.

typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int i32;
typedef float f32;
typedef double f64;

// How elements are stored; `Kind` of the Rust side.
enum { F32 = 0, BF16 = 1, F16 = 2 };

#define FULL_WARP 0xffffffffu
#define MINUS_INFINITY __int_as_float(0xff800000)

__device__ __forceinline__ f32 from_bf16(u32 bits) { return __uint_as_float(bits << 16); }

#ifdef LASER_SHIM
__device__ __forceinline__ f32 from_f16(u32 bits) { return shim::from_f16(bits); }
__device__ __forceinline__ u32 to_bf16(f32 value) { return shim::to_bf16(value); }
__device__ __forceinline__ u32 to_f16(f32 value) { return shim::to_f16(value); }
#else
__device__ __forceinline__ f32 from_f16(u32 bits) {
    f32 value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"((u16)bits));
    return value;
}

// To the nearest, ties to even.
__device__ __forceinline__ u32 to_bf16(f32 value) {
    u16 bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}

__device__ __forceinline__ u32 to_f16(f32 value) {
    u16 bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}
#endif

__device__ __forceinline__ u32 size_of(i32 kind) { return kind == F32 ? 4 : 2; }

// Whether four elements at a multiple of four may be read or written at once.
__device__ __forceinline__ bool aligned(const void* pointer) { return ((u64)pointer & 15) == 0; }

__device__ __forceinline__ f32 load(const void* base, u64 i, i32 kind) {
    if (kind == F32) return ((const f32*)base)[i];
    u32 bits = ((const u16*)base)[i];
    return kind == BF16 ? from_bf16(bits) : from_f16(bits);
}

__device__ __forceinline__ void store(void* base, u64 i, i32 kind, f32 value) {
    if (kind == F32) {
        ((f32*)base)[i] = value;
    } else {
        ((u16*)base)[i] = (u16)(kind == BF16 ? to_bf16(value) : to_f16(value));
    }
}

// Four neighbouring elements.
struct Quad {
    f32 v[4];
};

// The elements i..i+4 of which `count` are there; `whole`: they lie in one aligned piece.
__device__ __forceinline__ Quad load_quad(const void* base, u64 i, i32 kind, u32 count, bool whole) {
    Quad quad;
    if (whole && kind == F32) {
        float4 x = *(const float4*)((const f32*)base + i);
        quad.v[0] = x.x, quad.v[1] = x.y, quad.v[2] = x.z, quad.v[3] = x.w;
    } else if (whole) {
        uint2 x = *(const uint2*)((const u16*)base + i);
        bool bf16 = kind == BF16;
        quad.v[0] = bf16 ? from_bf16(x.x & 0xffff) : from_f16(x.x & 0xffff);
        quad.v[1] = bf16 ? from_bf16(x.x >> 16) : from_f16(x.x >> 16);
        quad.v[2] = bf16 ? from_bf16(x.y & 0xffff) : from_f16(x.y & 0xffff);
        quad.v[3] = bf16 ? from_bf16(x.y >> 16) : from_f16(x.y >> 16);
    } else {
#pragma unroll
        for (u32 j = 0; j < 4; j++) quad.v[j] = j < count ? load(base, i + j, kind) : 0.0f;
    }
    return quad;
}

__device__ __forceinline__ void store_quad(void* base, u64 i, i32 kind, Quad quad, u32 count, bool whole) {
    if (whole && kind == F32) {
        float4 x;
        x.x = quad.v[0], x.y = quad.v[1], x.z = quad.v[2], x.w = quad.v[3];
        *(float4*)((f32*)base + i) = x;
    } else if (whole) {
        u32 bits[4];
#pragma unroll
        for (u32 j = 0; j < 4; j++) bits[j] = kind == BF16 ? to_bf16(quad.v[j]) : to_f16(quad.v[j]);
        uint2 x;
        x.x = bits[0] | bits[1] << 16, x.y = bits[2] | bits[3] << 16;
        *(uint2*)((u16*)base + i) = x;
    } else {
#pragma unroll
        for (u32 j = 0; j < 4; j++) {
            if (j < count) store(base, i + j, kind, quad.v[j]);
        }
    }
}

// The sum over a warp, the same bits in each lane: both sides of an exchange add the same two numbers.
__device__ __forceinline__ f32 warp_sum(f32 value) {
#pragma unroll
    for (i32 offset = 16; offset > 0; offset /= 2) value += __shfl_xor_sync(FULL_WARP, value, offset);
    return value;
}
