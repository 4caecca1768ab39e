/* An HTML page under construction: escaped text, numbers for people and programs alike, pictures that lie within the page. The first failure sticks to
 * the text (base/text.h). */
#ifndef DPR_VIEW_PAGE_H
#define DPR_VIEW_PAGE_H

#include "base/text.h"
#include <deeper/tools.h>

/* The files of pages/, which the build writes into a C file (cmake/presets.cmake), by their names without endings. */
extern const char *const dpr__page_file_names[];
extern const unsigned char *const dpr__page_file_bytes[]; /* gzip, where the build has zlib */
extern const size_t dpr__page_file_sizes[];
extern const size_t dpr__n_page_files;
/* Adds the text of a file. */
void dpr__page_file(dpr__text *page, const char *name);

/* From the doctype to the begin of the body; the style sheet is within. dpr__page_end closes both. */
void dpr__page_begin(dpr__text *page, const char *title);
/* With a second style sheet; NULL: none. */
void dpr__page_begin_styled(dpr__text *page, const char *title, const char *style);
void dpr__page_end(dpr__text *page);
/* As text, or as the value of an attribute in double quotes. What is no UTF-8 becomes '?'. */
void dpr__page_text(dpr__text *page, const char *text);
/* "98.42 %", or "–" where it is not finite, in an element whose value is the number as commands print it in JSON. */
void dpr__page_share(dpr__text *page, double share);
/* The same of any number, shown with so many digits behind the point. */
void dpr__page_number(dpr__text *page, double number, int digits);
/* "12,345". */
void dpr__page_count(dpr__text *page, uint64_t count);
/* The begin of a table up to its caption; class may be NULL. It ends with "</table></div>": a wide one scrolls by itself, with keys, too. */
void dpr__page_table(dpr__text *page, const char *class, const char *caption);
/* u8 (height, width, 1 or 3 channels) as a picture; `alt` is what it is called. Sides above `most` pixels are made smaller. What
 * no PNG can show (two or four channels), or this build without libpng, is `alt` as text. */
void dpr__page_image(dpr__text *page, const uint8_t *pixels, dpr_shape image, uint32_t most,
                     const char *alt);
void dpr__page_base64(dpr__text *page, const unsigned char *bytes, size_t n);

#endif
