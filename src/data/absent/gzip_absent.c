/* In place of gzip.c where zlib is missing. */
#include "data/source.h"

dpr_status dpr__gunzip(dpr_context *context, const char *name, const uint8_t *bytes, size_t n,
                       size_t most, uint8_t **out, size_t *n_out) {
    (void)bytes, (void)n, (void)most, (void)out, (void)n_out;
    return DPR_FAIL(context, DPR_E_UNSUPPORTED,
                    "%s: built without gzip: install zlib1g-dev and build again, or unpack it "
                    "with gunzip",
                    name);
}
