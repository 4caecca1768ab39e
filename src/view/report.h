/* The parts of a report (report.c). */
#ifndef DPR_VIEW_REPORT_H
#define DPR_VIEW_REPORT_H

#include "train/json.h"
#include "train/model.h"
#include "view/outcome.h"
#include "view/page.h"

struct dpr_report {
    dpr_context *context;
    dpr_model *model;
    bool tested;
    dpr__outcome outcome; /* where tested */
};

/* Sections of the page, in its order. `record`: the run record; NULL where there is none. */
dpr_status dpr__report_training(dpr__text *page, const dpr__json *record);
dpr_status dpr__report_health(dpr__text *page, const dpr_model *model, const dpr__json *record);
void dpr__report_results(dpr__text *page, const dpr_report *report);
dpr_status dpr__report_mistakes(dpr__text *page, const dpr_report *report);
dpr_status dpr__report_network(dpr__text *page, const dpr_report *report, const dpr__json *record);
dpr_status dpr__report_reproduce(dpr__text *page, const dpr_report *report,
                                 const dpr__json *record);

/* Pairs of classes whose images the page shows, so that the confusion matrix can point to them. */
bool dpr__report_shows_pair(const dpr_report *report, uint32_t true_class, uint32_t predicted);

#endif
