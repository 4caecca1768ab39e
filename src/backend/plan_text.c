/* A plan for people: what runs when, by which kernel, how much work and memory it is. */
#include "backend/program.h"
#include "base/context.h"
#include "base/text.h"
#include <stdio.h>
#include <string.h>

/* "linear_1: matmul add relu": the scope and ops of a group. */
static void add_members(const dpr__step *step, const dpr__group *group, dpr__text *text) {
    const char *scope = "";
    for (uint32_t m = 0; m < group->n; m++) {
        const dpr__node *node = dpr__node_of(step->graph, step->members[group->first + m]);
        if (strcmp(scope, node->name) != 0)
            dpr__text_add(text, "%s%s:", m > 0 ? "; " : "", node->name);
        scope = node->name;
        dpr__text_add(text, " %s", dpr__op_names[node->op]);
        if (dpr__writes_leaf(step, step->members[group->first + m]))
            dpr__text_add(text, "*");
    }
}

/* "25.7 M", three digits. */
static void add_amount(dpr__text *text, uint64_t amount) {
    static const char *const UNITS[] = {" ", "k", "M", "G", "T"};
    double value = (double)amount;
    int unit = 0;
    for (; value >= 999.5 && unit < 4; unit++)
        value /= 1000;
    dpr__text_add(text,
                  unit == 0       ? " %5.0f %s"
                  : value < 9.995 ? " %5.2f %s"
                                  : " %5.1f %s",
                  value, UNITS[unit]);
}

dpr_status dpr__program_plan_text(const dpr_program *program, char **out) {
    const dpr__step *step = program->step;
    const dpr__backend *backend = program->backend;
    dpr__text text;
    dpr__text_init(&text, program->context);
    dpr__text_add(&text, "phase  tiles   flops   bytes  kernel                      computes "
                         "(* written in place)\n");
    uint64_t flops = 0, bytes = 0;
    for (size_t i = 0; i < backend->rows(program->plan); i++) {
        dpr__row_view row = backend->row(program->plan, i);
        dpr__text_add(&text, "%5u %5lld%s", row.phase, (long long)row.n_tiles,
                      row.serial ? " " : "‖");
        add_amount(&text, row.flops);
        add_amount(&text, row.bytes);
        dpr__text_add(&text, " %-27s ", row.kernel);
        add_members(step, &step->groups[row.group], &text);
        dpr__text_add(&text, "\n");
        flops += row.flops;
        bytes += row.bytes;
    }
    dpr__text_add(&text, "total       ");
    add_amount(&text, flops);
    add_amount(&text, bytes);
    dpr__text_add(&text,
                  "\n%u phases; ‖ shared by the threads\nmemory beside the leaves: %zu bytes, %zu "
                  "without sharing; %zu leaves copied at the end of a step\n",
                  step->n_phases, step->arena_bytes, step->unplanned_bytes, step->n_commits);
    return dpr__text_finish(&text, out);
}
