/* The report's recipe: what made the model, so that it can be made again. */
#include "base/context.h"
#include "view/report.h"
#include <string.h>

/* Rows of the table, from the run record. */
static const struct {
    const char *key, *title;
} rows[] = {{"data", "data"},
            {"images", "training images"},
            {"data_sha256", "SHA-256 of the training images"},
            {"init_seed", "seed"},
            {"version", "deeper"},
            {"isa", "instructions"},
            {"precision", "precision"},
            {"device", "device"},
            {"threads", "threads (they change no bit)"},
            {"epochs_done", "epochs done"},
            {"steps_done", "steps done"}};

static void add_row(dpr__text *page, const char *title, const char *text) {
    dpr__text_add(page, "<tr><th scope=\"row\">%s</th><td>", title);
    dpr__page_text(page, text);
    dpr__text_add(page, "</td></tr>\n");
}

static void add_record(dpr__text *page, const dpr__json *record) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const dpr__json *value = dpr__json_get(record, rows[i].key);
        if (value != NULL && value->text != NULL && *value->text != '\0')
            add_row(page, rows[i].title, value->text);
    }
}

static void add_options(dpr__text *page, const dpr__json *options) {
    dpr__text_add(page, "<details><summary>All options</summary>\n");
    dpr__page_table(page, NULL, "Options of the training");
    dpr__text_add(page, "<tbody>\n");
    for (const dpr__json *one = options->first; one != NULL; one = one->next) {
        dpr__text_add(page, "<tr><th scope=\"row\">");
        dpr__page_text(page, one->key);
        dpr__text_add(page, "</th><td>");
        if (one->type == DPR__JSON_TRUE || one->type == DPR__JSON_FALSE)
            dpr__text_add(page, one->type == DPR__JSON_TRUE ? "yes" : "no");
        for (const dpr__json *item = one->first; item != NULL; item = item->next) {
            dpr__page_text(page, item->text != NULL ? item->text : "");
            dpr__text_add(page, "<br>");
        }
        dpr__page_text(page, one->text != NULL ? one->text : "");
        dpr__text_add(page, "</td></tr>\n");
    }
    dpr__text_add(page, "</tbody></table></div></details>\n");
}

dpr_status dpr__report_reproduce(dpr__text *page, const dpr_report *report,
                                 const dpr__json *record) {
    char sha256[65];
    const char *command = dpr__json_string(dpr__json_get(record, "command"));
    DPR_TRY(dpr_model_weights_sha256(report->model, sha256));
    dpr__text_add(page, "<section id=\"reproduce\"><h2>Reproduce</h2>\n");
    if (command != NULL && *command != '\0') {
        dpr__text_add(page, "<p>What was asked for. With the same images and instructions it gives "
                            "the same weights, to the last bit; but not where a run went on "
                            "elsewhere, or got more epochs when it was done.</p>\n<pre><code>");
        dpr__page_text(page, command);
        dpr__text_add(page, "</code></pre>\n");
    }
    dpr__page_table(page, NULL, "What the weights depend on");
    dpr__text_add(page, "<tbody>\n");
    add_record(page, record);
    add_row(page, "SHA-256 of the weights", sha256);
    dpr__text_add(page, "</tbody></table></div>\n");
    if (dpr__json_get(record, "options") != NULL)
        add_options(page, dpr__json_get(record, "options"));
    dpr__text_add(page, "</section>\n");
    return page->status;
}
