/* Max pooling behind a convolution: it takes the tiles, its gradient's mask and sums move to the pooled map, and the filters' gradient reads what it left. Of small
 * integers, so that equal elements are many and sums exact: the cpu device gives what the reference gives, on every instruction set, with passes or without. */
#include "backend/program.h"
#include "kernel/convolution_support.h"

struct pooled {
    struct geometry g;
    int64_t kernel[2], stride[2], pad[4];
};

/* Windows that cover the map are taken with the tile; the others are not. */
static const struct pooled CASES[] = {
    {G(3, 28, 28, 1, 6, 5, 5, {1, 1}, {1, 1}, {2, 2, 2, 2}, 1), {2, 2}, {2, 2}, {0}},
    {G(3, 14, 14, 6, 16, 5, 5, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1), {2, 2}, {2, 2}, {0}},
    {G(2, 12, 18, 3, 5, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1), {3, 2}, {3, 2}, {0}},
    {G(2, 12, 18, 3, 5, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1), {1, 1}, {1, 1}, {0}},
    {G(2, 11, 13, 2, 3, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1), {2, 2}, {2, 2}, {0}},
    {G(2, 10, 10, 4, 8, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1), {3, 3}, {2, 2}, {1, 1, 1, 1}},
    {G(2, 10, 10, 4, 8, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1), {2, 2}, {2, 2}, {1, 1, 1, 1}},
    {G(2, 10, 12, 4, 9, 4, 3, {1, 1}, {2, 1}, {3, 1, 3, 1}, 1), {2, 3}, {2, 3}, {0}},
    {G(2, 10, 12, 4, 9, 3, 3, {1, 1}, {1, 2}, {1, 2, 1, 2}, 1), {2, 2}, {2, 2}, {0}},
    {G(2, 15, 16, 16, 16, 7, 7, {2, 2}, {1, 1}, {3, 3, 3, 3}, 1), {2, 2}, {2, 2}, {0}},
    {G(17, 8, 8, 5, 16, 3, 3, {2, 2}, {1, 1}, {1, 1, 1, 1}, 1), {4, 4}, {4, 4}, {0}},
    {G(1, 130, 40, 16, 7, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1), {5, 4}, {5, 4}, {0}},
    {G(2, 8, 8, 8, 33, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1), {2, 2}, {2, 2}, {0}},
    {G(2, 8, 8, 17, 32, 5, 5, {1, 1}, {1, 1}, {2, 2, 2, 2}, 1), {2, 2}, {2, 2}, {0}},
    {G(2, 8, 8, 8, 16, 1, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1), {2, 2}, {2, 2}, {0}},
    {G(2, 8, 8, 8, 16, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 2), {2, 2}, {2, 2}, {0}},
    {G(0, 8, 8, 3, 6, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1), {2, 2}, {2, 2}, {0}},
};
enum { N_CASES = sizeof CASES / sizeof *CASES };

/* What is made of the convolution before it is pooled, and who else reads it. */
enum { RELU = 1, READ_TWICE = 2, PREDICTS = 4, RAW = 8, ALL = 16 };

struct pooled_results {
    struct results r;
    float db[64];
    size_t nb;
};

/* `plan`: where the text of the plan goes; NULL: nowhere. */
static void run_pooled(const struct pooled *p, unsigned how, dpr_context_options options,
                       struct pooled_results *out, char **plan) {
    const struct geometry *g = &p->g;
    dpr_context *context;
    assert_int_equal(dpr_context_create(&options, &context), DPR_OK);
    dpr_graph *graph = dpr_graph_create(context);
    dpr_value x = dpr_input(graph, "x", DPR_F32, dpr_shape_of(g->n, g->h, g->w, g->c));
    dpr_shape filters = dpr_shape_of(g->kh, g->kw, g->c / g->options.groups, g->oc);
    dpr_value w = dpr_parameter(graph, "w", filters, DPR_INIT_HE);
    dpr_value b = dpr_parameter(graph, "b", dpr_shape_of(g->oc), DPR_INIT_ONE);
    dpr_value raw = dpr_conv2d(graph, x, w, &g->options), map = dpr_add(graph, raw, b);
    if (how & RAW) /* the products themselves are read twice, and by the gradient */
        map = dpr_add(graph, dpr_multiply(graph, raw, raw), b);
    if (how & RELU)
        map = dpr_relu(graph, map);
    dpr_pool_options pool = dpr_pool_options_default();
    memcpy(pool.kernel, p->kernel, sizeof pool.kernel);
    memcpy(pool.stride, p->stride, sizeof pool.stride);
    memcpy(pool.pad, p->pad, sizeof pool.pad);
    dpr_value y = dpr_max_pool(graph, map, &pool);
    dpr_shape shape = dpr_value_shape(graph, y);
    dpr_value t = dpr_input(graph, "t", DPR_F32, shape);
    dpr_value loss = dpr_sum(graph, dpr_multiply(graph, y, t), 15, false), gradients[3];
    if (how & READ_TWICE)
        loss = dpr_add(graph, loss, dpr_sum(graph, how & RAW ? raw : map, 15, false));
    dpr_value roots[4] = {y, how & RAW ? raw : map};
    size_t n_roots = how & PREDICTS ? how & READ_TWICE ? 2 : 1 : 4;
    if (n_roots == 4) {
        assert_int_equal(dpr_gradients(graph, loss, (dpr_value[]){x, w, b}, 3, gradients), DPR_OK);
        memcpy(roots + 1, gradients, sizeof gradients);
    }
    dpr_store *store;
    dpr_program *program;
    struct results *r = &out->r;
    r->ny = count_of(shape), r->nw = count_of(filters), out->nb = (size_t)g->oc;
    r->nx = (size_t)(g->n * g->h * g->w * g->c);
    assert_true(r->ny <= MOST && r->nx <= MOST && r->nw <= MOST);
    assert_int_equal(dpr_store_create(context, &store), DPR_OK);
    assert_int_equal(dpr_program_create(graph, store, roots, n_roots, NULL, &program), DPR_OK);
    fill(store, "x", r->nx, 1, true), fill(store, "w", r->nw, 2, true);
    fill(store, "b", out->nb, 4, true);
    if (n_roots == 4)
        fill(store, "t", r->ny, 3, true);
    for (int tick = 0; tick < 2; tick++)
        assert_int_equal(dpr_program_run(program, 1, NULL, NULL), DPR_OK);
    assert_int_equal(dpr_program_read(program, y, r->y, r->ny * 4), DPR_OK);
    if (n_roots == 4) {
        assert_int_equal(dpr_program_read(program, gradients[0], r->dx, r->nx * 4), DPR_OK);
        assert_int_equal(dpr_program_read(program, gradients[1], r->dw, r->nw * 4), DPR_OK);
        assert_int_equal(dpr_program_read(program, gradients[2], out->db, out->nb * 4), DPR_OK);
    }
    if (plan != NULL) {
        char *text;
        assert_int_equal(dpr__program_plan_text(program, 0, 0, false, &text), DPR_OK);
        *plan = strdup(text);
        assert_non_null(*plan);
        dpr__free(context, text);
    }
    dpr_program_destroy(program);
    dpr_store_destroy(store);
    dpr_graph_destroy(graph);
    dpr_context_destroy(context);
}

static void expect_equal(size_t i, unsigned how, const char *what, const float *got,
                         const float *want, size_t n) {
    for (size_t k = 0; k < n; k++)
        if (!(got[k] == want[k]))
            fail_msg("case %zu, %u: %s[%zu] is %g, not %g", i, how, what, k, (double)got[k],
                     (double)want[k]);
}

static void expect_all_equal(size_t i, unsigned how, const struct pooled_results *got,
                             const struct pooled_results *want) {
    expect_equal(i, how, "y", got->r.y, want->r.y, want->r.ny);
    if (how & PREDICTS)
        return;
    expect_equal(i, how, "dx", got->r.dx, want->r.dx, want->r.nx);
    expect_equal(i, how, "dw", got->r.dw, want->r.dw, want->r.nw);
    expect_equal(i, how, "db", got->db, want->db, want->nb);
}

static void agrees(void **state) {
    (void)state;
    static const char *const ISAS[] = {"generic", "avx2", "avx512", "avx512bf16", "amx"};
    static const char *const WITHOUT[] = {NULL, "layout", "simplify", "fuse", "layout,fuse"};
    static struct pooled_results want, got;
    for (size_t i = 0; i < N_CASES; i++)
        for (unsigned how = 0; how < ALL; how++) {
            dpr_context_options options = dpr_context_options_default();
            options.device = "ref";
            run_pooled(&CASES[i], how, options, &want, NULL);
            options.device = "cpu";
            for (int isa = 0; isa <= (int)dpr__isa_detect(); isa++) {
                options.cpu_isa = ISAS[isa];
                options.threads = 1 + (unsigned)isa % 3;
                run_pooled(&CASES[i], how, options, &got, NULL);
                expect_all_equal(i, how, &got, &want);
            }
            for (size_t k = 1; k < sizeof WITHOUT / sizeof *WITHOUT; k++) {
                options.disabled_passes = WITHOUT[k];
                run_pooled(&CASES[i], how, options, &got, NULL);
                expect_all_equal(i, how, &got, &want);
            }
        }
}

static unsigned count(const char *text, const char *word) {
    unsigned n = 0;
    for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
        n++;
    return n;
}

/* LeNet's layers: no row pools alone, and one row puts, for the data's gradient; a map that is read elsewhere, too, is stored, and pooled from there. */
static void nothing_is_stored_but_what_others_read(void **state) {
    (void)state;
    static struct pooled_results got;
    for (size_t i = 0; i < 2; i++) {
        char *plan;
        run_pooled(&CASES[i], RELU, dpr_context_options_default(), &got, &plan);
        assert_int_equal(count(plan, " window_argmax_"), 0);
        assert_int_equal(count(plan, " window_put_"), 1);
        assert_int_equal(count(plan, "conv2d_weights window_put"), 1);
        free(plan);
        run_pooled(&CASES[i], RELU | READ_TWICE, dpr_context_options_default(), &got, &plan);
        assert_int_equal(count(plan, " window_argmax_"), 1);
        free(plan);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees),
                                       cmocka_unit_test(nothing_is_stored_but_what_others_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
