/* Detecting instruction sets, usable cores and free memory (cpu.h). */
#include "base/cpu.h"
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *dpr__isa_name(dpr__isa isa) {
    static const char *const WORDS[] = {
#define X(name, word) word,
        DPR__ISA_MAP(X)
#undef X
    };
    return WORDS[isa];
}

#if defined(__x86_64__)
#include <cpuid.h>

/* What the system saves and restores of the registers (XCR0). */
static unsigned long long saved_state(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (unsigned long long)high << 32 | low;
}

/* Linux gives the tiles' 8 KB of state to a process that asks; threads made later inherit the leave. */
static bool tiles_permitted(void) {
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XTILEDATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XTILEDATA) == 0;
}

/* Bits of CPUID leaf 7: subleaf 1 eax, subleaf 0 edx; and of XCR0. */
enum { AVX512_BF16 = 1 << 5, AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24, TILES = 3 << 17 };

dpr__isa dpr__isa_detect(void) {
    enum { YMM = 0x6, ZMM = 0xe6 }; /* XMM and YMM; these and opmask, ZMM high halves, ZMM16–31 */
    unsigned a, b, c, d, a7, b7, c7, d7;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_FMA) ||
        !__get_cpuid_count(7, 0, &a7, &b7, &c7, &d7))
        return DPR__ISA_GENERIC;
    unsigned long long saved = saved_state();
    if ((saved & YMM) != YMM || !(b7 & bit_AVX2))
        return DPR__ISA_GENERIC;
    const unsigned wide = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    if ((saved & ZMM) != ZMM || (b7 & wide) != wide)
        return DPR__ISA_AVX2;
    unsigned a71 = 0, rest;
    __get_cpuid_count(7, 1, &a71, &rest, &rest, &rest);
    if (!(a71 & AVX512_BF16))
        return DPR__ISA_AVX512;
#ifdef DPR_EMULATE_TILES /* of a test: backend/cpu/amx.h plays them */
    return DPR__ISA_AMX;
#endif
    const unsigned tiles = AMX_TILE | AMX_BF16;
    bool amx = (d7 & tiles) == tiles && (saved & TILES) == TILES && tiles_permitted();
    return amx ? DPR__ISA_AMX : DPR__ISA_AVX512BF16;
}
#else
dpr__isa dpr__isa_detect(void) {
    return DPR__ISA_GENERIC;
}
#endif

/* Whole cores of the cgroup's quota (cgroup v2: "max 100000" or "150000 100000"); 0: no limit known. */
static unsigned quota_cores(void) {
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (file == NULL)
        return 0;
    unsigned long quota = 0, period = 0;
    int n = fscanf(file, "%lu %lu", &quota, &period);
    fclose(file);
    if (n != 2 || period == 0)
        return 0;
    unsigned long cores = (quota + period - 1) / period;
    return cores > 0 ? (unsigned)cores : 1;
}

unsigned dpr__usable_cores(void) {
    cpu_set_t mask;
    int n = sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 1;
    unsigned cores = n > 0 ? (unsigned)n : 1, quota = quota_cores();
    return quota > 0 && quota < cores ? quota : cores;
}

/* A number after a word, or the first of a file ("" for the word); `otherwise` where there is none. */
static unsigned long long read_number(const char *path, const char *word,
                                      unsigned long long otherwise) {
    FILE *file = fopen(path, "re");
    char line[256];
    unsigned long long value = otherwise;
    size_t n = strlen(word);
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, word, n) == 0) {
            if (sscanf(line + n, "%llu", &value) != 1) /* "max" */
                value = otherwise;
            break;
        }
    if (file != NULL)
        fclose(file);
    return value;
}

size_t dpr__free_memory(void) {
    unsigned long long most = SIZE_MAX;
    unsigned long long available =
        read_number("/proc/meminfo", "MemAvailable:", most / 1024) * 1024;
    unsigned long long limit = read_number("/sys/fs/cgroup/memory.max", "", most);
    unsigned long long taken = read_number("/sys/fs/cgroup/memory.current", "", 0);
    unsigned long long cached = read_number("/sys/fs/cgroup/memory.stat", "inactive_file", 0);
    taken -= cached < taken ? cached
                            : taken; /* files that the system lets go of when asked for memory */
    unsigned long long left = limit == most ? most : limit > taken ? limit - taken : 0;
    return (size_t)(left < available ? left : available);
}
