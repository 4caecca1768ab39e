/* What the trainer's thread does for those who watch (live.h): it tells how far it is, looks at what was learned, and waits where one wants it to. */
#include "base/clock.h"
#include "base/context.h"
#include "train/data.h"
#include "view/features.h"
#include "view/live.h"
#include "view/outcome.h"
#include "view/page.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    SHOWN = 12,             /* mistakes */
    LOOKED = DPR__MOST_ROWS /* images at a time: as many as a validation computes together */
};

bool dpr__turns_due(const dpr__turns *turns, uint64_t now) {
    const uint64_t second = 1000000000;
    return turns->last == 0 ||
           (now - turns->last >= second && turns->spent <= (now - turns->began) / 200);
}

void dpr__turns_end(dpr__turns *turns, uint64_t begun) {
    turns->last = dpr__now_ns();
    turns->spent += turns->last - begun;
}

/* ---- telling ---- */

/* Whoever reads holds the lock for the time of a copy. `waits`: until it is free. */
static void publish(dpr_live *live, bool waits) {
    dpr__live_news *mine = &live->mine, *told = &live->told;
    if ((waits ? pthread_mutex_lock(&live->lock) : pthread_mutex_trylock(&live->lock)) != 0)
        return;
    told->progress = mine->progress;
    told->left = mine->left;
    told->has_begun = mine->has_begun;
    for (int i = 0; i < DPR__N_LIVE_TEXTS; i++) {
        if (!live->fresh[i])
            continue;
        dpr__text before = told->text[i];
        told->text[i] = mine->text[i];
        mine->text[i] = before;
        told->version[i]++;
        live->fresh[i] = false;
    }
    pthread_mutex_unlock(&live->lock);
}

/* After a failure, too: there may be memory by now. */
static void empty(dpr__text *text) {
    text->length = 0;
    text->status = DPR_OK;
}

static void take_record(dpr_live *live) {
    dpr__text *text = &live->mine.text[DPR__LIVE_RECORD];
    uint64_t begun = dpr__now_ns();
    char *record;
    if (!dpr__turns_due(&live->record_turns, begun) ||
        dpr_trainer_run(live->trainer, &record) != DPR_OK)
        return;
    empty(text);
    dpr__text_bytes(text, record, strlen(record));
    dpr_text_destroy(live->context, record);
    live->fresh[DPR__LIVE_RECORD] = text->status == DPR_OK;
    dpr__turns_end(&live->record_turns, begun);
}

double dpr_live_progress(dpr_live *live, const dpr_progress *now, double left,
                         const volatile int *stop) {
    const struct timespec pause = {.tv_nsec = 20000000};
    live->mine.progress = *now;
    live->mine.left = left;
    live->mine.has_begun = true;
    take_record(live);
    if (atomic_load(&live->wish) != DPR__WISH_PAUSE) {
        publish(live, false);
        return 0;
    }
    uint64_t begun = dpr__now_ns();
    publish(live, true);
    atomic_store(&live->state, DPR__LIVE_WAITS);
    while (atomic_load(&live->wish) == DPR__WISH_PAUSE && (stop == NULL || *stop == 0))
        nanosleep(&pause, NULL); /* a signal ends it at once */
    atomic_store(&live->state, DPR__LIVE_TRAINS);
    return 1e-9 * (double)(dpr__now_ns() - begun);
}

bool dpr_live_stops(const dpr_live *live) {
    return atomic_load(&live->wish) == DPR__WISH_STOP;
}

/* ---- looking ---- */

struct mistake {
    size_t row; /* of those that were looked at */
    dpr__verdict verdict;
};

/* Puts a mistake in its place among the surest. */
static void insert(struct mistake *all, size_t n, struct mistake one) {
    size_t i = n < SHOWN ? n : SHOWN - 1;
    if (n >= SHOWN && !(all[i].verdict.probability < one.verdict.probability))
        return;
    for (; i > 0 && all[i - 1].verdict.probability < one.verdict.probability; i--)
        all[i] = all[i - 1];
    all[i] = one;
}

/* The mistakes among rows of probabilities, the surest first; how many there are. */
static size_t find_mistakes(const float *p, size_t k, const int32_t *labels, size_t rows,
                            struct mistake *surest) {
    size_t n = 0;
    for (size_t i = 0; i < rows; i++, p += k) {
        uint32_t best = 0;
        for (uint32_t c = 1; c < k; c++)
            best = p[c] > p[best] ? c : best;
        if (best != (uint32_t)labels[i])
            insert(surest, n++, (struct mistake){i, {.predicted = best, .probability = p[best]}});
    }
    return n;
}

static void add_gallery(dpr_live *live, const uint8_t *pixels, size_t first, size_t rows, size_t n,
                        const struct mistake *surest, dpr__text *page) {
    const dpr_data_info *info = dpr_model_describe(live->model);
    const int32_t *labels = live->validation->labels + first;
    dpr__text_add(page,
                  "<p>Of the validation images %zu to %zu, looked at after step %llu, %zu %s taken "
                  "for another class",
                  first, first + rows - 1,
                  (unsigned long long)dpr_trainer_steps_done(live->trainer), n,
                  n == 1 ? "was" : "were");
    dpr__text_add(page, n > SHOWN ? "; these are the %d surest.</p>\n" : ".</p>\n", SHOWN);
    dpr__text_add(page, "<div class=\"gallery\">\n");
    for (size_t i = 0; i < n && i < SHOWN; i++)
        dpr__verdict_figure(page, info, pixels + surest[i].row * dpr__image_bytes(info),
                            "validation", first + surest[i].row, (uint32_t)labels[surest[i].row],
                            &surest[i].verdict);
    dpr__text_add(page, "</div>\n");
}

/* The next images of the validation set in turn, by the program and the batch of the validation. */
static dpr_status add_mistakes(dpr_live *live, dpr__text *page) {
    const dpr_data *data = live->validation;
    size_t k = live->model->info.n_classes, first = live->next_image,
           rows = data->n - first < LOOKED ? data->n - first : LOOKED;
    struct mistake surest[SHOWN];
    const uint8_t *pixels;
    float *p;
    DPR_TRY(dpr__data_rows(data, first, rows, &pixels));
    DPR_TRY(dpr__allocate(live->context, rows * k, sizeof *p, &p));
    dpr_status status = dpr_predict(live->model, pixels, rows, p);
    if (status == DPR_OK) {
        size_t n = find_mistakes(p, k, data->labels + first, rows, surest);
        add_gallery(live, pixels, first, rows, n, surest, page);
        live->next_image = first + rows < data->n ? first + rows : 0;
    }
    dpr__free(live->context, p);
    return status;
}

static dpr_status look(dpr_live *live, dpr__text *page) {
    dpr__text_add(page, "<section id=\"features\"><h2>Features</h2>\n");
    DPR_TRY(dpr__features_first(page, live->model));
    dpr__text_add(page, "</section>\n<section id=\"mistakes\"><h2>Mistakes</h2>\n");
    if (live->validation != NULL)
        DPR_TRY(add_mistakes(live, page));
    else
        dpr__text_add(page, "<p>There is no validation part: <code>--val 0.1</code> would hold "
                            "one back.</p>\n");
    dpr__text_add(page, "</section>\n");
    return page->status;
}

void dpr_live_look(dpr_live *live) {
    dpr__text *page = &live->mine.text[DPR__LIVE_PICTURES];
    uint64_t begun = dpr__now_ns();
    take_record(live);
    if (dpr__turns_due(&live->picture_turns, begun)) {
        empty(page);
        live->fresh[DPR__LIVE_PICTURES] = look(live, page) == DPR_OK;
        dpr__turns_end(&live->picture_turns, begun);
    }
    publish(live, false);
}

void dpr_live_watch(dpr_live *live, const dpr_trainer *trainer, dpr_model *model,
                    const dpr_data *validation) {
    live->trainer = trainer;
    live->model = model;
    live->validation = validation;
    live->record_turns.began = live->picture_turns.began = dpr__now_ns();
    atomic_store(&live->state, DPR__LIVE_TRAINS);
    dpr_live_look(live);
}

void dpr_live_end(dpr_live *live, const char *outcome, const char *message) {
    if (live->trainer != NULL) {
        live->record_turns.last = 0; /* one more turn: the whole curve */
        take_record(live);
    }
    live->mine.left = (double)NAN;
    publish(live, true);
    pthread_mutex_lock(&live->lock);
    snprintf(live->outcome, sizeof live->outcome, "%s", outcome);
    snprintf(live->message, sizeof live->message, "%s", message);
    pthread_mutex_unlock(&live->lock);
    atomic_store(&live->state, DPR__LIVE_ENDED);
}
