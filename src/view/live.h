/* The parts of a watched training (live.c): what the trainer's thread tells (live_tell.c), what is made of that for readers (live_page.c), HTTP. The trainer's thread
 * never waits for the others: it copies a few numbers and exchanges texts where the lock is free, else it does so the next time. */
#ifndef DPR_VIEW_LIVE_H
#define DPR_VIEW_LIVE_H

#include "base/memory.h"
#include "base/text.h"
#include "view/http.h"
#include <deeper/tools.h>
#include <pthread.h>
#include <stdatomic.h>

enum { DPR__TOKEN_DIGITS = 32 };

/* Work that must not take more than a share of the time: a 200th of that since `began`, the first turn counted though it is always due, and at most one turn a second. */
typedef struct dpr__turns {
    uint64_t began, last, spent; /* ns; last 0: never */
} dpr__turns;
bool dpr__turns_due(const dpr__turns *turns, uint64_t now);
void dpr__turns_end(dpr__turns *turns, uint64_t begun); /* of a turn that was due at `begun` */

/* ---- what is told ---- */

typedef enum dpr__live_text {
    DPR__LIVE_RECORD,   /* dpr_trainer_run's */
    DPR__LIVE_PICTURES, /* sections of a page: features and mistakes */
    DPR__N_LIVE_TEXTS
} dpr__live_text;

typedef struct dpr__live_news {
    dpr_progress progress;
    double left; /* seconds of the run; NaN: not known */
    bool has_begun;
    dpr__text text[DPR__N_LIVE_TEXTS]; /* memory of the trainer's thread */
    uint64_t version[DPR__N_LIVE_TEXTS];
} dpr__live_news;

/* What readers want, and what the trainer's thread does. */
typedef enum dpr__live_wish { DPR__WISH_GO, DPR__WISH_PAUSE, DPR__WISH_STOP } dpr__live_wish;
typedef enum dpr__live_state {
    DPR__LIVE_PREPARES,
    DPR__LIVE_TRAINS,
    DPR__LIVE_WAITS,
    DPR__LIVE_ENDED
} dpr__live_state;

/* ---- what readers see ---- */

typedef enum dpr__live_part {
    DPR__LIVE_NOW,   /* a JSON object; the others are HTML */
    DPR__LIVE_FACTS, /* the same for people */
    DPR__LIVE_CURVES,
    DPR__LIVE_SEEN, /* the pictures */
    DPR__N_LIVE_PARTS
} dpr__live_part;

/* Made of the news by threads of the server, one at a time. */
typedef struct dpr__live_edition {
    pthread_mutex_t lock;
    dpr_context *context; /* whoever has the lock */
    dpr__live_news news;  /* a copy; of its texts the record alone, the pictures being a part */
    bool stale;           /* the record has changed since curves were drawn */
    dpr__turns turns;     /* of drawing them */
    dpr__text part[DPR__N_LIVE_PARTS];
    uint64_t version[DPR__N_LIVE_PARTS];
    bool last; /* nothing will change any more */
} dpr__live_edition;

struct dpr_live {
    dpr_context *context;
    char *name;
    char token[DPR__TOKEN_DIGITS + 1];
    dpr__http *http;
    pthread_t ticker;
    bool ticks;
    atomic_bool quits;
    atomic_uint readers; /* of events */
    _Atomic dpr__live_wish wish;
    _Atomic dpr__live_state state;
    /* told, and how it ended: under the lock */
    pthread_mutex_t lock;
    dpr__live_news told;
    char outcome[16], message[512];
    dpr__live_edition edition;
    /* of the trainer's thread */
    const dpr_trainer *trainer;
    dpr_model *model;
    const dpr_data *validation;
    dpr__live_news mine;
    bool fresh[DPR__N_LIVE_TEXTS]; /* it is in `mine` and not yet in `told` */
    dpr__turns record_turns, picture_turns;
    size_t next_image; /* of the validation set */
};

/* Brings the edition up to date; its lock is held. `all`: curves are drawn though it is not their turn. */
void dpr__live_refresh(dpr_live *live, bool all);
/* The page with all parts as they are; the edition's lock is held. */
void dpr__live_write_page(const dpr_live *live, dpr__text *out);
/* Adds parts newer than `seen` as events (WHATWG HTML, section 9.2.5), and notes that; the edition's lock is held. */
void dpr__live_write_events(const dpr_live *live, uint64_t seen[DPR__N_LIVE_PARTS], dpr__text *out);

#endif
