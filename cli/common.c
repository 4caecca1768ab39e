/* What the commands share (cli.h). */
#include "cli.h"
#include "json.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* ---- messages ---- */

static void print_message(const char *format, va_list arguments)
    __attribute__((format(printf, 1, 0)));

static void print_message(const char *format, va_list arguments) {
    fputs("deeper: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

int complain(int status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print_message(format, arguments);
    va_end(arguments);
    return status;
}

void note(const struct settings *settings, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (!settings->quiet)
        print_message(format, arguments);
    va_end(arguments);
}

int fail(const dpr_context *context) {
    return complain(EXIT_FAILED, "%s", context ? dpr_error(context) : "out of memory");
}

void print_quoted(const char *argument, FILE *to) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "@%+=:,./-_";
    if (argument[0] != '\0' && strspn(argument, plain) == strlen(argument)) {
        fputs(argument, to);
        return;
    }
    fputc('\'', to);
    for (const char *p = argument; *p != '\0'; p++)
        if (*p == '\'')
            fputs("'\\''", to);
        else
            fputc(*p, to);
    fputc('\'', to);
}

char *command_line(const struct settings *settings, const char *without) {
    char *text = NULL;
    size_t n;
    FILE *to = open_memstream(&text, &n);
    if (to == NULL)
        return NULL;
    fputs("deeper", to);
    for (char **word = settings->given + 1; settings->given[0] != NULL && *word != NULL; word++) {
        if (without != NULL && strcmp(*word, without) == 0)
            continue;
        fputc(' ', to);
        print_quoted(*word, to);
    }
    if (fclose(to) == 0)
        return text;
    free(text);
    return NULL;
}

int fail_reading(const dpr_context *context, dpr_status status, const char *data) {
    struct stat info;
    bool files = status == DPR_E_FORMAT || status == DPR_E_IO;
    fail(context);
    if (files && stat(data, &info) == 0 && S_ISDIR(info.st_mode)) {
        fputs("deeper: all files that cannot be read are listed by: deeper data info ", stderr);
        print_quoted(data, stderr);
        fputc('\n', stderr);
    }
    return EXIT_FAILED;
}

int finish_output(int status) {
    bool failed_before = ferror(stdout); /* then errno has long been overwritten */
    if (fflush(stdout) == 0 && !failed_before && !out_failed())
        return status;
    return complain(EXIT_FAILED, "cannot write the output%s%s", failed_before ? "" : ": ",
                    failed_before ? "" : strerror(errno));
}

double now_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- contexts, nets, models ---- */

static void log_line(void *user, dpr_log_level level, const char *topic, const char *line) {
    (void)user;
    if (level == DPR_LOG_DEBUG)
        fprintf(stderr, "deeper: [%s] %s\n", topic, line);
    else
        fprintf(stderr, "deeper: %s%s\n", level == DPR_LOG_WARNING ? "warning: " : "", line);
}

int open_context(const struct settings *settings, const char *topics, dpr_context **out) {
    dpr_context_options options = settings->machine;
    const char *wanted = getenv("DEEPER_LOG");
    options.log = log_line;
    options.log_topics = wanted != NULL ? wanted : topics;
    dpr_status status = dpr_context_create(&options, out);
    if (status == DPR_OK)
        return EXIT_DONE;
    fail(*out);
    return status == DPR_E_ARGUMENT ? EXIT_USAGE : EXIT_FAILED;
}

char *read_text(const char *path) {
    enum { MOST = 1 << 20 };
    FILE *file = fopen(path, "rbe");
    char *text = file != NULL ? malloc(MOST + 1) : NULL;
    size_t n = text != NULL ? fread(text, 1, MOST + 1, file) : 0;
    bool good = text != NULL && !ferror(file) && n <= MOST && memchr(text, '\0', n) == NULL;
    if (file != NULL)
        fclose(file);
    if (good) {
        text[n] = '\0';
        return text;
    }
    free(text);
    return NULL;
}

/* Model files begin with the eight-byte length of a JSON header, then '{'. */
bool is_model_file(const char *path) {
    unsigned char head[9] = {0};
    struct stat info; /* what comes through a pipe can be read once */
    bool regular = stat(path, &info) == 0 && S_ISREG(info.st_mode);
    FILE *file = regular ? fopen(path, "rbe") : NULL;
    size_t n = file != NULL ? fread(head, 1, sizeof head, file) : 0;
    if (file != NULL)
        fclose(file);
    return n == sizeof head && head[7] == 0 && head[8] == '{';
}

/* "resnet20" and "resnet20.net" are taken for the preset. */
static void no_such_net(const char *argument) {
    size_t n;
    const char *const *names = dpr_preset_names(&n);
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(names[i]);
        bool begins = strncmp(argument, names[i], length) == 0;
        if (begins && (argument[length] == '\0' || strcmp(argument + length, ".net") == 0)) {
            complain(EXIT_FAILED, "there is no file '%s'; did you mean preset:%s?", argument,
                     names[i]);
            return;
        }
    }
    complain(EXIT_FAILED,
             "there is no file '%s', nor is it a preset or the text of a network, such as "
             "preset:mlp or \"input 28 28 1, linear classes\"",
             argument);
}

/* Net text holds blanks, commas or line ends, which file names seldom do; a file wins. A preset's name is passed on: the
 * library knows its text. */
char *read_net(const char *argument, const char *what, const char **name) {
    struct stat info;
    if (stat(argument, &info) != 0) {
        bool preset = strncmp(argument, "preset:", 7) == 0;
        *name = preset ? argument : what;
        if (preset || strpbrk(argument, " ,\n") != NULL)
            return strdup(argument);
        no_such_net(argument);
        return NULL;
    }
    *name = argument;
    char *text = S_ISDIR(info.st_mode) ? NULL : read_text(argument);
    if (text == NULL && S_ISDIR(info.st_mode))
        complain(EXIT_FAILED, "'%s' is a directory, and no text of a network", argument);
    else if (text == NULL && is_model_file(argument))
        complain(EXIT_FAILED,
                 "'%s' is a model, and no text of a network; train goes on with the run that made "
                 "it by --out MODEL --resume and more --epochs",
                 argument);
    else if (text == NULL)
        complain(EXIT_FAILED, "'%s' is not a readable text of a network", argument);
    return text;
}

/* Of a preset that is looked at without data: the sets that they are made for have ten. */
enum { PRESET_CLASSES = 10 };

int open_net_or_model(dpr_context *context, const struct settings *settings, dpr_model **out) {
    bool positional = settings->n_words > 0;
    const char *argument = positional ? settings->words[0] : settings->net, *name;
    if (argument == NULL)
        return complain(EXIT_USAGE, "which network? Give a NET, a MODEL, or --net NET");
    if (positional && settings->net != NULL)
        return complain(EXIT_USAGE, "two networks: '%s' and --net '%s'", argument, settings->net);
    bool is_model = is_model_file(argument);
    if (is_model && settings->classes != 0)
        return complain(EXIT_USAGE, "--classes is for the text of a network; '%s' is a model",
                        argument);
    if (is_model)
        return dpr_model_load(context, argument, out) == DPR_OK ? EXIT_DONE : fail(context);
    char *text = read_net(argument, positional ? "net" : "--net", &name);
    if (text == NULL)
        return EXIT_FAILED;
    dpr_data_info info = dpr_data_info_default();
    info.n_classes = settings->classes;
    if (info.n_classes == 0 && strncmp(text, "preset:", 7) == 0)
        info.n_classes = PRESET_CLASSES;
    dpr_status status = dpr_model_from_net(context, name, text, &info, 1, "auto", out);
    free(text);
    return status == DPR_OK ? EXIT_DONE : fail(context);
}

int check_augment(dpr_context *context, const struct settings *settings) {
    if (dpr_augment_check(context, settings->training.augment) == DPR_OK)
        return EXIT_DONE;
    return complain(EXIT_USAGE, "--%s", dpr_error(context));
}

dpr_status open_training_half(dpr_context *context, const struct settings *s,
                              const struct net_input *input, dpr_open_options *options,
                              dpr_data **out) {
    *options = s->data;
    options->image = input->image;
    if (input->of_data)
        options->image.rank = 0; /* as the files are */
    if (options->validation == 0 && s->training.patience > 0)
        options->validation = 0.1;
    options->fit = strcmp(s->fit, "crop") == 0      ? DPR_CROP
                   : strcmp(s->fit, "stretch") == 0 ? DPR_STRETCH
                                                    : DPR_FIT;
    dpr_status status = dpr_data_open(context, s->words[0], DPR_TRAIN, options, out);
    if (status != DPR_E_SHAPE || !input->of_data)
        return status;
    bool known = input->image.rank != 0;
    options->image =
        dpr_shape_of(known ? input->image.dim[0] : 32, known ? input->image.dim[1] : 32, 0);
    note(s,
         "the images differ in size: they are brought to %lld × %lld (--fit %s); "
         "--net chooses another size",
         (long long)options->image.dim[0], (long long)options->image.dim[1], s->fit);
    return dpr_data_open(context, s->words[0], DPR_TRAIN, options, out);
}

int load_model(dpr_context *context, const struct settings *settings, dpr_model **out) {
    const char *const *words = settings->words;
    bool first = settings->n_words < 2 || is_model_file(words[0]);
    for (size_t i = 1; i < settings->n_words && !first; i++)
        if (is_model_file(words[i]))
            return complain(EXIT_USAGE, "'%s' is no model, but '%s' is: the model comes first",
                            words[0], words[i]);
    dpr_status status = dpr_model_load(context, settings->words[0], out);
    if (status == DPR_OK && settings->tta != NULL)
        status = dpr_model_set_tta(*out, settings->tta);
    return status == DPR_OK ? EXIT_DONE : fail(context);
}

dpr_open_options options_for_model(const dpr_model *model) {
    const dpr_data_info *info = dpr_model_describe(model);
    dpr_open_options options = dpr_open_options_default();
    options.image = info->image;
    options.fit = info->fit;
    options.n_classes = info->n_classes;
    options.class_names = info->class_names;
    return options;
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

const char *shape_text(const dpr_shape *shape, char out[160]) {
    size_t n = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < shape->rank && i < DPR_MAX_RANK; i++)
        n += (size_t)snprintf(out + n, 160 - n, "%s%lld", i > 0 ? " × " : "",
                              (long long)shape->dim[i]);
    return out;
}

const char *duration(double seconds, char out[32]) {
    unsigned long s = seconds > 0 ? (unsigned long)(seconds + 0.5) : 0;
    if (s >= 3600)
        snprintf(out, 32, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, 32, "%lu:%02lu", s / 60, s % 60);
    return out;
}

int text_width(const char *text) {
    int width = 0;
    for (const char *p = text; *p != '\0'; p++)
        width += ((unsigned char)*p & 0xc0) != 0x80; /* continuation bytes take no column */
    return width;
}

void print_column(const char *text, int width) {
    int blanks = (width < 0 ? -width : width) - text_width(text);
    if (width < 0)
        printf("%*s%s", blanks > 0 ? blanks : 0, "", text);
    else
        printf("%s%*s", text, blanks > 0 ? blanks : 0, "");
}
