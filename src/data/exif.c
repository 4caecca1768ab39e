/* The orientation that a camera notes in a JPEG's EXIF segment (Exif 2.3, section 4.6: tag 0x0112 of
 * the first directory). Every offset is checked against the segment. */
#include "data/source.h"
#include <string.h>

struct segment {
    const uint8_t *bytes; /* the TIFF part */
    size_t n;
    bool big_endian;
};

static unsigned u16(const struct segment *s, size_t at) {
    if (at + 2 > s->n || at + 2 < at)
        return 0;
    return s->big_endian ? (unsigned)s->bytes[at] << 8 | s->bytes[at + 1]
                         : (unsigned)s->bytes[at + 1] << 8 | s->bytes[at];
}

static size_t u32(const struct segment *s, size_t at) {
    unsigned first = u16(s, at), second = u16(s, at + 2);
    return s->big_endian ? (size_t)first << 16 | second : (size_t)second << 16 | first;
}

static unsigned orientation_of(const struct segment *s) {
    enum { ORIENTATION = 0x0112, ENTRY = 12 };
    if (u16(s, 2) != 42)
        return 1;
    size_t directory = u32(s, 4);
    unsigned entries = u16(s, directory);
    for (unsigned i = 0; i < entries; i++) {
        size_t entry = directory + 2 + (size_t)i * ENTRY;
        if (u16(s, entry) != ORIENTATION)
            continue;
        unsigned value = u16(s, entry + 8);
        return value >= 1 && value <= 8 ? value : 1;
    }
    return 1;
}

unsigned dpr__exif_orientation(const uint8_t *bytes, size_t n) {
    size_t at = 2; /* after the start-of-image marker */
    while (at + 4 <= n && bytes[at] == 0xff) {
        unsigned marker = bytes[at + 1];
        if (marker == 0xff) { /* fill byte */
            at++;
            continue;
        }
        size_t length = (size_t)bytes[at + 2] << 8 | bytes[at + 3];
        if (marker == 0xda || length < 2 || at + 2 + length > n) /* scan data, or nonsense */
            return 1;
        const uint8_t *body = bytes + at + 4;
        if (marker == 0xe1 && length >= 16 && memcmp(body, "Exif\0\0", 6) == 0) {
            struct segment s = {.bytes = body + 6, .n = length - 8};
            s.big_endian = s.bytes[0] == 'M';
            return s.bytes[0] == s.bytes[1] && (s.bytes[0] == 'M' || s.bytes[0] == 'I')
                       ? orientation_of(&s)
                       : 1;
        }
        at += 2 + length;
    }
    return 1;
}
