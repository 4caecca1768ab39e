/* Muon against the same recursion in double, written out by single elements: matrices of both shapes and kernels; then whole runs,
 * where the rest follows another optimiser. */
#include "train/optimizer.h"
#include "train_by_hand.h"

enum { MOST_ELEMENTS = PIXELS * HIDDEN, MOST_ROWS = PIXELS, STEPS_BY_HAND = 4 };

/* x[r · columns + c] becomes about U·Vᵀ: by XXᵀ whatever the shape, and one sum at a time. */
static void orthogonal_by_hand(double *x, int rows, int columns, unsigned steps) {
    double norm = 0, gram[MOST_ROWS][MOST_ROWS], factor[MOST_ROWS][MOST_ROWS];
    assert_true(rows <= MOST_ROWS);
    for (int i = 0; i < rows * columns; i++)
        norm += x[i] * x[i];
    for (int i = 0; i < rows * columns; i++)
        x[i] /= sqrt(norm) + 1e-7;
    for (unsigned step = 0; step < steps; step++) {
        double next[MOST_ELEMENTS];
        assert_true(rows * columns <= MOST_ELEMENTS);
        for (int r = 0; r < rows; r++)
            for (int s = 0; s < rows; s++) {
                gram[r][s] = 0;
                for (int c = 0; c < columns; c++)
                    gram[r][s] += x[r * columns + c] * x[s * columns + c];
            }
        for (int r = 0; r < rows; r++)
            for (int s = 0; s < rows; s++) {
                double square = 0;
                for (int k = 0; k < rows; k++)
                    square += gram[r][k] * gram[k][s];
                factor[r][s] = -4.7750 * gram[r][s] + 2.0315 * square + (r == s ? 3.4445 : 0);
            }
        for (int r = 0; r < rows; r++)
            for (int c = 0; c < columns; c++) {
                next[r * columns + c] = 0;
                for (int s = 0; s < rows; s++)
                    next[r * columns + c] += factor[r][s] * x[s * columns + c];
            }
        memcpy(x, next, (size_t)(rows * columns) * sizeof *x);
    }
}

/* w and v of one matrix after its gradient g. */
static void update_by_hand(const dpr__optimizer *o, double eta, const double *g, double *v,
                           double *w, int rows, int columns) {
    double x[MOST_ELEMENTS], norm = 0;
    for (int i = 0; i < rows * columns; i++) {
        v[i] = o->momentum * v[i] + g[i];
        x[i] = g[i] + o->momentum * v[i];
        norm += w[i] * w[i];
    }
    orthogonal_by_hand(x, rows, columns, o->muon_steps);
    for (int i = 0; i < rows * columns; i++) {
        if (o->renormalise)
            w[i] *= sqrt(columns) / (sqrt(norm) + 1e-7);
        w[i] -= eta * (x[i] + o->weight_decay * w[i]);
    }
}

/* ---- single matrices ---- */

static double gradient_of(int step, int i) {
    return ((step * 7 + i * 5 + i * i * 3 + 3) % 23 - 11) * 0.125;
}

static void compare(dpr_context *context, const dpr__optimizer *o, dpr_shape shape) {
    double w[MOST_ELEMENTS], v[MOST_ELEMENTS] = {0}, g[MOST_ELEMENTS];
    float values[MOST_ELEMENTS];
    int columns = (int)shape.dim[shape.rank - 1], n = columns;
    for (uint32_t i = 0; i + 1 < shape.rank; i++)
        n *= (int)shape.dim[i];
    size_t bytes = (size_t)n * sizeof *values;
    dpr_store *store;
    dpr_program *program;
    dpr_graph *graph = dpr_graph_create(context);
    dpr_value weights = dpr_parameter(graph, "weights", shape, DPR_INIT_ZERO);
    dpr_value gradient = dpr_input(graph, "gradient", DPR_F32, shape);
    const dpr__rates rates = {.minus_rate = dpr_constant(graph, -0.05, dpr_scalar_shape())};
    const dpr__updates updates = {.graph = graph,
                                  .parameters = &weights,
                                  .gradients = &gradient,
                                  .n = 1,
                                  .optimizer = o,
                                  .rates = &rates};
    dpr_value roots[DPR__MAX_UPDATES];
    size_t n_roots = 0;
    dpr__optimizer_append(&updates, roots, &n_roots);
    OK(context, dpr_graph_finish(graph));
    OK(context, dpr_store_create(context, &store));
    OK(context, dpr_program_create(graph, store, roots, n_roots, NULL, &program));
    dpr_graph_destroy(graph);
    for (int i = 0; i < n; i++)
        w[i] = (double)(values[i] = (float)(0.5 - 0.03125 * (i * 5 % 17)));
    OK(context, dpr_store_write(store, "weights", values, bytes));
    for (int step = 0; step < STEPS_BY_HAND; step++) {
        for (int i = 0; i < n; i++)
            g[i] = (double)(values[i] = (float)gradient_of(step, i));
        OK(context, dpr_store_write(store, "gradient", values, bytes));
        OK(context, dpr_program_run(program, 1, NULL, NULL));
        update_by_hand(o, 0.05, g, v, w, n / columns, columns);
        OK(context, dpr_store_read(store, "weights", values, bytes));
        for (int i = 0; i < n; i++)
            if (!(fabs((double)values[i] - w[i]) <= 5e-5))
                fail_msg("%d × %d, step %d, element %d: %.9g instead of %.9g", n / columns, columns,
                         step, i, (double)values[i], w[i]);
    }
    dpr_program_destroy(program);
    dpr_store_destroy(store);
}

static void matrices_and_kernels(void **state) {
    (void)state;
    static const char *const devices[] = {"ref", "cpu"};
    const dpr_shape shapes[] = {dpr_shape_of(9, 4), dpr_shape_of(4, 9), dpr_shape_of(6, 6),
                                dpr_shape_of(3, 3, 2, 5), dpr_shape_of(1, 1, 3, 7)};
    for (int d = 0; d < 2; d++) {
        dpr_context *context = make_context(devices[d], 1);
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
            for (unsigned way = 0; way < 4; way++) {
                const dpr__optimizer o = {.kind = DPR__OPTIMIZER_MUON,
                                          .momentum = way & 1 ? 0.6 : 0.95,
                                          .weight_decay = way & 1 ? 0.1 : 0,
                                          .muon_steps = way & 1 ? 3 : 5,
                                          .renormalise = way >= 2};
                compare(context, &o, shapes[i]);
            }
        dpr_context_destroy(context);
    }
}

/* The update is what it is meant to be: its singular values lie near 1, those of 5 steps between 0.6 and 1.3. Seen from the Gram
 * matrix of a 2 × n update, whose eigenvalues are their squares. */
static void updates_are_nearly_orthogonal(void **state) {
    (void)state;
    double x[2 * 8] = {3, 1, 4, 1, -5, 9, 2, 6, 5, 3, -5, 8, 9, 7, -9, 3};
    orthogonal_by_hand(x, 2, 8, 5);
    double a = 0, b = 0, c = 0;
    for (int i = 0; i < 8; i++) {
        a += x[i] * x[i];
        b += x[i] * x[8 + i];
        c += x[8 + i] * x[8 + i];
    }
    double middle = (a + c) / 2, apart = sqrt((a - c) * (a - c) / 4 + b * b);
    assert_true(sqrt(middle - apart) > 0.6 && sqrt(middle + apart) < 1.3);
}

/* ---- runs ---- */

static struct by_hand h;

static void begin(void) {
    begin_by_hand(&h, 100);
    h.options.optimizer = "muon";
    h.options.learning_rate = 0.05;
    h.options.momentum = 0.6;
    h.options.muon_steps = 3;
    h.options.rest_learning_rate = 0.2;
    h.options.rest_momentum = 0.8;
    h.tolerance = 1e-4;
}

static dpr__optimizer muon_by_hand(void) {
    return (dpr__optimizer){.momentum = h.options.momentum,
                            .muon_steps = h.options.muon_steps,
                            .renormalise = h.options.muon_renormalise,
                            .weight_decay = h.options.weight_decay};
}

/* Nesterov's update, or with `nesterov` false that of momentum. */
static void rest_by_hand(const struct part *part, double *v, double eta, double mu, bool nesterov) {
    for (int i = part->first; i < part->first + part->rows * part->columns; i++) {
        v[i] = mu * v[i] + h.g[i];
        h.w[i] -= eta * (nesterov ? h.g[i] + mu * v[i] : v[i]);
    }
}

static void vectors_have_another_optimizer(void **state) {
    (void)state;
    for (int renormalise = 0; renormalise < 2; renormalise++) {
        double v[N_BY_HAND] = {0};
        begin();
        h.options.muon_renormalise = renormalise != 0;
        h.options.weight_decay = 0.01; /* of matrices */
        start_by_hand(&h);
        const dpr__optimizer muon = muon_by_hand();
        for (int t = 0; t < 6; t++) {
            step_both(&h);
            for (int p = 0; p < N_PARTS; p++) {
                const struct part *part = &parts[p];
                if (p % 2 == 0)
                    update_by_hand(&muon, 0.05, h.g + part->first, v + part->first,
                                   h.w + part->first, part->rows, part->columns);
                else
                    rest_by_hand(part, v, 0.2, 0.8, true);
            }
            same_by_hand(&h, "", h.w, t);
        }
        end_by_hand(&h);
    }
}

/* A matrix can be handed to the rest, with a factor of the rest's rate and a momentum of its own. */
static void a_matrix_too(void **state) {
    (void)state;
    static const char *const rules[] = {"linear_2.weights:optimizer=momentum,lr=0.5",
                                        "linear_1.bias:momentum=0.3", NULL};
    double v[N_BY_HAND] = {0};
    begin();
    h.options.groups = rules;
    start_by_hand(&h);
    const dpr__optimizer muon = muon_by_hand();
    for (int t = 0; t < 6; t++) {
        step_both(&h);
        update_by_hand(&muon, 0.05, h.g, v, h.w, PIXELS, HIDDEN);
        rest_by_hand(&parts[1], v, 0.2, 0.3, true);
        rest_by_hand(&parts[2], v, 0.1, 0.8, false);
        rest_by_hand(&parts[3], v, 0.2, 0.8, true);
        same_by_hand(&h, "", h.w, t);
    }
    end_by_hand(&h);
}

static void kernels_learn(void **state) {
    (void)state;
    static const char *const precisions[] = {"float32", "bf16"};
    for (int p = 0; p < 2; p++) {
        dpr_context *context;
        dpr_context_options machine = dpr_context_options_default();
        machine.precision = precisions[p];
        assert_int_equal(dpr_context_create(&machine, &context), DPR_OK);
        struct sample *sample = calloc(1, sizeof *sample);
        assert_non_null(sample);
        dpr_data *data = make_data(context, sample, 300, 1);
        dpr_model *model = make_model(
            context, data,
            "input 6 6 1, conv 3x3 8, batchnorm, relu, conv 3x3 8, relu, linear classes", 1);
        dpr_train_options options = dpr_train_options_default();
        dpr_trainer *trainer;
        dpr_epoch_report report;
        options.optimizer = "muon";
        options.learning_rate = 0.1;
        options.muon_renormalise = true;
        options.epochs = 6;
        options.batch = 32;
        OK(context, dpr_trainer_create(model, data, &options, &trainer));
        while (!dpr_trainer_finished(trainer))
            OK(context, dpr_trainer_epoch(trainer, &report));
        if (!(report.accuracy > 0.9))
            fail_msg("%s: accuracy %.3f", precisions[p], report.accuracy);
        dpr_trainer_destroy(trainer);
        dpr_model_destroy(model);
        dpr_data_destroy(data);
        dpr_context_destroy(context);
        free(sample);
    }
}

static void mistakes_are_named(void **state) {
    (void)state;
    static const char *const rules[] = {"linear_1.*:optimizer=muon", NULL};
    dpr_train_options options = dpr_train_options_default();
    begin();
#define BAD(field, value, says)                                                                    \
    options = dpr_train_options_default();                                                         \
    options.field = (value);                                                                       \
    FAILS(h.context, dpr_train_options_check(h.context, &options), DPR_E_ARGUMENT, says)
    BAD(muon_steps, 0, "muon_steps is 0; it must be at least 1 and at most 20");
    BAD(muon_steps, 21, "muon_steps is 21");
    BAD(rest_momentum, 1, "rest_momentum is 1");
    BAD(rest_learning_rate, -1, "rest_learning_rate is -1");
    BAD(rest_optimizer, "muon", "rest_optimizer is for what muon leaves over");
    BAD(rest_optimizer, "adam", "did you mean 'adamw'?");
#undef BAD
    h.options.groups = rules;
    h.model = make_model(h.context, h.data, net_by_hand, 3);
    FAILS(h.context, dpr_trainer_create(h.model, h.data, &h.options, &h.trainer), DPR_E_ARGUMENT,
          "'linear_1.bias' is a vector");
    h.trainer = NULL;
    end_by_hand(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matrices_and_kernels),
        cmocka_unit_test(updates_are_nearly_orthogonal),
        cmocka_unit_test(vectors_have_another_optimizer),
        cmocka_unit_test(a_matrix_too),
        cmocka_unit_test(kernels_learn),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
