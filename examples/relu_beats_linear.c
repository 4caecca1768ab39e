/* The two-layer network of 1024 ReLUs beats the linear model on images that neither has seen: relu_beats_linear DATA */
#include <deeper/deeper.h>
#include <deeper/tools.h>
#include <stdio.h>

enum { EPOCHS = 3 };

/* Test accuracy of a network; below 0 on failure. */
static double accuracy_of(dpr_context *context, const char *path, const char *net) {
    dpr_data *train = NULL, *test = NULL;
    dpr_model *model = NULL;
    dpr_trainer *trainer = NULL;
    dpr_evaluation result = {.accuracy = -1};
    dpr_train_options options = dpr_train_options_default();
    options.epochs = EPOCHS;
    bool ok =
        !dpr_data_open(context, path, DPR_TRAIN, NULL, &train) &&
        !dpr_data_open(context, path, DPR_TEST, NULL, &test) &&
        !dpr_model_from_net(context, "net", net, dpr_data_describe(train), 1, "auto", &model) &&
        !dpr_trainer_create(model, train, &options, &trainer);
    while (ok && !dpr_trainer_finished(trainer))
        ok = !dpr_trainer_epoch(trainer, NULL);
    if (!ok || dpr_evaluate(model, test, &result))
        fprintf(stderr, "relu_beats_linear: %s\n", dpr_error(context));
    else
        printf("%-48s %.2f %% (%.2f to %.2f)\n", net, 100 * result.accuracy,
               100 * result.accuracy_low, 100 * result.accuracy_high);
    dpr_trainer_destroy(trainer);
    dpr_model_destroy(model);
    dpr_data_destroy(train);
    dpr_data_destroy(test);
    return ok ? result.accuracy : -1;
}

int main(int argc, char **argv) {
    dpr_context *context;
    if (argc != 2 || dpr_context_create(NULL, &context))
        return 2;
    double linear = accuracy_of(context, argv[1], "input 28 28 1, linear classes");
    double relu = accuracy_of(context, argv[1], "input 28 28 1, linear 1024, relu, linear classes");
    dpr_context_destroy(context);
    return !(linear > 0 && relu > linear + 0.03);
}
