/* Programs: a step, its plan, and the store that both work on. */
#ifndef DPR_BACKEND_PROGRAM_H
#define DPR_BACKEND_PROGRAM_H

#include "backend/backend.h"

enum { DPR__CULPRIT = 64 };

struct dpr_program {
    dpr_context *context;
    dpr_store *store;
    dpr__step *step;
    const dpr__backend *backend;
    void *plan;
    dpr_value *root_ids; /* the caller's ids of the first roots of step */
    size_t n_roots;
    /* Of the last tick that a guard has stopped: the op whose output was the first that was not finite (NULL: none was found), and that node's
     * name; of a leaf that held such a value before, "update" and the leaf's name. */
    const char *culprit_op;
    char culprit[DPR__CULPRIT];
};

/* The plan for people: a table with one line a row, then the memory (plan_text.c). After `ticks` timed ticks, when
 * not 0, with the time of each row, its share and its rate; tick_us: a tick without the clock between rows. */
dpr_status dpr__program_plan_text(const dpr_program *program, uint64_t ticks, double tick_us,
                                  bool slowest_first, char **out);

#endif
