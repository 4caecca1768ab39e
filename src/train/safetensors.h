/* The safetensors format (github.com/huggingface/safetensors, "Format"):
 *   8 bytes   u64, little endian: the header's length, at most 100 MB
 *   header    JSON: {"__metadata__": {key: text, …}, NAME: {"dtype", "shape", "data_offsets"}, …}
 *   data      the tensors' bytes, little endian, without gaps or overlap
 * The reader trusts nothing: every size is checked against the file before it is used. */
#ifndef DPR_TRAIN_SAFETENSORS_H
#define DPR_TRAIN_SAFETENSORS_H

#include "train/json.h"

typedef struct dpr__stored {
    const char *name;
    dpr_dtype dtype;
    dpr_shape shape;
    const void *data;
    size_t bytes;
} dpr__stored;

typedef struct dpr__safetensors {
    dpr__arena arena;
    uint8_t *file; /* owned when read from a path; tensors point into it or the caller's bytes */
    dpr__stored *tensors; /* as listed in the header */
    size_t n;
    const dpr__json *metadata; /* an object of strings, or NULL */
} dpr__safetensors;

/* Reads a file, or bytes that the caller keeps; `name` is used in messages. On failure nothing is
 * left to release. Errors: DPR_E_IO, DPR_E_FORMAT, DPR_E_UNSUPPORTED (a dtype), DPR_E_MEMORY. */
dpr_status dpr__safetensors_read(dpr_context *context, const char *path, dpr__safetensors *out);
dpr_status dpr__safetensors_parse(dpr_context *context, const char *name, const uint8_t *bytes,
                                  size_t n, dpr__safetensors *out);
void dpr__safetensors_release(dpr__safetensors *file);

/* NULL where there is none. */
const dpr__stored *dpr__safetensors_find(const dpr__safetensors *file, const char *name);
const char *dpr__safetensors_metadata(const dpr__safetensors *file, const char *key);

typedef struct dpr__metadata {
    const char *key, *value;
} dpr__metadata;

/* Writes atomically. Tensors with wider elements go first, so that all are aligned without gaps;
 * within a width they keep their order. */
dpr_status dpr__safetensors_write(dpr_context *context, const char *path,
                                  const dpr__stored *tensors, size_t n,
                                  const dpr__metadata *metadata, size_t n_metadata);

#endif
