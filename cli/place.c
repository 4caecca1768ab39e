/* The place of a run (place.h). A model that cannot be written in the end must be known before hours of training. */
#include "place.h"
#include "cli.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char END[] = ".safetensors";

static char *joined(const char *a, size_t n, const char *b) {
    char *text = malloc(n + strlen(b) + 1);
    if (text != NULL) {
        memcpy(text, a, n);
        strcpy(text + n, b);
    }
    return text;
}

/* DATA's last name, here. */
static char *default_out(const char *data, const char *end) {
    size_t n = strlen(data);
    while (n > 1 && data[n - 1] == '/')
        n--;
    size_t start = n;
    while (start > 0 && data[start - 1] != '/')
        start--;
    bool dots = strncmp(data + start, "..", n - start) == 0;
    return dots ? joined("model", 5, end) : joined(data + start, n - start, end);
}

char *name_beside(const char *model, const char *ending) {
    size_t n = strlen(model), m = strlen(END);
    bool usual = n > m && strcmp(model + n - m, END) == 0;
    return joined(model, usual ? n - m : n, ending);
}

/* The checkpoint is OUT with ".checkpoint" before its ending. */
static int set_names(struct place *place, const char *data, const char *out) {
    place->out = out != NULL ? strdup(out) : default_out(data, END);
    if (place->out == NULL)
        return fail(NULL);
    size_t n = strlen(place->out), m = strlen(END);
    bool usual = n > m && strcmp(place->out + n - m, END) == 0;
    place->checkpoint = usual ? joined(place->out, n - m, ".checkpoint.safetensors")
                              : joined(place->out, n, ".checkpoint");
    place->lock = joined(place->out, n, ".lock");
    return place->checkpoint != NULL && place->lock != NULL ? EXIT_DONE : fail(NULL);
}

static int cannot_write(const char *path, const char *why) {
    return complain(EXIT_FAILED, "cannot write '%s': %s; give another place with --out", path, why);
}

/* What train may replace: nothing, or a file that could be its own. */
static int check_file(const char *path) {
    struct stat info;
    if (stat(path, &info) != 0)
        return EXIT_DONE;
    if (!S_ISREG(info.st_mode))
        return cannot_write(path, S_ISDIR(info.st_mode) ? "it is a directory" : "no regular file");
    if (info.st_size > 0 && !is_model_file(path))
        return cannot_write(path, "it is there, and no model");
    return EXIT_DONE;
}

static int drop_lock(struct place *place, const char *why) {
    close(place->held);
    place->held = -1;
    return cannot_write(place->lock, why);
}

/* The lock ends with the process, however that ends; its file, which is empty, may stay, and is taken again. One that was removed between our
 * opening and our locking it keeps nobody away. Where files cannot be locked (some file systems of a network) nothing keeps a second training away. */
static int take_lock(struct place *place) {
    enum { TRIES = 100 };
    for (int i = 0; i < TRIES; i++) {
        struct stat held, named;
        place->held = open(place->lock, O_CREAT | O_RDWR | O_CLOEXEC | O_NONBLOCK, 0666);
        if (place->held < 0)
            return cannot_write(place->out,
                                strerror(errno)); /* the lock beside it is ours alone to know of */
        if (fstat(place->held, &held) != 0 || !S_ISREG(held.st_mode) || held.st_size > 0)
            return drop_lock(place, "it is there, and no lock of a training");
        if (flock(place->held, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
            close(place->held);
            place->held = -1;
            return cannot_write(place->out, "another training writes it now");
        }
        if (stat(place->lock, &named) == 0 && held.st_ino == named.st_ino &&
            held.st_dev == named.st_dev)
            return EXIT_DONE;
        close(place->held);
    }
    place->held = -1;
    return cannot_write(place->lock, "others remove it all the time");
}

/* An older page is replaced; what is no file is not. */
static int take_report(struct place *place) {
    struct stat info;
    place->report = name_beside(place->out, ".report.html");
    if (place->report == NULL)
        return fail(NULL);
    if (stat(place->report, &info) == 0 && !S_ISREG(info.st_mode))
        return complain(EXIT_FAILED,
                        "cannot write '%s': it is no file; --no-report does without it",
                        place->report);
    return EXIT_DONE;
}

int place_take(struct place *place, const char *data, const char *out, bool report) {
    *place = (struct place){.held = -1};
    int status = set_names(place, data, out);
    if (status == EXIT_DONE)
        status = check_file(place->out);
    if (status == EXIT_DONE)
        status = check_file(place->checkpoint);
    if (status == EXIT_DONE && report)
        status = take_report(place);
    return status == EXIT_DONE ? take_lock(place) : status;
}

int place_take_folder(struct place *place, const char *data, const char *out, const char *end) {
    *place = (struct place){.held = -1};
    place->out = out != NULL ? strdup(out) : default_out(data, end);
    size_t n = place->out != NULL ? strlen(place->out) : 0;
    for (; n > 1 && place->out[n - 1] == '/'; n--)
        place->out[n - 1] = '\0';
    place->lock = place->out != NULL ? joined(place->out, n, ".lock") : NULL;
    return place->lock != NULL ? take_lock(place) : fail(NULL);
}

void place_leave(struct place *place) {
    if (place->held >= 0) {
        unlink(place->lock);
        close(place->held);
    }
    free(place->out);
    free(place->checkpoint);
    free(place->report);
    free(place->lock);
}
