/* The context's inside: what is shared by everything made from it. Nothing in the library is global. */
#ifndef DPR_BASE_CONTEXT_H
#define DPR_BASE_CONTEXT_H

#include "base/cpu.h"
#include "base/status.h"
#include <locale.h>

enum { DPR__ERROR_BYTES = 2048 };

/* X(name, word, what it shows): the topics that DEEPER_LOG knows. */
#define DPR__TOPIC_MAP(X)                                                                          \
    X(GENERAL, "general", "messages that belong to no other topic")                                \
    X(DATA, "data", "readers: files, sizes, splits")                                               \
    X(PASS, "pass", "what each compiler pass changed")                                             \
    X(DISPATCH, "dispatch", "which kernel was chosen for each step, and why others were not")      \
    X(TEAM, "team", "threads: count, affinity")                                                    \
    X(TRAIN, "train", "checkpoints, resuming")

typedef enum dpr__topic {
#define X(name, word, text) DPR__TOPIC_##name,
    DPR__TOPIC_MAP(X)
#undef X
        DPR__N_TOPICS
} dpr__topic;

typedef enum dpr__precision_word { DPR__PRECISION_F32, DPR__PRECISION_BF16 } dpr__precision_word;

typedef enum dpr__device { DPR__DEVICE_CPU, DPR__DEVICE_REF } dpr__device;

/* X(name, word): the passes that --disable-pass can switch off. */
#define DPR__PASS_MAP(X)                                                                           \
    X(SIMPLIFY, "simplify")                                                                        \
    X(FOLD, "fold")                                                                                \
    X(KEEP, "keep")                                                                                \
    X(FUSE, "fuse")                                                                                \
    X(LAYOUT, "layout")                                                                            \
    X(SCHEDULE, "schedule")                                                                        \
    X(MEMPLAN, "memplan")

typedef enum dpr__pass {
#define X(name, word) DPR__PASS_##name,
    DPR__PASS_MAP(X)
#undef X
        DPR__N_PASSES
} dpr__pass;

struct dpr__team;

struct dpr_context {
    dpr_context_options options; /* pointers inside are only used while creating */
    char error[DPR__ERROR_BYTES];
    dpr_log_level level[DPR__N_TOPICS];
    bool pass_disabled[DPR__N_PASSES];
    dpr__device device;
    dpr__precision_word precision;
    dpr__isa isa; /* the highest that kernels may use */
    unsigned threads;
    struct dpr__team *team; /* made at the first program; NULL before */
    locale_t c_locale;      /* numbers are read and printed the same in every locale */
};

/* "float32" or "bf16"; another word, or NULL, fails with DPR_E_ARGUMENT and what it could be. */
dpr_status dpr__precision_of(dpr_context *context, const char *word, dpr__precision_word *out);

/* Logs one line if the topic's level lets it through. */
void dpr__log(dpr_context *context, dpr_log_level level, dpr__topic topic, const char *format, ...)
    DPR__PRINTF(4, 5);

/* A context for another thread, of one thread itself, with the same memory. Errors: *out NULL and no message, since `context` may be in use. */
dpr_status dpr__context_beside(const dpr_context *context, dpr_context **out);

#endif
