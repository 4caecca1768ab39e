/* A parsed net: its text as a list of items. */
#ifndef DPR_NN_ITEMS_H
#define DPR_NN_ITEMS_H

#include "nn/words.h"

struct dpr__net {
    dpr_context *context;
    dpr__arena arena;
    char *name, *text;
    dpr_shape input; /* rank 0: as the data, and nothing said for when there is none */
    bool of_data;    /* `input data`: the data's size where there is data */
    unsigned input_line, input_column;
    dpr__net_item *items;
    size_t n_items, items_capacity;
    size_t n_layers; /* items that make a layer */
};

enum { DPR__MOST_SIDE = 65536 };

/* Fills items and input from the text. */
dpr_status dpr__net_unroll(dpr__net *net);

/* A whole number from 1 to `most`; `what` it is, for messages. */
dpr_status dpr__parse_count(dpr__reader *reader, const char *what, double most, double *out);
/* The arguments that item->word takes, up to a '{' or the end of the operation. */
dpr_status dpr__parse_arguments(dpr__reader *reader, dpr__net_item *item);

#endif
