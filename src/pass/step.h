/* A step: the graph of one program on its way from what the user built to what a backend runs.
 * Passes, in order:  specialise → simplify → fold → precision → prepare → keep → fuse → layout → schedule → memory plan.  Each takes a step and
 * leaves a step whose graph verifies. docs/architecture.md follows one net through them. */
#ifndef DPR_PASS_STEP_H
#define DPR_PASS_STEP_H

#include "base/memory.h"
#include "ir/form.h"
#include "ir/graph.h"

typedef enum dpr__group_kind {
    DPR__GROUP_NODE,      /* one node that is no elementwise op */
    DPR__GROUP_POINTWISE, /* elementwise ops over one iteration space */
    DPR__GROUP_CONTRACT,  /* a matmul, then elementwise ops on its result */
    DPR__GROUP_GATHER,    /* a gather that makes a matrix, then elementwise ops on it */
    DPR__GROUP_REDUCE, /* elementwise ops over one iteration space, and sums of them over all its rows */
} dpr__group_kind;

/* Nodes that one kernel computes together. Members are in topological order; the anchor (a matmul, a gather or the
 * single node) is the first. The iteration space is the shape of every member, but for sums, which read it. */
typedef struct dpr__group {
    dpr__group_kind kind;
    uint32_t first, n; /* in step->members */
    uint32_t phase;    /* span between two barriers in which it runs */
} dpr__group;

typedef enum dpr__home {
    DPR__HOME_NONE,     /* not stored: lives in a register of its group, or is an effect */
    DPR__HOME_LEAF,     /* the store's memory of leaf `leaf` */
    DPR__HOME_ARENA,    /* arena + offset */
    DPR__HOME_CONSTANT, /* arena + offset, for ever; written once, when the plan is made */
    DPR__HOME_ENTRY, /* in its pool: a gather of one entry that is not copied, but found in each tick */
} dpr__home;

/* Where a node's value lies. A view's entry is its owner's. */
typedef struct dpr__placement {
    dpr__home home;
    dpr_value leaf;                   /* HOME_LEAF: the leaf node whose slot it is */
    uint32_t first_phase, last_phase; /* arena: when the bytes must be left alone */
    size_t offset, bytes;
} dpr__placement;

/* A leaf that gets its new value by copying, since an earlier write would hide the old one from a
 * reader. `from_leaf`: the value is another leaf's, saved before the tick. */
typedef struct dpr__commit {
    dpr_value leaf, value;
    bool from_leaf;
    size_t offset; /* of the saved copy, in the arena */
} dpr__commit;

typedef struct dpr__step {
    dpr_context *context;
    dpr_graph *graph; /* specialised */
    dpr_value
        *roots; /* ids in graph; 0 where a root vanished (assign(w, w)); passes may append some */
    size_t n_roots;
    bool per_node; /* every node stored, groups of one: how the oracle runs */
    uint64_t seed; /* of leaves that the store has yet to make */
    bool leaves_are_f64;
    bool rounded; /* the graph is already what precision made */

    bool *kept; /* (nodes) the same in every tick: computed when a leaf has changed (keep.c) */
    uint32_t *group_of; /* (nodes) index in groups + 1; 0: leaf, constant, view, effect */
    dpr__group *groups;
    size_t n_groups;
    dpr_value *members;
    size_t n_members;
    uint32_t n_phases;
    uint32_t n_kept_phases; /* the first ones: what is kept, and nothing else, is computed there */

    dpr__form *forms; /* (nodes) how each stored value lies */
    bool *entries;    /* (nodes) gathers that copy nothing: one entry of an input, which only left
                      operands of products read */
    dpr__placement *placements; /* (nodes) */
    dpr__commit *commits;
    size_t n_commits;
    size_t arena_bytes, unplanned_bytes; /* with, and without sharing of memory */
} dpr__step;

typedef struct dpr__step_options {
    int64_t batch;
    bool train;
    uint64_t seed;
    bool per_node;
    bool leaves_are_f64;
    bool rounded;
} dpr__step_options;

/* Runs the passes. Passes that the context disables are left out (fuse: groups of one; memplan: no
 * memory shared; layout: every value row-major; schedule: the order in which the graph was built). */
dpr_status dpr__step_create(dpr_graph *graph, const dpr_value *roots, size_t n_roots,
                            const dpr__step_options *options, dpr__step **out);
void dpr__step_destroy(dpr__step *step);

dpr_status dpr__specialise(dpr__step *step, const dpr_graph *from, const dpr_value *roots,
                           const dpr__step_options *options);
dpr_status dpr__simplify(dpr__step *step);
dpr_status dpr__fold(dpr__step *step);
dpr_status dpr__precision(dpr__step *step);
dpr_status dpr__prepare(dpr__step *step);
/* Of prepare: what a convolution, or a gradient of one, is to round to bf16; 0: nothing. */
int64_t dpr__convolves_in_bf16(const dpr__step *step, const dpr_graph *graph, dpr_value value,
                               const bool *kept);
/* Of simplify: whether each element of window_put's source arrives at one place of the map, where window_argmax found it: never in padding. */
bool dpr__puts_maxima(const dpr_graph *graph, dpr_value put);
/* Of prepare: whether a filters' gradient reads what a pooling left of diff_dst where it lies: diff_dst is window_put of few channels. */
bool dpr__sums_maxima(const dpr_graph *graph, dpr_value value);
/* Of simplify: the value of a reshape of data, with the reshape turned to the data's leaf; 0 when value is no such reshape. */
dpr_value dpr__sink_reshape(dpr_graph *graph, dpr_value value);
dpr_status dpr__keep(dpr__step *step);
dpr_status dpr__fuse(dpr__step *step);
dpr_status dpr__layout(dpr__step *step);
dpr_status dpr__schedule(dpr__step *step);
dpr_status dpr__plan_memory(dpr__step *step);

/* The independent checker: no two values that live at one time share bytes; every read lies within the
 * reader's source's life; no leaf is written while an old value is still to be read. */
dpr_status dpr__check_memory(const dpr__step *step);

/* ---- shared by passes and backends ---- */

/* The node whose memory a value lies in: behind views and guards, and the value of an assign. */
dpr_value dpr__owner(const dpr_graph *graph, dpr_value value);

/* What dpr__keep finds, of any graph: kept (nodes). */
void dpr__mark_kept(const dpr_graph *graph, bool *kept);
/* Whether a node only repeats its source in a chain's registers, or cuts it off there: it costs nothing, and is not stored. */
bool dpr__repeats_in_chains(const dpr__node *node);
/* The shape over which a group runs. */
const dpr_shape *dpr__group_space(const dpr__step *step, const dpr__group *group);
/* Whether a node sums a map over all dimensions but the last: sum, or squared_deviations. */
bool dpr__is_channel_sum(const dpr_graph *graph, dpr_value value);

/* Whether a node is a convolution, or a gradient of one, of each channel by itself to one channel. */
bool dpr__is_depthwise(const dpr_graph *graph, dpr_value value);

/* How an operand lies in the 2-D iteration space of a group: columns = last dimension, rows = the rest. */
typedef enum dpr__pattern {
    DPR__FULL,   /* one element for each point */
    DPR__ROW,    /* one for each column, the same in every row: a bias */
    DPR__COLUMN, /* one for each row */
    DPR__SCALAR,
    DPR__NO_PATTERN, /* any other broadcast */
} dpr__pattern;
dpr__pattern dpr__pattern_of(const dpr_shape *operand, const dpr_shape *space);

/* Bytes of one element of a value, and of the whole as it is stored. */
size_t dpr__element_bytes(const dpr__step *step, dpr_value value);
size_t dpr__value_bytes(const dpr__step *step, dpr_value value);
/* Whether this member of a group writes a leaf in place (a view of a leaf lies there, too, but does not). */
bool dpr__writes_leaf(const dpr__step *step, dpr_value member);
/* Rebuilds a graph by copying node by node. `rule` may answer with a node of the new graph in *out
 * (then nothing is copied); *out stays 0 to copy. map[old] = new. */
typedef struct dpr__rewrite {
    dpr__step *step;
    const dpr_graph *from;
    dpr_graph *to;
    dpr_value *map; /* (from's nodes) */
    const dpr__step_options *options;
    void *user;
} dpr__rewrite;
typedef dpr_status dpr__rewrite_rule(dpr__rewrite *rewrite, dpr_value old, dpr_value *out);
/* Replaces step->graph (from may be it: then it is destroyed) and maps step->roots. Only what the
 * roots need is copied. */
dpr_status dpr__rewrite_graph(dpr__step *step, const dpr_graph *from, dpr__rewrite_rule *rule,
                              const dpr__step_options *options, void *user);
/* The same graph without what no root needs. */
dpr_status dpr__drop_dead(dpr__step *step);
/* The copy of node `old` in the new graph, its sources mapped. */
dpr_value dpr__copy_node(dpr__rewrite *rewrite, dpr_value old, const void *param);

#endif
