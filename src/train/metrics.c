/* Wilson's interval, precision and recall. */
#include "train/metrics.h"
#include <math.h>
#include <stddef.h>

void dpr__wilson(uint64_t correct, uint64_t n, double *low, double *high) {
    *low = 0;
    *high = 1;
    if (n == 0)
        return;
    const double z = 1.959963984540054; /* 97.5 % point of the normal distribution */
    double count = (double)n, share = (double)correct / count;
    double middle = (share + z * z / (2 * count)) / (1 + z * z / count);
    double half =
        z / (1 + z * z / count) * sqrt(share * (1 - share) / count + z * z / (4 * count * count));
    /* At the ends the bound is 0 or 1 exactly; rounding would leave 1e-17. */
    *low = correct == 0 ? 0 : middle - half;
    *high = correct == n ? 1 : middle + half;
}

void dpr__precision_recall(const uint64_t *confusion, uint32_t k, double *precision,
                           double *recall) {
    for (size_t c = 0; c < k; c++) {
        uint64_t called = 0, are = 0;
        for (size_t other = 0; other < k; other++) {
            called += confusion[other * k + c];
            are += confusion[c * k + other];
        }
        double hits = (double)confusion[c * k + c];
        precision[c] = called > 0 ? hits / (double)called : (double)NAN;
        recall[c] = are > 0 ? hits / (double)are : (double)NAN;
    }
}
