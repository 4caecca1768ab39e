/* What a sweep keeps: runs.jsonl, one JSON object a run. A run is known by a hash of all that decides its result, so that one file may serve sweeps that
 * grow, and whatever was made under other options is neither taken for a run of this one nor lost. */
#include "base/context.h"
#include "base/file.h"
#include "base/sha256.h"
#include "data/letters.h"
#include "train/json.h"
#include "train/options.h"
#include "view/sweep.h"
#include <math.h>
#include <string.h>

static const char FILE_NAME[] = "runs.jsonl";
enum { MOST_BYTES = 64 << 20 };
static const char too_many[] = "the sweep has too many runs for one runs.jsonl, of up to 64 MiB; "
                               "take fewer networks or seeds, "
                               "or another directory";

dpr_status dpr__sweep_write(const dpr_sweep *sweep, const char *name, dpr__text *text,
                            dpr_status status) {
    char *path = NULL;
    if (status == DPR_OK)
        status = dpr__path_join(text->context, sweep->options.directory, name, &path);
    dpr_context *own = text->context;
    status = dpr__file_write_text(text, status, path);
    dpr__free(own, path);
    return status;
}

/* ---- names ---- */

static const char *const kinds[] = {"run", "tuning", "timing"};

dpr_status dpr__sweep_key(const dpr_sweep *sweep, dpr_context *own, size_t i,
                          const dpr_train_options *training, dpr__sweep_kind kind,
                          char key[DPR__SWEEP_KEY]) {
    const dpr_sweep_case *given = &sweep->options.cases[i];
    uint8_t digest[32];
    char hex[65];
    dpr__sha256 hash;
    dpr__text text;
    dpr__text_init(&text, own);
    dpr__text_add(&text, "%s\n%s\n%s\n", kinds[kind], sweep->identity, given->init);
    dpr__options_write(training, &text);
    dpr__text_add(&text, "\n%s", given->net);
    if (text.status == DPR_OK) {
        dpr__sha256_init(&hash);
        dpr__sha256_add(&hash, text.data, text.length);
        dpr__sha256_finish(&hash, digest);
        dpr__sha256_hex(digest, hex);
        memcpy(key, hex, DPR__SWEEP_KEY - 1);
        key[DPR__SWEEP_KEY - 1] = '\0';
    }
    dpr__text_release(&text);
    return text.status;
}

const dpr__sweep_result *dpr__sweep_find(const dpr_sweep *sweep, const char *key) {
    for (size_t i = 0; i < sweep->n_entries; i++)
        if (strcmp(sweep->entries[i].key, key) == 0)
            return &sweep->entries[i].result;
    return NULL;
}

/* ---- reading ---- */

/* A number, or null for one that there is not. */
static bool read_real(dpr_context *context, const dpr__json *line, const char *key, double low,
                      double high, double *out) {
    const dpr__json *value = dpr__json_get(line, key);
    *out = (double)NAN;
    if (value == NULL || value->type == DPR__JSON_NULL)
        return value != NULL;
    return dpr__json_double(context, value, out) && *out >= low && *out <= high;
}

static bool read_epochs(const dpr__json *line, unsigned *out) {
    uint64_t value;
    if (!dpr__json_u64(dpr__json_get(line, "epochs"), &value) || value > UINT32_MAX)
        return false;
    *out = (unsigned)value;
    return true;
}

static bool read_entry(dpr_context *context, const dpr__json *line, dpr__sweep_entry *out) {
    const char *key = dpr__json_string(dpr__json_get(line, "run"));
    const char *weights = dpr__json_string(dpr__json_get(line, "weights_sha256"));
    const dpr__json *diverged = dpr__json_get(line, "diverged");
    dpr__sweep_result *r = &out->result;
    if (key == NULL || strlen(key) != DPR__SWEEP_KEY - 1 || weights == NULL ||
        strlen(weights) >= sizeof r->weights_sha256 || diverged == NULL ||
        (diverged->type != DPR__JSON_TRUE && diverged->type != DPR__JSON_FALSE))
        return false;
    strcpy(out->key, key);
    strcpy(r->weights_sha256, weights);
    r->diverged = diverged->type == DPR__JSON_TRUE;
    r->done = true;
    return read_real(context, line, "val_accuracy", 0, 1, &r->val_accuracy) &&
           read_real(context, line, "val_loss", 0, HUGE_VAL, &r->val_loss) &&
           read_real(context, line, "test_accuracy", 0, 1, &r->test_accuracy) &&
           read_real(context, line, "seconds", 0, HUGE_VAL, &r->seconds) &&
           read_epochs(line, &r->epochs);
}

/* Takes the line, also where it fails. */
static dpr_status add_entry(dpr_sweep *sweep, dpr_context *own, const dpr__sweep_entry *entry) {
    dpr_status status = dpr__grow(own, &sweep->entries, &sweep->entries_capacity,
                                  sweep->n_entries + 1, sizeof *sweep->entries);
    if (status == DPR_OK)
        sweep->entries[sweep->n_entries++] = *entry;
    else
        dpr__free(own, entry->line);
    return status;
}

static dpr_status read_line(dpr_sweep *sweep, const char *path, unsigned number, const char *at,
                            size_t n) {
    dpr_context *context = sweep->context;
    dpr__sweep_entry entry;
    const dpr__json *line;
    char name[32];
    dpr__format(context, name, sizeof name, "line %u", number);
    dpr_status status = dpr__json_parse(&sweep->arena, name, at, n, &line);
    if (status == DPR_OK && !read_entry(context, line, &entry))
        status = DPR_FAIL(context, DPR_E_FORMAT, "%s is no run of a sweep", name);
    if (status == DPR_E_FORMAT)
        dpr__error_prefix(context, "'%s' is damaged; its run is made again without the line", path);
    DPR_TRY(status);
    entry.line = NULL;
    return add_entry(sweep, context, &entry);
}

static dpr_status read_runs(dpr_sweep *sweep, const char *path) {
    uint8_t *bytes;
    size_t n, at = 0;
    DPR_TRY(dpr__file_read(sweep->context, path, MOST_BYTES, &bytes, &n));
    dpr_status status = DPR_OK;
    size_t whole = n;
    while (whole > 0 && bytes[whole - 1] != '\n')
        whole--;
    if (whole < n) /* a crash, while the last line was written */
        status = dpr__file_write(sweep->context, path, bytes, whole);
    sweep->bytes = n = whole;
    for (unsigned line = 1; status == DPR_OK && at < n; line++) {
        const uint8_t *end = memchr(bytes + at, '\n', n - at);
        size_t length = (size_t)(end - bytes) - at;
        if (length > 0)
            status = read_line(sweep, path, line, (const char *)bytes + at, length);
        at += length + 1;
    }
    dpr__free(sweep->context, bytes);
    return status;
}

dpr_status dpr__sweep_open(dpr_sweep *sweep) {
    dpr_context *context = sweep->context;
    char *path;
    DPR_TRY(dpr__directories_make(context, sweep->options.directory));
    DPR_TRY(dpr__path_join(context, sweep->options.directory, FILE_NAME, &path));
    dpr_status status = dpr__file_try_write(context, path);
    if (status == DPR_OK && dpr__file_exists(path))
        status = read_runs(sweep, path);
    dpr__free(context, path);
    return status;
}

/* ---- writing ---- */

dpr_status dpr__sweep_keep(dpr_sweep *sweep, dpr_context *own, const char *key, char *line,
                           const dpr__sweep_result *result) {
    dpr__sweep_entry entry = {.line = line, .result = *result};
    dpr__text text;
    char *path = NULL;
    memcpy(entry.key, key, sizeof entry.key);
    DPR_TRY(add_entry(sweep, own, &entry));
    dpr__text_init(&text, own);
    dpr__text_add(&text, "%s\n", line);
    dpr_status status = text.status;
    if (status == DPR_OK && sweep->bytes + text.length > MOST_BYTES)
        status = DPR_FAIL(own, DPR_E_IO, "%s", too_many);
    if (status == DPR_OK)
        status = dpr__path_join(own, sweep->options.directory, FILE_NAME, &path);
    if (status == DPR_OK)
        status = dpr__file_append(own, path, text.data, text.length);
    if (status == DPR_OK)
        sweep->bytes += text.length;
    dpr__free(own, path);
    dpr__text_release(&text);
    return status;
}

/* At most so many bytes a line, of which JSON may write each of a name as six. */
dpr_status dpr__sweep_check_size(const dpr_sweep *sweep) {
    enum { NUMBERS = 640, WIDTH = 11, ESCAPED = 6 };
    double bytes = 0;
    for (size_t i = 0; i < sweep->options.n_cases; i++) {
        double line = NUMBERS + ESCAPED * (double)strlen(sweep->plans[i].label) +
                      (double)WIDTH * sweep->rows[i].depth;
        bytes += line * (sweep->options.seeds + (sweep->plans[i].tuned ? DPR__SWEEP_RATES : 0) + 1);
    }
    return bytes <= MOST_BYTES ? DPR_OK : DPR_FAIL(sweep->context, DPR_E_ARGUMENT, "%s", too_many);
}

void dpr__sweep_add_real(dpr__text *text, const char *key, double value) {
    dpr__text_add(text, ",\"%s\":", key);
    if (isfinite(value))
        dpr__json_add_double(text, value);
    else
        dpr__text_add(text, "null");
}

dpr_status dpr__sweep_line(const dpr_sweep *sweep, dpr_context *own, size_t i, const char *key,
                           dpr__sweep_kind kind, const dpr_train_options *training,
                           const dpr__sweep_result *result, char **out) {
    const dpr_sweep_row *row = &sweep->rows[i];
    dpr__text text;
    dpr__text_init(&text, own);
    dpr__text_add(&text, "{\"run\":\"%s\",\"kind\":\"%s\",\"net\":", key, kinds[kind]);
    dpr__text_json(&text, row->name);
    dpr__text_add(&text, ",\"settings\":");
    dpr__text_json(&text, row->settings);
    dpr__text_add(&text, ",\"depth\":%u,\"widths\":[", row->depth);
    for (unsigned k = 0; k < row->depth; k++)
        dpr__text_add(&text, "%s%u", k > 0 ? "," : "", row->widths[k]);
    dpr__text_add(&text, "],\"parameters\":%llu,\"seed\":%llu", (unsigned long long)row->parameters,
                  (unsigned long long)training->seed);
    dpr__sweep_add_real(&text, "val_accuracy", result->val_accuracy);
    dpr__sweep_add_real(&text, "test_accuracy", result->test_accuracy);
    dpr__sweep_add_real(&text, "val_loss", result->val_loss);
    dpr__sweep_add_real(&text, "lr", training->learning_rate);
    dpr__text_add(&text, ",\"epochs\":%u,\"flops\":%.0f,\"diverged\":%s,\"weights_sha256\":\"%s\"",
                  result->epochs, dpr__sweep_flops(sweep, i, result->epochs),
                  result->diverged ? "true" : "false", result->weights_sha256);
    dpr__sweep_add_real(&text, "seconds", result->seconds);
    dpr__text_add(&text, "}");
    return dpr__text_finish(&text, out);
}

/* ---- CSV ---- */

/* A field of RFC 4180. */
static void add_field(dpr__text *text, const char *field) {
    dpr__text_add(text, "\"");
    for (const char *p = field; *p != '\0'; p++)
        dpr__text_add(text, *p == '"' ? "\"\"" : "%c", *p);
    dpr__text_add(text, "\",");
}

static void csv_real(dpr__text *text, double value) {
    if (isfinite(value))
        dpr__json_add_double(text, value);
    dpr__text_add(text, ",");
}

static void add_csv_run(dpr__text *text, const dpr_sweep *sweep, const dpr_sweep_run *run) {
    const dpr_sweep_row *row = &sweep->rows[run->case_index];
    add_field(text, row->name);
    add_field(text, row->settings);
    dpr__text_add(text, "%u,\"", row->depth);
    for (unsigned k = 0; k < row->depth; k++)
        dpr__text_add(text, "%s%u", k > 0 ? "-" : "", row->widths[k]);
    dpr__text_add(text, "\",%llu,%llu,", (unsigned long long)row->parameters,
                  (unsigned long long)run->seed);
    csv_real(text, run->val_accuracy);
    csv_real(text, run->test_accuracy);
    csv_real(text, row->learning_rate);
    dpr__text_add(text, "%u,%llu,%d,%s\n", run->epochs, (unsigned long long)run->flops,
                  run->diverged, run->weights_sha256);
}

dpr_status dpr__sweep_write_csv(const dpr_sweep *sweep) {
    dpr__text text;
    dpr__text_init(&text, sweep->context);
    dpr__text_add(&text, "net,settings,depth,widths,parameters,seed,val_accuracy,test_accuracy,lr,"
                         "epochs,flops,diverged,weights_sha256\n");
    for (size_t i = 0; i < sweep->n_runs; i++)
        if (sweep->runs[i].done)
            add_csv_run(&text, sweep, &sweep->runs[i]);
    return dpr__sweep_write(sweep, "runs.csv", &text, text.status);
}
