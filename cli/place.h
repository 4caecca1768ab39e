/* Where train writes: the model, checkpoint and report beside it, and the lock that keeps other runs away. */
#ifndef DEEPER_CLI_PLACE_H
#define DEEPER_CLI_PLACE_H

#include <stdbool.h>

struct place {
    char *out, *checkpoint, *report, *lock; /* report: NULL where none is wanted */
    int held;                               /* the open lock; below 0: none */
};

/* The place of --out, or the default one for `data`, held for this process. Returns EXIT_DONE, or another status after a
 * message; then, too, it is to be left. */
int place_take(struct place *place, const char *data, const char *out, bool report);
/* What belongs to a model file NAME.safetensors, beside it: NAME and the ending, such as ".report.html". Freed by the caller; NULL: memory is out. */
char *name_beside(const char *model, const char *ending);
/* A folder, of which only `out` and `lock` are set: --out, or DATA's name with `end`. It need not be there yet. */
int place_take_folder(struct place *place, const char *data, const char *out, const char *end);
void place_leave(struct place *place);

#endif
