/* Files: read whole with a limit, write atomically. Messages name the path. */
#ifndef DPR_BASE_FILE_H
#define DPR_BASE_FILE_H

#include "base/text.h"
#include <stdio.h>

/* The file's bytes plus a NUL that is not counted; freed with dpr__free. DPR_E_FORMAT when it is
 * larger than `limit`; "-" reads standard input. */
dpr_status dpr__file_read(dpr_context *context, const char *path, size_t limit, uint8_t **out,
                          size_t *n);

/* An atomic write: begin makes a temporary file beside `path`, commit does fsync, rename and fsync
 * of the directory; abandon (also after any failure) removes it. Write errors stick. */
typedef struct dpr__writer {
    dpr_context *context;
    char *path, *temporary;
    FILE *file;
    dpr_status status;
} dpr__writer;

dpr_status dpr__writer_begin(dpr__writer *writer, dpr_context *context, const char *path);
void dpr__writer_put(dpr__writer *writer, const void *bytes, size_t n);
dpr_status dpr__writer_commit(dpr__writer *writer); /* releases the writer, whatever happens */
void dpr__writer_abandon(dpr__writer *writer);

/* Writes a text, where making it ended with `status` DPR_OK, and releases it. */
dpr_status dpr__file_write_text(dpr__text *text, dpr_status status, const char *path);

/* begin, put, commit. */
dpr_status dpr__file_write(dpr_context *context, const char *path, const void *bytes, size_t n);

/* Adds to the end of a file, which is made where it is missing, and to the disk before it returns. Where that fails, what was added is taken back;
 * a crash may leave a part. */
dpr_status dpr__file_append(dpr_context *context, const char *path, const void *bytes, size_t n);

/* Whether `path` could be written: its directory exists and lets us. Leaves nothing behind. */
dpr_status dpr__file_try_write(dpr_context *context, const char *path);

bool dpr__file_exists(const char *path);
bool dpr__is_directory(const char *path);

#endif
