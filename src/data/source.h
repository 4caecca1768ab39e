/* The readers' shared structures: images, and listings of what a data set holds. */
#ifndef DPR_DATA_SOURCE_H
#define DPR_DATA_SOURCE_H

#include "base/memory.h"
#include "base/text.h"
#include <deeper/tools.h>

/* ---- single images ---- */

enum {
    DPR__MOST_SIDE = 65500,       /* what JPEG can say */
    DPR__MOST_PIXELS = 178956970, /* of one image; beyond lies a bomb rather than a photo */
};
#define DPR__MOST_FILE ((size_t)1 << 28) /* bytes of one image file */

typedef struct dpr__image {
    uint32_t height, width, channels; /* channels 1 or 3 */
    uint8_t *pixels;                  /* dpr__allocate'd; row-major, channels last */
} dpr__image;

void dpr__image_release(dpr_context *context, dpr__image *image);
/* Checks the size against `most` pixels, and against `held`, what the file's bytes can hold, then allocates. */
dpr_status dpr__image_allocate(dpr_context *context, const char *name, uint64_t height,
                               uint64_t width, uint32_t channels, uint64_t most, uint64_t held,
                               dpr__image *out);

/* By content; upright by EXIF. `name` is for messages, which begin "name: ". DPR_E_FORMAT when it is
 * no readable PNG or JPEG, or has more than `most` pixels (at most DPR__MOST_PIXELS), of which none is decoded then. */
dpr_status dpr__image_decode(dpr_context *context, const char *name, const uint8_t *bytes, size_t n,
                             uint64_t most, dpr__image *out);
/* Decodes, and brings what there is to shape = (height, width, channels 1 or 3): all that dpr_image_read does with a file's bytes. pixels is
 * the caller's. *most: what images may still have together; those of this one are taken from it. DPR_E_SHAPE where images cannot be brought to such a shape. */
dpr_status dpr__image_load(dpr_context *context, const char *name, const uint8_t *bytes, size_t n,
                           uint64_t *most, dpr_shape shape, dpr_fit fit, uint8_t *pixels);
/* Pixels by the header alone; 0 where none is found: that file cannot be decoded, or tells only then. */
uint64_t dpr__image_pixels(const uint8_t *bytes, size_t n);
/* DPR_E_SHAPE, and what is possible, where images cannot be brought to this shape. */
dpr_status dpr__image_check_shape(dpr_context *context, const char *name, dpr_shape shape);
bool dpr__is_image(const uint8_t *bytes, size_t n);

/* The decoders (png.c, jpeg.c). PNG: palettes become RGB, 16 bits are rounded to 8, alpha is composed
 * over black. JPEG: as stored, not yet turned upright; CMYK becomes RGB. */
dpr_status dpr__png_decode(dpr_context *context, const char *name, const uint8_t *bytes, size_t n,
                           uint64_t most, dpr__image *out);
dpr_status dpr__jpeg_decode(dpr_context *context, const char *name, const uint8_t *bytes, size_t n,
                            uint64_t most, dpr__image *out);
/* Appends u8 (height, width, channels 1 or 3) as PNG. Errors: DPR_E_SHAPE, DPR_E_IO. */
dpr_status dpr__png_encode(dpr_context *context, const uint8_t *pixels, dpr_shape image,
                           dpr__text *out);
/* Orientation 1 … 8 of a JPEG's EXIF segment; 1 when there is none. */
unsigned dpr__exif_orientation(const uint8_t *bytes, size_t n);

/* Unpacks gzip until `most` bytes are there or the data ends, whichever comes first; allocates no
 * more than n bytes can hold. Checksums are verified where the end is reached. */
dpr_status dpr__gunzip(dpr_context *context, const char *name, const uint8_t *bytes, size_t n,
                       size_t most, uint8_t **out, size_t *n_out);

/* Brings an image to height × width by the rule, with the channels of src; dst has room for that. */
dpr_status dpr__image_fit(dpr_context *context, const dpr__image *src, uint32_t height,
                          uint32_t width, dpr_fit fit, uint8_t *dst);
/* Between 1 and 3 channels: grey is repeated; colour becomes ITU-R BT.601 luma. */
void dpr__channels_convert(const uint8_t *src, uint32_t from, uint8_t *dst, uint32_t to,
                           size_t pixels);
/* Both of these: the one way from a decoded image to a network's input. dst (height, width,
 * channels). */
dpr_status dpr__image_bring(dpr_context *context, const dpr__image *src, uint32_t height,
                            uint32_t width, uint32_t channels, dpr_fit fit, uint8_t *dst);

/* ---- listings ---- */

/* One image of a set: in a file, or in memory (packed formats). Packed images of a half that nobody
 * asked for have a label only. */
typedef struct dpr__item {
    const char *path;       /* NULL when packed; else in the arena */
    const uint8_t *pixels;  /* packed: (shape), else NULL */
    const dpr_shape *shape; /* packed */
    int32_t label;
    dpr_half half;
    uint64_t hash; /* of the content; split.c */
} dpr__item;

typedef struct dpr__listing {
    dpr_context *context;
    dpr__arena arena;
    const char *root, *format;
    dpr_half wanted;   /* the half to be opened; packed pixels of others need not be read */
    bool survey;       /* all halves are wanted; bad files are noted, not failures */
    const char *split; /* how the halves came about, for people */
    bool made_split;   /* by us, not by the files */
    dpr__item *items;
    size_t n_items, items_capacity;
    const char **class_names; /* n_classes; NULL when the set names none */
    size_t class_names_capacity;
    uint32_t n_classes;
    dpr_shape shape[3]; /* of packed images, by the half of their file */
    bool has[3];        /* which halves there are */
    size_t ignored;     /* hidden and foreign files */
    const char **bad;   /* "path: reason", while surveying */
    size_t n_bad, bad_capacity;
    uint8_t **blobs; /* memory of packed sets */
    size_t n_blobs, blobs_capacity;
} dpr__listing;

/* Lists what lies at `path`: finds the format, names and labels, and the halves that the files make.
 * Image files are not read. out->wanted and out->survey are set by the caller, all else is zero. */
dpr_status dpr__listing_open(dpr_context *context, const char *path, dpr__listing *out);
void dpr__listing_release(dpr__listing *listing);
/* Whether packed pixels of this half must be read; has[] must be known. */
bool dpr__listing_needs(const dpr__listing *listing, dpr_half half);
dpr_status dpr__listing_add(dpr__listing *listing, const dpr__item *item);
dpr_status dpr__listing_keep(dpr__listing *listing, uint8_t *blob); /* takes the blob */
dpr_status dpr__listing_class(dpr__listing *listing, const char *name);
/* While surveying, a failure that a file caused is noted and DPR_OK returned; else `status`. */
dpr_status dpr__listing_bad(dpr__listing *listing, const char *path, dpr_status status);
/* In the arena; NULL when memory is out. */
char *dpr__listing_text(dpr__listing *listing, const char *format, ...) DPR__PRINTF(2, 3);

/* The formats. `found` says whether the directory looks like it. */
dpr_status dpr__idx_list(dpr__listing *listing, bool *found);
dpr_status dpr__cifar_list(dpr__listing *listing, bool *found);
dpr_status dpr__folder_list(dpr__listing *listing);
/* DPR_E_DATA where pictures lie in the directory itself, and so in no class. */
dpr_status dpr__folder_refuse_loose(dpr__listing *listing, const char *path);
/* How many of n images of a class go to the test half where files make none, equal contents aside. */
size_t dpr__test_share(size_t n);

/* Reads names, one a line, from classes.txt or the like; *found is false when there is no such file. */
dpr_status dpr__names_read(dpr__listing *listing, const char *file, bool *found);

/* What a name in a directory stands for. */
typedef enum dpr__kind { DPR__KIND_FILE, DPR__KIND_DIRECTORY, DPR__KIND_OTHER } dpr__kind;
typedef struct dpr__entry {
    const char *name, *path; /* in the arena */
    dpr__kind kind;
    bool hidden; /* by a dot, or one of the files that desktops leave behind */
    bool link;   /* symbolic */
    bool lost;   /* a link that leads nowhere */
} dpr__entry;

/* The entries of a directory, sorted bytewise, without "." and ".." and what train writes, in the arena. */
dpr_status dpr__directory_read(dpr__listing *listing, const char *path, dpr__entry **entries,
                               size_t *n);
/* The first bytes of a file, at most n; how many there were. */
size_t dpr__file_head(const char *path, uint8_t *head, size_t n);

/* A set without a test half: a fifth of each class, by content hash, becomes it. */
dpr_status dpr__split_test(dpr__listing *listing);
/* Holds back a fraction of each class of the training half, by content hash, as validation half. */
dpr_status dpr__split_validation(dpr__listing *listing, double fraction);

/* The item's image: decoded, or a view of packed pixels. Released by dpr__item_release. */
dpr_status dpr__item_open(dpr_context *context, const dpr__item *item, dpr__image *out);
void dpr__item_release(dpr_context *context, const dpr__item *item, dpr__image *image);

#endif
