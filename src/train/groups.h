/* Parameter groups: in what the updates of parameters differ. A rule is PATTERN:SETTING[,SETTING…], as docs/training.md
 * tells. */
#ifndef DPR_TRAIN_GROUPS_H
#define DPR_TRAIN_GROUPS_H

#include "backend/store.h"
#include "train/optimizer.h"
#include "train/schedule.h"

/* One course of the learning rate, t counting the run's updates from 0. */
typedef struct dpr__rate_rule {
    dpr__rate_schedule schedule;
    uint64_t first, end; /* updates first ≤ t < end are made; end UINT64_MAX: to the last */
    bool own;            /* the schedule runs over these updates alone, not over the whole run */
    bool used;           /* by some parameter that is not frozen */
    bool adam;           /* some parameter's update needs AdamW's corrections */
} dpr__rate_rule;

typedef struct dpr__groups {
    dpr__update_rule *group; /* (n): of each parameter, in the order of the store's */
    size_t n;
    dpr__rate_rule *rate; /* (n_rates); rate[0] is the run's own */
    size_t n_rates, rates_capacity;
} dpr__groups;

/* The form of the rules alone, before there are parameters. rules: NULL-terminated, or NULL. Errors: DPR_E_ARGUMENT
 * names the rule, what is wrong, and what could stand there. */
dpr_status dpr__groups_check(dpr_context *context, const char *const *rules);
/* What parameters go by that no rule speaks of. Muon leaves some over: vectors, and what rules give another optimiser. */
typedef struct dpr__manner {
    dpr__optimizer optimizer, rest;
    dpr__rate_schedule schedule;
    double rest_rate; /* the schedule's peak for the rest */
} dpr__manner;

/* Who is in which group. Errors: as above; a pattern that no parameter has, with the names there are; updates that never
 * happen; muon for a vector; nothing left to train. Release *out in any case. */
dpr_status dpr__groups_resolve(const dpr_store *store, const char *const *rules,
                               const dpr__manner *manner, dpr__groups *out);
void dpr__groups_release(dpr_context *context, dpr__groups *groups);

/* Whether update t is made, and its learning rate; 0 where it is not. */
bool dpr__rate_rule_active(const dpr__rate_rule *rule, uint64_t t);
double dpr__rate_rule_rate(const dpr__rate_rule *rule, uint64_t t);
/* Whether another number of epochs would have changed the updates made so far. */
bool dpr__rate_rule_needs_total(const dpr__rate_rule *rule);

#endif
