/* Requests from strangers, without sockets: a path, a type and a body, divided by NUL, give an endpoint, images or a message; and what is
 * answered is text that a client can read: names in it are escaped. */
#include "base/context.h"
#include "view/serve.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 1 << 20, MOST_IMAGES = 9, CLASSES = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void *allocate(void *user, void *memory, size_t size) {
    (void)user;
    if (size == 0) {
        free(memory);
        return NULL;
    }
    return size > MOST_BYTES ? NULL : realloc(memory, size);
}

/* The bytes up to the next NUL as a text of their own, which ends where they do. */
static char *cut(const uint8_t **bytes, size_t *n) {
    const uint8_t *end = *n > 0 ? memchr(*bytes, 0, *n) : NULL;
    size_t length = end != NULL ? (size_t)(end - *bytes) : *n;
    char *text = malloc(length + 1);
    if (text == NULL)
        abort();
    if (length > 0)
        memcpy(text, *bytes, length);
    text[length] = '\0';
    *bytes += length + (end != NULL);
    *n -= length + (end != NULL);
    return text;
}

static void check_text(const dpr__text *text) {
    for (const unsigned char *p = (const unsigned char *)text->data; text->length > 0 && *p != 0;) {
        size_t length = dpr__utf8_length(p);
        if (length == 0)
            abort();
        p += length;
    }
}

static void answer(dpr_context *context, dpr__images *images) {
    const float probabilities[MOST_IMAGES * CLASSES] = {0.25F, 0.5F, 0.25F};
    const dpr_data_info info = {.n_classes = CLASSES};
    dpr__text out;
    dpr__job job = {
        .top = 2, .images = *images, .probabilities = (float *)(uintptr_t)probabilities};
    dpr__text_init(&out, context);
    if (dpr__answer_predictions(&out, &info, &job) == DPR_OK)
        check_text(&out);
    dpr__text_release(&out);
}

static void request(dpr_context *context, const char *path, const char *type, const uint8_t *body,
                    size_t n) {
    const dpr__wanted wanted = {dpr_shape_of(5, 4, 1), DPR_FIT, 10000};
    dpr__images images;
    dpr__exchange exchange = {.context = context};
    dpr__text_init(&exchange.answer, context);
    dpr__endpoint endpoint = dpr__endpoint_of(path);
    if (endpoint < DPR__N_ENDPOINTS && strcmp(dpr__endpoint_path(endpoint), path) != 0)
        abort();
    dpr_status status = dpr__images_find(context, type, body, n, MOST_IMAGES, &images);
    if (status == DPR_OK)
        status = dpr__images_decode(&images, &wanted);
    if (status == DPR_OK)
        answer(context, &images);
    else
        dpr__http_refuse(&exchange, 400, "%s", dpr_error(context));
    check_text(&exchange.answer);
    dpr__text_release(&exchange.answer);
    dpr__images_release(&images);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    dpr_context *context;
    dpr_context_options options = dpr_context_options_default();
    options.threads = 1;
    options.allocate = allocate;
    char *path = cut(&bytes, &n), *type = cut(&bytes, &n);
    uint8_t *body = malloc(n > 0 ? n : 1); /* of its own: a read behind its end is found */
    if (body == NULL || dpr_context_create(&options, &context) != DPR_OK)
        abort();
    if (n > 0)
        memcpy(body, bytes, n);
    request(context, path, type, body, n);
    dpr_context_destroy(context);
    free(body);
    free(type);
    free(path);
    return 0;
}
