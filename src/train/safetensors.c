/* Reading and writing safetensors files. Invariant of the reader: what it hands out lies inside the
 * bytes that were read, and dtype × shape is exactly that many bytes. */
#include "train/safetensors.h"
#include "base/context.h"
#include "base/file.h"
#include "base/text.h"
#include "ir/shape.h"
#include <stdlib.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors files are little endian; this host is not"
#endif

enum { LENGTH_BYTES = 8, MAX_HEADER = 100000000, MAX_NAME = 1024 };
static const size_t max_file = (size_t)1 << 36; /* the file must fit in memory anyway */

/* X(dtype, word, bytes of an element) */
#define DTYPE_MAP(X) X(F32, "F32") X(F64, "F64") X(U8, "U8") X(I32, "I32") X(U64, "U64")

static const char *dtype_word(dpr_dtype dtype) {
    switch (dtype) {
#define X(id, word)                                                                                \
    case DPR_##id:                                                                                 \
        return word;
        DTYPE_MAP(X)
#undef X
    }
    return "";
}

static bool dtype_from_word(const char *word, dpr_dtype *out) {
#define X(id, text)                                                                                \
    if (strcmp(word, text) == 0) {                                                                 \
        *out = DPR_##id;                                                                           \
        return true;                                                                               \
    }
    DTYPE_MAP(X)
#undef X
    return false;
}

/* ---- reading ---- */

struct parse {
    dpr_context *context;
    const char *name;
    const uint8_t *data; /* after the header */
    size_t bytes;
};

static dpr_status bad_tensor(const struct parse *parse, const char *tensor, const char *what) {
    return DPR_FAIL(parse->context, DPR_E_FORMAT, "%s: tensor '%.64s': %s", parse->name, tensor,
                    what);
}

static dpr_status read_shape(const struct parse *parse, const dpr__json *entry, dpr_shape *out) {
    const dpr__json *shape = dpr__json_get(entry, "shape");
    if (shape == NULL || shape->type != DPR__JSON_ARRAY || shape->n > DPR_MAX_RANK)
        return bad_tensor(parse, entry->key, "'shape' must be a list of at most 6 numbers");
    *out = (dpr_shape){.rank = (uint32_t)shape->n};
    int64_t *dim = out->dim;
    for (const dpr__json *item = shape->first; item; item = item->next) {
        uint64_t size;
        if (!dpr__json_u64(item, &size) || size > (uint64_t)1 << 40)
            return bad_tensor(parse, entry->key, "'shape' holds what is no size");
        *dim++ = (int64_t)size;
    }
    if (!dpr__shape_is_sane(out))
        return bad_tensor(parse, entry->key, "the shape has too many elements");
    return DPR_OK;
}

/* begin ≤ end ≤ bytes comes first: then no difference and no pointer below can overflow. */
static dpr_status read_range(const struct parse *parse, const dpr__json *entry, dpr__stored *out) {
    const dpr__json *offsets = dpr__json_get(entry, "data_offsets");
    uint64_t begin, end;
    if (offsets == NULL || offsets->type != DPR__JSON_ARRAY || offsets->n != 2 ||
        !dpr__json_u64(offsets->first, &begin) || !dpr__json_u64(offsets->first->next, &end))
        return bad_tensor(parse, entry->key, "'data_offsets' must be two numbers");
    if (begin > end || end > parse->bytes)
        return bad_tensor(parse, entry->key,
                          "'data_offsets' lie outside the file; it may have been cut short");
    uint64_t count = (uint64_t)dpr__shape_count(&out->shape);
    if (end - begin != count * dpr__dtype_bytes(out->dtype))
        return bad_tensor(parse, entry->key, "shape and 'data_offsets' differ in size");
    out->data = parse->data + begin;
    out->bytes = (size_t)(end - begin);
    return DPR_OK;
}

static dpr_status read_tensor(const struct parse *parse, const dpr__json *entry, dpr__stored *out) {
    if (entry->type != DPR__JSON_OBJECT || strlen(entry->key) > MAX_NAME)
        return bad_tensor(parse, entry->key, "must be an object with a short name");
    const char *dtype = dpr__json_string(dpr__json_get(entry, "dtype"));
    if (dtype == NULL)
        return bad_tensor(parse, entry->key, "'dtype' is missing");
    if (!dtype_from_word(dtype, &out->dtype))
        return DPR_FAIL(parse->context, DPR_E_UNSUPPORTED,
                        "%s: tensor '%.64s': dtype '%.16s' is none of F32, F64, U8, I32, U64",
                        parse->name, entry->key, dtype);
    out->name = entry->key;
    DPR_TRY(read_shape(parse, entry, &out->shape));
    return read_range(parse, entry, out);
}

/* Empty tensors share a place with what follows them, and go before it. */
static int by_place(const void *a, const void *b) {
    const dpr__stored *x = *(dpr__stored *const *)a, *y = *(dpr__stored *const *)b;
    uintptr_t x_begin = (uintptr_t)x->data, y_begin = (uintptr_t)y->data;
    if (x_begin != y_begin)
        return x_begin < y_begin ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* Sorted by place, each tensor must begin where the one before it ends, and the last end the
 * file. */
static dpr_status check_gaps(const struct parse *parse, const dpr__safetensors *file) {
    const dpr__stored **order;
    DPR_TRY(dpr__allocate(parse->context, file->n, sizeof *order, &order));
    for (size_t i = 0; i < file->n; i++)
        order[i] = &file->tensors[i];
    qsort(order, file->n, sizeof *order, by_place);
    const uint8_t *at = parse->data;
    dpr_status status = DPR_OK;
    for (size_t i = 0; i < file->n && status == DPR_OK; i++) {
        if (order[i]->data != at)
            status =
                bad_tensor(parse, order[i]->name, "its data overlaps another's or leaves a gap");
        at = (const uint8_t *)order[i]->data + order[i]->bytes;
    }
    dpr__free(parse->context, order);
    if (status == DPR_OK && at != parse->data + parse->bytes)
        status = DPR_FAIL(parse->context, DPR_E_FORMAT, "%s: bytes that belong to no tensor",
                          parse->name);
    return status;
}

static dpr_status check_metadata(const struct parse *parse, const dpr__json *metadata) {
    if (metadata->type != DPR__JSON_OBJECT)
        return DPR_FAIL(parse->context, DPR_E_FORMAT, "%s: '__metadata__' is no object",
                        parse->name);
    for (const dpr__json *item = metadata->first; item; item = item->next)
        if (item->type != DPR__JSON_STRING)
            return DPR_FAIL(parse->context, DPR_E_FORMAT, "%s: metadata '%.64s' is no text",
                            parse->name, item->key);
    return DPR_OK;
}

static dpr_status read_entries(struct parse *parse, const dpr__json *header,
                               dpr__safetensors *out) {
    out->tensors = dpr__arena_allocate(&out->arena, header->n * sizeof *out->tensors);
    if (out->tensors == NULL && header->n > 0)
        return DPR_E_MEMORY;
    for (const dpr__json *item = header->first; item; item = item->next) {
        if (strcmp(item->key, "__metadata__") == 0) {
            DPR_TRY(check_metadata(parse, item));
            out->metadata = item;
        } else {
            DPR_TRY(read_tensor(parse, item, &out->tensors[out->n]));
            out->n++;
        }
    }
    return check_gaps(parse, out);
}

static dpr_status parse_file(dpr_context *context, const char *name, const uint8_t *bytes, size_t n,
                             dpr__safetensors *out) {
    if (n < LENGTH_BYTES)
        return DPR_FAIL(context, DPR_E_FORMAT, "%s: %zu bytes are too few for a safetensors file",
                        name, n);
    uint64_t header_bytes;
    memcpy(&header_bytes, bytes, sizeof header_bytes);
    if (header_bytes > MAX_HEADER || header_bytes > n - LENGTH_BYTES)
        return DPR_FAIL(context, DPR_E_FORMAT,
                        "%s: no safetensors file, or one cut short: its header would take %llu "
                        "bytes, the file has %zu",
                        name, (unsigned long long)header_bytes, n);
    const char *text = (const char *)bytes + LENGTH_BYTES;
    const dpr__json *header;
    if (header_bytes == 0 || text[0] != '{')
        return DPR_FAIL(context, DPR_E_FORMAT, "%s: no safetensors file: its header is no object",
                        name);
    DPR_TRY(dpr__json_parse(&out->arena, name, text, (size_t)header_bytes, &header));
    struct parse parse = {.context = context,
                          .name = name,
                          .data = bytes + LENGTH_BYTES + header_bytes,
                          .bytes = n - LENGTH_BYTES - (size_t)header_bytes};
    return read_entries(&parse, header, out);
}

dpr_status dpr__safetensors_parse(dpr_context *context, const char *name, const uint8_t *bytes,
                                  size_t n, dpr__safetensors *out) {
    *out = (dpr__safetensors){0};
    dpr__arena_init(&out->arena, context);
    dpr_status status = parse_file(context, name, bytes, n, out);
    if (status != DPR_OK)
        dpr__arena_release(&out->arena);
    return status;
}

dpr_status dpr__safetensors_read(dpr_context *context, const char *path, dpr__safetensors *out) {
    uint8_t *bytes;
    size_t n;
    DPR_TRY(dpr__file_read(context, path, max_file, &bytes, &n));
    dpr_status status = dpr__safetensors_parse(context, path, bytes, n, out);
    if (status == DPR_OK)
        out->file = bytes;
    else
        dpr__free(context, bytes);
    return status;
}

void dpr__safetensors_release(dpr__safetensors *file) {
    dpr_context *context = file->arena.context;
    dpr__arena_release(&file->arena);
    dpr__free(context, file->file);
    *file = (dpr__safetensors){0};
}

const dpr__stored *dpr__safetensors_find(const dpr__safetensors *file, const char *name) {
    for (size_t i = 0; i < file->n; i++)
        if (strcmp(file->tensors[i].name, name) == 0)
            return &file->tensors[i];
    return NULL;
}

const char *dpr__safetensors_metadata(const dpr__safetensors *file, const char *key) {
    return dpr__json_string(dpr__json_get(file->metadata, key));
}

/* ---- writing ---- */

/* One header entry at `offset` of the data. */
static void add_entry(dpr__text *header, const dpr__stored *tensor, size_t offset) {
    dpr__text_add(header, ",");
    dpr__text_json(header, tensor->name);
    dpr__text_add(header, ":{\"dtype\":\"%s\",\"shape\":[", dtype_word(tensor->dtype));
    for (uint32_t i = 0; i < tensor->shape.rank; i++)
        dpr__text_add(header, "%s%lld", i > 0 ? "," : "", (long long)tensor->shape.dim[i]);
    dpr__text_add(header, "],\"data_offsets\":[%zu,%zu]}", offset, offset + tensor->bytes);
}

static const size_t widths[] = {8, 4, 1};

static void add_header(dpr__text *header, const dpr__stored *tensors, size_t n,
                       const dpr__metadata *metadata, size_t n_metadata) {
    dpr__text_add(header, "{\"__metadata__\":{");
    for (size_t i = 0; i < n_metadata; i++) {
        dpr__text_add(header, "%s", i > 0 ? "," : "");
        dpr__text_json(header, metadata[i].key);
        dpr__text_add(header, ":");
        dpr__text_json(header, metadata[i].value);
    }
    dpr__text_add(header, "}");
    size_t offset = 0;
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        for (size_t i = 0; i < n; i++)
            if (dpr__dtype_bytes(tensors[i].dtype) == widths[w]) {
                add_entry(header, &tensors[i], offset);
                offset += tensors[i].bytes;
            }
    dpr__text_add(header, "}");
    while (header->length % 8 != 0 && header->status == DPR_OK)
        dpr__text_bytes(header, " ", 1); /* so that the data begins at a multiple of 8 */
}

dpr_status dpr__safetensors_write(dpr_context *context, const char *path,
                                  const dpr__stored *tensors, size_t n,
                                  const dpr__metadata *metadata, size_t n_metadata) {
    dpr__text header;
    dpr__text_init(&header, context);
    add_header(&header, tensors, n, metadata, n_metadata);
    dpr__writer writer;
    dpr_status status = header.status;
    if (status == DPR_OK && header.length > MAX_HEADER)
        status = DPR_FAIL(context, DPR_E_UNSUPPORTED,
                          "%s: the header would be longer than a safetensors file allows", path);
    if (status == DPR_OK)
        status = dpr__writer_begin(&writer, context, path);
    if (status != DPR_OK) {
        dpr__text_release(&header);
        return status;
    }
    uint64_t header_bytes = header.length;
    dpr__writer_put(&writer, &header_bytes, sizeof header_bytes);
    dpr__writer_put(&writer, header.data, header.length);
    dpr__text_release(&header);
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        for (size_t i = 0; i < n; i++)
            if (dpr__dtype_bytes(tensors[i].dtype) == widths[w])
                dpr__writer_put(&writer, tensors[i].data, tensors[i].bytes);
    return dpr__writer_commit(&writer);
}
