/* The shapes of windows (window.h). */
#include "ops/window.h"

dpr__window dpr__window_of(const dpr__window_param *p, const dpr_shape *image,
                           const dpr_shape *map) {
    return (dpr__window){
        .image = *image,
        .map = *map,
        .y = {image->dim[1], p->kernel_h, p->stride_h, 1, p->pad_top, p->pad_bottom, map->dim[1]},
        .x = {image->dim[2], p->kernel_w, p->stride_w, 1, p->pad_left, p->pad_right, map->dim[2]}};
}

static dpr_status check_padding(const dpr__infer *q, const char *name, const dpr__axis *a) {
    if (a->before < a->kernel && a->after < a->kernel)
        return DPR_OK;
    return DPR_FAIL(q->context, DPR_E_ARGUMENT,
                    "%s '%s': along the %s the padding is %lld and %lld; each must be smaller than "
                    "the kernel, %lld",
                    q->op, q->name, name, (long long)a->before, (long long)a->after,
                    (long long)a->kernel);
}

dpr_status dpr__window_fit(const dpr__infer *q, const dpr_shape *image, dpr__window *out) {
    char text[DPR__SHAPE_TEXT];
    *out = dpr__window_of(q->param, image, image);
    DPR_TRY(dpr__axis_check(q, "height", &out->y));
    DPR_TRY(dpr__axis_check(q, "width", &out->x));
    DPR_TRY(check_padding(q, "height", &out->y));
    DPR_TRY(check_padding(q, "width", &out->x));
    if (image->dim[3] < 1)
        return DPR_FAIL(q->context, DPR_E_SHAPE, "%s '%s': %s has no channels", q->op, q->name,
                        dpr__shape_text(image, text));
    out->map = dpr_shape_of(image->dim[0], out->y.n, out->x.n, image->dim[3]);
    return DPR_OK;
}

dpr_status dpr__window_expect(const dpr__infer *q, uint32_t i, const dpr__window *window) {
    char got[DPR__SHAPE_TEXT], image[DPR__SHAPE_TEXT], map[DPR__SHAPE_TEXT];
    if (dpr__shape_equal(&q->src[i].shape, &window->map))
        return DPR_OK;
    return DPR_FAIL(q->context, DPR_E_SHAPE, "%s '%s': operand %u is %s; %s has windows of %s",
                    q->op, q->name, i + 1, dpr__shape_text(&q->src[i].shape, got),
                    dpr__shape_text(&window->image, image), dpr__shape_text(&window->map, map));
}

dpr_status dpr__window_expect_bytes(const dpr__infer *q) {
    const dpr__window_param *p = q->param;
    if (p->kernel_h * p->kernel_w <= 256) /* both are within 65536 here */
        return DPR_OK;
    return DPR_FAIL(q->context, DPR_E_ARGUMENT,
                    "%s '%s': a window of %lld × %lld; a byte names one of at most 256 elements",
                    q->op, q->name, (long long)p->kernel_h, (long long)p->kernel_w);
}

dpr_status dpr__window_infer_image(dpr__infer *q) {
    const dpr__window_param *p = q->param;
    dpr__window window;
    DPR_TRY(dpr__expect_dtype(q, 0, DPR_F32));
    DPR_TRY(dpr__expect_rank(q, 0, 4));
    const dpr_shape *map = &q->src[0].shape;
    dpr_shape image = dpr_shape_of(map->dim[0], p->height, p->width, map->dim[3]);
    DPR_TRY(dpr__window_fit(q, &image, &window));
    DPR_TRY(dpr__window_expect(q, 0, &window));
    q->dst = (dpr__type){DPR_F32, image};
    return DPR_OK;
}
