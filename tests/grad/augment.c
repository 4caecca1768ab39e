/* augment, mix_partner, mix_share: what they do where nothing is drawn, and what does not depend on the draw. What each kind makes of
 * an image is tested in tests/unit/augment_test.c. */
#include "grad/samples.h"
#include "grad/values.h"
#include "ops/op.h"

/* Three images of 1 × 2 pixels. */
#define POOL BYTES((1, 2, 30, 40, 255, 0), 3, 1, 2, 1)
#define SET .n = 3, .height = 1, .width = 2

static void augment_values(void) {
    static const dpr__augment_param same = {SET}, mean = {SET, .fill = 7, .cutout = 4};
    EXPECT(augment, &same, BYTES((255, 0, 1, 2, 1, 2, 255, 0), 4, 1, 2, 1), POOL,
           INTEGERS((2, 0, -4, 3), 4), COUNTER(5), COUNTER(6), INTEGERS((2, 0, -4, 3), 4),
           INTEGERS((0, 0, 0, 0), 4));
    EXPECT(augment, &same, BYTES((30, 40, 255, 0), 2, 1, 2, 1), POOL, INTEGERS((2, 0), 2),
           COUNTER(5), COUNTER(6), INTEGERS((1, 2), 2), INTEGERS((0, 0), 2)); /* other rows */
    EXPECT(augment, &same, BYTES((0), 0, 1, 2, 1), POOL, INTEGERS((0), 0), COUNTER(5), COUNTER(6),
           INTEGERS((0), 0), INTEGERS((0), 0));
    /* A square of twice the width, around any of the pixels, covers both. */
    EXPECT(augment, &mean, BYTES((7, 7), 1, 1, 2, 1), POOL, INTEGERS((1), 1), COUNTER(5),
           COUNTER(6), INTEGERS((1), 1), INTEGERS((1), 1));
}

const struct grad_samples samples_augment = {.why_none = "the pool is data; asking is an error",
                                             .values = augment_values};

static void mix_partner_values(void) {
    static const dpr__augment_param none = {SET},
                                    one = {.n = 1, .height = 1, .width = 2, .mixup = 1};
    EXPECT(mix_partner, &none, INTEGERS((2, 0, 2), 3), INTEGERS((2, 0, 2), 3), COUNTER(5),
           COUNTER(6));
    EXPECT(mix_partner, &one, INTEGERS((0), 1), INTEGERS((0), 1), COUNTER(5), COUNTER(6));
    EXPECT(mix_partner, &none, INTEGERS((0), 0), INTEGERS((0), 0), COUNTER(5), COUNTER(6));
}

const struct grad_samples samples_mix_partner = {.why_none = "its operands are integers",
                                                 .values = mix_partner_values};

static void mix_share_values(void) {
    static const dpr__augment_param none = {SET};
    EXPECT(mix_share, &none, REALS((0, 0), 2), INTEGERS((2, 0), 2), COUNTER(5), COUNTER(6));
    EXPECT(mix_share, &none, NOTHING(0), INTEGERS((0), 0), COUNTER(5), COUNTER(6));
}

const struct grad_samples samples_mix_share = {.why_none = "its operands are integers",
                                               .values = mix_share_values};
