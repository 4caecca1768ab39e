/* The curve of a run: its points are means over all images, some for each epoch, and the same however the run was cut. */
#include "train_support.h"
#include <deeper/deeper.h>

static const char NET[] = "input 6 6 1, linear 4, relu, linear classes";

enum { IMAGES = 100, BATCH = 8, STEPS = 13, EPOCHS = 3 };

static dpr_trainer *start(dpr_context *context, const dpr_data *data, dpr_model **model,
                          unsigned epochs) {
    dpr_train_options options = dpr_train_options_default();
    dpr_trainer *trainer;
    options.epochs = epochs;
    options.batch = BATCH;
    *model = make_model(context, data, NET, 1);
    OK(context, dpr_trainer_create(*model, data, &options, &trainer));
    return trainer;
}

/* The curve in the run's record: from "curve" on to the mark's end. */
static void curve_of(dpr_context *context, const dpr_trainer *trainer, char out[1 << 16]) {
    char *run;
    OK(context, dpr_trainer_run(trainer, &run));
    const char *at = strstr(run, "\"curve\":");
    assert_non_null(at);
    snprintf(out, 1 << 16, "%s", at);
    dpr_text_destroy(context, run);
}

static unsigned rows_of(const char *curve) {
    unsigned n = 0;
    for (const char *at = strstr(curve, "[["); at != NULL && *at != 0; at++)
        n += at[0] == '[' && at[1] != '[' ? 1 : 0;
    return n - 1; /* the mark */
}

static void the_same_however_it_was_cut(void **state) {
    (void)state;
    static char alone[1 << 16], cut[1 << 16];
    static struct sample sample;
    dpr_context *context;
    dpr_context_options options = dpr_context_options_default();
    dpr_model *model;
    assert_int_equal(dpr_context_create(&options, &context), DPR_OK);
    dpr_data *data = make_data(context, &sample, IMAGES, 1);
    dpr_trainer *trainer = start(context, data, &model, EPOCHS);
    while (!dpr_trainer_finished(trainer))
        OK(context, dpr_trainer_epoch(trainer, NULL));
    curve_of(context, trainer, alone);
    assert_int_equal(rows_of(alone), EPOCHS * STEPS); /* there are points for all steps */
    dpr_trainer_destroy(trainer), dpr_model_destroy(model);
    char *path = temporary("run.safetensors");
    for (unsigned at = 1; at < EPOCHS * STEPS; at += 5) {
        trainer = start(context, data, &model, EPOCHS);
        for (unsigned i = 0; i < at; i++)
            OK(context, dpr_trainer_step(trainer, NULL));
        OK(context, dpr_trainer_save(trainer, path));
        dpr_trainer_destroy(trainer), dpr_model_destroy(model);
        trainer = start(context, data, &model, EPOCHS);
        OK(context, dpr_trainer_resume(trainer, path));
        while (!dpr_trainer_finished(trainer))
            OK(context, dpr_trainer_epoch(trainer, NULL));
        curve_of(context, trainer, cut);
        assert_string_equal(cut, alone);
        dpr_trainer_destroy(trainer), dpr_model_destroy(model);
    }
    remove_temporary(path);
    dpr_data_destroy(data);
    dpr_context_destroy(context);
}

/* More epochs than points: one point each, which is the epoch's own loss. */
static void a_long_run_has_a_point_an_epoch(void **state) {
    (void)state;
    static char curve[1 << 16];
    static struct sample sample;
    char point[96];
    dpr_context *context;
    dpr_context_options options = dpr_context_options_default();
    dpr_model *model;
    assert_int_equal(dpr_context_create(&options, &context), DPR_OK);
    dpr_data *data = make_data(context, &sample, IMAGES, 1);
    dpr_trainer *trainer = start(context, data, &model, 150);
    dpr_epoch_report report;
    OK(context, dpr_trainer_epoch(trainer, NULL));
    OK(context, dpr_trainer_epoch(trainer, &report));
    curve_of(context, trainer, curve);
    assert_int_equal(rows_of(curve), 2);
    snprintf(point, sizeof point, "[%d,%.6g", 2 * STEPS, report.loss);
    assert_non_null(strstr(curve, point));
    dpr_trainer_destroy(trainer), dpr_model_destroy(model);
    trainer = start(context, data, &model, 300); /* whose epochs are points enough */
    OK(context, dpr_trainer_epoch(trainer, NULL));
    curve_of(context, trainer, curve);
    assert_non_null(strstr(curve, "\"curve\":[]"));
    dpr_trainer_destroy(trainer), dpr_model_destroy(model);
    dpr_data_destroy(data);
    dpr_context_destroy(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_same_however_it_was_cut),
                                       cmocka_unit_test(a_long_run_has_a_point_an_epoch)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
