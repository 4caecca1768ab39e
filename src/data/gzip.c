/* gzip by zlib. */
#include "data/source.h"
#include <zlib.h>

static dpr_status bad(dpr_context *context, const char *name, const char *why) {
    return DPR_FAIL(context, DPR_E_FORMAT, "'%s': %s; fetch it again", name, why);
}

static dpr_status inflate_all(dpr_context *context, const char *name, z_stream *stream,
                              size_t limit, uint8_t **out, size_t *n_out) {
    size_t capacity = 0, length = 0;
    int result = Z_OK;
    while (result != Z_STREAM_END) {
        if (length > limit)
            return DPR_FAIL(context, DPR_E_FORMAT,
                            "'%s' unpacks to more than %zu bytes, which no such file has", name,
                            limit);
        DPR_TRY(dpr__grow(context, out, &capacity, length + (1 << 20), 1));
        stream->next_out = *out + length;
        stream->avail_out = 1 << 20;
        result = inflate(stream, Z_NO_FLUSH);
        if (result != Z_OK && result != Z_STREAM_END)
            return bad(context, name, "the gzip data is damaged or cut off");
        length += (1 << 20) - stream->avail_out;
    }
    *n_out = length;
    return DPR_OK;
}

dpr_status dpr__gunzip(dpr_context *context, const char *name, const uint8_t *bytes, size_t n,
                       size_t limit, uint8_t **out, size_t *n_out) {
    enum { GZIP_ONLY = 16 + MAX_WBITS };
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)n};
    *out = NULL;
    if (n > UINT32_MAX || inflateInit2(&stream, GZIP_ONLY) != Z_OK)
        return bad(context, name, "zlib cannot unpack it");
    dpr_status status = inflate_all(context, name, &stream, limit, out, n_out);
    inflateEnd(&stream);
    if (status != DPR_OK) {
        dpr__free(context, *out);
        *out = NULL;
    }
    return status;
}
