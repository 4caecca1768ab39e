/* Same pixels: within a half, across the halves, in two classes. */
#include "data/check.h"

/* The first of a group that is in the test half, or not. A validation part counts as training half. */
static const dpr__look *first_of(const dpr__checking *c, const uint32_t *group, size_t n,
                                 bool test) {
    for (size_t i = 0; i < n; i++)
        if ((c->looks.looks[group[i]].half == DPR_TEST) == test)
            return &c->looks.looks[group[i]];
    return NULL;
}

/* The first of the group is the one that the others are copies of; a test image is one of a training image where there is one. */
static dpr_status check_group(dpr__checking *c, const uint32_t *group, size_t n,
                              dpr__suspects *labels, dpr__suspects *across, dpr__suspects *again) {
    const dpr__look *of_train = first_of(c, group, n, false),
                    *of_test = first_of(c, group, n, true);
    for (size_t i = 0; i < n; i++) {
        const dpr__look *look = &c->looks.looks[group[i]], *first = &c->looks.looks[group[0]];
        bool test = look->half == DPR_TEST;
        const dpr__look *twin = of_train != NULL ? of_train : of_test;
        const dpr_suspect copy = dpr__check_suspect(c, look, twin);
        const dpr_suspect other = dpr__check_suspect(c, look, first);
        if (look->label != first->label)
            DPR_TRY(dpr__suspects_add(c, labels, &other));
        if (test && of_train != NULL)
            DPR_TRY(dpr__suspects_add(c, across, &copy));
        else if (look != twin && look->label == twin->label)
            DPR_TRY(dpr__suspects_add(c, again, &copy));
    }
    return DPR_OK;
}

static dpr_status check_groups(dpr__checking *c, const uint32_t *sorted, dpr__suspects *labels,
                               dpr__suspects *across, dpr__suspects *again) {
    const dpr__look *looks = c->looks.looks;
    for (size_t i = 0, end; i < c->looks.n; i = end) {
        for (end = i + 1; end < c->looks.n && looks[sorted[end]].hash == looks[sorted[i]].hash;)
            end++;
        if (end - i > 1 && !c->features[looks[sorted[i]].item].blank)
            DPR_TRY(check_group(c, sorted + i, end - i, labels, across, again));
    }
    return DPR_OK;
}

dpr_status dpr__check_duplicates(dpr__checking *c, const uint32_t *sorted) {
    dpr__suspects labels = {0}, across = {0}, again = {0};
    dpr_status status = check_groups(c, sorted, &labels, &across, &again);
    if (status == DPR_OK)
        status = dpr__check_found(c, DPR_FINDING_TWO_LABELS, &labels);
    if (status == DPR_OK)
        status = dpr__check_found(c, DPR_FINDING_ACROSS, &across);
    if (status == DPR_OK)
        status = dpr__check_found(c, DPR_FINDING_DUPLICATE, &again);
    dpr__free(c->context, labels.list);
    dpr__free(c->context, across.list);
    dpr__free(c->context, again.list);
    return status;
}
