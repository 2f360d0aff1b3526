/*
 * ipspd/import_dir.h - the one directory whose files managers can name: imports, exports, saves.
 *
 * A name is one component of letters, digits, '.', '_' and '-', not beginning with '.', so it leads
 * nowhere else; symbolic links are not followed.
 */
#ifndef IPSPD_IMPORT_DIR_H
#define IPSPD_IMPORT_DIR_H

#include "mibs/store.h"

#define IMPORT_DIR_NAME_MAX 64	/* octets of a name, NUL included */

/** Is it such a name, and short enough? */
bool import_dir_is_name(const uint8_t *name, size_t len);

/** Opens a regular file for reading. @return its descriptor, or -errno */
int import_dir_open(const char *dir, const char *name);

/**
 * Writes the configuration to a file, without secrets: all of it, durably, in place of one of that
 * name, or nothing.
 * @return MIB_OK; MIB_COMMIT_FAILED with *d: directory or disk refuses; what xml_export says
 */
MIB_MUST_CHECK enum mib_err import_dir_export(const char *dir, const char *name,
					      struct mib_store *s, struct mib_diag *d);

#endif
