/* The networks of a sweep (sweep.h): named, or made in equal sizes. */
#include "sweep.h"
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- lists of numbers ---- */

/* The next of the numbers at *text, "100000", "10k" or "1.5M", up to `end`; below 0: that is none. */
static double next_number(const char **text, char end) {
    char *rest;
    double value = strtod(*text, &rest);
    if (!isdigit((unsigned char)**text) || strspn(*text, ".0123456789") < (size_t)(rest - *text))
        return -1;
    double unit = *rest == 'k' ? 1e3 : *rest == 'M' ? 1e6 : 1;
    rest += unit > 1;
    if (*rest != '\0' && *rest != end)
        return -1;
    *text = *rest == end ? rest + 1 : rest;
    value *= unit;
    return value == floor(value) && value <= 1e9 && (**text != '\0' || rest[0] == '\0') ? value
                                                                                        : -1;
}

/* How many there are, at most `most`; 0 after a message. */
static size_t read_numbers(const char *name, const char *text, double *out, size_t most) {
    size_t n = 0;
    for (const char *at = text; *at != '\0' || n == 0;) {
        double value = n < most ? next_number(&at, ',') : -1;
        if (value < 1) {
            complain(
                EXIT_USAGE,
                "--%s is '%s'; it must be up to %zu whole numbers from 1 on, with commas between",
                name, text, most);
            return 0;
        }
        out[n++] = value;
    }
    return n;
}

/* ---- networks ---- */

/* name: n characters; NULL: it is named when its widths are known. */
static struct net *add_net(struct sweep *sweep, const char *name, size_t n) {
    if (sweep->n_nets == MOST_NETS) {
        complain(EXIT_USAGE, "more than %d networks", MOST_NETS);
        return NULL;
    }
    struct net *net = &sweep->nets[sweep->n_nets++];
    *net = (struct net){.name = name != NULL ? strndup(name, n) : NULL};
    if (name != NULL && net->name == NULL) {
        fail(NULL);
        return NULL;
    }
    return net;
}

/* No hidden layer. */
static struct net *add_linear(struct sweep *sweep) {
    return add_net(sweep, "linear", strlen("linear"));
}

/* "300-100", n characters. */
static int add_widths(struct sweep *sweep, const char *text, size_t n) {
    struct net *net = add_net(sweep, text, n);
    if (net == NULL)
        return EXIT_USAGE;
    const char *at = net->name;
    while (*at != '\0') {
        double width = net->depth < DPR_SWEEP_DEEPEST ? next_number(&at, '-') : -1;
        if (width < 1 || width > 1e6)
            break;
        net->widths[net->depth++] = (unsigned)width;
    }
    if (*at == '\0' && net->depth > 0)
        return EXIT_DONE;
    return complain(EXIT_USAGE,
                    "--net '%s' is no list of up to %d hidden widths from 1 to 1000000, such as "
                    "300-100",
                    net->name, DPR_SWEEP_DEEPEST);
}

static int add_text(struct sweep *sweep, const char *argument) {
    struct net *net = add_net(sweep, argument, strlen(argument));
    const char *name;
    dpr_shape image;
    bool of_data;
    if (net == NULL)
        return EXIT_USAGE;
    net->text = read_net(argument, "--net", &name);
    if (net->text == NULL)
        return EXIT_FAILED;
    if (dpr_net_check(sweep->context, name, net->text, &image, &of_data) != DPR_OK)
        return fail(sweep->context);
    if (sweep->input.image.rank == 0 && !of_data)
        sweep->input = (struct net_input){.image = image};
    return EXIT_DONE;
}

/* --net: a list of widths, "linear", or a network as everywhere. */
static int add_named(struct sweep *sweep, const char *argument) {
    int status = EXIT_DONE;
    if (strcmp(argument, "linear") == 0)
        return add_linear(sweep) != NULL ? EXIT_DONE : EXIT_USAGE;
    if (strspn(argument, "0123456789-,") < strlen(argument))
        return add_text(sweep, argument);
    for (const char *at = argument; status == EXIT_DONE;) {
        size_t n = strcspn(at, ",");
        status = add_widths(sweep, at, n);
        if (at[n] == '\0')
            break;
        at += n + 1;
    }
    return status;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Networks of one size, the shallowest first. Widths are solved when the data is known. */
static int add_size(struct sweep *sweep, size_t size, const double *depths, size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct net *net = add_net(sweep, NULL, 0);
        if (net == NULL)
            return EXIT_USAGE;
        net->size = size;
        net->depth = (unsigned)depths[i];
    }
    return EXIT_DONE;
}

static int read_sizes(struct sweep *sweep, double *sizes, size_t *n_sizes) {
    const struct settings *s = sweep->settings;
    const char *depths_text = s->depths != NULL   ? s->depths
                              : sweep->n_axes > 0 ? "1"
                                                  : "1,2,3,4,6,8";
    double depths[MOST_DEPTHS];
    *n_sizes =
        read_numbers("params", s->parameters != NULL ? s->parameters : "100k", sizes, MOST_NETS);
    size_t n = *n_sizes > 0 ? read_numbers("depths", depths_text, depths, MOST_DEPTHS) : 0;
    int status = n > 0 ? EXIT_DONE : EXIT_USAGE;
    qsort(depths, n, sizeof *depths, by_value);
    if (status == EXIT_DONE && depths[n - 1] > MOST_DEPTHS)
        status = complain(EXIT_USAGE, "--depths asks for %.0f hidden layers; at most %d",
                          depths[n - 1], MOST_DEPTHS);
    if (status == EXIT_DONE && sweep->n_axes == 0) {
        struct net *net = add_linear(sweep);
        if (net == NULL)
            return EXIT_USAGE;
        net->apart = true;
        net->size = SIZE_MAX;
    }
    for (size_t i = 0; i < *n_sizes && status == EXIT_DONE; i++)
        status = add_size(sweep, i, depths, n);
    return status;
}

int sweep_read_nets(struct sweep *sweep, double *sizes, size_t *n_sizes) {
    const struct settings *s = sweep->settings;
    int status = EXIT_DONE;
    *n_sizes = 0;
    if (s->nets[0] == NULL)
        return read_sizes(sweep, sizes, n_sizes);
    if (s->parameters != NULL || s->depths != NULL)
        return complain(
            EXIT_USAGE,
            "--net names the networks, and --params and --depths make others; give one of them");
    for (size_t i = 0; s->nets[i] != NULL && status == EXIT_DONE; i++)
        status = add_named(sweep, s->nets[i]);
    return status;
}

/* They stand together. */
int sweep_solve(struct sweep *sweep, double parameters, size_t size, bool alone) {
    unsigned depths[MOST_DEPTHS], widths[MOST_DEPTHS][DPR_SWEEP_DEEPEST];
    size_t first = 0, n = 0;
    while (sweep->nets[first].size != size || sweep->nets[first].apart)
        first++;
    for (; first + n < sweep->n_nets && sweep->nets[first + n].size == size; n++)
        depths[n] = sweep->nets[first + n].depth;
    if (dpr_sweep_widths(sweep->context, dpr_data_describe(sweep->train), (uint64_t)parameters,
                         depths, n, widths) != DPR_OK)
        return complain(EXIT_FAILED, "--params, --depths: %s", dpr_error(sweep->context));
    for (size_t i = 0; i < n; i++) {
        struct net *net = &sweep->nets[first + i];
        memcpy(net->widths, widths[i], sizeof net->widths);
        char name[64];
        if (alone)
            snprintf(name, sizeof name, "depth %u", net->depth);
        else
            snprintf(name, sizeof name, "depth %u of %.10g", net->depth, parameters);
        net->name = strdup(name);
        if (net->name == NULL)
            return fail(NULL);
    }
    return EXIT_DONE;
}

/* "input 28 28 1, linear 300, relu, …, linear classes". */
char *sweep_net_text(const dpr_shape *image, const struct net *net, double dropout) {
    char *text = NULL;
    size_t n;
    FILE *to = net->text == NULL ? open_memstream(&text, &n) : NULL;
    if (to == NULL)
        return net->text != NULL ? strdup(net->text) : NULL;
    fprintf(to, "input %lld %lld %lld\n", (long long)image->dim[0], (long long)image->dim[1],
            (long long)image->dim[2]);
    for (unsigned i = 0; i < net->depth; i++) {
        fprintf(to, "linear %u\nrelu\n", net->widths[i]);
        if (dropout > 0)
            fprintf(to, "dropout %.10g\n", dropout);
    }
    fputs("linear classes\n", to);
    if (fclose(to) == 0)
        return text;
    free(text);
    return NULL;
}
