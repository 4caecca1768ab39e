/* A sweep from its options to its cases: networks (sweep_nets.c), each with every combination of the grid's values (sweep_cases.c). */
#ifndef DEEPER_CLI_SWEEP_H
#define DEEPER_CLI_SWEEP_H

#include "cli.h"
#include "place.h"

enum { MOST_NETS = 256, MOST_AXES = 16, MOST_CASES = 4096, MOST_DEPTHS = DPR_SWEEP_DEEPEST };

/* A network of the sweep. */
struct net {
    char *name;  /* as it was given, or by its depth */
    char *text;  /* NULL: made from widths */
    size_t size; /* of --params; networks of one size are compared with each other */
    unsigned depth;
    unsigned widths[DPR_SWEEP_DEEPEST];
    bool apart; /* shown beside the others, and not compared */
};

/* An option, and its values. */
struct axis {
    const struct option *option;
    char *text; /* that values are cut out of */
    const char *values[LIST_ROOM];
    size_t n;
};

struct sweep {
    const struct settings *settings;
    dpr_context *context;
    dpr_data *train, *validation, *test;
    struct place place;
    char *command;
    struct net *nets;
    size_t n_nets;
    struct axis axes[MOST_AXES];
    size_t n_axes, n_combinations;
    struct settings *options; /* (combinations) */
    char (*labels)[128];      /* (combinations) "lr=0.1 dropout=0.5" */
    dpr_sweep_case *cases;
    char **texts; /* (cases) of their networks */
    size_t n_cases;
    struct net_input input;
    dpr_sweep *made;
    bool bar;
    double seconds_left; /* negative: not known */
};

/* ---- sweep_nets.c: all return EXIT_DONE, or another status after a message ---- */

/* Reads --net, or --params and --depths; sizes (MOST_NETS) are those of --params. */
int sweep_read_nets(struct sweep *sweep, double *sizes, size_t *n_sizes);
/* Widths of the networks of one size, once the images are known. alone: there is no other size. */
int sweep_solve(struct sweep *sweep, double parameters, size_t size, bool alone);
/* The network's text; freed by the caller, NULL: memory is out. */
char *sweep_net_text(const dpr_shape *image, const struct net *net, double dropout);

/* ---- sweep_cases.c: likewise ---- */

/* Reads --grid and the words behind DATA. */
int sweep_read_grid(struct sweep *sweep);
/* The options of every combination, checked. */
int sweep_combine(struct sweep *sweep);
/* Every network with every combination. */
int sweep_make_cases(struct sweep *sweep);

#endif
