/* Suspect labels. The set, both halves, is cut into folds; for each a small network is trained on the others and asked about it, so that every
 * image is judged by a model that has not seen it (equal images are in one fold).
 *
 * An image is a suspect where its most probable class j is not its label i, and p_j ≥ t_j, the mean probability of j among the images that are
 * labelled j: the network is then as sure of j as it is of j's own images (Northcutt, Jiang & Chuang 2021, "Confident learning",
 * section 3.1). Of a network that is wrong at times that still names many good labels, so p_j ≥ 0.9 and p_i ≤ 0.02 are asked for, too. The
 * worst, by p_j − p_i, come first (their "normalised margin"). Labels of classes below ten images are not judged: nobody has learned these. */
#include "base/context.h"
#include "base/cpu.h"
#include "base/parallel.h"
#include "data/check.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LEAST_OF_CLASS = 10, /* images; fewer teach a network nothing */
    MOST_CLASSES = 1000,
    MOST_SIDE = 32, /* of what the networks see */
    SHOWN = 120000, /* images in a training: many epochs of a small set, few of a large one */
    MOST_EPOCHS = 30,
    LEAST_EPOCHS = 3,
    BATCH = 64,
    LEAST_POOLED = 12, /* pixels of a side: less has nothing to pool twice */
};

static const double IMPROBABLE = 0.02, SURE = 0.9;

static const char CONVOLUTIONS[] =
    "input data, conv 5x5 6 pad 2, relu, maxpool 2, conv 5x5 16 pad 2, relu, maxpool 2, "
    "linear 120, relu, linear classes";
static const char LAYERS[] = "input data, linear 128, relu, linear classes";

struct opinion {
    uint32_t guess;
    float guess_probability, label_probability;
};

struct crossing {
    dpr__checking *c;
    dpr_shape image;
    size_t bytes;    /* of an image */
    uint32_t *order; /* (n) places in looks.looks, fold after fold */
    int32_t *labels; /* (2 n) in that order, twice: any run of folds lies together, round the end */
    size_t n, begin[DPR__MOST_FOLDS + 1]; /* of each fold in order */
    uint8_t *pool; /* (n × image) in that order; NULL: too large, and images are read again */
    size_t memory; /* for images of a set; 0: any */
    size_t first;  /* place in order of the first image of the set that is made now */
    struct opinion *opinions; /* (n) in that order */
    uint64_t steps_before, steps;
    uint32_t *count; /* (classes) images of each */
};

static const dpr__look *look_at(const struct crossing *x, size_t place) {
    return &x->c->looks.looks[x->order[place]];
}

/* ---- folds ---- */

/* Equal images go together, also those of two classes. The images of each class go round the folds, in the order of their hashes; of
 * equals the first one's class counts. */
static void give_folds(const struct crossing *x, const uint32_t *sorted, uint32_t *turn,
                       uint32_t *fold) {
    const dpr__look *looks = x->c->looks.looks;
    for (size_t i = 0; i < x->n; i++) {
        const dpr__look *look = &looks[sorted[i]];
        bool again = i > 0 && look->hash == looks[sorted[i - 1]].hash;
        fold[i] = again ? fold[i - 1]
                        : ((uint32_t)look->label + turn[look->label]++) % x->c->options.folds;
    }
}

static dpr_status make_folds(struct crossing *x, const uint32_t *sorted) {
    dpr_context *context = x->c->context;
    unsigned folds = x->c->options.folds;
    uint32_t n_classes = x->c->view.n_classes, *fold;
    size_t at = 0;
    DPR_TRY(dpr__allocate(context, x->n + n_classes, sizeof *fold, &fold));
    give_folds(x, sorted, fold + x->n, fold);
    for (unsigned now = 0; now < folds; now++) {
        x->begin[now] = at;
        for (size_t i = 0; i < x->n; i++)
            if (fold[i] == now)
                x->order[at++] = sorted[i];
    }
    x->begin[folds] = at;
    for (size_t i = 0; i < x->n; i++)
        x->labels[i] = x->labels[x->n + i] = look_at(x, i)->label;
    dpr__free(context, fold);
    return DPR_OK;
}

/* ---- images ---- */

static dpr_status bring(dpr_context *own, const struct crossing *x, size_t place, uint8_t *pixels) {
    const dpr__item *item = &x->c->looks.listing.items[look_at(x, place)->item];
    const int64_t *dim = x->image.dim;
    dpr__image image;
    DPR_TRY(dpr__item_open(own, item, &image));
    dpr_status status = dpr__image_bring(own, &image, (uint32_t)dim[0], (uint32_t)dim[1],
                                         (uint32_t)dim[2], DPR_FIT, pixels);
    dpr__item_release(own, item, &image);
    return status;
}

static dpr_status fill_pool(dpr_context *own, void *user, size_t i) {
    struct crossing *x = user;
    return bring(own, x, i, x->pool + i * x->bytes);
}

/* Image i of the set that begins at x->first. */
static dpr_status load(dpr_context *own, void *user, size_t i, uint8_t *pixels) {
    const struct crossing *x = user;
    size_t place = (x->first + i) % x->n;
    if (x->pool == NULL)
        return bring(own, x, place, pixels);
    memcpy(pixels, x->pool + place * x->bytes, x->bytes);
    return DPR_OK;
}

/* The set is loaded while it is made, and later only where it is larger than the memory; then x->first is still its own, since one set
 * is used at a time. */
static dpr_status make_set(struct crossing *x, size_t first, size_t n, dpr_data **out) {
    dpr_data_info info = dpr_data_info_default();
    info.image = x->image;
    info.n_classes = x->c->view.n_classes;
    x->first = first;
    return dpr_data_create_loaded(x->c->context, &info, load, x->labels + first, n, x->memory, NULL,
                                  x, out);
}

/* Sides up to MOST_SIDE stay; proportions do not matter to who compares. */
static void choose_image(struct crossing *x) {
    const dpr__looks *looks = &x->c->looks;
    const dpr__look *middle = &looks->looks[looks->n / 2];
    uint32_t height = middle->height, width = middle->width, channels = 1;
    for (size_t i = 0; i < looks->n; i++) {
        bool same = looks->looks[i].height == height && looks->looks[i].width == width;
        channels = looks->looks[i].channels > channels ? 3 : channels;
        if (!same)
            height = width = MOST_SIDE;
    }
    height = height < MOST_SIDE ? height : MOST_SIDE;
    width = width < MOST_SIDE ? width : MOST_SIDE;
    x->image = dpr_shape_of(height, width, channels);
    x->bytes = (size_t)height * width * channels;
}

static dpr_status read_images(struct crossing *x) {
    size_t room = dpr__free_memory() / 4;
    if (x->n * x->bytes > room) {
        x->memory = room;
        return DPR_OK;
    }
    DPR_TRY(dpr__allocate_untouched(x->c->context, x->n, x->bytes, &x->pool));
    return dpr__parallel(x->c->context, x->n, fill_pool, x);
}

/* ---- training ---- */

static int tell_progress(void *user, const dpr_progress *now) {
    const struct crossing *x = user;
    uint64_t done = x->steps_before + (now->epoch - 1) * now->steps + now->step;
    return dpr__check_progress(x->c, "training on the other folds", done,
                               x->steps > done ? x->steps : done) != DPR_OK;
}

static unsigned epochs_for(size_t n) {
    size_t epochs = SHOWN / (n > 0 ? n : 1);
    return (unsigned)(epochs < LEAST_EPOCHS  ? LEAST_EPOCHS
                      : epochs > MOST_EPOCHS ? MOST_EPOCHS
                                             : epochs);
}

static dpr_status train(struct crossing *x, const dpr_data *data, dpr_model *model) {
    dpr_train_options options = dpr_train_options_default();
    dpr_trainer *trainer;
    options.epochs = epochs_for(dpr_data_count(data));
    options.batch = BATCH;
    options.optimizer = "adamw"; /* its default rate suits sets of all kinds */
    options.seed = x->c->options.seed;
    options.progress = tell_progress;
    options.progress_user = x;
    DPR_TRY(dpr_trainer_create(model, data, &options, &trainer));
    dpr_status status = DPR_OK;
    while (status == DPR_OK && !dpr_trainer_finished(trainer))
        status = dpr_trainer_epoch(trainer, NULL);
    x->steps_before += dpr_trainer_steps_done(trainer);
    dpr_trainer_destroy(trainer);
    return status;
}

/* The model of the images first … first + n − 1, round the end. */
static dpr_status make_model(struct crossing *x, size_t first, size_t n, dpr_model **out) {
    dpr_data *data;
    dpr_model *model = NULL;
    bool pools = x->image.dim[0] >= LEAST_POOLED && x->image.dim[1] >= LEAST_POOLED;
    DPR_TRY(make_set(x, first % x->n, n, &data));
    dpr_status status =
        dpr_model_from_net(x->c->context, "check", pools ? CONVOLUTIONS : LAYERS,
                           dpr_data_describe(data), x->c->options.seed, "auto", &model);
    if (status == DPR_OK)
        status = train(x, data, model);
    dpr_data_destroy(data);
    if (status == DPR_OK)
        *out = model;
    else
        dpr_model_destroy(model);
    return status;
}

static void note_opinion(void *user, size_t i, uint32_t predicted, const float *probabilities) {
    struct crossing *x = user;
    x->opinions[x->first + i] = (struct opinion){predicted, probabilities[predicted],
                                                 probabilities[x->labels[x->first + i]]};
}

static dpr_status ask(struct crossing *x, dpr_model *model, size_t first, size_t n) {
    dpr_data *data;
    dpr_evaluation evaluation = {.size = sizeof evaluation};
    DPR_TRY(make_set(x, first, n, &data));
    dpr_status status = dpr_evaluate_each(model, data, note_opinion, x, &evaluation);
    dpr_data_destroy(data);
    return status;
}

static dpr_status judge(struct crossing *x) {
    unsigned folds = x->c->options.folds;
    size_t most = x->n - x->n / folds;
    x->steps = (uint64_t)folds * epochs_for(most) * ((most + BATCH - 1) / BATCH);
    for (unsigned fold = 0; fold < folds; fold++) {
        size_t first = x->begin[fold], end = x->begin[fold + 1];
        dpr_model *model;
        if (first == end || end - first == x->n) /* of equals: nothing to ask, or to train on */
            continue;
        DPR_TRY(make_model(x, end, x->n - (end - first), &model));
        dpr_status status = ask(x, model, first, end - first);
        dpr_model_destroy(model);
        DPR_TRY(status);
    }
    return DPR_OK;
}

/* ---- suspects ---- */

/* t_j for each class: the mean probability of j among the images that are labelled j. */
static dpr_status make_thresholds(const struct crossing *x, double **out) {
    uint32_t k = x->c->view.n_classes;
    double *sum;
    DPR_TRY(dpr__allocate(x->c->context, k, sizeof *sum, &sum));
    for (size_t i = 0; i < x->n; i++)
        sum[x->labels[i]] += (double)x->opinions[i].label_probability;
    for (uint32_t j = 0; j < k; j++)
        sum[j] = x->count[j] > 0 ? sum[j] / x->count[j] : 1;
    *out = sum;
    return DPR_OK;
}

static int by_margin(const void *a, const void *b) {
    const dpr_suspect *x = a, *y = b;
    double p = x->guess_probability - x->label_probability;
    double q = y->guess_probability - y->label_probability;
    if (p != q)
        return p > q ? -1 : 1;
    return x->image.item < y->image.item ? -1 : x->image.item > y->image.item;
}

static dpr_status find_suspects(const struct crossing *x, const double *threshold,
                                dpr__suspects *found) {
    for (size_t i = 0; i < x->n; i++) {
        const struct opinion *o = &x->opinions[i];
        if (o->guess == (uint32_t)x->labels[i] || x->count[x->labels[i]] < LEAST_OF_CLASS ||
            (double)o->guess_probability < fmax(threshold[o->guess], SURE) ||
            (double)o->label_probability > IMPROBABLE)
            continue;
        dpr_suspect suspect = dpr__check_suspect(x->c, look_at(x, i), NULL);
        suspect.guess = o->guess;
        suspect.guess_probability = (double)o->guess_probability;
        suspect.label_probability = (double)o->label_probability;
        DPR_TRY(dpr__suspects_add(x->c, found, &suspect));
    }
    if (found->n > 0)
        qsort(found->list, found->n, sizeof *found->list, by_margin);
    return DPR_OK;
}

static dpr_status tell(struct crossing *x) {
    dpr__suspects found = {0};
    double *threshold;
    DPR_TRY(make_thresholds(x, &threshold));
    dpr_status status = find_suspects(x, threshold, &found);
    if (status == DPR_OK)
        status = dpr__check_found(x->c, DPR_FINDING_LABEL, &found);
    dpr__free(x->c->context, found.list);
    dpr__free(x->c->context, threshold);
    return status;
}

/* ---- all of it ---- */

static dpr_status cross(struct crossing *x, const uint32_t *sorted) {
    dpr_context *context = x->c->context;
    x->n = x->c->looks.n;
    choose_image(x);
    DPR_TRY(dpr__allocate(context, x->n, sizeof *x->order, &x->order));
    DPR_TRY(dpr__allocate(context, 2 * x->n, sizeof *x->labels, &x->labels));
    DPR_TRY(dpr__allocate(context, x->n, sizeof *x->opinions, &x->opinions));
    DPR_TRY(make_folds(x, sorted));
    DPR_TRY(read_images(x));
    DPR_TRY(judge(x));
    return tell(x);
}

/* NULL, or why labels cannot be judged. */
static const char *reason_not_to(const struct crossing *x) {
    const dpr__checking *c = x->c;
    uint32_t large = 0;
    if (c->options.folds == 0)
        return "labels were not looked at";
    if (c->view.n_classes < 2)
        return "labels were not looked at: there is one class only";
    if (c->view.n_classes > MOST_CLASSES)
        return "labels were not looked at: there are more than 1,000 classes";
    for (uint32_t j = 0; j < c->view.n_classes; j++)
        large += x->count[j] >= LEAST_OF_CLASS;
    if (large < 2)
        return "labels were not looked at: fewer than two classes have ten images";
    return NULL;
}

static dpr_status count_images(struct crossing *x) {
    const dpr__looks *looks = &x->c->looks;
    DPR_TRY(dpr__allocate(x->c->context, x->c->view.n_classes, sizeof *x->count, &x->count));
    for (size_t i = 0; i < looks->n; i++)
        x->count[looks->looks[i].label]++;
    return DPR_OK;
}

static dpr_status check_labels(struct crossing *x, const uint32_t *sorted) {
    dpr_check *view = &x->c->view;
    DPR_TRY(count_images(x));
    view->not_checked = reason_not_to(x);
    if (view->not_checked != NULL)
        return DPR_OK;
    dpr_status status = cross(x, sorted);
    if (status == DPR_E_NON_FINITE) {
        view->not_checked = "labels were not looked at: the networks' losses were not finite";
        return DPR_OK;
    }
    for (uint32_t j = 0; j < view->n_classes; j++)
        view->n_small += x->count[j] > 0 && x->count[j] < LEAST_OF_CLASS;
    return status;
}

dpr_status dpr__check_labels(dpr__checking *c, const uint32_t *sorted) {
    struct crossing x = {.c = c};
    dpr_status status = check_labels(&x, sorted);
    dpr__free(c->context, x.count);
    dpr__free(c->context, x.order);
    dpr__free(c->context, x.labels);
    dpr__free(c->context, x.opinions);
    dpr__free(c->context, x.pool);
    return status;
}
