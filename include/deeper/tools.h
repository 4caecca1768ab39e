/* deeper/tools.h: readers, the letters data set, drawings, reports, sweeps. Conventions as in deeper.h.
 *
 * These need libraries that the engine does not: zlib (.gz), libpng, libjpeg-turbo, FreeType. What a
 * build lacks is DPR_E_UNSUPPORTED with a message that names the package. */
#ifndef DEEPER_TOOLS_H
#define DEEPER_TOOLS_H

#include <deeper/deeper.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- data sets from files ----------------------------------------------------------------- */

typedef struct dpr_open_options {
    size_t size;
    /* What the network's input wants; rank 0, or a 0 among the dimensions: as the files are (a
     * folder whose images differ then is an error that says how to state it). */
    dpr_shape image;
    dpr_fit fit;       /* how other sizes are brought to it */
    double validation; /* fraction of the training half held back, stratified; 0: none */
    uint64_t seed;     /* not used for the split, which is by content hash */
    /* Class names that the set must have (a model's); n_classes 0: any. A set without names takes
     * these by index; a different number, or names that differ, is DPR_E_MISMATCH. */
    uint32_t n_classes;
    const char *const *class_names;
    /* Bytes that the decoded images of a folder may take; of a larger set the rest is decoded again when it is needed (see
     * dpr_data_create_loaded): its files must stay as they are. 0: half of the memory that is free now. */
    size_t memory;
} dpr_open_options;

dpr_open_options dpr_open_options_default(void);

/* Opens one half of the set at `path`: a directory of IDX files (.gz or plain), of CIFAR-10 binary
 * files, or of images (train/CLASS/…, test/CLASS/…, or CLASS/… which is split 80/20 by content hash,
 * stratified); files are known by content. NULL options are the defaults.
 * Errors: DPR_E_IO, DPR_E_FORMAT (file, place, remedy), DPR_E_SHAPE (images of several sizes and no
 * options->image), DPR_E_DATA (no such half; a class present in one half only is named), DPR_E_MISMATCH. An empty validation half is DPR_OK with *out NULL. */
dpr_status dpr_data_open(dpr_context *context, const char *path, dpr_half half,
                         const dpr_open_options *options, dpr_data **out);

/* Sizes of the images of a folder, from the heads of their files: nothing is decoded, and of many images 512 are looked at. */
typedef struct dpr_sizes {
    size_t size;
    bool folder; /* false: a packed set, of which only n is told */
    size_t n;    /* training images; of a set without a test half, what a fifth for that leaves */
    dpr_shape image;      /* of all that were looked at; rank 0 where they differ */
    uint32_t median_side; /* of the shorter sides; 0: no image could be read */
    uint32_t channels;    /* 3 where one has colours, else 1 */
} dpr_sizes;
/* Errors: as dpr_data_open, but images that cannot be read are left out. */
dpr_status dpr_data_sizes(dpr_context *context, const char *path, dpr_sizes *out);

/* What one look at a set shows, both halves. Unreadable files and empty classes are counted and
 * listed, not errors. Strings belong to the survey. */
typedef struct dpr_survey {
    const char *format; /* "IDX", "CIFAR-10 binary", "image folder" */
    const char *split;  /* how the halves came about, for people */
    size_t n[3];        /* images per half, by dpr_half */
    uint32_t n_classes;
    const char *const *class_names;
    const uint64_t *per_class[3]; /* n_classes counts per half */
    dpr_shape image;              /* of all images; rank 0 where they differ */
    uint32_t min_height, max_height, min_width, max_width, median_height, median_width;
    size_t n_sizes; /* different (height, width, channels) */
    size_t duplicates_train, duplicates_test, duplicates_across; /* same pixels */
    size_t ignored;                                              /* hidden and foreign files */
    size_t n_unreadable;
    const char *const *unreadable; /* "path: reason" */
} dpr_survey;
dpr_status dpr_survey_create(dpr_context *context, const char *path, dpr_survey **out);
void dpr_survey_destroy(dpr_survey *survey);

/* ---- what may be wrong with a set --------------------------------------------------------- */

/* X(NAME, "name"): what a check can find. A finding is not an error: a set may be right as it is. */
#define DPR_FINDING_MAP(X)                                                                         \
    X(UNREADABLE, "unreadable")             /* files */                                            \
    X(ONE_CLASS, "one-class")               /* nothing to tell apart */                            \
    X(EMPTY_CLASS, "empty-class")           /* in a half that has images */                        \
    X(IMBALANCE, "imbalance")               /* classes below a fifth of the largest in training */ \
    X(TWO_LABELS, "two-labels")             /* the same pixels in two classes */                   \
    X(ACROSS, "duplicate-across")           /* test images that are training images, too */        \
    X(DUPLICATE, "duplicate")               /* again in the same half */                           \
    X(NEAR_TWO_LABELS, "near-two-labels")   /* almost the same picture in two classes */           \
    X(NEAR_ACROSS, "near-duplicate-across") /* almost the same picture in both halves */           \
    X(NEAR, "near-duplicate")               /* almost the same picture in one half */              \
    X(LABEL, "label")                       /* that models which have not seen it doubt */         \
    X(BLANK, "blank")                       /* one colour, but for noise */                        \
    X(GREY, "grey")                         /* where most images have colours */                   \
    X(COLOUR, "colour")                     /* where most images have none */                      \
    X(SIZE, "size")                         /* far from the median, or from its proportions */

typedef enum dpr_finding_kind {
#define X(name, text) DPR_FINDING_##name,
    DPR_FINDING_MAP(X)
#undef X
} dpr_finding_kind;

/* An image of a set, as dpr_data_open has it. */
typedef struct dpr_check_image {
    const char *path; /* NULL: the set is packed */
    dpr_half half;
    size_t index; /* in its half, from 0 */
    uint32_t label;
    size_t item; /* in the whole set */
} dpr_check_image;

typedef struct dpr_suspect {
    dpr_check_image image;
    bool has_twin; /* what it is a copy of; the rest of what follows is for other findings */
    dpr_check_image twin;
    uint32_t
        guess; /* LABEL: the class that the model is sure of, and the probabilities that it gives to it and to the label */
    double guess_probability, label_probability;
    uint32_t height, width;
} dpr_suspect;

/* Strings and arrays belong to the check. */
typedef struct dpr_finding {
    dpr_finding_kind kind;
    const char *name;          /* of the list above */
    const char *what, *remedy; /* "images of one colour"; what to do */
    size_t count;              /* of files, classes or images */
    size_t n_suspects;
    const dpr_suspect
        *suspects; /* the worst first where that can be said, else in the order of the set */
    size_t n_lines;
    const char *const *lines; /* UNREADABLE: "path: reason"; of classes: their names */
} dpr_finding;

typedef struct dpr_check {
    size_t n[3]; /* images that can be read, by dpr_half */
    uint32_t n_classes;
    const char *const *class_names;
    size_t n_findings;
    const dpr_finding
        *findings;           /* in the order of the list above; without those that found nothing */
    const char *not_checked; /* why labels were not looked at; NULL: they were */
    uint32_t n_small; /* classes of one to nine images, whose labels were not looked at then */
} dpr_check;

typedef struct dpr_check_options {
    size_t size;
    unsigned folds; /* of the cross-validation that looks at labels, 2 to 20; 0: none: 4 */
    uint64_t seed;  /* of its models: 1 */
    /* Called now and then with what is being done ("looking at images"); non-zero stops: DPR_E_INTERRUPTED. */
    int (*progress)(void *user, const char *what, size_t done, size_t of);
    void *progress_user;
} dpr_check_options;
dpr_check_options dpr_check_options_default(void);

/* Looks for what spoils a training or flatters a test. Labels are held against small networks that are trained on the other folds, by the thresholds
 * of confident learning (docs/commands.md). Files that cannot be read are a finding. The set's files must stay as they are until
 * dpr_check_destroy. NULL options are the defaults.
 * Errors: DPR_E_IO, DPR_E_DATA (no set), DPR_E_ARGUMENT (options), DPR_E_INTERRUPTED. */
dpr_status dpr_check_create(dpr_context *context, const char *path,
                            const dpr_check_options *options, dpr_check **out);
void dpr_check_destroy(dpr_check *check);
/* Draws the first `most` suspects (1 to 100) of each finding as PNG, atomically, each with its number: they are counted from 1, through all
 * findings. A twin stands at the right of its suspect.
 * Errors: those of reading images and of dpr_png_write; DPR_E_DATA: there is no suspect. */
dpr_status dpr_check_draw(const dpr_check *check, size_t most, const char *path);

/* ---- single images ------------------------------------------------------------------------ */

/* Reads a PNG or JPEG file (path "-": standard input), upright by its EXIF orientation, and brings it
 * to image = (height, width, channels 1 or 3) by `fit`: the same steps that a folder's images go
 * through. pixels: u8 (height, width, channels), freed by the caller with dpr_pixels_destroy. */
dpr_status dpr_image_read(dpr_context *context, const char *path, dpr_shape shape, dpr_fit fit,
                          uint8_t **pixels);
void dpr_pixels_destroy(dpr_context *context, uint8_t *pixels);
/* Calls visit with the path of each picture in a folder, in all depths, by name: what a set would take for the images of a
 * class. Errors: DPR_E_DATA where there is none; DPR_E_IO names the first that could not be listed, after all others were visited. */
dpr_status dpr_folder_images(dpr_context *context, const char *path,
                             void (*visit)(void *user, const char *path), void *user);
/* Writes u8 (height, width, channels 1 or 3) as PNG, atomically. */
dpr_status dpr_png_write(dpr_context *context, const char *path, const uint8_t *pixels,
                         dpr_shape image);

/* Draws a contact sheet of a set as PNG, atomically: up to ten rows, each with an image as it is and what `augment` (as in
 * dpr_train_options) makes of it in the epochs 1 to 8 of a run with this seed; with NULL each with up to nine images of a class.
 * Errors: as dpr_data_augment and dpr_png_write; DPR_E_DATA where the set is empty, or of two or four channels. */
dpr_status dpr_data_preview(const dpr_data *data, const char *augment, uint64_t seed,
                            const char *path);

/* ---- letters ------------------------------------------------------------------------------ */

typedef struct dpr_letters_options {
    size_t size;
    const char *const
        *font_dirs;       /* NULL-terminated; searched in all depths; NULL: installed fonts */
    uint64_t seed;        /* 1 */
    uint32_t train, test; /* images: 60,000 and 10,000 */
    uint32_t side;        /* pixels: 28 */
    int (*progress)(void *user, size_t done, size_t of); /* may be NULL; non-zero stops */
    void *progress_user;
} dpr_letters_options;

dpr_letters_options dpr_letters_options_default(void);

typedef struct dpr_letters_report {
    size_t families, faces; /* used */
    size_t train_families, test_families;
    size_t rejected; /* broken files, and faces with a missing, empty or doubled glyph */
} dpr_letters_report;

/* Makes letters A–J rendered from fonts in directory `out`: IDX files, classes.txt, and
 * contact-sheet.png. Training and test halves share no font family. Same seed, same fonts: same
 * bytes. Existing files of these names are replaced, each atomically. */
dpr_status dpr_letters_make(dpr_context *context, const char *out,
                            const dpr_letters_options *options, dpr_letters_report *report);

/* ---- drawings ----------------------------------------------------------------------------- */

typedef struct dpr_graph_view {
    size_t size;
    bool backward;     /* draw gradient nodes beside the forward nodes that they come from */
    const char *title; /* may be NULL */
} dpr_graph_view;

/* The graph as Graphviz text, freed by the caller with dpr_text_destroy. */
dpr_status dpr_graph_dot(dpr_graph *graph, const dpr_graph_view *view, char **out);
/* Draws a graph by the ending of `path`: .dot (that text), .svg or .png (through Graphviz's `dot`;
 * DPR_E_UNSUPPORTED where it is not installed). Atomic. */
dpr_status dpr_graph_draw(dpr_graph *graph, const dpr_graph_view *view, const char *path);

/* ---- features ----------------------------------------------------------------------------- */

/* What the units of a network have learned to see: channels of pictures, or single numbers, of each activation and of the network's end. */
typedef struct dpr_features dpr_features;

typedef struct dpr_features_options {
    size_t size;
    uint64_t seed;   /* of the noise and the shifts that made inputs begin with: 1 */
    unsigned units;  /* that are shown of a layer, at most, spread over it, 1 to 4,096: 12 */
    unsigned steps;  /* of gradient ascent: 160 */
    size_t images;   /* of the set that are looked at, at most, spread over it: 10,000 */
    unsigned layers; /* whose units are shown, at most, spread over the network; 0: all */
    int (*progress)(void *user, size_t done,
                    size_t of); /* may be NULL; non-zero stops with DPR_E_INTERRUPTED */
    void *progress_user;
} dpr_features_options;

dpr_features_options dpr_features_options_default(void);

typedef struct dpr_feature_layer {
    size_t size;
    const char *name; /* of the activation, or of the last layer */
    uint32_t units;
    int64_t field[2];     /* rows and columns of the image that a unit sees at one place */
    uint32_t shown;       /* units with pictures; 0: the layer has none in the page */
    const uint32_t *unit; /* (shown) which they are */
    /* Of the images that were looked at; without a set none of these is known, and n_images is 0: */
    size_t n_images;
    bool gate;                   /* below 0 a unit is inactive; */
    uint32_t dead;               /* units that never were above */
    const uint32_t *active;      /* (units) in how many images each was */
    const uint32_t *likeness_to; /* (units) the unit that is active most alike; */
    const float *
        likeness; /* (units) and the correlation of both over images (Pearson); 0 where one does not vary */
    uint32_t compared; /* units that were, spread over the layer: at most 2,048 */
    uint32_t alike;    /* units whose likeness is above 0.95 */
} dpr_feature_layer;

/* Looks at the units of a model: which images of `data` (NULL: none) excite each most, and which input would, found by gradient ascent (Erhan et al. 2009)
 * on its activation in the middle of the picture, kept smooth by shifts, decay and blur (Yosinski et al. 2015; Mordvintsev et al. 2015). Both borrowed.
 * The same seed, model, images and kernels give the same pictures. Errors: DPR_E_MISMATCH (images of another shape), DPR_E_SHAPE (two or four channels), DPR_E_INTERRUPTED. */
dpr_status dpr_features_create(dpr_model *model, const dpr_data *data,
                               const dpr_features_options *options, dpr_features **out);
void dpr_features_destroy(dpr_features *features);
/* In the order of the network; valid as long as the features are. */
size_t dpr_features_layers(const dpr_features *features, const dpr_feature_layer **out);
/* Adds what the model makes of one image u8 (height, width, channels), instead of the one before: probabilities, what layers compute, gradient saliency (Simonyan et al.
 * 2014), occlusion (Zeiler & Fergus 2014, section 4.2) and, where layers are pictures, Grad-CAM of the last (Selvaraju et al. 2017), of the class that it is taken for. */
dpr_status dpr_features_explain(dpr_features *features, const uint8_t *image, const char *name);
/* Writes all of it, atomically: as a page, or, where path ends with .png, as one picture: first weights, then each layer's units side by side, each with its made
 * input above the images that excite it most. name: what the page calls the model. Errors: DPR_E_IO, DPR_E_UNSUPPORTED (built without PNG), DPR_E_ARGUMENT (another ending). */
dpr_status dpr_features_write(const dpr_features *features, const char *name, const char *path);

/* ---- learning-rate range test ------------------------------------------------------------- */

/* Writes a range test as a page: the loss over the rate, and the rate to train with. Atomic. Errors: DPR_E_IO. */
dpr_status dpr_rate_test_write(dpr_context *context, const dpr_rate_test *test, const char *name,
                               const char *path);

/* ---- the report --------------------------------------------------------------------------- */

/* One HTML page of what is known of a model: curves of its training, results on a test set, its mistakes, what its layers learned, its network, and how to make it again. It holds
 * all that it shows, opens offline, and is below 2 MB. */
typedef struct dpr_report dpr_report;

/* Evaluates the model on `test` (borrowed, as the model is, until dpr_report_destroy); NULL, or an empty one: there will be no results.
 * Errors: those of dpr_evaluate. */
dpr_status dpr_report_create(dpr_model *model, const dpr_data *test, dpr_report **out);
void dpr_report_destroy(dpr_report *report);
/* What was found on the test set, the report's; NULL without one. */
const dpr_evaluation *dpr_report_evaluation(const dpr_report *report);
/* Writes the page, atomically. run: the record of the training run (dpr_trainer_run); NULL: the model's own. name: what the page calls the model.
 * Graphs are drawn where Graphviz is installed. Errors: DPR_E_IO, DPR_E_FORMAT (a record that is no JSON), DPR_E_UNSUPPORTED (built without PNG). */
dpr_status dpr_report_write(const dpr_report *report, const char *run, const char *name,
                            const char *path);

/* The page of a run that is not yet done: its curves, in a few milliseconds. run: dpr_trainer_run's. */
dpr_status dpr_report_write_progress(const dpr_model *model, const char *run, const char *name,
                                     const char *path);

/* ---- the server --------------------------------------------------------------------------- */

/* A model that answers over HTTP: a page on which one draws, and JSON (docs/commands.md, "Serving"). */
typedef struct dpr_server dpr_server;

typedef struct dpr_server_options {
    size_t size;
    const char *host;     /* "127.0.0.1": an address or name of this machine */
    unsigned port;        /* 8080; 0: any that is free */
    const char *name;     /* what the page calls the model: "model" */
    unsigned top;         /* classes that an answer names where the request does not say: 5 */
    unsigned connections; /* at a time: 512; requests on others are answered 503 */
    size_t body;          /* bytes of one request: 8 MiB */
    uint64_t
        pixels; /* of a request's images together, before they are brought to the model's size: 25,000,000 */
    double seconds; /* that a connection may take for a request, or for none: 30 */
} dpr_server_options;

dpr_server_options dpr_server_options_default(void);

/* Compiles the model's programs, listens, and answers from then on, on threads of its own. The model is borrowed, and it and its context are the server's
 * until dpr_server_destroy; memory is asked for by several threads at once. NULL options are the defaults.
 * Errors: DPR_E_UNSUPPORTED (built without libmicrohttpd), DPR_E_SHAPE (a model of two or four channels), DPR_E_IO (host and port, and what to do), DPR_E_ARGUMENT. */
dpr_status dpr_server_create(dpr_model *model, const dpr_server_options *options, dpr_server **out);
unsigned dpr_server_port(const dpr_server *server);
/* Returns once *stop is non-zero. Meanwhile it closes connections that take too long. */
void dpr_server_run(dpr_server *server, const volatile int *stop);
/* Takes no more connections, and answers what has been asked, before it frees. */
void dpr_server_destroy(dpr_server *server);

/* ---- watching a training ------------------------------------------------------------------ */

/* A page of a training that lasts, over HTTP, with buttons that pause and stop it (docs/commands.md, "Watching"). It reads, never writes: a run that is watched has the
 * weights of one that is not. The trainer's thread never waits for readers, and threads of this one's own send what they see. */
typedef struct dpr_live dpr_live;

typedef struct dpr_live_options {
    size_t size;
    const char *host; /* "127.0.0.1": an address or name of this machine */
    unsigned port;    /* 8080; 0: any that is free */
    const char *name; /* what the page calls the model: "model" */
} dpr_live_options;

dpr_live_options dpr_live_options_default(void);

/* Listens, and answers from then on. The context is borrowed, and memory is asked for by several threads at once. NULL options are the defaults.
 * Errors: DPR_E_UNSUPPORTED (built without libmicrohttpd), DPR_E_IO (host and port, and what to do), DPR_E_ARGUMENT. */
dpr_status dpr_live_create(dpr_context *context, const dpr_live_options *options, dpr_live **out);
unsigned dpr_live_port(const dpr_live *live);
/* What requests to pause, go on and stop must carry: 32 hex digits, others at each start. */
const char *dpr_live_token(const dpr_live *live);

/* All below are for the trainer's thread. Shows the run of this trainer from now on; all borrowed until dpr_live_destroy. validation: NULL, or the set whose images the page
 * shows mistakes of. */
void dpr_live_watch(dpr_live *live, const dpr_trainer *trainer, dpr_model *model,
                    const dpr_data *validation);
/* To be called with each progress of the trainer. left: seconds until the end of the run; NaN: not known. Where a reader wants a pause, it lasts until one wants the run
 * to go on or to stop, or until *stop (may be NULL). Returns how many seconds that took. */
double dpr_live_progress(dpr_live *live, const dpr_progress *now, double left,
                         const volatile int *stop);
/* Whether a reader wants the run to stop. */
bool dpr_live_stops(const dpr_live *live);
/* To be called between epochs: takes a look at what the first layer learned and at some images of the validation set; where that has taken
 * a 200th of the run, or less than a second has passed, it does not. */
void dpr_live_look(dpr_live *live);
/* Readers learn how the run ended: a word, such as "done", of at most 15 bytes, and a sentence. */
void dpr_live_end(dpr_live *live, const char *outcome, const char *message);
/* Slow readers have a second to hear of the end. */
void dpr_live_destroy(dpr_live *live);

/* ---- sweeps ------------------------------------------------------------------------------- */

enum { DPR_SWEEP_DEEPEST = 64 };

/* Hidden widths of fully connected networks of equal size over these images, in widths[i][0 … depths[i] − 1]: `depths` (n) numbers of hidden
 * layers, 1 to DPR_SWEEP_DEEPEST. Of the shallowest all layers are equally wide, and of such networks it is the one whose parameters, biases
 * included, are nearest to `parameters`; it is the reference. The others are within 1 % of its count, and their layers differ by a few units.
 * Errors: DPR_E_ARGUMENT (a depth out of range or twice; fewer parameters than such networks have, or too few for 1 %). */
dpr_status dpr_sweep_widths(dpr_context *context, const dpr_data_info *info, uint64_t parameters,
                            const unsigned *depths, size_t n,
                            unsigned (*widths)[DPR_SWEEP_DEEPEST]);

/* One row of a sweep: a network and its options, to be trained with several seeds. */
typedef struct dpr_sweep_case {
    const char *name, *settings; /* what tables call it: "depth 3"; "dropout=0.5", or "" */
    const char *net, *init;      /* as for dpr_model_from_net */
    /* seed, validation, stop and progress are the sweep's. learning_rate 0: it is tuned. */
    dpr_train_options training;
    /* The case that it is compared with and whose budget it shares; itself: none. */
    size_t against;
} dpr_sweep_case;

/* One training run. */
typedef struct dpr_sweep_run {
    size_t case_index;
    uint64_t seed;
    bool done;
    bool
        diverged; /* the loss was no longer finite: the accuracies are of the weights before that */
    unsigned epochs; /* that were trained: early stops make them fewer than the row's */
    uint64_t flops;  /* of these */
    double val_accuracy, val_loss, test_accuracy; /* NaN: there is no such half */
    double seconds;                               /* of training */
    char weights_sha256[65];
    const char *json; /* one object; empty until the run is done */
} dpr_sweep_run;

/* What the runs of a case came to. Intervals are of 95 %, by Student's t over the seeds; NaN where there is but one, or all
 * are the same. */
typedef struct dpr_sweep_row {
    const char *name, *settings;
    unsigned depth;         /* layers with weights, but for the last */
    const unsigned *widths; /* (depth) */
    uint64_t parameters;
    /* Of training with one seed, the mean of the runs that are done, or as planned before any is: images × epochs × 3 × forward pass, but 2 ×
     * what takes the image. */
    uint64_t flops;
    unsigned epochs;       /* as planned */
    double epochs_trained; /* the mean of the runs */
    double learning_rate;  /* 0: it is not tuned yet */
    bool tuned, at_edge;   /* at_edge: no greater rate was tried, or no smaller one */
    size_t n, n_diverged;  /* runs that are done */
    double mean, low,
        high;   /* of the test accuracy; without a test half of the validation accuracy */
    bool front; /* no other row is as good with fewer parameters */
    size_t against, n_pairs; /* the row that it is compared with (itself: none); seeds of both */
    double difference, difference_low, difference_high;
    double p,
        p_corrected; /* of a paired t test, or a sign test where all differences are the same; corrected for all comparisons of the sweep (Holm 1979) */
} dpr_sweep_row;

typedef struct dpr_sweep_progress {
    size_t done, runs;   /* runs, without those that tune */
    double share;        /* of all work, tuning included, that is done */
    double seconds_left; /* negative: not known yet */
} dpr_sweep_progress;

typedef struct dpr_sweep_options {
    size_t size;
    const dpr_sweep_case *cases; /* all borrowed until dpr_sweep_destroy, as all texts are */
    size_t n_cases;
    uint64_t seed;  /* of the first of `seeds` runs of each case, the others count on: 1 */
    unsigned seeds; /* 5 */
    /* What a case's epochs are chosen for, to whole ones, one at least: to cost what the epochs of the case that it is compared with cost, in
     * "flops" or "seconds" (measured once), whose epochs must be the same; "epochs": they are its own. The verdict says where flops
     * differ by more than 10 %. */
    const char *budget; /* "flops" */
    unsigned
        tune_epochs; /* of each of the rates that are tried, before the budget's choice; 0: a fifth of the case's */
    /* Runs side by side, each on one thread; 1: one after the other, on all of them; 0: side by side where a step is small. The results are
     * the same bits. */
    unsigned jobs;
    const char *directory;           /* is made where it is missing */
    const char *data_name, *command; /* for the page; may be NULL */
    const volatile int *stop; /* non-zero ends the sweep with DPR_E_INTERRUPTED; may be NULL */
    /* Both may be NULL. Called by any thread, one at a time: some times a second; and when a run is done and all before it are. */
    void (*progress)(void *user, const dpr_sweep_progress *progress);
    void (*finished)(void *user, const dpr_sweep_run *run, const dpr_sweep_row *row);
    void *user;
} dpr_sweep_options;

typedef struct dpr_sweep dpr_sweep;

dpr_sweep_options dpr_sweep_options_default(void);

/* Plans a sweep, and takes up what an earlier one left in the directory, in runs.jsonl: runs of the same network, options, seed, data,
 * kernels, passes and version of the library are not made again. One process at a time may use a directory. The sets are borrowed; validation, which is needed to tune, and
 * test may be NULL. Errors: DPR_E_ARGUMENT (names the case), DPR_E_FORMAT (runs.jsonl, with the line), DPR_E_IO; those of models. */
dpr_status dpr_sweep_create(dpr_context *context, const dpr_data *train, const dpr_data *validation,
                            const dpr_data *test, const dpr_sweep_options *options,
                            dpr_sweep **out);
void dpr_sweep_destroy(dpr_sweep *sweep);
/* Tunes and trains what is missing, keeps each run when it is done, and writes runs.csv, sweep.json and sweep.html, after an interruption, too.
 * Errors: DPR_E_INTERRUPTED; DPR_E_IO; those of training but DPR_E_NON_FINITE. */
dpr_status dpr_sweep_train(dpr_sweep *sweep);
/* Seed by seed, and in the order of cases. */
size_t dpr_sweep_runs(const dpr_sweep *sweep, const dpr_sweep_run **runs);
size_t dpr_sweep_rows(const dpr_sweep *sweep, const dpr_sweep_row **rows);
/* In one sentence, of the runs that are done; and with all rows as a JSON object. "" before dpr_sweep_train. */
const char *dpr_sweep_verdict(const dpr_sweep *sweep);
const char *dpr_sweep_json(const dpr_sweep *sweep);

#ifdef __cplusplus
}
#endif
#endif
