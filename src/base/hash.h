/* A hash of 64 bits that is made as fast as memory is read: for finding equal things and seeing that they have changed, not against those who
 * want two to be equal (sha256.h). The same on every machine. */
#ifndef DPR_BASE_HASH_H
#define DPR_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t dpr__hash(const void *bytes, size_t n);

#endif
