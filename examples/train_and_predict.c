/* Trains a network on a data set, evaluates it, and predicts one image: train_and_predict DATA */
#include <deeper/deeper.h>
#include <deeper/tools.h>
#include <stdio.h>

int main(int argc, char **argv) {
    dpr_context *c;
    dpr_data *train, *test;
    dpr_model *m;
    dpr_trainer *t;
    dpr_evaluation e;
    const char *net = "input 28 28 1, linear 128, relu, linear classes";
    if (argc != 2 || dpr_context_create(NULL, &c))
        return 2;
    if (dpr_data_open(c, argv[1], DPR_TRAIN, NULL, &train) ||
        dpr_data_open(c, argv[1], DPR_TEST, NULL, &test) ||
        dpr_model_from_net(c, "net", net, dpr_data_describe(train), 1, "auto", &m) ||
        dpr_trainer_create(m, train, NULL, &t))
        return fprintf(stderr, "%s\n", dpr_error(c)), 1;
    for (int epoch = 0; epoch < 2; epoch++) {
        dpr_epoch_report r;
        if (dpr_trainer_epoch(t, &r))
            return fprintf(stderr, "%s\n", dpr_error(c)), 1;
        printf("epoch %u: loss %.3f, accuracy %.4f\n", r.epoch, r.loss, r.accuracy);
    }
    float probability[10];
    if (dpr_evaluate(m, test, &e) || dpr_predict(m, dpr_data_images(test), 1, probability))
        return fprintf(stderr, "%s\n", dpr_error(c)), 1;
    printf("test accuracy %.4f (%.4f to %.4f)\n", e.accuracy, e.accuracy_low, e.accuracy_high);
    printf("the first test image is of class 0 with probability %.3f\n", (double)probability[0]);
    dpr_trainer_destroy(t), dpr_model_destroy(m), dpr_data_destroy(train), dpr_data_destroy(test);
    dpr_context_destroy(c);
    return 0;
}
