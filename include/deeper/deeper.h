/* deeper: train deep image classifiers. The engine's public header.
 *
 * One training step is one graph: it is built by calls or from `.net` text, differentiated by
 * dpr_gradients (which appends ordinary nodes), compiled once, and then run without allocation.
 *
 * Conventions, valid for every function below unless its comment says otherwise:
 * Errors:  fallible functions return a dpr_status; the message (what, where, names and shapes,
 *          remedy) is kept in the context and read with dpr_error. Outputs are set only on DPR_OK.
 *          Graph builders return 0 on failure and latch the first error; later calls on that
 *          graph do nothing; dpr_graph_finish reports it. The library never exits or prints.
 * Owns:    `create`, `load`, `from` and `open` give an object that its `destroy` frees; destroy(NULL)
 *          is allowed. Arguments are copied, except where a comment says "borrows".
 * Threads: one thread at a time per context and everything made from it; two contexts never meet.
 * Shapes:  logical, row-major; images are NHWC, one image is (height, width, channels).
 * Options: structs begin with `size`; fill them with their _default() function, then change fields. */
#ifndef DEEPER_DEEPER_H
#define DEEPER_DEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DPR_VERSION "0.1.0"

/* ---- status ------------------------------------------------------------------------------- */

/* X(name, text): the one list of status codes. */
#define DPR_STATUS_MAP(X)                                                                          \
    X(OK, "ok")                                                                                    \
    X(E_ARGUMENT, "bad argument")                                                                  \
    X(E_SHAPE, "shapes do not fit")                                                                \
    X(E_DTYPE, "wrong data type")                                                                  \
    X(E_NO_GRADIENT, "no gradient")                                                                \
    X(E_SYNTAX, "syntax error")                                                                    \
    X(E_MEMORY, "out of memory")                                                                   \
    X(E_IO, "input/output error")                                                                  \
    X(E_FORMAT, "bad file contents")                                                               \
    X(E_DATA, "bad data set")                                                                      \
    X(E_MISMATCH, "does not match")                                                                \
    X(E_UNSUPPORTED, "not supported by this build or machine")                                     \
    X(E_NON_FINITE, "not finite")                                                                  \
    X(E_INTERRUPTED, "interrupted")

typedef enum dpr_status {
#define X(name, text) DPR_##name,
    DPR_STATUS_MAP(X)
#undef X
} dpr_status;

/* The text of a status code, from the table above; "unknown status" for any other number. */
const char *dpr_status_text(dpr_status status);

/* The library's version, "major.minor.patch". */
const char *dpr_version(void);

/* ---- context ------------------------------------------------------------------------------ */

typedef struct dpr_context dpr_context; /* errors, allocator, logger, thread team, ISA cap */
typedef struct dpr_graph dpr_graph;     /* nodes; built by calls or from text */
typedef struct dpr_store dpr_store;     /* the leaves of a model: every value that outlives a run */
typedef struct dpr_program dpr_program; /* a graph specialised and compiled over a store */
typedef struct dpr_model dpr_model;     /* net text, store, preprocessing, class names: one file */
typedef struct dpr_data dpr_data;       /* images and labels */
typedef struct dpr_trainer dpr_trainer; /* programs, schedule, counters, checkpoints of one run */
typedef uint32_t dpr_value;             /* node id in a graph; 0 is none */

typedef enum dpr_log_level { DPR_LOG_WARNING, DPR_LOG_INFO, DPR_LOG_DEBUG } dpr_log_level;

typedef struct dpr_context_options {
    size_t size;
    /* The one allocator: memory == NULL allocates, bytes == 0 frees (and returns NULL), otherwise
     * resizes like realloc. NULL: the C library's. */
    void *(*allocate)(void *user, void *memory, size_t bytes);
    void *allocate_user;
    /* Receives one line without newline; `topic` is one of the words that DEEPER_LOG knows.
     * NULL: nothing is logged. */
    void (*log)(void *user, dpr_log_level level, const char *topic, const char *line);
    void *log_user;
    const char *log_topics; /* "topic:level,…", the syntax of DEEPER_LOG; NULL: warnings only */
    unsigned threads;       /* 0: one per usable core */
    const char *device;     /* "cpu" (default) or "ref" */
    /* The most that is used of "generic", "avx2", "avx512", "avx512bf16", "amx"; NULL: all that the machine has. */
    const char *cpu_isa;
    const char *disabled_passes; /* "fuse,memplan,…"; NULL: none */
    /* "float32" (default), or "bf16": what matrix products and many convolutions (docs/numerics.md) multiply is rounded to bf16, sums, parameters and loss stay float32 */
    const char *precision;
} dpr_context_options;

dpr_context_options dpr_context_options_default(void);

/* Makes a context; NULL options are the defaults.
 * Errors: DPR_E_ARGUMENT (unknown device, ISA or pass), DPR_E_UNSUPPORTED, DPR_E_MEMORY. On failure
 * *out still is a context that holds nothing but the message, or NULL when memory is out. */
dpr_status dpr_context_create(const dpr_context_options *options, dpr_context **out);
void dpr_context_destroy(dpr_context *context);

/* The message of the last failure in this context; "" before any. Valid until the next failure. */
const char *dpr_error(const dpr_context *context);

/* Frees a text that a function gave to the caller. */
void dpr_text_destroy(dpr_context *context, char *text);

/* For "did you mean": the one of n words nearest to `word` by edit distance, or NULL when none is near. */
const char *dpr_nearest_word(const char *word, const char *const *words, size_t n);

/* What the machine and this context offer, for run records: the ISA in use, the precision ("float32", "bf16") and the
 * thread count. */
const char *dpr_context_isa(const dpr_context *context);
const char *dpr_context_precision(const dpr_context *context);
unsigned dpr_context_threads(const dpr_context *context);

/* ---- graph -------------------------------------------------------------------------------- */

typedef enum dpr_dtype { DPR_F32, DPR_F64, DPR_U8, DPR_I32, DPR_U64 } dpr_dtype;

#define DPR_MAX_RANK 6
#define DPR_BATCH ((int64_t)-1) /* a dimension that stays open until a program is compiled */

typedef struct dpr_shape {
    uint32_t rank;
    int64_t dim[DPR_MAX_RANK];
} dpr_shape;

/* dpr_shape_of(28, 28, 1): a shape from its dimensions; dpr_scalar_shape() has rank 0. */
#define dpr_shape_of(...)                                                                          \
    ((dpr_shape){(uint32_t)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), {__VA_ARGS__}})
dpr_shape dpr_scalar_shape(void);

/* Kinds of leaf: who writes it, and what a model file and a gradient make of it. */
typedef enum dpr_leaf_kind {
    DPR_PARAMETER, /* trained; in the model file */
    DPR_STATE,     /* optimiser state, counters, sums: in a checkpoint */
    DPR_INPUT,     /* written by the caller; in no file */
    DPR_STATISTIC, /* written by training, read by predictions; in the model file, but not trained */
} dpr_leaf_kind;

typedef enum dpr_init {
    DPR_INIT_ZERO,
    DPR_INIT_ONE,
    DPR_INIT_HE,
    DPR_INIT_XAVIER,
    DPR_INIT_DIRAC, /* a kernel whose first outputs are its inputs; the others uniform, variance 1/(3·inputs) */
    DPR_INIT_WHITENING, /* zero until training computes it from its images (docs/net.md); of statistics */
} dpr_init;

dpr_graph *dpr_graph_create(dpr_context *context); /* NULL when memory is out */
void dpr_graph_destroy(dpr_graph *graph);
/* Reports the first error of the builders, else verifies the graph. */
dpr_status dpr_graph_finish(dpr_graph *graph);

/* Names the nodes that the following calls make: "linear_1". NULL ends it. */
void dpr_graph_scope(dpr_graph *graph, const char *name);

/* Leaves. A leaf lives in a store under its name; graphs that name the same leaf share it.
 * He: normal, std = sqrt(2 / fan_in) (He et al. 2015, eq. 10). Xavier: uniform within
 * ±sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio 2010, eq. 16). fan_in = product of all dimensions
 * but the last, fan_out = the last; of rank 4 (kh × kw × c × oc) fan_out = kh·kw·oc. */
dpr_value dpr_parameter(dpr_graph *graph, const char *name, dpr_shape shape, dpr_init init);
dpr_value dpr_state(dpr_graph *graph, const char *name, dpr_dtype dtype, dpr_shape shape);
dpr_value dpr_input(dpr_graph *graph, const char *name, dpr_dtype dtype, dpr_shape shape);
dpr_value dpr_constant(dpr_graph *graph, double value, dpr_shape shape); /* f32, every element */

/* Elementwise, f32. Binary operands broadcast like NumPy's: aligned at the last dimension, a
 * missing or 1-sized dimension is repeated. Result: the common shape. Gradient: all operands. */
dpr_value dpr_add(dpr_graph *graph, dpr_value a, dpr_value b);
dpr_value dpr_subtract(dpr_graph *graph, dpr_value a, dpr_value b);
dpr_value dpr_multiply(dpr_graph *graph, dpr_value a, dpr_value b);
dpr_value dpr_divide(dpr_graph *graph, dpr_value a, dpr_value b);
dpr_value dpr_scale(dpr_graph *graph, dpr_value src, double factor); /* src × factor */
dpr_value dpr_relu(dpr_graph *graph, dpr_value src);                 /* max(src, 0); slope 0 at 0 */
dpr_value dpr_step(dpr_graph *graph, dpr_value src);                 /* 1 where src > 0, else 0 */
dpr_value dpr_leaky_relu(dpr_graph *graph, dpr_value src, double slope);
dpr_value dpr_sigmoid(dpr_graph *graph, dpr_value src);
dpr_value dpr_tanh(dpr_graph *graph, dpr_value src);
dpr_value dpr_gelu(dpr_graph *graph, dpr_value src);     /* src Φ(src), by erf */
dpr_value dpr_softplus(dpr_graph *graph, dpr_value src); /* ln(1 + e^src) */
dpr_value dpr_mish(dpr_graph *graph, dpr_value src);     /* src tanh(softplus(src)) */
dpr_value dpr_silu(dpr_graph *graph, dpr_value src);     /* src σ(src) */
dpr_value dpr_exp(dpr_graph *graph, dpr_value src);
dpr_value dpr_log(dpr_graph *graph, dpr_value src);
dpr_value dpr_sqrt(dpr_graph *graph, dpr_value src);
dpr_value dpr_erf(dpr_graph *graph, dpr_value src);
/* With probability `rate` an element becomes 0, else it is divided by (1 − rate); src itself in
 * programs that do not train. The draw is keyed by leaf "seed", leaf "tick", and the ordinal of
 * this dropout in the graph. 0 ≤ rate < 1. */
dpr_value dpr_dropout(dpr_graph *graph, dpr_value src, double rate);

/* op(a)·op(b), where op transposes if its flag is set. a (m × k), b (k × n), result (m × n). */
enum { DPR_TRANSPOSE_A = 1, DPR_TRANSPOSE_B = 2 };
dpr_value dpr_matmul(dpr_graph *graph, dpr_value a, dpr_value b, unsigned flags);

/* Reductions over the axes in the bit mask (bit i is axis i); reduced axes are kept with size 1
 * where `keep` is set. Over the batch, use dpr_batch_mean: the last batch of an epoch is smaller. */
dpr_value dpr_sum(dpr_graph *graph, dpr_value src, unsigned axes, bool keep);
dpr_value dpr_mean(dpr_graph *graph, dpr_value src, unsigned axes, bool keep);
/* src (batch): zero for rows from `rows` on. rows: i32 scalar. */
dpr_value dpr_prefix(dpr_graph *graph, dpr_value src, dpr_value rows);
/* sum(prefix(src, rows)) / rows: the mean of the valid rows of src (batch). */
dpr_value dpr_batch_mean(dpr_graph *graph, dpr_value src, dpr_value rows);

/* Shape. One dimension of `shape` may be DPR_BATCH where src has it. */
dpr_value dpr_reshape(dpr_graph *graph, dpr_value src, dpr_shape shape);
dpr_value dpr_transpose(dpr_graph *graph, dpr_value src, const uint32_t *permutation);
dpr_value dpr_broadcast(dpr_graph *graph, dpr_value src, dpr_shape shape);

/* Zeros along one axis, `before` of them before src and `after` behind it. axis: not 0, the batch.
 * Errors: DPR_E_ARGUMENT (axis or padding), DPR_E_SHAPE (the axis is open). Gradient: src. */
dpr_value dpr_pad(dpr_graph *graph, dpr_value src, unsigned axis, int64_t before, int64_t after);
/* As dpr_pad, with src's mirror image in place of zeros, its edge not repeated: (a b c) with 2 before and 1
 * behind is (c b a b c b). before and after must be smaller than src's extent. Gradient: src. */
dpr_value dpr_pad_reflect(dpr_graph *graph, dpr_value src, unsigned axis, int64_t before,
                          int64_t after);
/* `count` elements along one axis, from `first` on; all of them must be there. axis: not 0, the batch.
 * Errors: DPR_E_ARGUMENT, DPR_E_SHAPE (the axis is open). Gradient: src. */
dpr_value dpr_slice(dpr_graph *graph, dpr_value src, unsigned axis, int64_t first, int64_t count);
/* n values one after the other along one axis, not 0; they may differ there alone. The sum of n dpr_pad.
 * Errors: DPR_E_ARGUMENT (axis, no values), DPR_E_SHAPE. Gradient: every src. */
dpr_value dpr_concat(dpr_graph *graph, const dpr_value *src, size_t n, unsigned axis);

typedef struct dpr_conv_options {
    size_t size;
    int64_t stride[2], dilation[2]; /* down, across: 1 */
    int64_t pad[4];                 /* zeros at top, left, bottom, right: 0 */
    int64_t groups;                 /* 1; as many as src has channels: depthwise */
} dpr_conv_options;
dpr_conv_options dpr_conv_options_default(void);

/* dst[n, y, x, o] = Σ src[n, y·stride − top + i·dilation, x·stride − left + j·dilation, first + k]·weights[i, j, k, o],
 * where `first` is the first channel of o's group; NULL options are the defaults.
 * Shapes:  src (n × h × w × c), weights (kh × kw × c/groups × oc), result (n × oh × ow × oc),
 *          oh = (h + top + bottom − dilation·(kh − 1) − 1)/stride + 1, rounded down; ow alike. n may be DPR_BATCH.
 * Errors:  DPR_E_SHAPE (ranks, channels, groups that do not divide, a kernel larger than the padded image),
 *          DPR_E_ARGUMENT (stride, dilation, kernel or groups outside 1 … 65536, padding outside 0 … 65536).
 * Gradient: src, weights; each is a convolution again. */
dpr_value dpr_conv2d(dpr_graph *graph, dpr_value src, dpr_value weights,
                     const dpr_conv_options *options);

typedef struct dpr_pool_options {
    size_t size;
    int64_t kernel[2], stride[2]; /* down, across: 2 */
    int64_t pad[4];               /* at top, left, bottom, right: 0; smaller than the kernel */
} dpr_pool_options;
dpr_pool_options dpr_pool_options_default(void);

/* Of each window the largest, or the mean; NULL options are the defaults. Padding is never the largest; in a mean
 * it counts, as 0. A NaN in a window is its largest. Of equals the first gets the gradient.
 * Shapes:  src (n × h × w × c), result (n × oh × ow × c), oh = (h + top + bottom − kernel)/stride + 1, rounded
 *          down; ow alike. n may be DPR_BATCH.
 * Errors:  DPR_E_SHAPE (rank, a kernel larger than the padded image), DPR_E_ARGUMENT (kernel or stride outside
 *          1 … 65536, padding outside 0 … kernel − 1; the largest: a window of more than 256 elements).
 * Gradient: src. */
dpr_value dpr_max_pool(dpr_graph *graph, dpr_value src, const dpr_pool_options *options);
dpr_value dpr_average_pool(dpr_graph *graph, dpr_value src, const dpr_pool_options *options);
/* The mean of each channel of each image: (n × h × w × c) → (n × c). Errors: DPR_E_SHAPE. Gradient: src. */
dpr_value dpr_global_average_pool(dpr_graph *graph, dpr_value src);

typedef struct dpr_batch_norm_options {
    size_t size;
    double momentum; /* weight of a batch in the running statistics, 0 … 1: 0.1 */
    double epsilon;  /* added to the variance, above 0: 1e-5 */
} dpr_batch_norm_options;
dpr_batch_norm_options dpr_batch_norm_options_default(void);

/* (src − mean)·scale/√(variance + epsilon) + shift for each channel (Ioffe & Szegedy 2015). Programs that train take
 * mean and variance (biased) over all axes but the last, of the first `rows` rows; others take the running ones.
 * Shapes:  src (n × … × c), of at least two dimensions; n may be DPR_BATCH. scale, shift (0: none), running_mean,
 *          running_variance: (c). rows: i32 scalar, how many of the n count; 0: all of them.
 * updates: may be NULL; what the running statistics become, for dpr_assign: (1 − momentum)·old + momentum·new in
 *          programs that train, with the unbiased variance (÷ count − 1; 0 where count is 1), else the old ones.
 * Errors:  DPR_E_SHAPE (shapes and types), DPR_E_ARGUMENT (options, rows). Gradient: src, also by way of mean and variance; scale, shift. */
dpr_value dpr_batch_norm(dpr_graph *graph, dpr_value src, dpr_value scale, dpr_value shift,
                         dpr_value running_mean, dpr_value running_variance, dpr_value rows,
                         const dpr_batch_norm_options *options, dpr_value updates[2]);
/* The same with the statistics of each row over the last axis, in all programs (Ba et al. 2016). src (n × … × c), of at
 * least two dimensions; scale, shift: (c), or 0 for none. epsilon > 0. Errors: DPR_E_SHAPE, DPR_E_ARGUMENT. Gradient:
 * src, scale, shift. */
dpr_value dpr_layer_norm(dpr_graph *graph, dpr_value src, dpr_value scale, dpr_value shift,
                         double epsilon);
/* The same with the statistics of each image over height, width and the channels of one of `groups` groups (Wu & He
 * 2018). src (n × h × w × c), c a multiple of groups; scale, shift: (c), or 0. Errors and gradient as above. */
dpr_value dpr_group_norm(dpr_graph *graph, dpr_value src, int64_t groups, dpr_value scale,
                         dpr_value shift, double epsilon);

/* Over the last axis. Stable for logits of any finite size (the row's maximum is taken out). */
dpr_value dpr_softmax(dpr_graph *graph, dpr_value src);
dpr_value dpr_log_softmax(dpr_graph *graph, dpr_value src);
/* Per row −Σ_j targets_j log softmax(logits)_j. logits, targets (n × classes); result (n). */
dpr_value dpr_softmax_cross_entropy(dpr_graph *graph, dpr_value logits, dpr_value targets);
dpr_value dpr_argmax(dpr_graph *graph, dpr_value src); /* i32, first of equals; last axis */
dpr_value dpr_equal(dpr_graph *graph, dpr_value a, dpr_value b); /* i32 operands; f32 0 or 1 */

/* indices i32 (n) → f32 (n × classes); an index outside 0…classes−1 gives a row of zeros. */
dpr_value dpr_one_hot(dpr_graph *graph, dpr_value indices, int64_t classes);
dpr_value dpr_cast(dpr_graph *graph, dpr_value src, dpr_dtype dtype); /* u8 or i32 → f32 */
/* pool (n × …), index i32 (batch) → (batch × …); or index a scalar → (…). Indices are clamped. */
dpr_value dpr_gather(dpr_graph *graph, dpr_value pool, dpr_value index);

/* `leaf` has `value` in the next tick; every other reader in this tick sees the old value. */
dpr_value dpr_assign(dpr_graph *graph, dpr_value leaf, dpr_value value);
/* train in programs that train, else otherwise. */
dpr_value dpr_choose(dpr_graph *graph, dpr_value train, dpr_value otherwise);
/* Stops the program's run with DPR_E_NON_FINITE, state intact, when src (f32 scalar) is not. */
dpr_value dpr_guard(dpr_graph *graph, dpr_value src);

/* Appends nodes that compute ∂loss/∂wrt[i] and stores their ids in out[i]. loss is an f32 scalar;
 * a wrt[i] that loss does not depend on gets zeros. Gradients of gradients work alike.
 * Errors: DPR_E_NO_GRADIENT names node and op on a path that has no derivative. */
dpr_status dpr_gradients(dpr_graph *graph, dpr_value loss, const dpr_value *wrt, size_t n,
                         dpr_value *out);

dpr_shape dpr_value_shape(const dpr_graph *graph, dpr_value value);

/* ---- store and program -------------------------------------------------------------------- */

dpr_status dpr_store_create(dpr_context *context, dpr_store **out);
void dpr_store_destroy(dpr_store *store);
/* Copies a whole leaf. `bytes` must be its size. */
dpr_status dpr_store_read(const dpr_store *store, const char *leaf, void *dst, size_t bytes);
dpr_status dpr_store_write(dpr_store *store, const char *leaf, const void *src, size_t bytes);
/* The leaf, an input, reads from memory of the caller's (borrowed until rebound or the store is destroyed), which is
 * never written: programs that assign the leaf refuse to run. */
dpr_status dpr_store_bind(dpr_store *store, const char *leaf, const void *memory, size_t bytes);

typedef struct dpr_program_options {
    size_t size;
    int64_t batch; /* what DPR_BATCH becomes */
    bool train;    /* which side dpr_choose takes */
    uint64_t seed; /* of the initial values of leaves that the store does not hold yet */
} dpr_program_options;

dpr_program_options dpr_program_options_default(void);

/* Compiles what the roots (results to read, assigns, guards) need. Leaves that the store lacks are
 * made in it and initialised. The graph may be destroyed afterwards; the store must outlive it. */
dpr_status dpr_program_create(dpr_graph *graph, dpr_store *store, const dpr_value *roots, size_t n,
                              const dpr_program_options *options, dpr_program **out);
void dpr_program_destroy(dpr_program *program);
/* Runs `ticks` ticks, or fewer when *stop (may be NULL) becomes non-zero between two; *done (may be
 * NULL) counts them. Nothing is allocated. Errors: DPR_E_NON_FINITE from a guard; before the first tick DPR_E_ARGUMENT
 * where a leaf that is assigned is bound, DPR_E_MISMATCH where an input is smaller than when the program was made. */
dpr_status dpr_program_run(dpr_program *program, uint64_t ticks, const volatile int *stop,
                           uint64_t *done);
/* Copies a root's value after a run. A root that is a leaf, or a view of one, has the value that the leaf has now. */
dpr_status dpr_program_read(const dpr_program *program, dpr_value root, void *dst, size_t bytes);

/* ---- data --------------------------------------------------------------------------------- */

typedef enum dpr_half { DPR_TRAIN, DPR_VALIDATION, DPR_TEST } dpr_half;
/* How an image of another size is brought to the network's: whole and centred on black; centre cut
 * out; or both axes scaled on their own. */
typedef enum dpr_fit { DPR_FIT, DPR_CROP, DPR_STRETCH } dpr_fit;

/* What a network must know of its data. */
typedef struct dpr_data_info {
    size_t size;
    dpr_shape image; /* height, width, channels; rank 0: not known */
    uint32_t n_classes;
    const char *const *class_names; /* n_classes names; NULL: the indices serve as names */
    dpr_fit fit;
    /* Per channel, of pixel/255, over the training half; 0 and 1 when not known. */
    double mean[4], deviation[4];
} dpr_data_info;

dpr_data_info dpr_data_info_default(void);

/* A set in memory. images u8 (n, height, width, channels), labels i32 (n), both borrowed until
 * `release` (may be NULL) is called with `user` by dpr_data_destroy. info is copied; where its
 * deviation is 0, mean and deviation are computed from the images.
 * Errors: DPR_E_DATA names the first label outside 0…n_classes−1. */
dpr_status dpr_data_create(dpr_context *context, const dpr_data_info *info, const uint8_t *images,
                           const int32_t *labels, size_t n, void (*release)(void *user), void *user,
                           dpr_data **out);
/* Brings image i of a set to pixels, u8 (height, width, channels): the same ones each time. Called on several threads at once, each with
 * a context of its own for messages and memory. */
typedef dpr_status (*dpr_data_load)(dpr_context *own, void *user, size_t i, uint8_t *pixels);
/* A set whose images are loaded, now all of them once. Where they fit in `memory` bytes (0: any) they stay; of a larger set the first ones do,
 * and the others are loaded again whenever training and evaluation come to them, a few hundred at a time: to the same results. At
 * least 256 images have room. The rest is as for dpr_data_create.
 * Errors: those of `load`, of the smallest i; also later, of what takes images from the set. */
dpr_status dpr_data_create_loaded(dpr_context *context, const dpr_data_info *info,
                                  dpr_data_load load, const int32_t *labels, size_t n,
                                  size_t memory, void (*release)(void *user), void *user,
                                  dpr_data **out);
void dpr_data_destroy(dpr_data *data);
const dpr_data_info *dpr_data_describe(const dpr_data *data);
size_t dpr_data_count(const dpr_data *data);
/* Bytes of the images that are in memory. */
size_t dpr_data_memory(const dpr_data *data);
/* How many images of `a` are in `b`, too, pixel for pixel. */
dpr_status dpr_data_count_shared(const dpr_data *a, const dpr_data *b, size_t *out);
/* NULL where they are not all in memory. */
const uint8_t *dpr_data_images(const dpr_data *data);
const int32_t *dpr_data_labels(const dpr_data *data);
/* Over shape, images and labels: the identity of a set; looks at the images where nobody has. Errors: of loading them. */
dpr_status dpr_data_sha256(const dpr_data *data, char hex[65]);
/* Checks the grammar of dpr_train_options' `augment` before there is a set. Errors: DPR_E_ARGUMENT names the item, its range and the
 * nearest word. */
dpr_status dpr_augment_check(dpr_context *context, const char *augment);
/* What a training run with these options shows the network of images index[0 … n − 1] in an epoch (1 is the first): the set's
 * own pixels where augment is NULL. pixels: u8 (n, height, width, channels), the caller's.
 * Errors: DPR_E_ARGUMENT names what is wrong with `augment`, an index or the epoch. */
dpr_status dpr_data_augment(const dpr_data *data, const char *augment, uint64_t seed,
                            unsigned epoch, const int32_t *index, size_t n, uint8_t *pixels);

/* ---- model -------------------------------------------------------------------------------- */

/* From `.net` text, or "preset:NAME" (docs/net.md). `name` is used in messages: a file's name or "--net".
 * info gives what the text leaves open, and the normalisation; with seed the first weights.
 * init: "auto", "he", "xavier" or "zero". */
dpr_status dpr_model_from_net(dpr_context *context, const char *name, const char *net,
                              const dpr_data_info *info, uint64_t seed, const char *init,
                              dpr_model **out);
/* Checks the grammar of net text and tells what its input is (height, width, channels), before there is data. With
 * *of_data (`input data`) images of another size change the network and not the images; rank 0: any size. */
dpr_status dpr_net_check(dpr_context *context, const char *name, const char *net, dpr_shape *image,
                         bool *of_data);
/* The networks that ship: their names, and their text (NULL: no such name). */
const char *const *dpr_preset_names(size_t *n);
const char *dpr_preset_text(const char *name);
dpr_status dpr_model_load(dpr_context *context, const char *path, dpr_model **out);
dpr_status dpr_model_save(const dpr_model *model, const char *path); /* atomic */
void dpr_model_destroy(dpr_model *model);

const dpr_data_info *dpr_model_describe(const dpr_model *model);
const char *dpr_model_net(const dpr_model *model); /* its text */
uint64_t dpr_model_parameters(const dpr_model *model);
/* Test-time augmentation, which the model's file keeps: dpr_evaluate and dpr_predict average the logits of several views of each image.
 * "none"; "flip": the image and its mirror image; "translate": the image, counted twice, and both shifts by one pixel down-right and
 * up-left; "flip,translate": each of these three and its mirror image. Errors: DPR_E_ARGUMENT. */
dpr_status dpr_model_set_tta(dpr_model *model, const char *views);
const char *dpr_model_tta(const dpr_model *model);
/* SHA-256 over the parameter tensors' bytes in the model file's order, as 64 hex digits. */
dpr_status dpr_model_weights_sha256(const dpr_model *model, char hex[65]);
/* Model's metadata of the training run ("" where there is none), a JSON object. */
const char *dpr_model_run(const dpr_model *model);

/* The part of an image that one place of an output depends on: place (y, x) sees the rows first[0] + y·step[0] and the size[0] − 1 behind, of which
 * some may lie outside the image, and columns alike. What sees the whole image has step 0. */
typedef struct dpr_field {
    int64_t first[2], step[2], size[2];
} dpr_field;

typedef struct dpr_layer {
    const char *name, *op; /* "linear_1", "linear" */
    dpr_shape output;      /* without the batch */
    dpr_field field;
    int from; /* the layer whose output it takes; −1: it takes the image. A join of bodies: the last one's */
    bool activation; /* a function of each number by itself, such as relu; */
    bool gate;       /* and one that lets hardly anything through below 0 */
    uint64_t parameters;
    uint64_t flops;  /* of one image's forward pass */
    unsigned line;   /* in the net text */
    unsigned depth;  /* of residuals and branches, whose own layer comes after them, outside */
    unsigned begins; /* of these, the innermost, that have it as the first layer of a body */
} dpr_layer;
size_t dpr_model_layers(const dpr_model *model, const dpr_layer **layers);

/* The forward graph, loss and backward graph of the model, to draw: a graph of its own. */
dpr_status dpr_model_graph(const dpr_model *model, bool backward, dpr_graph **out);

typedef enum dpr_plan_kind {
    DPR_PLAN_UNTIMED,
    DPR_PLAN_TIMED, /* and how long each row takes, its share of all, its rate */
    DPR_PLAN_SLOWEST_FIRST,
} dpr_plan_kind;

/* The plan of the model's training step with default options, or of a prediction of probabilities, one line a row: phase, tiles, work, memory, kernel, what it
 * computes. What is timed takes some three seconds of steps on made-up images, and at least seven steps (DPR_E_UNSUPPORTED on
 * the reference device). Freed with dpr_text_destroy. */
dpr_status dpr_model_plan(const dpr_model *model, unsigned batch, bool train, dpr_plan_kind kind,
                          char **text);

/* What one layer takes of a training step. */
typedef struct dpr_layer_time {
    double forward_us, backward_us; /* backward: gradients and the updates of its parameters */
} dpr_layer_time;

/* Times training steps with default options on made-up images, for about so many seconds, at least three steps. times: n_layers + 1; the last holds what belongs
 * to no layer (data, loss, counters). What is computed together counts for the first of its layers. The sum is *step_us, but for barriers
 * and the clock itself. Errors: DPR_E_UNSUPPORTED on the reference device. */
dpr_status dpr_model_time_layers(const dpr_model *model, unsigned batch, double seconds,
                                 dpr_layer_time *times, double *step_us);

typedef struct dpr_evaluation {
    size_t size;
    uint64_t n, correct;
    double accuracy, accuracy_low, accuracy_high; /* Wilson's 95 % interval */
    double loss;                                  /* mean cross entropy */
    uint32_t n_classes;
    const uint64_t *confusion;        /* (true class × predicted class) */
    const double *precision, *recall; /* per class; NaN where undefined */
    uint64_t correct_plain;           /* without test-time augmentation, as the two below */
    double accuracy_plain, loss_plain;
} dpr_evaluation;

/* The model on a set. The arrays in *out belong to the model and are valid until its next
 * evaluation. Errors: DPR_E_MISMATCH where image shape or classes differ. */
dpr_status dpr_evaluate(dpr_model *model, const dpr_data *data, dpr_evaluation *out);

/* The same, and calls visit for each image, in the order of the set, with the class that it is taken for and the probabilities
 * of all (n_classes), which are the callee's only until it returns. visit may be NULL. */
typedef void dpr_visit_prediction(void *user, size_t i, uint32_t predicted,
                                  const float *probabilities);
dpr_status dpr_evaluate_each(dpr_model *model, const dpr_data *data, dpr_visit_prediction *visit,
                             void *user, dpr_evaluation *out);

/* images u8 (n, height, width, channels) → probabilities (n × classes). */
dpr_status dpr_predict(dpr_model *model, const uint8_t *images, size_t n, float *probabilities);

/* ---- looking inside ----------------------------------------------------------------------- */

/* What a model computes of images on the way to its result, and how that follows from their pixels: by the graphs and the chain rule of training. */
typedef struct dpr_probe dpr_probe;

/* model: borrowed until dpr_probe_destroy. batch: the most images at a time, at least 1. Programs are compiled when they are first wanted. */
dpr_status dpr_probe_create(dpr_model *model, unsigned batch, dpr_probe **out);
void dpr_probe_destroy(dpr_probe *probe);
/* Runs images u8 (n, height, width, channels), n ≤ batch; test-time augmentation has no part in it. */
dpr_status dpr_probe_run(dpr_probe *probe, const uint8_t *images, size_t n);
/* What a layer (an index of dpr_model_layers) made of them: values (n × the layer's output). */
dpr_status dpr_probe_output(const dpr_probe *probe, size_t layer, float *values);
/* ∂(Σ weights·output of the layer)/∂pixels for pixels f32 (n, height, width, channels), 0 to 255 as images are, n ≤ batch. weights: (n × the layer's
 * output); gradient: (n, height, width, channels). Errors: DPR_E_NO_GRADIENT. */
dpr_status dpr_probe_gradient(dpr_probe *probe, size_t layer, const float *pixels,
                              const float *weights, size_t n, float *gradient);
/* How much a class depends on each pixel of an image u8: the largest |∂logit/∂pixel| of its channels (Simonyan et al. 2014, section 3.1).
 * map: (height × width). */
dpr_status dpr_probe_saliency(dpr_probe *probe, const uint8_t *image, uint32_t class_index,
                              float *map);
/* Where a layer of pictures (height × width × channels) finds a class: max(0, Σ α·channel), α being the mean over the picture of
 * ∂logit/∂channel (Selvaraju et al. 2017, equations 1 and 2). map: (height × width of the layer's output). Errors: DPR_E_SHAPE (no pictures). */
dpr_status dpr_probe_grad_cam(dpr_probe *probe, const uint8_t *image, uint32_t class_index,
                              size_t layer, float *map);

/* ---- training ----------------------------------------------------------------------------- */

struct dpr_progress;

typedef struct dpr_train_options {
    size_t size;
    unsigned epochs;       /* 10 */
    unsigned batch;        /* 128 */
    double learning_rate;  /* 0: the optimiser's default */
    const char *optimizer; /* "sgd", "momentum", "nesterov", "adamw", "muon" */
    double momentum;       /* 0.9 */
    double
        weight_decay; /* coupled (L2) for SGD, apart for AdamW and Muon; weights only, not biases */
    double beta1, beta2, epsilon; /* AdamW: 0.9, 0.999, 1e-8 */
    const char *schedule; /* "constant", "step", "exponential", "cosine", "one-cycle", "linear" */
    double warmup;        /* epochs */
    double step_epochs, decay; /* step: × decay every step_epochs; exponential: × decay an epoch */
    double label_smoothing;    /* 0 */
    double clip_norm;          /* global norm; 0: no clipping */
    /* NULL or "": all classes alike; "balanced": 1 / share; or "NAME=W,...", where a class that is not named weighs 1. Borrowed */
    const char *class_weights;
    const char *loss_reduction; /* what gradients are of: a step's "mean" loss, or its "sum" */
    uint64_t seed;              /* 1 */
    unsigned patience;          /* epochs without a better validation accuracy; 0: no early stop */
    const dpr_data *validation; /* borrowed; NULL: none */
    const volatile int *stop;   /* borrowed; non-zero ends an epoch early with DPR_E_INTERRUPTED */
    /* Called between steps, at most some ten times a second; non-zero ends like *stop. */
    int (*progress)(void *user, const struct dpr_progress *progress);
    void *progress_user;
    const char *data_name,
        *command; /* for the run record: what the set is called, and how to make the model again; may be NULL */
    /* How the training images are changed at random each time that they are shown: "crop=4,flip,cutout=8" (docs/training.md).
     * NULL: they are not. Validation and evaluation see images as they are. Copied. */
    const char *augment;
    /* Parameter groups, "PATTERN:SETTING,…" (docs/training.md), NULL-terminated; borrowed until dpr_trainer_destroy; NULL:
     * none. A later one overrides an earlier, setting by setting. */
    const char *const *groups;
    /* An average of the weights is what is validated and what the run results in, at most one: exponential with this decay
     * (0: none), or the mean of those at the ends of the epochs from this one on (0: none). */
    double ema;
    unsigned swa;
    /* "muon" is for matrices and kernels; the rest has an optimiser (not muon), a rate (0: that optimiser's default) and a
     * momentum (0.9) of its own. */
    const char *rest_optimizer; /* "nesterov" */
    double rest_learning_rate, rest_momentum;
    unsigned muon_steps;   /* of the iteration that makes a matrix orthogonal: 5 */
    bool muon_renormalise; /* bring weights to the norm √(columns) before each update */
    /* Every `lookahead` updates (0: never) slow weights move by alpha (0.5) of the way to the weights, which become them. With a
     * power above 0 (0) they move by 1 − (1 − alpha)·x^power, x being the share of the run that is done. */
    unsigned lookahead;
    double lookahead_alpha, lookahead_power;
    unsigned accumulate; /* batches whose gradients make one update: 1 */
} dpr_train_options;

typedef struct dpr_progress {
    unsigned epoch, epochs;
    uint64_t step, steps;  /* in this epoch */
    double loss, accuracy; /* running, over this epoch */
    double images_per_second, learning_rate;
    double seconds; /* since the epoch began */
} dpr_progress;

typedef struct dpr_epoch_report {
    size_t size;
    unsigned epoch;        /* 1 for the first */
    double loss, accuracy; /* over the epoch's training images, before each update */
    bool has_validation;
    double validation_loss, validation_accuracy, validation_low, validation_high;
    double images_per_second, learning_rate, seconds;
    bool best;     /* best validation accuracy so far */
    bool finished; /* all epochs done, or patience is spent (the best weights are back in place) */
} dpr_epoch_report;

dpr_train_options dpr_train_options_default(void);
/* Checks what needs neither model nor data. Errors: as of dpr_trainer_create. */
dpr_status dpr_train_options_check(dpr_context *context, const dpr_train_options *options);

/* Both borrowed until dpr_trainer_destroy. Errors: DPR_E_ARGUMENT names the option and its range. */
dpr_status dpr_trainer_create(dpr_model *model, const dpr_data *data,
                              const dpr_train_options *options, dpr_trainer **out);
void dpr_trainer_destroy(dpr_trainer *trainer);
/* One minibatch; ends an epoch's bookkeeping when it was the last. *loss may be NULL. */
dpr_status dpr_trainer_step(dpr_trainer *trainer, double *loss);
/* The rest of the current epoch. report may be NULL. */
dpr_status dpr_trainer_epoch(dpr_trainer *trainer, dpr_epoch_report *report);
/* Model and everything that the run needs to go on, bit for bit. Atomic; refused with
 * DPR_E_NON_FINITE when a leaf is not finite. */
dpr_status dpr_trainer_save(const dpr_trainer *trainer, const char *path);
/* Takes up the run in `path`. Errors: DPR_E_MISMATCH names the first option, data property or
 * network that changes the result and differs. */
dpr_status dpr_trainer_resume(dpr_trainer *trainer, const char *path);
/* The record of the run so far, a JSON object: what a saved model's dpr_model_run would be. Freed with dpr_text_destroy. */
dpr_status dpr_trainer_run(const dpr_trainer *trainer, char **json);
unsigned dpr_trainer_epochs_done(const dpr_trainer *trainer);
uint64_t dpr_trainer_steps_done(const dpr_trainer *trainer);
bool dpr_trainer_finished(const dpr_trainer *trainer);
/* The reports of the epochs done, resumed ones included. */
size_t dpr_trainer_history(const dpr_trainer *trainer, const dpr_epoch_report **reports);

/* ---- health of a run ---------------------------------------------------------------------- */

/* X(name, word, what was seen, what to do): the one list of what a training can suffer from. In the texts {layer} is the finding's layer, {op} its
 * op, {value} its value, {share} that as percent, {rate} its learning rate. */
#define DPR_CAUSE_MAP(X)                                                                           \
    X(NON_FINITE, "non-finite",                                                                    \
      "the loss is not finite: the first op whose output was not is {op} of {layer}",              \
      "try a learning rate of {rate}")                                                             \
    X(RATE_HIGH, "rate-high",                                                                      \
      "the learning rate is far too high: weights have moved by {value} times their length, and "  \
      "the loss is no better than that of guessing",                                               \
      "try a learning rate of {rate}, or what deeper lr finds")                                    \
    X(RATE_LOW, "rate-low",                                                                        \
      "the learning rate is far too low: no weights have moved by more than {share} of their "     \
      "length, and the loss is no better than that of guessing",                                   \
      "try a learning rate of {rate}, or what deeper lr finds")                                    \
    X(DEAD_RELU, "dead-relu",                                                                      \
      "{share} of the units of {layer} are 0 for every image looked at, and learn no more",        \
      "try a learning rate of {rate}, a warm-up, batchnorm before it, or leaky_relu")              \
    X(VANISHING, "vanishing-gradient",                                                             \
      "the gradient vanishes: what reaches {layer} is {value} of what the last layer gets",        \
      "try relu in place of sigmoid and tanh, batchnorm, residuals, or fewer layers")              \
    X(EXPLODING, "exploding-gradient",                                                             \
      "the gradient explodes: what reaches {layer} is {value} times what the last layer gets",     \
      "try smaller first weights, batchnorm, or a longest gradient (clip-norm 1)")                 \
    X(ONE_CLASS, "one-class",                                                                      \
      "every image looked at is taken for the same class; the most frequent one has {share} of "   \
      "the training images",                                                                       \
      "try class weights (balanced), and more images of the other classes")                        \
    X(STUCK, "stuck",                                                                              \
      "the loss stays at {value}, that of guessing, and all images get the same answer",           \
      "see whether the images differ (deeper data preview), and try other first weights")          \
    X(SHUFFLED, "shuffled-labels",                                                                 \
      "the labels look shuffled: weights move and gradients flow, but {share} right is no better " \
      "than guessing",                                                                             \
      "see whether each image has the label that it should (deeper data preview)")                 \
    X(OVERFIT, "overfit",                                                                          \
      "the accuracy on the training images is {share} above that on the validation images",        \
      "try augmentation, weight decay, dropout, more images, or an early stop (patience)")

typedef enum dpr_cause {
#define X(name, word, what, remedy) DPR_CAUSE_##name,
    DPR_CAUSE_MAP(X)
#undef X
        DPR_N_CAUSES
} dpr_cause;

/* What was found in a run, at most once for each cause. */
typedef struct dpr_ailment {
    size_t size;
    dpr_cause cause;
    const char *layer, *op; /* "linear_1", "matmul"; "" where it is no layer's, no op's */
    unsigned epoch;         /* 1 for the first */
    uint64_t step;          /* of the run, 1 for the first */
    double value;           /* a share, a loss or a ratio, as its text says */
    double rate;            /* a learning rate to try; 0: it is not the rate */
} dpr_ailment;

/* What was found so far, a resumed run's earlier findings included; the trainer's, valid until its next step. */
size_t dpr_trainer_health(const dpr_trainer *trainer, const dpr_ailment **findings);
/* "dead-relu"; "" for any other number. */
const char *dpr_cause_word(dpr_cause cause);
/* One line: what was seen; what to do. Freed with dpr_text_destroy. */
dpr_status dpr_ailment_text(dpr_context *context, const dpr_ailment *finding, char **text);

/* ---- learning-rate range test ------------------------------------------------------------- */

typedef struct dpr_rate_test_options {
    size_t size;
    double low, high; /* rates of the first and the last update; 0: by the optimiser's usual rate */
    unsigned updates; /* in all: 350 */
    int (*progress)(void *user, size_t done, size_t of); /* may be NULL; non-zero stops */
    void *progress_user;
} dpr_rate_test_options;
dpr_rate_test_options dpr_rate_test_options_default(void);

typedef struct dpr_rate_test {
    size_t size;
    size_t n; /* updates that were made */
    const double *rate, *loss,
        *smooth; /* (n) of each; the mean loss of its images; that, smoothed */
    /* To two digits, rates to train with, as the highest of a schedule: of the optimiser; and of what muon leaves over, else 0. Both 0: no rate has
     * made the loss fall. */
    double suggested, suggested_rest;
    size_t fallen; /* the update at which the smoothed loss has done 95 % of its fall, */
    size_t lowest; /* and that at which it is lowest */
    bool diverged; /* ended early, by a loss that rose far or was not finite */
} dpr_rate_test;

/* Trains with a rate that grows by the same factor at each update (Smith 2017, section 3.3), and finds one to train with. The model's weights are of no
 * use after it; options are those of the training to come, of which schedule, validation and averages do not count. *out is freed with
 * dpr_rate_test_destroy.
 * Errors: DPR_E_ARGUMENT (bounds that are not 0 < low < high ≤ 1e6, less than 20 updates); as of dpr_trainer_create; DPR_E_INTERRUPTED (progress). */
dpr_status dpr_rate_test_run(dpr_model *model, const dpr_data *data,
                             const dpr_train_options *options, const dpr_rate_test_options *test,
                             dpr_rate_test **out);
void dpr_rate_test_destroy(dpr_context *context, dpr_rate_test *test);

/* ---- timing ------------------------------------------------------------------------------- */

typedef struct dpr_bench_options {
    size_t size;
    const char *net; /* net text; `classes` stands for 10 */
    unsigned batch;  /* images a step */
    bool train;      /* a training step (momentum SGD), else the forward pass to the logits */
    double seconds; /* about how long to measure each of the two figures, at least three steps: 1 */
    bool step_only; /* leave out the training run end to end: false */
} dpr_bench_options;

typedef struct dpr_bench_result {
    size_t size;
    /* A step takes one of eight float32 batches in turn (of fewer where eight are more than 64 MB): median and 10th
     * percentile. */
    double step_us, step_us_p10;
    double images_per_second; /* batch / median step */
    /* A training run over a uint8 set of 16,384 images, or of as many as an epoch takes in `seconds`: random rows
     * gathered, normalised, trained on. 0 when not training, and with step_only. */
    double end_to_end_images_per_second;
    double
        gflops; /* of matrix products and convolutions at the median step, two for each multiply-add */
} dpr_bench_result;

dpr_bench_options dpr_bench_options_default(void);
/* Times one network on synthetic data, in this context: its device, ISA and threads. */
dpr_status dpr_bench(dpr_context *context, const dpr_bench_options *options,
                     dpr_bench_result *result);
/* GF/s that the context's threads reach together, in "float32" or "bf16", on one tile of a matmul that stays in their caches: what the
 * gflops of a bench are to be held against. 0 on the reference device. Errors: DPR_E_ARGUMENT (unknown precision). */
dpr_status dpr_bench_peak(dpr_context *context, const char *precision, double *gflops);

#ifdef __cplusplus
}
#endif
#endif
