/* What recipes gave when they were run: recipes/results.txt, which the build writes into a C file (cmake/presets.cmake); its first lines say
 * what the columns are. tools/results makes the table of docs/results.md from the same lines. */
#ifndef DEEPER_CLI_RESULTS_H
#define DEEPER_CLI_RESULTS_H

#include <stdbool.h>
#include <stddef.h>

extern const char *const result_file_names[];
extern const char *const result_file_texts[];
extern const size_t n_result_files;

/* One line. Texts are cut out of it; accuracies are fractions. */
struct recorded {
    char line[1024];              /* what the texts point into */
    const char *arguments, *data; /* of deeper train */
    double accuracy,
        interval;   /* over the seeds: mean, and half of its 95 % interval (0: one seed) */
    double seconds; /* of seed 1, and so the rest */
    const char *kernels, *machine, *data_sha256, *weights_sha256;
};

/* Whether the text is a file of results; else a message that begins with its name. */
bool results_valid(const char *name, const char *text);
/* The next line of a valid text, from *at on, that is of the recipe; false: there is none. */
bool results_next(const char **at, const char *recipe, struct recorded *out);

#endif
