/* Functions of one float, in additions and multiplications that compilers make vectors of. Errors are against the value in double, in units in the
 * last place (ulp). */
#ifndef DPR_BACKEND_CPU_FUNCTIONS_H
#define DPR_BACKEND_CPU_FUNCTIONS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

/* e^x, some 2 units in the last place; 0 below −87.3. x = n·ln 2 + r, |r| ≤ ln 2 / 2, and a polynomial for e^r (coefficients: Moshier,
 * Cephes, expf). Adding 1.5·2²³ rounds to an integer, whose low bits then are n. */
INLINE float exponential(float x) {
    const float shifter = 12582912.0F;
    float clamped = x > 88.0F ? 88.0F : x < -87.3F ? -87.3F : x;
    float shifted = clamped * 1.44269504F + shifter, n = shifted - shifter;
    float r = clamped - n * 0.693359375F - n * -2.12194440e-4F;
    float p = 1.9875691500e-4F;
    p = p * r + 1.3981999507e-3F;
    p = p * r + 8.3334519073e-3F;
    p = p * r + 4.1665795894e-2F;
    p = p * r + 1.6666665459e-1F;
    p = p * r + 5.0000001201e-1F;
    p = p * r * r + r + 1;
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (int32_t)(((uint32_t)bits << 23) + 0x3f800000U);
    float power;
    memcpy(&power, &bits, sizeof power);
    float result = p * power;
    return x < -87.3F ? 0 : result;
}

/* ln x for normal x > 0, some 2 units in the last place. x = m·2ᵉ, √½ ≤ m < √2, and a polynomial for ln m (coefficients: Moshier, Cephes,
 * logf). */
INLINE float logarithm(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t shifted = bits - 0x3f3504f3U; /* √½ */
    float e = (float)((int32_t)shifted >> 23), m;
    bits = (shifted & 0x7fffffU) + 0x3f3504f3U;
    memcpy(&m, &bits, sizeof m);
    m = m - 1;
    float z = m * m, p = 7.0376836292e-2F;
    p = p * m - 1.1514610310e-1F;
    p = p * m + 1.1676998740e-1F;
    p = p * m - 1.2420140846e-1F;
    p = p * m + 1.4249322787e-1F;
    p = p * m - 1.6668057665e-1F;
    p = p * m + 2.0000714765e-1F;
    p = p * m - 2.4999993993e-1F;
    p = p * m + 3.3333331174e-1F;
    p = p * m * z + e * -2.12194440e-4F - 0.5F * z;
    return x < INFINITY ? m + p + e * 0.693359375F : x; /* NaN and ∞ as they came */
}

/* e^x for all x: ∞ beyond the largest float. Half the power first, since 2^128 is none. */
INLINE float exponential_of_any(float x) {
    float most = x > 89.0F ? 89.0F : x;
    float half = exponential(most * 0.5F), power = half * half;
    return x < -87.3F ? 0 : power;
}

/* x·T(x²) up to 1 (Cephes, Moshier, erff); beyond 1 − e^L(|x|), L the polynomial nearest to log erfc between 0.9 and 4, weighted by erfc (our
 * fit, largest error 2·10⁻⁹). Within 2 ulp. */
INLINE float error_function(float x) {
    float a = fabsf(x), z = x * x;
    float t = 7.853861353153693e-5F;
    t = t * z - 8.010193625184903e-4F;
    t = t * z + 5.188327685732524e-3F;
    t = t * z - 2.685381193529856e-2F;
    t = t * z + 1.128358514861418e-1F;
    t = t * z - 3.761262582423300e-1F;
    t = t * z + 1.128379165726710F;
    float most = a > 4 ? 4.0F : a; /* NaN stays */
    float l = 1.9718251132871956e-4F;
    l = l * most - 3.0556146521121264e-3F;
    l = l * most + 2.2277113050222397e-2F;
    l = l * most - 1.0403741151094437e-1F;
    l = l * most - 6.370596885681152e-1F;
    l = l * most - 1.1277495622634888F;
    l = l * most - 1.7748815298546106e-4F;
    float far = 1 - exponential(l), back = -far, near = x * t;
    far = x < 0 ? back : far;
    return a >= 1 ? far : near; /* NaN is near */
}

/* Cephes, tanhf: x + x³·P(x²) up to 0.625, 1 − 2/(e^2|x| + 1) beyond. Within 2 ulp. */
INLINE float hyperbolic_tangent(float x) {
    float a = fabsf(x), z = x * x;
    float p = -5.70498872745e-3F;
    p = p * z + 2.06390887954e-2F;
    p = p * z - 5.37397155531e-2F;
    p = p * z + 1.33314422036e-1F;
    p = p * z - 3.33332819422e-1F;
    float most = a < 40 ? a : 40, power = exponential(2 * most);
    float far = 1 - 2 / (power + 1), back = -far, near = x + x * z * p;
    far = x < 0 ? back : far;
    return a > 0.625F ? far : near; /* NaN is near */
}

/* 1/(1 + e^−x); for x < 0 as e^x/(1 + e^x), so that the exponential never overflows. */
INLINE float logistic(float x) {
    float e = exponential(-fabsf(x)), top = x >= 0 ? 1 : e;
    return top / (1 + e);
}

#endif
