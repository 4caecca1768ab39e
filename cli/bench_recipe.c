/* deeper bench --recipe NAME [DATA]: repeats the recorded lines of a recipe (results.h) with seed 1, and compares. The weights must be
 * the same bits where set and kernels are; elsewhere the accuracy must agree. */
#include "cli.h"
#include "json.h"
#include "recipes.h"
#include "results.h"
#include <stdlib.h>
#include <string.h>

/* The training that a line tells of. */
struct repeat {
    const struct settings *asked; /* of bench */
    const char *recipe;
    char *given[64]; /* deeper train …, NULL-terminated; the words lie in `text` */
    char text[8192];
    size_t n_given, used;
    struct settings settings;
    struct train_result result;
};

static int add_word(struct repeat *r, const char *word, size_t n) {
    if (r->n_given + 1 == sizeof r->given / sizeof *r->given || n >= sizeof r->text - r->used)
        return complain(EXIT_USAGE, "the arguments of a recorded line, or a name, are too long");
    r->given[r->n_given++] = memcpy(r->text + r->used, word, n);
    r->used += n + 1; /* the text began as zeros */
    return EXIT_DONE;
}

/* Words with blanks between. */
static int add_words(struct repeat *r, const char *words) {
    int status = EXIT_DONE;
    for (words += strspn(words, " "); *words != '\0' && status == EXIT_DONE;) {
        size_t n = strcspn(words, " ");
        status = add_word(r, words, n);
        words += n + strspn(words + n, " ");
    }
    return status;
}

static int add_all(struct repeat *r, const char *data, const char *arguments) {
    char out[256];
    snprintf(out, sizeof out, "%.200s.safetensors", r->recipe);
    int status = add_words(r, "deeper train");
    if (status == EXIT_DONE)
        status = add_word(r, data, strlen(data));
    if (status == EXIT_DONE)
        status = add_words(r, arguments);
    if (status == EXIT_DONE)
        status = add_words(r, "--seed 1 --out");
    return status == EXIT_DONE ? add_word(r, out, strlen(out)) : status;
}

/* Reads the words as train does; what bench was told of the machine and of JSON holds for the training. */
static int read_words(struct repeat *r) {
    const struct settings *asked = r->asked;
    const struct command *train = COMMANDS;
    while (strcmp(train->name, "train") != 0)
        train++;
    r->settings = settings_default();
    int status = options_parse(train, (int)r->n_given - 2, r->given + 2, &r->settings);
    r->settings.given = r->given;
    r->settings.no_report = true;
    r->settings.json = asked->json;
    if (option_given(asked, "threads"))
        r->settings.machine.threads = asked->machine.threads;
    if (option_given(asked, "device"))
        r->settings.machine.device = asked->machine.device;
    if (option_given(asked, "cpu-isa"))
        r->settings.machine.cpu_isa = asked->machine.cpu_isa;
    if (option_given(asked, "precision"))
        r->settings.machine.precision = asked->machine.precision;
    return status;
}

/* ---- comparing ---- */

struct comparison {
    char kernels[64]; /* of this run, as in a line */
    bool same_data, same_kernels, same_weights;
    bool agrees; /* no worse than recorded */
};

static void compare(const struct train_result *result, const struct recorded *line,
                    struct comparison *out) {
    bool on_cpu = strcmp(result->device, "cpu") == 0;
    snprintf(out->kernels, sizeof out->kernels, "%s %s", on_cpu ? result->isa : result->device,
             result->precision);
    out->same_data = strcmp(result->data_sha256, line->data_sha256) == 0;
    out->same_kernels = strcmp(out->kernels, line->kernels) == 0;
    out->same_weights = strcmp(result->weights_sha256, line->weights_sha256) == 0;
    out->agrees = result->test.n > 0 && result->test.accuracy_high >= line->accuracy;
}

static void print_json(const struct repeat *r, const struct recorded *line,
                       const struct comparison *c) {
    out_value *all = out_object();
    out_set(all, "recipe", out_text(r->recipe));
    out_set(all, "arguments", out_text(line->arguments));
    out_set(all, "accuracy", out_real(r->result.test.accuracy));
    out_set(all, "recorded_accuracy", out_real(line->accuracy));
    out_set(all, "recorded_interval", out_real(line->interval));
    out_set(all, "seconds", out_real(r->result.seconds));
    out_set(all, "recorded_seconds", out_real(line->seconds));
    out_set(all, "kernels", out_text(c->kernels));
    out_set(all, "recorded_kernels", out_text(line->kernels));
    out_set(all, "same_data", out_flag(c->same_data));
    out_set(all, "same_kernels", out_flag(c->same_kernels));
    out_set(all, "same_weights", out_flag(c->same_weights));
    out_set(all, "agrees", out_flag(c->agrees));
    out_print(all, stdout);
}

static void print_text(const struct repeat *r, const struct recorded *line,
                       const struct comparison *c) {
    char here[32], there[32];
    printf("accuracy %.2f %%, recorded %.2f ± %.2f %%; time %s, recorded %s on %s\n",
           100 * r->result.test.accuracy, 100 * line->accuracy, 100 * line->interval,
           duration(r->result.seconds, here), duration(line->seconds, there), line->machine);
    if (!c->same_data)
        printf("the images are not those of the recorded run: only the accuracy is compared\n");
    else if (!c->same_kernels)
        printf("kernels here are those of %s, there of %s: only the accuracy is compared\n",
               c->kernels, line->kernels);
    else
        printf("the weights are %sthe recorded ones (SHA-256 %.16s...)\n",
               c->same_weights ? "" : "not ", line->weights_sha256);
    fflush(stdout);
}

static int repeat_line(const struct settings *asked, const char *data,
                       const struct recorded *line) {
    struct repeat *r = calloc(1, sizeof *r);
    struct comparison c = {.agrees = false};
    if (r == NULL)
        return fail(NULL);
    r->asked = asked;
    r->recipe = asked->recipe;
    int status = add_all(r, data, line->arguments);
    if (status == EXIT_DONE)
        status = read_words(r);
    if (status == EXIT_DONE && !asked->json)
        printf("deeper train %s %s --seed 1\n", data, line->arguments);
    if (status == EXIT_DONE)
        status = run_training(&r->settings, &r->result);
    if (status == EXIT_DONE) {
        compare(&r->result, line, &c);
        asked->json ? print_json(r, line, &c) : print_text(r, line, &c);
        if (c.same_data && c.same_kernels ? !c.same_weights : !c.agrees)
            status = complain(EXIT_FAILED, "@recipe:%s did not give what is recorded", r->recipe);
    }
    free(r);
    return status;
}

int bench_recipe(const struct settings *settings) {
    struct recorded line;
    /* the array of words is that of the arguments parsed last: soon those of a training */
    const char *data = settings->n_words > 0 ? settings->words[0] : NULL;
    int status = EXIT_DONE;
    bool found = false;
    char *own = settings->results != NULL ? read_text(settings->results) : NULL;
    const char *text = own != NULL ? own : result_file_texts[0];
    if (settings->results != NULL && own == NULL)
        return complain(EXIT_FAILED, "'%s' is not a readable text of results", settings->results);
    if (recipe_text("", settings->recipe) == NULL ||
        !results_valid(own != NULL ? settings->results : "recipes/results.txt", text))
        status = EXIT_USAGE;
    while (status == EXIT_DONE && results_next(&text, settings->recipe, &line)) {
        status = repeat_line(settings, data != NULL ? data : line.data, &line);
        found = true;
    }
    if (status == EXIT_DONE && !found)
        status = complain(EXIT_FAILED,
                          "nothing is recorded of @recipe:%s; deeper train DATA @recipe:%s runs it",
                          settings->recipe, settings->recipe);
    free(own);
    return status;
}
