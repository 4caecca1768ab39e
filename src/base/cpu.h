/* What this CPU and its operating system can run. */
#ifndef DPR_BASE_CPU_H
#define DPR_BASE_CPU_H

#include <stdbool.h>
#include <stddef.h>

/* X(name, word): instruction sets that kernels are written for, weakest first. */
#define DPR__ISA_MAP(X)                                                                            \
    X(GENERIC, "generic")                                                                          \
    X(AVX2, "avx2")                                                                                \
    X(AVX512, "avx512")                                                                            \
    X(AVX512BF16, "avx512bf16")                                                                    \
    X(AMX, "amx")

typedef enum dpr__isa {
#define X(name, word) DPR__ISA_##name,
    DPR__ISA_MAP(X)
#undef X
        DPR__N_ISAS
} dpr__isa;

const char *dpr__isa_name(dpr__isa isa);
/* The strongest that CPUID offers and XGETBV says the system saves. AVX2 includes FMA; AVX512 means
 * F, BW, DQ and VL. AMX means tiles, bf16 products on them, and that the kernel lets this process use them. */
dpr__isa dpr__isa_detect(void);
/* Cores that this process may use (affinity mask, cgroup quota), at least 1. */
unsigned dpr__usable_cores(void);
/* Bytes that this process may still take without driving others out (what the system says is available, the cgroup's limit). */
size_t dpr__free_memory(void);

#endif
