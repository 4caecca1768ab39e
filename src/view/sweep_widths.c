/* Hidden widths of networks of one size (dpr_sweep_widths). Counts are doubles: exact where they decide, and huge ones do not overflow. */
#include "ir/shape.h"
#include "view/sweep.h"
#include <math.h>
#include <string.h>

/* A unit of the first layer costs as many parameters as an image has numbers, one of the others some two widths; so widths that differ by a
 * unit here and there come close. */
enum { MOST_SPREAD = 8 };
static const double WITHIN = 0.01;

struct shape {
    double inputs, classes;
    unsigned depth;
};

/* Weights and biases: Σ over layers of (inputs + 1) · units. */
static double count(const struct shape *shape, const unsigned *widths) {
    double inputs = shape->inputs, n = 0;
    for (unsigned i = 0; i < shape->depth; i++) {
        n += (inputs + 1) * widths[i];
        inputs = widths[i];
    }
    return n + (inputs + 1) * shape->classes;
}

static void fill(const struct shape *shape, unsigned width, unsigned *widths) {
    for (unsigned i = 0; i < shape->depth; i++)
        widths[i] = width;
}

static double count_equal(const struct shape *shape, unsigned width) {
    unsigned widths[DPR_SWEEP_DEEPEST];
    fill(shape, width, widths);
    return count(shape, widths);
}

/* The largest equal width of no more than `most` parameters; 1 where even that has more. */
static unsigned widest(const struct shape *shape, double most) {
    unsigned low = 1, high = 1u << 31;
    while (high - low > 1) {
        unsigned middle = low + (high - low) / 2;
        *(count_equal(shape, middle) <= most ? &low : &high) = middle;
    }
    return low;
}

/* The widths nearest to `wanted` of those whose first layer has `spread` units more or less than w, at most, and of whose others, all within
 * that, some have one more than the rest. Returns how far they are. */
static double nearest(const struct shape *shape, double wanted, unsigned w, unsigned spread,
                      unsigned *widths) {
    unsigned tried[DPR_SWEEP_DEEPEST], low = w > spread ? w - spread : 1;
    double best = HUGE_VAL;
    for (unsigned first = low; first <= w + spread; first++)
        for (unsigned rest = low; rest <= w + spread; rest++)
            for (unsigned more = 0; more < shape->depth; more++) {
                tried[0] = first;
                for (unsigned i = 1; i < shape->depth; i++)
                    tried[i] = i <= more ? rest + 1 : rest;
                double off = fabs(count(shape, tried) - wanted);
                if (off < best) {
                    best = off;
                    memcpy(widths, tried, shape->depth * sizeof *widths);
                }
            }
    return best;
}

static dpr_status solve_reference(dpr_context *context, const struct shape *shape, double wanted,
                                  unsigned *widths) {
    double least = count_equal(shape, 1);
    if (wanted < least)
        return DPR_FAIL(context, DPR_E_ARGUMENT,
                        "%.0f parameters are too few: with %u hidden layer%s a network has at "
                        "least %.0f here",
                        wanted, shape->depth, shape->depth > 1 ? "s" : "", least);
    unsigned w = widest(shape, wanted);
    bool up = count_equal(shape, w + 1) - wanted < wanted - count_equal(shape, w);
    fill(shape, up ? w + 1 : w, widths);
    return DPR_OK;
}

static dpr_status solve(dpr_context *context, const struct shape *shape, double wanted,
                        unsigned *widths) {
    unsigned w = widest(shape, wanted);
    double off = HUGE_VAL;
    for (unsigned spread = 1; spread <= MOST_SPREAD && off > WITHIN * wanted; spread *= 2)
        off = nearest(shape, wanted, w, spread, widths);
    if (off <= WITHIN * wanted)
        return DPR_OK;
    return DPR_FAIL(context, DPR_E_ARGUMENT,
                    "no network with %u hidden layers comes within 1 %% of the %.0f parameters of "
                    "the shallowest: the nearest has %.0f; ask for more parameters",
                    shape->depth, wanted, count(shape, widths));
}

static dpr_status check(dpr_context *context, uint64_t parameters, const unsigned *depths,
                        size_t n) {
    if (parameters > 1000000000)
        return DPR_FAIL(context, DPR_E_ARGUMENT, "%llu parameters are too many; at most 1e9",
                        (unsigned long long)parameters);
    for (size_t i = 0; i < n; i++) {
        if (depths[i] < 1 || depths[i] > DPR_SWEEP_DEEPEST)
            return DPR_FAIL(context, DPR_E_ARGUMENT,
                            "a depth is %u; a network that is made has 1 to %d hidden layers",
                            depths[i], DPR_SWEEP_DEEPEST);
        for (size_t j = 0; j < i; j++)
            if (depths[i] == depths[j])
                return DPR_FAIL(context, DPR_E_ARGUMENT, "depth %u is given twice", depths[i]);
    }
    return DPR_OK;
}

dpr_status dpr_sweep_widths(dpr_context *context, const dpr_data_info *info, uint64_t parameters,
                            const unsigned *depths, size_t n,
                            unsigned (*widths)[DPR_SWEEP_DEEPEST]) {
    DPR_TRY(check(context, parameters, depths, n));
    if (n == 0)
        return DPR_FAIL(context, DPR_E_ARGUMENT, "no depths are given");
    struct shape shape = {.inputs = (double)dpr__shape_count(&info->image),
                          .classes = info->n_classes,
                          .depth = depths[0]};
    size_t shallowest = 0;
    for (size_t i = 1; i < n; i++)
        if (depths[i] < depths[shallowest])
            shallowest = i;
    shape.depth = depths[shallowest];
    DPR_TRY(solve_reference(context, &shape, (double)parameters, widths[shallowest]));
    double wanted = count(&shape, widths[shallowest]);
    for (size_t i = 0; i < n; i++) {
        shape.depth = depths[i];
        if (i != shallowest)
            DPR_TRY(solve(context, &shape, wanted, widths[i]));
    }
    return DPR_OK;
}
