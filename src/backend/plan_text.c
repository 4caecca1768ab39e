/* A plan for people: what runs when, by which kernel, how much work and memory it is. */
#include "backend/program.h"
#include "base/context.h"
#include "base/memory.h"
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

/* What the lines have in common. */
struct listing {
    const dpr_program *program;
    uint64_t ticks;            /* that were timed; 0: none */
    uint64_t flops, bytes, ns; /* of all rows */
    int kernel_width;
};

static dpr__row_view row_at(const struct listing *l, size_t i) {
    return l->program->backend->row(l->program->plan, i);
}

static const char *name_of(const dpr__row_view *row, char name[64]) {
    snprintf(name, 64, "%s%s%s",
             strncmp(row->kernel, "dpr__", 5) == 0 ? row->kernel + 5 : row->kernel,
             row->chain[0] != 0 ? "+" : "", row->chain);
    return name;
}

static struct listing survey(const dpr_program *program, uint64_t ticks) {
    struct listing l = {.program = program, .ticks = ticks, .kernel_width = 6};
    char name[64];
    for (size_t i = 0; i < program->backend->rows(program->plan); i++) {
        dpr__row_view row = row_at(&l, i);
        int width = (int)strlen(name_of(&row, name));
        if (row.phase >= program->step->n_kept_phases) {
            l.flops += row.flops;
            l.bytes += row.bytes;
            l.ns += row.ns;
        }
        l.kernel_width = width > l.kernel_width ? width : l.kernel_width;
    }
    return l;
}

/* A row's time in a tick, its share, and the rate of its work: GF/s where it multiplies, else GB/s. */
static void add_time(dpr__text *text, const struct listing *l, const dpr__row_view *row) {
    bool contracts = l->program->step->groups[row->group].kind == DPR__GROUP_CONTRACT;
    double us = (double)row->ns / 1000 / (double)l->ticks;
    dpr__text_add(text, " %8.2f %5.1f %%", us, 100 * (double)row->ns / (double)(l->ns + !l->ns));
    if (row->ns > 0)
        dpr__text_add(text, " %5.0f %s", (double)(contracts ? row->flops : row->bytes) / us / 1000,
                      contracts ? "GF/s" : "GB/s");
    else
        dpr__text_add(text, "           ");
}

static void add_row(dpr__text *text, const struct listing *l, const dpr__row_view *row) {
    char name[64];
    dpr__text_add(text, "%5u %5lld%s", row->phase, (long long)row->n_tiles,
                  row->serial ? " " : "‖");
    add_amount(text, row->flops);
    add_amount(text, row->bytes);
    if (l->ticks > 0)
        add_time(text, l, row);
    dpr__text_add(text, " %-*s ", l->kernel_width, name_of(row, name));
    add_members(l->program->step, &l->program->step->groups[row->group], text);
    dpr__text_add(text, "\n");
}

static void add_total(dpr__text *text, const struct listing *l, double tick_us) {
    const dpr__step *step = l->program->step;
    dpr__text_add(text, "total       ");
    add_amount(text, l->flops);
    add_amount(text, l->bytes);
    if (l->ticks > 0)
        dpr__text_add(text,
                      " %8.2f  of %.2f us a tick: barriers and the clock between rows are the rest",
                      (double)l->ns / 1000 / (double)l->ticks, tick_us);
    dpr__text_add(text, "\n%u phases", step->n_phases);
    if (step->n_kept_phases > 0)
        dpr__text_add(text, ", the first %u only when weights have changed", step->n_kept_phases);
    dpr__text_add(text,
                  "; ‖ shared by the threads\nmemory beside the leaves: %zu bytes, %zu without "
                  "sharing; %zu leaves copied at the end of a step\n",
                  step->arena_bytes, step->unplanned_bytes, step->n_commits);
}

/* The slowest row of those that are not yet written; the first of equals. */
static size_t next_slowest(const struct listing *l, const bool *written, size_t n) {
    size_t slowest = n;
    for (size_t i = 0; i < n; i++)
        if (!written[i] && (slowest == n || row_at(l, i).ns > row_at(l, slowest).ns))
            slowest = i;
    return slowest;
}

dpr_status dpr__program_plan_text(const dpr_program *program, uint64_t ticks, double tick_us,
                                  bool slowest_first, char **out) {
    struct listing l = survey(program, ticks);
    size_t n = program->backend->rows(program->plan);
    bool *written;
    dpr__text text;
    DPR_TRY(dpr__allocate(program->context, n, sizeof *written, &written));
    dpr__text_init(&text, program->context);
    dpr__text_add(&text, "phase  tiles   flops   bytes %s%-*s computes (* written in place)\n",
                  ticks > 0 ? "       us   share      rate " : " ", l.kernel_width, "kernel");
    for (size_t i = 0; i < n; i++) {
        size_t at = slowest_first ? next_slowest(&l, written, n) : i;
        dpr__row_view row = row_at(&l, at);
        add_row(&text, &l, &row);
        written[at] = true;
    }
    add_total(&text, &l, tick_us);
    dpr__free(program->context, written);
    return dpr__text_finish(&text, out);
}
