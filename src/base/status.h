/* Failing with a message: what every fallible function uses. The message stays in the context. */
#ifndef DPR_BASE_STATUS_H
#define DPR_BASE_STATUS_H

#include <deeper/deeper.h>

#if defined(__GNUC__)
#define DPR__PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define DPR__PRINTF(text, first)
#endif

/* Keeps the message in the context and returns `status`. DPR_FAIL adds the place for debug logs. */
dpr_status dpr__fail(dpr_context *context, dpr_status status, const char *file, int line,
                     const char *format, ...) DPR__PRINTF(5, 6);

#define DPR_FAIL(context, status, ...)                                                             \
    dpr__fail((context), (status), __FILE__, __LINE__, __VA_ARGS__)

/* Forwards a failure. */
#define DPR_TRY(expression)                                                                        \
    do {                                                                                           \
        dpr_status dpr__status = (expression);                                                     \
        if (dpr__status != DPR_OK)                                                                 \
            return dpr__status;                                                                    \
    } while (0)

/* Puts "prefix: " before the message that is there: the caller knows the file, the callee the place. */
void dpr__error_prefix(dpr_context *context, const char *format, ...) DPR__PRINTF(2, 3);

/* Internal invariants. Compiled out in release builds (NDEBUG). */
#include <assert.h>
#define DPR_ASSERT(condition) assert(condition)

#endif
