// Stand-ins for libcuda, libcublasLt and libnvrtc: what this crate calls of them, on this machine's processor. Kernels run by
// the shim (LASER_SHIM_LIBRARY), so the whole path of calls can be tested without a GPU: order, sizes, handles, and what is
// given back. Copies to "the device" take their bytes late, as a GPU's copy engine does. Built three times, once a name.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <map>
#include <vector>

#define API extern "C" __attribute__((visibility("default")))

typedef std::uint64_t u64;

static float from_bf16(std::uint16_t bits) {
    std::uint32_t wide = static_cast<std::uint32_t>(bits) << 16;
    float value;
    std::memcpy(&value, &wide, 4);
    return value;
}

static float from_f16(std::uint16_t bits) { return static_cast<float>(*reinterpret_cast<_Float16*>(&bits)); }

// ---- libcuda ----

enum { INVALID = 1, NOT_FOUND = 500 };

static std::map<u64, u64> allocated;
struct Late {
    u64 to;
    const void* from;
    u64 bytes;
};
static std::vector<Late> late;

// Whether so many bytes at an address are memory that was given out.
static bool ours(u64 address, u64 bytes) {
    auto after = allocated.upper_bound(address);
    if (after == allocated.begin()) return false;
    auto block = *--after;
    return address + bytes <= block.first + block.second;
}

static void catch_up() {
    for (const Late& copy : late) std::memcpy(reinterpret_cast<void*>(copy.to), copy.from, copy.bytes);
    late.clear();
}

API int cuInit(unsigned) { return 0; }
API int cuDriverGetVersion(int* version) { return *version = 13000, 0; }
API int cuDeviceGetCount(int* count) { return *count = 1, 0; }
API int cuDeviceGet(int* device, int ordinal) { return *device = ordinal, 0; }
API int cuDeviceGetName(char* name, int size, int) { return std::snprintf(name, size, "a stand-in"), 0; }
API int cuDeviceGetAttribute(int* value, int attribute, int) {
    // Compute capability 9.0, pools, one multiprocessor.
    return *value = attribute == 75 ? 9 : attribute == 76 ? 0 : 1, 0;
}
API int cuDevicePrimaryCtxRetain(void** context, int) { return *context = &allocated, 0; }
API int cuDevicePrimaryCtxRelease_v2(int) { return 0; }
static thread_local void* current;
API int cuCtxGetCurrent(void** context) { return *context = current, 0; }
API int cuCtxSetCurrent(void* context) { return current = context, 0; }
API int cuCtxSynchronize() { return catch_up(), 0; }
API int cuDeviceGetDefaultMemPool(void** pool, int) { return *pool = &late, 0; }
API int cuMemPoolSetAttribute(void*, int, void*) { return 0; }
API int cuMemPoolGetAttribute(void*, int, void* value) { return *static_cast<u64*>(value) = 0, 0; }
API int cuMemGetInfo_v2(std::size_t* free, std::size_t* total) { return *free = *total = 1 << 30, 0; }
API int cuStreamCreate(void** stream, unsigned) { return *stream = &late, 0; }
API int cuStreamDestroy_v2(void*) { return 0; }
API int cuStreamSynchronize(void*) { return catch_up(), 0; }
API int cuStreamWaitEvent(void*, void*, unsigned) { return 0; }
API int cuEventCreate(void** event, unsigned) { return *event = new int(0), 0; }
API int cuEventDestroy_v2(void* event) { return delete static_cast<int*>(event), 0; }
API int cuEventRecord(void*, void*) { return 0; }
API int cuEventSynchronize(void*) { return catch_up(), 0; }
API int cuEventQuery(void*) { return 0; }
API int cuEventElapsedTime(float* ms, void*, void*) { return *ms = 1, 0; }
API int cuEventElapsedTime_v2(float* ms, void*, void*) { return *ms = 1, 0; }

API int cuMemAllocAsync(u64* address, std::size_t bytes, void*) {
    if (bytes == 0) return INVALID;
    void* memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
    std::memset(memory, 0xff, bytes);
    *address = reinterpret_cast<u64>(memory);
    allocated[*address] = bytes;
    return 0;
}
API int cuMemFreeAsync(u64 address, void*) {
    catch_up();
    if (!allocated.erase(address)) return INVALID;
    std::free(reinterpret_cast<void*>(address));
    return 0;
}
API int cuMemHostAlloc(void** memory, std::size_t bytes, unsigned) { return *memory = std::malloc(bytes), 0; }
API int cuMemFreeHost(void* memory) { return std::free(memory), 0; }
API int cuMemcpyHtoDAsync_v2(u64 to, const void* from, std::size_t bytes, void*) {
    if (!ours(to, bytes)) return INVALID;
    late.push_back({to, from, bytes});
    return 0;
}
API int cuMemcpyDtoHAsync_v2(void* to, u64 from, std::size_t bytes, void*) {
    if (!ours(from, bytes)) return INVALID;
    catch_up();
    return std::memcpy(to, reinterpret_cast<void*>(from), bytes), 0;
}
API int cuMemcpyDtoDAsync_v2(u64 to, u64 from, std::size_t bytes, void*) {
    if (!ours(to, bytes) || !ours(from, bytes)) return INVALID;
    catch_up();
    return std::memcpy(reinterpret_cast<void*>(to), reinterpret_cast<void*>(from), bytes), 0;
}
API int cuMemsetD8Async(u64 to, unsigned char value, std::size_t bytes, void*) {
    if (!ours(to, bytes)) return INVALID;
    catch_up();
    return std::memset(reinterpret_cast<void*>(to), value, bytes), 0;
}

API int cuModuleLoadData(void** module, const void* image) {
    if (std::memcmp(image, "\x7f" "ELF", 4)) return 200;
    return *module = std::malloc(1), 0;
}
API int cuModuleUnload(void* module) { return std::free(module), 0; }
API int cuModuleGetFunction(void** function, void*, const char* name) { return *function = strdup(name), 0; }
API int cuLaunchKernel(
    void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void*,
    void** arguments, void** extra) {
    typedef int (*Launch)(const char*, unsigned, unsigned, void**);
    static Launch launch = [] {
        void* library = dlopen(std::getenv("LASER_SHIM_LIBRARY"), RTLD_NOW);
        return library ? reinterpret_cast<Launch>(dlsym(library, "laser_shim_launch")) : nullptr;
    }();
    if (!launch || gy != 1 || gz != 1 || by != 1 || bz != 1 || shared || extra || gx == 0 || bx > 1024) return INVALID;
    catch_up();
    return launch(static_cast<const char*>(function), gx, bx, arguments) ? 719 : 0;
}

// The real libnvrtc asks for tables of the driver's that nobody documents, and takes no for an answer.
API int cuGetExportTable(const void** table, const void*) { return *table = nullptr, NOT_FOUND; }

API int cuGetErrorName(int error, const char** name) {
    return *name = error == INVALID ? "CUDA_ERROR_INVALID_VALUE" : "CUDA_ERROR", 0;
}
API int cuGetErrorString(int, const char** text) { return *text = "said the stand-in", 0; }

// ---- libcublasLt: columns first, as the real one ----

struct Layout {
    int type;
    u64 rows, columns;
    std::int64_t stride;
};
struct Operation {
    int transposed = 0, epilogue = 1;
    u64 bias = 0;
};

API int cublasLtCreate(void** handle) { return *handle = std::malloc(1), 0; }
API int cublasLtDestroy(void* handle) { return std::free(handle), 0; }
API std::size_t cublasLtGetVersion() { return 130000; }
API int cublasLtEmulationDescCreate(void**) { return 15; }
API int cublasLtMatmulDescCreate(void** description, int compute, int scale) {
    if (compute != 68 || scale != 0) return 7;
    return *description = new Operation, 0;
}
API int cublasLtMatmulDescDestroy(void* description) { return delete static_cast<Operation*>(description), 0; }
API int cublasLtMatmulDescSetAttribute(void* description, int attribute, const void* value, std::size_t bytes) {
    Operation& operation = *static_cast<Operation*>(description);
    if (attribute == 3 && bytes == 4) return std::memcpy(&operation.transposed, value, 4), 0;
    if (attribute == 7 && bytes == 4) return std::memcpy(&operation.epilogue, value, 4), 0;
    if (attribute == 8 && bytes == 8) return std::memcpy(&operation.bias, value, 8), 0;
    return 7;
}
API int cublasLtMatrixLayoutCreate(void** layout, int type, u64 rows, u64 columns, std::int64_t stride) {
    if (rows == 0 || columns == 0 || stride < static_cast<std::int64_t>(rows)) return 7;
    return *layout = new Layout{type, rows, columns, stride}, 0;
}
API int cublasLtMatrixLayoutDestroy(void* layout) { return delete static_cast<Layout*>(layout), 0; }
API int cublasLtMatmulPreferenceCreate(void** preference) { return *preference = std::malloc(1), 0; }
API int cublasLtMatmulPreferenceDestroy(void* preference) { return std::free(preference), 0; }
API int cublasLtMatmulPreferenceSetAttribute(void*, int attribute, const void*, std::size_t bytes) {
    return bytes == (attribute == 1 ? 8 : 4) ? 0 : 7;
}
struct Found {
    u64 algorithm[8];
    std::size_t workspace;
    int state;
    float waves;
    int reserved[4];
};
API int cublasLtMatmulAlgoGetHeuristic(
    void*, void*, Layout*, Layout* x, Layout*, Layout*, void*, int asked, Found* found, int* count) {
    if (asked != 1) return 7;
    *found = Found{};
    // For how many rows it is: one chosen for many refuses five.
    found->algorithm[0] = x->columns;
    return *count = 1, 0;
}
API int cublasLtMatmulAlgoConfigGetAttribute(const u64*, int, void* value, std::size_t bytes, std::size_t* written) {
    return std::memset(value, 0, bytes), *written = bytes, 0;
}

static float element(const void* base, const Layout& layout, u64 row, u64 column) {
    u64 at = column * layout.stride + row;
    if (layout.type == 0) return static_cast<const float*>(base)[at];
    std::uint16_t bits = static_cast<const std::uint16_t*>(base)[at];
    return layout.type == 14 ? from_bf16(bits) : from_f16(bits);
}

API int cublasLtMatmul(
    void*, Operation* operation, const float* alpha, const void* a, Layout* of_a, const void* b, Layout* of_b,
    const float* beta, const void* c, Layout* of_c, float* d, Layout* of_d, const u64* algorithm, void* workspace,
    std::size_t, void*) {
    if (operation->transposed != 1 || of_a->rows != of_b->rows || of_d->rows != of_a->columns) return 7;
    if (of_d->columns != of_b->columns || of_c->rows != of_d->rows || of_d->type != 0 || !workspace) return 7;
    if (algorithm[0] != 5 && of_d->columns == 5) return 15;
    // The driver's copies are late; whoever asks the other library must not see that.
    if (auto wait = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "cuCtxSynchronize"))) wait();
    for (u64 column = 0; column < of_d->columns; column++) {
        for (u64 row = 0; row < of_d->rows; row++) {
            float sum = 0;
            for (u64 k = 0; k < of_a->rows; k++) sum += element(a, *of_a, k, row) * element(b, *of_b, k, column);
            sum *= *alpha;
            if (*beta != 0) sum += *beta * element(c, *of_c, row, column);
            if (operation->epilogue == 4) sum += reinterpret_cast<const float*>(operation->bias)[row];
            d[column * of_d->stride + row] = sum;
        }
    }
    return 0;
}

// ---- libnvrtc ----

API int nvrtcVersion(int* major, int* minor) { return *major = 13, *minor = 0, 0; }
API int nvrtcGetNumSupportedArchs(int* count) { return *count = 2, 0; }
API int nvrtcGetSupportedArchs(int* numbers) { return numbers[0] = 80, numbers[1] = 90, 0; }
API int nvrtcGetPCHHeapSize(std::size_t*) { return 0; }
API int nvrtcCreateProgram(void** program, const char*, const char*, int, const char**, const char**) {
    return *program = std::malloc(1), 0;
}
API int nvrtcDestroyProgram(void** program) { return std::free(*program), 0; }
API int nvrtcCompileProgram(void*, int, const char**) { return 0; }
API int nvrtcGetCUBINSize(void*, std::size_t* bytes) { return *bytes = 4, 0; }
API int nvrtcGetCUBIN(void*, char* code) { return std::memcpy(code, "\x7f" "ELF", 4), 0; }
