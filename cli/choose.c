/* The rule by which train chooses (choose.h); docs/training.md shows this table. */
#include "choose.h"

enum { ANY = 1 << 30, KEPT_SIDE = 128, LEAST_SIDE = 8 };

/* The first row that fits counts: sides of the input and pictures to train on at most, 1 channel: grey only. Few pictures are seen
 * often, in small steps; small grey pictures need the least of a network, photos begin with a wide stride. */
static const struct rule {
    int side;
    uint32_t channels;
    size_t pictures;
    const char *net;
    unsigned epochs, batch;
    double weight_decay, label_smoothing;
} RULES[] = {
    {40, 3, 500, "preset:small-cnn", 80, 16, 5e-3, 0.1},
    {40, 1, 5000, "preset:small-cnn", 30, 32, 5e-3, 0.1},
    {40, 1, ANY, "preset:lenet5", 10, 64, 5e-4, 0},
    {40, 3, 10000, "preset:small-cnn", 40, 32, 5e-3, 0.1},
    {40, 3, ANY, "preset:resnet8", 15, 128, 5e-4, 0},
    {ANY, 3, 500, "preset:photo-cnn", 120, 16, 5e-3, 0.1},
    {ANY, 3, 5000, "preset:photo-cnn", 30, 32, 5e-3, 0.1},
    {ANY, 3, ANY, "preset:photo-cnn", 15, 64, 5e-4, 0},
};

/* How far pictures are moved, as a part of their shorter side. */
enum { COLOUR_PART = 8, GREY_PART = 14 };

/* Pictures of one size up to 128 stay as they are; else the smallest of 32, 64 and 128 that is no less than their median, the largest at
 * most. */
static dpr_shape choose_size(const dpr_sizes *sizes, unsigned input_size) {
    const dpr_shape *image = &sizes->image;
    if (input_size != 0)
        return dpr_shape_of(input_size, input_size, 0);
    if (image->rank == 3 && image->dim[0] <= KEPT_SIDE && image->dim[1] <= KEPT_SIDE)
        return dpr_shape_of(image->dim[0], image->dim[1], 0);
    int side = sizes->median_side <= 32 ? 32 : sizes->median_side <= 64 ? 64 : 128;
    return dpr_shape_of(side, side, 0);
}

/* A photo shows the same when it is moved a little or seen in a mirror. Grey pictures are letters, digits and scans as often: they have a right
 * and a left. */
static void choose_augment(const dpr_shape *image, uint32_t channels, char out[64]) {
    int64_t side = image->dim[0] < image->dim[1] ? image->dim[0] : image->dim[1];
    int64_t part = channels == 1 ? GREY_PART : COLOUR_PART;
    snprintf(out, 64, "crop=%lld,pad=reflect%s", (long long)(side > part ? side / part : 1),
             channels == 1 ? "" : ",flip");
}

struct choice choose_net(const dpr_sizes *sizes, unsigned input_size) {
    const struct rule *rule = RULES;
    if (!sizes->folder || sizes->median_side == 0)
        return (struct choice){0};
    struct choice choice = {.image = choose_size(sizes, input_size)};
    int64_t height = choice.image.dim[0], width = choice.image.dim[1];
    if (height < LEAST_SIDE || width < LEAST_SIDE) /* nothing to pool */
        return (struct choice){0};
    int64_t side = height > width ? height : width;
    while (side > rule->side || sizes->channels > rule->channels || sizes->n > rule->pictures)
        rule++;
    choice.net = rule->net;
    choice.epochs = rule->epochs;
    choice.batch = rule->batch;
    choice.weight_decay = rule->weight_decay;
    choice.label_smoothing = rule->label_smoothing;
    choose_augment(&choice.image, sizes->channels, choice.augment);
    return choice;
}
