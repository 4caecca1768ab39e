/* Help for the tests of training: contexts, and sets of images that can be learnt. */
#ifndef DPR_TESTS_TRAIN_SUPPORT_H
#define DPR_TESTS_TRAIN_SUPPORT_H

#include <deeper/deeper.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static inline void check(dpr_context *context, dpr_status status, const char *file, int line) {
    if (status != DPR_OK) {
        print_error("%s\n", dpr_error(context));
        _fail(file, line);
    }
}
/* The call succeeds; otherwise the test fails with its message. */
#define OK(context, call) check(context, call, __FILE__, __LINE__)

/* The call fails with `wanted`, and the message holds `says`. */
static inline void check_fails(dpr_context *context, dpr_status got, dpr_status wanted,
                               const char *says, const char *file, int line) {
    if (got == wanted && strstr(dpr_error(context), says) != NULL)
        return;
    print_error("status %d (%s), message: %s\nwanted %d, '%s'\n", (int)got, dpr_status_text(got),
                dpr_error(context), (int)wanted, says);
    _fail(file, line);
}
#define FAILS(context, call, wanted, says)                                                         \
    check_fails(context, call, wanted, says, __FILE__, __LINE__)

static inline dpr_context *make_context(const char *device, unsigned threads) {
    dpr_context *context;
    dpr_context_options options = dpr_context_options_default();
    options.device = device;
    options.threads = threads;
    if (dpr_context_create(&options, &context) != DPR_OK)
        fail_msg("context: %s", context ? dpr_error(context) : "out of memory");
    return context;
}

enum { SIDE = 6, CLASSES = 3, PIXELS = SIDE * SIDE, MOST_IMAGES = 600 };

/* Images of three classes: two rows of the picture are bright, which ones tells the class; under
 * noise. The k-th image of a `salt` is always the same. */
struct sample {
    uint8_t images[MOST_IMAGES * PIXELS];
    int32_t labels[MOST_IMAGES];
};

static inline void fill_sample(struct sample *sample, int n, uint32_t salt) {
    uint32_t noise = salt * 2654435761U + 1;
    for (int i = 0; i < n; i++) {
        sample->labels[i] = (i * 7 + (int)salt) % CLASSES;
        for (int p = 0; p < PIXELS; p++) {
            noise = noise * 1664525U + 1013904223U;
            int bright = p / SIDE / 2 == sample->labels[i] ? 60 : 0;
            sample->images[i * PIXELS + p] = (uint8_t)((int)(noise >> 24) % 190 + bright);
        }
    }
}

static inline dpr_data *make_data(dpr_context *context, struct sample *sample, int n,
                                  uint32_t salt) {
    dpr_data *data;
    dpr_data_info info = dpr_data_info_default();
    info.image = dpr_shape_of(SIDE, SIDE, 1);
    info.n_classes = CLASSES;
    fill_sample(sample, n, salt);
    OK(context, dpr_data_create(context, &info, sample->images, sample->labels, (size_t)n, NULL,
                                NULL, &data));
    return data;
}

static inline dpr_model *make_model(dpr_context *context, const dpr_data *data, const char *net,
                                    uint64_t seed) {
    dpr_model *model;
    OK(context,
       dpr_model_from_net(context, "test", net, dpr_data_describe(data), seed, "auto", &model));
    return model;
}

/* A name in a fresh directory, which remove_temporary removes. */
static inline char *temporary(const char *name) {
    static char path[128];
    char directory[] = "/tmp/deeper-train-XXXXXX";
    if (mkdtemp(directory) == NULL)
        fail_msg("mkdtemp failed");
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return strdup(path);
}
static inline void remove_temporary(char *path) {
    unlink(path);
    *strrchr(path, '/') = 0;
    rmdir(path);
    free(path);
}

/* Trains to the end; the hash of the weights. */
static inline void train_to_end(dpr_context *context, dpr_trainer *trainer, const dpr_model *model,
                                char hex[65]) {
    while (!dpr_trainer_finished(trainer))
        OK(context, dpr_trainer_epoch(trainer, NULL));
    OK(context, dpr_model_weights_sha256(model, hex));
}

#endif
