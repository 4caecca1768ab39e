/* The report's part about the health of the training (train/health.h), as the run record tells it: the sentences are the library's. */
#include "base/context.h"
#include "train/health.h"
#include "view/report.h"

static dpr_status add_finding(dpr__text *page, const dpr_ailment *finding) {
    char *text;
    DPR_TRY(dpr_ailment_text(page->context, finding, &text));
    dpr__text_add(page, "<li><strong>%s</strong>, in epoch ", dpr_cause_word(finding->cause));
    dpr__page_count(page, finding->epoch);
    dpr__text_add(page, ", step ");
    dpr__page_count(page, finding->step);
    dpr__text_add(page, ": ");
    dpr__page_text(page, text);
    dpr__text_add(page, ".</li>\n");
    dpr__free(page->context, text);
    return DPR_OK;
}

/* What a record that no run wrote says wrongly is left out. */
static dpr_status add_findings(dpr__text *page, const dpr_model *model, const dpr__json *health) {
    dpr_ailment finding;
    dpr__text_add(page, "<ul>\n");
    for (const dpr__json *item = health->first; item != NULL; item = item->next)
        if (dpr__finding_read(page->context, model, item, &finding))
            DPR_TRY(add_finding(page, &finding));
    dpr__text_add(page, "</ul>\n");
    return DPR_OK;
}

dpr_status dpr__report_health(dpr__text *page, const dpr_model *model, const dpr__json *record) {
    const dpr__json *health = dpr__json_get(record, "health");
    uint64_t looks = 0;
    dpr_status status = DPR_OK;
    dpr__json_u64(dpr__json_get(record, "looks"), &looks);
    dpr__text_add(page, "<section id=\"health\"><h2>Training health</h2>\n");
    if (health == NULL)
        dpr__text_add(page, "<p>The run record tells nothing of it.</p>\n");
    else if (health->n > 0)
        status = add_findings(page, model, health);
    else if (looks > 0)
        dpr__text_add(page, "<p>No finding: loss, accuracy, learning rate, units and gradients "
                            "show nothing that is known to go wrong.</p>\n");
    else
        dpr__text_add(page, "<p>No finding, but the run is too short to be judged.</p>\n");
    dpr__text_add(page, "</section>\n");
    return status;
}
