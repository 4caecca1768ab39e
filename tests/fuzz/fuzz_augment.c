/* Lists of augmentations from strangers: any text is refused with a message, or is the same list after being written and read again, and
 * makes images of any size that it fits. */
#include "base/context.h"
#include "train/augment.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { IMAGES = 3, MOST = 12 * 12 * 4 };

static void make_images(dpr_context *context, const char *text, uint8_t size) {
    static uint8_t images[IMAGES * MOST], made[IMAGES * MOST];
    static const int32_t labels[IMAGES], index[IMAGES] = {2, 0, 1};
    dpr_data *data;
    dpr_data_info info = dpr_data_info_default();
    info.image = dpr_shape_of(1 + size % 12, 1 + size / 12 % 12, 1 + size % 4);
    info.n_classes = 1;
    for (size_t i = 0; i < sizeof images; i++)
        images[i] = (uint8_t)(i * 37);
    if (dpr_data_create(context, &info, images, labels, IMAGES, NULL, NULL, &data) != DPR_OK)
        abort();
    if (dpr_data_augment(data, text, size, 1 + size, index, IMAGES, made) != DPR_OK &&
        dpr_error(context)[0] == '\0')
        abort();
    dpr_data_destroy(data);
}

static void write_and_read(dpr_context *context, const char *text) {
    dpr__augment_param first, second;
    char *written, *again;
    if (dpr__augment_parse(context, text, &first) != DPR_OK) {
        if (dpr_error(context)[0] == '\0')
            abort();
        return;
    }
    if (dpr__augment_text(context, &first, &written) != DPR_OK ||
        dpr__augment_parse(context, written, &second) != DPR_OK ||
        dpr__augment_text(context, &second, &again) != DPR_OK || strcmp(written, again) != 0)
        abort();
    dpr__free(context, written);
    dpr__free(context, again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    dpr_context *context;
    char *text = malloc(n + 1);
    if (text == NULL || dpr_context_create(NULL, &context) != DPR_OK)
        abort();
    memcpy(text, bytes, n);
    text[n] = '\0';
    write_and_read(context, text);
    make_images(context, text, n > 0 ? bytes[n - 1] : 0);
    dpr_context_destroy(context);
    free(text);
    return 0;
}
