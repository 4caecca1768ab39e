/* What train does, and data preview shows, with a folder of pictures where --net says nothing. */
#ifndef DEEPER_CLI_CHOOSE_H
#define DEEPER_CLI_CHOOSE_H

#include "cli.h"

struct choice {
    const char *net; /* "preset:NAME"; NULL: the rule has nothing to say */
    dpr_shape image; /* height, width, 0: as many channels as the pictures have */
    /* where the options do not say: */
    unsigned epochs, batch;
    double weight_decay, label_smoothing;
    char augment[64]; /* "": none */
};

/* By sizes, colours and number of the pictures; input_size 0: by their sizes too. */
struct choice choose_net(const dpr_sizes *sizes, unsigned input_size);

#endif
