/* What pad, slice, pad_reflect and fold_reflect share: a tensor seen along one axis, as outer × extent × inner. */
#ifndef DPR_OPS_ALONG_H
#define DPR_OPS_ALONG_H

#include "ops/op.h"

enum { DPR__ALONG_MOST_BITS = 40 }; /* no extent is beyond 2^40, so no sum of three overflows */

typedef struct dpr__along {
    int64_t outer, extent, inner;
} dpr__along;

/* dst like operand 0, which must be f32; fails unless `axis` is one of its axes but the first, which is the
 * batch, and has elements. *extent: how many. */
dpr_status dpr__along_infer(dpr__infer *question, int64_t axis, int64_t *extent);
/* Fails unless before and after are 0 to most. */
dpr_status dpr__along_check_padding(const dpr__infer *question, int64_t before, int64_t after,
                                    int64_t most);
dpr__along dpr__along_axis(const dpr_shape *shape, int64_t axis);

/* The parameters of pad, pad_reflect and fold_reflect. */
extern const dpr__field dpr__pad_fields[3];

#endif
