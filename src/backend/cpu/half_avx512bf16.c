/* kernel */
/* Rounding to bf16 with its own instruction (which takes subnormals for 0, as the team's threads do everywhere). */
#include <immintrin.h>
#define HALF_NAME dpr__halves_avx512bf16
#define ROUND(low, high) ((__m512i)_mm512_cvtne2ps_pbh(high, low))
#include "backend/cpu/half_tmpl.h"
