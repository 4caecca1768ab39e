/* The display of train (progress.h). */
#include "progress.h"
#include "json.h"
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int terminal_columns(void) {
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* "1:02:03", "2:05", "0:07". */
static const char *duration(double seconds, char out[32]) {
    unsigned long s = seconds > 0 ? (unsigned long)(seconds + 0.5) : 0;
    if (s >= 3600)
        snprintf(out, 32, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, 32, "%lu:%02lu", s / 60, s % 60);
    return out;
}

void progress_bar(const struct progress *progress, const dpr_progress *now) {
    enum { WIDTH = 24 };
    char bar[WIDTH + 1], eta[32], line[256];
    if (!progress->bar)
        return;
    double share = now->steps > 0 ? (double)now->step / (double)now->steps : 0;
    double passes = (double)now->epochs - (double)now->epoch + 1 - share;
    double left = share > 0.01 ? now->seconds / share * passes : 0;
    for (int i = 0; i < WIDTH; i++)
        bar[i] = i < (int)(share * WIDTH) ? '#' : '.';
    bar[WIDTH] = '\0';
    snprintf(line, sizeof line, "epoch %u/%u [%s] loss %.4f  %.2f %%  %.0f images/s  ETA %s",
             now->epoch, now->epochs, bar, now->loss, 100 * now->accuracy, now->images_per_second,
             left > 0 ? duration(left, eta) : "-");
    fprintf(stderr, "\r\033[K%.*s", terminal_columns() - 1, line);
    fflush(stderr);
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

static void print_line(const struct progress *progress, const dpr_epoch_report *r,
                       unsigned epochs) {
    char eta[32], rate[32];
    double done = r->epoch - progress->first_epoch;
    double left = (now_seconds() - progress->began) / done * (epochs - r->epoch);
    printf("epoch %*u/%u  loss %.4f  train %.2f %%",
           epochs >= 100  ? 3
           : epochs >= 10 ? 2
                          : 1,
           r->epoch, epochs, r->loss, 100 * r->accuracy);
    if (r->has_validation)
        printf("  val %.2f %% (%.2f to %.2f)%s", 100 * r->validation_accuracy,
               100 * r->validation_low, 100 * r->validation_high, r->best ? " best" : "");
    printf("  %s images/s  lr %.4g", grouped((uint64_t)r->images_per_second, rate),
           r->learning_rate);
    if (!r->finished)
        printf("  ETA %s", duration(left, eta));
    printf("\n");
    fflush(stdout);
}

void progress_epoch(const struct progress *progress, const dpr_epoch_report *report,
                    unsigned epochs) {
    progress_clear(progress);
    if (progress->log != NULL)
        out_print(epoch_json(report), progress->log);
    if (progress->json)
        out_print(epoch_json(report), stdout);
    else if (!progress->quiet)
        print_line(progress, report, epochs);
}
