/* Reference kernels against numbers computed by hand (values.h). */
#include "grad/values.h"
#include "ir/shape.h"
#include "ops/op.h"
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

enum { MOST_SOURCES = 6, GUARD_BYTES = 64 };

/* A copy with guard bytes behind it; reals become floats where `narrow` is set. */
static dpr__tensor guarded(const dpr__tensor *tensor, bool narrow) {
    dpr__tensor copy = *tensor;
    int64_t n = dpr__shape_count(&tensor->shape);
    if (tensor->dtype == DPR_F64 && narrow)
        copy.dtype = DPR_F32;
    size_t bytes = (size_t)n * dpr__dtype_bytes(copy.dtype);
    copy.data = malloc(bytes + GUARD_BYTES);
    assert_non_null(copy.data);
    memset(copy.data, 0xA5, bytes + GUARD_BYTES);
    if (copy.dtype == tensor->dtype)
        memcpy(copy.data, tensor->data, bytes);
    else
        for (int64_t i = 0; i < n; i++)
            ((float *)copy.data)[i] = (float)((const double *)tensor->data)[i];
    return copy;
}

static void release(dpr__op_id op, dpr__tensor *tensor) {
    size_t bytes = (size_t)dpr__shape_count(&tensor->shape) * dpr__dtype_bytes(tensor->dtype);
    for (int i = 0; i < GUARD_BYTES; i++)
        if (((const unsigned char *)tensor->data)[bytes + (size_t)i] != 0xA5)
            fail_msg("%s writes past the end of a tensor", dpr__op_names[op]);
    free(tensor->data);
}

static dpr__type infer(dpr__op_id op, const void *param, uint32_t n_src, const dpr__tensor *src) {
    dpr_context *context;
    dpr__type types[MOST_SOURCES];
    assert_int_equal(dpr_context_create(NULL, &context), DPR_OK);
    for (uint32_t i = 0; i < n_src; i++)
        types[i] = (dpr__type){src[i].dtype == DPR_F64 ? DPR_F32 : src[i].dtype, src[i].shape};
    dpr__infer question = {.context = context,
                           .op = dpr__op_names[op],
                           .name = "test",
                           .param = param,
                           .n_src = n_src,
                           .src = types};
    if (dpr__ops[op]->infer(&question) != DPR_OK)
        fail_msg("%s", dpr_error(context));
    dpr_context_destroy(context);
    return question.dst;
}

static void compare(dpr__op_id op, const dpr__tensor *got, const dpr__tensor *want) {
    int64_t n = dpr__shape_count(&want->shape);
    for (int64_t i = 0; i < n; i++) {
        if (want->dtype == DPR_U64) {
            assert_true(((const uint64_t *)got->data)[i] == ((const uint64_t *)want->data)[i]);
            continue;
        }
        double x = dpr__get(got, i), y = dpr__get(want, i);
        double tolerance = got->dtype == DPR_F64   ? 1e-14 * fabs(y)
                           : got->dtype == DPR_F32 ? 0x1p-23 * fabs(y)
                                                   : 0;
        bool same = x == y || (isnan(x) && isnan(y)) || fabs(x - y) <= tolerance;
        if (!same)
            fail_msg("%s (%s): element %lld is %.17g; it should be %.17g", dpr__op_names[op],
                     dpr__dtype_name(got->dtype), (long long)i, x, y);
    }
}

static void run(dpr__op_id op, const void *param, uint32_t n_src, const dpr__tensor *src,
                const dpr__tensor *want, bool narrow) {
    dpr__tensor copies[MOST_SOURCES], dst = guarded(want, narrow);
    for (uint32_t i = 0; i < n_src; i++)
        copies[i] = guarded(&src[i], narrow);
    memset(dst.data, 0x5A, (size_t)dpr__shape_count(&dst.shape) * dpr__dtype_bytes(dst.dtype));
    dpr__ops[op]->reference(&(dpr__call){param, copies, dst, NULL});
    compare(op, &dst, want);
    release(op, &dst);
    for (uint32_t i = 0; i < n_src; i++)
        release(op, &copies[i]);
}

void expect_op(dpr__op_id op, const void *param, uint32_t n_src, const dpr__tensor *src,
               dpr__tensor want) {
    char a[DPR__SHAPE_TEXT], b[DPR__SHAPE_TEXT];
    assert_true(n_src <= MOST_SOURCES);
    dpr__type type = infer(op, param, n_src, src);
    if (!dpr__shape_equal(&type.shape, &want.shape))
        fail_msg("%s: the result is %s; it should be %s", dpr__op_names[op],
                 dpr__shape_text(&type.shape, a), dpr__shape_text(&want.shape, b));
    assert_int_equal(type.dtype, want.dtype == DPR_F64 ? DPR_F32 : want.dtype);
    run(op, param, n_src, src, &want, false);
    run(op, param, n_src, src, &want, true);
}
