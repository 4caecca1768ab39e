/* Reading whole files with a limit, writing them atomically (file.h). */
#include "base/file.h"
#include "base/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* "what 'path': reason", with a remedy where one is known. */
static dpr_status io_error(dpr_context *context, const char *what, const char *path, int error) {
    const char *remedy = error == ENOSPC   ? "; free some space, or write elsewhere"
                         : error == EACCES ? "; check its permissions"
                         : error == EROFS  ? "; write elsewhere"
                         : error == ENOENT ? "; check the path"
                                           : "";
    return DPR_FAIL(context, DPR_E_IO, "%s '%s': %s%s", what, path, strerror(error), remedy);
}

bool dpr__file_exists(const char *path) {
    struct stat status;
    return stat(path, &status) == 0;
}

bool dpr__is_directory(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* ---- reading ---- */

/* Room for one byte more than a regular file has: reading less than there is room says that it ends, without asking again. */
static dpr_status read_all(dpr_context *context, int fd, const struct stat *info, const char *path,
                           size_t limit, uint8_t **out, size_t *n) {
    uint8_t *bytes = NULL;
    size_t capacity = 0, length = 0, room = 1 << 16;
    dpr_status status = DPR_OK;
    bool regular = S_ISREG(info->st_mode), ended = false;
    if (regular && (size_t)info->st_size <= limit)
        room = (size_t)info->st_size + 1;
    while (status == DPR_OK && !ended) {
        status = dpr__grow(context, &bytes, &capacity, length + room + 1, 1);
        if (status != DPR_OK)
            break;
        size_t asked = capacity - length - 1;
        ssize_t got = read(fd, bytes + length, asked);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            status = io_error(context, "cannot read", path, errno);
            break;
        }
        length += (size_t)got;
        ended = regular ? (size_t)got < asked : got == 0;
        if (length > limit)
            status = DPR_FAIL(context, DPR_E_FORMAT,
                              "'%s' is larger than the %zu bytes that such a file may have", path,
                              limit);
    }
    if (status != DPR_OK) {
        dpr__free(context, bytes);
        return status;
    }
    bytes[length] = 0;
    *out = bytes;
    *n = length;
    return DPR_OK;
}

dpr_status dpr__file_read(dpr_context *context, const char *path, size_t limit, uint8_t **out,
                          size_t *n) {
    bool input = strcmp(path, "-") == 0;
    int fd = input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (fd < 0)
        return io_error(context, "cannot open", path, errno);
    dpr_status status;
    if (fstat(fd, &info) != 0)
        status = io_error(context, "cannot read", path, errno);
    else if (S_ISDIR(info.st_mode))
        status = io_error(context, "cannot read", path, EISDIR);
    else
        status = read_all(context, fd, &info, input ? "standard input" : path, limit, out, n);
    if (!input)
        close(fd);
    return status;
}

/* ---- writing ---- */

/* Opens the file that is written beside `path`. Its usual name is PATH.tmp, so that what a killed process left is used again and does not
 * pile up; a lock tells such a leftover from another writer's file. Then the name is one of its own. `name` has room for either. */
static int open_temporary(const char *path, char *name) {
    struct stat opened, named;
    sprintf(name, "%s.tmp", path);
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &opened) == 0 &&
        stat(name, &named) == 0 && opened.st_ino == named.st_ino && S_ISREG(opened.st_mode) &&
        ftruncate(fd, 0) == 0)
        return fd;
    if (fd < 0)
        return -1;
    close(fd);
    sprintf(name, "%s.tmp-XXXXXX", path);
    return mkostemp(name, O_CLOEXEC);
}

/* Temporary files are private; a written file gets the mode that open() would have given it. */
static void set_usual_mode(int fd) {
    mode_t mask = umask(0);
    umask(mask);
    (void)fchmod(fd, 0666 & ~mask);
}

/* Only regular files are replaced: renaming onto a device or a directory would destroy it. */
static dpr_status check_target(dpr_context *context, const char *path) {
    struct stat status;
    if (path[0] == '\0')
        return DPR_FAIL(context, DPR_E_IO, "cannot write to a file without a name");
    if (stat(path, &status) != 0 || S_ISREG(status.st_mode))
        return DPR_OK;
    return DPR_FAIL(context, DPR_E_IO, "cannot write '%s': it is %s", path,
                    S_ISDIR(status.st_mode) ? "a directory; give a file's name"
                                            : "no regular file; give another name");
}

dpr_status dpr__writer_begin(dpr__writer *writer, dpr_context *context, const char *path) {
    *writer = (dpr__writer){.context = context};
    DPR_TRY(check_target(context, path));
    dpr_status status = dpr__duplicate(context, path, &writer->path);
    if (status == DPR_OK)
        status = dpr__allocate(context, strlen(path) + sizeof ".tmp-XXXXXX", 1, &writer->temporary);
    int fd = status == DPR_OK ? open_temporary(path, writer->temporary) : -1;
    if (status == DPR_OK && fd < 0) {
        status = io_error(context, "cannot write", path, errno);
        dpr__free(context, writer->temporary);
        writer->temporary = NULL; /* nothing to remove */
    }
    if (status == DPR_OK) {
        set_usual_mode(fd);
        writer->file = fdopen(fd, "wb");
        if (writer->file == NULL) {
            status = io_error(context, "cannot write", path, errno);
            close(fd);
        }
    }
    writer->status = status;
    if (status != DPR_OK)
        dpr__writer_abandon(writer);
    return status;
}

void dpr__writer_put(dpr__writer *writer, const void *bytes, size_t n) {
    if (writer->status == DPR_OK && n > 0 && fwrite(bytes, 1, n, writer->file) != n)
        writer->status = io_error(writer->context, "cannot write", writer->path, errno);
}

void dpr__writer_abandon(dpr__writer *writer) {
    if (writer->file != NULL)
        fclose(writer->file);
    if (writer->temporary != NULL)
        unlink(writer->temporary);
    dpr__free(writer->context, writer->path);
    dpr__free(writer->context, writer->temporary);
    *writer = (dpr__writer){.context = writer->context};
}

/* The rename itself lasts only when the directory is on disk. Some file systems cannot sync directories: no error. */
static void sync_directory(const char *path) {
    char directory[4096];
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : (size_t)(slash - path);
    if (n + 2 > sizeof directory)
        return;
    memcpy(directory, path, n);
    strcpy(directory + n, slash == NULL ? "." : n == 0 ? "/" : "");
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

dpr_status dpr__writer_commit(dpr__writer *writer) {
    dpr_context *context = writer->context;
    dpr_status status = writer->status;
    if (status == DPR_OK && (fflush(writer->file) != 0 || fsync(fileno(writer->file)) != 0))
        status = io_error(context, "cannot write", writer->path, errno);
    if (writer->file != NULL && fclose(writer->file) != 0 && status == DPR_OK)
        status = io_error(context, "cannot write", writer->path, errno);
    writer->file = NULL;
    if (status == DPR_OK && rename(writer->temporary, writer->path) != 0)
        status = io_error(context, "cannot replace", writer->path, errno);
    if (status == DPR_OK) {
        sync_directory(writer->path);
        dpr__free(context, writer->temporary);
        writer->temporary = NULL;
    }
    dpr__writer_abandon(writer);
    return status;
}

dpr_status dpr__file_write(dpr_context *context, const char *path, const void *bytes, size_t n) {
    dpr__writer writer;
    DPR_TRY(dpr__writer_begin(&writer, context, path));
    dpr__writer_put(&writer, bytes, n);
    return dpr__writer_commit(&writer);
}

dpr_status dpr__file_append(dpr_context *context, const char *path, const void *bytes, size_t n) {
    bool made = !dpr__file_exists(path);
    DPR_TRY(check_target(context, path));
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    struct stat before;
    if (fd < 0)
        return io_error(context, "cannot write", path, errno);
    bool known = fstat(fd, &before) == 0, good = known;
    for (size_t at = 0; good && at < n;) {
        ssize_t put = write(fd, (const char *)bytes + at, n - at);
        good = put > 0 || (put < 0 && errno == EINTR);
        at += put > 0 ? (size_t)put : 0;
    }
    good = good && fsync(fd) == 0;
    dpr_status status = good ? DPR_OK : io_error(context, "cannot write", path, errno);
    if (!good && known)
        (void)!ftruncate(fd, before.st_size);
    close(fd);
    if (good && made)
        sync_directory(path);
    return status;
}

dpr_status dpr__file_write_text(dpr__text *text, dpr_status status, const char *path) {
    if (status == DPR_OK)
        status = dpr__file_write(text->context, path, text->data, text->length);
    dpr__text_release(text);
    return status;
}

dpr_status dpr__file_try_write(dpr_context *context, const char *path) {
    dpr__writer writer;
    DPR_TRY(dpr__writer_begin(&writer, context, path));
    dpr__writer_abandon(&writer);
    return DPR_OK;
}
