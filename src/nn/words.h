/* The words of the net language: one table makes the parser, the nearest valid word, and the layers. */
#ifndef DPR_NN_WORDS_H
#define DPR_NN_WORDS_H

#include "nn/net.h"
#include "nn/parse.h"

enum { DPR__MOST_WHITENED = 256 }; /* values of a patch */
enum { DPR__MOST_ARGUMENTS = 8, DPR__MOST_DEPTH = 32, DPR__MOST_BRANCHES = 8 };

/* What an argument must be. */
typedef enum dpr__argument_kind {
    DPR__ARGUMENT_COUNT,   /* a whole number, at least 1 */
    DPR__ARGUMENT_WIDTH,   /* the same, or the word `classes` */
    DPR__ARGUMENT_RATE,    /* at least 0 and below 1 */
    DPR__ARGUMENT_REAL,    /* any finite number */
    DPR__ARGUMENT_SMALL,   /* above 0 and below 1 */
    DPR__ARGUMENT_PAIR,    /* down and across: whole numbers, at least 1, as 3x5; 3 is 3x3 */
    DPR__ARGUMENT_PADDING, /* the same, at least 0; or `same` or `valid` */
    DPR__ARGUMENT_INIT,    /* one of dpr__init_words */
    DPR__ARGUMENT_FLAG,    /* a keyword without a value */
} dpr__argument_kind;

typedef struct dpr__argument {
    const char *name; /* for messages and docs; of keywords: the word itself */
    dpr__argument_kind kind;
    bool keyword;  /* "stride 2", in any order, after what stands without a keyword */
    bool optional; /* keywords always are */
    double otherwise;
} dpr__argument;

/* A pair's two numbers; of other kinds both are the one number. A flag is 1 or 0. */
typedef struct dpr__number {
    double value, second;
} dpr__number;

/* What stands for a word instead of a number. */
enum { DPR__NUMBER_CLASSES = -1, DPR__NUMBER_SAME = -1 };

/* How weights begin: `auto` by what follows. --init knows those before `dirac`, which are for any weights. */
enum { DPR__INIT_AUTO, DPR__INIT_DIRAC = 4, DPR__N_INITS = 6 };
extern const char *const dpr__init_words[DPR__N_INITS];
extern const dpr_init dpr__inits[DPR__N_INITS]; /* of auto: none */

struct dpr__net_item;

/* A residual or a branch that is open. */
typedef struct dpr__opened {
    dpr_value in;                       /* what its body was given */
    dpr_field in_field, field;          /* of that; and of all that its bodies gave so far */
    int from;                           /* the layer that made `in` */
    dpr_value ends[DPR__MOST_BRANCHES]; /* what its bodies gave so far */
    size_t n_ends;
} dpr__opened;

/* The net under construction: what a layer sees and leaves. */
typedef struct dpr__layering {
    dpr_graph *graph;
    dpr_value value;            /* the last layer's result */
    dpr_value images;           /* the first layer's operand */
    dpr_value rows;             /* how many rows of the batch are images; 0: all */
    dpr_shape image;            /* of one image */
    dpr_field field;            /* of `value` */
    int from;                   /* the layer that made `value`; −1: it is the images */
    dpr_init init;              /* of this layer's weights, as what follows suggests, */
    bool forced;                /* or as the user asked */
    bool normalised;            /* batch normalisation follows: a bias would be taken away again */
    uint64_t parameters, flops; /* what this layer adds, of one image */
    dpr__opened opened[DPR__MOST_DEPTH];
    size_t n_opened;
    unsigned begun;     /* of these, the innermost, whose body has no layer yet */
    dpr_value *updates; /* assigns of running statistics */
    size_t n_updates, updates_capacity;
} dpr__layering;

typedef struct dpr__word {
    const char *word;
    dpr__argument argument[DPR__MOST_ARGUMENTS];
    bool activation;    /* a function of each number by itself */
    bool gate;          /* and one that lets hardly anything through below 0 */
    bool relu_like;     /* He initialisation suits the layer before */
    bool transparent;   /* initialisation looks through it: dropout, pooling, normalisation */
    bool normalises;    /* takes the mean of each channel over the batch away */
    size_t most_bodies; /* how many { … } belong to it; 0: it is a layer */
    void (*append)(const struct dpr__net_item *item, dpr__layering *layering);
    const char *help;
} dpr__word;

typedef enum dpr__item_kind {
    DPR__ITEM_LAYER,
    DPR__ITEM_OPEN,  /* the `{` of a residual, the first of a branch */
    DPR__ITEM_NEXT,  /* `} {` of a branch */
    DPR__ITEM_CLOSE, /* the last `}`: joins what the bodies gave */
} dpr__item_kind;

/* One operation of the text, repeats and blocks unrolled; residuals and branches are brackets. */
typedef struct dpr__net_item {
    dpr__item_kind kind;
    const dpr__word *word;
    dpr__number argument[DPR__MOST_ARGUMENTS];
    unsigned line, column;
    const dpr__block_call *call; /* the block that it stands in; NULL: none */
    const char *name;            /* "linear_1"; of brackets all the same */
} dpr__net_item;

extern const dpr__word dpr__words[];
extern const size_t dpr__n_words;

/* The argument that the table calls `name`. */
dpr__number dpr__number_of(const dpr__net_item *item, const char *name);
/* The same, of a flag. */
bool dpr__flag_of(const dpr__net_item *item, const char *name);

/* ---- what the layers share (layers.c) ---- */

/* Parameter "linear_1.weights" of layer linear_1, counted in the layering; whitening weights are a statistic, which no gradient moves. */
dpr_value dpr__layer_parameter(const dpr__net_item *item, dpr__layering *layering, const char *part,
                               dpr_shape shape, dpr_init init);
/* (batch, …) as it is of one image. */
dpr_shape dpr__layer_shape(const dpr__layering *layering, dpr_value value);
/* How many numbers an image is here: the batch, open or bound, does not count. */
uint64_t dpr__layer_features(const dpr__layering *layering, dpr_value value);
/* (batch, …) as (batch, features). */
dpr_value dpr__layer_flat(dpr_graph *graph, dpr_value value);
/* Convolution of `src` with the layer's "weights" (kernel × channels of a group × outputs), without bias. */
dpr_value dpr__layer_conv(const dpr__net_item *item, dpr__layering *layering, dpr_value src,
                          const int64_t kernel[2], int64_t outputs,
                          const dpr_conv_options *options);
/* Batch normalisation with the layer's "scale" and "shift" (each only if wanted), "mean" and "variance". */
dpr_value dpr__layer_batch_norm(const dpr__net_item *item, dpr__layering *layering, dpr_value src,
                                bool scale, bool shift, const dpr_batch_norm_options *options);
/* The window of this layer in what all before it see (Araujo et al. 2019, section 2). */
void dpr__layer_see(dpr__layering *layering, const int64_t kernel[2], const int64_t stride[2],
                    const int64_t dilation[2], const int64_t pad[2]);
/* Each place of the value depends on the whole image. */
void dpr__layer_see_all(dpr__layering *layering);
/* Fails where a picture (height × width × channels) is needed; the graph latches it. */
bool dpr__layer_is_picture(const dpr__net_item *item, dpr__layering *layering);

/* ---- the layers, by file ---- */

void dpr__append_linear(const dpr__net_item *item, dpr__layering *layering); /* layers.c */
void dpr__append_conv(const dpr__net_item *item, dpr__layering *layering);
void dpr__append_depthwise(const dpr__net_item *item, dpr__layering *layering);
void dpr__append_max_pool(const dpr__net_item *item, dpr__layering *layering);
void dpr__append_average_pool(const dpr__net_item *item, dpr__layering *layering);
void dpr__append_global_average_pool(const dpr__net_item *item, dpr__layering *layering);
void dpr__append_batch_norm(const dpr__net_item *item, dpr__layering *layering); /* normalise.c */
void dpr__append_layer_norm(const dpr__net_item *item, dpr__layering *layering);
void dpr__append_group_norm(const dpr__net_item *item, dpr__layering *layering);
void dpr__append_squeeze_excite(const dpr__net_item *item, dpr__layering *layering); /* join.c */
void dpr__append_residual(const dpr__net_item *item, dpr__layering *layering); /* at its end */
void dpr__append_branch(const dpr__net_item *item, dpr__layering *layering);

#endif
