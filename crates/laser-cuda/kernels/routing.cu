// A mixture of experts (arXiv 1701.06538): which experts each row goes through, the rows in the order of the experts, and
// the weighted sum of what comes back. Nothing here depends on the order in which threads run.

#define ROUTING_BLOCK 256

// The `per_token` experts with the largest logits, of equal ones the first, and their weights: of the softmax over all
// experts, as they are or scaled to a sum of one. Of each row in the order of the experts. A thread takes a row.
extern "C" __global__ void laser_choose_experts(
    u32* chosen, f32* weights, const f32* logits, u32 rows, u32 experts, u32 per_token, i32 normalised) {
    u32 row = blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= rows) return;
    logits += (u64)row * experts;
    chosen += (u64)row * per_token;
    weights += (u64)row * per_token;
    f32 largest = MINUS_INFINITY;
    for (u32 expert = 0; expert < experts; expert++) largest = fmaxf(largest, logits[expert]);
    f32 total = 0.0f;
    if (!normalised) {
        for (u32 expert = 0; expert < experts; expert++) total += expf(logits[expert] - largest);
    }
    f32 before = 0.0f;
    u32 last = 0;
    for (u32 slot = 0; slot < per_token; slot++) {
        // The next in the order of falling logits, then of rising numbers.
        u32 best = experts;
        for (u32 expert = 0; expert < experts; expert++) {
            f32 logit = logits[expert];
            bool after = slot == 0 || logit < before || (logit == before && expert > last);
            if (after && (best == experts || logit > logits[best])) best = expert;
        }
        if (best == experts) best = slot; // Logits that are no numbers.
        before = logits[best];
        last = best;
        f32 weight = expf(before - largest);
        if (normalised) total += weight;
        // Kept in the order of the experts.
        u32 place = slot;
        for (; place > 0 && chosen[place - 1] > best; place--) {
            chosen[place] = chosen[place - 1];
            weights[place] = weights[place - 1];
        }
        chosen[place] = best;
        weights[place] = weight;
    }
    for (u32 slot = 0; slot < per_token; slot++) weights[slot] /= total;
}

// Where thread `t` of a block that shares out `choices` begins.
__device__ __forceinline__ u32 first_choice(u32 choices, u32 t) {
    return (u32)((u64)choices * t / ROUTING_BLOCK);
}

// counts[e] = how many of `choices` are e. A block takes an expert.
extern "C" __global__ void laser_count_experts(u32* counts, const u32* chosen, u32 choices) {
    __shared__ u32 of_threads[ROUTING_BLOCK];
    u32 thread = threadIdx.x, count = 0;
    for (u32 i = first_choice(choices, thread); i < first_choice(choices, thread + 1); i++) {
        count += chosen[i] == blockIdx.x;
    }
    of_threads[thread] = count;
    __syncthreads();
    if (thread > 0) return;
    u32 sum = 0;
    for (u32 t = 0; t < ROUTING_BLOCK; t++) sum += of_threads[t];
    counts[blockIdx.x] = sum;
}

// Puts the choices in the order of the experts, those of an expert in their own order: choice i goes to places[i], and the
// row i / per_token, to which it belongs, stands there in `sorted`. A block takes an expert.
extern "C" __global__ void laser_place_experts(
    u32* sorted, u32* places, const u32* counts, const u32* chosen, u32 choices, u32 per_token) {
    __shared__ u32 of_threads[ROUTING_BLOCK];
    u32 thread = threadIdx.x, count = 0;
    for (u32 i = first_choice(choices, thread); i < first_choice(choices, thread + 1); i++) {
        count += chosen[i] == blockIdx.x;
    }
    of_threads[thread] = count;
    __syncthreads();
    u32 place = 0;
    for (u32 expert = 0; expert < blockIdx.x; expert++) place += counts[expert];
    for (u32 t = 0; t < thread; t++) place += of_threads[t];
    for (u32 i = first_choice(choices, thread); i < first_choice(choices, thread + 1); i++) {
        if (chosen[i] != blockIdx.x) continue;
        sorted[place] = i / per_token;
        places[i] = place;
        place++;
    }
}

// out[r] = sum over the row's choices of weight times y[place], in the order of the experts.
extern "C" __global__ void laser_combine_experts(
    f32* out, const f32* y, const u32* places, const f32* weights, u32 rows, u32 per_token, u32 width) {
    u32 quads = (width + 3) / 4;
    u32 item = blockIdx.x * blockDim.x + threadIdx.x;
    u32 row = item / quads;
    if (row >= rows) return;
    u32 column = (item - row * quads) * 4;
    u32 here = width - column < 4 ? width - column : 4;
    bool whole = here == 4 && (width & 3) == 0 && aligned(out) && aligned(y);
    Quad sum = {{0.0f, 0.0f, 0.0f, 0.0f}};
    for (u32 choice = row * per_token; choice < (row + 1) * per_token; choice++) {
        Quad value = load_quad(y, (u64)places[choice] * width + column, F32, here, whole);
        for (u32 j = 0; j < 4; j++) sum.v[j] += value.v[j] * weights[choice];
    }
    store_quad(out, (u64)row * width + column, F32, sum, here, whole);
}
