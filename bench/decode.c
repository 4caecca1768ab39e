/* How fast a folder of JPEG files is read, beside libjpeg-turbo alone on the same files with as many threads: the whole set into memory, and an
 * epoch of training on a set of which nothing stays there (less the time of the training itself). JSON lines; `decode FOLDER` reads a folder of one's own (CLASS/IMAGE.jpg), else
 * two sets are made. */
#include "base/clock.h"
#include <deeper/tools.h>
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* after stdio.h, which it needs */
#include <jpeglib.h>

enum { MOST_FILE = 1 << 26, MOST_NAME = 4096, ROUNDS = 3 };

static void die(const char *why) {
    fprintf(stderr, "decode: %s\n", why);
    exit(1);
}

static void *room(size_t bytes) {
    void *memory = malloc(bytes);
    if (memory == NULL)
        die("out of memory");
    return memory;
}

/* ---- a set ---- */

static void write_jpeg(const char *path, int side, unsigned noise) {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    FILE *file = fopen(path, "wb");
    JSAMPLE *row = room((size_t)side * 3);
    if (file == NULL)
        die(path);
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_width = jpeg.image_height = (JDIMENSION)side;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    for (int y = 0; y < side; y++) {
        for (int i = 0; i < side * 3;
             i++) { /* slopes under a little noise: some 10 bytes of pixels for one of the file */
            noise = noise * 1664525U + 1013904223U;
            row[i] =
                (JSAMPLE)(((unsigned)(i + 3 * y) * (noise % 3 + 40) / 64 + (noise >> 27)) & 255);
        }
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    fclose(file);
    free(row);
}

/* n pictures to train on; one to test of each class, so that no others are held back for it. */
static void make_set(const char *folder, int n, int side) {
    static const char *const HALVES[] = {"train", "test"};
    char path[MOST_NAME];
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, HALVES[i / 2]);
        mkdir(path, 0777);
        snprintf(path, sizeof path, "%s/%s/%d", folder, HALVES[i / 2], i % 2);
        mkdir(path, 0777);
    }
    for (int i = 0; i < n + 2; i++) {
        snprintf(path, sizeof path, "%s/%s/%d/%d.jpg", folder, HALVES[i >= n], i % 2, i);
        write_jpeg(path, side, (unsigned)i);
    }
}

/* Names of the files, all classes; `erase` removes files and folders. */
static size_t walk(const char *folder, char **names, size_t n, bool erase) {
    DIR *directory = opendir(folder);
    char path[MOST_NAME];
    if (directory == NULL)
        return n;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_type == DT_DIR)
            n = walk(path, names, n, erase);
        else if (names != NULL)
            names[n] = strdup(path);
        n += entry->d_type != DT_DIR;
        if (erase)
            remove(path);
    }
    closedir(directory);
    return n;
}

/* ---- libjpeg alone ---- */

struct work {
    char **names;
    size_t n;
    atomic_size_t next;
};

static void *decode(void *user) {
    struct work *work = user;
    unsigned char *bytes = room(MOST_FILE), *row = room(1 << 20);
    for (size_t i; (i = atomic_fetch_add(&work->next, 1)) < work->n;) {
        struct jpeg_decompress_struct jpeg;
        struct jpeg_error_mgr errors;
        FILE *file = fopen(work->names[i], "rb");
        size_t n = file != NULL ? fread(bytes, 1, MOST_FILE, file) : 0;
        if (file != NULL)
            fclose(file);
        jpeg.err = jpeg_std_error(&errors);
        jpeg_create_decompress(&jpeg);
        jpeg_mem_src(&jpeg, bytes, n);
        jpeg_read_header(&jpeg, TRUE);
        jpeg_start_decompress(&jpeg);
        while (jpeg.output_scanline < jpeg.output_height)
            jpeg_read_scanlines(&jpeg, &row, 1);
        jpeg_finish_decompress(&jpeg);
        jpeg_destroy_decompress(&jpeg);
    }
    free(bytes);
    free(row);
    return NULL;
}

static double decode_all(char **names, size_t n, unsigned threads) {
    struct work work = {.names = names, .n = n};
    pthread_t other[64];
    uint64_t began = dpr__now_ns();
    for (unsigned i = 0; i + 1 < threads && i < 64; i++)
        if (pthread_create(&other[i], NULL, decode, &work) != 0)
            die("no threads");
    decode(&work);
    for (unsigned i = 0; i + 1 < threads && i < 64; i++)
        pthread_join(other[i], NULL);
    return (double)n * 1e9 / (double)(dpr__now_ns() - began);
}

/* ---- deeper ---- */

static dpr_data *open_set(dpr_context *context, const char *folder, size_t memory, double *rate) {
    dpr_open_options options = dpr_open_options_default();
    dpr_data *data;
    options.memory = memory;
    options.image = dpr_shape_of(0, 0, 3);
    uint64_t began = dpr__now_ns();
    if (dpr_data_open(context, folder, DPR_TRAIN, &options, &data) != DPR_OK)
        die(dpr_error(context));
    *rate = (double)dpr_data_count(data) * 1e9 / (double)(dpr__now_ns() - began);
    return data;
}

/* Images a second of an epoch. */
static double train_epoch(dpr_context *context, const dpr_data *data) {
    dpr_train_options options = dpr_train_options_default();
    dpr_model *model;
    dpr_trainer *trainer;
    dpr_epoch_report report;
    options.epochs = 1;
    options.learning_rate = 1e-6;
    if (dpr_model_from_net(context, "net", "input data, avgpool 8, linear classes",
                           dpr_data_describe(data), 1, "auto", &model) != DPR_OK ||
        dpr_trainer_create(model, data, &options, &trainer) != DPR_OK ||
        dpr_trainer_epoch(trainer, &report) != DPR_OK)
        die(dpr_error(context));
    dpr_trainer_destroy(trainer);
    dpr_model_destroy(model);
    return report.images_per_second;
}

static void time_set(dpr_context *context, const char *folder) {
    size_t n = walk(folder, NULL, 0, false);
    char **names = room((n + 1) * sizeof *names);
    double alone = 0, read = 0, ahead = 0, unused;
    walk(folder, names, 0, false);
    for (int i = 0; i < ROUNDS; i++) {
        double rate = decode_all(names, n, dpr_context_threads(context));
        alone = rate > alone ? rate : alone;
        dpr_data *data = open_set(context, folder, 0, &rate);
        read = rate > read ? rate : read;
        double trained = train_epoch(context, data);
        dpr_data_destroy(data);
        data = open_set(context, folder, 1, &unused);
        rate = 1 / (1 / train_epoch(context, data) - 1 / trained);
        ahead = rate > ahead ? rate : ahead;
        if (i + 1 == ROUNDS) {
            const dpr_shape *image = &dpr_data_describe(data)->image;
            printf("{\"images\":%zu,\"height\":%lld,\"width\":%lld,\"threads\":%u,"
                   "\"libjpeg_images_per_second\":%.0f,\"read_images_per_second\":%.0f,"
                   "\"ahead_images_per_second\":%.0f}\n",
                   dpr_data_count(data), (long long)image->dim[0], (long long)image->dim[1],
                   dpr_context_threads(context), alone, read, ahead);
        }
        dpr_data_destroy(data);
    }
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

static void time_made(dpr_context *context, int n, int side) {
    char folder[] = "/tmp/deeper-decode-XXXXXX";
    if (mkdtemp(folder) == NULL)
        die("cannot make a folder in /tmp");
    make_set(folder, n, side);
    time_set(context, folder);
    walk(folder, NULL, 0, true);
    rmdir(folder);
}

int main(int argc, char **argv) {
    dpr_context *context;
    if (dpr_context_create(NULL, &context) != DPR_OK)
        die("no context");
    if (argc > 1) {
        time_set(context, argv[1]);
    } else {
        time_made(context, 20000, 32);
        time_made(context, 2000, 256);
    }
    dpr_context_destroy(context);
    return 0;
}
