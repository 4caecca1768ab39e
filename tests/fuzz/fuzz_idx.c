/* IDX sets from strangers: any bytes as images (plain or gzip), labels and names give a set or a
 * message, never a crash, a leak or a hang. */
#include "base/context.h"
#include <deeper/tools.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const char *const NAMES[] = {"train-images-idx3-ubyte", "train-images.gz",
                                    "train-labels-idx1-ubyte", "classes.txt"};
enum { N_NAMES = sizeof NAMES / sizeof *NAMES };

static char root[] = "/tmp/deeper-fuzz-XXXXXX";

static const char *path_of(int name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", root, NAMES[name]);
    return path;
}

static void remove_all(void) {
    for (int i = 0; i < N_NAMES; i++)
        unlink(path_of(i));
    rmdir(root);
}

static void write_part(int name, const uint8_t *bytes, size_t n) {
    FILE *file = fopen(path_of(name), "wb");
    if (file == NULL)
        abort();
    fwrite(bytes, 1, n, file);
    fclose(file);
}

static void open_set(void) {
    dpr_context *context;
    dpr_data *data;
    dpr_survey *survey;
    dpr_open_options options = dpr_open_options_default();
    dpr_context_options threads = dpr_context_options_default();
    threads.threads = 1;
    options.image = dpr_shape_of(5, 4, 1);
    options.validation = 0.3;
    if (dpr_context_create(&threads, &context) == DPR_OK) {
        if (dpr_data_open(context, root, DPR_TRAIN, &options, &data) == DPR_OK)
            dpr_data_destroy(data);
        if (dpr_survey_create(context, root, &survey) == DPR_OK)
            dpr_survey_destroy(survey);
    }
    dpr_context_destroy(context);
}

/* Two bytes: which files there are, and how long the labels and names are; then images, labels, names. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static bool made;
    if (!made && (mkdtemp(root) == NULL || atexit(remove_all) != 0))
        abort();
    made = true;
    if (n < 2)
        return 0;
    size_t rest = n - 2, labels = bytes[1] < rest ? bytes[1] : rest;
    size_t names = bytes[0] & 2 ? (rest - labels) / 4 : 0;
    size_t images = rest - labels - names;
    for (int i = 0; i < N_NAMES; i++)
        unlink(path_of(i));
    write_part(bytes[0] & 1, bytes + 2, images);
    write_part(2, bytes + 2 + images, labels);
    if (bytes[0] & 2)
        write_part(3, bytes + 2 + images + labels, names);
    open_set();
    return 0;
}
