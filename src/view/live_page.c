/* What readers of a training see (live.h), made of what the trainer's thread has told. */
#include "base/clock.h"
#include "base/context.h"
#include "train/json.h"
#include "view/live.h"
#include "view/page.h"
#include "view/report.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* The names of events, and of the page's elements. */
static const char *const NAMES[DPR__N_LIVE_PARTS] = {
    [DPR__LIVE_NOW] = "now",
    [DPR__LIVE_FACTS] = "facts",
    [DPR__LIVE_CURVES] = "curves",
    [DPR__LIVE_SEEN] = "seen",
};

/* ---- how far it is ---- */

static const char *state_word(const dpr_live *live) {
    dpr__live_state state = atomic_load(&live->state);
    dpr__live_wish wish = atomic_load(&live->wish);
    if (state == DPR__LIVE_ENDED)
        return live->outcome; /* which does not change any more */
    if (wish != DPR__WISH_GO)
        return wish == DPR__WISH_STOP     ? "stopping"
               : state == DPR__LIVE_WAITS ? "paused"
                                          : "pausing";
    return state == DPR__LIVE_PREPARES ? "preparing" : "training";
}

static void add_number(dpr__text *out, const char *key, double value) {
    dpr__text_add(out, isfinite(value) ? ",\"%s\":%.15g" : ",\"%s\":null", key, value);
}

static void write_now(const dpr_live *live, const dpr__live_news *news, const char *state,
                      dpr__text *out) {
    const dpr_progress *p = &news->progress;
    dpr__text_add(out, "{\"state\":\"%s\",\"message\":", state);
    dpr__text_json(out, atomic_load(&live->state) == DPR__LIVE_ENDED ? live->message : "");
    dpr__text_add(out, ",\"epoch\":%u,\"epochs\":%u,\"step\":%llu,\"steps\":%llu", p->epoch,
                  p->epochs, (unsigned long long)p->step, (unsigned long long)p->steps);
    add_number(out, "loss", news->has_begun ? p->loss : (double)NAN);
    add_number(out, "train_accuracy", news->has_begun ? p->accuracy : (double)NAN);
    add_number(out, "images_per_second", p->images_per_second);
    add_number(out, "lr", news->has_begun ? p->learning_rate : (double)NAN);
    add_number(out, "seconds_left", news->left);
    dpr__text_add(out, ",\"readers\":%u}", atomic_load(&live->readers));
}

static void add_fact(dpr__text *out, const char *name) {
    dpr__text_add(out, "</dd></div>\n<div><dt>%s</dt><dd>", name);
}

static void add_duration(dpr__text *out, double seconds) {
    unsigned long s = seconds > 0 ? (unsigned long)(seconds + 0.5) : 0;
    if (!(seconds >= 0 && seconds < 1e9))
        dpr__text_add(out, "–");
    else if (s >= 3600)
        dpr__text_add(out, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
    else
        dpr__text_add(out, "%lu:%02lu", s / 60, s % 60);
}

static void write_facts(const dpr__live_news *news, dpr__text *out) {
    const dpr_progress *p = &news->progress;
    double share = p->steps > 0 ? (double)p->step / (double)p->steps : 0,
           done = p->epoch > 0 ? (double)p->epoch - 1 + share : 0;
    if (!news->has_begun)
        return;
    dpr__text_add(out,
                  "<progress aria-label=\"Share of the run that is done\" max=\"%u\" "
                  "value=\"%.4f\"></progress>\n<dl class=\"facts\"><div><dt>Epoch</dt><dd>%u of %u",
                  p->epochs, done, p->epoch, p->epochs);
    add_fact(out, "Step of the epoch");
    dpr__page_count(out, p->step);
    dpr__text_add(out, " of ");
    dpr__page_count(out, p->steps);
    add_fact(out, "Loss, this epoch");
    dpr__page_number(out, p->loss, 4);
    add_fact(out, "Accuracy, this epoch");
    dpr__page_share(out, p->accuracy);
    add_fact(out, "Images a second");
    dpr__page_number(out, p->images_per_second, 0);
    add_fact(out, "Learning rate");
    dpr__page_number(out, p->learning_rate, 6);
    add_fact(out, "Time left");
    add_duration(out, news->left);
    dpr__text_add(out, "</dd></div></dl>\n");
}

/* ---- the edition ---- */

/* Under the trainer's lock: no more than copies. */
static void copy_news(dpr_live *live) {
    dpr__live_edition *e = &live->edition;
    dpr__live_news *to = &e->news, *from = &live->told;
    dpr__text *const texts[DPR__N_LIVE_TEXTS] = {&to->text[DPR__LIVE_RECORD],
                                                 &e->part[DPR__LIVE_SEEN]};
    pthread_mutex_lock(&live->lock);
    to->progress = from->progress;
    to->left = from->left;
    to->has_begun = from->has_begun;
    for (int i = 0; i < DPR__N_LIVE_TEXTS; i++) {
        if (to->version[i] == from->version[i])
            continue;
        to->version[i] = from->version[i];
        texts[i]->length = 0;
        dpr__text_bytes(texts[i], from->text[i].data, from->text[i].length);
        e->stale |= i == DPR__LIVE_RECORD;
        e->version[DPR__LIVE_SEEN] += i == DPR__LIVE_PICTURES;
    }
    pthread_mutex_unlock(&live->lock);
}

/* Takes a part that was made anew, if it differs. */
static void take_part(dpr__live_edition *e, dpr__live_part which, dpr__text *made) {
    dpr__text *part = &e->part[which];
    bool same = part->length == made->length &&
                (made->length == 0 || memcmp(part->data, made->data, made->length) == 0);
    if (same || made->status != DPR_OK) {
        dpr__text_release(made);
        return;
    }
    dpr__text_release(part);
    *part = *made;
    e->version[which]++;
}

/* What the record tells: curves, epochs, health. Of the model, which is training, only the names of its layers are read. */
static dpr_status draw(const dpr__live_edition *e, const dpr_model *model, dpr__text *out) {
    const dpr__text *text = &e->news.text[DPR__LIVE_RECORD];
    const dpr__json *record;
    dpr__arena arena;
    dpr__arena_init(&arena, e->context);
    dpr_status status = dpr__json_parse(&arena, "run record", text->data, text->length, &record);
    if (status == DPR_OK)
        status = dpr__report_training(out, record);
    if (status == DPR_OK)
        status = dpr__report_health(out, model, record);
    dpr__arena_release(&arena);
    return status;
}

static void draw_curves(dpr__live_edition *e, const dpr_model *model) {
    uint64_t begun = dpr__now_ns();
    dpr__text made;
    dpr__text_init(&made, e->context);
    if (draw(e, model, &made) != DPR_OK)
        dpr__text_release(&made);
    else
        take_part(e, DPR__LIVE_CURVES, &made);
    e->stale = false;
    dpr__turns_end(&e->turns, begun);
}

void dpr__live_refresh(dpr_live *live, bool all) {
    dpr__live_edition *e = &live->edition;
    dpr__text now, facts;
    bool last = atomic_load(&live->state) == DPR__LIVE_ENDED; /* before the news are taken */
    copy_news(live);
    dpr__text_init(&now, e->context);
    dpr__text_init(&facts, e->context);
    write_now(live, &e->news, state_word(live), &now);
    write_facts(&e->news, &facts);
    take_part(e, DPR__LIVE_NOW, &now);
    take_part(e, DPR__LIVE_FACTS, &facts);
    if (e->stale && (all || last || dpr__turns_due(&e->turns, dpr__now_ns())))
        draw_curves(e, live->model);
    e->last = last;
}

/* ---- answers ---- */

void dpr__live_write_events(const dpr_live *live, uint64_t seen[DPR__N_LIVE_PARTS],
                            dpr__text *out) {
    const dpr__live_edition *e = &live->edition;
    for (int i = 0; i < DPR__N_LIVE_PARTS; i++) {
        if (seen[i] == e->version[i])
            continue;
        seen[i] = e->version[i];
        dpr__text_add(out, "event: %s\ndata: ", NAMES[i]);
        if (i == DPR__LIVE_NOW)
            dpr__text_bytes(out, e->part[i].data, e->part[i].length);
        else
            dpr__text_json(out, e->part[i].length > 0 ? e->part[i].data : "");
        dpr__text_add(out, "\n\n");
    }
}

static void add_part(const dpr_live *live, dpr__live_part which, dpr__text *out) {
    const dpr__text *part = &live->edition.part[which];
    dpr__text_add(out, "<div id=\"%s\">\n", NAMES[which]);
    dpr__text_bytes(out, part->length > 0 ? part->data : "", part->length);
    dpr__text_add(out, "</div>\n");
}

void dpr__live_write_page(const dpr_live *live, dpr__text *out) {
    const char *state = state_word(live);
    dpr__page_begin_styled(out, live->name, "live-style");
    dpr__text_add(out, "<header><h1>");
    dpr__page_text(out, live->name);
    dpr__text_add(out,
                  "</h1>\n<p class=\"lead\" role=\"status\"><strong id=\"state\">%s</strong> <span "
                  "id=\"message\">",
                  state);
    dpr__page_text(out, live->edition.last ? live->message : "");
    dpr__text_add(out, "</span></p></header>\n<main>\n");
    add_part(live, DPR__LIVE_FACTS, out);
    dpr__page_file(out, "live-body");
    add_part(live, DPR__LIVE_CURVES, out);
    add_part(live, DPR__LIVE_SEEN, out);
    dpr__text_add(out, "</main>\n<script>\n");
    dpr__page_file(out, "live-script");
    dpr__text_add(out, "</script>\n");
    dpr__page_end(out);
}
