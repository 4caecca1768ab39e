/* What http.h offers without libmicrohttpd. */
#include "view/http.h"
#include "view/serve.h"
#include <stdarg.h>
#include <stdio.h>

void dpr__http_refuse(dpr__exchange *exchange, unsigned status, const char *format, ...) {
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    exchange->status = status;
    exchange->answer_type = "application/json";
    exchange->answer.length = 0;
    dpr__text_add(&exchange->answer, "{\"error\":");
    dpr__answer_string(&exchange->answer, message);
    dpr__text_bytes(&exchange->answer, "}", 1);
}
