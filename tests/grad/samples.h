/* What the tests know of each op: the one object `samples_<op>`, in the file of its group. The list
 * of ops is made from ops.def, so an op without samples does not link. */
#ifndef TESTS_GRAD_SAMPLES_H
#define TESTS_GRAD_SAMPLES_H

#include "backend/store.h"

enum { SAMPLE_LEAVES = 3, SAMPLE_BATCH = 3 };

/* A function of up to three f32 leaves, and where to try it. Zero is the default of every member
 * after `build`. */
struct grad_sample {
    const char *name;
    uint32_t n_leaves;
    dpr_shape shape[SAMPLE_LEAVES]; /* DPR_BATCH becomes SAMPLE_BATCH */
    dpr_value (*build)(dpr_graph *graph, const dpr_value *leaf);
    struct {
        double low, high; /* −2 … 2 */
    } range[SAMPLE_LEAVES];
    bool kink_at_zero;          /* leaf values stay away from 0 */
    bool train;                 /* the program's option */
    void (*write)(dpr_store *); /* gives other leaves their values */
    unsigned linear;            /* bit i: linear in leaf i, exact in small integers */
    unsigned flat;              /* bit i: the gradient with respect to leaf i is 0 */
};

struct grad_samples {
    const struct grad_sample *sample;
    size_t n;
    const char *why_none; /* why there is no gradient to check; NULL where there is one */
    void (*values)(void); /* checks values computed by hand */
};

/* BUILD(gelu, dpr_gelu(g, x[0])) defines a function of the leaves x,
 * SAMPLE("gelu", 1, gelu, .shape = {SHAPE(2, 3)}, more members) is a sample of it. */
/* clang-format off */
#define BUILD(function, call) \
    static dpr_value function(dpr_graph *g, const dpr_value *x) { return call; }
#define SHAPE(...) {sizeof((int[]){__VA_ARGS__}) / sizeof(int), {__VA_ARGS__}}
#define SCALAR {0, {0}}
#define SAMPLE(title, n, function, ...) \
    {.name = title, .n_leaves = n, .build = function, __VA_ARGS__}
/* clang-format on */
#define SAMPLES(array) .sample = (array), .n = sizeof(array) / sizeof *(array)

#define OP(id, arity, traits) extern const struct grad_samples samples_##id;
#include "ir/ops.def"
#undef OP

/* What build.c composes of ops. */
extern const struct grad_samples samples_compositions;

/* Indexed by dpr__op_id; the last entry, DPR__N_OPS, is the compositions'. */
enum { N_SAMPLES = DPR__N_OPS + 1 };
const struct grad_samples *samples_of(size_t i);
const char *samples_name(size_t i);

#endif
