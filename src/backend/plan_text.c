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

/* A row's time in a tick and the rate of its work: GF/s where it multiplies, else GB/s. */
static void add_time(dpr__text *text, const dpr__row_view *row, bool contracts, uint64_t ticks) {
    double us = (double)row->ns / 1000 / (double)ticks;
    dpr__text_add(text, " %8.2f", us);
    if (row->ns > 0)
        dpr__text_add(text, " %5.0f %s",
                      (double)(contracts ? row->flops : row->bytes) / (us > 0 ? us : 1) / 1000,
                      contracts ? "GF/s" : "GB/s");
    else
        dpr__text_add(text, "           ");
}

static const char *name_of(const dpr__row_view *row, char name[64]) {
    snprintf(name, 64, "%s%s%s",
             strncmp(row->kernel, "dpr__", 5) == 0 ? row->kernel + 5 : row->kernel,
             row->chain[0] != 0 ? "+" : "", row->chain);
    return name;
}

dpr_status dpr__program_plan_text(const dpr_program *program, uint64_t ticks, double tick_us,
                                  char **out) {
    const dpr__step *step = program->step;
    const dpr__backend *backend = program->backend;
    dpr__text text;
    dpr__text_init(&text, program->context);
    dpr__text_add(&text,
                  "phase  tiles   flops   bytes %skernel                               "
                  "computes (* written in place)\n",
                  ticks > 0 ? "       us      rate  " : " ");
    uint64_t flops = 0, bytes = 0, ns = 0;
    char name[64];
    for (size_t i = 0; i < backend->rows(program->plan); i++) {
        dpr__row_view row = backend->row(program->plan, i);
        dpr__text_add(&text, "%5u %5lld%s", row.phase, (long long)row.n_tiles,
                      row.serial ? " " : "‖");
        add_amount(&text, row.flops);
        add_amount(&text, row.bytes);
        if (ticks > 0)
            add_time(&text, &row, step->groups[row.group].kind == DPR__GROUP_CONTRACT, ticks);
        dpr__text_add(&text, " %-36s ", name_of(&row, name));
        add_members(step, &step->groups[row.group], &text);
        dpr__text_add(&text, "\n");
        flops += row.flops;
        bytes += row.bytes;
        ns += row.ns;
    }
    dpr__text_add(&text, "total       ");
    add_amount(&text, flops);
    add_amount(&text, bytes);
    if (ticks > 0)
        dpr__text_add(&text,
                      " %8.2f  of %.2f us a tick: barriers and the clock between rows are the rest",
                      (double)ns / 1000 / (double)ticks, tick_us);
    dpr__text_add(&text,
                  "\n%u phases; ‖ shared by the threads\nmemory beside the leaves: %zu bytes, %zu "
                  "without sharing; %zu leaves copied at the end of a step\n",
                  step->n_phases, step->arena_bytes, step->unplanned_bytes, step->n_commits);
    return dpr__text_finish(&text, out);
}
