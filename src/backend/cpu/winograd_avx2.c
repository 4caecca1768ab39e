/* Winograd's transforms, avx2. */
#include "backend/cpu/vector_avx2.h"
#define WINOGRAD_NAME dpr__winograd_avx2
#define WINOGRAD_FILTERS dpr__winograd_filters_avx2
#include "backend/cpu/winograd_tmpl.h"
