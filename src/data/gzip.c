/* gzip by zlib. The caller says how many bytes it wants, so a small file cannot fill the memory. */
#include "data/source.h"
#include <zlib.h>

/* Deflate's best case: 258 bytes for two bits, and a little for headers. */
enum { BEST_RATIO = 1032, HEADERS = 64 };

static dpr_status damaged(dpr_context *context, const char *name, const char *why) {
    return DPR_FAIL(context, DPR_E_FORMAT, "%s: %s; fetch it again", name, why);
}

/* A gzip file may have several members, one after the other; bytes after the last are ignored, as
 * gunzip does. */
static bool next_member(z_stream *stream) {
    return stream->avail_in >= 2 && stream->next_in[0] == 0x1f && stream->next_in[1] == 0x8b &&
           inflateReset(stream) == Z_OK;
}

static dpr_status unpack(dpr_context *context, const char *name, z_stream *stream, size_t room) {
    stream->avail_out = (uInt)room;
    while (stream->avail_out > 0) {
        int result = inflate(stream, Z_NO_FLUSH);
        if (result == Z_STREAM_END && !next_member(stream))
            break;
        if (result == Z_MEM_ERROR)
            return DPR_FAIL(context, DPR_E_MEMORY, "%s: zlib found no memory", name);
        if (result == Z_BUF_ERROR)
            return damaged(context, name, "the gzip data is cut off");
        if (result != Z_OK && result != Z_STREAM_END)
            return damaged(context, name, "the gzip data is damaged");
    }
    return DPR_OK;
}

dpr_status dpr__gunzip(dpr_context *context, const char *name, const uint8_t *bytes, size_t n,
                       size_t most, uint8_t **out, size_t *n_out) {
    enum { GZIP_ONLY = 16 + MAX_WBITS };
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)n};
    if (n > (UINT32_MAX - HEADERS) / BEST_RATIO && most > UINT32_MAX)
        return DPR_FAIL(context, DPR_E_FORMAT,
                        "%s: it may hold more than 4 GiB; unpack it with gunzip first", name);
    if (n > UINT32_MAX)
        return DPR_FAIL(context, DPR_E_FORMAT, "%s: larger than 4 GiB; unpack it with gunzip first",
                        name);
    size_t room = n * BEST_RATIO + HEADERS < most ? n * BEST_RATIO + HEADERS : most;
    uint8_t *unpacked;
    DPR_TRY(dpr__allocate(context, room, 1, &unpacked));
    stream.next_out = unpacked;
    dpr_status status =
        inflateInit2(&stream, GZIP_ONLY) == Z_OK
            ? unpack(context, name, &stream, room)
            : DPR_FAIL(context, DPR_E_MEMORY, "%s: zlib cannot start; free some memory", name);
    inflateEnd(&stream);
    if (status != DPR_OK) {
        dpr__free(context, unpacked);
        return status;
    }
    *out = unpacked;
    *n_out = room - stream.avail_out;
    return DPR_OK;
}
