/* A CUDA runtime that owns no GPU: each call becomes a request to the emulator.
 *
 * The socket is inherited; its number is in WARPWISE_SOCKET. A request is a `Request` and its bytes,
 * an answer a `Reply` and its bytes; `protocol.py` is the other end. Everything runs at once and in
 * order, so streams and events are only names, and "asynchronous" calls are finished on return.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef int Error;
typedef void *Stream;
typedef void *Event;
typedef struct { unsigned x, y, z; } Dim;
typedef struct { size_t width, height, depth; } Extent;
typedef struct { void *pointer; size_t pitch, width, height; } Pitched;

/* Numbers of cudaError_t, cudaMemcpyKind and cudaMemoryType. */
enum { SUCCESS, INVALID_VALUE, OUT_OF_MEMORY, INVALID_SYMBOL = 13, NO_FUNCTION = 98,
       INVALID_DEVICE = 101, TOO_LARGE = 720 };
enum { TO_DEVICE = 1, TO_HOST = 2, BY_ADDRESS = 4 };
enum { UNREGISTERED, HOST_MEMORY, DEVICE_MEMORY, MANAGED_MEMORY };

/* Operations, in the order of `protocol.Operation`. */
enum { MODULE, FUNCTION, VARIABLE, PARAMETERS, LAUNCH, ALLOCATE, FREE, READ, WRITE, FILL, COPY,
       SYMBOL, ATTRIBUTES, PROPERTIES, DEVICE_ATTRIBUTE, OCCUPANCY, MEMORY, UNSUPPORTED, OWNS,
       TEXTURE, FORGET_TEXTURE };

typedef struct { uint64_t operation, argument[8], bytes; } Request;
typedef struct { uint64_t status, value[2], bytes; } Reply;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void fail(const char *message) {
    fflush(NULL);
    fprintf(stderr, "warpwise runtime: %s\n", message);
    _exit(1);
}

/* The emulator explains itself; all that is left to do here is to stop. */
static void lost(void) {
    fflush(NULL);
    _exit(1);
}

static int connection(void) {
    static int number = -1;
    if (number < 0) {
        const char *text = getenv("WARPWISE_SOCKET");
        if (!text) fail("start this program with `warpwise trace -- PROGRAM`");
        number = atoi(text);
    }
    return number;
}

static void put(const void *data, size_t bytes) {
    for (const char *at = data; bytes;) {
        ssize_t n = write(connection(), at, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) lost();
        at += n, bytes -= n;
    }
}

static void get(void *data, size_t bytes) {
    for (char *at = data; bytes;) {
        ssize_t n = read(connection(), at, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) lost();
        at += n, bytes -= n;
    }
}

/* One request with its bytes; the bytes of the answer go to `out`, which holds `room` bytes. */
static Reply ask(Request request, const void *data, void *out, size_t room) {
    Reply reply;
    pthread_mutex_lock(&lock);
    put(&request, sizeof request);
    put(data, request.bytes);
    get(&reply, sizeof reply);
    if (reply.bytes > room) fail("an answer is longer than expected");
    get(out, reply.bytes);
    pthread_mutex_unlock(&lock);
    return reply;
}

#define ASK(operation, ...) ask((Request){operation, {__VA_ARGS__}, 0}, NULL, NULL, 0)

static _Thread_local Error last;

static Error note(Error error) {
    if (error) last = error;
    return error;
}

/* Called by the stubs that `build.py` makes for all other functions of a program. */
void warpwise_unsupported(const char *name) {
    ask((Request){UNSUPPORTED, {0}, strlen(name)}, name, NULL, 0);
    lost();
}

/* ---- registration: host addresses of kernels and variables -> numbers of the emulator ---- */

typedef struct { const void *host; uint64_t id; uint32_t count, *layout; } Entry;
typedef struct { Entry *entries; size_t count; } Table;
static Table functions, variables;

static void add(Table *table, const void *host, uint64_t id) {
    table->entries = realloc(table->entries, (table->count + 1) * sizeof(Entry));
    if (!table->entries) fail("out of memory");
    table->entries[table->count++] = (Entry){host, id, 0, NULL};
}

static Entry *find(Table *table, const void *host) {
    for (size_t i = 0; i < table->count; i++)
        if (table->entries[i].host == host) return &table->entries[i];
    return NULL;
}

typedef struct { uint32_t magic, version; const unsigned char *data; void *other; } Wrapper;

void **__cudaRegisterFatBinary(void *wrapper) {
    const unsigned char *data = ((Wrapper *)wrapper)->data;
    uint16_t header;
    uint64_t body;
    memcpy(&header, data + 6, sizeof header);
    memcpy(&body, data + 8, sizeof body);
    Reply reply = ask((Request){MODULE, {0}, header + body}, data, NULL, 0);
    uint64_t *handle = malloc(sizeof *handle);
    if (!handle) fail("out of memory");
    *handle = reply.value[0];
    return (void **)handle;
}

void __cudaRegisterFatBinaryEnd(void **handle) { (void)handle; }
void __cudaUnregisterFatBinary(void **handle) { free(handle); }
char __cudaInitModule(void **handle) { (void)handle; return 1; }

static void announce(int operation, Table *table, void **handle, const void *host, const char *name) {
    Request request = {operation, {*(uint64_t *)handle}, strlen(name)};
    add(table, host, ask(request, name, NULL, 0).value[0]);
}

void __cudaRegisterFunction(void **handle, const char *host, char *device, const char *name,
                            int limit, void *tid, void *bid, Dim *block, Dim *grid, int *warp) {
    (void)device, (void)limit, (void)tid, (void)bid, (void)block, (void)grid, (void)warp;
    announce(FUNCTION, &functions, handle, host, name);
}

void __cudaRegisterVar(void **handle, char *host, char *device, const char *name, int external,
                       size_t size, int constant, int global) {
    (void)device, (void)external, (void)size, (void)constant, (void)global;
    announce(VARIABLE, &variables, handle, host, name);
}

/* ---- managed memory: pages of the host at the device's own addresses ---- */

typedef struct Managed { char *address; size_t bytes; struct Managed *next; } Managed;
static Managed *managed;

static Managed *managed_at(const void *pointer) {
    for (Managed *m = managed; m; m = m->next)
        if ((uintptr_t)pointer - (uintptr_t)m->address < m->bytes) return m;
    return NULL;
}

static Error allocate(void **pointer, size_t bytes) {
    Reply reply = ASK(ALLOCATE, bytes);
    *pointer = (void *)reply.value[0];
    return note(reply.status);
}

static Error free_device(void *pointer) {
    for (Managed **at = &managed; *at; at = &(*at)->next)
        if ((*at)->address == pointer) {
            Managed *gone = *at;
            *at = gone->next; /* its pages may hold parts of others, and stay */
            free(gone);
            break;
        }
    return pointer ? note(ASK(FREE, (uintptr_t)pointer).status) : SUCCESS;
}

static Error allocate_managed(void **pointer, size_t bytes) {
    Error error = allocate(pointer, bytes);
    if (error) return error;
    uintptr_t page = sysconf(_SC_PAGESIZE), start = (uintptr_t)*pointer & ~(page - 1);
    for (; start < (uintptr_t)*pointer + bytes; start += page) {
        void *got = mmap((void *)start, page, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (got == MAP_FAILED && errno != EEXIST) fail("cannot map managed memory");
    }
    memset(*pointer, 0, bytes);
    Managed *entry = malloc(sizeof *entry);
    if (!entry) fail("out of memory");
    *entry = (Managed){*pointer, bytes, managed};
    managed = entry;
    return SUCCESS;
}

static Error download(void *host, const void *device, size_t bytes) {
    return ask((Request){READ, {(uintptr_t)device, bytes}, 0}, NULL, host, bytes).status;
}

static Error upload(void *device, const void *host, size_t bytes, int managed) {
    return ask((Request){WRITE, {(uintptr_t)device, managed}, bytes}, host, NULL, 0).status;
}

static void managed_to_device(void) {
    for (Managed *m = managed; m; m = m->next) upload(m->address, m->address, m->bytes, 1);
}

static void managed_to_host(void) {
    for (Managed *m = managed; m; m = m->next) download(m->address, m->address, m->bytes);
}

/* ---- launches ---- */

typedef struct { Dim grid, block; size_t shared; Stream stream; } Configuration;
enum { DEPTH = 16 };
static _Thread_local Configuration pending[DEPTH];
static _Thread_local int depth;

unsigned __cudaPushCallConfiguration(Dim grid, Dim block, size_t shared, Stream stream) {
    if (depth == DEPTH) return INVALID_VALUE;
    pending[depth++] = (Configuration){grid, block, shared, stream};
    return SUCCESS;
}

Error __cudaPopCallConfiguration(Dim *grid, Dim *block, size_t *shared, void *stream) {
    if (!depth) return INVALID_VALUE;
    Configuration *top = &pending[--depth];
    *grid = top->grid, *block = top->block, *shared = top->shared;
    *(Stream *)stream = top->stream;
    return SUCCESS;
}

/* Where the parameters of a kernel lie: pairs of offset and size. Only the cubin knows. */
static Error learn_layout(Entry *function) {
    static uint32_t pairs[2 * 4096];
    if (function->layout) return SUCCESS;
    Reply reply = ask((Request){PARAMETERS, {function->id}, 0}, NULL, pairs, sizeof pairs);
    if (reply.status) return reply.status;
    function->count = reply.bytes / (2 * sizeof(uint32_t));
    function->layout = malloc(reply.bytes + 1);
    if (!function->layout) fail("out of memory");
    memcpy(function->layout, pairs, reply.bytes);
    return SUCCESS;
}

Error cudaLaunchKernel(const void *host, Dim grid, Dim block, void **arguments, size_t shared,
                       Stream stream) {
    char block_of_parameters[32768] = {0};
    size_t end = 0;
    Entry *function = find(&functions, host);
    (void)stream;
    if (!function) return note(NO_FUNCTION);
    Error error = learn_layout(function);
    if (error) return note(error);
    for (uint32_t i = 0; i < function->count; i++) {
        size_t offset = function->layout[2 * i], size = function->layout[2 * i + 1];
        if (offset + size > sizeof block_of_parameters) return note(INVALID_VALUE);
        memcpy(block_of_parameters + offset, arguments[i], size);
        if (offset + size > end) end = offset + size;
    }
    managed_to_device();
    Request request = {LAUNCH, {function->id, grid.x, grid.y, grid.z, block.x, block.y, block.z,
                                shared}, end};
    error = ask(request, block_of_parameters, NULL, 0).status;
    managed_to_host();
    return note(error);
}

Error __cudaLaunchKernel(void *kernel, Dim grid, Dim block, void **arguments, size_t shared,
                         Stream stream) {
    return cudaLaunchKernel(kernel, grid, block, arguments, shared, stream);
}

/* A kernel's handle is its host address. */
Error __cudaGetKernel(void **kernel, const void *host) {
    *kernel = (void *)host;
    return SUCCESS;
}

Error cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *count, const void *host, int threads,
                                                    size_t shared) {
    Entry *function = find(&functions, host);
    if (!function) return note(NO_FUNCTION);
    Reply reply = ASK(OCCUPANCY, function->id, threads, shared);
    *count = reply.value[0];
    return note(reply.status);
}

Error cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *count, const void *host,
                                                             int threads, size_t shared,
                                                             unsigned flags) {
    (void)flags;
    return cudaOccupancyMaxActiveBlocksPerMultiprocessor(count, host, threads, shared);
}

enum { MULTIPROCESSORS = 16 }; /* cudaDevAttrMultiProcessorCount */

Error cudaLaunchCooperativeKernel(const void *host, Dim grid, Dim block, void **arguments,
                                  size_t shared, Stream stream) {
    int fits = 0;
    Error error = cudaOccupancyMaxActiveBlocksPerMultiprocessor(
        &fits, host, block.x * block.y * block.z, shared);
    if (error) return error;
    uint64_t room = fits * ASK(DEVICE_ATTRIBUTE, MULTIPROCESSORS).value[0];
    if ((uint64_t)grid.x * grid.y * grid.z > room) return note(TOO_LARGE);
    return cudaLaunchKernel(host, grid, block, arguments, shared, stream);
}

typedef struct { int id; char padding[4]; char value[64]; } LaunchAttribute;
typedef struct {
    Dim grid, block; size_t shared; Stream stream; LaunchAttribute *attributes; unsigned count;
} LaunchConfiguration;
enum { COOPERATIVE = 2, CLUSTER = 4 }; /* of cudaLaunchAttributeID */

Error cudaLaunchKernelExC(const LaunchConfiguration *c, const void *host, void **arguments) {
    int cooperative = 0;
    for (unsigned i = 0; i < c->count; i++) {
        if (c->attributes[i].id == CLUSTER) warpwise_unsupported("cudaLaunchKernelExC (clusters)");
        if (c->attributes[i].id == COOPERATIVE) memcpy(&cooperative, c->attributes[i].value, 4);
    }
    return (cooperative ? cudaLaunchCooperativeKernel : cudaLaunchKernel)(
        host, c->grid, c->block, arguments, c->shared, c->stream);
}

typedef struct {
    size_t shared, constant, local;
    int threads, registers, ptx, binary, cache, dynamic_shared, carveout;
} FunctionAttributes;

Error cudaFuncGetAttributes(FunctionAttributes *out, const void *host) {
    Entry *function = find(&functions, host);
    int64_t found[7];
    if (!function) return note(NO_FUNCTION);
    Reply reply = ask((Request){ATTRIBUTES, {function->id}, 0}, NULL, found, sizeof found);
    if (reply.status) return note(reply.status);
    *out = (FunctionAttributes){found[0], found[1], found[2], found[3], found[4],
                                found[5], found[5], 0,        found[6], -1};
    return SUCCESS;
}

Error cudaFuncSetAttribute(const void *host, int attribute, int value) {
    (void)attribute, (void)value;
    return note(find(&functions, host) ? SUCCESS : NO_FUNCTION);
}

Error cudaFuncSetCacheConfig(const void *host, int wish) {
    (void)wish;
    return note(find(&functions, host) ? SUCCESS : NO_FUNCTION);
}

/* ---- memory ---- */

Error cudaMalloc(void **pointer, size_t bytes) { return allocate(pointer, bytes); }
Error cudaFree(void *pointer) { return free_device(pointer); }
Error cudaMallocAsync(void **pointer, size_t bytes, Stream s) {
    (void)s;
    return allocate(pointer, bytes);
}
Error cudaFreeAsync(void *pointer, Stream s) { (void)s; return free_device(pointer); }
Error cudaMallocManaged(void **pointer, size_t bytes, unsigned flags) {
    (void)flags;
    return allocate_managed(pointer, bytes);
}

enum { PITCH = 512, HOST_MAPPED = 2 }; /* bytes; a flag of cudaHostAlloc */

Error cudaMallocPitch(void **pointer, size_t *pitch, size_t width, size_t height) {
    *pitch = (width + PITCH - 1) / PITCH * PITCH;
    return allocate(pointer, *pitch * height);
}

Error cudaMalloc3D(Pitched *out, Extent size) {
    *out = (Pitched){NULL, 0, size.width, size.height};
    return cudaMallocPitch(&out->pointer, &out->pitch, size.width, size.height * size.depth);
}

Error cudaHostAlloc(void **pointer, size_t bytes, unsigned flags) {
    if (flags & HOST_MAPPED) return allocate_managed(pointer, bytes);
    *pointer = malloc(bytes ? bytes : 1);
    return note(*pointer ? SUCCESS : OUT_OF_MEMORY);
}

Error cudaMallocHost(void **pointer, size_t bytes) { return cudaHostAlloc(pointer, bytes, 0); }

Error cudaFreeHost(void *pointer) {
    if (managed_at(pointer)) return free_device(pointer);
    free(pointer);
    return SUCCESS;
}

Error cudaHostGetDevicePointer(void **device, void *host, unsigned flags) {
    (void)flags;
    *device = host;
    return note(managed_at(host) ? SUCCESS : INVALID_VALUE);
}

static int on_device(const void *pointer) {
    return !managed_at(pointer) && ASK(OWNS, (uintptr_t)pointer).value[0];
}

/* Managed memory is the host's between launches. */
static Error copy(void *to, const void *from, size_t bytes, int kind) {
    int device_to, device_from;
    if (!bytes) return SUCCESS;
    if (kind < 0 || kind > BY_ADDRESS) return note(21); /* cudaErrorInvalidMemcpyDirection */
    if (kind == BY_ADDRESS) {
        device_to = on_device(to), device_from = on_device(from);
    } else {
        device_to = (kind & 1) && !managed_at(to);
        device_from = (kind & 2) && !managed_at(from);
    }
    if (device_to && device_from)
        return note(ASK(COPY, (uintptr_t)to, (uintptr_t)from, bytes).status);
    if (device_to) return note(upload(to, from, bytes, 0));
    if (device_from) return note(download(to, from, bytes));
    memmove(to, from, bytes);
    return SUCCESS;
}

static Error copy_rows(char *to, size_t to_pitch, const char *from, size_t from_pitch,
                       size_t width, size_t height, int kind) {
    if (width > to_pitch || width > from_pitch) return note(12); /* cudaErrorInvalidPitchValue */
    for (size_t row = 0; row < height; row++) {
        Error error = copy(to + row * to_pitch, from + row * from_pitch, width, kind);
        if (error) return error;
    }
    return SUCCESS;
}

static Error fill(void *to, int byte, size_t bytes) {
    if (!bytes) return SUCCESS;
    if (!managed_at(to)) return note(ASK(FILL, (uintptr_t)to, byte & 255, bytes).status);
    memset(to, byte, bytes);
    return SUCCESS;
}

Error cudaMemcpy(void *to, const void *from, size_t n, int kind) { return copy(to, from, n, kind); }
Error cudaMemcpyAsync(void *to, const void *from, size_t n, int kind, Stream s) {
    (void)s;
    return copy(to, from, n, kind);
}
Error cudaMemcpy2D(void *to, size_t tp, const void *from, size_t fp, size_t w, size_t h, int kind) {
    return copy_rows(to, tp, from, fp, w, h, kind);
}
Error cudaMemcpy2DAsync(void *to, size_t tp, const void *from, size_t fp, size_t w, size_t h,
                        int kind, Stream s) {
    (void)s;
    return copy_rows(to, tp, from, fp, w, h, kind);
}
Error cudaMemset(void *to, int byte, size_t bytes) { return fill(to, byte, bytes); }
Error cudaMemsetAsync(void *to, int byte, size_t bytes, Stream s) {
    (void)s;
    return fill(to, byte, bytes);
}
Error cudaMemset2D(void *to, size_t pitch, int byte, size_t width, size_t height) {
    for (size_t row = 0; row < height; row++) {
        Error error = fill((char *)to + row * pitch, byte, width);
        if (error) return error;
    }
    return SUCCESS;
}
Error cudaMemset2DAsync(void *to, size_t pitch, int byte, size_t w, size_t h, Stream s) {
    (void)s;
    return cudaMemset2D(to, pitch, byte, w, h);
}
Error cudaMemPrefetchAsync(const void *p) { (void)p; return SUCCESS; }
Error cudaMemAdvise(const void *p) { (void)p; return SUCCESS; }

static Error symbol(const void *host, void **address, size_t *bytes) {
    Entry *variable = find(&variables, host);
    if (!variable) return note(INVALID_SYMBOL);
    Reply reply = ASK(SYMBOL, variable->id);
    *address = (void *)reply.value[0], *bytes = reply.value[1];
    return note(reply.status);
}

Error cudaGetSymbolAddress(void **address, const void *host) {
    size_t bytes;
    return symbol(host, address, &bytes);
}

Error cudaGetSymbolSize(size_t *bytes, const void *host) {
    void *address;
    return symbol(host, &address, bytes);
}

static Error inside(const void *host, size_t offset, size_t bytes, char **address) {
    size_t size;
    void *start;
    Error error = symbol(host, &start, &size);
    if (error) return error;
    *address = (char *)start + offset;
    return note(offset + bytes <= size ? SUCCESS : INVALID_VALUE);
}

Error cudaMemcpyToSymbol(const void *host, const void *from, size_t n, size_t offset, int kind) {
    char *to;
    Error error = inside(host, offset, n, &to);
    return error ? error : copy(to, from, n, kind);
}
Error cudaMemcpyFromSymbol(void *to, const void *host, size_t n, size_t offset, int kind) {
    char *from;
    Error error = inside(host, offset, n, &from);
    return error ? error : copy(to, from, n, kind);
}
Error cudaMemcpyToSymbolAsync(const void *host, const void *from, size_t n, size_t offset, int kind,
                              Stream s) {
    (void)s;
    return cudaMemcpyToSymbol(host, from, n, offset, kind);
}
Error cudaMemcpyFromSymbolAsync(void *to, const void *host, size_t n, size_t offset, int kind,
                                Stream s) {
    (void)s;
    return cudaMemcpyFromSymbol(to, host, n, offset, kind);
}

typedef struct { int type, device; void *on_device, *on_host; } PointerAttributes;

Error cudaPointerGetAttributes(PointerAttributes *out, const void *pointer) {
    void *p = (void *)pointer;
    if (managed_at(p)) *out = (PointerAttributes){MANAGED_MEMORY, 0, p, p};
    else if (on_device(p)) *out = (PointerAttributes){DEVICE_MEMORY, 0, p, NULL};
    else *out = (PointerAttributes){UNREGISTERED, -2, NULL, p};
    return SUCCESS;
}

Error cudaMemGetInfo(size_t *available, size_t *total) {
    Reply reply = ASK(MEMORY);
    *available = reply.value[0], *total = reply.value[1];
    return SUCCESS;
}

/* ---- textures: the emulator reads both structures, whose beginning is all that it needs ---- */

typedef struct { int x, y, z, w, kind; } Channels;

Channels cudaCreateChannelDesc(int x, int y, int z, int w, int kind) {
    return (Channels){x, y, z, w, kind};
}

enum { RESOURCE_BYTES = 64, SAMPLING_BYTES = 44 };

Error cudaCreateTextureObject(uint64_t *texture, const void *resource, const void *sampling,
                              const void *view) {
    char both[RESOURCE_BYTES + SAMPLING_BYTES];
    if (view) warpwise_unsupported("cudaCreateTextureObject with a resource view");
    memcpy(both, resource, RESOURCE_BYTES);
    memcpy(both + RESOURCE_BYTES, sampling, SAMPLING_BYTES);
    Reply reply = ask((Request){TEXTURE, {RESOURCE_BYTES}, sizeof both}, both, NULL, 0);
    *texture = reply.value[0];
    return note(reply.status);
}
Error cudaDestroyTextureObject(uint64_t texture) {
    return note(ASK(FORGET_TEXTURE, texture).status);
}

/* ---- the device ---- */

Error cudaGetDeviceCount(int *count) { *count = 1; return SUCCESS; }
Error cudaGetDevice(int *device) { *device = 0; return SUCCESS; }
Error cudaSetDevice(int device) { return note(device ? INVALID_DEVICE : SUCCESS); }
Error cudaSetDeviceFlags(unsigned flags) { (void)flags; return SUCCESS; }
Error cudaDeviceSynchronize(void) { return SUCCESS; }
Error cudaThreadSynchronize(void) { return SUCCESS; }
Error cudaDeviceReset(void) { return SUCCESS; }
Error cudaDeviceSetCacheConfig(int wish) { (void)wish; return SUCCESS; }
Error cudaProfilerStart(void) { return SUCCESS; }
Error cudaProfilerStop(void) { return SUCCESS; }

Error cudaDeviceGetAttribute(int *value, int attribute, int device) {
    if (device) return note(INVALID_DEVICE);
    Reply reply = ASK(DEVICE_ATTRIBUTE, attribute);
    *value = reply.value[0];
    return note(reply.status);
}

/* The structure has the size that the program's version of CUDA gave it. */
Error cudaGetDeviceProperties(void *out, int device) {
    enum { LARGEST = 2048 };
    if (device) return note(INVALID_DEVICE);
    return note(ask((Request){PROPERTIES, {0}, 0}, NULL, out, LARGEST).status);
}
Error cudaGetDeviceProperties_v2(void *out, int device) {
    return cudaGetDeviceProperties(out, device);
}

Error cudaDriverGetVersion(int *version) { *version = CUDA_MAJOR * 1000; return SUCCESS; }
Error cudaRuntimeGetVersion(int *version) { *version = CUDA_MAJOR * 1000; return SUCCESS; }

/* ---- streams and events ---- */

static Error name(void **handle) {
    static uintptr_t next = 0x100; /* the small numbers are the default streams */
    *handle = (void *)__atomic_fetch_add(&next, 1, __ATOMIC_RELAXED);
    return SUCCESS;
}

#define DONE(function, ...) Error function(__VA_ARGS__) { return SUCCESS; }
#pragma GCC diagnostic ignored "-Wunused-parameter"
Error cudaStreamCreate(Stream *s) { return name(s); }
Error cudaStreamCreateWithFlags(Stream *s, unsigned flags) { return name(s); }
Error cudaStreamCreateWithPriority(Stream *s, unsigned flags, int priority) { return name(s); }
DONE(cudaStreamDestroy, Stream s)
DONE(cudaStreamSynchronize, Stream s)
DONE(cudaStreamQuery, Stream s)
DONE(cudaStreamWaitEvent, Stream s, Event e, unsigned flags)
Error cudaDeviceGetStreamPriorityRange(int *least, int *greatest) {
    if (least) *least = 0;
    if (greatest) *greatest = 0;
    return SUCCESS;
}
Error cudaEventCreate(Event *e) { return name(e); }
Error cudaEventCreateWithFlags(Event *e, unsigned flags) { return name(e); }
DONE(cudaEventRecord, Event e, Stream s)
DONE(cudaEventRecordWithFlags, Event e, Stream s, unsigned flags)
DONE(cudaEventSynchronize, Event e)
DONE(cudaEventQuery, Event e)
DONE(cudaEventDestroy, Event e)
/* No time passes here: the simulator measures it later. */
Error cudaEventElapsedTime(float *ms, Event from, Event to) { *ms = 0; return SUCCESS; }
Error cudaEventElapsedTime_v2(float *ms, Event from, Event to) { *ms = 0; return SUCCESS; }

/* ---- errors ---- */

typedef struct { Error number; const char *name, *text; } ErrorText;
static const ErrorText errors[] = {
    {SUCCESS, "cudaSuccess", "no error"},
    {INVALID_VALUE, "cudaErrorInvalidValue", "invalid argument"},
    {OUT_OF_MEMORY, "cudaErrorMemoryAllocation", "out of memory"},
    {9, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {12, "cudaErrorInvalidPitchValue", "invalid pitch argument"},
    {INVALID_SYMBOL, "cudaErrorInvalidSymbol", "invalid device symbol"},
    {21, "cudaErrorInvalidMemcpyDirection", "invalid copy direction for memcpy"},
    {NO_FUNCTION, "cudaErrorInvalidDeviceFunction", "invalid device function"},
    {INVALID_DEVICE, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {TOO_LARGE, "cudaErrorCooperativeLaunchTooLarge", "too many blocks in cooperative launch"},
};

static const ErrorText *about(Error error) {
    static const ErrorText unknown = {-1, "unrecognized error code", "unrecognized error code"};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].number == error) return &errors[i];
    return &unknown;
}

const char *cudaGetErrorString(Error error) { return about(error)->text; }
const char *cudaGetErrorName(Error error) { return about(error)->name; }
Error cudaPeekAtLastError(void) { return last; }
Error cudaGetLastError(void) {
    Error error = last;
    last = SUCCESS;
    return error;
}
