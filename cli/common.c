/* What the commands share. */
#include "cli.h"
#include "json.h"
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int complain(int status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("deeper: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return status;
}

int fail(const dpr_context *context) {
    return complain(EXIT_FAILED, "%s", context ? dpr_error(context) : "out of memory");
}

int finish_output(int status) {
    if (fflush(stdout) != 0 || ferror(stdout))
        return complain(EXIT_FAILED, "cannot write the output: %s", strerror(errno));
    return status;
}

double now_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- contexts, nets, models, data ---- */

static void log_line(void *user, dpr_log_level level, const char *topic, const char *line) {
    (void)user;
    fprintf(stderr, level == DPR_LOG_WARNING ? "deeper: warning: %.0s%s\n" : "deeper: [%s] %s\n",
            topic, line);
}

dpr_context *open_context(const struct settings *settings) {
    dpr_context *context;
    dpr_context_options options = dpr_context_options_default();
    options.threads = (unsigned)settings->threads;
    options.device = settings->device;
    options.cpu_isa = settings->cpu_isa;
    options.disabled_passes = settings->disable_pass;
    options.log = log_line;
    options.log_topics = getenv("DEEPER_LOG");
    if (settings->json && !out_available()) {
        complain(EXIT_FAILED, "built without JSON: install libjansson-dev and build again");
        return NULL;
    }
    if (dpr_context_create(&options, &context) == DPR_OK)
        return context;
    fail(context);
    dpr_context_destroy(context);
    return NULL;
}

/* Net text holds blanks, commas or line ends, which file names seldom do; a file of that name wins. */
char *read_net(const char *argument, const char **name) {
    enum { MOST = 1 << 20 };
    struct stat info;
    if (stat(argument, &info) != 0) {
        *name = "net";
        if (strpbrk(argument, " ,\n") != NULL)
            return strdup(argument);
        complain(EXIT_FAILED, "there is no file '%s', and it is no network's text", argument);
        return NULL;
    }
    *name = argument;
    FILE *file = S_ISREG(info.st_mode) ? fopen(argument, "rbe") : NULL;
    char *text = malloc(MOST + 1);
    size_t n = file != NULL && text != NULL ? fread(text, 1, MOST + 1, file) : 0;
    if (file == NULL || text == NULL || ferror(file) || n > MOST || memchr(text, '\0', n) != NULL) {
        complain(EXIT_FAILED, "'%s' is not a readable network text", argument);
        free(text);
        text = NULL;
    } else {
        text[n] = '\0';
    }
    if (file != NULL)
        fclose(file);
    return text;
}

/* Model files begin with the length of a JSON header, then '{'. */
static bool is_model_file(const char *path) {
    unsigned char head[9] = {0};
    FILE *file = fopen(path, "rbe");
    size_t n = file != NULL ? fread(head, 1, sizeof head, file) : 0;
    if (file != NULL)
        fclose(file);
    return n == sizeof head && head[8] == '{' && head[7] == 0;
}

dpr_model *open_net_or_model(dpr_context *context, const struct settings *settings) {
    const char *argument = settings->n_words > 0 ? settings->words[0] : settings->net, *name;
    dpr_model *model = NULL;
    if (argument == NULL) {
        complain(EXIT_USAGE, "say which network: NET, MODEL, or --net NET");
        return NULL;
    }
    if (is_model_file(argument)) {
        if (dpr_model_load(context, argument, &model) != DPR_OK)
            fail(context);
        return model;
    }
    char *text = read_net(argument, &name);
    dpr_data_info info = dpr_data_info_default();
    info.n_classes = (uint32_t)settings->classes;
    if (text != NULL && dpr_model_from_net(context, name, text, &info, 1, "auto", &model) != DPR_OK)
        fail(context);
    free(text);
    return model;
}

dpr_data *open_for_model(dpr_context *context, const dpr_model *model, const char *path,
                         dpr_half half) {
    const dpr_data_info *info = dpr_model_describe(model);
    dpr_open_options options = dpr_open_options_default();
    dpr_data *data = NULL;
    options.image = info->image;
    options.fit = info->fit;
    options.n_classes = info->n_classes;
    options.class_names = info->class_names;
    if (dpr_data_open(context, path, half, &options, &data) != DPR_OK)
        fail(context);
    return data;
}

/* ---- text ---- */

const char *class_name(const dpr_data_info *info, uint32_t i, char scratch[16]) {
    if (info->class_names != NULL)
        return info->class_names[i];
    snprintf(scratch, 16, "%u", i);
    return scratch;
}

const char *grouped(uint64_t value, char out[32]) {
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value), k = 0;
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            out[k++] = ',';
        out[k++] = digits[i];
    }
    out[k] = '\0';
    return out;
}

const char *shape_text(const dpr_shape *shape, char out[96]) {
    size_t n = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < shape->rank && n < 64; i++)
        n += (size_t)snprintf(out + n, 96 - n, "%s%lld", i > 0 ? " × " : "",
                              (long long)shape->dim[i]);
    return out;
}

int text_width(const char *text) {
    int width = 0;
    for (const char *p = text; *p != '\0'; p++)
        width += ((unsigned char)*p & 0xc0) != 0x80; /* continuation bytes take no column */
    return width;
}

/* ---- evaluations ---- */

static int widest_name(const dpr_data_info *info, uint32_t n) {
    int widest = 5;
    char scratch[16];
    for (uint32_t i = 0; i < n; i++) {
        int width = text_width(class_name(info, i, scratch));
        widest = width > widest ? width : widest;
    }
    return widest;
}

static void print_share(double share) {
    if (isnan(share))
        printf("         –");
    else
        printf("  %6.2f %%", 100 * share);
}

static void print_classes(const dpr_evaluation *e, const dpr_data_info *info, int width) {
    char scratch[16];
    printf("\n%*s  precision    recall  images\n", width, "class");
    for (uint32_t i = 0; i < e->n_classes; i++) {
        const char *name = class_name(info, i, scratch);
        uint64_t images = 0;
        for (uint32_t j = 0; j < e->n_classes; j++)
            images += e->confusion[(size_t)i * e->n_classes + j];
        printf("%*s%s  ", width - text_width(name), "", name);
        print_share(e->precision[i]);
        print_share(e->recall[i]);
        printf("%8llu\n", (unsigned long long)images);
    }
}

static void print_matrix(const dpr_evaluation *e, const dpr_data_info *info, int width) {
    char scratch[16];
    int cell = 5;
    for (uint32_t i = 0; i < e->n_classes; i++) {
        int w = text_width(class_name(info, i, scratch));
        cell = w > cell ? w : cell;
    }
    printf("\nconfusion (rows: true, columns: predicted)\n%*s", width, "");
    for (uint32_t j = 0; j < e->n_classes; j++) {
        const char *name = class_name(info, j, scratch);
        printf(" %*s%s", cell - text_width(name), "", name);
    }
    for (uint32_t i = 0; i < e->n_classes; i++) {
        const char *name = class_name(info, i, scratch);
        printf("\n%*s%s", width - text_width(name), "", name);
        for (uint32_t j = 0; j < e->n_classes; j++) {
            uint64_t n = e->confusion[(size_t)i * e->n_classes + j];
            if (n > 0)
                printf(" %*llu", cell, (unsigned long long)n);
            else
                printf(" %*s·", cell - 1, "");
        }
    }
    printf("\n");
}

/* Many classes make no legible matrix: the pairs that are mistaken most instead. */
static void print_pairs(const dpr_evaluation *e, const dpr_data_info *info) {
    enum { PAIRS = 15 };
    char a[16], b[16];
    uint64_t below = UINT64_MAX;
    size_t printed = 0, n = e->n_classes;
    printf("\nmistaken most (true → predicted)\n");
    while (printed < PAIRS) {
        uint64_t most = 0;
        for (size_t k = 0; k < n * n; k++)
            if (k / n != k % n && e->confusion[k] < below && e->confusion[k] > most)
                most = e->confusion[k];
        if (most == 0)
            break;
        for (size_t k = 0; k < n * n && printed < PAIRS; k++)
            if (k / n != k % n && e->confusion[k] == most) {
                printf("%8llu  %s → %s\n", (unsigned long long)most,
                       class_name(info, (uint32_t)(k / n), a),
                       class_name(info, (uint32_t)(k % n), b));
                printed++;
            }
        below = most;
    }
}

void print_evaluation(const dpr_evaluation *e, const dpr_data_info *info) {
    enum { LEGIBLE = 20 };
    int width = widest_name(info, e->n_classes);
    printf("accuracy %.2f %% (%.2f to %.2f, 95 %% interval), %llu of %llu right; loss %.4f\n",
           100 * e->accuracy, 100 * e->accuracy_low, 100 * e->accuracy_high,
           (unsigned long long)e->correct, (unsigned long long)e->n, e->loss);
    print_classes(e, info, width);
    if (e->n_classes <= LEGIBLE)
        print_matrix(e, info, width);
    else
        print_pairs(e, info);
}
