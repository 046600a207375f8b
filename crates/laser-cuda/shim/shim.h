// The kernels as C++ on this machine's processor, so that their numbers can be tested without a GPU.
//
// A block runs at a time. Each of its threads is a fiber; __syncthreads and exchanges within a warp switch to the next one
// until all have arrived. Threads that wait at different places, or whose partners have ended, are found out: nobody moves.

#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <ucontext.h>
#include <utility>
#include <vector>

#define LASER_SHIM
#define __global__
#define __device__
#define __forceinline__ inline
#define __shared__ static

struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(8) uint2 {
    unsigned x, y;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};

namespace shim {

struct Dimensions {
    unsigned x;
};

constexpr std::size_t STACK = 64 << 10;
constexpr unsigned LANES = 32;

struct Fiber {
    ucontext_t context;
    char* stack = nullptr;
    bool ended = false;
};

// What the threads of a group wait for together: nobody leaves before all have come.
struct Barrier {
    unsigned members = 0, arrived = 0, round = 0;
};

struct Warp {
    Barrier barrier;
    // Written by turns, so that a slow reader still finds what it came for.
    std::uint64_t values[2][LANES];
    unsigned turn[LANES];
};

struct Block {
    std::vector<Fiber> fibers;
    std::vector<Warp> warps;
    Barrier barrier;
    ucontext_t scheduler;
    std::function<void()> kernel;
    unsigned current = 0;
    bool moved = false;
};

inline Block block;
inline Dimensions thread_index, block_index, block_dimensions, grid_dimensions;

inline void yield() {
    unsigned self = block.current;
    swapcontext(&block.fibers[self].context, &block.scheduler);
}

inline void wait(Barrier& barrier) {
    unsigned round = barrier.round;
    block.moved = true;
    if (++barrier.arrived == barrier.members) {
        barrier.arrived = 0;
        barrier.round++;
        return;
    }
    while (barrier.round == round) yield();
}

inline void run_fiber() {
    block.kernel();
    block.fibers[block.current].ended = true;
    block.moved = true;
    // A thread that has ended is not waited for.
    auto leave = [](Barrier& barrier) {
        barrier.members--;
        if (barrier.members > 0 && barrier.arrived == barrier.members) {
            barrier.arrived = 0;
            barrier.round++;
        }
    };
    leave(block.barrier);
    leave(block.warps[block.current / LANES].barrier);
    yield();
}

// Whether all threads of the block came to their end.
inline bool run_block(unsigned threads) {
    while (block.fibers.size() < threads) {
        block.fibers.emplace_back();
        block.fibers.back().stack = static_cast<char*>(std::malloc(STACK));
    }
    block.warps.assign((threads + LANES - 1) / LANES, Warp{});
    block.barrier = Barrier{threads, 0, 0};
    for (unsigned t = 0; t < threads; t++) {
        block.warps[t / LANES].barrier.members++;
        Fiber& fiber = block.fibers[t];
        fiber.ended = false;
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack;
        fiber.context.uc_stack.ss_size = STACK;
        fiber.context.uc_link = nullptr;
        makecontext(&fiber.context, run_fiber, 0);
    }
    for (bool all = false; !all;) {
        all = true;
        block.moved = false;
        for (unsigned t = 0; t < threads; t++) {
            if (block.fibers[t].ended) continue;
            all = false;
            block.current = t;
            thread_index.x = t;
            swapcontext(&block.scheduler, &block.fibers[t].context);
        }
        if (!all && !block.moved) return false;
    }
    return true;
}

template <typename T> T exchange(T value, unsigned lane_mask) {
    Warp& warp = block.warps[block.current / LANES];
    unsigned lane = block.current % LANES, turn = warp.turn[lane]++ % 2;
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    warp.values[turn][lane] = bits;
    wait(warp.barrier);
    std::memcpy(&value, &warp.values[turn][lane ^ lane_mask], sizeof value);
    return value;
}

template <typename... Parameters, std::size_t... I>
int run(void (*kernel)(Parameters...), unsigned blocks, unsigned threads, void** arguments, std::index_sequence<I...>) {
    block.kernel = [=] { kernel(*static_cast<std::decay_t<Parameters>*>(arguments[I])...); };
    block_dimensions.x = threads;
    grid_dimensions.x = blocks;
    for (unsigned b = 0; b < blocks; b++) {
        block_index.x = b;
        if (!run_block(threads)) return 1;
    }
    return 0;
}

template <typename... Parameters>
int run(void (*kernel)(Parameters...), unsigned blocks, unsigned threads, void** arguments) {
    return run(kernel, blocks, threads, arguments, std::index_sequence_for<Parameters...>());
}

inline std::uint32_t bits_of(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

inline float float_of(std::uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

// To the nearest, ties to even.
inline std::uint32_t to_bf16(float value) {
    if (value != value) return 0x7fff;
    std::uint32_t bits = bits_of(value);
    return (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
}

inline float from_f16(std::uint32_t bits) {
    std::uint32_t sign = (bits & 0x8000) << 16, exponent = (bits >> 10) & 31, fraction = bits & 0x3ff;
    if (exponent == 31) return float_of(sign | 0x7f800000 | fraction << 13);
    if (exponent == 0) return float_of(sign | bits_of(std::ldexp(static_cast<float>(fraction), -24)));
    return float_of(sign | (exponent + 112) << 23 | fraction << 13);
}

// To the nearest, ties to even: |value| in units of the last place that it will have, rounded as nearbyint does.
inline std::uint32_t to_f16(float value) {
    std::uint32_t sign = bits_of(value) >> 16 & 0x8000;
    if (value != value) return 0x7fff;
    float size = std::fabs(value);
    if (size >= 65520.0f) return sign | 0x7c00;
    int exponent;
    std::frexp(size, &exponent);
    int unit = exponent - 11 < -24 ? -24 : exponent - 11;
    std::uint32_t units = static_cast<std::uint32_t>(std::nearbyint(std::ldexp(size, -unit)));
    // Below 1024 units at the smallest unit there is no leading bit; a carry into the next exponent comes out by itself.
    return sign | (units < 1024 ? units : (static_cast<std::uint32_t>(unit + 24) << 10) + units);
}

} // namespace shim

#define threadIdx shim::thread_index
#define blockIdx shim::block_index
#define blockDim shim::block_dimensions
#define gridDim shim::grid_dimensions

inline void __syncthreads() { shim::wait(shim::block.barrier); }

template <typename T> T __shfl_xor_sync(unsigned, T value, int lane_mask) { return shim::exchange(value, lane_mask); }

inline float __int_as_float(unsigned bits) { return shim::float_of(bits); }
inline float __uint_as_float(unsigned bits) { return shim::float_of(bits); }
