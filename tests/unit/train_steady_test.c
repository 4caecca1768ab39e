/* After the first steps nothing is allocated any more, neither through the context's hook nor behind its back; in either precision, by one thread and by
 * two. */
#include "../support/failing_allocator.h"
#include "train_support.h"
#include <malloc.h>

static void steps_allocate_nothing(void **state) {
    (void)state;
    static const char *const groups[] = {"linear_2.*:lr=0.5,freeze-until=5steps", NULL};
    static const char *const PRECISIONS[] = {"float32", "bf16"};
    for (int p = 0; p < 2; p++)
        for (unsigned threads = 1; threads <= 2; threads++) {
            struct failing_allocator allocator;
            dpr_context *context;
            dpr_context_options machine = dpr_context_options_default();
            machine.threads = threads;
            machine.precision = PRECISIONS[p];
            failing_allocator_use(&allocator, &machine);
            assert_int_equal(dpr_context_create(&machine, &context), DPR_OK);
            struct sample *sample = calloc(1, sizeof *sample);
            assert_non_null(sample);
            dpr_data *data = make_data(context, sample, 600, 5);
            dpr_model *model = make_model(
                context, data, "input 6 6 1, linear 70, relu, dropout 0.2, linear classes", 3);
            dpr_trainer *trainer;
            dpr_train_options options = dpr_train_options_default();
            options.batch = 4;
            options.epochs = 3;
            options.augment = "rotate,elastic,contrast,mixup,cutmix";
            options.groups = groups;
            options.ema = 0.99;
            options.lookahead = 5;
            options.accumulate = threads;
            options.optimizer = threads == 2 ? "muon" : "nesterov";
            OK(context, dpr_trainer_create(model, data, &options, &trainer));
            for (int i = 0; i < 20; i++)
                OK(context, dpr_trainer_step(trainer, NULL));
            long calls = allocator.calls;
            size_t used = mallinfo2().uordblks;
            for (int i = 0; i < 100; i++)
                OK(context, dpr_trainer_step(trainer, NULL));
            assert_int_equal(allocator.calls, calls);
            assert_int_equal(mallinfo2().uordblks, used);
            dpr_trainer_destroy(trainer);
            dpr_model_destroy(model);
            dpr_data_destroy(data);
            dpr_context_destroy(context);
            free(sample);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(steps_allocate_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
