/* The command: finds the sub-command, parses its options, runs it. */
#include "cli.h"
#include "json.h"
#include <string.h>

#define AT(member) offsetof(struct settings, member)
#define END                                                                                        \
    { NULL, 0, OPTION_FLAG, 0, 0, 0, NULL, NULL, NULL, NULL }
#define HUGE_COUNT 9e15
#define HUGE_REAL 1e18

static const char *const DEVICES[] = {"cpu", "ref", NULL};
static const char *const ISAS[] = {"generic", "avx2", "avx512", NULL};
static const char *const FITS[] = {"fit", "crop", "stretch", NULL};
static const char *const OPTIMIZERS[] = {"sgd", "momentum", "nesterov", "adamw", NULL};
static const char *const SCHEDULES[] = {"constant", "step",      "exponential", "cosine",
                                        "linear",   "one-cycle", NULL};
static const char *const INITS[] = {"auto", "he", "xavier", "zero", NULL};
static const char *const HALVES[] = {"train", "validation", "test", NULL};

#define MACHINE_OPTIONS                                                                            \
    {"threads",                                                                                    \
     0,                                                                                            \
     OPTION_COUNT,                                                                                 \
     AT(threads),                                                                                  \
     0,                                                                                            \
     1024,                                                                                         \
     NULL,                                                                                         \
     "N",                                                                                          \
     NULL,                                                                                         \
     "threads; the weights are the same for any number (default: one per core)"},                  \
        {"device", 0,       OPTION_WORD, AT(device), 0,                                            \
         0,        DEVICES, "NAME",      NULL,       "what computes; ref is slow and plain"},      \
    {                                                                                              \
        "cpu-isa", 0, OPTION_WORD, AT(cpu_isa), 0, 0, ISAS, "NAME", NULL,                          \
            "use no instructions beyond these"                                                     \
    }
#define JSON_OPTION                                                                                \
    {                                                                                              \
        "json", 0, OPTION_FLAG, AT(json), 0, 0, NULL, NULL, NULL,                                  \
            "print JSON, and nothing else, on standard output"                                     \
    }
#define CLASSES_OPTION                                                                             \
    {                                                                                              \
        "classes", 0, OPTION_COUNT, AT(classes), 1, 1e6, NULL, "N", NULL,                          \
            "what the word 'classes' in the network stands for"                                    \
    }
#define NET_OPTION                                                                                 \
    { "net", 0, OPTION_TEXT, AT(net), 0, 0, NULL, "NET", NULL, "the network: a file, or its text" }

static const struct option TRAIN[] = {
    NET_OPTION,
    {"epochs", 0, OPTION_COUNT, AT(epochs), 1, 100000, NULL, "N", "10", "times through the set"},
    {"batch", 0, OPTION_COUNT, AT(batch), 1, 65536, NULL, "N", "128", "images a step"},
    {"lr", 0, OPTION_REAL, AT(lr), 1e-12, 1e6, NULL, "RATE", NULL,
     "highest learning rate (default: by optimizer)"},
    {"optimizer", 0, OPTION_WORD, AT(optimizer), 0, 0, OPTIMIZERS, "NAME", NULL,
     "how weights follow gradients"},
    {"momentum", 0, OPTION_REAL, AT(momentum), 0, 0.9999, NULL, "M", NULL,
     "share of the last step kept"},
    {"weight-decay", 0, OPTION_REAL, AT(weight_decay), 0, 100, NULL, "D", NULL,
     "pull of weights towards 0; not of biases"},
    {"schedule", 0, OPTION_WORD, AT(schedule), 0, 0, SCHEDULES, "NAME", NULL,
     "course of the learning rate"},
    {"warmup", 0, OPTION_REAL, AT(warmup), 0, 100000, NULL, "EPOCHS", NULL,
     "epochs in which the rate rises from 0"},
    {"step-epochs", 0, OPTION_REAL, AT(step_epochs), 1e-3, 100000, NULL, "EPOCHS", NULL,
     "schedule step: epochs between decays"},
    {"decay", 0, OPTION_REAL, AT(decay), 1e-9, 1, NULL, "F", NULL,
     "schedules step and exponential: factor of a decay"},
    {"label-smoothing", 0, OPTION_REAL, AT(label_smoothing), 0, 0.999, NULL, "E", NULL,
     "share of the target spread over all classes"},
    {"clip-norm", 0, OPTION_REAL, AT(clip_norm), 0, HUGE_REAL, NULL, "NORM", NULL,
     "longest gradient over all parameters; 0: any"},
    {"class-weights", 0, OPTION_FLAG, AT(class_weights), 0, 0, NULL, NULL, NULL,
     "weigh classes by 1 / their share"},
    {"init", 0, OPTION_WORD, AT(init), 0, 0, INITS, "NAME", "auto", "first weights"},
    {"seed", 0, OPTION_COUNT, AT(seed), 0, HUGE_COUNT, NULL, "N", "1",
     "of first weights, order of images, dropout"},
    {"val", 0, OPTION_REAL, AT(val), 0, 0.9, NULL, "FRACTION", NULL,
     "part of the training half held back (default 0; with --patience 0.1)"},
    {"patience", 0, OPTION_COUNT, AT(patience), 0, 100000, NULL, "EPOCHS", "0",
     "stop after so many epochs without a better validation accuracy; 0: never"},
    {"fit", 0, OPTION_WORD, AT(fit), 0, 0, FITS, "RULE", "fit",
     "how images of other sizes are brought to the network's"},
    {"out", 'o', OPTION_TEXT, AT(out), 0, 0, NULL, "FILE", NULL,
     "the model (default: DATA's name with .safetensors, here)"},
    {"resume", 0, OPTION_FLAG, AT(resume), 0, 0, NULL, NULL, NULL,
     "go on with the run of --out where there is one"},
    {"log", 0, OPTION_TEXT, AT(log), 0, 0, NULL, "FILE", NULL, "append each epoch to it, as JSON"},
    {"quiet", 'q', OPTION_FLAG, AT(quiet), 0, 0, NULL, NULL, NULL, "only the result"},
    MACHINE_OPTIONS,
    {"disable-pass", 0, OPTION_TEXT, AT(disable_pass), 0, 0, NULL, "LIST", NULL,
     "compiler passes to leave out: simplify, fuse, schedule, memplan"},
    JSON_OPTION,
    END};

static const struct option EVAL[] = {
    {"half", 0, OPTION_WORD, AT(half), 0, 0, HALVES, "HALF", "test", "which images"},
    MACHINE_OPTIONS,
    JSON_OPTION,
    END};

static const struct option PREDICT[] = {
    {"top", 0, OPTION_COUNT, AT(top), 1, 1000, NULL, "N", "3", "classes to print"},
    MACHINE_OPTIONS,
    JSON_OPTION,
    END};

static const struct option SUMMARY[] = {NET_OPTION, CLASSES_OPTION, JSON_OPTION, END};

static const struct option GRAPH[] = {
    NET_OPTION,
    CLASSES_OPTION,
    {"backward", 0, OPTION_FLAG, AT(backward), 0, 0, NULL, NULL, NULL,
     "the graph of gradients beside it, each node beside the op that it comes from"},
    {"plan", 0, OPTION_FLAG, AT(plan), 0, 0, NULL, NULL, NULL,
     "print the steps of a training step instead: kernels, work, memory"},
    {"batch", 0, OPTION_COUNT, AT(batch), 1, 65536, NULL, "N", "128", "of --plan: images a step"},
    MACHINE_OPTIONS,
    {"out", 'o', OPTION_TEXT, AT(out), 0, 0, NULL, "FILE", "-",
     "a .dot, .svg or .png file; - prints Graphviz text"},
    END};

static const struct option DATA[] = {
    {"out", 'o', OPTION_TEXT, AT(out), 0, 0, NULL, "DIR", NULL, "letters: where the set goes"},
    {"fonts", 0, OPTION_LIST, AT(fonts), 0, 0, NULL, "DIR", NULL,
     "letters: look for fonts here; may be given again (default: installed fonts)"},
    {"seed", 0, OPTION_COUNT, AT(seed), 0, HUGE_COUNT, NULL, "N", "1", "letters: of all draws"},
    {"train", 0, OPTION_COUNT, AT(train_images), 10, 10000000, NULL, "N", "60000",
     "letters: training images"},
    {"test", 0, OPTION_COUNT, AT(test_images), 10, 10000000, NULL, "N", "10000",
     "letters: test images"},
    {"quiet", 'q', OPTION_FLAG, AT(quiet), 0, 0, NULL, NULL, NULL, "no progress"},
    JSON_OPTION,
    END};

const struct command COMMANDS[] = {
    {"train", "DATA [OPTIONS]", "Trains a network on a set of images",
     "Without --net it trains the two-layer network of 1024 ReLUs. While it runs, "
     "NAME.checkpoint.safetensors holds\n"
     "all that --resume needs: it is written after every epoch, at least every 30 seconds, and on "
     "Ctrl-C. The test\n"
     "half is looked at once, at the end.",
     1, 1, TRAIN, command_train},
    {"eval", "MODEL DATA [OPTIONS]", "Tells how well a model does on a set",
     "Accuracy with its 95 % interval, loss, precision and recall of each class, and which classes "
     "are mistaken for\n"
     "which.",
     2, 2, EVAL, command_eval},
    {"predict", "MODEL IMAGE... [OPTIONS]", "Says what a model sees in images",
     "IMAGE is a PNG or JPEG file of any size, or - for standard input.", 2, 4000, PREDICT,
     command_predict},
    {"summary", "NET|MODEL [OPTIONS]", "Lists layers, shapes and parameters", NULL, 0, 1, SUMMARY,
     command_summary},
    {"graph", "NET|MODEL [OPTIONS]", "Draws the graph of a network, and its derivative", NULL, 0, 1,
     GRAPH, command_graph},
    {"data", "info DATA | letters -o DIR", "Looks at a set, or makes the letters set",
     "info prints sizes, classes, balance, duplicates and unreadable files; it exits 1 when a file "
     "cannot be read or\n"
     "a class is empty. letters renders A to J from fonts; no font family is in both halves.",
     1, 2, DATA, command_data},
    {NULL, NULL, NULL, NULL, 0, 0, NULL, NULL}};

const struct command *find_command(const char *name) {
    for (const struct command *c = COMMANDS; c->name != NULL; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

static int unknown_command(const char *word) {
    const char *names[32];
    size_t n = 0;
    for (const struct command *c = COMMANDS; c->name != NULL; c++)
        names[n++] = c->name;
    names[n++] = "help";
    const char *nearest = dpr_nearest_word(word, names, n);
    if (nearest != NULL)
        complain(EXIT_USAGE, "unknown command '%s'; did you mean '%s'?", word, nearest);
    else
        complain(EXIT_USAGE, "unknown command '%s'", word);
    return complain(EXIT_USAGE, "see: deeper help");
}

/* help [COMMAND] | help --man [COMMAND] | help --completion bash */
static int command_help(int argc, char **argv) {
    bool man = argc > 0 && strcmp(argv[0], "--man") == 0;
    if (argc > 0 && strcmp(argv[0], "--completion") == 0) {
        if (argc != 2 || strcmp(argv[1], "bash") != 0)
            return complain(EXIT_USAGE, "usage: deeper help --completion bash");
        help_completion(stdout);
        return EXIT_DONE;
    }
    const char *name = argc > (man ? 1 : 0) ? argv[man ? 1 : 0] : NULL;
    const struct command *command = name != NULL ? find_command(name) : NULL;
    if (name != NULL && command == NULL)
        return unknown_command(name);
    if (man)
        help_man(command, stdout);
    else if (command != NULL)
        help_command(command, stdout);
    else
        help_overview(stdout);
    return EXIT_DONE;
}

static int run_command(const struct command *command, int argc, char **argv) {
    static struct settings settings;
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            help_command(command, stdout);
            return EXIT_DONE;
        }
    int status = options_parse(command, argc, argv, &settings);
    return status == EXIT_DONE ? command->run(&settings) : status;
}

int main(int argc, char **argv) {
    const char *word = argc > 1 ? argv[1] : NULL;
    int status;
    if (word == NULL) {
        help_overview(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(word, "--version") == 0) {
        printf("deeper %s\n", dpr_version());
        status = EXIT_DONE;
    } else if (strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 ||
               strcmp(word, "-h") == 0) {
        status = command_help(argc - 2, argv + 2);
    } else {
        const struct command *command = find_command(word);
        status = command != NULL ? run_command(command, argc - 2, argv + 2) : unknown_command(word);
    }
    return finish_output(status);
}
