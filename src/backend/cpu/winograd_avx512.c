/* Winograd's transforms, avx512. */
#include "backend/cpu/vector_avx512.h"
#define WINOGRAD_NAME dpr__winograd_avx512
#define WINOGRAD_FILTERS dpr__winograd_filters_avx512
#include "backend/cpu/winograd_tmpl.h"
