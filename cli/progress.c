/* The display of train (progress.h). */
#include "progress.h"
#include "json.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int terminal_columns(void) {
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

bool progress_has_terminal(void) {
    const char *terminal = getenv("TERM");
    return isatty(STDERR_FILENO) && terminal != NULL && strcmp(terminal, "dumb") != 0;
}

/* A loss that has gone astray may have forty digits. */
static const char *loss_text(double loss, char out[32]) {
    if (loss < 1e4)
        snprintf(out, 32, "%.4f", loss);
    else
        snprintf(out, 32, "%.3g", loss);
    return out;
}

double progress_left(const dpr_progress *now) {
    double share = now->steps > 0 ? (double)now->step / (double)now->steps : 0;
    double epochs_left = (double)(now->epochs - now->epoch) + 1 - share;
    return share > 0.01 ? now->seconds / share * epochs_left : (double)NAN;
}

/* "epoch 3/10 [#####.....] loss 0.1234  …": the bar takes what columns are left. */
void progress_bar(const struct progress *progress, const dpr_progress *now) {
    enum { WIDEST = 40, NARROWEST = 4 };
    char before[64], after[160], loss[32], eta[32], rate[32], bar[WIDEST + 4] = "";
    if (!progress->bar)
        return;
    double share = now->steps > 0 ? (double)now->step / (double)now->steps : 0;
    double left = progress_left(now);
    int columns = terminal_columns() - 1;
    int n = snprintf(before, sizeof before, "epoch %u/%u ", now->epoch, now->epochs);
    n += snprintf(after, sizeof after, "loss %s  train %.2f %%  %s images/s  ETA %s",
                  loss_text(now->loss, loss), 100 * now->accuracy,
                  grouped((uint64_t)now->images_per_second, rate),
                  isfinite(left) ? duration(left, eta) : "-");
    int width = columns - n - 3 < WIDEST ? columns - n - 3 : WIDEST;
    if (width >= NARROWEST) {
        memset(bar, '.', sizeof bar);
        memset(bar, '#', 1 + (size_t)(share * width));
        bar[0] = '[';
        strcpy(bar + 1 + width, "] ");
    }
    char line[320];
    snprintf(line, sizeof line, "%s%s%s", before, bar, after);
    fprintf(stderr, "\r\033[K%.*s", columns, line);
    fflush(stderr);
}

int progress_percent(void *user, size_t done, size_t of) {
    struct percent *percent = user;
    unsigned now = (unsigned)(100 * done / of);
    if (now != percent->shown)
        fprintf(stderr, "\r%s: %u %%%s", percent->doing, now, done == of ? "\n" : "");
    percent->shown = now;
    return 0;
}

void progress_clear(const struct progress *progress) {
    if (progress->bar)
        fputs("\r\033[K", stderr);
}

static out_value *epoch_json(const dpr_epoch_report *r) {
    out_value *line = out_object();
    out_set(line, "epoch", out_count(r->epoch));
    out_set(line, "loss", out_real(r->loss));
    out_set(line, "train_accuracy", out_real(r->accuracy));
    if (r->has_validation) {
        out_set(line, "val_accuracy", out_real(r->validation_accuracy));
        out_set(line, "val_accuracy_low", out_real(r->validation_low));
        out_set(line, "val_accuracy_high", out_real(r->validation_high));
        out_set(line, "val_loss", out_real(r->validation_loss));
    }
    out_set(line, "images_per_second", out_real(r->images_per_second));
    out_set(line, "lr", out_real(r->learning_rate));
    out_set(line, "seconds", out_real(r->seconds));
    return line;
}

static void print_line(const struct progress *progress, const dpr_epoch_report *r) {
    char loss[32], eta[32], rate[32];
    unsigned epochs = progress->epochs;
    double done = r->epoch - progress->first_epoch;
    double left = (now_seconds() - progress->began) / done * (epochs - r->epoch);
    printf("epoch %*u/%u  loss %s  train %.2f %%", snprintf(NULL, 0, "%u", epochs), r->epoch,
           epochs, loss_text(r->loss, loss), 100 * r->accuracy);
    if (r->has_validation)
        printf("  val %.2f %% (%.2f to %.2f)", 100 * r->validation_accuracy,
               100 * r->validation_low, 100 * r->validation_high);
    printf("  %s images/s  lr %.3g", grouped((uint64_t)r->images_per_second, rate),
           r->learning_rate);
    if (!r->finished)
        printf("  ETA %s", duration(left, eta));
    printf("%s\n", r->best && !r->finished ? "  best so far" : r->best ? "  best" : "");
    fflush(stdout);
}

void progress_epoch(const struct progress *progress, const dpr_epoch_report *report) {
    progress_clear(progress);
    if (progress->log != NULL)
        out_print(epoch_json(report), progress->log);
    if (progress->json)
        out_print(epoch_json(report), stdout);
    else if (!progress->quiet)
        print_line(progress, report);
}

static out_value *finding_json(const dpr_ailment *finding, const char *text) {
    out_value *found = out_object(), *line = out_object();
    out_set(found, "cause", out_text(dpr_cause_word(finding->cause)));
    out_set(found, "layer", out_text(finding->layer));
    out_set(found, "op", out_text(finding->op));
    out_set(found, "epoch", out_count(finding->epoch));
    out_set(found, "step", out_count(finding->step));
    out_set(found, "value", out_real(finding->value));
    out_set(found, "rate", out_real(finding->rate));
    out_set(found, "text", out_text(text));
    out_set(line, "health", found);
    return line;
}

void progress_finding(const struct progress *progress, const dpr_ailment *finding,
                      const char *text) {
    progress_clear(progress);
    progress_log_finding(progress, finding, text);
    if (progress->json)
        out_print(finding_json(finding, text), stdout);
    if (finding->cause != DPR_CAUSE_NON_FINITE) /* which is the error that ends the run, too */
        complain(EXIT_DONE, "warning: %s", text);
}

void progress_log_finding(const struct progress *progress, const dpr_ailment *finding,
                          const char *text) {
    if (progress->log != NULL)
        out_print(finding_json(finding, text), progress->log);
}

void progress_log(const struct progress *progress, const dpr_epoch_report *report) {
    out_print(epoch_json(report), progress->log);
}
