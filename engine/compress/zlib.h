/*
 * engine/compress/zlib.h - IPComp's DEFLATE by zlib. RFC 2394, 1951.
 */
#ifndef ENGINE_COMPRESS_ZLIB_H
#define ENGINE_COMPRESS_ZLIB_H

#include "ipsp/compress.h"

/** The provider; static. */
const struct ipsp_compress *ipsp_compress_zlib(void);

#endif
