/* What an operation is: one const object per op, defined in src/ops/<op>.c. Adding one:
 * docs/adding-an-op.md. */
#ifndef DPR_IR_OP_H
#define DPR_IR_OP_H

#include "ir/form.h"
#include <stddef.h>
#include <string.h>

enum dpr__trait {
    DPR__ELEMENTWISE = 1,   /* dst[i] from src[i] (broadcast) alone: may join a fused group */
    DPR__LINEAR = 2,        /* tested by the exact adjoint identity ⟨Ax, y⟩ = ⟨x, Aᵀy⟩ */
    DPR__VIEW = 4,          /* same bytes, other shape: never computed, only aliased */
    DPR__ZERO_GRADIENT = 8, /* derivative zero wherever it exists: ends a path silently */
    DPR__NO_GRADIENT = 16,  /* asking for the derivative is an error that names node and op */
    DPR__EFFECT = 32,       /* kept though nobody reads it */
    DPR__CONVOLUTION = 64,  /* with a dpr__conv_param */
};

typedef enum dpr__op_id {
    DPR__OP_none, /* node 0, the failed value */
#define OP(id, arity, traits) DPR__OP_##id,
#include "ir/ops.def"
#undef OP
    DPR__N_OPS
} dpr__op_id;

typedef struct dpr__type {
    dpr_dtype dtype;
    dpr_shape shape;
} dpr__type;

/* A question to a shape rule. Fails through context, with op and node named, when the sources do not
 * fit; this is the only place that rejects shapes and dtypes. */
typedef struct dpr__infer {
    dpr_context *context;
    const char *op, *name; /* the op's and the node's, for messages */
    const void *param;
    uint32_t n_src;
    const dpr__type *src;
    dpr__type dst; /* the answer */
} dpr__infer;

/* A question to a gradient rule: given ∂loss/∂dst as node diff_dst, append nodes for ∂loss/∂src[i] where
 * needed[i], and put their ids in diff_src[i]; 0 stands for zeros. */
typedef struct dpr__gradient {
    dpr_graph *graph;
    const void *param;
    dpr_value dst, diff_dst;
    const dpr_value *src;
    const bool *needed;
    dpr_value *diff_src;
} dpr__gradient;

/* A tensor in memory; reference kernels are only given plain ones. f32 nodes are held as DPR_F32, or as
 * DPR_F64 in the oracle's double mode. */
typedef struct dpr__tensor {
    dpr_dtype dtype;
    dpr_shape shape; /* no DPR_BATCH */
    void *data;
    dpr__form form;
} dpr__tensor;

/* A call of a reference kernel. It computes in double and rounds once, when it stores; so one source
 * serves both dtypes. It needs no memory of its own. */
typedef struct dpr__call {
    const void *param;
    const dpr__tensor *src;
    dpr__tensor dst;
    /* A row kernel of two nodes, window_argmax and window_take: what the second makes; dst has no data where nobody else reads it. */
    const dpr__tensor *second;
} dpr__call;

typedef enum dpr__field_type {
    DPR__FIELD_BOOL,  /* bool */
    DPR__FIELD_INT,   /* int64_t */
    DPR__FIELD_REAL,  /* double */
    DPR__FIELD_SHAPE, /* dpr_shape */
    DPR__FIELD_WORD,  /* const char *, interned in the graph */
    DPR__FIELD_DTYPE, /* dpr_dtype */
} dpr__field_type;

/* One member of an op's parameter struct: read by printing, parsing, hashing and comparing. */
typedef struct dpr__field {
    const char *name;
    dpr__field_type type;
    size_t offset;
} dpr__field;

#define DPR__FIELD(struct_type, member, field_type)                                                \
    { #member, DPR__FIELD_##field_type, offsetof(struct_type, member) }

typedef struct dpr__op {
    dpr_status (*infer)(dpr__infer *question);
    void (*gradient)(const dpr__gradient *question); /* NULL with ZERO_GRADIENT or NO_GRADIENT */
    void (*reference)(const dpr__call *call); /* NULL: leaf, views, and what programs resolve */
    const dpr__field *fields;
    size_t n_fields, param_bytes;
} dpr__op;

#define OP(id, arity, traits) extern const dpr__op dpr__op_##id;
#include "ir/ops.def"
#undef OP

/* From ops.def. */
extern const dpr__op *const dpr__ops[DPR__N_OPS];
extern const char *const dpr__op_names[DPR__N_OPS];
extern const unsigned dpr__op_traits[DPR__N_OPS];
extern const unsigned dpr__op_arity[DPR__N_OPS];

/* ---- parameters of the ops that have some ---- */

/* A leaf that no store holds: a program's own copy, rounded to bf16, of the leaf whose name follows the prefix. */
#define DPR__DERIVED_PREFIX "bf16/"
enum { DPR__DERIVED = 4 }; /* kind = DPR__DERIVED + the master's */

typedef struct dpr__leaf_param {
    const char *name;
    int64_t kind, init; /* dpr_leaf_kind, or DPR__DERIVED + one; dpr_init */
    dpr_dtype dtype;
    dpr_shape shape;
} dpr__leaf_param;
typedef struct dpr__constant_param {
    double value;
    dpr_shape shape;
} dpr__constant_param;
typedef struct dpr__scale_param {
    double factor;
} dpr__scale_param;
typedef struct dpr__matmul_param {
    bool transpose_a, transpose_b;
} dpr__matmul_param;
typedef struct dpr__sum_param {
    int64_t axes; /* bit mask */
    bool keep;
} dpr__sum_param;
typedef struct dpr__shape_param { /* reshape, broadcast */
    dpr_shape shape;
} dpr__shape_param;
typedef struct dpr__transpose_param {
    dpr_shape permutation; /* dim[i] = the source's axis that becomes axis i */
} dpr__transpose_param;
typedef struct dpr__one_hot_param {
    int64_t classes;
} dpr__one_hot_param;
typedef struct dpr__cast_param {
    dpr_dtype dtype;
} dpr__cast_param;
/* order(seed u64, epoch u64, batch i32) → i32 (DPR_BATCH): which of n images each row takes: position
 * batch·B + row of the epoch's permutation (or of 0…n−1 without shuffle); rows past the end take
 * image 0. */
typedef struct dpr__order_param {
    int64_t n;
    bool shuffle;
    int64_t batch; /* length of the result; DPR_BATCH until specialised */
} dpr__order_param;
/* rows(batch i32) → i32: how many rows of this minibatch are images: min(B, n − batch·B). */
typedef struct dpr__rows_param {
    int64_t n, batch;
} dpr__rows_param;
/* draw(seed u64, tick u64) → f32 uniform in [0, 1), Philox(seed, purpose DROPOUT, ordinal; tick, element). */
typedef struct dpr__draw_param {
    int64_t ordinal;
    dpr_shape shape;
} dpr__draw_param;
enum { DPR__PAD_ZERO, DPR__PAD_MEAN, DPR__PAD_REFLECT };
enum { DPR__FLIP_NEVER, DPR__FLIP_RANDOM, DPR__FLIP_ALTERNATE };
/* augment, mix_partner, mix_share: how far each image may be changed; a 0 leaves that kind out (docs/training.md says what they mean). */
typedef struct dpr__augment_param {
    int64_t n, height, width; /* of the set's images */
    int64_t fill;             /* byte c: the set's mean of channel c */
    int64_t crop, pad, flip, cutout;
    double rotate, scale, shear, translate; /* degrees, share, degrees, pixels */
    double elastic, smooth;                 /* pixels */
    double brightness, contrast, saturation;
    double mixup, cutmix; /* α of the Beta distribution */
} dpr__augment_param;
/* How filters come to a convolution that Winograd's algorithm makes. */
enum {
    DPR__FILTERS_TRANSFORMED = 1, /* 3 × 3 to 6 × 6: winograd_filters */
    DPR__FILTERS_PLAIN = 2,       /* the convolution transforms them, some at a time */
};
/* What a convolution rounds to bf16 (pass/precision.c). */
enum {
    DPR__BF16_OPERANDS = 1, /* both operands, when they are read */
    DPR__BF16_WINOGRAD = 2, /* what Winograd's algorithm multiplies: both operands, transformed */
};
typedef struct dpr__winograd_filters_param {
    bool bf16; /* the result is rounded */
} dpr__winograd_filters_param;
/* conv2d and its two gradients; an op names only the members that it reads, the others are 0. */
typedef struct dpr__conv_param {
    int64_t stride_h, stride_w, dilation_h, dilation_w;
    int64_t pad_top, pad_left, pad_bottom, pad_right;
    int64_t groups;
    int64_t height, width;      /* of conv2d_data's result */
    int64_t kernel_h, kernel_w; /* of conv2d_weights' result */
    int64_t turned;             /* 1: conv2d_data's weights are (kh kw oc/groups c): turn_filters */
    int64_t winograd; /* 0, or how the filters come; in conv2d_weights 1: it may sum in that form */
    int64_t bf16;     /* 0, or what is rounded */
} dpr__conv_param;
typedef struct dpr__turn_param {
    int64_t groups;
} dpr__turn_param;
/* The five window ops. */
typedef struct dpr__window_param {
    int64_t kernel_h, kernel_w, stride_h, stride_w;
    int64_t pad_top, pad_left, pad_bottom, pad_right;
    int64_t height, width; /* of window_put's and window_spread's result */
} dpr__window_param;
static inline bool dpr__same_windows(const dpr__window_param *a, const dpr__window_param *b) {
    return memcmp(a, b, offsetof(dpr__window_param, height)) == 0;
}
/* Whether windows lie beside each other and cover the map: each of its pixels is in one. */
static inline bool dpr__windows_tile(const dpr__window_param *p, const dpr_shape *map,
                                     const dpr_shape *pooled) {
    return p->kernel_h == p->stride_h && p->kernel_w == p->stride_w && p->pad_top == 0 &&
           p->pad_left == 0 && pooled->dim[1] * p->kernel_h == map->dim[1] &&
           pooled->dim[2] * p->kernel_w == map->dim[2];
}
typedef struct dpr__pad_param { /* pad, pad_reflect, fold_reflect */
    int64_t axis, before, after;
} dpr__pad_param;
typedef struct dpr__slice_param {
    int64_t axis, first, count;
} dpr__slice_param;

/* One of n images, or rows of a pool, whatever index a caller gave. */
static inline int64_t dpr__clamped(int64_t i, int64_t n) {
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

#endif
