//! The platform that is a GPU: the driver's context, one stream, memory from the driver's pool, kernels and cuBLASLt.

use crate::compile::{Architecture, Cache, Target, version};
use crate::driver_error::driver;
use crate::library::Library;
use crate::matmul::{CHOSEN_FOR, Multiplier};
use crate::platform::{Argument, Mark, Memory, Platform, Product};
use crate::sources::{Kernel, SOURCES};
use crate::upload_ring::Staging;
use crate::{Error, Result};
use cudarc::driver::sys::{self, CUdevice_attribute_enum as Attribute};
use cudarc::driver::{CudaContext, CudaEvent, CudaStream, DriverError, result};
use std::collections::HashMap;
use std::ffi::{CString, c_void};
use std::sync::{Arc, Mutex, PoisonError};

/// A GPU, its stream, and what was compiled for it.
pub struct Gpu {
    // Fields are dropped in this order: what belongs to the context before the context.
    multiplier: Mutex<Multiplier>,
    staging: Mutex<Staging>,
    modules: Mutex<Modules>,
    stream: Arc<CudaStream>,
    context: Arc<CudaContext>,
    description: String,
    kernel_path: String,
}

impl std::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gpu").field("description", &self.description).finish_non_exhaustive()
    }
}

/// Loaded sources, and the kernels in them.
struct Modules {
    cache: Cache,
    target: Target,
    loaded: HashMap<usize, sys::CUmodule>,
    functions: HashMap<&'static str, sys::CUfunction>,
}

// SAFETY: modules and functions belong to the context, which may be current in any thread; the mutex lets one thread at them.
unsafe impl Send for Modules {}

impl Gpu {
    /// The GPU of this number. Its kernels are kept in `cache`.
    ///
    /// # Errors
    /// If a library is missing or too old, or there is no such GPU.
    pub fn new(ordinal: usize, cache: Cache) -> Result<Self> {
        Self::with_products_for(CHOSEN_FOR, ordinal, cache)
    }

    /// The same with products' algorithms that are best for so many rows: for measuring.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_products_for(rows: usize, ordinal: usize, cache: Cache) -> Result<Self> {
        for library in Library::ALL {
            library.open()?;
        }
        let count = CudaContext::device_count().map_err(|error| driver("asking the driver for GPUs", error))?;
        let count = usize::try_from(count).unwrap_or(0);
        if ordinal >= count {
            return Err(Error::NoDevice { ordinal, count });
        }
        let starting = |error| driver("starting the GPU", error);
        let context = CudaContext::new(ordinal).map_err(starting)?;
        // One stream of our own does all work in order, so the memory's own events are not needed.
        // SAFETY: cudarc's slices, which they guard, are not used.
        unsafe { context.disable_event_tracking() };
        let stream = context.new_stream().map_err(starting)?;
        keep_freed_memory(&context).map_err(starting)?;
        let (major, minor) = context.compute_capability().map_err(starting)?;
        let target = Target::of(Architecture((10 * major + minor).unsigned_abs()))?;
        let name = context.name().map_err(starting)?;
        let multiprocessors =
            context.attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT).map_err(starting)?;
        let description = format!("{name}, {multiprocessors} multiprocessors, {}", target.name());
        let multiplier = Multiplier::new(&stream, rows)?;
        let (major, minor) = version()?;
        let (target_name, products) = (target.name(), multiplier.version());
        let kernel_path = format!("cuda {target_name}, {name}, cuBLASLt {products}, NVRTC {major}.{minor}");
        let multiplier = Mutex::new(multiplier);
        let modules = Modules { cache, target, loaded: HashMap::new(), functions: HashMap::new() };
        let staging = Mutex::new(Staging::new(&stream)?);
        Ok(Self { multiplier, staging, modules: Mutex::new(modules), stream, context, description, kernel_path })
    }

    /// The context is current in this thread.
    fn bind(&self, during: &str) -> Result<()> {
        self.context.bind_to_thread().map_err(|error| driver(during, error))
    }

    fn function(&self, kernel: &Kernel) -> Result<sys::CUfunction> {
        self.modules.lock().unwrap_or_else(PoisonError::into_inner).function(kernel)
    }
}

impl Modules {
    /// The kernel's function, of the context that is current.
    fn function(&mut self, kernel: &Kernel) -> Result<sys::CUfunction> {
        if let Some(&function) = self.functions.get(kernel.name.as_str()) {
            return Ok(function);
        }
        let module = match self.loaded.get(&kernel.source) {
            Some(&module) => module,
            None => {
                let module = self.load(kernel.source)?;
                self.loaded.insert(kernel.source, module);
                module
            }
        };
        let during = || format!("looking for {}", kernel.name);
        let name = CString::new(kernel.name.as_str()).unwrap_or_default();
        // SAFETY: the module is loaded, and stays so as long as its context.
        let function = unsafe { result::module::get_function(module, name) };
        let function = function.map_err(|error| driver(&during(), error))?;
        // A kernel's name lives as long as the program: the table of kernels is static.
        let name = crate::sources::kernel(&kernel.name).map_or("", |kernel| kernel.name.as_str());
        self.functions.insert(name, function);
        Ok(function)
    }

    fn load(&self, number: usize) -> Result<sys::CUmodule> {
        let source = &SOURCES[number];
        let load = |mut code: Vec<u8>| {
            code.push(0); // PTX is text that ends with a zero.
            // SAFETY: it is machine code or PTX, as the compiler gave it, or what stands in our cache under its hash.
            unsafe { result::module::load_data(code.as_ptr().cast()) }
        };
        if let Ok(module) = load(self.cache.code(source, self.target)?) {
            return Ok(module);
        }
        // What is on disk may be broken.
        self.cache.forget(source, self.target);
        load(self.cache.code(source, self.target)?).map_err(|error| driver(&format!("loading {}", source.name), error))
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        let bound = self.bind("").is_ok() && self.synchronise().is_ok();
        let modules = self.modules.get_mut().unwrap_or_else(PoisonError::into_inner);
        for module in modules.loaded.drain().map(|(_, module)| module).filter(|_| bound) {
            // SAFETY: it was loaded in this context, and no kernel of it runs. There is nothing to do about an error.
            let _ = unsafe { result::module::unload(module) };
        }
    }
}

/// Freed memory stays with the pool, also over synchronisations: the default gives it back to the system each time.
fn keep_freed_memory(context: &CudaContext) -> Result<(), DriverError> {
    let mut all = u64::MAX;
    // SAFETY: the device is the context's, and the attribute is a u64.
    unsafe {
        let pool = result::device::get_default_mem_pool(context.cu_device())?;
        let threshold = sys::CUmemPool_attribute_enum::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
        result::mem_pool::set_attribute(pool, threshold, (&raw mut all).cast())
    }
}

impl Platform for Gpu {
    fn describe(&self) -> String {
        self.description.clone()
    }

    fn kernel_path(&self) -> String {
        self.kernel_path.clone()
    }

    fn memory(&self) -> Result<Memory> {
        let (free, total) = self.context.mem_get_info().map_err(|error| driver("asking for free memory", error))?;
        // What the pool keeps for us counts as free.
        let (mut reserved, mut used) = (0u64, 0u64);
        // SAFETY: the device is the context's, and both attributes are u64.
        let kept = unsafe {
            use sys::CUmemPool_attribute_enum::{
                CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, CU_MEMPOOL_ATTR_USED_MEM_CURRENT,
            };
            result::device::get_default_mem_pool(self.context.cu_device()).and_then(|pool| {
                let (reserved, used): (*mut u64, *mut u64) = (&raw mut reserved, &raw mut used);
                result::mem_pool::get_attribute(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, reserved.cast())?;
                result::mem_pool::get_attribute(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, used.cast())
            })
        };
        kept.map_err(|error| driver("asking for free memory", error))?;
        let kept = usize::try_from(reserved.saturating_sub(used)).unwrap_or(0);
        Ok(Memory { free: free.saturating_add(kept), total })
    }

    fn allocate(&self, bytes: usize) -> Result<u64> {
        self.bind("allocating device memory")?;
        // SAFETY: the stream lives; the memory is used on it alone.
        match unsafe { result::malloc_async(self.stream.cu_stream(), bytes.max(1)) } {
            Ok(address) => Ok(address),
            Err(DriverError(sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY)) => {
                Err(Error::OutOfMemory { wanted: bytes, free: self.memory().map_or(0, |memory| memory.free) })
            }
            Err(error) => Err(driver("allocating device memory", error)),
        }
    }

    unsafe fn release(&self, address: u64, _: usize) {
        // SAFETY: as the caller says; the stream orders it after the work. There is nothing to do about an error.
        let _ = self.bind("").map(|()| unsafe { result::free_async(address, self.stream.cu_stream()) });
    }

    unsafe fn zero(&self, address: u64, bytes: usize) -> Result<()> {
        self.bind("zeroing device memory")?;
        // SAFETY: as the caller says.
        let done = unsafe { result::memset_d8_async(address, 0, bytes, self.stream.cu_stream()) };
        done.map_err(|error| driver("zeroing device memory", error))
    }

    unsafe fn upload(&self, to: u64, from: &[u8]) -> Result<()> {
        self.bind("copying to the device")?;
        let mut staging = self.staging.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: as the caller says.
        unsafe { staging.upload(to, from) }
    }

    unsafe fn upload_later(&self, to: u64, from: &[u8]) -> Result<()> {
        self.bind("copying to the device")?;
        // SAFETY: as the caller says.
        let done = unsafe { result::memcpy_htod_async(to, from, self.stream.cu_stream()) };
        done.map_err(|error| driver("copying to the device", error))
    }

    unsafe fn download(&self, to: &mut [u8], from: u64) -> Result<()> {
        self.bind("copying from the device")?;
        // SAFETY: as the caller says; it is waited for before the borrow ends.
        let done = unsafe { result::memcpy_dtoh_async(to, from, self.stream.cu_stream()) };
        let waited = self.synchronise();
        done.map_err(|error| driver("copying from the device", error))?;
        waited
    }

    unsafe fn copy(&self, to: u64, from: u64, bytes: usize) -> Result<()> {
        self.bind("copying on the device")?;
        // SAFETY: as the caller says.
        let done = unsafe { result::memcpy_dtod_async(to, from, bytes, self.stream.cu_stream()) };
        done.map_err(|error| driver("copying on the device", error))
    }

    unsafe fn launch(&self, kernel: &Kernel, blocks: u32, threads: u32, arguments: &[Argument]) -> Result<()> {
        self.bind(&kernel.name)?;
        let function = self.function(kernel)?;
        let mut bits: Vec<[u8; 8]> = arguments.iter().map(|argument| argument.bits()).collect();
        let mut pointers: Vec<*mut c_void> = bits.iter_mut().map(|bits| bits.as_mut_ptr().cast()).collect();
        // SAFETY: the function is of this context, and the driver copies the arguments; the rest is as the caller says.
        let done = unsafe {
            let stream = self.stream.cu_stream();
            result::launch_kernel(function, (blocks, 1, 1), (threads, 1, 1), 0, stream, &mut pointers)
        };
        done.map_err(|error| driver(&format!("launching {}", kernel.name), error))
    }

    unsafe fn multiply(&self, product: &Product) -> Result<()> {
        self.bind("a matrix product")?;
        let mut multiplier = self.multiplier.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: as the caller says.
        unsafe { multiplier.multiply(product) }
    }

    fn pin(&self, bytes: usize) -> Result<*mut u8> {
        self.bind("page-locking memory")?;
        // SAFETY: the context is current. Any GPU of the program may read it.
        let memory = unsafe { result::malloc_host(bytes.max(1), sys::CU_MEMHOSTALLOC_PORTABLE) };
        memory.map(|memory| memory.cast()).map_err(|error| driver("page-locking memory", error))
    }

    unsafe fn unpin(&self, memory: *mut u8, _: usize) {
        // SAFETY: as the caller says. There is nothing to do about an error.
        let _ = self.bind("").map(|()| unsafe { result::free_host(memory.cast()) });
    }

    fn mark(&self) -> Result<Mark> {
        let timed = Some(sys::CUevent_flags::CU_EVENT_DEFAULT);
        self.stream.record_event(timed).map(Mark::Event).map_err(|error| driver("marking a moment", error))
    }

    fn wait(&self, mark: &Mark) -> Result<()> {
        event(mark)?.synchronize().map_err(|error| driver("waiting for the GPU", error))
    }

    fn milliseconds(&self, from: &Mark, to: &Mark) -> Result<f64> {
        self.wait(to)?;
        let passed = event(from)?.elapsed_ms(event(to)?).map_err(|error| driver("taking the time", error))?;
        Ok(f64::from(passed))
    }

    fn synchronise(&self) -> Result<()> {
        self.stream.synchronize().map_err(|error| driver("waiting for the GPU", error))
    }

    fn algorithms(&self) -> Vec<String> {
        self.multiplier.lock().unwrap_or_else(PoisonError::into_inner).describe()
    }
}

fn event(mark: &Mark) -> Result<&CudaEvent> {
    match mark {
        Mark::Event(event) => Ok(event),
        Mark::Instant(_) => {
            Err(Error::Driver { during: "taking the time".into(), why: "the mark is of the CPU".into() })
        }
    }
}
