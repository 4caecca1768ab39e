/* Is the product of two inputs positive? (With ±1 inputs: XOR.) A linear model cannot learn it, however long it trains, nor can
 * two linear layers in a row, which are one linear layer again; with ReLUs between two matrix multiplies it can. */
#include <deeper/deeper.h>
#include <stdio.h>

enum { SIDE = 32, N = SIDE * SIDE };

static uint8_t images[N * 2];
static int32_t labels[N];

static int failed(const dpr_context *context) {
    fprintf(stderr, "product: %s\n", dpr_error(context));
    return -1;
}

/* Every pair of two inputs in −1 … 1, as pixels; class 1 where their product is positive. */
static void make_points(void) {
    for (int i = 0; i < N; i++) {
        int a = 2 * (i % SIDE) - SIDE + 1, b = 2 * (i / SIDE) - SIDE + 1;
        images[2 * i] = (uint8_t)(128 + a * 4);
        images[2 * i + 1] = (uint8_t)(128 + b * 4);
        labels[i] = a * b > 0;
    }
}

static double train(dpr_context *context, const dpr_data *data, const char *net) {
    dpr_model *model;
    dpr_trainer *trainer;
    dpr_evaluation result;
    dpr_train_options options = dpr_train_options_default();
    options.epochs = 40;
    options.batch = 32;
    if (dpr_model_from_net(context, "example", net, dpr_data_describe(data), 1, "auto", &model) ||
        dpr_trainer_create(model, data, &options, &trainer))
        return failed(context);
    while (!dpr_trainer_finished(trainer))
        if (dpr_trainer_epoch(trainer, NULL))
            return failed(context);
    if (dpr_evaluate(model, data, &result))
        return failed(context);
    printf("%-52s %5.1f %%\n", net, 100 * result.accuracy);
    dpr_trainer_destroy(trainer);
    dpr_model_destroy(model);
    return result.accuracy;
}

int main(void) {
    dpr_context *context;
    dpr_data *data;
    dpr_data_info info = dpr_data_info_default();
    info.image = dpr_shape_of(1, 2, 1);
    info.n_classes = 2;
    info.deviation[0] = 0; /* to be measured */
    make_points();
    if (dpr_context_create(NULL, &context) ||
        dpr_data_create(context, &info, images, labels, N, NULL, NULL, &data))
        return 1;
    double linear = train(context, data, "input 1 2 1, linear classes");
    double stacked = train(context, data, "input 1 2 1, linear 16, linear classes");
    double deep = train(context, data, "input 1 2 1, linear 16, relu, linear classes");
    dpr_data_destroy(data);
    dpr_context_destroy(context);
    return !(linear >= 0 && linear < 0.65 && stacked >= 0 && stacked < 0.65 && deep > 0.95);
}
