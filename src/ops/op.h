/* Help for the files of this folder: reading and writing elements in double, common shape rules. */
#ifndef DPR_OPS_OP_H
#define DPR_OPS_OP_H

#include "ir/graph.h"
#include "ir/shape.h"

static inline double dpr__get(const dpr__tensor *tensor, int64_t i) {
    switch (tensor->dtype) {
    case DPR_F32:
        return (double)((const float *)tensor->data)[i];
    case DPR_F64:
        return ((const double *)tensor->data)[i];
    case DPR_U8:
        return ((const uint8_t *)tensor->data)[i];
    case DPR_I32:
        return ((const int32_t *)tensor->data)[i];
    case DPR_U64:
        return (double)((const uint64_t *)tensor->data)[i];
    }
    return 0;
}

static inline void dpr__put(const dpr__tensor *tensor, int64_t i, double value) {
    switch (tensor->dtype) {
    case DPR_F32:
        ((float *)tensor->data)[i] = (float)value;
        break;
    case DPR_F64:
        ((double *)tensor->data)[i] = value;
        break;
    case DPR_U8:
        ((uint8_t *)tensor->data)[i] = (uint8_t)value;
        break;
    case DPR_I32:
        ((int32_t *)tensor->data)[i] = (int32_t)value;
        break;
    case DPR_U64:
        ((uint64_t *)tensor->data)[i] = (uint64_t)value;
        break;
    }
}

/* Shape rules that several ops share. */
dpr_status dpr__infer_unary_f32(dpr__infer *question);  /* dst like src, f32 */
dpr_status dpr__infer_binary_f32(dpr__infer *question); /* broadcast, f32 */
/* Fails with DPR_E_DTYPE unless source i is of `dtype`. */
dpr_status dpr__expect_dtype(const dpr__infer *question, uint32_t i, dpr_dtype dtype);
/* Fails with DPR_E_SHAPE unless source i has this rank. */
dpr_status dpr__expect_rank(const dpr__infer *question, uint32_t i, uint32_t rank);

/* For order and rows: n images in minibatches of `batch` (DPR_BATCH: open), both within i32. */
dpr_status dpr__expect_images(const dpr__infer *question, int64_t n, int64_t batch);

/* Reference loops of the elementwise ops. */
void dpr__reference_unary(const dpr__call *call, double (*f)(double));
void dpr__reference_binary(const dpr__call *call, double (*f)(double, double));
/* Index in `src` of the element that broadcasting puts at linear index i of dst. */
int64_t dpr__broadcast_index(const dpr_shape *src, const dpr_shape *dst, int64_t i);

#endif
