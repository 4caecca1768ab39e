/* The one place that knows which backends there are. */
#include "backend/backend.h"
#include "base/context.h"

const dpr__backend *dpr__backend_for(const dpr_context *context, const dpr_store *store) {
    if (context->device == DPR__DEVICE_REF || store->real == DPR_F64)
        return &dpr__backend_ref;
    return &dpr__backend_cpu;
}
