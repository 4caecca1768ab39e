/* Growing text, and numbers read and written the same in every locale. */
#ifndef DPR_BASE_TEXT_H
#define DPR_BASE_TEXT_H

#include "base/status.h"

/* A text under construction. The first failure sticks: later calls do nothing, finish reports it. */
typedef struct dpr__text {
    dpr_context *context;
    char *data; /* always ends with NUL once anything was added */
    size_t length, capacity;
    dpr_status status;
} dpr__text;

void dpr__text_init(dpr__text *text, dpr_context *context);
void dpr__text_release(dpr__text *text);
void dpr__text_add(dpr__text *text, const char *format, ...) DPR__PRINTF(2, 3); /* C locale */
void dpr__text_bytes(dpr__text *text, const char *bytes, size_t n);
void dpr__text_json(
    dpr__text *text,
    const char
        *string); /* quoted and escaped; what is no UTF-8 becomes '?', since readers refuse it */
/* The text, now the caller's (dpr__free); "" is allocated too. */
dpr_status dpr__text_finish(dpr__text *text, char **out);

/* snprintf in the C locale, for fixed buffers. */
void dpr__format(dpr_context *context, char *out, size_t bytes, const char *format, ...)
    DPR__PRINTF(4, 5);

/* The whole of `text` as a finite number; false otherwise. In the C locale. */
bool dpr__parse_double(dpr_context *context, const char *text, double *out);
bool dpr__parse_u64(const char *text, uint64_t *out);

/* Bytes of the well-formed sequence at p (Unicode 15, table 3-7); 0 where there is none, or an ASCII control character. */
size_t dpr__utf8_length(const unsigned char *p);
/* True for well-formed UTF-8 without control characters. */
bool dpr__utf8_is_clean(const char *text);

#endif
