/* Reading rules and finding their parameters. A later rule overrides an earlier one, setting by setting. */
#include "train/groups.h"
#include "base/context.h"
#include "base/text.h"
#include <math.h>
#include <string.h>

/* X(name, word, the value that is wanted) */
#define SETTING_MAP(X)                                                                             \
    X(RATE, "lr", "a factor of the learning rate, from 0 to 1000000")                              \
    X(DECAY, "decay", "a weight decay from 0 to 1000")                                             \
    X(MOMENTUM, "momentum", "a number from 0 to below 1")                                          \
    X(OPTIMIZER, "optimizer", "an optimizer")                                                      \
    X(SCHEDULE, "schedule", "a schedule")                                                          \
    X(FREEZE, "freeze", "no value")                                                                \
    X(FREEZE_UNTIL, "freeze-until", "epochs, as 2 or 0.5, or steps, as 100steps")                  \
    X(FREEZE_AFTER, "freeze-after", "epochs, as 2 or 0.5, or steps, as 100steps")

enum setting {
#define X(name, word, wanted) name,
    SETTING_MAP(X)
#undef X
        N_SETTINGS
};

static const char *const words[N_SETTINGS] = {
#define X(name, word, wanted) [name] = word,
    SETTING_MAP(X)
#undef X
};

static const char *const wanted[N_SETTINGS] = {
#define X(name, word, wanted) [name] = wanted,
    SETTING_MAP(X)
#undef X
};

/* One setting as it is read. */
struct value {
    enum setting setting;
    double number;
    bool steps; /* number counts updates, not epochs */
    size_t word;
};

enum { MOST_TEXT = 128 }; /* of a pattern or a setting, its end included */

/* ---- reading ---- */

static dpr_status bad(dpr_context *context, const char *rule, const char *what, const char *given,
                      const char *must) {
    return DPR_FAIL(context, DPR_E_ARGUMENT, "group '%.200s': %s '%s' must be %s", rule, what,
                    given, must);
}

/* Index of `given` among the words; an error lists them. */
static dpr_status find_word(dpr_context *context, const char *rule, const char *what,
                            const char *given, const char *const *list, size_t n, size_t *out) {
    char must[256] = "one of ";
    for (size_t i = 0; i < n; i++) {
        if (strcmp(given, list[i]) == 0) {
            *out = i;
            return DPR_OK;
        }
        strcat(must, i > 0 ? ", " : "");
        strcat(must, list[i]);
    }
    const char *near = dpr_nearest_word(given, list, n);
    if (near != NULL)
        dpr__format(context, must + strlen(must), sizeof must - strlen(must),
                    "; did you mean '%s'?", near);
    return bad(context, rule, what, given, must);
}

/* "2", "0.5" epochs; "100steps". */
static bool read_time(dpr_context *context, const char *text, struct value *out) {
    char number[MOST_TEXT];
    size_t n = strlen(text);
    strcpy(number, text);
    out->steps = n > 5 && strcmp(text + n - 5, "steps") == 0;
    if (out->steps)
        number[n - 5] = 0;
    return dpr__parse_double(context, number, &out->number) && out->number >= 0 &&
           out->number <= (out->steps ? 1e12 : 1e6) &&
           (!out->steps || out->number == floor(out->number));
}

static dpr_status read_value(dpr_context *context, const char *rule, const char *text,
                             struct value *out) {
    static const double most[N_SETTINGS] = {[RATE] = 1e6, [DECAY] = 1000, [MOMENTUM] = 1};
    const char *what = words[out->setting];
    bool good = true;
    switch (out->setting) {
    case OPTIMIZER:
        return find_word(context, rule, what, text, dpr__optimizer_words, DPR__N_OPTIMIZERS,
                         &out->word);
    case SCHEDULE:
        return find_word(context, rule, what, text, dpr__schedule_words, DPR__N_SCHEDULES,
                         &out->word);
    case FREEZE:
        good = text[0] == 0;
        break;
    case FREEZE_UNTIL:
    case FREEZE_AFTER:
        good = read_time(context, text, out);
        break;
    default:
        good = dpr__parse_double(context, text, &out->number) && out->number >= 0 &&
               out->number <= most[out->setting] && (out->setting != MOMENTUM || out->number < 1);
        break;
    }
    return good ? DPR_OK : bad(context, rule, what, text, wanted[out->setting]);
}

/* The next setting of a rule; *at moves behind it. */
static dpr_status read_setting(dpr_context *context, const char *rule, const char **at,
                               struct value *out) {
    char text[MOST_TEXT];
    size_t n = strcspn(*at, ","), which = 0;
    if (n >= sizeof text)
        return DPR_FAIL(context, DPR_E_ARGUMENT, "group '%.200s': a setting is too long", rule);
    memcpy(text, *at, n);
    text[n] = 0;
    *at += n + ((*at)[n] == ',' && (*at)[n + 1] != 0);
    char *equals = strchr(text, '=');
    if (equals != NULL)
        *equals = 0;
    DPR_TRY(find_word(context, rule, "setting", text, words, N_SETTINGS, &which));
    *out = (struct value){.setting = (enum setting)which};
    return read_value(context, rule, equals != NULL ? equals + 1 : "", out);
}

/* Cuts the pattern off; *at is the first setting. */
static dpr_status read_pattern(dpr_context *context, const char *rule, char pattern[MOST_TEXT],
                               const char **at) {
    size_t n = strcspn(rule, ":");
    if (n == 0 || n >= MOST_TEXT || rule[n] == 0 || rule[n + 1] == 0)
        return DPR_FAIL(context, DPR_E_ARGUMENT,
                        "group '%.200s' must be PATTERN:SETTING,..., as in "
                        "'batchnorm_*:decay=0,lr=2'",
                        rule);
    memcpy(pattern, rule, n);
    pattern[n] = 0;
    *at = rule + n + 1;
    return DPR_OK;
}

dpr_status dpr__groups_check(dpr_context *context, const char *const *rules) {
    for (; rules != NULL && *rules != NULL; rules++) {
        char pattern[MOST_TEXT];
        const char *at;
        DPR_TRY(read_pattern(context, *rules, pattern, &at));
        for (struct value value; *at != 0;)
            DPR_TRY(read_setting(context, *rules, &at, &value));
    }
    return DPR_OK;
}

/* ---- who is meant ---- */

/* `*` stands for any characters, `?` for one. After a mismatch the last star takes one character more. */
static bool matches(const char *pattern, const char *name) {
    const char *star = NULL, *from = NULL;
    while (*name != 0)
        if (*pattern == '*') {
            star = ++pattern;
            from = name;
        } else if (*pattern == '?' || *pattern == *name) {
            pattern++;
            name++;
        } else if (star != NULL) {
            pattern = star;
            name = ++from;
        } else {
            return false;
        }
    return pattern[strspn(pattern, "*")] == 0;
}

/* Two words stand for patterns: a matrix or kernel has rank 2 or more; biases, and scale and shift of a normalisation,
 * less. Names of parameters have a dot in them, so that none is hidden. */
static bool in_group(const char *pattern, const dpr__slot *slot) {
    if (strcmp(pattern, "matrices") == 0)
        return slot->shape.rank >= 2;
    if (strcmp(pattern, "vectors") == 0)
        return slot->shape.rank < 2;
    return matches(pattern, slot->name);
}

static dpr_status nobody(const dpr_store *store, const char *rule, const char *pattern) {
    dpr__text names;
    dpr__text_init(&names, store->context);
    for (size_t i = 0; i < store->n_slots && names.length < 1000; i++)
        if (store->slots[i].kind == DPR_PARAMETER)
            dpr__text_add(&names, "%s%s", names.length > 0 ? ", " : "", store->slots[i].name);
    dpr_status status = names.status;
    if (status == DPR_OK)
        status = DPR_FAIL(store->context, DPR_E_ARGUMENT,
                          "group '%.200s': no parameter is called '%s'; there are %.1000s%s; "
                          "'matrices' and 'vectors' stand for all of rank 2 and more, and less",
                          rule, pattern, names.length > 0 ? names.data : "none",
                          names.length >= 1000 ? ", ..." : "");
    dpr__text_release(&names);
    return status;
}

/* ---- what is said of them ---- */

/* What rules have said of a parameter; negative numbers: nothing. */
struct member {
    const dpr__slot *slot;
    int kind;
    double factor, decay, momentum;
    bool frozen;
    dpr__rate_rule rate;
};

static uint64_t updates_of(const struct value *value, const dpr__rate_schedule *schedule) {
    return (uint64_t)llround(value->steps ? value->number
                                          : value->number * (double)schedule->steps);
}

static void apply(const struct value *value, struct member *member) {
    switch (value->setting) {
    case RATE:
        member->factor = value->number;
        break;
    case DECAY:
        member->decay = value->number;
        break;
    case MOMENTUM:
        member->momentum = value->number;
        break;
    case OPTIMIZER:
        member->kind = (int)value->word;
        break;
    case SCHEDULE:
        member->rate.schedule.kind = (dpr__schedule_kind)value->word;
        member->rate.own = true;
        break;
    case FREEZE:
        member->frozen = true;
        break;
    case FREEZE_UNTIL:
        member->rate.first = updates_of(value, &member->rate.schedule);
        break;
    case FREEZE_AFTER:
        member->rate.end = updates_of(value, &member->rate.schedule);
        break;
    case N_SETTINGS:
        break;
    }
}

static dpr_status apply_rules(dpr_context *context, const char *const *rules,
                              struct member *member) {
    const dpr__slot *slot = member->slot;
    for (; rules != NULL && *rules != NULL; rules++) {
        char pattern[MOST_TEXT];
        const char *at;
        DPR_TRY(read_pattern(context, *rules, pattern, &at));
        if (!in_group(pattern, slot))
            continue;
        for (struct value value; *at != 0; apply(&value, member))
            DPR_TRY(read_setting(context, *rules, &at, &value));
    }
    if (member->rate.first >= member->rate.end && !member->frozen)
        return DPR_FAIL(context, DPR_E_ARGUMENT,
                        "group: '%s' would never be trained: freeze-until is not before "
                        "freeze-after; say 'freeze' where that is meant",
                        slot->name);
    if (member->kind == DPR__OPTIMIZER_MUON && slot->shape.rank < 2)
        return DPR_FAIL(context, DPR_E_ARGUMENT,
                        "group: optimizer 'muon' is for matrices and kernels, and '%s' is a vector",
                        slot->name);
    return DPR_OK;
}

/* The optimiser, and with it the peak of the member's course. */
static dpr__optimizer settle_optimizer(const dpr__manner *manner, struct member *member) {
    bool vector = member->slot->shape.rank < 2;
    bool by_muon = manner->optimizer.kind == DPR__OPTIMIZER_MUON;
    bool rest = by_muon && (member->kind < 0 ? vector : member->kind != DPR__OPTIMIZER_MUON);
    dpr__optimizer optimizer = rest ? manner->rest : manner->optimizer;
    if (rest)
        member->rate.schedule.peak = manner->rest_rate;
    if (member->kind >= 0)
        optimizer.kind = (dpr__optimizer_kind)member->kind;
    if (member->momentum >= 0)
        optimizer.momentum = member->momentum;
    if (member->decay >= 0)
        optimizer.weight_decay = optimizer.vector_decay = member->decay;
    return optimizer;
}

/* One course serves all parameters that it is the same for. */
static bool same_course(const dpr__rate_rule *a, const dpr__rate_rule *b) {
    return a->schedule.kind == b->schedule.kind && a->schedule.peak == b->schedule.peak &&
           a->first == b->first && a->end == b->end && a->own == b->own;
}

/* What a schedule over the member's own updates counts to. */
static void settle_course(struct member *member) {
    dpr__rate_rule *rule = &member->rate;
    uint64_t all = rule->schedule.epochs * rule->schedule.steps;
    uint64_t end = rule->end < UINT64_MAX ? rule->end : all;
    rule->schedule.peak *= member->factor;
    if (rule->own && end > rule->first)
        rule->schedule.total = end - rule->first;
}

/* The member's course, found or added. */
static dpr_status find_rate(dpr_context *context, struct member *member, dpr__groups *groups,
                            dpr__update_rule *group) {
    size_t i = 0;
    if (member->frozen)
        return DPR_OK;
    settle_course(member);
    while (i < groups->n_rates && !same_course(&groups->rate[i], &member->rate))
        i++;
    if (i == groups->n_rates) {
        DPR_TRY(dpr__grow(context, &groups->rate, &groups->rates_capacity, i + 1,
                          sizeof *groups->rate));
        groups->rate[groups->n_rates++] = member->rate;
    }
    groups->rate[i].used = true;
    if (group->optimizer.kind == DPR__OPTIMIZER_ADAMW)
        groups->rate[i].adam = true;
    group->rate = i;
    return DPR_OK;
}

/* Every pattern is somebody's, and somebody is trained. */
static dpr_status check_groups(const dpr_store *store, const char *const *rules,
                               const dpr__groups *groups) {
    bool trains = false;
    for (size_t i = 0; i < groups->n; i++)
        trains = trains || !groups->group[i].frozen;
    if (!trains && groups->n > 0)
        return DPR_FAIL(store->context, DPR_E_ARGUMENT,
                        "group: every parameter is frozen; leave some to be trained");
    for (; rules != NULL && *rules != NULL; rules++) {
        char pattern[MOST_TEXT];
        const char *at;
        bool found = false;
        DPR_TRY(read_pattern(store->context, *rules, pattern, &at));
        for (size_t i = 0; i < store->n_slots && !found; i++)
            found = store->slots[i].kind == DPR_PARAMETER && in_group(pattern, &store->slots[i]);
        if (!found)
            return nobody(store, *rules, pattern);
    }
    return DPR_OK;
}

dpr_status dpr__groups_resolve(const dpr_store *store, const char *const *rules,
                               const dpr__manner *manner, dpr__groups *out) {
    dpr_context *context = store->context;
    const dpr__rate_rule course = {.schedule = manner->schedule, .end = UINT64_MAX};
    DPR_TRY(dpr__groups_check(context, rules));
    DPR_TRY(dpr__allocate(context, store->n_parameters, sizeof *out->group, &out->group));
    DPR_TRY(dpr__grow(context, &out->rate, &out->rates_capacity, 1, sizeof *out->rate));
    out->rate[out->n_rates++] = course;
    for (size_t i = 0; i < store->n_slots; i++) {
        const dpr__slot *slot = &store->slots[i];
        struct member member = {
            .slot = slot, .kind = -1, .factor = 1, .decay = -1, .momentum = -1, .rate = course};
        if (slot->kind != DPR_PARAMETER)
            continue;
        dpr__update_rule *group = &out->group[slot->ordinal];
        DPR_TRY(apply_rules(context, rules, &member));
        group->optimizer = settle_optimizer(manner, &member);
        group->frozen = member.frozen;
        DPR_TRY(find_rate(context, &member, out, group));
        out->n++;
    }
    return check_groups(store, rules, out);
}

void dpr__groups_release(dpr_context *context, dpr__groups *groups) {
    dpr__free(context, groups->group);
    dpr__free(context, groups->rate);
    *groups = (dpr__groups){0};
}

bool dpr__rate_rule_active(const dpr__rate_rule *rule, uint64_t t) {
    return rule->first <= t && t < rule->end;
}

double dpr__rate_rule_rate(const dpr__rate_rule *rule, uint64_t t) {
    if (!dpr__rate_rule_active(rule, t))
        return 0;
    return dpr__schedule_rate(&rule->schedule, rule->own ? t - rule->first : t);
}

bool dpr__rate_rule_needs_total(const dpr__rate_rule *rule) {
    bool by_window = rule->own && rule->end != UINT64_MAX;
    return !by_window && dpr__schedule_needs_total(rule->schedule.kind);
}
