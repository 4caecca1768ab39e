/* The report: one HTML page of what is known of a model. It draws from the model with its run record and from a test set; every number is the engine's, and
 * has all its digits in the page (page.h). The page's parts are in report_*.c. */
#include "view/report.h"
#include "base/context.h"
#include "base/file.h"
#include "view/features.h"
#include <string.h>

enum {
    FEATURE_SIDE = 48,         /* pictures of what units see are no larger, */
    FEATURES_END = 1850 << 10, /* and there are no more of them behind this byte of the page */
};

dpr_status dpr_report_create(dpr_model *model, const dpr_data *test, dpr_report **out) {
    dpr_report *report;
    dpr_context *context = model->context;
    DPR_TRY(dpr__allocate(context, 1, sizeof *report, &report));
    report->context = context;
    report->model = model;
    if (test != NULL && test->n > 0) {
        dpr_status status = dpr__outcome_make(model, test, &report->outcome);
        if (status != DPR_OK) {
            dpr_report_destroy(report);
            return status;
        }
        report->tested = true;
    }
    *out = report;
    return DPR_OK;
}

void dpr_report_destroy(dpr_report *report) {
    if (report == NULL)
        return;
    if (report->outcome.context != NULL)
        dpr__outcome_release(&report->outcome);
    dpr__free(report->context, report);
}

const dpr_evaluation *dpr_report_evaluation(const dpr_report *report) {
    return report->tested ? &report->outcome.evaluation : NULL;
}

/* ---- the page ---- */

static void add_summary(dpr__text *page, const dpr_report *report) {
    const dpr_evaluation *e = &report->outcome.evaluation;
    if (!report->tested) {
        dpr__text_add(page, "<p class=\"lead\">No test images were looked at.</p>\n");
        return;
    }
    dpr__text_add(page, "<p class=\"lead\" id=\"accuracy\">Test accuracy <strong>");
    dpr__page_share(page, e->accuracy);
    dpr__text_add(page, "</strong>: ");
    dpr__page_count(page, e->correct);
    dpr__text_add(page, " of ");
    dpr__page_count(page, e->n);
    dpr__text_add(page, " images right. The 95 %% interval is ");
    dpr__page_share(page, e->accuracy_low);
    dpr__text_add(page, " to ");
    dpr__page_share(page, e->accuracy_high);
    dpr__text_add(page, "; the mean loss is ");
    dpr__page_number(page, e->loss, 4);
    dpr__text_add(page, ".");
    if (strcmp(dpr_model_tta(report->model), "none") != 0) {
        dpr__text_add(page, " Without test-time augmentation (%s) it would be ",
                      dpr_model_tta(report->model));
        dpr__page_share(page, e->accuracy_plain);
        dpr__text_add(page, ".");
    }
    dpr__text_add(page, "</p>\n");
}

static void add_contents(dpr__text *page, const dpr_report *report, const dpr_features *features) {
    const struct {
        const char *id, *title;
        bool there;
    } parts[] = {{"training", "Training", true},
                 {"health", "Health", true},
                 {"results", "Results", report->tested},
                 {"mistakes", "Mistakes", report->tested},
                 {"features", "Features", features != NULL},
                 {"network", "Network", true},
                 {"reproduce", "Reproduce", true}};
    dpr__text_add(page, "<nav aria-label=\"Contents\"><ul>\n");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i].there)
            dpr__text_add(page, "<li><a href=\"#%s\">%s</a></li>\n", parts[i].id, parts[i].title);
    dpr__text_add(page, "</ul></nav>\n");
}

/* From the begin of the page to that of its sections. */
static void begin(dpr__text *page, const char *name) {
    dpr__page_begin(page, name);
    dpr__text_add(page, "<header><h1>");
    dpr__page_text(page, name);
    dpr__text_add(page, "</h1>\n");
}

static dpr_status read_record(dpr__arena *arena, const char *run, const dpr__json **out) {
    *out = NULL;
    return *run != '\0' ? dpr__json_parse(arena, "run record", run, strlen(run), out) : DPR_OK;
}

static dpr_status add_sections(dpr__text *page, const dpr_report *report,
                               const dpr_features *features, const dpr__json *record) {
    DPR_TRY(dpr__report_training(page, record));
    DPR_TRY(dpr__report_health(page, report->model, record));
    if (report->tested) {
        dpr__report_results(page, report);
        DPR_TRY(dpr__report_mistakes(page, report));
    }
    if (features != NULL)
        DPR_TRY(dpr__features_section(page, features, FEATURE_SIDE, FEATURES_END));
    DPR_TRY(dpr__report_network(page, report, record));
    return dpr__report_reproduce(page, report, record);
}

static dpr_status make_page(const dpr_report *report, const dpr_features *features, const char *run,
                            const char *name, dpr__text *page) {
    dpr__arena arena;
    const dpr__json *record;
    dpr__arena_init(&arena, report->context);
    dpr_status status =
        read_record(&arena, run != NULL ? run : dpr_model_run(report->model), &record);
    if (status == DPR_OK) {
        begin(page, name);
        add_summary(page, report);
        add_contents(page, report, features);
        dpr__text_add(page, "</header>\n<main>\n");
        status = add_sections(page, report, features, record);
        dpr__text_add(page, "</main>\n");
        dpr__page_end(page);
    }
    dpr__arena_release(&arena);
    return status == DPR_OK ? page->status : status;
}

/* A first look: few units of few layers. *out NULL: images of these channels cannot be shown, or the slow reference device would take minutes for them. */
static dpr_status look_inside(const dpr_report *report, dpr_features **out) {
    int64_t channels = report->model->info.image.dim[2];
    dpr_features_options options = dpr_features_options_default();
    options.layers = 4;
    options.units = 6;
    options.steps = 64;
    options.images = 1000;
    *out = NULL;
    if ((channels != 1 && channels != 3) || report->context->device == DPR__DEVICE_REF)
        return DPR_OK;
    return dpr_features_create(report->model, report->tested ? report->outcome.data : NULL,
                               &options, out);
}

dpr_status dpr_report_write(const dpr_report *report, const char *run, const char *name,
                            const char *path) {
    dpr__text page;
    dpr_features *features;
    DPR_TRY(look_inside(report, &features));
    dpr__text_init(&page, report->context);
    dpr_status status =
        dpr__file_write_text(&page, make_page(report, features, run, name, &page), path);
    dpr_features_destroy(features);
    return status;
}

/* ---- while it trains ---- */

static void add_progress(dpr__text *page, const dpr__json *record) {
    uint64_t done = 0, all = 0;
    dpr__json_u64(dpr__json_get(record, "epochs_done"), &done);
    dpr__json_u64(dpr__json_get(dpr__json_get(record, "options"), "epochs"), &all);
    dpr__text_add(page,
                  "<p class=\"lead\" id=\"progress\">%llu of %llu epochs are done. This "
                  "page is written anew every 30 seconds while the training lasts: load it again "
                  "to see more.</p>\n</header>\n<main>\n",
                  (unsigned long long)done, (unsigned long long)all);
}

dpr_status dpr_report_write_progress(const dpr_model *model, const char *run, const char *name,
                                     const char *path) {
    dpr__text page;
    dpr__arena arena;
    const dpr__json *record;
    dpr__text_init(&page, model->context);
    dpr__arena_init(&arena, model->context);
    dpr_status status = read_record(&arena, run, &record);
    if (status == DPR_OK) {
        begin(&page, name);
        add_progress(&page, record);
        status = dpr__report_training(&page, record);
        if (status == DPR_OK)
            status = dpr__report_health(&page, model, record);
        dpr__text_add(&page, "</main>\n");
        dpr__page_end(&page);
    }
    dpr__arena_release(&arena);
    return dpr__file_write_text(&page, status == DPR_OK ? page.status : status, path);
}
