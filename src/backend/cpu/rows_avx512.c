/* Row kernels that compute with floats, avx512: sixteen rows are turned in registers. */
#define ROWS_NAME(name) dpr__##name##_rows_avx512
#include "backend/cpu/turn_avx512.h"
#define TURN_ROWS(dst, dst_row, src, src_row) turn_16(dst, dst_row, src, src_row)
#include "backend/cpu/rows_tmpl.h"
