/* The command: the tables of options and sub-commands; which of these runs. */
#include "cli.h"
#include "json.h"
#include "recipes.h"
#include <signal.h>
#include <string.h>

#define END                                                                                        \
    { .name = NULL }

static const char *const DEVICES[] = {"cpu", "ref", NULL};
static const char *const ISAS[] = {"generic", "avx2", "avx512", "avx512bf16", "amx", NULL};
static const char *const PRECISIONS[] = {"float32", "bf16", NULL};
static const char *const FITS[] = {"fit", "crop", "stretch", NULL};
static const char *const OPTIMIZERS[] = {"sgd", "momentum", "nesterov", "adamw", "muon", NULL};
static const char *const REST_OPTIMIZERS[] = {"sgd", "momentum", "nesterov", "adamw", NULL};
static const char *const SCHEDULES[] = {"constant", "step",      "exponential", "cosine",
                                        "linear",   "one-cycle", NULL};
static const char *const INITS[] = {"auto", "he", "xavier", "zero", NULL};
static const char *const SORTS[] = {"step", "time", NULL};
static const char *const REDUCTIONS[] = {"mean", "sum", NULL};
static const char *const VIEWS[] = {"none", "flip", "translate", "flip,translate", NULL};
static const char *const BUDGETS[] = {"flops", "epochs", "seconds", NULL};
static const char *const HALVES[] = {"train", "validation", "test", NULL};

#define MACHINE_OPTIONS                                                                            \
    COUNT("threads", machine.threads, 1, 1024, "N",                                                \
          "threads; the weights are the same for any number", .otherwise = "one per core"),        \
        WORD("device", machine.device, DEVICES, "NAME",                                            \
             "what computes; ref is the slow and plain reference"),                                \
        WORD("cpu-isa", machine.cpu_isa, ISAS, "NAME", "no instructions beyond these",             \
             .otherwise = "all that the machine has"),                                             \
        WORD("precision", machine.precision, PRECISIONS, "NAME",                                   \
             "of what matrix products multiply; sums and weights stay float32")
#define TTA_OPTION(otherwise_)                                                                     \
    WORD("tta", tta, VIEWS, "VIEWS",                                                               \
         "test-time augmentation: predictions average each image with its mirror image, with "     \
         "shifts by one pixel, or both",                                                           \
         .otherwise = (otherwise_))
#define JSON_OPTION FLAG("json", json, "print JSON, and nothing else, on standard output")
#define NET_OPTION TEXT("net", net, "NET", "the network: a file, preset:NAME, or its text")
#define CLASSES_OPTION                                                                             \
    COUNT("classes", classes, 1, 1e6, "N", "what the word 'classes' in the network stands for",    \
          .otherwise = "")
#define VAL_OPTION(otherwise_)                                                                     \
    REAL("val", data.validation, 0, 1, "FRACTION",                                                 \
         "part of the training half that is held back for validation", .high_open = true,          \
         .otherwise = (otherwise_))

#define FIT_OPTION                                                                                 \
    WORD("fit", fit, FITS, "RULE",                                                                 \
         "how images of other sizes are brought to the network's: whole on black, the middle cut " \
         "out, or stretched")
#define MEMORY_OPTION                                                                              \
    SIZE("data-memory", data.memory,                                                               \
         "bytes that decoded pictures of folders may take, such as 500M or 4G; what is beyond is " \
         "decoded again whenever it is needed",                                                    \
         .otherwise = "half of what is free")
#define BY_PICTURES "; without --net by the pictures of a folder"
#define AUGMENT_OPTION(otherwise_)                                                                 \
    TEXT("augment", training.augment, "LIST",                                                      \
         "change training images at random, each time anew: crop=4, pad=reflect, flip=alternate, " \
         "rotate=15, scale=0.1, shear=10, translate=2, elastic=1, smooth=4, brightness=0.2, "      \
         "contrast=0.2, saturation=0.2, cutout=8, mixup=0.2, cutmix=1; any of them, with commas "  \
         "between",                                                                                \
         .otherwise = (otherwise_))

#define PASS_OPTION                                                                                \
    TEXT("disable-pass", machine.disabled_passes, "LIST",                                          \
         "compiler passes to leave out: simplify, fold, keep, fuse, layout, schedule, memplan")
/* The course of a training: of the rate, and of what weights it results in. */
#define COURSE_OPTIONS(lr_otherwise)                                                               \
    REAL("lr", training.learning_rate, 0, 1000, "RATE", "the highest learning rate",               \
         .low_open = true, .otherwise = (lr_otherwise)),                                           \
        WORD("schedule", training.schedule, SCHEDULES, "NAME", "course of the learning rate"),     \
        REAL("warmup", training.warmup, 0, 1e6, "EPOCHS",                                          \
             "epochs in which the rate rises from 0"),                                             \
        REAL("step-epochs", training.step_epochs, 0, 1e6, "EPOCHS",                                \
             "schedule step: epochs between decays", .low_open = true),                            \
        REAL("decay", training.decay, 0, 1, "F",                                                   \
             "schedules step and exponential: factor of a decay", .low_open = true),               \
        COUNT("lookahead", training.lookahead, 0, 1e6, "N",                                        \
              "draw weights back to slow ones every N updates; 0: never"),                         \
        REAL("lookahead-alpha", training.lookahead_alpha, 0, 1, "A",                               \
             "share of the way that slow weights go", .low_open = true),                           \
        REAL("lookahead-power", training.lookahead_power, 0, 100, "P",                             \
             "above 0: this share falls from 1 to A as the P-th power of the run's course"),       \
        REAL("ema", training.ema, 0, 1, "D",                                                       \
             "result in an average of the weights that keeps D of itself at a step; 0: in the "    \
             "last "                                                                               \
             "ones",                                                                               \
             .high_open = true),                                                                   \
        COUNT("swa", training.swa, 0, 1e6, "EPOCH",                                                \
              "result in the mean of the weights that end the epochs from this one on; 0: do not")
/* How the weights of a network follow its gradients, whatever the course. */
#define LEARNING_OPTIONS(by_pictures)                                                              \
    COUNT("batch", training.batch, 1, 1 << 20, "N", "images a step",                               \
          .otherwise = "128" by_pictures),                                                         \
        COUNT("accumulate", training.accumulate, 1, 1e6, "N",                                      \
              "batches whose gradients make one update"),                                          \
        WORD("optimizer", training.optimizer, OPTIMIZERS, "NAME", "how weights follow gradients"), \
        REAL("momentum", training.momentum, 0, 1, "M", "share of the last step that is kept",      \
             .high_open = true),                                                                   \
        REAL("weight-decay", training.weight_decay, 0, 1000, "D",                                  \
             "pull of the weights, not of the biases, towards 0", .otherwise = "0" by_pictures),   \
        REAL("label-smoothing", training.label_smoothing, 0, 1, "E",                               \
             "share of the target that is spread over all classes", .high_open = true,             \
             .otherwise = "0" by_pictures),                                                        \
        REAL("clip-norm", training.clip_norm, 0, 1e9, "NORM",                                      \
             "longest gradient, over all parameters; 0: any"),                                     \
        WORD("rest-optimizer", training.rest_optimizer, REST_OPTIMIZERS, "NAME",                   \
             "optimizer muon: how biases and other vectors follow"),                               \
        REAL("rest-lr", training.rest_learning_rate, 0, 1000, "RATE",                              \
             "optimizer muon: their highest learning rate", .low_open = true,                      \
             .otherwise = "by rest-optimizer"),                                                    \
        REAL("rest-momentum", training.rest_momentum, 0, 1, "M", "optimizer muon: their momentum", \
             .high_open = true),                                                                   \
        COUNT("muon-steps", training.muon_steps, 1, 20, "N",                                       \
              "steps that make an update orthogonal"),                                             \
        FLAG("muon-renormalise", training.muon_renormalise,                                        \
             "bring weights to a fixed norm before each update"),                                  \
        LIST("group", groups, "PATTERN:SETTING,...",                                               \
             "other settings for the parameters of a name: lr=FACTOR, decay=D, momentum=M, "       \
             "optimizer=NAME, schedule=NAME, freeze, freeze-until=EPOCHS, freeze-after=EPOCHS; "   \
             "may be given again",                                                                 \
             .otherwise = ""),                                                                     \
        TEXT("class-weights", training.class_weights, "LIST",                                      \
             "weights of classes in the loss: balanced (1 / their share), or NAME=W,...",          \
             .otherwise = "all alike"),                                                            \
        WORD("loss-reduction", training.loss_reduction, REDUCTIONS, "NAME",                        \
             "what gradients are of: a step's mean loss, or its sum"),                             \
        WORD("init", init, INITS, "NAME", "first weights; auto: by what follows the layer")
/* Of how a network is trained, in train and sweep. */
#define TRAINING_OPTIONS(by_pictures, lr_otherwise)                                                \
    COURSE_OPTIONS(lr_otherwise), LEARNING_OPTIONS(by_pictures)

#define TRAINED_NET_OPTIONS                                                                        \
    TEXT("net", net, "NET", "the network: a file, preset:NAME, or its text",                       \
         .otherwise = "by the pictures of a folder; else the two-layer one"),                      \
        COUNT("input-size", input_size, 1, 4096, "PIXELS",                                         \
              "side of the squares to which images are brought where the network leaves it open",  \
              .otherwise = "the images' size, or 32, 64 or 128")
#define TRAINING_SEED_OPTION                                                                       \
    LONG("seed", training.seed, 0, 18446744073709551615.0, "N",                                    \
         "of first weights, order of images, dropout, --augment")

static const struct option TRAIN[] = {
    TRAINED_NET_OPTIONS,
    COUNT("epochs", training.epochs, 1, 1e6, "N", "times through the training half",
          .otherwise = "10" BY_PICTURES),
    TRAINING_OPTIONS(BY_PICTURES, "by optimizer"),
    TRAINING_SEED_OPTION,
    VAL_OPTION("0; 0.1 with --patience"),
    COUNT("patience", training.patience, 0, 1e6, "EPOCHS",
          "stop after so many epochs without a better validation accuracy; 0: never"),
    AUGMENT_OPTION("none" BY_PICTURES),
    FIT_OPTION,
    MEMORY_OPTION,
    TTA_OPTION("none"),
    TEXT("out", out, "FILE", "the model", .letter = 'o',
         .otherwise = "DATA's name with .safetensors, here"),
    FLAG("resume", resume, "go on with the run of --out where there is one"),
    FLAG("no-report", no_report, "write no NAME.report.html beside the model"),
    TEXT("serve", serve, "[HOST:]PORT",
         "show the run on a page while it lasts, with buttons to pause and stop it; HOST is "
         "127.0.0.1 where nothing is said, PORT 0 any that is free",
         .otherwise = ""),
    FLAG("overfit-one-batch", overfit,
         "instead: see whether the network can learn one batch by heart at all; writes nothing"),
    TEXT("log", log, "FILE", "write each epoch, and the result, there as JSON lines"),
    FLAG("quiet", quiet, "print errors and the result only", .letter = 'q'),
    MACHINE_OPTIONS,
    PASS_OPTION,
    JSON_OPTION,
    END};

static const struct option LR[] = {
    TRAINED_NET_OPTIONS,
    REAL("from", range.low, 0, 1e6, "RATE", "the first rate", .low_open = true,
         .otherwise = "the optimizer's usual one / 10,000"),
    REAL("to", range.high, 0, 1e6, "RATE", "the last rate", .low_open = true,
         .otherwise = "the usual one x 1000"),
    COUNT("updates", range.updates, 20, 1e6, "N", "that are made on the way"),
    LEARNING_OPTIONS(BY_PICTURES),
    TRAINING_SEED_OPTION,
    AUGMENT_OPTION("none" BY_PICTURES),
    FIT_OPTION,
    MEMORY_OPTION,
    TEXT("out", out, "FILE", "write a page with the curve, such as lr.html", .letter = 'o',
         .otherwise = "none"),
    FLAG("quiet", quiet, "print errors and the result only", .letter = 'q'),
    MACHINE_OPTIONS,
    PASS_OPTION,
    JSON_OPTION,
    END};

static const struct option SWEEP[] = {
    TEXT("params", parameters, "N,...",
         "make networks of so many parameters, such as 100000 or 10k,30k,100k",
         .otherwise = "100k; none with --net"),
    TEXT("depths", depths, "N,...", "with so many hidden layers, equally wide to a few units",
         .otherwise = "1,2,3,4,6,8; 1 with --grid"),
    LIST("net", nets, "NET",
         "train these instead, each compared with the first: hidden widths, as 1000 or 300-100, "
         "several with commas between; linear, for none; or a file, preset:NAME, or a text; may be "
         "given again",
         .otherwise = ""),
    LIST("grid", grid, "NAME=VALUE,...",
         "train each network with each of these values of an option, as lr=0.01,0.1; may be given "
         "again, for all combinations; ; divides values that hold commas",
         .otherwise = ""),
    COUNT("seeds", seeds, 1, 10000, "N", "runs of each network"),
    LONG("seed", training.seed, 0, 18446744073709551615.0, "N",
         "of the first of them; the others count on"),
    WORD("budget", budget, BUDGETS, "NAME",
         "what compared networks have in common: operations, epochs, or measured time; to whole "
         "epochs"),
    COUNT("epochs", training.epochs, 1, 1e6, "N",
          "times through the training half, of the network that others are compared with"),
    COUNT("tune-epochs", tune_epochs, 1, 1e6, "N",
          "where the learning rate is tuned: epochs for each of five rates",
          .otherwise = "a fifth of --epochs"),
    REAL("dropout", dropout, 0, 1, "P",
         "behind each hidden relu of networks that are made from widths", .high_open = true),
    COUNT("jobs", jobs, 1, 64, "N",
          "runs side by side, each on one thread; 1: one run on all threads",
          .otherwise = "as many as threads, where networks are small"),
    TRAINING_OPTIONS("", "tuned for each network"),
    VAL_OPTION("0.1"),
    COUNT("patience", training.patience, 0, 1e6, "EPOCHS",
          "stop after so many epochs without a better validation accuracy; 0: never"),
    AUGMENT_OPTION("none"),
    FIT_OPTION,
    MEMORY_OPTION,
    TEXT("out", out, "DIR", "where runs and the page go; what is done there is not done again",
         .letter = 'o', .otherwise = "DATA's name with .sweep, here"),
    FLAG("quiet", quiet, "print errors and the result only", .letter = 'q'),
    MACHINE_OPTIONS,
    PASS_OPTION,
    JSON_OPTION,
    END};

static const struct option EVAL[] = {WORD("half", half, HALVES, "HALF", "which images"),
                                     VAL_OPTION(NULL),
                                     MEMORY_OPTION,
                                     TTA_OPTION("the model's"),
                                     MACHINE_OPTIONS,
                                     JSON_OPTION,
                                     END};

static const struct option REPORT[] = {TEXT("out", out, "FILE",
                                            "the page (default: NAME.report.html beside the model)",
                                            .letter = 'o'),
                                       MEMORY_OPTION,
                                       TTA_OPTION("the model's"),
                                       MACHINE_OPTIONS,
                                       JSON_OPTION,
                                       END};

static const struct option FEATURES[] = {
    TEXT("out", out, "FILE",
         "a page, or one picture where it ends with .png (default: NAME.features.html beside the "
         "model)",
         .letter = 'o'),
    TEXT("image", image, "FILE", "explain what the model makes of this picture, too"),
    COUNT("units", features.units, 1, 4096, "N", "units that are shown of a layer"),
    COUNT("layers", features.layers, 1, 1e6, "N", "layers whose units are shown",
          .otherwise = "all"),
    COUNT("steps", features.steps, 1, 1e6, "N", "of gradient ascent for each input that is made"),
    LONG("seed", features.seed, 0, 18446744073709551615.0, "N", "of what the ascent begins with"),
    FLAG("quiet", quiet, "print errors and the result only", .letter = 'q'),
    MEMORY_OPTION,
    MACHINE_OPTIONS,
    JSON_OPTION,
    END};

static const struct option PREDICT[] = {
    COUNT("top", top, 1, 1e6, "N", "classes to print, likeliest first"), TTA_OPTION("the model's"),
    MACHINE_OPTIONS, JSON_OPTION, END};

static const struct option SERVE[] = {
    TEXT("host", server.host, "HOST",
         "address or name of this machine that listens; 0.0.0.0: all addresses, for everybody "
         "in the network"),
    COUNT("port", server.port, 0, 65535, "N", "0: any that is free"),
    COUNT("top", top, 1, 1e6, "N", "classes to answer with, likeliest first"),
    COUNT("connections", server.connections, 1, 60000, "N",
          "at a time; beyond, requests are answered 503"),
    SIZE("max-body", server.body, "bytes of one request; beyond, it is answered 413",
         .otherwise = "8M"),
    LONG("max-pixels", server.pixels, 1, 178956970, "N",
         "pixels of a request's images together, before they are brought to the model's size"),
    REAL("timeout", server.seconds, 0, 86400, "SECONDS",
         "that a connection may take for a request, or for none", .low_open = true),
    FLAG("quiet", quiet, "print errors and the address only", .letter = 'q'),
    TTA_OPTION("the model's"),
    MACHINE_OPTIONS,
    JSON_OPTION,
    END};

static const struct option SUMMARY[] = {NET_OPTION, CLASSES_OPTION, JSON_OPTION, END};

static const struct option GRAPH[] = {
    NET_OPTION,
    CLASSES_OPTION,
    FLAG("backward", view.backward,
         "the graph of gradients beside it, each node beside the op that it comes from"),
    TEXT("out", out, "FILE", "a .dot, .svg or .png file", .letter = 'o',
         .otherwise = "Graphviz text on standard output"),
    FLAG("plan", plan, "print the plan of a training step instead: kernels, work, memory"),
    FLAG("predict", plan_predicts, "with --plan: of a prediction"),
    COUNT("batch", training.batch, 1, 1 << 20, "N", "with --plan: images a step"),
    MACHINE_OPTIONS,
    FLAG("json", json, "print {\"out\": FILE} or {\"text\": what else would be printed}"),
    END};

static const struct option BENCH[] = {
    TEXT("plan", plan_net, "NET",
         "instead: where the time of a training step of this network goes, row by row",
         .otherwise = ""),
    TEXT(
        "recipe", recipe, "NAME",
        "instead: repeat what docs/results.md has of this recipe, and compare weights and accuracy",
        .otherwise = ""),
    TEXT("results", results, "FILE", "of --recipe: compare with the lines of this file",
         .otherwise = "recipes/results.txt, which ships"),
    CLASSES_OPTION,
    COUNT("batch", bench_batch, 1, 65536, "N", "only rows of this batch; of --plan: images a step",
          .otherwise = "all rows; 128"),
    REAL("seconds", bench_seconds, 0, 3600, "S",
         "how long to measure each figure of a row, though never fewer than three steps",
         .low_open = true),
    FLAG("step-only", step_only, "leave out the training end to end"),
    FLAG("predict", plan_predicts, "of --plan: a prediction instead of a training step"),
    WORD("sort", sort, SORTS, "ORDER",
         "of --plan: rows in the order of the step, or by their time, the slowest first"),
    MACHINE_OPTIONS,
    JSON_OPTION,
    END};

static const struct option DATA_CHECK[] = {
    TEXT("out", out, "FILE.png", "draw the suspects there, with their numbers", .letter = 'o',
         .otherwise = "none"),
    COUNT("most", most, 1, 100, "N", "suspects of each finding that are listed and drawn"),
    COUNT("folds", check.folds, 0, 20, "N",
          "parts of the set, each judged by a small network that was trained on the others; 0: do "
          "not look at labels"),
    LONG("seed", training.seed, 0, 18446744073709551615.0, "N", "of these networks"),
    FLAG("strict", strict, "exit with status 1 where anything was found"),
    FLAG("quiet", quiet, "print errors and the result only", .letter = 'q'),
    MACHINE_OPTIONS,
    JSON_OPTION,
    END};

static const struct option DATA_INFO[] = {JSON_OPTION, END};

static const struct option DATA_PREVIEW[] = {
    AUGMENT_OPTION("none" BY_PICTURES),
    LONG("seed", training.seed, 0, 18446744073709551615.0, "N", "of the draws"),
    TEXT("net", net, "NET", "show images in the size that this network takes",
         .otherwise = "as train takes pictures of a folder; else as they are"),
    FIT_OPTION,
    FLAG("quiet", quiet, "print errors only", .letter = 'q'),
    JSON_OPTION,
    END};

static const struct option DATA_LETTERS[] = {
    TEXT("out", out, "DIR", "where the set goes", .letter = 'o'),
    LIST("fonts", fonts, "DIR", "look for fonts there, in all depths; may be given again",
         .otherwise = "the installed fonts"),
    LONG("seed", letters.seed, 0, 18446744073709551615.0, "N", "of all draws"),
    COUNT("train", letters.train, 10, 1e7, "N", "training images"),
    COUNT("test", letters.test, 10, 1e7, "N", "test images"),
    FLAG("quiet", quiet, "print errors and the result only", .letter = 'q'),
    JSON_OPTION,
    END};

const struct command COMMANDS[] = {
    {"train", "DATA", "Trains a network on a set of images",
     "DATA is a folder with a folder of PNG and JPEG files for each class, a fifth of which "
     "becomes "
     "the test half where there are no folders train and test above them; or a directory of IDX or "
     "CIFAR-10 files.\n"
     "While it runs, NAME.checkpoint.safetensors holds all that --resume needs; it is written when "
     "the run begins, after every epoch, at least every 30 seconds, and on Ctrl-C. A second Ctrl-C "
     "ends at once. The model is written when the run is complete. The test half is looked at "
     "once, "
     "at the end, and NAME.report.html tells of the whole.\n"
     "@recipe:NAME stands for options that go well together; what is given beside it wins.\n"
     "Without --net the size and number of the pictures of a folder decide on network, input size, "
     "epochs, batch and augmentation, and it is said how. Other sets get the two-layer network: "
     "linear 1024, "
     "relu, linear classes.",
     "train photos\n"
     "train photos --net preset:resnet8 --epochs 30 --out better.safetensors\n"
     "train mnist @recipe:mnist-99\n"
     "train mnist --net \"input 28 28 1, linear 64, relu, linear classes\"\n",
     1, 1, TRAIN, command_train},
    {"lr", "DATA", "Finds a learning rate to train with",
     "A range test: some hundred updates of a new network, with a rate that grows by the same "
     "factor at each, from far too low to far too high, or until the loss rises far. It prints the "
     "smoothed loss over the rate, and a rate for train --lr, which is the highest of its course: "
     "that at which 95 % of the fall is done, times 3 (momentum, nesterov), 4 (sgd), 1 (adamw) or "
     "0.3 (muon), but not above that at which the loss is lowest.",
     "lr photos\n"
     "lr mnist --net preset:lenet5 --batch 64 -o lr.html\n"
     "lr mnist --optimizer adamw\n",
     1, 1, LR, command_lr},
    {"eval", "MODEL DATA", "Tells how well a model does on a set",
     "Accuracy with its 95 % interval, loss, precision and recall of each class, and which classes "
     "are mistaken for which.",
     "eval photos.safetensors photos\n", 2, 2, EVAL, command_eval},
    {"report", "MODEL DATA", "Writes a page of what is known of a model",
     "One HTML file, which opens offline: curves of the training, test accuracy with its interval, "
     "the confusion matrix, calibration, mistakes as pictures, what the layers learned, the "
     "network "
     "and its graphs, and how to make the model again. train writes it, too, when a run is "
     "complete.",
     "report photos.safetensors photos\n"
     "report mnist.safetensors mnist -o page.html\n",
     2, 2, REPORT, command_report},
    {"features", "MODEL [DATA]", "Shows what the layers of a network have learned to see",
     "The first weights as pictures; of each layer's units the input that excites them most, found "
     "by "
     "gradient ascent through the network, and, of DATA's test half, the images that do, cut to "
     "what the unit sees; which units are never active, and which are alike. With --image also "
     "what speaks for the class that one picture is taken for: saliency, occlusion, Grad-CAM, and "
     "what each layer makes of it.",
     "features photos.safetensors photos\n"
     "features photos.safetensors photos --image cat.jpg -o cat.html\n"
     "features mnist.safetensors mnist -o units.png --units 8\n",
     1, 2, FEATURES, command_features},
    {"sweep", "DATA [NAME=VALUE,...]", "Compares networks: deeper against wider",
     "Trains each network with several seeds, and tells what can be said of their differences: "
     "means with 95 % intervals, paired t tests corrected for their number, and a verdict. Without "
     "--net, networks of equal size and several depths are made; the linear one is a reference. "
     "Compared networks have the same order of images and the same budget. The learning rate is "
     "tuned for "
     "each network on the validation part, in shorter runs of one seed, unless --lr or --grid "
     "lr=... says it.\n"
     "DIR gets runs.jsonl, runs.csv, sweep.json and the page sweep.html. After Ctrl-C, the same "
     "command line goes on; with more seeds or networks it adds them. Words behind DATA are more "
     "of --grid.",
     "sweep mnist --params 100000 --depths 1,2,3 --seeds 5\n"
     "sweep mnist --net 1000,300-100 --seeds 10\n"
     "sweep mnist --net 300-100 --grid lr=0.01,0.03,0.1 dropout=0,0.5\n",
     1, SIZE_MAX, SWEEP, command_sweep},
    {"predict", "MODEL IMAGE...", "Says what a model sees in images",
     "IMAGE is a PNG or JPEG file of any size, a folder of such files in all depths, or - for "
     "standard input. A file that cannot be read does not stop the others; the exit status is 1 "
     "then.",
     "predict photos.safetensors cat.jpg holiday/ --top 1\n", 2, SIZE_MAX, PREDICT,
     command_predict},
    {"serve", "MODEL", "Answers over HTTP what a model sees in images",
     "At the address that it prints is a page on which one draws or drops an image, and sees the "
     "classes, the pixels that decide, and the units that fire. Programs send PNG or JPEG files "
     "by POST to /predict, one as the body or several as multipart/form-data, and get what "
     "predict --json prints; /openapi.json describes all of it. Images that come at the same time "
     "are computed together. SIGTERM and Ctrl-C end it when what was asked is answered; the exit "
     "status is 0 then.",
     "serve photos.safetensors\n"
     "serve photos.safetensors --host 0.0.0.0 --port 80\n",
     1, 1, SERVE, command_serve},
    {"summary", "NET|MODEL", "Lists layers, shapes and parameters",
     "Lines beside the names show what stands within residuals and branches.",
     "summary photos.safetensors\n"
     "summary preset:resnet20\n"
     "summary \"input 28 28 1, linear classes\" --classes 10\n",
     0, 1, SUMMARY, command_summary},
    {"graph", "NET|MODEL", "Draws a network as a graph, and its derivative", NULL,
     "graph photos.safetensors -o graph.svg\n"
     "graph \"input 4 4 1, linear 9, relu, linear 2\" --backward -o graph.png\n"
     "graph preset:lenet5 --plan\n",
     0, 1, GRAPH, command_graph},
    {"bench", "[ROW...|DATA]", "Times networks, or repeats a recipe",
     "Rows: L0, B0, B1, B2 train networks of linear layers, B3 (lenet5), B4 (mnist-cnn), B5 "
     "(resnet20), B6 (airbench), B7 (resnet18) convolutional ones; I1 and I64 predict, one image "
     "and 64 at a time. ROW:NET, as in I1:resnet20, is one network's. All without ROW: some two "
     "minutes on two cores, most of them for B5 to B7. "
     "A step takes one of eight float32 batches in turn; end to end, random rows of a set of uint8 "
     "images are gathered and normalised in the step too. The last column holds matrix products "
     "and convolutions against what one product reaches here from the caches.\n"
     "bench --recipe NAME [DATA] trains as each recorded line of the recipe says, with seed 1, on "
     "DATA or where the line says that its set was. Weights must "
     "be the recorded ones, bit for bit, where set and kernels are; elsewhere the accuracy must "
     "agree. The model goes to NAME.safetensors.",
     "bench L0 B3\n"
     "bench --plan preset:resnet20 --sort time\n"
     "bench --recipe mnist-99 mnist\n",
     0, SIZE_MAX, BENCH, command_bench},
    {"data info", "DATA", "Looks at a set: sizes, classes, duplicates",
     "Prints sizes, classes, balance, duplicates and unreadable files. The exit status is 1 when a "
     "file cannot be read or a class is empty in a half.",
     "data info photos\n", 1, 1, DATA_INFO, command_data_info},
    {"data check", "DATA", "Looks for what spoils a training: copies, wrong labels",
     "Names unreadable files, copies and almost-copies within and across the halves, labels that a "
     "model doubts which was trained on the other images, classes that are rare or empty, and "
     "images that are blank, grey among coloured ones, or of odd sizes, each with what to do. The "
     "exit status is 0 whatever was found; with --strict it is 1 then.",
     "data check photos -o suspects.png\n"
     "data check photos --folds 0 --strict\n",
     1, 1, DATA_CHECK, command_data_check},
    {"data preview", "DATA OUT.png", "Draws a sheet of training images, also augmented",
     "Each row begins with an image as it is; behind it stands what a training with this --augment "
     "and --seed shows the network in the epochs 1 to 8. Without --net and --augment pictures of a "
     "folder are shown as train takes them; of other sets a row holds images of one class.",
     "data preview photos sheet.png\n"
     "data preview photos sheet.png --augment rotate=15,flip\n",
     2, 2, DATA_PREVIEW, command_data_preview},
    {"data letters", "--out DIR", "Makes the letters set from fonts",
     "Renders the letters A to J, 28 x 28 pixels, as a set of IDX files. No font family is in both "
     "halves.",
     "data letters --out letters\n", 0, 0, DATA_LETTERS, command_data_letters},
    END};

/* ---- finding ---- */

/* How many of the n words spell the command's name, which has one or two; 0: they do not. */
static int match(const struct command *command, char **words, int n) {
    const char *name = command->name, *blank = strchr(name, ' ');
    size_t first = blank != NULL ? (size_t)(blank - name) : strlen(name);
    if (n < 1 || strlen(words[0]) != first || strncmp(words[0], name, first) != 0)
        return 0;
    if (blank == NULL)
        return 1;
    return n > 1 && strcmp(words[1], blank + 1) == 0 ? 2 : 0;
}

/* The commands of two words that begin with `word`. */
static bool in_group(const struct command *command, const char *word) {
    size_t n = strlen(word);
    return strncmp(command->name, word, n) == 0 && command->name[n] == ' ';
}

static bool is_group(const char *word) {
    for (size_t i = 0; COMMANDS[i].name != NULL; i++)
        if (in_group(&COMMANDS[i], word))
            return true;
    return false;
}

/* "data": which of its commands? */
static int unknown_in_group(const char *group, const char *word) {
    const char *names[16];
    char list[128] = "";
    size_t n = 0;
    for (size_t i = 0; COMMANDS[i].name != NULL; i++)
        if (in_group(&COMMANDS[i], group)) {
            names[n] = COMMANDS[i].name + strlen(group) + 1;
            snprintf(list + strlen(list), sizeof list - strlen(list), "%s'%s'", n > 0 ? " or " : "",
                     names[n]);
            n++;
        }
    const char *nearest = word != NULL ? dpr_nearest_word(word, names, n) : NULL;
    if (nearest != NULL)
        complain(EXIT_USAGE, "%s knows %s, not '%s'; did you mean '%s'?", group, list, word,
                 nearest);
    else
        complain(EXIT_USAGE, "%s needs a word after it: %s", group, list);
    return complain(EXIT_USAGE, "see deeper help %s", group);
}

static int unknown_command(const char *word) {
    const char *names[32];
    char first[32][16];
    size_t n = 0;
    for (; COMMANDS[n].name != NULL; n++) {
        snprintf(first[n], sizeof first[n], "%.*s", (int)strcspn(COMMANDS[n].name, " "),
                 COMMANDS[n].name);
        names[n] = first[n];
    }
    names[n++] = "help";
    const char *nearest = dpr_nearest_word(word, names, n);
    if (nearest != NULL)
        complain(EXIT_USAGE, "there is no command '%s'; did you mean '%s'?", word, nearest);
    else
        complain(EXIT_USAGE, "there is no command '%s'", word);
    return complain(EXIT_USAGE, "see deeper help");
}

/* The command that the words begin with, and how many words that are; NULL after a message. */
static const struct command *find_command(char **words, int n, int *used) {
    for (size_t i = 0; COMMANDS[i].name != NULL; i++) {
        *used = match(&COMMANDS[i], words, n);
        if (*used > 0)
            return &COMMANDS[i];
    }
    if (is_group(words[0]))
        unknown_in_group(words[0], n > 1 ? words[1] : NULL);
    else
        unknown_command(words[0]);
    return NULL;
}

/* ---- running ---- */

/* Help or man page of what the words name; of all commands of a group. */
static int help_of(char **words, int n, void (*print)(const struct command *, FILE *)) {
    int used;
    if (n == 1 && strncmp(words[0], "@recipe:", 8) == 0) {
        const char *text = recipe_text("", words[0] + 8);
        if (text != NULL)
            fputs(text, stdout);
        return text != NULL ? EXIT_DONE : EXIT_USAGE;
    }
    if (n == 1 && is_group(words[0])) {
        for (size_t i = 0, shown = 0; COMMANDS[i].name != NULL; i++)
            if (in_group(&COMMANDS[i], words[0])) {
                fputs(shown++ > 0 ? "\n" : "", stdout);
                print(&COMMANDS[i], stdout);
            }
        return EXIT_DONE;
    }
    const struct command *command = find_command(words, n, &used);
    if (command == NULL)
        return EXIT_USAGE;
    if (used < n)
        return complain(EXIT_USAGE, "help: '%s' is left over", words[used]);
    print(command, stdout);
    return EXIT_DONE;
}

/* help [COMMAND] | help --man [COMMAND] | help --completion bash */
static int run_help(int n, char **words) {
    if (n == 0 || strcmp(words[0], "help") == 0 || strcmp(words[0], "--help") == 0) {
        help_overview(stdout);
    } else if (strcmp(words[0], "--completion") == 0) {
        if (n != 2 || strcmp(words[1], "bash") != 0)
            return complain(EXIT_USAGE, "usage: deeper help --completion bash");
        help_completion(stdout);
    } else if (strcmp(words[0], "--man") != 0) {
        return help_of(words, n, help_command);
    } else if (n > 1) {
        return help_of(words + 1, n - 1, help_man);
    } else {
        help_man(NULL, stdout);
    }
    return EXIT_DONE;
}

static bool asks_for_help(int n, char **words) {
    for (int i = 0; i < n && strcmp(words[i], "--") != 0; i++)
        if (strcmp(words[i], "--help") == 0 || strcmp(words[i], "-h") == 0)
            return true;
    return false;
}

static int run_command(int n, char **words, char **given) {
    static struct settings settings; /* lists in it outlive the call */
    int used;
    if (is_group(words[0]) && n > 1 && asks_for_help(1, words + 1))
        return help_of(words, 1, help_command);
    const struct command *command = find_command(words, n, &used);
    if (command == NULL)
        return EXIT_USAGE;
    if (asks_for_help(n - used, words + used)) {
        help_command(command, stdout);
        return EXIT_DONE;
    }
    settings = settings_default();
    settings.given = given;
    int status = options_parse(command, n - used, words + used, &settings);
    if (status == EXIT_DONE && (settings.json || settings.log != NULL) && !out_available())
        status = complain(EXIT_FAILED,
                          "%s needs jansson, which this build lacks: install "
                          "libjansson-dev (Debian) and build again",
                          settings.json ? "--json" : "--log");
    if (status == EXIT_DONE)
        status = command->run(&settings);
    if (status == EXIT_USAGE)
        complain(EXIT_USAGE, "see deeper %s --help", command->name);
    return status;
}

int main(int argc, char **argv) {
    const char *word = argc > 1 ? argv[1] : NULL;
    int status;
    /* a closed pipe and a file that reached its limit are failed writes, and a run is not lost by them */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    if (word == NULL) {
        help_overview(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(word, "--version") == 0 && argc == 2) {
        printf("deeper %s\n", dpr_version());
        status = EXIT_DONE;
    } else if (strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 ||
               strcmp(word, "-h") == 0) {
        status = run_help(argc - 2, argv + 2);
    } else {
        status = run_command(argc - 1, argv + 1, argv);
    }
    return finish_output(status);
}
