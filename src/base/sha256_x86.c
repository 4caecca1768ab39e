/* SHA-256 by the SHA extensions (Intel SDM, volume 2: SHA256RNDS2 makes two rounds; the state is kept as ABEF and CDGH, words in the high
 * lanes first). */
#include "base/sha256.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#include <stdatomic.h>

static bool ask_cpu(void) {
    enum { SHA = 1 << 29, SSE41 = 1 << 19 };
    unsigned a, b, c, d, b7;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !__get_cpuid_count(7, 0, &a, &b7, &b, &d))
        return false;
    return (c & SSE41) != 0 && (b7 & SHA) != 0;
}

/* Asked once: in a virtual machine the question takes as long as the hash of a small image. */
static bool has_sha(void) {
    static atomic_int known; /* 1: no, 2: yes */
    int answer = atomic_load_explicit(&known, memory_order_relaxed);
    if (answer == 0) {
        answer = 1 + ask_cpu();
        atomic_store_explicit(&known, answer, memory_order_relaxed);
    }
    return answer == 2;
}

/* Four rounds t … t + 3 on words w. */
#define ROUNDS(t, w)                                                                               \
    do {                                                                                           \
        __m128i wk = _mm_add_epi32(                                                                \
            w, _mm_loadu_si128((const __m128i *)(const void *)(dpr__sha256_k + (t))));             \
        cdgh = _mm_sha256rnds2_epu32(cdgh, abef, wk);                                              \
        abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(wk, 0x0e));                     \
    } while (0)

__attribute__((target("sha,sse4.1"))) static void compress(__m128i *abef_out, __m128i *cdgh_out,
                                                           const uint8_t *block) {
    const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i abef = *abef_out, cdgh = *cdgh_out, w[4];
    for (int i = 0; i < 4; i++) {
        w[i] = _mm_loadu_si128((const __m128i *)(const void *)(block + 16 * i));
        w[i] = _mm_shuffle_epi8(w[i], order);
        ROUNDS(4 * i, w[i]);
    }
    for (int t = 16; t < 64; t += 4) {
        __m128i next =
            _mm_add_epi32(_mm_sha256msg1_epu32(w[0], w[1]), _mm_alignr_epi8(w[3], w[2], 4));
        w[0] = w[1], w[1] = w[2], w[2] = w[3];
        w[3] = _mm_sha256msg2_epu32(next, w[2]);
        ROUNDS(t, w[3]);
    }
    *abef_out = _mm_add_epi32(abef, *abef_out);
    *cdgh_out = _mm_add_epi32(cdgh, *cdgh_out);
}

__attribute__((target("sha,sse4.1"))) static void compress_all(uint32_t state[8],
                                                               const uint8_t *blocks, size_t n) {
    __m128i *at = (__m128i *)(void *)state;
    __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128(at), 0xb1);     /* high to low: C D A B */
    __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128(at + 1), 0x1b); /* E F G H */
    __m128i abef = _mm_alignr_epi8(badc, hgfe, 8), cdgh = _mm_blend_epi16(hgfe, badc, 0xf0);
    for (; n > 0; n--, blocks += 64)
        compress(&abef, &cdgh, blocks);
    badc = _mm_shuffle_epi32(abef, 0x1b); /* F E B A */
    hgfe = _mm_shuffle_epi32(cdgh, 0xb1); /* D C H G */
    _mm_storeu_si128(at, _mm_blend_epi16(badc, hgfe, 0xf0));
    _mm_storeu_si128(at + 1, _mm_alignr_epi8(hgfe, badc, 8));
}

bool dpr__sha256_fast(uint32_t state[8], const uint8_t *blocks, size_t n) {
    if (!has_sha())
        return false;
    compress_all(state, blocks, n);
    return true;
}
#else
bool dpr__sha256_fast(uint32_t state[8], const uint8_t *blocks, size_t n) {
    (void)state, (void)blocks, (void)n;
    return false;
}
#endif
