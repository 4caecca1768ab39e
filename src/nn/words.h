/* The words of the net language: one table makes the parser, the nearest valid word, and the layers. */
#ifndef DPR_NN_WORDS_H
#define DPR_NN_WORDS_H

#include "nn/net.h"

enum { DPR__MOST_ARGUMENTS = 3 };

/* What an argument must be. */
typedef enum dpr__argument_kind {
    DPR__ARGUMENT_COUNT, /* a whole number, at least 1 */
    DPR__ARGUMENT_WIDTH, /* the same, or the word `classes` */
    DPR__ARGUMENT_RATE,  /* at least 0 and below 1 */
    DPR__ARGUMENT_REAL,  /* any finite number */
} dpr__argument_kind;

typedef struct dpr__argument {
    const char *name; /* for messages and docs */
    dpr__argument_kind kind;
    bool optional;
    double otherwise;
} dpr__argument;

struct dpr__net_item;

/* The net under construction: what a layer sees and leaves. */
typedef struct dpr__layering {
    dpr_graph *graph;
    dpr_value value;            /* the last layer's result */
    dpr_init init;              /* of this layer's weights */
    uint64_t parameters, flops; /* what this layer adds, of one image */
} dpr__layering;

typedef struct dpr__word {
    const char *word;
    dpr__argument argument[DPR__MOST_ARGUMENTS];
    const char *flag; /* an optional word at the end: "nobias"; NULL: none */
    bool relu_like;   /* He initialisation suits the layer before */
    bool transparent; /* initialisation looks through it: dropout, flatten */
    void (*append)(const struct dpr__net_item *item, dpr__layering *layering);
    const char *help;
} dpr__word;

/* One operation of the text, repeats unrolled. */
typedef struct dpr__net_item {
    const dpr__word *word;
    double argument[DPR__MOST_ARGUMENTS]; /* `classes` is −1 until it is known */
    bool flag;
    unsigned line, column;
    const char *name; /* "linear_1" */
} dpr__net_item;

extern const dpr__word dpr__words[];
extern const size_t dpr__n_words;

/* Words of the language that are no layers: input, repeat, classes. */
enum { DPR__WORD_CLASSES = -1 };

#endif
