/* kernel */
/* Strips of floats to bf16 and back in AVX-512; included once per ISA, which defines HALF_NAME and ROUND(low, high): 32 floats
 * to 32 bf16. */
#include "backend/cpu/kernel.h"
#include "backend/cpu/pair_avx512.h"

/* A row, with 0 beyond its columns. */
static inline __m512i rounded_row(const float *src, __mmask16 low, __mmask16 high) {
    return ROUND(_mm512_maskz_loadu_ps(low, src), _mm512_maskz_loadu_ps(high, src + 16));
}

static void store(const float *src, int64_t src_row, int64_t rows, int64_t columns,
                  uint16_t *as_rows, uint16_t *as_pairs) {
    static const short INTERLEAVE[32] = {0,  32, 1,  33, 2,  34, 3,  35, 4,  36, 5,
                                         37, 6,  38, 7,  39, 8,  40, 9,  41, 10, 42,
                                         11, 43, 12, 44, 13, 45, 14, 46, 15, 47};
    const __m512i first = _mm512_loadu_si512(INTERLEAVE);
    const __m512i second = _mm512_add_epi16(first, _mm512_set1_epi16(16));
    const uint32_t mask = columns >= 32 ? 0xffffffffU : (1U << columns) - 1;
    const __mmask16 low = (__mmask16)mask, high = (__mmask16)(mask >> 16);
    for (int64_t i = 0; i < rows; i += 2) {
        const float *pair = src + i * src_row;
        bool both = i + 1 < rows;
        const __m512i a = rounded_row(pair, low, high);
        const __m512i b = both ? rounded_row(pair + src_row, low, high) : _mm512_setzero_si512();
        if (as_rows != NULL) {
            _mm512_storeu_si512(as_rows + i * DPR__PANEL, a);
            if (both)
                _mm512_storeu_si512(as_rows + (i + 1) * DPR__PANEL, b);
        }
        if (as_pairs != NULL) {
            _mm512_storeu_si512(as_pairs + i * DPR__PANEL, _mm512_permutex2var_epi16(a, first, b));
            _mm512_storeu_si512(as_pairs + (i + 1) * DPR__PANEL,
                                _mm512_permutex2var_epi16(a, second, b));
        }
    }
}

static void load(const uint16_t *src, int64_t rows, float *dst) {
    for (int64_t i = 0; i < rows * DPR__PANEL; i += 16) {
        __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(src + i)));
        _mm512_storeu_ps(dst + i, _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16)));
    }
}

/* The lanes of 16 that are there when so many are left. */
static inline __mmask16 lanes_of(int64_t left) {
    return left >= 16 ? 0xffff : left > 0 ? (__mmask16)((1U << left) - 1) : 0;
}

static void round_run(const float *src, int64_t n, uint16_t *dst) {
    int64_t i = 0;
    for (; i + 32 <= n; i += 32)
        _mm512_storeu_si512(dst + i,
                            ROUND(_mm512_loadu_ps(src + i), _mm512_loadu_ps(src + i + 16)));
    const __mmask16 low = lanes_of(n - i), high = lanes_of(n - i - 16);
    if (low != 0)
        _mm512_mask_storeu_epi16(dst + i, (__mmask32)low | (__mmask32)high << 16,
                                 rounded_row(src + i, low, high));
}

static inline __m512i pairs_of(__m512 a, __m512 b) {
    return interleaved(ROUND(a, b));
}

static void pair(const float *src, const float *partner, int64_t n, uint16_t *dst) {
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        _mm512_storeu_si512(dst + 2 * i,
                            pairs_of(_mm512_loadu_ps(src + i), _mm512_loadu_ps(partner + i)));
    const __mmask16 left = lanes_of(n - i);
    if (left != 0)
        _mm512_mask_storeu_epi32(dst + 2 * i, left,
                                 pairs_of(_mm512_maskz_loadu_ps(left, src + i),
                                          _mm512_maskz_loadu_ps(left, partner + i)));
}

static void spread(const float *src, int64_t rows, uint16_t *dst, int64_t dst_row) {
    for (int64_t i = 0; i < rows; i++, src += DPR__PANEL, dst += dst_row)
        _mm512_storeu_si512(dst, ROUND(_mm512_loadu_ps(src), _mm512_loadu_ps(src + 16)));
}

const dpr__half_kernel HALF_NAME = {store, load, round_run, pair, spread};
