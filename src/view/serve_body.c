/* Images out of a request's body (serve.h). Bodies come from anywhere: every search ends at the body's end, and nothing is copied but names. */
#include "base/context.h"
#include "data/source.h"
#include "ir/shape.h"
#include "view/serve.h"
#include <string.h>
#include <strings.h>

void dpr__images_release(dpr__images *images) {
    dpr_context *context = images->arena.context;
    if (context == NULL)
        return;
    dpr__free(context, images->file);
    dpr__free(context, images->pixels);
    dpr__arena_release(&images->arena);
    *images = (dpr__images){0};
}

/* ---- multipart (RFC 2046, section 5.1) ---- */

enum { MOST_BOUNDARY = 70 };

struct multipart {
    const char *at, *end;
    char delimiter[MOST_BOUNDARY + 5]; /* CR LF - - boundary */
    size_t n;
};

struct part {
    const char *head, *body; /* head ends where body begins */
    size_t n;
};

static bool begins(const char *text, const char *with) {
    return strncasecmp(text, with, strlen(with)) == 0;
}

/* The parameter `boundary` of the type; false where there is none, or none that is allowed. */
static bool find_boundary(const char *type, struct multipart *out) {
    static const char name[] = "boundary=";
    const char *p = strchr(type, ';');
    while (p != NULL) {
        p += 1 + strspn(p + 1, " \t");
        if (begins(p, name))
            break;
        p = strchr(p, ';');
    }
    if (p == NULL)
        return false;
    p += sizeof name - 1;
    bool quoted = *p == '"';
    p += quoted;
    size_t n = strcspn(p, quoted ? "\"" : "; \t,");
    if (n < 1 || n > MOST_BOUNDARY || (quoted && p[n] != '"'))
        return false;
    memcpy(out->delimiter, "\r\n--", 4);
    memcpy(out->delimiter + 4, p, n);
    out->n = n + 4;
    return true;
}

static const char *find(const char *at, const char *end, const char *what, size_t n) {
    return memmem(at, (size_t)(end - at), what, n);
}

/* Goes behind a delimiter that `at` has just passed: blanks and an end of line, or "--" at the end of all. */
static bool pass_line(struct multipart *m, bool *last) {
    *last = m->end - m->at >= 2 && memcmp(m->at, "--", 2) == 0;
    while (m->at < m->end && (*m->at == ' ' || *m->at == '\t'))
        m->at++;
    bool ended = m->end - m->at >= 2 && memcmp(m->at, "\r\n", 2) == 0;
    m->at += ended ? 2 : 0;
    return *last || ended;
}

/* To the first part. The first delimiter may stand at the very begin, without an end of line before it. */
static bool first_part(struct multipart *m, bool *last) {
    size_t bare = m->n - 2;
    if ((size_t)(m->end - m->at) >= bare && memcmp(m->at, m->delimiter + 2, bare) == 0) {
        m->at += bare;
        return pass_line(m, last);
    }
    const char *found = find(m->at, m->end, m->delimiter, m->n);
    if (found == NULL)
        return false;
    m->at = found + m->n;
    return pass_line(m, last);
}

/* The part that begins here; *last: none follows it. A head without lines ends at once. */
static bool next_part(struct multipart *m, struct part *out, bool *last) {
    bool bare = m->end - m->at >= 2 && memcmp(m->at, "\r\n", 2) == 0;
    const char *head = bare ? m->at - 2 : find(m->at, m->end, "\r\n\r\n", 4);
    if (head == NULL)
        return false;
    out->head = m->at;
    out->body = head + 4;
    const char *close = find(out->body - 2, m->end, m->delimiter,
                             m->n); /* of an empty part the CR LF is the head's */
    if (close == NULL)
        return false;
    out->n = close > out->body ? (size_t)(close - out->body) : 0;
    m->at = close + m->n;
    return pass_line(m, last);
}

/* The value of name="…" in a line; NULL where there is none. */
static const char *quoted(const char *line, const char *end, const char *name, size_t *n) {
    const char *p = find(line, end, name, strlen(name));
    if (p == NULL)
        return NULL;
    p += strlen(name);
    const char *close = memchr(p, '"', (size_t)(end - p));
    *n = close != NULL ? (size_t)(close - p) : 0;
    return close;
}

/* A part's file name, else the name of its field, else "image". */
static const char *name_of(dpr__arena *arena, const struct part *part) {
    static const char field[] = "content-disposition:";
    for (const char *line = part->head; line < part->body;) {
        const char *end = find(line, part->body, "\r\n", 2);
        end = end != NULL ? end : part->body;
        size_t n = 0;
        if ((size_t)(end - line) >= sizeof field - 1 && begins(line, field)) {
            const char *close = quoted(line, end, "filename=\"", &n);
            if (close == NULL || n == 0)
                close = quoted(line, end, " name=\"", &n);
            if (close != NULL && n > 0)
                return dpr__arena_text(arena, close - n, n);
        }
        line = end + 2;
    }
    return "image";
}

/* ---- all ---- */

static dpr_status no_multipart(dpr_context *context, const char *why) {
    return DPR_FAIL(context, DPR_E_FORMAT,
                    "the body is no multipart/form-data that can be read: %s; send image files as "
                    "its parts, or one image as the body",
                    why);
}

static dpr_status add_file(dpr__images *images, const char *name, const void *bytes, size_t n) {
    if (name == NULL)
        return DPR_E_MEMORY;
    DPR_TRY(dpr__grow(images->arena.context, &images->file, &images->capacity, images->n + 1,
                      sizeof *images->file));
    images->file[images->n++] = (struct dpr__image_file){name, bytes, n};
    return DPR_OK;
}

static dpr_status split(const char *type, const uint8_t *body, size_t n, size_t most,
                        dpr__images *out) {
    dpr_context *context = out->arena.context;
    struct multipart m = {.at = (const char *)body, .end = (const char *)body + n};
    bool last;
    if (!find_boundary(type, &m))
        return no_multipart(context, "its type names no boundary");
    if (n == 0 || !first_part(&m, &last))
        return no_multipart(context, "the boundary that its type names is not in it");
    while (!last) {
        struct part part;
        if (!next_part(&m, &part, &last))
            return no_multipart(context, "a part is cut off");
        if (out->n >= most)
            return DPR_FAIL(context, DPR_E_FORMAT,
                            "more than %zu images in a request; send them in several", most);
        DPR_TRY(add_file(out, name_of(&out->arena, &part), part.body, part.n));
    }
    return out->n > 0 ? DPR_OK : no_multipart(context, "it has no parts");
}

dpr_status dpr__images_find(dpr_context *context, const char *type, const uint8_t *body, size_t n,
                            size_t most, dpr__images *out) {
    *out = (dpr__images){0};
    dpr__arena_init(&out->arena, context);
    if (begins(type, "multipart/form-data"))
        return split(type, body, n, most, out);
    if (n == 0)
        return DPR_FAIL(context, DPR_E_FORMAT,
                        "the body is empty; send a PNG or JPEG file as it is, or several as "
                        "multipart/form-data");
    return add_file(out, "image", body, n);
}

dpr_status dpr__images_decode(dpr__images *images, const dpr__wanted *wanted) {
    dpr_context *context = images->arena.context;
    size_t bytes = (size_t)dpr__shape_count(&wanted->image);
    uint64_t all = 0, left = wanted->pixels;
    for (size_t i = 0; i < images->n && all <= left; i++)
        all += dpr__image_pixels(images->file[i].bytes, images->file[i].n);
    if (images->n > 1 && all > left)
        return DPR_FAIL(context, DPR_E_FORMAT,
                        "the images have more than %llu pixels together; send them in several "
                        "requests, or make them smaller",
                        (unsigned long long)left);
    DPR_TRY(dpr__allocate_untouched(context, images->n, bytes, &images->pixels));
    for (size_t i = 0; i < images->n; i++)
        DPR_TRY(dpr__image_load(context, images->file[i].name, images->file[i].bytes,
                                images->file[i].n, &left, wanted->image, wanted->fit,
                                images->pixels + i * bytes));
    return DPR_OK;
}
