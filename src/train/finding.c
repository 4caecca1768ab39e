/* Findings: their words, their text, their place in the run record. */
#include "base/context.h"
#include "base/text.h"
#include "ir/op.h"
#include "train/trainer.h"
#include <limits.h>

static const struct {
    const char *word, *what, *remedy;
} causes[DPR_N_CAUSES] = {
#define X(name, word, what, remedy) [DPR_CAUSE_##name] = {word, what, remedy},
    DPR_CAUSE_MAP(X)
#undef X
};

const char *dpr_cause_word(dpr_cause cause) {
    return (unsigned)cause < DPR_N_CAUSES ? causes[cause].word : "";
}

size_t dpr_trainer_health(const dpr_trainer *trainer, const dpr_ailment **findings) {
    *findings = trainer->findings;
    return trainer->n_findings;
}

/* ---- text ---- */

/* What stands for a name in braces. */
static void add_value(dpr__text *text, const dpr_ailment *finding, const char *name) {
    switch (name[0]) {
    case 'l':
        dpr__text_add(text, "%s", finding->layer);
        break;
    case 'o':
        dpr__text_add(text, "%s", finding->op);
        break;
    case 's':
        dpr__text_add(text, "%.3g %%", 100 * finding->value);
        break;
    case 'r':
        dpr__text_add(text, "%.3g", finding->rate);
        break;
    default:
        dpr__text_add(text, "%.3g", finding->value);
    }
}

static void add_filled(dpr__text *text, const dpr_ailment *finding, const char *form) {
    for (;;) {
        size_t n = strcspn(form, "{");
        dpr__text_bytes(text, form, n);
        if (form[n] == '\0')
            return;
        add_value(text, finding, form + n + 1);
        form = strchr(form + n, '}') + 1;
    }
}

dpr_status dpr_ailment_text(dpr_context *context, const dpr_ailment *finding, char **text) {
    dpr__text line;
    if ((unsigned)finding->cause >= DPR_N_CAUSES)
        return DPR_FAIL(context, DPR_E_ARGUMENT, "finding: there is no cause %u",
                        (unsigned)finding->cause);
    dpr__text_init(&line, context);
    add_filled(&line, finding, causes[finding->cause].what);
    dpr__text_add(&line, "; ");
    add_filled(&line, finding, causes[finding->cause].remedy);
    return dpr__text_finish(&line, text);
}

/* ---- the record ---- */

static void add_finding(dpr__text *text, const dpr_ailment *finding) {
    dpr__text_add(text, "{\"cause\":\"%s\",\"layer\":", causes[finding->cause].word);
    dpr__text_json(text, finding->layer);
    dpr__text_add(text, ",\"op\":\"%s\",\"epoch\":%u,\"step\":%llu,\"value\":", finding->op,
                  finding->epoch, (unsigned long long)finding->step);
    dpr__json_add_double(text, finding->value);
    dpr__text_add(text, ",\"rate\":");
    dpr__json_add_double(text, finding->rate);
    dpr__text_add(text, "}");
}

void dpr__findings_write(const dpr_trainer *trainer, dpr__text *text) {
    dpr__text_add(text, ",\"looks\":%u,\"health\":[", trainer->looks);
    for (size_t i = 0; i < trainer->n_findings; i++) {
        dpr__text_add(text, "%s", i > 0 ? "," : "");
        add_finding(text, &trainer->findings[i]);
    }
    dpr__text_add(text, "]");
}

/* Scopes that are no layers; none; and what no op has done. */
static const char *const other_layers[] = {"", "loss", "data"}, *const other_ops[] = {"", "update"};
#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *find_word(const char *const *words, size_t n, const char *word) {
    for (size_t i = 0; i < n; i++)
        if (words[i] != NULL && strcmp(words[i], word) == 0)
            return words[i];
    return NULL;
}

/* The layer whose name is the first n bytes. */
static const char *find_layer(const dpr_model *model, const char *name, size_t n) {
    for (size_t i = 0; i < model->n_layers; i++)
        if (strncmp(model->layers[i].name, name, n) == 0 && model->layers[i].name[n] == '\0')
            return model->layers[i].name;
    return NULL;
}

const char *dpr__finding_layer(const dpr_model *model, const char *name) {
    const char *layer = find_layer(model, name, strcspn(name, "."));
    if (layer == NULL)
        layer = find_word(other_layers, COUNT(other_layers), name);
    return layer != NULL ? layer : "";
}

bool dpr__finding_read(dpr_context *context, const dpr_model *model, const dpr__json *item,
                       dpr_ailment *out) {
    const char *cause = dpr__json_string(dpr__json_get(item, "cause"));
    const char *layer = dpr__json_string(dpr__json_get(item, "layer"));
    const char *op = dpr__json_string(dpr__json_get(item, "op"));
    uint64_t epoch;
    if (cause == NULL || layer == NULL || op == NULL)
        return false;
    *out = (dpr_ailment){.size = sizeof *out, .layer = dpr__finding_layer(model, layer)};
    out->op = find_word(other_ops, COUNT(other_ops), op);
    if (out->op == NULL)
        out->op = find_word(dpr__op_names, DPR__N_OPS, op);
    while (out->cause < DPR_N_CAUSES && strcmp(causes[out->cause].word, cause) != 0)
        out->cause++;
    if (out->cause == DPR_N_CAUSES || out->op == NULL || strcmp(out->layer, layer) != 0 ||
        !dpr__json_u64(dpr__json_get(item, "epoch"), &epoch) || epoch > UINT_MAX)
        return false;
    out->epoch = (unsigned)epoch;
    return dpr__json_u64(dpr__json_get(item, "step"), &out->step) &&
           dpr__json_double(context, dpr__json_get(item, "value"), &out->value) &&
           dpr__json_double(context, dpr__json_get(item, "rate"), &out->rate);
}
